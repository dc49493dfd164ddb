"""Bandwidth: how fast machines send to the internet (billing-rules, section 2). The machine runs on.

How it is charged differs by the machine's mode: ``bandwidth_by_hour``, ``bandwidth_by_month``.
"""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import address, agreed, lowering, paid, windows
from vmart.orders import bandwidth_by_hour as by_hour
from vmart.orders import bandwidth_by_month as by_month
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.bandwidth_by_hour import Reckoned
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.errors import WrongMode
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.pricing import books
from vmart.pricing.configuration import BANDWIDTH_PREPAID, TRAFFIC_POSTPAID_BY_HOUR
from vmart.pricing.errors import OutOfRange
from vmart.pricing.parts import NetworkPart
from vmart.pricing.priced import BANDWIDTH_ORDER, Priced
from vmart.provisioning.specs import public_address
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "bandwidth"
ACT = agreed.CHANGE_OF_BANDWIDTH


def reckon(account_id: int, public_ids: Sequence[str], mbps: int) -> list[Reckoned] | Priced:
    """What ``change`` would do now; writes nothing. Raises what it raises, but for the balance.

    Each machine's hour, in the order asked for. Where bandwidth is paid by the month, the price of more: none of less,
    and none of the speed that it is.
    """
    with db.act():
        machines = m.lock(account_id, public_ids)
        _check(machines, mbps)
        if is_by_month(machines[0]):
            return UPGRADE.price_in_act(account_id, Upgrade(public_ids, mbps))
        return by_hour.reckoned(machines, mbps)


def change(actor: Actor, public_ids: Sequence[str], mbps: int) -> None:
    """Accept another speed, all or none; one that is the machine's already changes nothing.

    One that is paid by the month is ordered and paid from the balance. Raises the refusals of ``acts.accepting``,
    OutOfRange, InvalidParameter, WrongMode, InsufficientBalance.
    """
    with accepting(actor, "", public_ids, uses=True) as found:
        _check(found, mbps)
        others = [machine for machine in found if machine.bandwidth_mbps != mbps]
        if others and is_by_month(others[0]):
            UPGRADE.order_in_act(actor, Upgrade(public_ids, mbps))
        elif others:
            for machine in others:
                by_hour.set_aside(machine, mbps)
            _begin(others, mbps, actor)


def _begin(machines: Sequence[Instance], mbps: int, actor: Actor, order_id: int = 0) -> None:
    """``order_id``: of the order that is paid for when the speed is in force; 0 for none."""
    m.events(machines, ACT, actor=actor)
    m.begin_all(machines, ACT, actor.request_id)
    m.send_all(machines, KIND, mbps=mbps, order_id=order_id)


def is_by_month(machine: Instance) -> bool:
    return machine.internet_charge_type == BANDWIDTH_PREPAID


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy, WrongState or WrongMode for machines whose speed cannot be changed by itself."""
    m.refuse_neither_on_nor_off(machines)
    refuse_no_address(machines)


def refuse_no_address(machines: Sequence[Instance]) -> None:
    """Raise WrongMode for machines without a public address of their own."""
    for machine in machines:
        if not machine.public_ip_wanted:
            raise WrongMode(
                "{id} has no public address, so it has no bandwidth.",
                field="machines", code="FailedOperation.NotFoundEIP", id=machine.public_id,
            )  # fmt: skip


def _check(machines: Sequence[Instance], mbps: int) -> None:
    """``refuse``, and what is refused of the speed, and of machines together (API 3.0)."""
    refuse(machines)
    modes = {machine.internet_charge_type for machine in machines}
    if len(modes) > 1:
        raise InvalidParameter(
            "The machines pay for their network in several ways; change those of one way at a time.", field="machines"
        )
    if modes != {TRAFFIC_POSTPAID_BY_HOUR}:
        refuse_several(machines)
    for machine in machines:
        check_speed(machine, mbps, machine.internet_charge_type)
        _refuse_less(machine, mbps)


def refuse_several(machines: Sequence[Instance]) -> None:
    """Raise InvalidParameter for more than one of those that pay for their bandwidth."""
    if len(machines) > 1:
        raise InvalidParameter(
            "The bandwidth of machines that pay for it is changed one machine at a time.", field="machines"
        )


def check_speed(machine: Instance, mbps: int, internet_charge_type: str) -> None:
    """Raise OutOfRange where the machine cannot have this speed, charged so."""
    if not mbps:
        raise OutOfRange(
            "A bandwidth of 0 Mbps would take the public address away; the least is 1 Mbps.", field="bandwidth_mbps"
        )
    here = shop.snapshot()
    book = books.current_book(here.generation)
    part = NetworkPart(machine.subscription.charge_type, internet_charge_type, mbps, public_ip=True)
    part.check(book, book.regions[here.zones[machine.zone_id].region])


def _refuse_less(machine: Instance, mbps: int) -> None:
    if is_by_month(machine) and mbps < machine.bandwidth_mbps:
        raise OutOfRange(
            "The bandwidth of {id} is paid by the month: in its term it only goes up, from {now} Mbps."
            " Less of it comes with a renewal, which the page of renewals sells.",
            field="bandwidth_mbps", id=machine.public_id, now=machine.bandwidth_mbps,
        )  # fmt: skip


def _check_upgrade(machines: Sequence[Instance], asked: Upgrade) -> None:
    _check(machines, asked.mbps)
    refuse_not_by_month(machines)
    windows.refuse_open(machines)
    lowering.refuse_waiting(machines)
    for machine in machines:
        if asked.mbps == machine.bandwidth_mbps:
            raise OutOfRange(
                "The bandwidth of {id} is {now} Mbps already.",
                field="bandwidth_mbps", id=machine.public_id, now=machine.bandwidth_mbps,
            )  # fmt: skip


def refuse_not_by_month(machines: Sequence[Instance]) -> None:
    """Raise WrongMode for a machine that does not pay for its bandwidth by the month."""
    for machine in machines:
        if not is_by_month(machine):
            raise WrongMode("{id} does not pay for its bandwidth by the month.", field="machines", id=machine.public_id)


def _carry_out(order: Order, machines: Sequence[Instance], due: Priced, asked: Upgrade, actor: Actor) -> None:
    paid.take_later(due, {machine.public_id: machine.subscription for machine in machines}, order)
    _begin(machines, asked.mbps, actor, order.id)


UPGRADE = PricedAct(BANDWIDTH_ORDER, Upgrade, _check_upgrade, by_month.priced, by_month.still_so, _carry_out)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``bandwidth``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        machine, mbps = m.read(operation.subject_id), int(operation.payload["mbps"])
        if m.is_under_way(machine, ACT):
            tell_engine(operation.lane, machine, mbps)
        with outcome(operation, owner) as changed:
            if changed and m.is_under_way(changed, ACT):
                _in_force(changed, operation, mbps)
            elif changed:
                paid.give_up_for(operation, "The machine was ended, or stopped, before.")
                address.send(changed)  # its end may have come just before the engine was told of the address


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, and what it costs."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine is None:
                continue
            paid.give_up_for(operation, "The bandwidth could not be changed; it is as before.")
            if m.is_under_way(machine, ACT):
                by_hour.back(machine)
                m.fail(machine, "The bandwidth could not be changed; it is as before.", error)
            address.send(machine)  # an attempt whose answer was lost may have set the new one


def tell_engine(lane: str, machine: Instance, mbps: int) -> None:
    """Cap what the machine sends at so much; the row says it once it is in force."""
    machine.bandwidth_mbps = mbps
    engine_of(lane).ensure_address(machine.public_id, machine.private_ip, public_address(machine))


def _in_force(machine: Instance, operation: Claimed, mbps: int) -> None:
    """It sends at the new speed: from this second on that is what it pays for. Belongs into the act."""
    old = machine.bandwidth_mbps
    Instance.objects.filter(pk=machine.pk).update(bandwidth_mbps=mbps, latest_operation_state="SUCCESS")
    if order_id := operation.payload["order_id"]:
        agreed.agree(agreed.at_speed(machine, mbps))
        paid.deliver(order_id, machine.id)
    else:
        by_hour.in_force(machine, mbps)
    m.event(machine, "bandwidth_changed", old=old, new=mbps)
