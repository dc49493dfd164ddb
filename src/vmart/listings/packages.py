"""Bandwidth packages of an account with what is in them, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.listings.paging import PAGE, Matching, Page, cut, from_nearer_end, last_row, number
from vmart.listings.views import MemberView, PackageView
from vmart.network.models import Eip, EipState, Package
from vmart.pricing.configuration import POSTPAID_BY_HOUR
from vmart.tags import reads
from vmart.tags.things import BANDWIDTH_PACKAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPackages:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    names: Sequence[str] | None = None
    address_ids: Sequence[str] | None = None
    ips: Sequence[str] | None = None
    is_used: bool | None = None  # True
    tags: str | None = None  # of ``tags.reads.asked``


_INSIDE = "EXISTS (SELECT FROM network_eip e WHERE e.package_id = k.id{which})"
_CONDITIONS = {
    "public_ids": "k.public_id = ANY (%(public_ids)s)",
    "region": "k.zone_id = ANY (ARRAY(SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
    "names": "k.name = ANY (%(names)s)",
    "address_ids": _INSIDE.format(which=" AND e.public_id = ANY (%(address_ids)s)"),
    "ips": _INSIDE.format(which=" AND host(e.ip) = ANY (%(ips)s)"),
    "is_used": _INSIDE.format(which="") + " = %(is_used)s",
    "tags": reads.meeting(BANDWIDTH_PACKAGE, "k.public_id"),
}
_FROM = (
    "FROM network_package k JOIN subscriptions_subscription s ON s.id = k.id"
    " WHERE k.account_id = %(account)s AND k.state <> 'GONE'"
)
_NEWEST, _OLDEST = "ORDER BY k.created_at DESC, k.id DESC", "ORDER BY k.created_at, k.id"
_VIEW = """
SELECT k.id, k.public_id, k.name, k.zone_id AS zone, k.bandwidth_mbps, s.isolated_at IS NOT NULL AS off, s.release_at,
  k.latest_operation, k.latest_operation_state, k.latest_operation_error, k.created_at,
  (SELECT json_agg(json_build_array(e.public_id, host(e.ip), e.name, coalesce(i.public_id, ''), coalesce(i.name, ''))
                   ORDER BY e.id)
   FROM network_eip e LEFT JOIN instances_instance i ON i.id = e.instance_id WHERE e.package_id = k.id) AS members,
  {tags} AS tags
FROM (SELECT k.id {matching} {page}) AS page JOIN network_package k ON k.id = page.id
JOIN subscriptions_subscription s ON s.id = k.id
{order}""".replace("{tags}", reads.held(BANDWIDTH_PACKAGE, "k.public_id"))
_AFTER = "AND (k.created_at, k.id) < (%(last_at)s, %(last_id)s)"


def page(account_id: int, wanted: WantedPackages, *, offset: int = 0, limit: int = 20) -> tuple[int, list[PackageView]]:
    """How many of the account's packages are wanted, and a page of them, newest first."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, wanted)
    total, rows = from_nearer_end(_VIEW, _NEWEST, _OLDEST, matching, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> PackageView:
    members = tuple(MemberView(*told) for told in row.pop("members") or ())
    return PackageView(tags=reads.of(row.pop("tags")), members=members, **row)


def by_key(account_id: int, *, before: str = "") -> Page[PackageView]:
    """A page of them for people, by the order in which they were bought. ``before`` is a page's key."""
    last = last_row(Package.objects.filter(account_id=account_id), number(before))
    matching = Matching.of(account_id, _FROM, _CONDITIONS, WantedPackages())
    page = f"{_AFTER if last else ''} {_NEWEST} LIMIT {PAGE + 1}"
    rows = matching.rows(_VIEW, page=page, order=_NEWEST, **last)
    return cut([_listed(row) for row in rows], lambda view: view.id, first=not last)


def one(account_id: int, public_id: str) -> PackageView | None:
    """The account's package; None for another's."""
    matching = Matching.of(account_id, _FROM, _CONDITIONS, WantedPackages(public_ids=[public_id]))
    rows = matching.rows(_VIEW)
    return _listed(rows[0]) if rows else None


def usable(account_id: int, zone: str = "") -> list[tuple[str, str]]:
    """Public ids and names of those that an address of the zone ("" any) can come into; as many as a page has."""
    there = Package.objects.filter(account_id=account_id, state="CREATED", subscription__isolated_at=None)
    if zone:
        there = there.filter(zone_id=zone)
    return list(there.order_by("-created_at", "-id").values_list("public_id", "name")[:PAGE])


def joinable(account_id: int, zone: str) -> list[tuple[str, str]]:
    """Public ids of addresses of the zone that can come into one, and how each is shown; as many as a page has."""
    free = Eip.objects.filter(
        account_id=account_id, zone_id=zone, package=None, state__in=[EipState.UNBIND, EipState.BIND],
        subscription__charge_type=POSTPAID_BY_HOUR, subscription__isolated_at=None,
    ).exclude(latest_operation_state="OPERATING")  # fmt: skip
    found = free.order_by("-created_at", "-id").values_list("public_id", "ip", "name")[:PAGE]
    return [(public_id, f"{ip} · {name or public_id}") for public_id, ip, name in found]
