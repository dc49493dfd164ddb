"""Bought public addresses of an account, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import Instance, State
from vmart.listings.paging import PAGE, Matching, Page, cut, from_nearer_end, last_row, number
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
    "region": "e.zone_id = ANY (ARRAY(SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
    "zones": "e.zone_id = ANY (%(zones)s)",
    "names": "e.name = ANY (%(names)s)",
    "ips": "host(e.ip) = ANY (%(ips)s)",
    "states": "e.state = ANY (%(states)s)",
    "instance_ids": "i.public_id = ANY (%(instance_ids)s)",
    "private_ips": "host(i.private_ip) = ANY (%(private_ips)s)",
    "offs": "(s.isolated_at IS NOT NULL AND e.state <> 'OFFLINING')::text = ANY (%(offs)s)",
    "at_machines": "(i.id IS NOT NULL) = %(at_machines)s",
    "tags": reads.meeting(EIP, "e.public_id"),
}
_JOINED = "LEFT JOIN subscriptions_subscription s ON s.id = e.id LEFT JOIN instances_instance i ON i.id = e.instance_id"
_PACKAGE = " LEFT JOIN network_package k ON k.id = e.package_id"
_FROM = f"FROM network_eip e {_JOINED} WHERE e.account_id = %(account)s AND e.state <> 'GONE'"
_NEWEST, _OLDEST = "ORDER BY e.created_at DESC, e.id DESC", "ORDER BY e.created_at, e.id"
_VIEW = """
SELECT e.id, e.public_id, e.name, host(e.ip) AS ip, e.state, e.zone_id AS zone, coalesce(i.public_id, '') AS machine,
  coalesce(i.name, '') AS machine_name, host(i.private_ip) AS private_ip, e.internet_charge_type, e.bandwidth_mbps,
  s.isolated_at IS NOT NULL AND e.state <> 'OFFLINING' AS off, s.renew_flag, s.expires_at, s.release_at,
  e.latest_operation, e.latest_operation_state, e.latest_operation_error, e.created_at,
  coalesce(k.public_id, '') AS package, {tags} AS tags
FROM (SELECT e.id {matching} {page}) AS page JOIN network_eip e ON e.id = page.id {joined}
{order}""".replace("{tags}", reads.held(EIP, "e.public_id")).replace("{joined}", _JOINED + _PACKAGE)
_AFTER = "AND (e.created_at, e.id) < (%(last_at)s, %(last_id)s)"


def page(account_id: int, wanted: WantedEips, *, offset: int = 0, limit: int = 20) -> tuple[int, list[EipView]]:
    """How many of the account's addresses are wanted, and a page of them, newest first."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, wanted)
    total, rows = from_nearer_end(_VIEW, _NEWEST, _OLDEST, matching, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> EipView:
    return EipView(tags=reads.of(row.pop("tags")), **row)


def by_key(account_id: int, *, before: str = "") -> Page[EipView]:
    """A page of them for people, by the order in which they were bought. ``before`` is a page's key."""
    last = last_row(Eip.objects.filter(account_id=account_id), number(before))
    matching = Matching.of(account_id, _FROM, _CONDITIONS, WantedEips())
    page = f"{_AFTER if last else ''} {_NEWEST} LIMIT {PAGE + 1}"
    rows = matching.rows(_VIEW, page=page, order=_NEWEST, **last)
    return cut([_listed(row) for row in rows], lambda view: view.id, first=not last)


def one(account_id: int, public_id: str) -> EipView | None:
    """The account's address; None for another's."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, WantedEips(public_ids=[public_id]))
    rows = matching.rows(_VIEW)
    return _listed(rows[0]) if rows else None


def at_machine(instance_id: int) -> Eip | None:
    """The address that is bound to the machine, or on its way."""
    return Eip.objects.filter(instance_id=instance_id).select_related("subscription").first()


def bindable(account_id: int, zone: str) -> list[tuple[str, str]]:
    """Public ids and names of machines in the zone that can get one, newest first; at most so many as a page has."""
    without = Instance.objects.filter(account_id=account_id, zone_id=zone, public_ip_wanted=False, eip=None)
    there = without.filter(state__in=[State.RUNNING, State.STOPPED]).exclude(stop_charging_mode=STOP_CHARGING)
    return list(there.order_by("-created_at", "-id").values_list("public_id", "name")[:PAGE])
