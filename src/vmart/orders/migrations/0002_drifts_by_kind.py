from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("orders", "0001_first"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="enginedrift",
            index=models.Index(fields=["kind", "since_wall_at", "id"], name="orders_engine_drift_by_kind"),
        ),
    ]
