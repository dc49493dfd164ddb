import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

_UNNAMED = Q(state__in=["CREATEFAILED", "IMPORTFAILED", "DELETING", "GONE"])
_IMPORTING = Q(state="IMPORTING", snapshot=None) | (~Q(state="IMPORTING") & Q(import_url=""))


def _without_snapshot() -> migrations.RunSQL:
    """Its row need have none. Said in SQL: Django asks the database which constraints a foreign key has."""
    drop = "ALTER TABLE storage_image ALTER COLUMN snapshot_id DROP NOT NULL"
    keep = "ALTER TABLE storage_image ALTER COLUMN snapshot_id SET NOT NULL"
    field = models.ForeignKey("storage.Snapshot", django.db.models.deletion.PROTECT, null=True)
    return migrations.RunSQL(drop, keep, state_operations=[migrations.AlterField("ownimage", "snapshot", field)])


class Migration(migrations.Migration):
    """Images that were imported stand on no snapshot, but on an agreement of their own; one that failed leaves its
    name free."""

    dependencies = [("storage", "0008_snapshot_policies"), ("subscriptions", "0002_hold_of_converted")]

    operations = [
        migrations.AlterField(
            "ownimage",
            "state",
            models.CharField(
                choices=[
                    ("CREATING", "Creating"),
                    ("CREATEFAILED", "Createfailed"),
                    ("IMPORTING", "Importing"),
                    ("IMPORTFAILED", "Importfailed"),
                    ("NORMAL", "Normal"),
                    ("DELETING", "Deleting"),
                    ("GONE", "Gone"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddField(
            "ownimage", "import_url", models.CharField(blank=True, db_default="", default="", max_length=2048)
        ),
        migrations.AddField(
            "ownimage", "import_sha256", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("ownimage", "percent", models.IntegerField(db_default=0, default=0)),
        _without_snapshot(),
        migrations.AddField(
            "ownimage",
            "subscription",
            models.ForeignObject(
                from_fields=["id"],
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="subscriptions.subscription",
                to_fields=["id"],
            ),
        ),
        migrations.RemoveConstraint("ownimage", "storage_image_name_once"),
        migrations.AddConstraint(
            "ownimage",
            models.UniqueConstraint(
                fields=["account_id", "name"], condition=~_UNNAMED, name="storage_image_one_of_a_name"
            ),
        ),
        migrations.AddConstraint(
            "ownimage", models.CheckConstraint(condition=_IMPORTING, name="storage_image_importing")
        ),
    ]
