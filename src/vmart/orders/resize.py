"""Another instance type of a machine: more or less vCPU and memory, on its host (billing-rules, sections 1 and 3).

Postpaid, it is charged at once (``hourly``). Prepaid, more of it is ordered for the rest of the term (``in_term``), and
less of it gives back what it is cheaper (``downgrade``). The old price holds until the new size is in force, and its
tiers of age begin anew with it.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from vmart.catalog import shop
from vmart.catalog.models import InstanceType
from vmart.engines.contract import turns_off_for
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, InvalidValue
from vmart.orders import agreed, changes, downgrade, hourly, in_term, offered, paid, reclaim, room, size
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.agreed import New
from vmart.orders.downgrade import Downgrade
from vmart.orders.errors import NoRoomOnHost
from vmart.orders.hourly import Hours
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.placement import explain
from vmart.placement.making_room import Room
from vmart.pricing import books
from vmart.pricing.book import CPU, UnitPrice, cpu_key
from vmart.pricing.priced import TYPE_ORDER, Priced, Term
from vmart.pricing.upgrade import month_of
from vmart.worker.queue import Claimed

log = logging.getLogger(__name__)

KIND = "resize"
ACT = agreed.CHANGE_OF_TYPE
_FAILED = "The instance type could not be changed; it is as before."


@dataclass(frozen=True, slots=True)
class Resize:
    """``instance_type`` in the place of the one that the machine has; of one machine at a time (API 3.0)."""

    public_ids: Sequence[str]
    instance_type: str


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What another type means for a postpaid machine: its hours, and the new type's own at each tier of age."""

    hours: Hours
    unit: UnitPrice


def reckon(account_id: int, asked: Resize) -> Reckoned | Priced | Downgrade:
    """What ``change`` would do now; writes nothing. Raises what it raises, but for balance and room.

    A postpaid machine's hour; of a prepaid one the price of more, or what less gives back.
    """
    with db.act():
        found = m.lock(account_id, asked.public_ids)
        _check(found, asked)
        (machine,) = found
        if is_ordered(machine, asked.instance_type):
            return UPGRADE.price_in_act(account_id, asked)
        if m.is_prepaid(machine):
            return downgrade.reckoned(machine, _new(machine, asked.instance_type))
        _, key, _ = _new(machine, asked.instance_type).term
        return Reckoned(_hours(machine, asked.instance_type), _units(machine.account_id)[key])


def change(actor: Actor, public_ids: Sequence[str], instance_type: str, *, while_running: bool = True) -> None:
    """Accept another type; more of a prepaid machine is ordered and paid from the balance.

    Raises the refusals of ``acts.accepting``, InvalidParameter, InvalidValue, WrongState, WrongMode, NotSoldHere,
    SoldOut, InsufficientBalance, LimitExceeded.
    """
    asked = Resize(public_ids, instance_type)
    with room.made_where_lacking(), accepting(actor, "", public_ids, uses=True) as found:
        _check(found, asked)
        (machine,) = found
        m.refuse_running(machine, while_running=while_running)
        if is_ordered(machine, instance_type):
            UPGRADE.order_in_act(actor, asked)
        elif m.is_prepaid(machine):
            decided = downgrade.reckoned(machine, _new(machine, instance_type))
            _begin(machine, instance_type, actor, decided=decided.plain())
        else:
            hourly.set_aside(machine, _hours(machine, instance_type), instance_type)
            _begin(machine, instance_type, actor)


def is_ordered(machine: Instance, instance_type: str) -> bool:
    """Whether the type is an order: of a prepaid machine one that costs as much a month or more."""
    new = _new(machine, instance_type)
    is_known = new.term[1] in _units(machine.account_id)  # one that does not exist is refused by the act
    if not (is_known and m.is_prepaid(machine)):
        return False
    return _month(machine.account_id, new.term) >= _month(machine.account_id, agreed.had(new))


def choices(machine: Instance) -> list[tuple[InstanceType, Decimal]]:
    """Types that its zone sells and that it can become, each with its price: an hour at tier 1, prepaid a month."""
    here = shop.snapshot()
    price = _month if m.is_prepaid(machine) else hourly.hour_of
    sold = [code for code, sold_out in here.zones[machine.zone_id].offers.items() if not sold_out]
    priced = [(here.instance_types[code], price(machine.account_id, _new(machine, code).term)) for code in sold]
    return [(to, cost) for to, cost in priced if to.code != machine.instance_type_id]


def turns_off(machine: Instance, to: InstanceType) -> bool:
    """Whether a running machine is turned off for its new type, and on again."""
    return machine.state == State.RUNNING and turns_off_for(machine.kind, machine.memory_mib, to.memory_mib)


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines whose type cannot be changed."""
    m.refuse_spot(machines)
    m.refuse_neither_on_nor_off(machines)
    m.refuse_without_charge(machines)


def _check(machines: Sequence[Instance], asked: Resize) -> None:
    """``refuse``, and what is refused of the new type."""
    refuse(machines)
    if len(machines) > 1:
        raise InvalidParameter("The type is changed of one machine at a time.", field="machines")
    (machine,) = machines
    offered.check_type(asked.instance_type, machine.zone_id)
    if asked.instance_type == machine.instance_type_id:
        raise InvalidValue(
            "{id} is of the type {type} already.",
            field="instance_type", id=machine.public_id, type=asked.instance_type,
        )  # fmt: skip


def _check_upgrade(machines: Sequence[Instance], asked: Resize) -> None:
    _check(machines, asked)
    for machine in machines:
        m.refuse_postpaid(machine)
        if not is_ordered(machine, asked.instance_type):
            raise InvalidValue(
                "{type} costs less a month than what {id} is: nothing is to be paid for it.",
                field="instance_type", type=asked.instance_type, id=machine.public_id,
            )  # fmt: skip


def _new(machine: Instance, instance_type: str) -> New:
    return New(machine.id, (CPU, cpu_key(shop.snapshot().region_of(machine.zone_id), instance_type), 1))


def _month(account_id: int, term: Term) -> Decimal:
    """Raises NoPrice."""
    return month_of(books.own_book(account_id, shop.snapshot().generation), term)


def _units(account_id: int) -> Mapping[str, UnitPrice]:
    return books.own_book(account_id, shop.snapshot().generation).units


def _hours(machine: Instance, instance_type: str) -> Hours:
    return hourly.reckoned([machine], [hourly.more(machine, _new(machine, instance_type))])[0]


def _begin(
    machine: Instance, instance_type: str, actor: Actor, *, order_id: int = 0, decided: dict[str, Any] | None = None
) -> None:
    """``order_id``: of the order that is paid for when the type is in force; 0 for none. ``decided``: a downgrade."""
    _take_room(machine, shop.snapshot().instance_types[instance_type])
    m.events([machine], ACT, actor=actor)
    m.begin(machine, ACT, actor.request_id)
    m.send(machine, KIND, instance_type=instance_type, order_id=order_id, downgrade=decided)


def _take_room(machine: Instance, to: InstanceType) -> None:
    """Room for both sizes on its host while the change is under way. Raises NoRoomOnHost."""
    vcpu, memory_mib = max(machine.vcpu, to.vcpu), max(machine.memory_mib, to.memory_mib)
    if not db.call("placement_grow", machine.id, vcpu, memory_mib):
        left = explain.on_its_host(machine.id, vcpu, memory_mib)
        log.info("no room to make %s a %s: %s", machine.public_id, to.code, explain.line(left))
        why = NoRoomOnHost(
            "There is no room for a {type} on the host of {id} now.",
            field="instance_type", type=to.code, id=machine.public_id,
        )  # fmt: skip
        more = Room(vcpu - machine.vcpu, memory_mib - machine.memory_mib, 0)
        raise room.lacking(why, partial(reclaim.where_they_are, [(machine, more)], "instance_type"))


def _priced(machines: Sequence[Instance], asked: Resize) -> Priced:
    return in_term.priced(TYPE_ORDER, machines, [_new(machine, asked.instance_type) for machine in machines])


def _still_so(machines: Sequence[Instance], due: Priced, asked: Resize) -> None:
    news = [_new(machine, asked.instance_type) for machine in machines]
    if [list(line.terms) for line in due.lines] != [[new.term] for new in news]:
        raise InvalidParameter("The price is of another type; ask for it again.", field="instance_type")
    in_term.still_so(machines, due, news)


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Resize, actor: Actor) -> None:
    paid.take_later(due, {machine.public_id: machine.subscription for machine in machines}, order)
    for machine in machines:
        _begin(machine, asked.instance_type, actor, order_id=order.id)


UPGRADE = PricedAct(TYPE_ORDER, Resize, _check_upgrade, _priced, _still_so, _carry_out)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``resize``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        machine, to = m.read(operation.subject_id), _type(operation)
        if m.is_under_way(machine, ACT):
            size.say(machine, (to.vcpu, to.memory_mib))
        with outcome(operation, owner) as changed:
            if changed and m.is_under_way(changed, ACT):
                _in_force(changed, operation, to)
            elif changed:
                paid.give_up_for(operation, "The machine was ended, or stopped, before.")
                db.call("placement_shrink", changed.id, changed.vcpu, changed.memory_mib)
                size.send(changed)  # its end may have come just before the engine was told


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The type of before holds, and what it costs."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            paid.give_up_for(operation, _FAILED)
            db.call("placement_shrink", machine.id, machine.vcpu, machine.memory_mib)
            if m.is_under_way(machine, ACT):
                changes.back(machine)
                m.fail(machine, _FAILED, error)
            size.send(machine)  # an attempt whose answer was lost may have set the new one


def _type(operation: Claimed) -> InstanceType:
    return InstanceType.objects.get(code=operation.payload["instance_type"])


def _in_force(machine: Instance, operation: Claimed, to: InstanceType) -> None:
    """It has the new size: from this second on that is what it pays for. Belongs into the act."""
    old, new = machine.instance_type_id, _new(machine, to.code)
    Instance.objects.filter(pk=machine.pk).update(
        instance_type=to, vcpu=to.vcpu, memory_mib=to.memory_mib, latest_operation_state="SUCCESS"
    )
    db.call("placement_shrink", machine.id, to.vcpu, to.memory_mib)
    told: dict[str, object] = {"old": old, "new": to.code}
    if plain := operation.payload["downgrade"]:
        decided = downgrade.of(plain)
        agreed.agree(new)
        downgrade.carry_out([machine], [decided])
        told["refund_minor"] = decided.back_minor
    else:
        changes.in_force(machine, operation, new)
    m.event(machine, "type_changed", **told)
