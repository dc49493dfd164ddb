"""What became of the last time of a policy, by disk."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("storage", "0009_imported_images")]

    operations = [
        migrations.AddField("policydisk", "last_due_at", models.DateTimeField(null=True)),
        migrations.AddField("policydisk", "skipped", models.JSONField(null=True)),
    ]
