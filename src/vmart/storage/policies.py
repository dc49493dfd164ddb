"""By which rules snapshots are made by themselves, of which disks, and which snapshots were made so."""

from collections.abc import Iterable

from django.db import models
from django.db.models import Q


def bits(numbers: Iterable[int]) -> int:
    """Hours or days as one number, a bit each."""
    return sum(1 << number for number in set(numbers))


def numbers(held: int) -> list[int]:
    """The hours or days again, in order."""
    return [number for number in range(held.bit_length()) if held >> number & 1]


class SnapshotPolicy(models.Model):
    """An account's rule: at which full hours of which days, in the billing zone, and for how long one is kept."""

    id: int
    public_id = models.CharField(max_length=20, unique=True)  # "asp-4k2j0qzt"
    account_id = models.BigIntegerField()
    region = models.ForeignKey("catalog.Region", models.PROTECT, db_index=False)
    name = models.CharField(max_length=60)
    active = models.BooleanField()
    hours = models.IntegerField()  # a bit each: 0 to 23
    weekdays = models.IntegerField()  # a bit each: 0 is Sunday, as published, 6 Saturday
    retention_days = models.IntegerField()  # 0: for good
    created_at = models.DateTimeField()

    class Meta:
        db_table = "storage_snapshot_policy"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="storage_snapshot_policy_name"),
            models.CheckConstraint(condition=Q(hours__gte=1) & Q(hours__lt=1 << 24), name="storage_snapshot_hours"),
            models.CheckConstraint(condition=Q(weekdays__gte=1) & Q(weekdays__lt=1 << 7), name="storage_snapshot_days"),
            models.CheckConstraint(condition=Q(retention_days__gte=0), name="storage_snapshot_retention"),
        ]
        indexes = [models.Index(fields=["account_id", "-id"], name="storage_policy_of_account")]


class PolicyDisk(models.Model):
    """A disk of which a policy makes snapshots: of each disk one policy at most."""

    disk = models.OneToOneField("storage.Disk", models.PROTECT, primary_key=True, related_name="+")
    policy = models.ForeignKey(SnapshotPolicy, models.CASCADE)
    last_due_at = models.DateTimeField(null=True)  # for which a snapshot was last made or left out; None: not yet
    skipped = models.JSONField(null=True)  # why none was made then, as ``events.record.reason``; None: one was

    class Meta:
        db_table = "storage_snapshot_policy_disk"


class ScheduledSnapshot(models.Model):
    """A snapshot that a policy had made: of a disk and an instant there is one."""

    snapshot = models.OneToOneField("storage.Snapshot", models.PROTECT, primary_key=True, related_name="scheduled")
    disk = models.ForeignKey("storage.Disk", models.PROTECT, db_index=False, related_name="+")
    due_at = models.DateTimeField()  # when it was to be made
    policy = models.CharField(max_length=20)  # public id; the policy may be deleted since

    class Meta:
        db_table = "storage_snapshot_scheduled"
        constraints = [models.UniqueConstraint(fields=["disk", "due_at"], name="storage_snapshot_scheduled_once")]
