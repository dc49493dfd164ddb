from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("network", "0002_own_networks"),
    ]

    operations = [
        AddIndex(
            "vpc",
            models.Index(fields=["owner_id"], condition=Q(owner_id__isnull=False), name="network_vpc_owner"),
        ),
        AddIndex(
            "subnet",
            models.Index(fields=["owner_id"], condition=Q(owner_id__isnull=False), name="network_subnet_owner"),
        ),
        AddIndex(
            "subnet",
            models.Index(fields=["zone"], condition=Q(number=None, deleted_at=None), name="network_subnet_own_in_zone"),
        ),
    ]
