"""Disks that are bought with what a snapshot holds, by themselves or with a machine."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from vmart.engines.contract import EngineError, HeldDisk, MachineSpec
from vmart.engines.optional import Snapshots
from vmart.kernel.errors import Refused
from vmart.kernel.text import sayable
from vmart.orders import errors
from vmart.orders.snapshots import own
from vmart.pricing.configuration import Configuration
from vmart.pricing.errors import OutOfRange
from vmart.storage.models import Disk, Snapshot, State

# A disk of a snapshot holds it from its first moment on.
_FIRST = 1
# What is named of a disk that is bought by itself, in the words of a machine's data disk.
_OF_DATA_DISK = {
    "snapshots": "data_disks.{number}.snapshot_id", "disk.snapshot_id": "data_disks.{number}.snapshot_id",
    "disk.size_gib": "data_disks.{number}.size_gib", "zone": "zone",
}  # fmt: skip


def wanted(account_id: int, snapshot_id: str, zone: str, size_gib: int) -> Snapshot | None:
    """The snapshot that new disks are to hold, locked; None for "". It is not deleted before they are there.

    Raises UnknownSnapshot, SnapshotBusy, SnapshotWrongState, NotOfDataDisk, OtherZone, OutOfRange.
    """
    if not snapshot_id:
        return None
    (snapshot,) = own.lock(account_id, [snapshot_id])
    _refuse(snapshot, zone, size_gib)
    return snapshot


def check(account_id: int, configuration: Configuration) -> None:
    """The same of the data disks of machines to buy, without a lock. Raises what ``wanted`` raises."""
    chosen = [(number, disk) for number, disk in enumerate(configuration.data_disks) if disk.snapshot_id]
    if not chosen:
        return
    named = sayable([disk.snapshot_id for _, disk in chosen])
    there = Snapshot.objects.filter(account_id=account_id, public_id__in=named).exclude(state__in=own.NOT_THERE)
    found = {one.public_id: one for one in there}
    for number, disk in chosen:
        with _in_words_of_data_disk(number):
            if disk.snapshot_id not in found:
                raise own.unknown(disk.snapshot_id)
            _refuse(found[disk.snapshot_id], configuration.zone, disk.size_gib)


@contextmanager
def _in_words_of_data_disk(number: int) -> Iterator[None]:
    try:
        yield
    except Refused as why:
        field = _OF_DATA_DISK[why.field or ""].format(number=number)
        raise type(why)(why.template, field=field, code=why.code, **why.params) from None


def _refuse(snapshot: Snapshot, zone: str, size_gib: int) -> None:
    own.refuse_not_normal(snapshot)
    own.refuse_system(snapshot)
    _refuse_elsewhere(snapshot, zone)
    if size_gib < snapshot.size_gib:
        raise OutOfRange(
            "A disk of the snapshot {id} has at least {least} GiB.",
            field="disk.size_gib", code="InvalidParameterValue", id=snapshot.public_id, least=snapshot.size_gib,
        )  # fmt: skip


def _refuse_elsewhere(snapshot: Snapshot, zone: str) -> None:
    """It lies in its zone, on its engine."""
    if snapshot.zone_id != zone:
        raise errors.OtherZone(
            "The snapshot {id} is in {zone}, and the disk is to be in {other}.",
            field="zone", id=snapshot.public_id, zone=snapshot.zone_id, other=zone,
        )  # fmt: skip


def columns(snapshot: Snapshot | None) -> dict[str, str | int]:
    """What the row of a new disk says of it; those of machines are written by their purchase."""
    return {"snapshot_id": snapshot.public_id, "restorations": _FIRST} if snapshot else {}


def make(disk: Disk, zone: str) -> None:
    """Have the engine make it."""
    own.engine(zone).ensure_volume_restored(own.held(disk), disk.snapshot_id, disk.restorations)


def make_with(zone: str, machines: Sequence[tuple[int, MachineSpec]]) -> dict[int, EngineError]:
    """The same of the data disks of machines (their ids, what they are to be) that are about to be made; what the
    engine refused, by machine.
    """
    specs = {number: spec for number, spec in machines if spec.data_disks}
    failed: dict[int, EngineError] = {}
    for disk in bought_with(specs):
        number = disk.instance_id or 0
        try:
            if number not in failed:
                fill(own.engine(zone), disk, specs[number])
        except EngineError as error:
            failed[number] = error
    return failed


def bought_with(machines: Collection[int]) -> Sequence[Disk]:
    """Data disks that go with these machines and were bought with what a snapshot holds."""
    if not machines:
        return ()
    disks = Disk.objects.filter(instance_id__in=machines, state=State.WITH_MACHINE)
    return list(disks.exclude(snapshot_id="").order_by("id"))


def fill(engine: Snapshots, disk: Disk, spec: MachineSpec) -> None:
    """It holds what it was bought with. One that ever held it stays: nothing is erased that a guest wrote since."""
    held = HeldDisk(disk.public_id, disk.size_gib, spec.member, spec.name)
    engine.ensure_volume_restored(held, disk.snapshot_id, _FIRST)
