"""A disk of a machine made larger, on its host (billing-rules, sections 1 and 3). A disk is never made smaller.

Postpaid, it is charged at once (``hourly``); prepaid, more of it is ordered for the rest of the term (``in_term``).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.engines.contract import turns_off_to_grow_a_disk
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import agreed, changes, hourly, in_term, paid
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.agreed import New
from vmart.orders.errors import DiskSoldOut, UnknownDisk, WrongState
from vmart.orders.hourly import Hours
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.orders.things import Thing
from vmart.pricing import books
from vmart.pricing.book import DISK
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import OutOfRange
from vmart.pricing.parts import check_disk
from vmart.pricing.priced import DISK_ORDER, Priced
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk
from vmart.worker.queue import Claimed

KIND = "grow_disk"
ACT = agreed.CHANGE_OF_DISK
OF_DISK = "ResizeDisk"  # the same, said of the disk
_DATA_DISK = "data_disks.0."
FAILED = "The disk could not be made larger; it is paid for as before."


@dataclass(frozen=True, slots=True)
class Growth:
    """``size_gib`` of the disk ``disk_id`` of one machine, in the place of what it has.

    Refusals name it as a purchase does: ``system_disk``, or the only one of ``data_disks``.
    """

    public_ids: Sequence[str]
    disk_id: str
    size_gib: int


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What a larger disk means for a postpaid machine: its hours, and an hour of the disk alone."""

    hours: Hours
    disk_hourly: Decimal


def reckon(account_id: int, asked: Growth) -> Reckoned | Priced:
    """What ``grow`` would do now; writes nothing. Raises what it raises, but for balance and room."""
    with db.act():
        return reckon_of(m.lock(account_id, asked.public_ids), asked)


def reckon_of(machines: Sequence[Instance], asked: Growth) -> Reckoned | Priced:
    """``reckon`` for machines that are locked."""
    disk = _check(machines, asked)
    if m.is_prepaid(machines[0]):
        return _priced(machines, asked)
    disk_hourly = hourly.hour_of(machines[0].account_id, at_size(disk, asked.size_gib).term)
    return Reckoned(_hours(machines[0], disk, asked.size_gib), disk_hourly)


def grow(actor: Actor, asked: Growth, *, while_running: bool = True) -> None:
    """Accept a larger disk; of a prepaid machine it is ordered and paid from the balance.

    Raises the refusals of ``acts.accepting``, UnknownDisk, OutOfRange, WrongState, DiskSoldOut, InsufficientBalance.
    """
    with accepting(actor, "", asked.public_ids, uses=True) as found:
        _check(found, asked)
        _refuse_running(found[0], while_running=while_running)
        grow_in_act(actor, found, asked)


def grow_in_act(actor: Actor, machines: Sequence[Instance], asked: Growth) -> None:
    """``grow`` for machines that are locked, whether they run or not."""
    disk = _check(machines, asked)
    (machine,) = machines
    if m.is_prepaid(machine):
        UPGRADE.order_in_act(actor, asked)
        return
    hourly.set_aside(machine, _hours(machine, disk, asked.size_gib), f"{asked.size_gib} GiB")
    _begin(machine, disk, asked.size_gib, actor)


def turns_off(machine: Instance) -> bool:
    """Whether a running machine is turned off while its disk grows, and on again."""
    return machine.state == State.RUNNING and turns_off_to_grow_a_disk(machine.kind)


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines whose disks cannot grow."""
    m.refuse_neither_on_nor_off(machines)


def _check(machines: Sequence[Instance], asked: Growth) -> Disk:
    """``refuse``, and what is refused of disk and size; the disk."""
    refuse(machines)
    if len(machines) > 1:
        raise InvalidParameter("A disk is of one machine.", field="machines")
    (machine,) = machines
    disk = Disk.objects.filter(instance_id=machine.id, state="", public_id=asked.disk_id).first()
    if disk is None:
        raise UnknownDisk(
            "{id} has no disk {disk}.", field=_DATA_DISK + "id", id=machine.public_id, disk=asked.disk_id or "(empty)"
        )
    check_size(disk, asked.size_gib, _path(disk))
    return disk


def check_size(disk: Disk, size_gib: int, path: str, code: str | None = None) -> None:
    """Raise OutOfRange where it is not larger, or not sold; ``path`` leads to the disk in what is asked.

    ``code``: of one that is not larger, where it is not the usual one.
    """
    if size_gib <= disk.size_gib:
        raise OutOfRange(
            "{disk} has {now} GiB, and a disk only grows.",
            field=f"{path}size_gib", code=code, disk=disk.public_id, now=disk.size_gib,
        )  # fmt: skip
    book = books.current_book(shop.snapshot().generation)
    check_disk(book, DiskChoice(disk.disk_type, size_gib), path, is_system=disk.usage == Disk.Usage.SYSTEM)


def _path(disk: Disk) -> str:
    """Leads to the disk in what is asked, as in a purchase."""
    return "system_disk." if disk.usage == Disk.Usage.SYSTEM else _DATA_DISK


def _check_upgrade(machines: Sequence[Instance], asked: Growth) -> None:
    _check(machines, asked)
    for machine in machines:
        m.refuse_postpaid(machine)


def _refuse_running(machine: Instance, *, while_running: bool) -> None:
    if machine.state == State.RUNNING and not while_running:
        raise WrongState(
            "The instance {id} is running; say ResizeOnline or ForceStop, or stop it first.",
            field="while_running", code="UnsupportedOperation.InstanceStateRunning", id=machine.public_id,
        )  # fmt: skip


def at_size(disk: Disk, size_gib: int) -> New:
    """What a disk of this size pays for."""
    return New(disk.id, (DISK, agreed.item(disk.id, DISK).price_key, size_gib))


def _hours(machine: Instance, disk: Disk, size_gib: int) -> Hours:
    return hourly.reckoned([machine], [hourly.more(machine, at_size(disk, size_gib))])[0]


def _begin(machine: Instance, disk: Disk, size_gib: int, actor: Actor, order_id: int = 0) -> None:
    """``order_id``: of the order that is paid for when the disk has its size; 0 for none."""
    take_room(machine, disk, size_gib, _path(disk))
    m.events([machine], ACT, actor=actor)
    m.begin(machine, ACT, actor.request_id)
    _note(disk, "OPERATING")
    m.send(machine, KIND, disk=disk.id, size_gib=size_gib, order_id=order_id)


def _note(disk: Disk, state: str) -> None:
    """How a change of its size stands, for those who look at the disk."""
    Disk.objects.filter(pk=disk.pk).update(latest_operation=OF_DISK, latest_operation_state=state)


def take_room(holder: Thing, disk: Disk, size_gib: int, path: str, code: str | None = None) -> None:
    """The host keeps room for so much. ``holder``: whose room it is, the machine's or its own. Raises DiskSoldOut."""
    if not db.call("placement_grow_disk", holder.id, size_gib - disk.size_gib):
        raise DiskSoldOut(
            "There is no room for {size} GiB more on the host of {id} now.",
            field=f"{path}size_gib", code=code, size=size_gib - disk.size_gib, id=holder.public_id,
        )  # fmt: skip


def give_room_back(holder: Thing, disk: Disk, size_gib: int) -> None:
    """It will not have that size."""
    db.call("placement_shrink_disk", holder.id, size_gib - disk.size_gib)


def _of(asked: Growth) -> Disk:
    return Disk.objects.get(public_id=asked.disk_id)


def _priced(machines: Sequence[Instance], asked: Growth) -> Priced:
    return in_term.priced(DISK_ORDER, machines, [at_size(_of(asked), asked.size_gib)])


def _still_so(machines: Sequence[Instance], due: Priced, asked: Growth) -> None:
    grown = at_size(_of(asked), asked.size_gib)
    if [line.terms for line in due.lines] != [(grown.term,)]:
        field = _path(_of(asked)) + "size_gib"
        raise InvalidParameter("The price is of another size; ask for it again.", field=field)
    in_term.still_so(machines, due, [grown])


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Growth, actor: Actor) -> None:
    paid.take_later(due, {machine.public_id: machine.subscription for machine in machines}, order)
    for machine in machines:
        _begin(machine, _of(asked), asked.size_gib, actor, order.id)


UPGRADE = PricedAct(DISK_ORDER, Growth, _check_upgrade, _priced, _still_so, _carry_out)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``grow_disk``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        machine, disk = m.read(operation.subject_id), Disk.objects.get(id=operation.payload["disk"])
        size_gib = int(operation.payload["size_gib"])
        if m.is_under_way(machine, ACT):
            engine_of(operation.lane).ensure_disk_size(
                machine.public_id, disk.public_id, size_gib, is_system=disk.usage == Disk.Usage.SYSTEM,
                on=machine.state == State.RUNNING,
            )  # fmt: skip
        with outcome(operation, owner) as changed:
            if changed and m.is_under_way(changed, ACT):
                _in_force(changed, disk, operation, size_gib)
            elif changed:
                _give_up(changed, disk, operation, "The machine was ended, or stopped, before.")


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It is paid for as before. One whose answer was lost may have made it larger: no data is risked for that."""
    for operation in batch:
        disk = Disk.objects.get(id=operation.payload["disk"])
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            _give_up(machine, disk, operation, FAILED)
            if m.is_under_way(machine, ACT):
                changes.back(machine)
                m.fail(machine, FAILED, error)


def _give_up(machine: Instance, disk: Disk, operation: Claimed, reason: str) -> None:
    paid.give_up_for(operation, reason)
    _note(disk, "FAILED")
    give_room_back(machine, disk, int(operation.payload["size_gib"]))


def _in_force(machine: Instance, disk: Disk, operation: Claimed, size_gib: int) -> None:
    """It has its size: from this second on that is what it pays for. Belongs into the act."""
    Disk.objects.filter(pk=disk.pk).update(size_gib=size_gib)
    _note(disk, "SUCCESS")
    Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS")
    changes.in_force(machine, operation, at_size(disk, size_gib))
    m.event(machine, "disk_grown", disk=disk.public_id, old=disk.size_gib, new=size_gib)
