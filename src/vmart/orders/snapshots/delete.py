"""A snapshot is deleted: charged no more from the request on; its room is free once nothing is left on the engine.

Also the end of one that arrears have kept for too long.
"""

import uuid
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import clock, db
from vmart.orders import errors, hourly, things
from vmart.orders.acts import holding
from vmart.orders.images import leave
from vmart.orders.models import EngineDrift
from vmart.orders.snapshots import ends, own
from vmart.storage.images import STANDING, OwnImage
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.subscriptions.models import Source, Standing, Subscription
from vmart.tags import modify
from vmart.tags import things as tagged
from vmart.worker.queue import Claimed

KIND, ACT = "release_snapshot", "DeleteSnapshots"
_ENDED = (SnapshotState.ERASING, SnapshotState.FAILED)


def delete(actor: Actor, snapshot_ids: Sequence[str]) -> None:
    """Accept it, all or none, by itself or as a part of the act that is open. What was made of them stays.

    Raises UnknownSnapshot, SnapshotBusy, SnapshotInUse, ImageStandsOnIt.
    """
    with db.part_of_act():
        snapshots = own.lock(actor.account, snapshot_ids, most=own.AT_ONCE_MAX)
        refuse(snapshots)
        refuse_used(snapshots)
        things.events(snapshots, ACT, actor=actor)
        accepted = db.call("metering_instant", clock.now())
        things.end_usage(snapshots, accepted)
        hourly.hold_what_was_used(snapshots, accepted)
        things.begin_all(snapshots, ACT, actor.request_id, state=SnapshotState.ERASING)
        charged = [snapshot for snapshot in snapshots if snapshot.subscription.isolated_at is None]
        things.isolate_all(charged, Source.MANMADE, accepted, accepted)
        things.forget_work(KIND, snapshots)
        things.send_all(snapshots, KIND)


def refuse(snapshots: Sequence[Snapshot]) -> None:
    """What is refused of snapshots as they stand."""
    own.refuse_busy(snapshots)
    for snapshot in snapshots:
        own.refuse_not_there(snapshot)


def refuse_used(snapshots: Sequence[Snapshot]) -> None:
    """Raise SnapshotInUse for one of which a disk is being made, ImageStandsOnIt for one with an image."""
    for image in OwnImage.objects.filter(snapshot__in=snapshots, state__in=STANDING)[:1]:
        raise errors.ImageStandsOnIt(
            "The image {image} stands on the snapshot {id}; delete it first.",
            field="snapshots", image=image.public_id, id=next(
                snapshot.public_id for snapshot in snapshots if snapshot.pk == image.snapshot_id
            ),
        )  # fmt: skip
    using = _being_made(snapshots)
    if using is not None:
        raise errors.SnapshotInUse(
            "The disk {disk} is being made of the snapshot {id}; try again when it is there.",
            field="snapshots", disk=using.public_id, id=using.snapshot_id,
        )  # fmt: skip


def _being_made(snapshots: Sequence[Snapshot]) -> Disk | None:
    """A disk of one of them that is not there yet, by itself or with its machine."""
    there = Disk.objects.filter(snapshot_id__in=[one.public_id for one in snapshots]).exclude(snapshot_id="")
    lost = EngineDrift.objects.filter(kind=EngineDrift.Kind.LOST).values("name")
    again = Q(state=MachineState.STARTING, public_id__in=lost)  # delivered again
    pending = Instance.objects.filter(Q(state=MachineState.PENDING) | again, pk=OuterRef("instance_id"))
    with_machine = Q(state=DiskState.WITH_MACHINE) & Exists(pending)
    return there.filter(Q(state=DiskState.CREATING) | with_machine).order_by("id").first()


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``release_snapshot``: due at once, or when arrears have lasted too long."""
    for operation in batch:
        if not _announce(operation, owner):
            continue
        snapshot = own.read(operation.subject_id)
        if snapshot.state in _ENDED:
            own.engine(operation.lane).ensure_snapshot_absent(snapshot.public_id)
        with own.outcome(operation, owner, *_ENDED) as ended:
            if ended:
                _gone(ended)


def _announce(operation: Claimed, owner: uuid.UUID) -> bool:
    """TORECYCLE to ERASING before the engine is touched, so that no top-up brings it back meanwhile."""
    with holding(operation, owner) as ours:
        ended = Snapshot.objects.filter(id=operation.subject_id, state=SnapshotState.TORECYCLE)
        if ours and ended.update(state=SnapshotState.ERASING, latest_operation=ACT, latest_operation_state="OPERATING"):
            leave.images_of(operation.subject_id)
    return ours


def _gone(snapshot: Snapshot) -> None:
    db.call("placement_free", [snapshot.id])
    modify.end(snapshot.account_id, [tagged.Thing(tagged.SNAPSHOT, snapshot.public_id)])
    things.forget_work(ends.KIND, [snapshot])  # its end by itself may be ten years away
    if snapshot.state == SnapshotState.FAILED:
        return
    Subscription.objects.filter(pk=snapshot.pk, standing=Standing.ISOLATED).update(standing=Standing.ENDED)
    own.succeed(snapshot, SnapshotState.GONE)
    things.event(snapshot, "released")
