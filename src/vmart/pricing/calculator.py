"""List prices out of what a host costs: pure, over exact decimals, for a seller who has no prices yet.

What a month of the host costs is shared out between its processors, memory and disks by the seller's own percentages.
Each share is divided by what of it is sold once the host is as full as the seller expects, and then by (1 − margin):
the margin is that part of a price which is left when the host is paid. A price of a thing is the sum of its parts.

Roundings, all upwards, so that the margin is never less than what was wanted: a machine's month to whole minor units,
its hour to 0.0001; a GiB of disk a month to 0.0001, an hour to 0.000001; a Mbps a month to 0.01, an hour to 0.0001; a
GiB of traffic to 0.0001. An hour is the exact month / 730 × ``hour_factor``: 730 hours are an average month.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext

from vmart.kernel.money import CONTEXT

HOURS = 730
GIB_OF_A_MBPS = Decimal(HOURS * 3600 * 1_000_000 // 8) / 2**30  # a Mbps that is never idle, a month long
TRAFFIC_USE = Decimal("0.3")  # of the time, where traffic is counted
_ONE, _PERCENT = Decimal(1), Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Host:
    """A host, what it costs a month in currency units, and how it is sold; percentages are whole numbers.

    ``vcpu`` are its threads, each sold ``vcpu_overcommit`` times; ``fill_percent`` is how much of it is sold in an
    ordinary month. What ``cpu_percent`` and ``memory_percent`` leave of the cost is the disks'. ``line_month`` is what
    ``line_mbps`` to the internet cost.
    """

    month: Decimal
    vcpu: int
    memory_gib: int
    disk_gib: int
    vcpu_overcommit: int = 4
    fill_percent: int = 70
    margin_percent: int = 40
    cpu_percent: int = 45
    memory_percent: int = 35
    line_month: Decimal = Decimal(0)
    line_mbps: int = 1000
    hour_factor: Decimal = Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Worked:
    """A unit price of a month, exact, with what it was worked out of: share / (units sold) / (1 − margin)."""

    share: Decimal
    units: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Unit:
    """What a month of a vCPU, of a GiB of memory, of a GiB of disk and of a Mbps has to bring in."""

    vcpu: Worked
    memory_gib: Worked
    disk_gib: Worked
    mbps: Worked


@dataclass(frozen=True, slots=True)
class Price:
    """List prices of a month and of an hour, rounded."""

    month: Decimal
    hour: Decimal


def units(host: Host) -> Unit:
    """What each unit of the host has to bring in a month."""
    with localcontext(CONTEXT):
        fill = host.fill_percent * _PERCENT
        disk_percent = 100 - host.cpu_percent - host.memory_percent
        return Unit(
            _worked(host, host.cpu_percent * _PERCENT * host.month, host.vcpu * host.vcpu_overcommit * fill),
            _worked(host, host.memory_percent * _PERCENT * host.month, host.memory_gib * fill),
            _worked(host, disk_percent * _PERCENT * host.month, host.disk_gib * fill),
            _worked(host, host.line_month, host.line_mbps * fill),
        )


def _worked(host: Host, share: Decimal, sold: Decimal) -> Worked:
    return Worked(share, sold, share / sold / (_ONE - host.margin_percent * _PERCENT))


def machine(host: Host, vcpu: int, memory_gib: int, places: int = 2) -> Price:
    """A machine type; ``places`` are the decimals of the currency."""
    per = units(host)
    with localcontext(CONTEXT):
        exact = vcpu * per.vcpu.price + memory_gib * per.memory_gib.price
    return Price(up(exact, places), an_hour(host, exact, 4))


def disk(host: Host) -> Price:
    """A GiB of disk."""
    exact = units(host).disk_gib.price
    return Price(up(exact, 4), an_hour(host, exact, 6))


def bandwidth(host: Host) -> Price:
    """A Mbps."""
    exact = units(host).mbps.price
    return Price(up(exact, 2), an_hour(host, exact, 4))


def traffic_gib(host: Host) -> Decimal:
    """A GiB of traffic: a Mbps that is used TRAFFIC_USE of the time carries so many of them."""
    with localcontext(CONTEXT):
        return up(units(host).mbps.price / (GIB_OF_A_MBPS * TRAFFIC_USE), 4)


def an_hour(host: Host, month: Decimal, places: int) -> Decimal:
    """The hour of what costs so much a month."""
    with localcontext(CONTEXT):
        return up(month / HOURS * host.hour_factor, places)


def up(amount: Decimal, places: int) -> Decimal:
    """Rounded up to so many decimals."""
    with localcontext(CONTEXT):
        return amount.quantize(_ONE.scaleb(-places), rounding=ROUND_CEILING)
