"""Public addresses with a life of their own."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_WITH_MACHINE = Q(state__in=["BINDING", "BIND", "UNBINDING"])
_STATES = ["UNBIND", "BINDING", "BIND", "UNBINDING", "OFFLINING", "GONE"]


class Migration(migrations.Migration):
    dependencies = [
        ("network", "0003_owners_indexed"),
        ("catalog", "0001_first"),
        ("instances", "0004_security_groups"),
        ("subscriptions", "0002_hold_of_converted"),
    ]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE network_task_block", "DROP SEQUENCE network_task_block"),
        migrations.CreateModel(
            name="Eip",
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
                ("ip", models.GenericIPAddressField(null=True)),
                ("name", models.CharField(blank=True, default="", max_length=128)),
                ("internet_charge_type", models.CharField(max_length=40)),
                ("bandwidth_mbps", models.IntegerField()),
                (
                    "instance",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="eip",
                        to="instances.instance",
                    ),
                ),
                ("state", models.CharField(choices=[(one, one.capitalize()) for one in _STATES], max_length=12)),
                ("latest_operation", models.CharField(max_length=40)),
                ("latest_operation_state", models.CharField(max_length=12)),
                ("latest_operation_request_id", models.CharField(blank=True, default="", max_length=64)),
                ("latest_operation_error_code", models.CharField(blank=True, default="", max_length=80)),
                ("latest_operation_error", models.CharField(blank=True, default="", max_length=500)),
                ("task", models.BigIntegerField()),
            ],
            options={
                "db_table": "network_eip",
                "indexes": [
                    models.Index(
                        fields=["account_id", "created_at", "id"],
                        include=["zone", "state", "name", "instance"],
                        condition=~Q(state="GONE"),
                        name="network_eip_in_order",
                    ),
                    models.Index(fields=["account_id", "task"], name="network_eip_task"),
                    models.Index(fields=["zone"], condition=Q(state="BIND"), name="network_eip_counted"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["public_id"], name="network_eip_public_id_once"),
                    models.UniqueConstraint(fields=["ip"], name="network_eip_ip_once"),
                    models.CheckConstraint(condition=Q(bandwidth_mbps__gt=0), name="network_eip_bandwidth"),
                    models.CheckConstraint(
                        condition=Q(state="OFFLINING")
                        | (_WITH_MACHINE & Q(instance__isnull=False))
                        | (~_WITH_MACHINE & Q(instance=None)),
                        name="network_eip_at_machine",
                    ),
                    models.CheckConstraint(
                        condition=Q(state="GONE", ip=None) | (~Q(state="GONE") & Q(ip__isnull=False)),
                        name="network_eip_gone",
                    ),
                ],
            },
        ),
    ]
