"""Tags of an account: its keys and values, how many things have them (none of one that is kept), and those things."""

from collections.abc import Sequence
from dataclasses import dataclass

from vmart.kernel import db
from vmart.listings.paging import PAGE, Page, by_offset, cut, number
from vmart.tags import reads
from vmart.tags import things as kinds
from vmart.tags.reads import Condition
from vmart.tags.things import Owned, Thing


@dataclass(frozen=True, slots=True)
class TagView:
    """A tag and how many things have it."""

    key: str
    value: str
    things: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedTags:
    """Which tags: those that meet every condition given (None: not given)."""

    keys: Sequence[str] | None = None
    values: Sequence[str] | None = None


_FURTHEST = 2**31 - 1
_OPEN = "FROM tags_tag WHERE account_id = %(account)s AND to_at IS NULL"
_KEPT = "FROM tags_kept WHERE account_id = %(account)s"
_HAD = f"SELECT key, value, count(*) AS things {_OPEN} GROUP BY key, value"
_EACH = f"({_HAD} UNION ALL SELECT key, value, 0 {_KEPT}) AS each"
_SUMS = "SELECT key, value, sum(things)::bigint AS things FROM"
_PAIRS = f"FROM ({_SUMS} {_EACH} GROUP BY key, value) AS t WHERE true"
_CONDITIONS = {"keys": "t.key = ANY (%(keys)s)", "values": "t.value = ANY (%(values)s)"}
_PAIR = "SELECT t.key, t.value, t.things {matching} ORDER BY t.key, t.value OFFSET %(offset)s LIMIT %(limit)s"
_KEYS = f"FROM (SELECT key {_OPEN} UNION SELECT key {_KEPT}) AS t WHERE true"
_KEY = "SELECT t.key {matching} ORDER BY t.key OFFSET %(offset)s LIMIT %(limit)s"


def pairs(account_id: int, wanted: WantedTags, *, offset: int = 0, limit: int = 20) -> tuple[int, list[TagView]]:
    """How many keys with values are wanted, and a page of them, by key and value."""
    total, rows = by_offset(
        _PAIR, _PAIRS, _CONDITIONS, wanted, account_id=account_id, offset=offset, limit=limit
    )  # fmt: skip
    return total, [TagView(**row) for row in rows]


def keys(account_id: int, *, offset: int = 0, limit: int = 20) -> tuple[int, list[str]]:
    """How many keys the account's things have, and a page of them, by key."""
    total, rows = by_offset(
        _KEY, _KEYS, _CONDITIONS, WantedTags(), account_id=account_id, offset=offset, limit=limit
    )  # fmt: skip
    return total, [row["key"] for row in rows]


def page(account_id: int, before: str = "") -> Page[TagView]:
    """A page of the account's tags, by key and value. ``before`` is a page's key: how many came before it."""
    start = min(number(before) or 0, _FURTHEST)
    rows = db.rows(_PAIR.format(matching=_PAIRS), account=account_id, offset=start, limit=PAGE + 1)
    found = [TagView(**row) for row in rows]
    return cut(found, lambda _last: start + PAGE, first=start == 0)


_TAGGED = f"""
SELECT DISTINCT kind, resource_id, kind || '/' || resource_id AS name {_OPEN}
  AND (%(tags)s::jsonb IS NULL OR resource_id IN (SELECT fn.tags_meeting(%(account)s, NULL, %(tags)s::jsonb)))
  AND (%(named)s::text[] IS NULL OR kind || '/' || resource_id = ANY (%(named)s))
  AND kind || '/' || resource_id > %(after)s
ORDER BY name LIMIT %(limit)s
"""


def things(
    account_id: int, conditions: Sequence[Condition], *, named: Sequence[Thing] = (), after: str = "", limit: int = 50
) -> tuple[list[tuple[Owned, dict[str, str]]], str]:
    """A page of the things that have tags and meet the conditions, with their tags, and what comes ``after`` it.

    ``named``: of these only, and then all of them on one page.
    """
    rows = db.rows(
        _TAGGED, account=account_id, tags=reads.asked(conditions), after=after, limit=len(named) or limit + 1,
        named=[_key(thing) for thing in named] if named else None,
    )  # fmt: skip
    page = cut(
        [Thing(row["kind"], row["resource_id"]) for row in rows], _key, first=not after, size=len(named) or limit
    )
    held = reads.of_things(account_id, page.rows)
    known = {one.thing: one for one in kinds.among(account_id, page.rows)}
    return [(known[thing], held[thing]) for thing in page.rows if thing in known], page.older


def _key(thing: Thing) -> str:
    return f"{thing.kind}/{thing.public_id}"
