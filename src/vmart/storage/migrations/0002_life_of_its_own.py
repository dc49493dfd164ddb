"""A disk may have a life of its own: a state, a latest operation, and no machine."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models
from django.db.models import Q

_AT_MACHINE = Q(state__in=["", "ATTACHING", "ATTACHED", "DETACHING"])


class Migration(migrations.Migration):
    dependencies = [("storage", "0001_first"), ("catalog", "0001_first")]

    operations = [
        migrations.AlterField("disk", "instance_id", models.BigIntegerField(null=True)),
        migrations.AddField(
            "disk",
            "subscription",
            models.ForeignObject(
                to="subscriptions.subscription",
                on_delete=django.db.models.deletion.PROTECT,
                from_fields=["id"],
                to_fields=["id"],
                related_name="+",
            ),
            preserve_default=False,
        ),
        migrations.AddField("disk", "state", models.CharField(max_length=12, default="", db_default="", blank=True)),
        migrations.AddField(
            "disk",
            "own_zone",
            models.ForeignKey(
                to="catalog.zone",
                on_delete=django.db.models.deletion.PROTECT,
                null=True,
                db_constraint=False,
                db_index=False,
                related_name="+",
            ),
        ),
        migrations.AddField("disk", "own_created_at", models.DateTimeField(null=True)),
        *[
            migrations.AddField(
                "disk", name, models.CharField(max_length=length, default="", db_default="", blank=True)
            )
            for name, length in (
                ("latest_operation", 40),
                ("latest_operation_request_id", 64),
                ("latest_operation_error_code", 80),
                ("latest_operation_error", 500),
            )
        ],
        migrations.AddField(
            "disk",
            "latest_operation_state",
            models.CharField(max_length=12, default="SUCCESS", db_default="SUCCESS"),
        ),
        AddConstraintNotValid(
            "disk",
            models.CheckConstraint(
                condition=Q(state__in=["TORECYCLE", "ERASING"])
                | (_AT_MACHINE & Q(instance_id__isnull=False))
                | (~_AT_MACHINE & Q(instance_id=None)),
                name="storage_disk_at_machine",
            ),
        ),
        AddConstraintNotValid(
            "disk",
            models.CheckConstraint(
                condition=Q(state="") | (Q(own_zone__isnull=False) & Q(own_created_at__isnull=False)),
                name="storage_disk_own_listed",
            ),
        ),
    ]
