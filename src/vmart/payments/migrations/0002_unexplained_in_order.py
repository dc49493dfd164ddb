from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("payments", "0001_first"),
    ]

    operations = [
        AddIndex(
            model_name="unexplained",
            index=models.Index(fields=["first_wall_at", "id"], name="payments_unexplained_in_order"),
        ),
    ]
