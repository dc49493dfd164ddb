from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0001_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="instance", name="keys_in_doubt", field=models.JSONField(db_default={}, default=dict)
        ),
        migrations.AddField(
            model_name="instance", name="keys_only", field=models.BooleanField(db_default=False, default=False)
        ),
    ]
