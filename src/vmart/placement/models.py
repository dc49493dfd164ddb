"""Scarcity: hosts with inventories, allocations of machines on them, groups of machines that lie apart."""

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
    enabled = models.BooleanField(default=True)  # false: drained, by ``draining``
    drained_at = models.DateTimeField(null=True)  # wall time
    drained_by = models.CharField(max_length=254, default="", db_default="", blank=True)
    vcpu_capacity = models.IntegerField()
    memory_capacity_mib = models.BigIntegerField()
    disk_capacity_gib = models.BigIntegerField()
    vcpu_used = models.IntegerField(default=0)
    memory_used_mib = models.BigIntegerField(default=0)
    disk_used_gib = models.BigIntegerField(default=0)
    rack = models.CharField(max_length=40, default="", db_default="", blank=True)  # "": nobody has said it

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
    """What a machine, or a disk with a life of its own, takes of a host.

    Its row and the host's counters change together. ``left_host`` is where a disk that is being moved is still, and
    takes as much.
    """

    instance_id = models.BigIntegerField(primary_key=True)  # the machine's or the disk's: ids of all kinds are one's
    host = models.ForeignKey(Host, models.PROTECT)
    left_host = models.ForeignKey(
        Host, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="+"
    )
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


class Group(models.Model):
    """Machines of an account of which at most ``affinity`` lie in one place: on one host, or in one rack."""

    class Apart(models.TextChoices):
        HOST = "HOST"
        RACK = "RACK"

    id: int
    public_id = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey("customers.Account", models.PROTECT, db_index=False)
    name = models.CharField(max_length=60)
    apart = models.CharField(max_length=4, choices=Apart.choices)
    affinity = models.IntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "placement_group"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="placement_group_name"),
            models.CheckConstraint(condition=Q(apart__in=["HOST", "RACK"]), name="placement_group_apart"),
            models.CheckConstraint(condition=Q(affinity__gte=1) & Q(affinity__lte=10), name="placement_group_affinity"),
        ]
        indexes = [models.Index(fields=["account", "-id"], name="placement_group_of_account")]


class Member(models.Model):
    """A machine in a group, for as long as it has room on a host: a key of the database has the row go with it."""

    allocation = models.OneToOneField(
        Allocation, models.DO_NOTHING, primary_key=True, db_column="instance_id", db_constraint=False
    )
    group = models.ForeignKey(Group, models.PROTECT)

    class Meta:
        db_table = "placement_member"
