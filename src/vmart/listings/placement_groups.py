"""Placement groups of an account, newest first, and what of its quotas is used."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.customers import quotas
from vmart.listings.paging import PAGE, Matching, Page, by_offset, cut, number
from vmart.orders import placement_groups
from vmart.placement.models import Group
from vmart.tags import reads
from vmart.tags.things import PLACEMENT_GROUP
from vmart.tags.wanted import Tag


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group. ``most``: how many machines it may have; ``machines``: public ids of those that it has."""

    id: int
    public_id: str
    name: str
    apart: str
    affinity: int
    created_at: dt.datetime
    most: int
    machines: tuple[str, ...]
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    public_ids: Sequence[str] | None = None
    word: str | None = None
    tags: str | None = None  # of ``tags.reads.asked``


_CONDITIONS = {
    "tags": reads.meeting(PLACEMENT_GROUP, "g.public_id"),
    "public_ids": "g.public_id = ANY (%(public_ids)s)",
    "word": "(position(lower(%(word)s) IN lower(g.name)) > 0 OR g.public_id = %(word)s)",
}
_ABOVE_ALL = 2**63 - 1
_FROM = "FROM placement_group g WHERE g.account_id = %(account)s"
_VIEW = """
SELECT g.*, fn.customers_quota(%(account)s, 'machines_per_group') AS most,
       ARRAY(SELECT i.public_id FROM placement_member member JOIN instances_instance i ON i.id = member.instance_id
             WHERE member.group_id = g.id ORDER BY i.created_at, i.id) AS machines,
       {tags} AS tags
FROM (SELECT g.id, g.public_id, g.name, g.apart, g.affinity, g.created_at
      {matching} {page} ORDER BY g.id DESC OFFSET %(offset)s LIMIT %(limit)s) g
ORDER BY g.id DESC
""".replace("{tags}", reads.held(PLACEMENT_GROUP, "g.public_id"))


def some(
    account_id: int,
    *,
    public_ids: Sequence[str] | None = None,
    word: str = "",
    tags: str | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[int, list[GroupView]]:
    """How many groups have one of the ids and the word in their name (none: any), and a page of them."""
    wanted = _Wanted(public_ids=public_ids, word=word or None, tags=tags)
    query = _VIEW.replace("{page}", "")
    total, rows = by_offset(query, _FROM, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_view(row) for row in rows]


def by_key(account_id: int, word: str = "", *, before: str = "") -> Page[GroupView]:
    """A page of them for people, in whose name or id the word is. ``before`` is a page's key."""
    key = number(before)
    matching = Matching.of(account_id, _FROM, _CONDITIONS, _Wanted(word=word or None))
    rows = matching.rows(_VIEW, page="AND g.id < %(last_id)s", offset=0, limit=PAGE + 1, last_id=key or _ABOVE_ALL)
    return cut([_view(row) for row in rows], lambda view: view.id, first=key is None)


def group(account_id: int, public_id: str) -> GroupView | None:
    """The account's group; None for another's."""
    _total, found = some(account_id, public_ids=[public_id])
    return found[0] if found else None


def of_machine(number: int) -> Group | None:
    """The group that a machine is in."""
    return Group.objects.filter(member=number).first()


def used(account_id: int) -> tuple[int, int, int]:
    """How many groups the account has, how many it may have, and how many machines each may have."""
    most = quotas.of(account_id)
    count = Group.objects.filter(account_id=account_id).count()
    return count, most[placement_groups.GROUPS], most[placement_groups.MACHINES]


def _view(row: dict[str, Any]) -> GroupView:
    return GroupView(**(row | {"machines": tuple(row["machines"]), "tags": reads.of(row["tags"])}))
