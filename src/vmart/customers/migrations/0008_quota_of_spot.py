"""How many spot machines an account may have in a zone, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0007_quota_of_images")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'spot_per_zone', 100)"
            " ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'spot_per_zone'",
        ),
    ]
