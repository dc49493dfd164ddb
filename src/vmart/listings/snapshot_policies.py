"""Snapshot policies of an account, with their disks, and the policies of disks."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.listings import disks as listed_disks
from vmart.listings.paging import PAGE, Matching, Page, by_offset, cut, number
from vmart.listings.views import ListedDisk
from vmart.orders.snapshots import schedule
from vmart.storage.policies import PolicyDisk, numbers


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy. ``weekdays``: 0 is Sunday; ``retention_days`` 0: for good; ``disks``: public ids of those there are."""

    id: int
    public_id: str
    region: str
    name: str
    active: bool
    hours: list[int]
    weekdays: list[int]
    retention_days: int
    created_at: dt.datetime
    disks: list[str]

    @property
    def next_at(self) -> dt.datetime | None:
        """When it is due next; None where it is not active."""
        zone = shop.snapshot().billing_zone
        return schedule.following(self.hours, self.weekdays, clock.now(), zone) if self.active else None


@dataclass(frozen=True, slots=True)
class BoundDisk:
    """A disk of a policy, with the machine that has it ("" for none), and what became of the policy's last time.

    ``last_due_at``: None where there was none yet; ``skipped``: why no snapshot was made then, {} where one was.
    """

    id: int
    public_id: str
    name: str
    usage: str
    is_own: bool
    machine: str
    machine_name: str
    policy: str
    last_due_at: dt.datetime | None
    skipped: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPolicies:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    named_ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    states: Sequence[str] | None = None
    disk: str | None = None
    word: str | None = None  # a part of the name, or an id


_CONDITIONS = {
    "public_ids": "p.public_id = ANY (%(public_ids)s)",
    "named_ids": "p.public_id = ANY (%(named_ids)s)",
    "region": "p.region_id = %(region)s",
    "names": "p.name = ANY (%(names)s)",
    "states": "'NORMAL' = ANY (%(states)s)",  # there is no other
    "word": "(position(lower(%(word)s) IN lower(p.name)) > 0 OR p.public_id = %(word)s)",
    "disk": "p.id = (SELECT b.policy_id FROM storage_disk d JOIN storage_snapshot_policy_disk b ON b.disk_id = d.id"
    " WHERE d.public_id = %(disk)s)",
}
TO_BIND_MAX = 100  # of those that are offered to choose from
_ABOVE_ALL = 2**63 - 1
_BOUND = """
SELECT d.id, d.public_id, d.name, d.usage, d.state <> '' AS is_own, coalesce(i.public_id, '') AS machine,
       coalesce(i.name, '') AS machine_name, p.public_id AS policy, b.last_due_at, b.skipped
FROM storage_snapshot_policy_disk b JOIN storage_snapshot_policy p ON p.id = b.policy_id
JOIN storage_disk d ON d.id = b.disk_id LEFT JOIN instances_instance i ON i.id = d.instance_id
WHERE b.policy_id = %(policy)s AND d.id < %(last_id)s
ORDER BY d.id DESC LIMIT %(limit)s
"""
_FROM = "FROM storage_snapshot_policy p WHERE p.account_id = %(account)s"
# What could not be made is bound until its policy is due next, or until nothing of it is left.
_VIEW = """
SELECT p.*, ARRAY(
    SELECT d.public_id FROM storage_snapshot_policy_disk b JOIN storage_disk d ON d.id = b.disk_id
    LEFT JOIN instances_instance i ON d.state = '' AND i.id = d.instance_id
    WHERE b.policy_id = p.id AND d.state <> 'FAILED' AND i.state IS DISTINCT FROM 'LAUNCH_FAILED'
    ORDER BY d.id) AS disks
FROM (SELECT p.id, p.public_id, p.region_id AS region, p.name, p.active, p.hours, p.weekdays, p.retention_days,
      p.created_at {matching} {page} ORDER BY {order} OFFSET %(offset)s LIMIT %(limit)s) p
ORDER BY {order}
"""


def page(
    account_id: int, wanted: WantedPolicies, *, newest_first: bool = True, offset: int = 0, limit: int = 20
) -> tuple[int, list[PolicyView]]:
    """How many of the account's policies are wanted, and a page of them."""
    query = _VIEW.replace("{order}", "p.id DESC" if newest_first else "p.id").replace("{page}", "")
    total, rows = by_offset(query, _FROM, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_view(row) for row in rows]


def by_key(account_id: int, word: str = "", *, before: str = "") -> Page[PolicyView]:
    """A page of them for people, newest first. ``before`` is a page's key."""
    key = number(before)
    matching = Matching.of(account_id, _FROM, _CONDITIONS, WantedPolicies(word=word or None))
    rows = matching.rows(
        _VIEW, page="AND p.id < %(last_id)s", order="p.id DESC", offset=0, limit=PAGE + 1, last_id=key or _ABOVE_ALL
    )
    return cut([_view(row) for row in rows], lambda view: view.id, first=key is None)


def one(account_id: int, public_id: str) -> PolicyView | None:
    """The account's policy; None for another's."""
    _total, found = page(account_id, WantedPolicies(public_ids=[public_id]))
    return found[0] if found else None


def disks_of(policy: PolicyView, *, before: str = "") -> Page[BoundDisk]:
    """A page of the policy's disks, newest first."""
    key = number(before)
    rows = db.rows(_BOUND, policy=policy.id, last_id=key or _ABOVE_ALL, limit=PAGE + 1)
    found = [BoundDisk(**row | {"skipped": json.loads(row["skipped"] or "{}")}) for row in rows]
    return cut(found, lambda disk: disk.id, first=key is None)


def of_disks(disk_ids: Sequence[int]) -> dict[int, PolicyDisk]:
    """Which of these disks are bound, by number, each with its policy and what became of that's last time."""
    bound = PolicyDisk.objects.select_related("policy").filter(disk__in=disk_ids)
    return {one.disk_id: one for one in bound}


def to_bind(account_id: int, region: str) -> list[ListedDisk]:
    """The newest disks of the region that no policy has."""
    _total, found = listed_disks.page(account_id, listed_disks.Wanted(region=region), limit=TO_BIND_MAX)
    return [disk for disk in found if not disk.policies]


def _view(row: dict[str, Any]) -> PolicyView:
    return PolicyView(**row | {"hours": numbers(row["hours"]), "weekdays": numbers(row["weekdays"])})
