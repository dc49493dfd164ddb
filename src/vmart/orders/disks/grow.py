"""A disk with a life of its own is made larger, at a machine or not; the rule is that of any disk (``grow_disk``).

An hour of the larger one is set aside from the request on; its size is charged from the second in which it is there.
"""

import uuid
from collections.abc import Sequence
from decimal import Decimal

from vmart.engines.contract import turns_off_to_grow_a_disk
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.orders import errors, grow_disk, hourly, things
from vmart.orders import machines as m
from vmart.orders.disks import leave, own
from vmart.orders.grow_disk import Reckoned
from vmart.storage.models import Disk, State
from vmart.worker.queue import Claimed

KIND, ACT = "resize_disk", own.RESIZE
AT_ONCE_MAX = 50  # priced together
_HAS_SIZE = (State.UNATTACHED, State.ATTACHED)
_PATH = "disk."


def reckon(account_id: int, disk_ids: Sequence[str], size_gib: int) -> list[Reckoned]:
    """What ``grow`` would do to each now; writes nothing. Raises what it raises, but for balance and room."""
    with db.act():
        disks = own.lock(account_id, disk_ids, most=AT_ONCE_MAX)
        machines = own.machines_having(disks)
        for disk in disks:
            _check(disk, machines.get(disk.instance_id or 0), size_gib)
        return [Reckoned(_hours(disk, size_gib), _hour(disk, size_gib)) for disk in disks]


def grow(actor: Actor, disk_id: str, size_gib: int) -> None:
    """Accept a larger disk.

    Raises UnknownOwnDisk, GoesWithMachine, DiskBusy, DiskState, OutOfRange, DiskSoldOut, InsufficientBalance,
    InArrears, MachineRuns, and of a machine that has it Busy and WrongState.
    """
    with db.act():
        (disk,) = own.lock(actor.account, [disk_id], most=1)
        machine = own.machines_having([disk]).get(disk.instance_id or 0)
        _check(disk, machine, size_gib)
        m.refuse_in_arrears([disk])
        hourly.set_aside(disk, _hours(disk, size_gib), f"{size_gib} GiB")
        grow_disk.take_room(disk, disk, size_gib, _PATH, "ResourceInsufficient")
        things.events([disk], ACT, actor=actor)
        things.begin(disk, ACT, actor.request_id)
        if machine:
            m.begin(machine, ACT, actor.request_id)
        things.send(disk, KIND, size_gib=size_gib)


def refuse(disk: Disk, machine: Instance | None) -> None:
    """What is refused of a disk and the machine that has it as they stand."""
    own.refuse_busy([disk])
    own.refuse_state(disk, *_HAS_SIZE)
    if machine:
        own.refuse_machine(machine, MachineState.RUNNING, MachineState.STOPPED)
        refuse_on(disk, machine)


def refuse_on(disk: Disk, machine: Instance) -> None:
    """Raise MachineRuns where the machine would have to be turned off: an act on a disk does not do that."""
    if machine.state == MachineState.RUNNING and turns_off_to_grow_a_disk(machine.kind):
        raise errors.MachineRuns(
            "{machine} is running and sees the size of {id} at its start: stop it, or detach the disk, first.",
            field="disks", machine=machine.public_id, id=disk.public_id,
        )  # fmt: skip


def _check(disk: Disk, machine: Instance | None, size_gib: int) -> None:
    refuse(disk, machine)
    grow_disk.check_size(disk, size_gib, _PATH, "InvalidParameterValue")


def _hours(disk: Disk, size_gib: int) -> hourly.Hours:
    return hourly.reckoned([disk], [hourly.more(grow_disk.at_size(disk, size_gib))])[0]


def _hour(disk: Disk, size_gib: int) -> Decimal:
    return hourly.hour_of(grow_disk.at_size(disk, size_gib).term)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``resize_disk``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        disk, size_gib = own.read(operation.subject_id), int(operation.payload["size_gib"])
        if things.is_under_way(disk, ACT):
            own.engine(operation.lane).ensure_volume(disk.public_id, size_gib, own.member(disk))
        with own.outcome(operation, owner, disk, *_HAS_SIZE) as grown:
            if grown and things.is_under_way(grown, ACT):
                _in_force(grown, size_gib)


def _in_force(disk: Disk, size_gib: int) -> None:
    """It has its size: from this second on that is what it pays for. Belongs into the act."""
    Disk.objects.filter(pk=disk.pk).update(size_gib=size_gib)
    hourly.in_force(disk, grow_disk.at_size(disk, size_gib))
    own.succeed(disk, State(disk.state))
    things.event(disk, "disk_grown", old=disk.size_gib, new=size_gib)
    _free_machine(disk)


def _free_machine(disk: Disk) -> None:
    """The machine that has it is busy with that no longer; one that is erased meanwhile has it no more."""
    if disk.instance_id and own.is_gone(disk):
        leave.part([disk])
    elif disk.instance_id:
        own.free_machine(disk)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It is paid for as before. One whose answer was lost may have made it larger: no data is risked for that."""
    for operation in batch:
        with own.outcome(operation, owner, own.read(operation.subject_id), *_HAS_SIZE) as failed:
            if failed and things.is_under_way(failed, ACT):
                grow_disk.give_room_back(failed, failed, int(operation.payload["size_gib"]))
                hourly.hold_what_it_asks(failed)
                things.fail(failed, grow_disk.FAILED, error)
                _free_machine(failed)
