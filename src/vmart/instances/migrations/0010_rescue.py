from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("instances", "0009_spot_indexed"),
    ]

    operations = [
        migrations.AddField("instance", "rescue", models.IntegerField(db_default=0, default=0)),
        migrations.AlterField(
            "instance",
            "state",
            models.CharField(
                choices=[
                    ("PENDING", "Pending"),
                    ("LAUNCH_FAILED", "Launch Failed"),
                    ("RUNNING", "Running"),
                    ("STOPPED", "Stopped"),
                    ("STARTING", "Starting"),
                    ("STOPPING", "Stopping"),
                    ("REBOOTING", "Rebooting"),
                    ("SHUTDOWN", "Shutdown"),
                    ("TERMINATING", "Terminating"),
                    ("ENTER_RESCUE_MODE", "Enter Rescue Mode"),
                    ("RESCUE_MODE", "Rescue Mode"),
                    ("EXIT_RESCUE_MODE", "Exit Rescue Mode"),
                    ("GONE", "Gone"),
                ],
                default="PENDING",
                max_length=20,
            ),
        ),
    ]
