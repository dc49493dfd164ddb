"""How many alarms an account may have, until a catalog says another number."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0010_quota_of_packages")]

    operations = [
        migrations.RunSQL(
            "INSERT INTO customers_quota_default (set_name, name, value)"
            " VALUES ('default', 'alarms', 20) ON CONFLICT (set_name, name) DO NOTHING",
            "DELETE FROM customers_quota_default WHERE name = 'alarms'",
        ),
    ]
