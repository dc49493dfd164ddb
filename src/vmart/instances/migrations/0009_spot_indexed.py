from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("instances", "0008_spot"),
    ]

    operations = [
        AddIndex(
            model_name="instance",
            index=models.Index(
                fields=["zone", "created_at"],
                condition=Q(charge_type="SPOTPAID") & ~Q(state="GONE"),
                name="instances_spot_of_zone",
            ),
        ),
        AddIndex(
            model_name="instance",
            index=models.Index(
                fields=["zone", "reclaim_at"], condition=Q(reclaimed_for_room=True), name="instances_reclaimed"
            ),
        ),
    ]
