from django.db import migrations, models


class Migration(migrations.Migration):
    """Where machines' IPv6 addresses come from."""

    dependencies = [
        ("catalog", "0002_engine_kinds_are_drivers"),
    ]

    operations = [
        migrations.AddField(
            "zone", "ipv6_prefix", models.CharField(max_length=43, default="", db_default="", blank=True)
        ),
    ]
