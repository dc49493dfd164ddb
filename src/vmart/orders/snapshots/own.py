"""What every act on snapshots begins and ends with: locks, refusals, the disk and its machine, outcome, engine."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.db.models import QuerySet

from vmart.engines.contract import EngineError, HeldDisk
from vmart.engines.optional import Snapshots
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import errors, things
from vmart.orders import machines as m
from vmart.orders.acts import ending
from vmart.orders.disks import leave
from vmart.orders.disks import own as own_disk
from vmart.placement.models import Allocation
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.worker.queue import Claimed

AT_ONCE_MAX = 100
CREATE, APPLY = own_disk.CREATE_SNAPSHOT, own_disk.APPLY_SNAPSHOT
NOT_THERE = (SnapshotState.FAILED, SnapshotState.ERASING, SnapshotState.GONE)
_CODES = {
    SnapshotState.CREATING: "ResourceUnavailable.SnapshotCreating",
    SnapshotState.ROLLBACKING: "ResourceInUse.DiskRollbacking",
}


def lock(account_id: int, public_ids: Sequence[str], *, most: int = 1) -> list[Snapshot]:
    """The account's snapshots by public id, locked, in the order asked for. Raises UnknownSnapshot."""
    things.check_ids(
        public_ids, most=most,
        none=MissingParameter("SnapshotIds names no snapshot.", field="snapshots"),
        many=InvalidParameter(
            "At most {most} snapshots at once.",
            field="snapshots", code="InvalidParameterValue.LimitExceeded", most=most,
        ),
        twice=InvalidParameter("SnapshotIds names a snapshot twice.", field="snapshots"),
    )  # fmt: skip
    return things.lock_named(locking().exclude(state__in=NOT_THERE), account_id, public_ids, unknown)


def locking() -> QuerySet[Snapshot]:
    """Snapshots with their subscriptions, both locked."""
    return Snapshot.objects.select_related("subscription").select_for_update()


def read(snapshot_id: int) -> Snapshot:
    """A snapshot with its subscription, as it is now."""
    return Snapshot.objects.select_related("subscription").get(id=snapshot_id)


def disk_of(account_id: int, public_id: str) -> Disk:
    """Any disk of the account that is there, locked. Raises UnknownOwnDisk."""
    return own_disk.lock(account_id, [public_id], most=1, with_machines=True)[0]


def machine_of(disk: Disk) -> Instance | None:
    """The machine that the disk goes with, locked; None of a disk with a life of its own, wherever it is."""
    return m.locked(disk.instance_id) if disk.state == DiskState.WITH_MACHINE and disk.instance_id else None


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, *expect: SnapshotState) -> Iterator[Snapshot | None]:
    """What became of an operation, which ends here: its snapshot, locked; None as ``acts.outcome``."""
    with ending(operation, owner) as ours:
        snapshot = locking().get(id=operation.subject_id) if ours else None
        yield snapshot if snapshot and snapshot.state in expect else None


def refuse_busy(snapshots: Iterable[Snapshot]) -> None:
    """Raise SnapshotBusy when an operation on one of them is under way."""
    for snapshot in snapshots:
        if snapshot.latest_operation_state == "OPERATING":
            raise errors.SnapshotBusy(
                "The snapshot {id} is busy with {operation}; try again when it has ended.",
                field="snapshots", code=_CODES.get(SnapshotState(snapshot.state)), id=snapshot.public_id,
                operation=snapshot.latest_operation,
            )  # fmt: skip


def refuse_not_normal(snapshot: Snapshot) -> None:
    """Raise SnapshotBusy or SnapshotWrongState for one that cannot be used now."""
    refuse_busy([snapshot])
    if snapshot.state == SnapshotState.TORECYCLE:
        raise errors.SnapshotWrongState(
            "The snapshot {id} is kept for arrears; top up to zero or more.", field="snapshots", id=snapshot.public_id
        )
    refuse_not_there(snapshot)


def refuse_not_there(snapshot: Snapshot) -> None:
    """Raise UnknownSnapshot for one that was never made, or is deleted."""
    if snapshot.state in NOT_THERE:
        raise unknown(snapshot.public_id)


def unknown(public_id: str) -> errors.UnknownSnapshot:
    """None of the account's has this id."""
    return errors.UnknownSnapshot("The snapshot {id} does not exist.", field="snapshots", id=public_id or "(empty)")


def refuse_system(snapshot: Snapshot) -> None:
    """Raise NotOfDataDisk for a snapshot of a system disk."""
    if snapshot.usage == Disk.Usage.SYSTEM:
        raise errors.NotOfDataDisk(
            "The snapshot {id} is of a system disk, and no data disk is made of it.",
            field="disk.snapshot_id", id=snapshot.public_id,
        )  # fmt: skip


def refuse_disk(disk: Disk, machine: Instance | None, *allowed: DiskState) -> None:
    """Raise DiskBusy, DiskExpired, DiskState or DiskAttached for a disk in another state; of its machine Busy,
    WrongState.
    """
    if machine is None:
        own_disk.refuse_busy([disk])
        own_disk.refuse_expired([disk])  # whoever kept it busy would put its end off
        own_disk.refuse_state(disk, *allowed)
    else:
        refuse_machine(machine)


def refuse_machine(machine: Instance) -> None:
    """Raise Busy or WrongState for a machine with whose disks nothing can be done now."""
    own_disk.refuse_machine(machine, MachineState.RUNNING, MachineState.STOPPED)


def begin_disk(disk: Disk, machine: Instance | None, act: str, request_id: str) -> None:
    """The disk is busy with the act, or the machine that it goes with. Belongs into the act."""
    things.begin(machine or disk, act, request_id)


def busy_with(disk: Disk, act: str) -> Disk | Instance | None:
    """Disk or machine that is busy with the act still, locked; None where it was ended meanwhile."""
    holder = machine_of(disk) or disk
    return holder if things.is_under_way(holder, act) else None


def is_busy_with(disk: Disk, act: str) -> bool:
    """Whether the machine that the disk goes with is busy with the act still; asked without a lock."""
    return things.is_under_way(Instance.objects.get(pk=disk.instance_id or 0), act)


def free_disk(disk: Disk, act: str) -> None:
    """Disk or machine is busy with the act no longer. Belongs into the act.

    A disk whose machine was erased meanwhile leaves that here.
    """
    holder = busy_with(disk, act)
    if holder is None:
        return
    type(holder).objects.filter(pk=holder.pk).update(latest_operation_state="SUCCESS")
    _leave_erased(disk)


def fail_disk(disk: Disk, act: str, what: str, error: Exception) -> None:
    """The same, where the act failed."""
    holder = busy_with(disk, act)
    if holder is not None:
        things.fail(holder, what, error)
        _leave_erased(disk)


def _leave_erased(disk: Disk) -> None:
    if disk.state == DiskState.ATTACHED and own_disk.is_gone(disk):
        leave.part([own_disk.locking().get(pk=disk.pk)])


def held(disk: Disk) -> HeldDisk:
    """The disk as its engine is told of it."""
    with_machine = disk.state == DiskState.WITH_MACHINE
    holder = disk.instance_id if with_machine and disk.instance_id else disk.id
    host = Allocation.objects.values_list("host__name", flat=True).get(instance_id=holder)
    return HeldDisk(
        disk.public_id, disk.size_gib, host, own_disk.machine_of(disk) if with_machine else "",
        disk.usage == Disk.Usage.SYSTEM,
    )  # fmt: skip


def engine(zone: str) -> Snapshots:
    """The zone's engine, which keeps snapshots. Raises EngineError where it was replaced by one that does not."""
    found = engine_of(zone)
    if not isinstance(found, Snapshots):
        raise EngineError("The zone keeps no snapshots any more.", transient=False, detail=zone)
    return found


def succeed(snapshot: Snapshot, state: SnapshotState) -> None:
    """The operation on it has ended well. Belongs into the act."""
    Snapshot.objects.filter(pk=snapshot.pk).update(state=state, latest_operation_state="SUCCESS")
