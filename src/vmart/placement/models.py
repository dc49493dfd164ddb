"""Scarcity: hosts with inventories, allocations of machines on them."""

from django.db import models
from django.db.models import Q


class Host(models.Model):
    """A member of a zone and its inventory; capacities are after overcommit and reserve.

    Claimed by compare-and-swap on the row; the constraints refuse what does not fit.
    """

    id: int
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_index=False)
    name = models.CharField(max_length=80)
    online = models.BooleanField(default=True)
    off_since = models.DateTimeField(null=True)  # wall time; null while it is online, or nobody knows
    enabled = models.BooleanField(default=True)
    vcpu_capacity = models.IntegerField()
    memory_capacity_mib = models.BigIntegerField()
    disk_capacity_gib = models.BigIntegerField()
    vcpu_used = models.IntegerField(default=0)
    memory_used_mib = models.BigIntegerField(default=0)
    disk_used_gib = models.BigIntegerField(default=0)

    class Meta:
        db_table = "placement_host"
        constraints = [
            models.UniqueConstraint(fields=["zone", "name"], name="placement_host_once"),
            models.CheckConstraint(
                condition=Q(vcpu_used__gte=0) & Q(memory_used_mib__gte=0) & Q(disk_used_gib__gte=0),
                name="placement_host_used_not_negative",
            ),
        ]


class Allocation(models.Model):
    """What a machine takes of a host; its row and the host's counters change together."""

    instance_id = models.BigIntegerField(primary_key=True)
    host = models.ForeignKey(Host, models.PROTECT)
    account_id = models.BigIntegerField()
    vcpu = models.IntegerField()
    memory_mib = models.BigIntegerField()
    disk_gib = models.BigIntegerField()

    class Meta:
        db_table = "placement_allocation"
        constraints = [
            models.CheckConstraint(
                condition=Q(vcpu__gte=0) & Q(memory_mib__gte=0) & Q(disk_gib__gte=0), name="placement_allocation_size"
            )
        ]
