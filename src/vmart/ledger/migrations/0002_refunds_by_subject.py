from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # the index is built beside what works on

    dependencies = [
        ("ledger", "0001_first"),
    ]

    operations = [
        AddIndex(
            model_name="transfer",
            index=models.Index(fields=["subject_id"], condition=Q(kind="refund"), name="ledger_transfer_refunds"),
        ),
    ]
