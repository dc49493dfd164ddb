"""How many snapshot policies an account may have in a region, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0008_quota_of_spot")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value)"
            " VALUES ('default', 'snapshot_policies_per_region', 30) ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'snapshot_policies_per_region'",
        ),
    ]
