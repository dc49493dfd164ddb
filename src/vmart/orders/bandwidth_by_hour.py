"""Bandwidth that is charged as it is used: by the hour, or by traffic, where it is a cap (billing-rules, section 2).

By the hour, the new speed is charged from the second in which it is in force, and the old one until then; an hour of
the dearer one is set aside meanwhile. By traffic it moves no money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.money import exponent
from vmart.orders import agreed, holds
from vmart.orders.errors import InsufficientBalance
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pricing import books
from vmart.pricing.book import BANDWIDTH
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.rules import hold_minor


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


def reckoned(machines: Sequence[Instance], mbps: int) -> list[Reckoned]:
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
    item = agreed.item(machine.id, BANDWIDTH)
    rates = price_version(books.current_book(shop.snapshot().generation)).rates
    return rate_per_hour(rates[item.price_key], mbps)


def set_aside(machine: Instance, mbps: int) -> None:
    """An hour of the dearer speed while the change is under way; none by traffic. Raises InsufficientBalance."""
    if machine.internet_charge_type != BANDWIDTH_POSTPAID_BY_HOUR:
        return
    (found,) = reckoned([machine], mbps)
    if found.hold_minor <= found.hold_now_minor:
        return
    with holds.or_refuse(lambda available, needed: InsufficientBalance(
        "One hour of {id} at {mbps} Mbps is set aside: {needed} are needed and {available} are available.",
        id=machine.public_id, mbps=mbps, needed=needed, available=available,
    )):  # fmt: skip
        holds.take([machine.subscription], [found.hold_minor])


def in_force(machine: Instance, mbps: int) -> None:
    """From this second on the new speed is what is charged. Belongs into the act."""
    if machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR:
        _charge(machine, mbps)
        _hold_what_it_asks(machine)


def _charge(machine: Instance, mbps: int) -> None:
    agreed.agree(machine.id, BANDWIDTH, mbps)
    at = db.call("metering_instant", clock.now())
    db.call("metering_end_each", [machine.id], [BANDWIDTH], at)
    paused = [machine.id] if machine.stop_charging_mode == STOP_CHARGING else []
    db.call("metering_start", [machine.id], paused, at)


def back(machine: Instance) -> None:
    """The change failed: an hour of the speed of before is set aside again. Belongs into the act."""
    if machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR:
        _hold_what_it_asks(machine)


def _hold_what_it_asks(machine: Instance) -> None:
    """The hold falls to an hour of what is agreed now; it was of the dearer speed."""
    paused = machine.stop_charging_mode == STOP_CHARGING
    holds.shrink([machine.subscription], [holds.hour_minor([machine.id], paused=paused)[machine.id]])
