from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0002_keys_bound"),
    ]

    operations = [
        migrations.AddField(
            model_name="instance", name="installation", field=models.IntegerField(db_default=0, default=0)
        ),
    ]
