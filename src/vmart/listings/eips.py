"""Bought public addresses of an account, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import Instance, State
from vmart.listings.paging import PAGE, Matching, Page, by_offset, cut, number
from vmart.listings.views import EipView
from vmart.network.models import Eip
from vmart.orders.without_charge import STOP_CHARGING
from vmart.tags import reads
from vmart.tags.things import EIP


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedEips:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    names: Sequence[str] | None = None
    ips: Sequence[str] | None = None
    states: Sequence[str] | None = None
    instance_ids: Sequence[str] | None = None
    private_ips: Sequence[str] | None = None
    offs: Sequence[str] | None = None  # true, false
    at_machines: bool | None = None  # True
    tags: str | None = None  # of ``tags.reads.asked``


_CONDITIONS = {
    "public_ids": "e.public_id = ANY (%(public_ids)s)",
    "region": "s.zone_id IN (SELECT code FROM catalog_zone WHERE region_id = %(region)s)",
    "zones": "s.zone_id = ANY (%(zones)s)",
    "names": "e.name = ANY (%(names)s)",
    "ips": "host(e.ip) = ANY (%(ips)s)",
    "states": "e.state = ANY (%(states)s)",
    "instance_ids": "i.public_id = ANY (%(instance_ids)s)",
    "private_ips": "host(i.private_ip) = ANY (%(private_ips)s)",
    "offs": "(s.arrears_since IS NOT NULL)::text = ANY (%(offs)s)",
    "at_machines": "(i.id IS NOT NULL) = %(at_machines)s",
    "tags": reads.meeting(EIP, "e.public_id"),
}
_FROM = (
    "FROM network_eip e JOIN subscriptions_subscription s ON s.id = e.id"
    " LEFT JOIN instances_instance i ON i.id = e.instance_id"
    " WHERE e.account_id = %(account)s AND e.state <> 'GONE'"
)
_VIEW = f"""
SELECT e.id, e.public_id, e.name, host(e.ip) AS ip, e.state, s.zone_id AS zone, coalesce(i.public_id, '') AS machine,
  coalesce(i.name, '') AS machine_name, host(i.private_ip) AS private_ip, e.internet_charge_type, e.bandwidth_mbps,
  s.arrears_since IS NOT NULL AS off, e.latest_operation, e.latest_operation_state, e.latest_operation_error,
  s.created_at, {reads.held(EIP, "e.public_id")} AS tags
{{matching}}"""
_NEWEST = "ORDER BY s.created_at DESC, e.id DESC"
_ABOVE_ALL = 2**63 - 1


def page(account_id: int, wanted: WantedEips, *, offset: int = 0, limit: int = 20) -> tuple[int, list[EipView]]:
    """How many of the account's addresses are wanted, and a page of them, newest first."""
    query = f"{_VIEW} {_NEWEST} OFFSET %(offset)s LIMIT %(limit)s"
    total, rows = by_offset(query, _FROM, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> EipView:
    return EipView(tags=reads.of(row.pop("tags")), **row)


def by_key(account_id: int, *, before: str = "") -> Page[EipView]:
    """A page of them for people, by the order in which they were bought. ``before`` is a page's key."""
    key = number(before)
    matching = Matching.of(account_id, _FROM + " AND e.id < %(last_id)s", _CONDITIONS, WantedEips())
    rows = matching.rows(f"{_VIEW} ORDER BY e.id DESC LIMIT %(limit)s", last_id=key or _ABOVE_ALL, limit=PAGE + 1)
    return cut([_listed(row) for row in rows], lambda view: view.id, first=key is None)


def one(account_id: int, public_id: str) -> EipView | None:
    """The account's address; None for another's."""
    _total, found = page(account_id, WantedEips(public_ids=[public_id]))
    return found[0] if found else None


def at_machine(instance_id: int) -> Eip | None:
    """The address that is bound to the machine, or on its way."""
    return Eip.objects.filter(instance_id=instance_id).select_related("subscription").first()


def bindable(account_id: int, zone: str) -> list[tuple[str, str]]:
    """Public ids and names of machines in the zone that can get one, newest first; at most so many as a page has."""
    without = Instance.objects.filter(account_id=account_id, zone_id=zone, public_ip_wanted=False, eip=None)
    there = without.filter(state__in=[State.RUNNING, State.STOPPED]).exclude(stop_charging_mode=STOP_CHARGING)
    return list(there.order_by("-created_at", "-id").values_list("public_id", "name")[:PAGE])
