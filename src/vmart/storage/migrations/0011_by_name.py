from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # an index that is made while others write

    dependencies = [("storage", "0010_outcome_of_scheduled_snapshots")]

    operations = [
        AddIndex(
            model_name="disk",
            index=models.Index(
                condition=models.Q(("state__in", ["", "GONE"]), _negated=True),
                fields=["account_id", "name", "own_created_at", "id"],
                name="storage_disk_own_by_name",
            ),
        ),
        AddIndex(
            model_name="snapshot",
            index=models.Index(
                condition=models.Q(("state", "GONE"), _negated=True),
                fields=["account_id", "name", "created_at", "id"],
                name="storage_snapshot_by_name",
            ),
        ),
    ]
