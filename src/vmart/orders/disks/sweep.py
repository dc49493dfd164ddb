"""What the engine has of disks with a life of their own, against what was sold: the sweep's part of them."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from vmart.engines.contract import Engine, EngineError, Volume
from vmart.engines.optional import Disks
from vmart.kernel import db
from vmart.storage.models import Disk, State

log = logging.getLogger(__name__)

_SOLD = """
SELECT d.public_id, h.name AS member, coalesce(i.public_id, '') AS machine,
  d.latest_operation_state = 'OPERATING' OR a.left_host_id IS NOT NULL AS busy
FROM storage_disk d JOIN subscriptions_subscription b ON b.id = d.id
JOIN placement_allocation a ON a.instance_id = d.id JOIN placement_host h ON h.id = a.host_id
LEFT JOIN instances_instance i ON i.id = d.instance_id
WHERE b.zone_id = %s AND d.state NOT IN ('', 'GONE', 'FAILED')
"""


@dataclass(frozen=True, slots=True)
class Found:
    """One difference: ``kind`` is orphan, unknown, elsewhere, missing, moved or attachment."""

    kind: str
    name: str
    repaired: bool


def sweep(zone: str, engine: Engine) -> Iterator[Found]:
    """Removes what has ended, attaches and detaches as the rows say; what is missing or moved is told."""
    if not isinstance(engine, Disks):
        return
    seen = {volume.name: volume for volume in engine.list_volumes()}
    sold = {row["public_id"]: row for row in db.rows(_SOLD, zone)}
    for name in sorted(seen.keys() - sold.keys()):
        yield from _stranger(engine, seen[name])
    for name, row in sorted(sold.items()):
        if row["busy"]:
            continue
        volume = seen.get(name)
        if volume is None:
            yield Found("missing", name, repaired=False)
        elif volume.member != row["member"]:
            yield Found("moved", name, repaired=False)
        elif volume.machine != row["machine"]:
            yield from _attach_as_sold(engine, volume, row["machine"])


def _stranger(engine: Disks, volume: Volume) -> Iterator[Found]:
    """Only what is known to have ended is removed: after a restored backup another may be somebody's."""
    state = Disk.objects.filter(public_id=volume.name).values_list("state", flat=True).first()
    if state not in (State.GONE, State.FAILED):
        yield Found("unknown" if state is None else "elsewhere", volume.name, repaired=False)
        return
    try:
        if volume.machine:
            engine.ensure_detached(volume.machine, volume.name)
        engine.ensure_volume_absent(volume.name)
    except EngineError as error:
        log.warning("%s has ended and its engine does not remove it: %s", volume.name, error)
        return
    yield Found("orphan", volume.name, repaired=True)


def _attach_as_sold(engine: Disks, volume: Volume, machine: str) -> Iterator[Found]:
    """What an act does meanwhile is mended by the next sweep."""
    try:
        if volume.machine:
            engine.ensure_detached(volume.machine, volume.name)
        if machine:
            engine.ensure_attached(machine, volume.name)
    except EngineError as error:
        log.warning("%s is not attached as it was sold, and its engine does not change it: %s", volume.name, error)
        return
    yield Found("attachment", volume.name, repaired=True)
