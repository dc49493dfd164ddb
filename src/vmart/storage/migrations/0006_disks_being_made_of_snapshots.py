from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [("storage", "0005_snapshots")]

    operations = [
        AddIndex(
            model_name="disk",
            index=models.Index(fields=["snapshot_id"], condition=~Q(snapshot_id=""), name="storage_disk_of_snapshot"),
        ),
    ]
