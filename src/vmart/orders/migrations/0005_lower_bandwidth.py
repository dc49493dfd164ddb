from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_bandwidth_windows"),
    ]

    operations = [
        migrations.CreateModel(
            name="LowerBandwidth",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subscription_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("mbps", models.IntegerField()),
                ("from_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("in_force", "In Force"), ("withdrawn", "Withdrawn")],
                        default="waiting",
                        max_length=12,
                    ),
                ),
            ],
            options={"db_table": "orders_lower_bandwidth"},
        ),
        migrations.AddConstraint(
            model_name="lowerbandwidth",
            constraint=models.UniqueConstraint(
                condition=Q(state="waiting"), fields=("subscription_id",), name="orders_lower_bandwidth_one_waits"
            ),
        ),
        migrations.AddConstraint(
            model_name="lowerbandwidth",
            constraint=models.CheckConstraint(condition=Q(mbps__gt=0), name="orders_lower_bandwidth_values"),
        ),
    ]
