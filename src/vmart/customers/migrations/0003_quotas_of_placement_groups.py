"""How many placement groups an account may have, and machines in each, until a catalog says other numbers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_quota_of_launch_templates")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'placement_groups', 10),"
            " ('default', 'machines_per_group', 50) ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name IN ('placement_groups', 'machines_per_group')",
        ),
    ]
