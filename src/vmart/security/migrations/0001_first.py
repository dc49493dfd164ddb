import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("customers", "0002_quota_of_launch_templates"),
    ]

    operations = [
        migrations.CreateModel(
            name="SecurityGroup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=20, unique=True)),
                ("region", models.CharField(blank=True, default="", max_length=40)),
                ("name", models.CharField(max_length=60)),
                ("description", models.CharField(blank=True, default="", max_length=100)),
                ("is_default", models.BooleanField(default=False)),
                ("version", models.IntegerField(default=0)),
                ("ingress", models.JSONField(default=list)),
                ("egress", models.JSONField(default=list)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="customers.account"
                    ),
                ),
            ],
            options={
                "db_table": "security_group",
                "indexes": [models.Index(fields=["account", "-id"], name="security_of_account")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)), fields=("account",), name="security_default_once"
                    )
                ],
            },
        ),
    ]
