"""What every act on disks with a life of their own begins and ends with: locks, refusals, outcome, engine."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from django.db.models import QuerySet

from vmart.engines.contract import EngineError
from vmart.engines.optional import Disks
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import errors, grow_disk, things
from vmart.orders import machines as m
from vmart.orders.acts import ending
from vmart.placement.models import Allocation
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Subscription
from vmart.worker.queue import Claimed

# Of a machine too, while it gets or loses a disk, or one of it grows.
ATTACH, DETACH, RESIZE = "AttachDisks", "DetachDisks", grow_disk.OF_DISK
# What stands of a disk that went with its machine and is not told of any more.
FORGET = "ForgetDisks"
# Also of the machine that a disk goes with, while a snapshot of it is made, or it gets what one holds.
CREATE_SNAPSHOT, APPLY_SNAPSHOT = "CreateSnapshot", "ApplySnapshot"
_CODES = {CREATE_SNAPSHOT: "ResourceUnavailable.SnapshotCreating", APPLY_SNAPSHOT: "ResourceInUse.DiskRollbacking"}
AT_ONCE_MAX = 10  # attached or detached in one act


def lock(
    account_id: int, public_ids: Sequence[str], *, most: int, with_machines: bool = False, with_erased: bool = False
) -> list[Disk]:
    """The account's disks by public id, locked, in the order asked for.

    ``with_machines``: also those that were bought with a machine that is there; ``with_erased``: also those that went
    with theirs. Raises UnknownOwnDisk for one that is not this account's, GoesWithMachine for one that was bought with
    a machine.
    """
    check_named(public_ids, most=most)
    there = locking().exclude(state=State.GONE).exclude(latest_operation=FORGET)
    found = things.lock_own(there, account_id, public_ids)
    erased = _erased(found.values()) if with_machines or with_erased else set()
    for public_id in public_ids:
        if public_id not in found or (public_id in erased and not with_erased):
            raise unknown(public_id)
        if not with_machines and public_id not in erased:
            refuse_with_machine(found[public_id])
    return [found[public_id] for public_id in public_ids]


def unknown(public_id: str) -> errors.UnknownOwnDisk:
    """Of an id that names no disk of the account."""
    return errors.UnknownOwnDisk("The disk {id} does not exist.", field="disks", id=public_id)


def check_named(public_ids: Sequence[str], *, most: int) -> None:
    """Raise MissingParameter or InvalidParameter for no disk, too many, and one that is named twice."""
    things.check_ids(
        public_ids, most=most,
        none=MissingParameter("DiskIds names no disk.", field="disks"),
        many=InvalidParameter(
            "At most {most} disks at once.", field="disks", code="InvalidParameterValue.LimitExceeded", most=most
        ),
        twice=InvalidParameter("DiskIds names a disk twice.", field="disks"),
    )  # fmt: skip


def _erased(disks: Iterable[Disk]) -> set[str]:
    """Those that went with their machine."""
    with_machine = {disk.public_id: disk.instance_id for disk in disks if disk.state == State.WITH_MACHINE}
    ended = Instance.objects.filter(
        id__in=set(with_machine.values()), state__in=[MachineState.GONE, MachineState.LAUNCH_FAILED]
    )
    gone = set(ended.values_list("id", flat=True)) if with_machine else set()
    return {name for name, machine in with_machine.items() if machine in gone}


def refuse_with_machine(disk: Disk) -> None:
    """Raise GoesWithMachine for a disk that was bought with a machine."""
    if disk.state == State.WITH_MACHINE:
        raise errors.GoesWithMachine(
            "The disk {id} was bought with its machine and goes with it.", field="disks", id=disk.public_id
        )


def locking() -> QuerySet[Disk]:
    """Disks with their subscriptions, both locked."""
    return Disk.objects.select_related("subscription").select_for_update()


def read(disk_id: int) -> Disk:
    """A disk with its subscription, as it is now."""
    return Disk.objects.select_related("subscription").get(id=disk_id)


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, done: Disk, *expect: State) -> Iterator[Disk | None]:
    """What became of an operation, which ends here: its disk, locked; None as ``acts.outcome``.

    ``done`` is the disk as the engine was told of it. Raises RuntimeError, so that the operation is tried again, where
    another machine is meant by now.
    """
    with ending(operation, owner) as ours:
        disk = locking().get(id=operation.subject_id) if ours else None
        if disk is None or disk.state not in expect:
            yield None
            return
        if disk.instance_id != done.instance_id:
            raise RuntimeError(f"{disk.public_id} is another machine's by now")
        yield disk


def refuse_busy(disks: Iterable[Disk]) -> None:
    """Raise DiskBusy when an operation on one of them is under way."""
    for disk in disks:
        if disk.latest_operation_state == "OPERATING":
            raise errors.DiskBusy(
                "The disk {id} is busy with {operation}; try again when it has ended.",
                field="disks", code=_CODES.get(disk.latest_operation), id=disk.public_id,
                operation=disk.latest_operation,
            )  # fmt: skip


def refuse_machine(machine: Instance, *allowed: MachineState) -> None:
    """Raise Busy or WrongState, with the codes of disks, for a machine that cannot get or lose one now."""
    try:
        m.refuse_busy([machine])
    except errors.Busy as busy:
        raise errors.Busy(busy.template, field=busy.field, code="ResourceBusy", **busy.params) from None
    if machine.state != MachineState.SHUTDOWN or MachineState.SHUTDOWN not in allowed:
        m.refuse_isolated([machine])
    m.refuse_state(machine, allowed, "InvalidInstance.NotSupported")


def refuse_state(disk: Disk, *allowed: State) -> None:
    """Raise DiskState, or DiskAttached for one that a machine has, unless the disk is in an allowed state."""
    if disk.state in allowed:
        return
    if disk.state == State.ATTACHED:
        raise errors.DiskAttached(
            "The disk {id} is attached to a machine; detach it first.", field="disks", id=disk.public_id
        )
    if disk.state in (State.TORECYCLE, State.ERASING):
        raise errors.DiskState("The disk {id} is in the recycle bin.", field="disks", id=disk.public_id)
    raise errors.DiskState(
        "The disk {id} is {state}; it must be {allowed}.",
        field="disks", id=disk.public_id, state=disk.state, allowed=" or ".join(allowed),
    )  # fmt: skip


def refuse_postpaid(disks: Iterable[Disk], code: str | None = None) -> None:
    """Raise NotPrepaid for a disk without a term."""
    for disk in disks:
        if not things.is_prepaid(disk):
            raise errors.NotPrepaid(
                "{id} is postpaid: nothing was paid ahead.", field="disks", code=code, id=disk.public_id
            )


def refuse_prepaid_end(disks: Iterable[Disk]) -> None:
    """Raise NotPostpaid for a disk that is paid ahead: it has a term of its own, and does not end with a machine."""
    for disk in disks:
        if things.is_prepaid(disk):
            raise errors.NotPostpaid(
                "{id} is paid ahead: it ends with its own term, not with a machine.", field="disks", id=disk.public_id
            )


def refuse_expired(disks: Iterable[Disk]) -> None:
    """Raise DiskExpired for a disk whose term is over: made busy, its expiry would be put off."""
    for disk in disks:
        if things.is_expired(disk):
            raise errors.DiskExpired("The disk {id} has expired; renew it first.", field="disks", id=disk.public_id)


def engine(zone: str) -> Disks:
    """The zone's engine, which keeps such disks. Raises EngineError where it was replaced by one that does not."""
    found = engine_of(zone)
    if not isinstance(found, Disks):
        raise EngineError("The zone keeps no disks of their own any more.", transient=False, detail=zone)
    return found


def attach_again(zone: str, machine: Instance) -> None:
    """A machine that was made anew has its disks with a life of their own again."""
    for disk in Disk.objects.filter(instance_id=machine.id, state=State.ATTACHED).order_by("position"):
        engine(zone).ensure_attached(machine.public_id, disk.public_id)


def member(disk: Disk) -> str:
    """The host on which its room is."""
    return Allocation.objects.values_list("host__name", flat=True).get(instance_id=disk.id)


def machines_having(disks: Iterable[Disk]) -> dict[int, Instance]:
    """The machines that have them, or are to get them, by number, locked in one statement."""
    having = {disk.instance_id for disk in disks if disk.instance_id}
    return {one.id: one for one in m.locking().filter(id__in=having).order_by("id")} if having else {}


def machine_of(disk: Disk) -> str:
    """The public id of the machine that has it, or is to get it."""
    return Instance.objects.values_list("public_id", flat=True).get(id=_instance_id(disk))


def is_gone(disk: Disk) -> bool:
    """Whether the machine that has it, or is to get it, is erased."""
    return Instance.objects.filter(id=_instance_id(disk), state=MachineState.GONE).exists()


def _instance_id(disk: Disk) -> int:
    assert disk.instance_id is not None
    return disk.instance_id


def succeed(disk: Disk, state: State, **columns: object) -> None:
    """The operation on it has ended well. Belongs into the act."""
    Disk.objects.filter(pk=disk.pk).update(state=state, latest_operation_state="SUCCESS", **columns)


def free_machine(disk: Disk) -> None:
    """Its machine, if no disk is coming or leaving any more, is busy with that no longer. Belongs into the act."""
    instance_id = _instance_id(disk)
    if Disk.objects.filter(instance_id=instance_id, state__in=[State.ATTACHING, State.DETACHING]).exists():
        return
    busy = Instance.objects.filter(id=instance_id, latest_operation__in=[ATTACH, DETACH, RESIZE])
    busy.filter(latest_operation_state="OPERATING").update(latest_operation_state="SUCCESS")


def agree(disk: Disk, **columns: object) -> None:
    """Write columns of its subscription."""
    Subscription.objects.filter(pk=disk.pk).update(**columns)
