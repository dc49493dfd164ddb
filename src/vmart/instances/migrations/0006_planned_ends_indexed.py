from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("instances", "0005_ends_at"),
    ]

    operations = [
        AddIndex(
            model_name="instance",
            index=models.Index(
                fields=["account", "ends_at", "id"],
                condition=~Q(state="GONE") & Q(ends_at__isnull=False),
                name="instances_with_planned_end",
            ),
        ),
    ]
