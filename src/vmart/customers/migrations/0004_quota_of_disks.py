"""How many disks with a life of their own an account may have in a zone, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_quotas_of_placement_groups")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'disks_per_zone', 200)"
            " ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'disks_per_zone'",
        ),
    ]
