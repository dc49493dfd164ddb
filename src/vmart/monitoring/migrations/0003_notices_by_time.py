"""Notices of the last hour are found by their time."""

from django.db import migrations, models

from vmart.kernel.indexes import AddIndex


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("monitoring", "0002_alarms_are_switched"),
    ]

    operations = [
        AddIndex(model_name="alarmnotice", index=models.Index(fields=["at"], name="monitoring_notice_by_time")),
    ]
