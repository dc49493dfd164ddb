from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False  # an index that is made while others write

    dependencies = [("network", "0008_addresses_of_packages")]

    operations = [
        AddIndex(
            model_name="eip",
            index=models.Index(
                condition=models.Q(("state", "GONE"), _negated=True),
                fields=["account_id", "name", "created_at", "id"],
                name="network_eip_by_name",
            ),
        ),
    ]
