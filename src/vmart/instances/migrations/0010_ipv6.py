from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0009_spot_indexed"),
    ]

    operations = [
        migrations.AddField("instance", "ipv6", models.GenericIPAddressField(null=True)),
    ]
