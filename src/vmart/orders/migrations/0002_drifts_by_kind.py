from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("orders", "0001_first"),
    ]

    operations = [
        AddIndex(
            model_name="enginedrift",
            index=models.Index(fields=["kind", "since_wall_at", "id"], name="orders_engine_drift_by_kind"),
        ),
    ]
