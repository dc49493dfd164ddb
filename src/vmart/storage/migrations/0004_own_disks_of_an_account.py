from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [("storage", "0003_at_a_machine_or_not")]

    operations = [
        AddIndex(
            model_name="disk",
            index=models.Index(
                fields=["account_id", "own_created_at", "id"],
                include=[
                    "own_zone",
                    "state",
                    "name",
                    "disk_type",
                    "latest_operation",
                    "latest_operation_state",
                    "instance_id",
                ],
                condition=~Q(state__in=["", "GONE"]),
                name="storage_disk_own",
            ),
        ),
    ]
