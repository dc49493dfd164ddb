"""Nothing of a disk is left on the engine, its room is free again, and it is gone."""

import uuid
from collections.abc import Sequence

from vmart.kernel import db
from vmart.orders import things
from vmart.orders.acts import holding
from vmart.orders.disks import own
from vmart.orders.snapshots import policies
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Standing, Subscription
from vmart.tags import modify
from vmart.tags.things import VOLUME, Thing
from vmart.worker.queue import Claimed

KIND = "release_disk"
_ENDED = (State.TORECYCLE, State.ERASING, State.FAILED)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``release_disk``: due at the end of the bin, or at once."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state in _ENDED:
            if not _announce(disk, operation, owner):
                continue
            engine = own.engine(operation.lane)
            if disk.instance_id:
                engine.ensure_detached(own.machine_of(disk), disk.public_id)
            engine.ensure_volume_absent(disk.public_id)
        with own.outcome(operation, owner, disk, State.ERASING, State.FAILED) as erased:
            if erased:
                _gone(erased)


def _announce(disk: Disk, operation: Claimed, owner: uuid.UUID) -> bool:
    """TORECYCLE to ERASING before the engine is touched, so that no top-up brings it back meanwhile."""
    with holding(operation, owner) as ours:
        if ours:
            Disk.objects.filter(id=disk.id, state=State.TORECYCLE).update(
                state=State.ERASING, latest_operation_state="OPERATING"
            )
    return ours


def _gone(disk: Disk) -> None:
    db.call("placement_free", [disk.id])
    modify.end(disk.account_id, [Thing(VOLUME, disk.public_id)])
    policies.leave([disk])
    if disk.state == State.FAILED:
        return
    Subscription.objects.filter(pk=disk.pk, standing=Standing.ISOLATED).update(standing=Standing.ENDED)
    own.succeed(disk, State.GONE, instance_id=None, position=0)
    things.event(disk, "released")
