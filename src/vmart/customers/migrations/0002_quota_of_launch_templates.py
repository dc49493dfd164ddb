"""How many launch templates an account may keep, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_first")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value) VALUES ('default', 'launch_templates', 200)"
            " ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'launch_templates'",
        ),
    ]
