from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("worker", "0001_first"),
    ]

    operations = [
        AddIndex(
            model_name="operation",
            index=models.Index(
                condition=models.Q(("attention", True)), fields=["created_at", "id"], name="worker_operation_given_up"
            ),
        ),
    ]
