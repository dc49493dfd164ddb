"""What the engine has of snapshots, against what was sold: the sweep's part of them."""

import logging
from collections.abc import Iterator

from vmart.engines.contract import Engine, EngineError
from vmart.engines.optional import Snapshots
from vmart.kernel import db
from vmart.orders.disks.sweep import Found
from vmart.storage.models import Snapshot, SnapshotState

log = logging.getLogger(__name__)

_SOLD = """
SELECT n.public_id, h.name AS member, n.latest_operation_state = 'OPERATING' AS busy
FROM storage_snapshot n JOIN subscriptions_subscription b ON b.id = n.id
JOIN placement_allocation a ON a.instance_id = n.id JOIN placement_host h ON h.id = a.host_id
WHERE b.zone_id = %s AND n.state NOT IN ('GONE', 'FAILED')
"""


def sweep(zone: str, engine: Engine) -> Iterator[Found]:
    """Removes what has ended; what is missing or on another host is told."""
    if not isinstance(engine, Snapshots):
        return
    seen = {snapshot.name: snapshot for snapshot in engine.list_snapshots()}
    sold = {row["public_id"]: row for row in db.rows(_SOLD, zone)}
    for name in sorted(seen.keys() - sold.keys()):
        yield from _stranger(engine, name)
    for name, row in sorted(sold.items()):
        if row["busy"]:
            continue
        if name not in seen:
            yield Found("missing", name, repaired=False)
        elif seen[name].member != row["member"]:
            yield Found("moved", name, repaired=False)


def _stranger(engine: Snapshots, name: str) -> Iterator[Found]:
    """Only what is known to have ended is removed: after a restored backup another may be somebody's."""
    state = Snapshot.objects.filter(public_id=name).values_list("state", flat=True).first()
    if state not in (SnapshotState.GONE, SnapshotState.FAILED):
        yield Found("unknown" if state is None else "elsewhere", name, repaired=False)
        return
    try:
        engine.ensure_snapshot_absent(name)
    except EngineError as error:
        log.warning("%s has ended and its engine does not remove it: %s", name, error)
        return
    yield Found("orphan", name, repaired=True)
