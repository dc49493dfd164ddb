"""Snapshots of an account, by ids and conditions, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.listings.paging import PAGE, Matching, Page, cut, from_nearer_end, last_row, number
from vmart.listings.views import SnapshotView
from vmart.storage.models import Disk, Snapshot, State
from vmart.tags import reads
from vmart.tags.things import SNAPSHOT


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSnapshots:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    names: Sequence[str] | None = None
    states: Sequence[str] | None = None
    usages: Sequence[str] | None = None
    disk_ids: Sequence[str] | None = None
    tags: str | None = None  # of ``tags.reads.asked``


_CONDITIONS = {
    "public_ids": "n.public_id = ANY (%(public_ids)s)",
    "region": "n.zone_id = ANY (ARRAY(SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
    "zones": "n.zone_id = ANY (%(zones)s)",
    "names": "n.name = ANY (%(names)s)",
    "states": "n.state = ANY (%(states)s)",
    "usages": "n.usage = ANY (%(usages)s)",
    "disk_ids": "d.public_id = ANY (%(disk_ids)s)",
    "tags": reads.meeting(SNAPSHOT, "n.public_id"),
}
# What could not be made was never there, what is being deleted is no more.
_FROM = (
    "FROM storage_snapshot n LEFT JOIN storage_disk d ON d.id = n.disk_id"
    " WHERE n.account_id = %(account)s AND n.state <> 'GONE'"
)
_THERE = f"{_FROM} AND n.state NOT IN ('FAILED', 'ERASING')"
_NEWEST, _OLDEST = "ORDER BY n.created_at DESC, n.id DESC", "ORDER BY n.created_at, n.id"
_VIEW = """
SELECT n.id, n.public_id, n.name, n.state, n.usage, n.size_gib, d.public_id AS disk, d.name AS disk_name,
  n.zone_id AS zone, n.latest_operation, n.latest_operation_state, n.latest_operation_error, n.created_at,
  coalesce(s.policy, '') AS policy, n.delete_at, {tags} AS tags
FROM (SELECT n.id {matching} {page}) AS page JOIN storage_snapshot n ON n.id = page.id
JOIN storage_disk d ON d.id = n.disk_id LEFT JOIN storage_snapshot_scheduled s ON s.snapshot_id = n.id
{order}""".replace("{tags}", reads.held(SNAPSHOT, "n.public_id"))
_AFTER = "AND (n.created_at, n.id) < (%(last_at)s, %(last_id)s)"


def page(
    account_id: int, wanted: WantedSnapshots, *, newest_first: bool = True, offset: int = 0, limit: int = 20
) -> tuple[int, list[SnapshotView]]:
    """How many of the account's snapshots are wanted, and a page of them."""
    order = (_NEWEST, _OLDEST) if newest_first else (_OLDEST, _NEWEST)
    matching = Matching.of(account_id, _THERE, _CONDITIONS, wanted)
    total, rows = from_nearer_end(_VIEW, *order, matching, offset=offset, limit=limit)
    return total, [_listed(row) for row in rows]


def _listed(row: dict[str, Any]) -> SnapshotView:
    return SnapshotView(tags=reads.of(row.pop("tags")), **row)


def by_key(account_id: int, wanted: WantedSnapshots | None = None, *, before: str = "") -> Page[SnapshotView]:
    """A page of them for people, in the order in which they were asked for. ``before`` is a page's key."""
    last = last_row(Snapshot.objects.filter(account_id=account_id), number(before))
    matching = Matching.of(account_id, _FROM, _CONDITIONS, wanted or WantedSnapshots())
    page = f"{_AFTER if last else ''} {_NEWEST} LIMIT {PAGE + 1}"
    rows = matching.rows(_VIEW, page=page, order=_NEWEST, **last)
    return cut([_listed(row) for row in rows], lambda view: view.id, first=not last)


def one(account_id: int, public_id: str) -> tuple[Snapshot, Instance | None] | None:
    """The account's snapshot, also one that could not be made, and the machine that its disk goes with; None for
    another's, and for one that is deleted.
    """
    own = Snapshot.objects.filter(account_id=account_id, public_id=public_id).exclude(state="GONE")
    found = own.select_related("subscription", "disk__subscription", "scheduled").first()
    if found is None:
        return None
    return found, _machine(found.disk)


def _machine(disk: Disk) -> Instance | None:
    """The machine that the disk goes with."""
    if disk.state != State.WITH_MACHINE:
        return None
    return Instance.objects.select_related("subscription").filter(id=disk.instance_id or 0).first()


def disk(account_id: int, public_id: str) -> tuple[Disk, Instance | None] | None:
    """A disk of the account of which a snapshot may be made, and the machine that it goes with."""
    sayable = "" if "\0" in public_id else public_id
    own = Disk.objects.filter(account_id=account_id, public_id=sayable).exclude(state__in=[State.GONE, State.FAILED])
    found = own.select_related("subscription").first()
    if found is None:
        return None
    return found, _machine(found)


@dataclass(frozen=True, slots=True)
class Overview:
    """How many there are, and of how many GiB together."""

    count: int
    size_gib: int


def overview(account_id: int, region: str | None) -> Overview:
    """Of the account's in the region (all regions where it is None)."""
    (row,) = db.rows(
        f"SELECT count(*) AS count, coalesce(sum(n.size_gib), 0) AS gib {_THERE}"  # noqa: S608 (no value in it)
        " AND (%(region)s::text IS NULL OR n.zone_id IN (SELECT code FROM catalog_zone WHERE region_id = %(region)s))",
        account=account_id, region=region,
    )  # fmt: skip
    return Overview(row["count"], int(row["gib"]))
