"""Bandwidth that is charged as it is used: by the hour, or by traffic, where it is a cap (billing-rules, section 2).

By the hour it is changed as all that is charged so (``hourly``). By traffic it moves no money.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.instances.models import Instance
from vmart.orders import agreed, hourly
from vmart.orders.hourly import Hours
from vmart.pricing import books
from vmart.pricing.configuration import BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR


@dataclass(frozen=True, slots=True)
class Reckoned:
    """What another speed means for one machine, an hour at a time; exact.

    By traffic nothing of ``hours`` changes, and ``traffic_per_gib`` is what 2^30 bytes cost; None by the hour.
    """

    public_id: str
    internet_charge_type: str
    mbps_now: int
    mbps: int
    bandwidth_hourly: Decimal
    hours: Hours
    traffic_per_gib: Decimal | None


def reckoned(machines: Sequence[Instance], mbps: int) -> list[Reckoned]:
    new = [_bandwidth_hourly(machine, mbps) for machine in machines]
    more = [hourly.more(one, agreed.at_speed(one, mbps)) if _is_by_hour(one) else Decimal(0) for one in machines]
    return [
        Reckoned(
            one.public_id, one.internet_charge_type, one.bandwidth_mbps, mbps, cost, hours, _traffic_per_gib(one)
        )
        for one, cost, hours in zip(machines, new, hourly.reckoned(machines, more), strict=True)
    ]  # fmt: skip


def _traffic_per_gib(machine: Instance) -> Decimal | None:
    if machine.internet_charge_type != TRAFFIC_POSTPAID_BY_HOUR:
        return None
    here = shop.snapshot()
    book = books.own_book(machine.account_id, here.generation)
    return book.regions[here.zones[machine.zone_id].region].traffic_gib


def _bandwidth_hourly(machine: Instance, mbps: int) -> Decimal:
    """What this speed costs the machine an hour at today's price; 0 by traffic."""
    if not _is_by_hour(machine):
        return Decimal(0)
    return hourly.hour_of(machine.account_id, agreed.at_speed(machine, mbps).term)


def _is_by_hour(machine: Instance) -> bool:
    return machine.internet_charge_type == BANDWIDTH_POSTPAID_BY_HOUR


def set_aside(machine: Instance, mbps: int) -> None:
    """An hour of the dearer speed while the change is under way; none by traffic. Raises InsufficientBalance."""
    if _is_by_hour(machine):
        (found,) = reckoned([machine], mbps)
        hourly.set_aside(machine, found.hours, f"{mbps} Mbps")


def in_force(machine: Instance, mbps: int) -> None:
    """From this second on the new speed is what is charged. Belongs into the act."""
    if _is_by_hour(machine):
        hourly.in_force(machine, agreed.at_speed(machine, mbps))


def back(machine: Instance) -> None:
    """The change failed: an hour of the speed of before is set aside again. Belongs into the act."""
    if _is_by_hour(machine):
        hourly.hold_what_it_asks(machine)
