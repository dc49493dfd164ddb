"""Images of customers, and who else may make machines of them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0002_engine_kinds_are_drivers"),
        ("storage", "0006_disks_being_made_of_snapshots"),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnImage",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("public_id", models.CharField(max_length=20, unique=True)),
                ("account_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=60)),
                ("description", models.CharField(blank=True, default="", max_length=256)),
                ("size_gib", models.IntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("CREATING", "Creating"),
                            ("CREATEFAILED", "Createfailed"),
                            ("NORMAL", "Normal"),
                            ("DELETING", "Deleting"),
                            ("GONE", "Gone"),
                        ],
                        max_length=12,
                    ),
                ),
                ("latest_operation", models.CharField(max_length=40)),
                ("latest_operation_state", models.CharField(max_length=12)),
                ("latest_operation_request_id", models.CharField(blank=True, default="", max_length=64)),
                ("latest_operation_error_code", models.CharField(blank=True, default="", max_length=80)),
                ("latest_operation_error", models.CharField(blank=True, default="", max_length=500)),
                ("base", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalog.image")),
                ("snapshot", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="storage.snapshot")),
                ("zone", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalog.zone")),
            ],
            options={
                "db_table": "storage_image",
            },
        ),
        migrations.CreateModel(
            name="ImageShare",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "image_id", "account_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                (
                    "image",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="storage.ownimage"
                    ),
                ),
            ],
            options={
                "db_table": "storage_image_share",
            },
        ),
        migrations.AddIndex(
            model_name="ownimage",
            index=models.Index(
                condition=models.Q(("state__in", ["DELETING", "GONE"]), _negated=True),
                fields=["account_id", "-id"],
                name="storage_image_of_account",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownimage",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["DELETING", "GONE"]), _negated=True),
                    models.Q(("state", "CREATEFAILED"), _negated=True),
                ),
                fields=("account_id", "name"),
                name="storage_image_name_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownimage",
            constraint=models.CheckConstraint(condition=models.Q(("size_gib__gt", 0)), name="storage_image_size"),
        ),
        migrations.AddConstraint(
            model_name="ownimage",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="storage_image_name"
            ),
        ),
        migrations.AddIndex(
            model_name="imageshare",
            index=models.Index(fields=["account_id", "image"], name="storage_image_share_with"),
        ),
    ]
