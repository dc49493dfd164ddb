"""Disks: those that are bought with a machine and go with it, and those with a life of their own (ADR 0039); their
snapshots (ADR 0051)."""

from django.db import models
from django.db.models import Q

from vmart.storage.images import ImageShare, OwnImage
from vmart.storage.policies import PolicyDisk, ScheduledSnapshot, SnapshotPolicy
from vmart.subscriptions.models import DISK, SNAPSHOT, Agreed, Sold

__all__ = [
    "ALIVE", "Disk", "ImageShare", "OwnImage", "PolicyDisk", "ScheduledSnapshot", "Snapshot", "SnapshotPolicy",
    "SnapshotState", "State",
]  # fmt: skip


class State(models.TextChoices):
    """Where a disk with a life of its own is in it; of one that goes with its machine, the machine's state says it."""

    WITH_MACHINE = ""
    CREATING = "CREATING"
    FAILED = "FAILED"  # never made
    UNATTACHED = "UNATTACHED"
    ATTACHING = "ATTACHING"
    ATTACHED = "ATTACHED"
    DETACHING = "DETACHING"
    TORECYCLE = "TORECYCLE"  # in the recycle bin; a machine may have it until it is taken off
    ERASING = "ERASING"
    GONE = "GONE"


# Bought and not ended.
ALIVE = (State.CREATING, State.UNATTACHED, State.ATTACHING, State.ATTACHED, State.DETACHING)
# A machine has it, or is about to get it or to lose it.
_AT_MACHINE = Q(state__in=["", "ATTACHING", "ATTACHED", "DETACHING"])
_MAYBE_AT_MACHINE = Q(state__in=["TORECYCLE", "ERASING"])


class Disk(Agreed):
    """A system or data disk. A member of its machine's bundle, or (``state``) with an agreement of its own."""

    KIND = DISK

    class Usage(models.TextChoices):
        SYSTEM = "SYSTEM_DISK"
        DATA = "DATA_DISK"

    id = models.BigIntegerField(primary_key=True)  # its subscription's
    public_id = models.CharField(max_length=20)
    account_id = models.BigIntegerField()
    instance_id = models.BigIntegerField(null=True)  # the machine that has it
    usage = models.CharField(max_length=12, choices=Usage.choices)
    disk_type = models.CharField(max_length=20)
    size_gib = models.IntegerField()
    position = models.IntegerField(default=0)  # among the disks of its machine
    delete_with_instance = models.BooleanField(default=True)  # as the buyer said it
    name = models.CharField(max_length=128, default="", blank=True)
    restorations = models.IntegerField(default=0, db_default=0)  # how often it was to hold what a snapshot holds
    snapshot_id = models.CharField(max_length=20, default="", db_default="", blank=True)  # that it was bought with

    state = models.CharField(max_length=12, default="", db_default="", blank=True)  # State
    # Of one with a life of its own what its subscription says, too: what an account has is listed by one index.
    own_zone = models.ForeignKey("catalog.Zone", models.PROTECT, null=True, db_constraint=False, db_index=False,
                                 related_name="+")  # fmt: skip
    own_created_at = models.DateTimeField(null=True)
    latest_operation = models.CharField(max_length=40, default="", db_default="", blank=True)
    latest_operation_state = models.CharField(max_length=12, default="SUCCESS", db_default="SUCCESS")
    latest_operation_request_id = models.CharField(max_length=64, default="", db_default="", blank=True)
    latest_operation_error_code = models.CharField(max_length=80, default="", db_default="", blank=True)
    latest_operation_error = models.CharField(max_length=500, default="", db_default="", blank=True)

    class Meta:
        db_table = "storage_disk"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="storage_disk_public_id_once"),
            models.UniqueConstraint(fields=["instance_id", "position"], name="storage_disk_position_once"),
            models.CheckConstraint(condition=Q(size_gib__gt=0), name="storage_disk_size"),
            models.CheckConstraint(
                condition=_MAYBE_AT_MACHINE
                | (_AT_MACHINE & Q(instance_id__isnull=False))
                | (~_AT_MACHINE & Q(instance_id=None)),
                name="storage_disk_at_machine",
            ),
            models.CheckConstraint(
                condition=Q(state="") | (Q(own_zone__isnull=False) & Q(own_created_at__isnull=False)),
                name="storage_disk_own_listed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["account_id", "own_created_at", "id"],
                include=[
                    "own_zone",
                    "state",
                    "name",
                    "disk_type",
                    "latest_operation",
                    "latest_operation_state",
                    "instance_id",
                ],
                condition=~Q(state__in=["", "GONE"]),
                name="storage_disk_own",
            ),
            models.Index(
                fields=["account_id", "name", "own_created_at", "id"],
                condition=~Q(state__in=["", "GONE"]),
                name="storage_disk_own_by_name",
            ),
            models.Index(fields=["snapshot_id"], condition=~Q(snapshot_id=""), name="storage_disk_of_snapshot"),
        ]

    @property
    def zone_id(self) -> str:
        """Its zone's code."""
        return self.subscription.zone_id


class SnapshotState(models.TextChoices):
    """SnapshotState of the API, and what it has no words for."""

    CREATING = "CREATING"
    FAILED = "FAILED"  # never made
    NORMAL = "NORMAL"
    ROLLBACKING = "ROLLBACKING"  # its disk gets what it holds
    TORECYCLE = "TORECYCLE"  # kept for a while, in arrears
    ERASING = "ERASING"
    GONE = "GONE"


class Snapshot(Sold):
    """A copy of a disk as it was at one instant, with an agreement of its own: it outlives disk and machine."""

    KIND = SNAPSHOT

    # Its subscription's, which never change: what an account has is listed by one index.
    zone = models.ForeignKey("catalog.Zone", models.PROTECT, db_constraint=False, db_index=False)
    created_at = models.DateTimeField()
    disk = models.ForeignKey(Disk, models.PROTECT, db_index=False)
    usage = models.CharField(max_length=12, choices=Disk.Usage.choices)
    size_gib = models.IntegerField()  # the disk's, then
    image_id = models.CharField(max_length=20, default="", blank=True)  # of a system disk: public id of what it ran
    own_image = models.CharField(max_length=20, default="", blank=True)  # and of the customer's image that it was of
    name = models.CharField(max_length=60, default="", blank=True)
    delete_at = models.DateTimeField(null=True)  # by itself; None: it is kept until somebody deletes it

    state = models.CharField(max_length=12, choices=SnapshotState.choices)

    class Meta:
        db_table = "storage_snapshot"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="storage_snapshot_public_id_once"),
            models.CheckConstraint(condition=Q(size_gib__gt=0), name="storage_snapshot_size"),
        ]
        indexes = [
            models.Index(
                fields=["account_id", "created_at", "id"],
                include=["zone", "state", "name", "usage", "disk", "size_gib"],
                condition=~Q(state="GONE"),
                name="storage_snapshot_in_order",
            ),
            models.Index(
                fields=["account_id", "name", "created_at", "id"],
                condition=~Q(state="GONE"),
                name="storage_snapshot_by_name",
            ),
            models.Index(fields=["disk"], condition=~Q(state="GONE"), name="storage_snapshot_of_disk"),
        ]
