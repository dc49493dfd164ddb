"""Bandwidth packages, and which addresses are in one."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [
        ("network", "0006_ipv6"),
        ("catalog", "0001_first"),
        ("subscriptions", "0003_spot"),
    ]

    operations = [
        migrations.CreateModel(
            name="Package",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "subscription",
                    models.ForeignObject(
                        from_fields=["id"],
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="subscriptions.subscription",
                        to_fields=["id"],
                    ),
                ),
                ("public_id", models.CharField(max_length=20)),
                ("account_id", models.BigIntegerField()),
                (
                    "zone",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="catalog.zone",
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("name", models.CharField(blank=True, default="", max_length=60)),
                ("bandwidth_mbps", models.IntegerField()),
                ("state", models.CharField(choices=[("CREATED", "Created"), ("GONE", "Gone")], max_length=12)),
                ("latest_operation", models.CharField(max_length=40)),
                ("latest_operation_state", models.CharField(max_length=12)),
                ("latest_operation_request_id", models.CharField(blank=True, default="", max_length=64)),
                ("latest_operation_error_code", models.CharField(blank=True, default="", max_length=80)),
                ("latest_operation_error", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "db_table": "network_package",
                "indexes": [
                    models.Index(
                        fields=["account_id", "created_at", "id"],
                        include=["zone", "name"],
                        condition=~Q(state="GONE"),
                        name="network_package_in_order",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["public_id"], name="network_package_public_id_once"),
                    models.CheckConstraint(condition=Q(bandwidth_mbps__gt=0), name="network_package_bandwidth"),
                ],
            },
        ),
        migrations.AddField(
            "eip",
            "package",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="addresses",
                to="network.package",
            ),
        ),
        migrations.AddField(
            "eip", "charged_outside", models.CharField(blank=True, db_default="", default="", max_length=40)
        ),
        AddConstraintNotValid(
            "eip",
            models.CheckConstraint(
                condition=Q(package=None) | ~Q(state__in=["OFFLINING", "GONE"]) & ~Q(charged_outside=""),
                name="network_eip_in_package",
            ),
        ),
    ]
