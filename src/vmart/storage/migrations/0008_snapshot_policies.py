"""Policies by which snapshots are made by themselves, their disks, and which snapshots were made so."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_engine_kinds_are_drivers"),
        ("storage", "0007_images"),
    ]

    operations = [
        migrations.CreateModel(
            name="SnapshotPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(max_length=20, unique=True)),
                ("account_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("active", models.BooleanField()),
                ("hours", models.IntegerField()),
                ("weekdays", models.IntegerField()),
                ("retention_days", models.IntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "region",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="catalog.region"),
                ),
            ],
            options={
                "db_table": "storage_snapshot_policy",
            },
        ),
        migrations.CreateModel(
            name="PolicyDisk",
            fields=[
                (
                    "disk",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="storage.disk",
                    ),
                ),
                ("policy", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to="storage.snapshotpolicy")),
            ],
            options={
                "db_table": "storage_snapshot_policy_disk",
            },
        ),
        migrations.CreateModel(
            name="ScheduledSnapshot",
            fields=[
                (
                    "snapshot",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="scheduled",
                        serialize=False,
                        to="storage.snapshot",
                    ),
                ),
                ("due_at", models.DateTimeField()),
                ("policy", models.CharField(max_length=20)),
                (
                    "disk",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="storage.disk"
                    ),
                ),
            ],
            options={
                "db_table": "storage_snapshot_scheduled",
                "constraints": [
                    models.UniqueConstraint(fields=("disk", "due_at"), name="storage_snapshot_scheduled_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="snapshotpolicy",
            index=models.Index(fields=["account_id", "-id"], name="storage_policy_of_account"),
        ),
        migrations.AddConstraint(
            model_name="snapshotpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="storage_snapshot_policy_name"
            ),
        ),
        migrations.AddConstraint(
            model_name="snapshotpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("hours__gte", 1), ("hours__lt", 16777216)), name="storage_snapshot_hours"
            ),
        ),
        migrations.AddConstraint(
            model_name="snapshotpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("weekdays__gte", 1), ("weekdays__lt", 128)), name="storage_snapshot_days"
            ),
        ),
        migrations.AddConstraint(
            model_name="snapshotpolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(("retention_days__gte", 0)), name="storage_snapshot_retention"
            ),
        ),
    ]
