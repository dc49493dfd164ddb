"""Alarms that are off."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0001_first"),
    ]

    operations = [
        migrations.AddField(
            model_name="alarm", name="enabled", field=models.BooleanField(db_default=True, default=True)
        ),
    ]
