"""How fast a bought public address is: at its machine within seconds, of an idle one at once. The machine goes on.

Of one that is paid by the month, more is ordered for the rest of its term (``in_term``), and less gives back what the
term is worth more (``downgrade``); both are reckoned at the request, and moved when it is in force.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.network.models import Eip, EipState
from vmart.orders import agreed, downgrade, in_term, paid, things
from vmart.orders import machines as m
from vmart.orders.addresses import allocate, isolate, own
from vmart.orders.addresses.allocate import Cost
from vmart.orders.agreed import New
from vmart.orders.downgrade import Downgrade
from vmart.orders.models import Order
from vmart.orders.priced_act import PricedAct
from vmart.pricing import books
from vmart.pricing.priced import ADDRESS_ORDER, Priced
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ACT = "address_bandwidth", own.BANDWIDTH
_AT = (MachineState.RUNNING, MachineState.STOPPED, MachineState.SHUTDOWN)
_FAILED = "The bandwidth could not be changed; it is as before."


@dataclass(frozen=True, slots=True)
class Faster:
    """``mbps`` of addresses that are paid by the month, in the place of less."""

    public_ids: Sequence[str]
    mbps: int


def change(actor: Actor, eip_ids: Sequence[str], mbps: int) -> int:
    """Accept it, all or none; the number of the task.

    By the month more is ordered and paid for the rest of the term, and of less comes back what is over. Raises
    UnknownEip, EipBusy, EipInArrears, EipExpired, OutOfRange, InsufficientBalance, LimitExceeded, and of their machines
    Busy, WrongState.
    """
    with db.act():
        eips = own.lock(actor.account, eip_ids)
        refuse(eips, machines_of(eips), mbps)
        faster = [eip for eip in eips if is_faster(eip, mbps)]
        others = [eip for eip in eips if not is_faster(eip, mbps)]
        if faster:
            with own.paying():
                UPGRADE.order_in_act(actor, Faster([eip.public_id for eip in faster], mbps))
        if others:
            _begin(others, mbps, actor)
        return own.of_one_task(eips)


def is_faster(eip: Eip, mbps: int) -> bool:
    """Whether it is more of what is paid by the month, and so an order."""
    return things.is_prepaid(eip) and mbps > eip.bandwidth_mbps


def reckon(account_id: int, eip_ids: Sequence[str], mbps: int) -> list[Priced | Downgrade | Cost]:
    """What ``change`` would cost of each, in order; of what is postpaid what it costs then.

    Writes nothing. Raises what ``change`` raises, but for the balance.
    """
    with db.act():
        eips = own.lock(account_id, eip_ids)
        refuse(eips, machines_of(eips), mbps)
        known: dict[int, Priced | Downgrade | Cost] = {**_less(eips, mbps)}
        postpaid = [eip for eip in eips if not things.is_prepaid(eip)]
        known |= {eip.id: allocate.cost(account_id, own.prices(eip.zone_id), own.part(eip, mbps)) for eip in postpaid}
        more = [eip for eip in eips if eip.id not in known]
        priced = _price(more, mbps)
        known |= {eip.id: replace(priced, lines=(line,)) for eip, line in zip(more, priced.lines, strict=True)}
        return [known[eip.id] for eip in eips]


def _less(eips: Sequence[Eip], mbps: int) -> dict[int, Downgrade]:
    """What comes back of each that is paid by the month and gets less, by its number."""
    slower = [eip for eip in eips if things.is_prepaid(eip) and mbps < eip.bandwidth_mbps]
    found = downgrade.of_bandwidth(slower, [_new(eip, mbps) for eip in slower])
    return {eip.id: one for eip, one in zip(slower, found, strict=True)}


def _new(eip: Eip, mbps: int) -> New:
    return New(eip.id, own.part(eip, mbps).term(own.prices(eip.zone_id), bound=True))


def _begin(eips: Sequence[Eip], mbps: int, actor: Actor, order_id: int = 0) -> None:
    """``order_id``: of the order that is paid for when it is in force; 0 for none."""
    things.events(eips, ACT, [{"mbps": mbps}] * len(eips), actor)
    own.begin(eips, ACT, actor.request_id)
    m.begin_all(list(machines_of(eips).values()), ACT, actor.request_id)
    decided = _less(eips, mbps)
    bound = [eip for eip in eips if eip.instance_id]
    for eip in bound:
        own.set_aside(eip, own.part(eip, mbps))
    less = [decided[eip.id].plain() if eip.id in decided else None for eip in bound]
    things.send_each(bound, KIND, [{"mbps": mbps, "order_id": order_id, "downgrade": one} for one in less])
    _at_speed([eip for eip in eips if not eip.instance_id], mbps, order_id, decided)


def _check_faster(eips: Sequence[Eip], asked: Faster) -> None:
    refuse(eips, machines_of(eips), asked.mbps)
    for eip in eips:
        if not is_faster(eip, asked.mbps):
            raise InvalidParameter(
                "{id} has {now} Mbps, charged otherwise or no less already.",
                field="addresses", id=eip.public_id, now=eip.bandwidth_mbps,
            )  # fmt: skip


def _price(eips: Sequence[Eip], mbps: int) -> Priced:
    return in_term.priced(ADDRESS_ORDER, eips, [_new(eip, mbps) for eip in eips])


def _carry_out(order: Order, eips: Sequence[Eip], due: Priced, asked: Faster, actor: Actor) -> None:
    paid.take_later(due, {eip.public_id: eip.subscription for eip in eips}, order)
    _begin(eips, asked.mbps, actor, order.id)


UPGRADE = PricedAct(
    ADDRESS_ORDER, Faster, _check_faster, lambda eips, asked: _price(eips, asked.mbps),
    lambda eips, due, asked: in_term.still_so(eips, due, [_new(eip, asked.mbps) for eip in eips]), _carry_out, own.lock,
)  # fmt: skip


def machines_of(eips: Sequence[Eip]) -> dict[int, Instance]:
    """The machines that have them, locked, by number."""
    having = [eip.instance_id for eip in eips if eip.instance_id]
    return {one.id: one for one in m.locking().filter(id__in=having).order_by("id")}


def refuse(eips: Sequence[Eip], machines: dict[int, Instance], mbps: int) -> None:
    """What is refused of addresses and their machines as they stand."""
    refuse_now(eips, machines)
    book = books.current_book(shop.snapshot().generation)
    for eip in eips:
        own.part(eip, mbps).check(book, own.prices(eip.zone_id))


def refuse_now(eips: Sequence[Eip], machines: dict[int, Instance]) -> None:
    """What is refused of any change of what they are charged for."""
    own.refuse_given_back(eips)
    own.refuse_busy(eips)
    own.refuse_stopped(eips)
    m.refuse_busy(machines.values())
    for machine in machines.values():
        m.refuse_state(machine, _AT, "InvalidInstance.NotSupported")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``address_bandwidth``: the engine first, then what is charged or paid, in one commit."""
    for operation in batch:
        eip, mbps = own.read(operation.subject_id), int(operation.payload["mbps"])
        eip.bandwidth_mbps = mbps
        _tell(operation.lane, eip)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as changed:
            if changed and things.is_under_way(changed, ACT):
                plain = operation.payload.get("downgrade")
                _at_speed([changed], mbps, _order_of(operation), {changed.id: downgrade.of(plain)} if plain else {})


def _order_of(operation: Claimed) -> int:
    return int(operation.payload.get("order_id", 0))  # 0.1.0 queued none


def _tell(lane: str, eip: Eip) -> None:
    machine = own.machine_of(eip) if eip.instance_id and things.is_under_way(eip, ACT) else None
    if machine and machine.state in ALIVE:
        engine_of(lane).ensure_address(machine.public_id, machine.private_ip, leading(eip))


def _at_speed(eips: Sequence[Eip], mbps: int, order_id: int, decided: Mapping[int, Downgrade]) -> None:
    """It is in force: from this second on that is what they pay for. Belongs into the act.

    ``decided``: what comes back of those that get less of what is paid by the month, by their numbers.
    """
    if not eips:
        return
    details = [_told(eip, mbps, decided.get(eip.id)) for eip in eips]
    changed = [eip for eip in eips if things.is_prepaid(eip) and mbps != eip.bandwidth_mbps]
    own.succeed_all(eips, bandwidth_mbps=mbps)
    for eip in eips:
        eip.bandwidth_mbps = mbps
        if eip.instance_id:
            own.free_machine(eip.instance_id)
            own.charge_as(eip, bound=True)  # of what is paid by the month nothing
    agreed.agree_all([_new(eip, mbps) for eip in changed])
    if order_id:
        paid.deliver_all(order_id, [eip.id for eip in eips])
    less = [eip for eip in eips if eip.id in decided]
    downgrade.carry_out(less, [decided[eip.id] for eip in less])
    things.events(eips, "bandwidth_changed", details)


def _told(eip: Eip, mbps: int, decided: Downgrade | None) -> dict[str, int]:
    back = {"refund_minor": decided.back_minor} if decided else {}
    return {"old": eip.bandwidth_mbps, "new": mbps, **back}


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, also where only the answer was lost, and what it costs.

    Whoever has the machine's address told to its engine does that: what its engine has lost is not busy for ever.
    """
    for operation in batch:
        eip = own.read(operation.subject_id)
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as failed:
            if failed and things.is_under_way(failed, ACT):
                if order_id := _order_of(operation):
                    paid.give_up(order_id, failed.id, _FAILED)
                own.hold_what_it_asks(failed)
                things.fail(failed, _FAILED, error)
                own.free_machine(failed.instance_id)
            if failed and failed.state == EipState.BIND:
                isolate.lead_again(failed)
