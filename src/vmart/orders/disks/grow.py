"""A disk with a life of its own is made larger, at a machine or not; the rule is that of any disk (``grow_disk``).

By the hour: an hour of the larger one is set aside from the request on; its size is charged from the second in which it
is there. Paid ahead: more of it is ordered for the rest of its term (``in_term``).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.engines.contract import turns_off_to_grow_a_disk
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.orders import changes, errors, grow_disk, hourly, in_term, paid, things
from vmart.orders import machines as m
from vmart.orders.disks import leave, own
from vmart.orders.grow_disk import Reckoned
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.pricing.priced import OWN_DISK_ORDER, Priced
from vmart.storage.models import Disk, State
from vmart.worker.queue import Claimed

KIND, ACT = "resize_disk", own.RESIZE
AT_ONCE_MAX = 50  # priced together
_HAS_SIZE = (State.UNATTACHED, State.ATTACHED)
_PATH = "disk."


@dataclass(frozen=True, slots=True)
class Growth:
    """``size_gib`` of one disk, which is paid ahead, in the place of what it has."""

    public_ids: Sequence[str]
    size_gib: int


def reckon(account_id: int, disk_ids: Sequence[str], size_gib: int) -> list[Reckoned | Priced]:
    """What ``grow`` would do to each now; writes nothing. Raises what it raises, but for balance and room."""
    with db.act():
        disks = own.lock(account_id, disk_ids, most=AT_ONCE_MAX)
        _check_one(disks, size_gib)
        return [_reckoned(disk, size_gib) for disk in disks]


def _reckoned(disk: Disk, size_gib: int) -> Reckoned | Priced:
    if things.is_prepaid(disk):
        return _priced([disk], Growth([disk.public_id], size_gib))
    return Reckoned(_hours(disk, size_gib), _hour(disk, size_gib))


def grow(actor: Actor, disk_id: str, size_gib: int) -> None:
    """Accept a larger disk; of one that is paid ahead it is ordered and paid from the balance.

    Raises UnknownOwnDisk, GoesWithMachine, DiskBusy, DiskState, DiskExpired, OutOfRange, DiskSoldOut,
    InsufficientBalance, InArrears, MachineRuns, and of a machine that has it Busy and WrongState.
    """
    with db.act():
        disks = _lock(actor.account, [disk_id])
        _check_one(disks, size_gib)
        (disk,) = disks
        m.refuse_in_arrears([disk])
        if things.is_prepaid(disk):
            UPGRADE.order_in_act(actor, Growth([disk_id], size_gib))
            return
        hourly.set_aside(disk, _hours(disk, size_gib), f"{size_gib} GiB")
        _begin(disk, size_gib, actor)


def _lock(account_id: int, disk_ids: Sequence[str]) -> list[Disk]:
    return own.lock(account_id, disk_ids, most=1)


def _begin(disk: Disk, size_gib: int, actor: Actor, order_id: int = 0) -> None:
    """``order_id``: of the order that is paid for when the disk has its size; 0 for none."""
    grow_disk.take_room(disk, disk, size_gib, _PATH, "ResourceInsufficient")
    things.events([disk], ACT, actor=actor)
    things.begin(disk, ACT, actor.request_id)
    m.begin_all(list(own.machines_having([disk]).values()), ACT, actor.request_id)
    things.send(disk, KIND, size_gib=size_gib, order_id=order_id)


def _check_one(disks: Sequence[Disk], size_gib: int) -> None:
    machines = own.machines_having(disks)
    for disk in disks:
        _check(disk, machines.get(disk.instance_id or 0), size_gib)


def _check_upgrade(disks: Sequence[Disk], asked: Growth) -> None:
    own.refuse_postpaid(disks)
    _check_one(disks, asked.size_gib)


def _priced(disks: Sequence[Disk], asked: Growth) -> Priced:
    return in_term.priced(OWN_DISK_ORDER, disks, [grow_disk.at_size(disk, asked.size_gib) for disk in disks])


def _still_so(disks: Sequence[Disk], due: Priced, asked: Growth) -> None:
    in_term.still_so(disks, due, [grow_disk.at_size(disk, asked.size_gib) for disk in disks])


def _carry_out(order: Order, disks: Sequence[Disk], due: Priced, asked: Growth, actor: Actor) -> None:
    paid.take_later(due, {disk.public_id: disk.subscription for disk in disks}, order)
    for disk in disks:
        _begin(disk, asked.size_gib, actor, order.id)


UPGRADE = PricedAct(OWN_DISK_ORDER, Growth, _check_upgrade, _priced, _still_so, _carry_out, _lock)


def refuse(disk: Disk, machine: Instance | None) -> None:
    """What is refused of a disk and the machine that has it as they stand."""
    own.refuse_busy([disk])
    own.refuse_state(disk, *_HAS_SIZE)
    own.refuse_expired([disk])
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
    return hourly.reckoned([disk], [hourly.more(disk, grow_disk.at_size(disk, size_gib))])[0]


def _hour(disk: Disk, size_gib: int) -> Decimal:
    return hourly.hour_of(disk.account_id, grow_disk.at_size(disk, size_gib).term)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``resize_disk``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        disk, size_gib = own.read(operation.subject_id), int(operation.payload["size_gib"])
        if things.is_under_way(disk, ACT):
            own.engine(operation.lane).ensure_volume(disk.public_id, size_gib, own.member(disk))
        with own.outcome(operation, owner, disk, *_HAS_SIZE) as grown:
            if grown and things.is_under_way(grown, ACT):
                _in_force(grown, operation, size_gib)


def _in_force(disk: Disk, operation: Claimed, size_gib: int) -> None:
    """It has its size: from this second on that is what it pays for. Belongs into the act."""
    Disk.objects.filter(pk=disk.pk).update(size_gib=size_gib)
    changes.in_force(disk, operation, grow_disk.at_size(disk, size_gib))
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
                paid.give_up_for(operation, grow_disk.FAILED)
                grow_disk.give_room_back(failed, failed, int(operation.payload["size_gib"]))
                changes.back(failed)
                things.fail(failed, grow_disk.FAILED, error)
                _free_machine(failed)
