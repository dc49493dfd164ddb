"""Bandwidth: how fast machines send to the internet (billing-rules, section 2).

By the hour, the new speed is charged from the second in which it is in force, and the old one until then; an hour of
the dearer one is set aside meanwhile. By traffic it is a cap and moves no money. The machine runs on.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import DatabaseError

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter
from vmart.kernel.money import exponent, shown_minor
from vmart.orders import address, holds
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.errors import InsufficientBalance, WrongMode
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pricing import books
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR
from vmart.pricing.errors import OutOfRange
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.parts import NetworkPart
from vmart.pricing.rules import hold_minor
from vmart.provisioning.specs import public_address
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Item
from vmart.worker.queue import Claimed

KIND = "bandwidth"
ACT = "ResetInstancesInternetMaxBandwidth"
_CHANGED_AT_ONCE = (BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR)


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What another speed means for one machine, an hour at a time; exact, and what is set aside in minor units.

    ``hourly`` and ``hourly_now``: all that its bundle is charged an hour. By traffic nothing of it changes, and
    ``traffic_per_gib`` is what 2^30 bytes cost; None by the hour.
    """

    public_id: str
    internet_charge_type: str
    mbps_now: int
    mbps: int
    bandwidth_hourly: Decimal
    hourly_now: Decimal
    hourly: Decimal
    hold_now_minor: int
    hold_minor: int
    traffic_per_gib: Decimal | None


def reckon(account_id: int, public_ids: Sequence[str], mbps: int) -> list[Reckoned]:
    """What ``change`` would do now, each machine in the order asked for; writes nothing. Raises what it raises."""
    with db.act():
        machines = m.lock(account_id, public_ids)
        refuse(machines)
        _check(machines, mbps)
        return _reckoned(machines, mbps)


def change(actor: Actor, public_ids: Sequence[str], mbps: int) -> None:
    """Accept another speed, all or none; one that is the machine's already changes nothing.

    Raises the refusals of ``acts.accepting``, OutOfRange, InvalidParameter, WrongMode, InsufficientBalance.
    """
    with accepting(actor, ACT, public_ids, refuse=refuse, uses=True) as found:
        _check(found, mbps)
        others = [machine for machine in found if machine.bandwidth_mbps != mbps]
        for machine in others:
            if machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR:
                _set_aside(machine, *_reckoned([machine], mbps))
        m.begin_all(others, ACT, actor.request_id)
        if others:
            m.send_all(others, KIND, mbps=mbps)


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy, WrongState or WrongMode for machines whose speed cannot be changed by itself."""
    m.refuse_unusable(machines)
    for machine in machines:
        m.refuse_state(machine, [State.RUNNING, State.STOPPED], "UnsupportedOperation.InstanceStateNotRunning")
        if not machine.public_ip_wanted:
            raise WrongMode(
                "{id} has no public address, so it has no bandwidth.",
                field="machines", code="FailedOperation.NotFoundEIP", id=machine.public_id,
            )  # fmt: skip
        if machine.internet_charge_type not in _CHANGED_AT_ONCE:
            raise WrongMode(
                "The bandwidth of {id} is paid by the month; it cannot be changed here yet.",
                field="machines", code="UnsupportedOperation.InstanceChargeType", id=machine.public_id,
            )  # fmt: skip


def _check(machines: Sequence[Instance], mbps: int) -> None:
    """What is refused of the speed, and of machines together (API 3.0)."""
    modes = {machine.internet_charge_type for machine in machines}
    if len(modes) > 1:
        raise InvalidParameter(
            "The machines pay for their network in several ways; change those of one way at a time.", field="machines"
        )
    if modes == {BANDWIDTH_POSTPAID_BY_HOUR} and len(machines) > 1:
        raise InvalidParameter(
            "The bandwidth of machines that pay for it by the hour is changed one machine at a time.", field="machines"
        )
    if not mbps:
        raise OutOfRange(
            "A bandwidth of 0 Mbps would take the public address away; the least is 1 Mbps.", field="bandwidth_mbps"
        )
    here = shop.snapshot()
    book = books.current_book(here.generation)
    for machine in machines:
        charge_type, region = machine.subscription.charge_type, here.zones[machine.zone_id].region
        part = NetworkPart(charge_type, machine.internet_charge_type, mbps, public_ip=True)
        part.check(book, book.regions[region])


def _reckoned(machines: Sequence[Instance], mbps: int) -> list[Reckoned]:
    places, found = exponent(shop.snapshot().currency), []
    hourly = _hourly(machines)
    for machine in machines:
        old, new = (_bandwidth_hourly(machine, speed) for speed in (machine.bandwidth_mbps, mbps))
        now, then = hourly[machine.id], hourly[machine.id] - old + new
        found.append(Reckoned(
            machine.public_id, machine.internet_charge_type, machine.bandwidth_mbps, mbps, new, now, then,
            hold_minor([now], places), hold_minor([then], places), _traffic_per_gib(machine),
        ))  # fmt: skip
    return found


def _hourly(machines: Sequence[Instance]) -> dict[int, Decimal]:
    """What each bundle is charged an hour now: of one that is off without charge, what is charged on."""
    off = [machine.id for machine in machines if machine.stop_charging_mode == STOP_CHARGING]
    on = [machine.id for machine in machines if machine.id not in off]
    found = holds.hourly(on) | (holds.hourly(off, paused=True) if off else {})
    return {bundle: exact or Decimal(0) for bundle, exact in found.items()}


def _traffic_per_gib(machine: Instance) -> Decimal | None:
    if machine.internet_charge_type != TRAFFIC_POSTPAID_BY_HOUR:
        return None
    here = shop.snapshot()
    return books.current_book(here.generation).regions[here.zones[machine.zone_id].region].traffic_gib


def _bandwidth_hourly(machine: Instance, mbps: int) -> Decimal:
    """What this speed costs the machine an hour at today's price; 0 by traffic."""
    if machine.internet_charge_type != BANDWIDTH_POSTPAID_BY_HOUR:
        return Decimal(0)
    item = _item(machine)
    rates = price_version(books.current_book(shop.snapshot().generation)).rates
    return rate_per_hour(rates[item.price_key], mbps)


def _item(machine: Instance) -> Item:
    return Item.objects.get(subscription_id=machine.id, component=BANDWIDTH, to_at=None)


def _set_aside(machine: Instance, reckoned: Reckoned) -> None:
    """An hour of the dearer speed while the change is under way. Raises InsufficientBalance."""
    if reckoned.hold_minor <= reckoned.hold_now_minor:
        return
    currency = shop.snapshot().currency  # read before: after a refusal the transaction answers nothing
    try:
        holds.take([machine.subscription], [reckoned.hold_minor])
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None or refusal[0] != "insufficient_balance":
            raise
        available, needed = (shown_minor(int(value), currency) for value in refusal[1].split("|"))
        raise InsufficientBalance(
            "One hour of {id} at {mbps} Mbps is set aside: {needed} are needed and {available} are available.",
            id=machine.public_id, mbps=reckoned.mbps, needed=needed, available=available,
        ) from None  # fmt: skip


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``bandwidth``: the engine first, then what is charged, in one commit."""
    for operation in batch:
        machine, mbps = m.read(operation.subject_id), int(operation.payload["mbps"])
        if _is_under_way(machine):
            _tell_engine(operation.lane, machine, mbps)
        with outcome(operation, owner) as changed:
            if changed and _is_under_way(changed):
                _in_force(changed, mbps)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The speed of before holds, and its hold."""
    for operation in batch:
        with outcome(operation, owner) as machine:
            if machine and _is_under_way(machine):
                _hold_what_it_asks(machine)
                m.fail(machine, "The bandwidth could not be changed; it is as before.", error)
                address.send(machine)  # an attempt whose answer was lost may have set the new one


def _is_under_way(machine: Instance) -> bool:
    """Whether nothing else has become of the machine: it may have been ended, or stopped for arrears, meanwhile."""
    return machine.latest_operation == ACT and machine.latest_operation_state == "OPERATING"


def _tell_engine(lane: str, machine: Instance, mbps: int) -> None:
    machine.bandwidth_mbps = mbps
    engine_of(lane).ensure_address(machine.public_id, machine.private_ip, public_address(machine))


def _in_force(machine: Instance, mbps: int) -> None:
    """It sends at the new speed: from this second on that is what it is charged for. Belongs into the act."""
    old = machine.bandwidth_mbps
    Instance.objects.filter(pk=machine.pk).update(bandwidth_mbps=mbps, latest_operation_state="SUCCESS")
    if machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR:
        _charge(machine, mbps)
        _hold_what_it_asks(machine)
    m.event(machine, "bandwidth_changed", old=old, new=mbps)


def _charge(machine: Instance, mbps: int) -> None:
    _agree(machine, mbps)
    at = db.call("metering_instant", clock.now())
    db.call("metering_end_each", [machine.id], [BANDWIDTH], at)
    paused = [machine.id] if machine.stop_charging_mode == STOP_CHARGING else []
    db.call("metering_start", [machine.id], paused, at)


def _agree(machine: Instance, mbps: int) -> None:
    """The terms from now on; two changes of one instant, which a test clock that stands still makes, are one."""
    item, now = _item(machine), clock.now()
    if item.from_at == now:
        Item.objects.filter(pk=item.pk).update(quantity=mbps)
        return
    Item.objects.filter(pk=item.pk).update(to_at=now)
    Item.objects.create(
        subscription_id=machine.id, component=BANDWIDTH, mode=item.mode, price_key=item.price_key, quantity=mbps,
        book_version=books.current_book(shop.snapshot().generation).version, pausable=item.pausable, from_at=now,
    )  # fmt: skip


def _hold_what_it_asks(machine: Instance) -> None:
    """The hold falls to an hour of what is agreed now; it was of the dearer speed."""
    paused = machine.stop_charging_mode == STOP_CHARGING
    holds.shrink([machine.subscription], [holds.hour_minor([machine.id], paused=paused)[machine.id]])
