from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("orders", "0006_refunds"),
    ]

    operations = [
        AddIndex(
            model_name="order",
            index=models.Index(fields=["status", "-id"], name="orders_order_by_status"),
        ),
    ]
