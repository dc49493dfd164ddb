from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [("storage", "0005_snapshots")]

    operations = [
        AddIndex(
            model_name="disk",
            index=models.Index(fields=["made_of"], condition=Q(state="CREATING"), name="storage_disk_being_made_of"),
        ),
    ]
