from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0003_bandwidth_ended"),
    ]

    operations = [
        migrations.CreateModel(
            name="BandwidthWindow",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subscription_id", models.BigIntegerField()),
                ("order_id", models.BigIntegerField()),
                ("mbps", models.IntegerField()),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("in_force", "In Force"),
                            ("ended", "Ended"),
                            ("failed", "Failed"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
            ],
            options={"db_table": "orders_bandwidth_window"},
        ),
        migrations.AddConstraint(
            model_name="bandwidthwindow",
            constraint=models.UniqueConstraint(
                condition=Q(state__in=["waiting", "in_force"]),
                fields=("subscription_id",),
                name="orders_bandwidth_window_one_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="bandwidthwindow",
            constraint=models.CheckConstraint(
                condition=Q(ends_at__gt=models.F("starts_at"), mbps__gt=0), name="orders_bandwidth_window_values"
            ),
        ),
    ]
