"""What comes up by itself of snapshots: a policy is due, a snapshot of each of its disks, and the end of each of those.

Each snapshot is an operation of its own, so that what one disk lacks stops no other. A policy's timer moves on from the
instant that is due to the next one after now: a shop that stood still makes one snapshot for all that it missed.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext_noop

from vmart.events import record
from vmart.events.actor import timer
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.orders import errors, things
from vmart.orders import machines as m
from vmart.orders.acts import ending
from vmart.orders.disks import own as own_disk
from vmart.orders.snapshots import create, delete, ends, own, policies
from vmart.orders.snapshots.create import NewSnapshot
from vmart.storage.images import ImageState, OwnImage
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.policies import PolicyDisk, ScheduledSnapshot, SnapshotPolicy
from vmart.worker import queue
from vmart.worker.queue import Claimed

MAKE_KIND, END_KIND = policies.MAKE_KIND, ends.KIND
SKIPPED, STAYS = "snapshot_skipped", "snapshot_stays"
_WAIT_S = 1.0
UNUSED = gettext_noop("The disk {id} is not used: it is at no machine, or its machine is off.")


def due(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``snapshot_policy``: each of its disks gets its own operation, the policy its next timer."""
    for operation in batch:
        with ending(operation, owner) as ours:
            policy = SnapshotPolicy.objects.filter(pk=operation.subject_id, active=True).first() if ours else None
            if policy:
                policies.send(policy, operation.due_at)
                policies.follow(policy)


def make(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``scheduled_snapshot`` of a disk; waits for a snapshot that is being made of its machine's disks."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            disk = own_disk.locking().get(id=operation.subject_id)
            waits = things.is_under_way(own.machine_of(disk) or disk, create.ACT)
            if not waits and queue.finish(owner, operation):
                _make(disk, operation)
        if waits:
            queue.put_off(owner, [operation], _WAIT_S, "another snapshot is being made", waiting=True)


def _make(disk: Disk, operation: Claimed) -> None:
    """Unless its owner has it otherwise by now, or it was made for this instant before."""
    bound = PolicyDisk.objects.select_related("policy").filter(disk=disk, policy=operation.payload["policy"]).first()
    if bound is None or not bound.policy.active:
        return
    if ScheduledSnapshot.objects.filter(disk=disk, due_at=operation.due_at).exists():
        return
    skipped = None
    try:
        with transaction.atomic():
            _order(disk, bound.policy, operation.due_at)
    except Refused as why:
        skipped = record.reason(why)
        things.event(disk, SKIPPED, policy=bound.policy.public_id, **skipped)
        if isinstance(why, errors.UnknownOwnDisk):
            bound.delete()
            return
    PolicyDisk.objects.filter(pk=bound.pk).update(last_due_at=operation.due_at, skipped=skipped)


def _order(disk: Disk, policy: SnapshotPolicy, due_at: dt.datetime) -> None:
    """By the same act as by hand."""
    own.disk_of(disk.account_id, disk.public_id)
    _refuse_unused(disk)
    public_id = create.create(timer(disk.account_id), NewSnapshot(disk.public_id, policy.name))
    snapshot = Snapshot.objects.get(public_id=public_id)
    ScheduledSnapshot.objects.create(snapshot=snapshot, disk=disk, due_at=due_at, policy=policy.public_id)
    if policy.retention_days != policies.FOR_GOOD:
        ends.decide(snapshot, snapshot.created_at + dt.timedelta(days=policy.retention_days))


def _refuse_unused(disk: Disk) -> None:
    """Raise DiskState for a disk on which nothing is written: as published, none is made of it."""
    create.refuse(disk, own.machine_of(disk))
    if disk.instance_id is None or m.read(disk.instance_id).state != MachineState.RUNNING:
        raise errors.DiskState(UNUSED, field="disks", id=disk.public_id)


def end(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``snapshot_retention``: deleted by the same act as by hand, when nothing is made of it just now."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            waits = queue.holds(owner, operation) and not _ended(own.locking().get(id=operation.subject_id))
            if not waits:
                queue.finish(owner, operation)
        if waits:
            queue.put_off(owner, [operation], _WAIT_S, "an operation on the snapshot is under way", waiting=True)


def _ended(snapshot: Snapshot) -> bool:
    """False where it has to wait. One on which an image stands is kept from now on."""
    if snapshot.state in (SnapshotState.CREATING, SnapshotState.ROLLBACKING):
        return False
    if OwnImage.objects.filter(snapshot=snapshot, state=ImageState.CREATING).exists():
        return False  # it may fail, and then keeps nothing
    try:
        with transaction.atomic():
            delete.delete(timer(snapshot.account_id), [snapshot.public_id])
    except errors.UnknownSnapshot:
        pass  # deleted by hand, or never made
    except errors.SnapshotInUse:
        return False
    except errors.ImageStandsOnIt as why:
        Snapshot.objects.filter(pk=snapshot.pk).update(delete_at=None)
        things.event(snapshot, STAYS, **record.reason(why))
    return True
