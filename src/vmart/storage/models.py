"""Disks of machines."""

from django.db import models
from django.db.models import Q


class Disk(models.Model):
    """A system or data disk bought with a machine; it goes with it."""

    class Usage(models.TextChoices):
        SYSTEM = "SYSTEM_DISK"
        DATA = "DATA_DISK"

    id = models.BigIntegerField(primary_key=True)  # its subscription's
    public_id = models.CharField(max_length=20)
    account_id = models.BigIntegerField()
    instance_id = models.BigIntegerField()
    usage = models.CharField(max_length=12, choices=Usage.choices)
    disk_type = models.CharField(max_length=20)
    size_gib = models.IntegerField()
    position = models.IntegerField(default=0)
    delete_with_instance = models.BooleanField(default=True)  # as the buyer said it; every disk goes with its machine
    name = models.CharField(max_length=128, default="", blank=True)

    class Meta:
        db_table = "storage_disk"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="storage_disk_public_id_once"),
            models.UniqueConstraint(fields=["instance_id", "position"], name="storage_disk_position_once"),
            models.CheckConstraint(condition=Q(size_gib__gt=0), name="storage_disk_size"),
        ]
