"""Disks that are bought with what a snapshot holds."""

from vmart.orders import errors
from vmart.orders.snapshots import own
from vmart.pricing.errors import OutOfRange
from vmart.storage.models import Disk, Snapshot

# A disk of a snapshot holds it from its first moment on.
_FIRST = 1


def wanted(account_id: int, snapshot_id: str, zone: str, size_gib: int) -> Snapshot | None:
    """The snapshot that new disks are to hold, locked; None for "". It is not deleted before they are there.

    Raises UnknownSnapshot, SnapshotBusy, SnapshotWrongState, NotOfDataDisk, OtherZone, OutOfRange.
    """
    if not snapshot_id:
        return None
    (snapshot,) = own.lock(account_id, [snapshot_id])
    own.refuse_not_normal(snapshot)
    own.refuse_system(snapshot)
    _refuse_elsewhere(snapshot, zone)
    if size_gib < snapshot.size_gib:
        raise OutOfRange(
            "A disk of the snapshot {id} has at least {least} GiB.",
            field="disk.size_gib", code="InvalidParameterValue", id=snapshot.public_id, least=snapshot.size_gib,
        )  # fmt: skip
    return snapshot


def _refuse_elsewhere(snapshot: Snapshot, zone: str) -> None:
    """It lies in its zone, on its engine."""
    if snapshot.zone_id != zone:
        raise errors.OtherZone(
            "The snapshot {id} is in {zone}, and the disk is to be in {other}.",
            field="zone", id=snapshot.public_id, zone=snapshot.zone_id, other=zone,
        )  # fmt: skip


def columns(snapshot: Snapshot | None) -> dict[str, int]:
    """What the row of a new disk says of it."""
    return {"made_of": snapshot.id, "restorations": _FIRST} if snapshot else {}


def make(disk: Disk, zone: str) -> None:
    """Have the engine make it."""
    snapshot = own.read(disk.made_of or 0)
    own.engine(zone).ensure_volume_restored(own.held(disk), snapshot.public_id, disk.restorations)
