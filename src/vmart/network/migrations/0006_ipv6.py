import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """IPv6 addresses of machines."""

    dependencies = [
        ("network", "0005_eip_mode_changes"),
        ("catalog", "0003_ipv6_prefix"),
    ]

    operations = [
        migrations.CreateModel(
            name="Ipv6Address",
            fields=[
                ("ip", models.GenericIPAddressField(primary_key=True, serialize=False)),
                ("instance_id", models.BigIntegerField(unique=True)),
                ("account_id", models.BigIntegerField()),
                (
                    "zone",
                    models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, to="catalog.zone"),
                ),
            ],
            options={"db_table": "network_ipv6_address"},
        ),
    ]
