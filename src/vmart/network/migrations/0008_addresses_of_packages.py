from django.db import migrations, models
from django.db.models import Q

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("network", "0007_packages"),
    ]

    operations = [
        AddIndex(
            "eip",
            models.Index(fields=["package"], condition=Q(package__isnull=False), name="network_eip_of_package"),
        ),
    ]
