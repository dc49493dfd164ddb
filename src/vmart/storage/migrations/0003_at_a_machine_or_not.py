"""Every disk that was there before is at its machine: looked at without keeping anybody from it."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("storage", "0002_life_of_its_own")]

    operations = [
        ValidateConstraint("disk", "storage_disk_at_machine"),
        ValidateConstraint("disk", "storage_disk_own_listed"),
    ]
