from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("subscriptions", "0001_first"),
    ]

    operations = [
        AddIndex(
            model_name="subscription",
            index=models.Index(
                condition=models.Q(("charge_type", "PREPAID"), ("hold_id__isnull", False), ("standing", "active")),
                fields=["account"],
                name="subscriptions_hold_converted",
            ),
        ),
    ]
