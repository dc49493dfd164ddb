"""How many snapshots of disks an account may have in a region, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0005_quota_of_addresses")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'snapshots_per_region', 200)"
            " ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'snapshots_per_region'",
        ),
    ]
