from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("network", "0004_eip")]

    operations = [
        AddIndex(
            model_name="eip",
            index=models.Index(fields=["id"], condition=Q(state="BIND"), name="network_eip_counted"),
        ),
    ]
