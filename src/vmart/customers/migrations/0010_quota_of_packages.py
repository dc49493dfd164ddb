"""How many bandwidth packages an account may have in a region, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0009_quota_of_snapshot_policies")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'packages_per_region', 20)"
            " ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'packages_per_region'",
        ),
    ]
