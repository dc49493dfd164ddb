"""Snapshot policies of an account, with their disks, and the policies of disks."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.listings.paging import by_offset
from vmart.orders.snapshots import schedule
from vmart.storage.policies import numbers


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy. ``weekdays``: 0 is Sunday; ``retention_days`` 0: for good; ``disks``: public ids of those there are."""

    id: int
    public_id: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPolicies:
    """Which: those that meet every condition given (None: not given); a sequence means any of it."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    named_ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    states: Sequence[str] | None = None
    disk: str | None = None


_CONDITIONS = {
    "public_ids": "p.public_id = ANY (%(public_ids)s)",
    "named_ids": "p.public_id = ANY (%(named_ids)s)",
    "region": "p.region_id = %(region)s",
    "names": "p.name = ANY (%(names)s)",
    "states": "'NORMAL' = ANY (%(states)s)",  # there is no other
    "disk": "p.id = (SELECT b.policy_id FROM storage_disk d JOIN storage_snapshot_policy_disk b ON b.disk_id = d.id"
    " WHERE d.public_id = %(disk)s)",
}
_FROM = "FROM storage_snapshot_policy p WHERE p.account_id = %(account)s"
# What could not be made is bound until its policy is due next, or until nothing of it is left.
_VIEW = """
SELECT p.*, ARRAY(
    SELECT d.public_id FROM storage_snapshot_policy_disk b JOIN storage_disk d ON d.id = b.disk_id
    LEFT JOIN instances_instance i ON d.state = '' AND i.id = d.instance_id
    WHERE b.policy_id = p.id AND d.state <> 'FAILED' AND i.state IS DISTINCT FROM 'LAUNCH_FAILED'
    ORDER BY d.id) AS disks
FROM (SELECT p.id, p.public_id, p.name, p.active, p.hours, p.weekdays, p.retention_days, p.created_at
      {matching} ORDER BY {order} OFFSET %(offset)s LIMIT %(limit)s) p
ORDER BY {order}
"""


def page(
    account_id: int, wanted: WantedPolicies, *, newest_first: bool = True, offset: int = 0, limit: int = 20
) -> tuple[int, list[PolicyView]]:
    """How many of the account's policies are wanted, and a page of them."""
    query = _VIEW.replace("{order}", "p.id DESC" if newest_first else "p.id")
    total, rows = by_offset(query, _FROM, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_view(row) for row in rows]


def _view(row: dict[str, Any]) -> PolicyView:
    return PolicyView(**row | {"hours": numbers(row["hours"]), "weekdays": numbers(row["weekdays"])})
