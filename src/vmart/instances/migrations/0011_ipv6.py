from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0010_rescue"),
    ]

    operations = [
        migrations.AddField("instance", "ipv6", models.GenericIPAddressField(null=True)),
    ]
