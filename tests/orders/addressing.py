"""Bought public addresses of a test's customer, and what is seen of them."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

from tests.support.actors import by
from tests.support.shopper import HOURLY, ZONE, work
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.network.models import Eip
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.models import Line
from vmart.pricing.address import AddressPart
from vmart.provisioning.zone_engines import engine_of

TRAFFIC, BANDWIDTH = "TRAFFIC_POSTPAID_BY_HOUR", "BANDWIDTH_POSTPAID_BY_HOUR"
MONTH = "BANDWIDTH_PREPAID_BY_MONTH"
MONTH_MINOR = 11_500  # 5 Mbps: 2 × 20 + 3 × 25
HOURLY_WITH_ADDRESS = replace(HOURLY, internet_charge_type=TRAFFIC, bandwidth_mbps=5, public_ip=True)
UTC8 = ZoneInfo("Asia/Shanghai")
IDLE_MINOR = 20  # 0.20 an hour
GIB = 1 << 30


def by_traffic(**what: object) -> NewAddresses:
    return NewAddresses("ap-guangzhou", AddressPart(TRAFFIC, 5), **({"zone": ZONE} | what))  # type: ignore[arg-type]


def by_bandwidth(mbps: int = 10) -> NewAddresses:
    """10 Mbps: 5 × 0.063 + 5 × 0.25 an hour."""
    return NewAddresses("ap-guangzhou", AddressPart(BANDWIDTH, mbps), ZONE)


def by_month(mbps: int = 5, months: int = 1, **what: object) -> NewAddresses:
    """A month of 5 Mbps: 2 × 20 + 3 × 25; an hour of them 5 × 0.063."""
    part = AddressPart(MONTH, mbps)
    return NewAddresses("ap-guangzhou", part, months=months, **({"zone": ZONE} | what))  # type: ignore[arg-type]


def term(eip: Eip) -> tuple[dt.datetime | None, dt.datetime | None]:
    """From where its terms count, and when it expires."""
    agreed = again(eip).subscription
    return agreed.anchor_at, agreed.expires_at


def lines(eip: Eip) -> list[tuple[str, str, int, int]]:
    """Of each order for it: action, the line's state, its price, and what came back."""
    found = Line.objects.select_related("order").filter(subscription_id=eip.id).order_by("id")
    return [(line.order.action, line.state, line.amount_minor, line.refund_minor) for line in found]


def new_address(account: int, asked: NewAddresses | None = None) -> Eip:
    (public_id,) = allocate(by(account), asked or by_traffic()).public_ids
    return again(Eip.objects.get(public_id=public_id))


def bound(account: int, machine: Instance, asked: NewAddresses | None = None) -> Eip:
    """A new one at the machine."""
    eip = new_address(account, asked)
    associate(by(account), eip.public_id, machine.public_id)
    work()
    return again(eip)


def again(eip: Eip) -> Eip:
    """As it is now."""
    return Eip.objects.select_related("subscription").get(pk=eip.pk)


def latest(eip: Eip) -> tuple[str, str, str]:
    now = again(eip)
    return now.state, now.latest_operation, now.latest_operation_state


def of_machine(machine: Instance) -> tuple[str, str, str]:
    now = Instance.objects.get(pk=machine.pk)
    return now.state, now.latest_operation, now.latest_operation_state


def seen(machine: Instance) -> str:
    """The address that the engine leads to it."""
    return engine_of(ZONE).observe(machine.public_id).public_ip


def segments(eip: Eip) -> list[tuple[str, int, dt.datetime, dt.datetime | None]]:
    rows = Segment.objects.filter(subscription_id=eip.id).order_by("started_at", "id")
    return list(rows.values_list("component", "quantity", "started_at", "ended_at"))
