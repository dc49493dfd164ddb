"""Snapshots of disks; how often a disk was to hold what one holds, and which one it was bought with."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_STATES = ["CREATING", "FAILED", "NORMAL", "ROLLBACKING", "TORECYCLE", "ERASING", "GONE"]
_USAGES = [("SYSTEM_DISK", "System"), ("DATA_DISK", "Data")]


class Migration(migrations.Migration):
    dependencies = [
        ("storage", "0004_own_disks_of_an_account"),
        ("subscriptions", "0002_hold_of_converted"),
    ]

    operations = [
        migrations.AddField("disk", "restorations", models.IntegerField(default=0, db_default=0)),
        migrations.AddField(
            "disk", "snapshot_id", models.CharField(blank=True, db_default="", default="", max_length=20)
        ),
        migrations.CreateModel(
            name="Snapshot",
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
                (
                    "disk",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="storage.disk"),
                ),
                ("usage", models.CharField(choices=_USAGES, max_length=12)),
                ("size_gib", models.IntegerField()),
                ("image_id", models.CharField(blank=True, default="", max_length=20)),
                ("own_image", models.CharField(blank=True, default="", max_length=20)),
                ("name", models.CharField(blank=True, default="", max_length=60)),
                ("delete_at", models.DateTimeField(null=True)),
                ("state", models.CharField(choices=[(one, one.capitalize()) for one in _STATES], max_length=12)),
                ("latest_operation", models.CharField(max_length=40)),
                ("latest_operation_state", models.CharField(max_length=12)),
                ("latest_operation_request_id", models.CharField(blank=True, default="", max_length=64)),
                ("latest_operation_error_code", models.CharField(blank=True, default="", max_length=80)),
                ("latest_operation_error", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "db_table": "storage_snapshot",
                "indexes": [
                    models.Index(
                        fields=["account_id", "created_at", "id"],
                        include=["zone", "state", "name", "usage", "disk", "size_gib"],
                        condition=~Q(state="GONE"),
                        name="storage_snapshot_in_order",
                    ),
                    models.Index(condition=~Q(state="GONE"), fields=["disk"], name="storage_snapshot_of_disk"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["public_id"], name="storage_snapshot_public_id_once"),
                    models.CheckConstraint(condition=Q(size_gib__gt=0), name="storage_snapshot_size"),
                ],
            },
        ),
    ]
