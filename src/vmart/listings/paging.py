"""Lists a page at a time: the pages' by key, of which the hundredth costs what the first does; the API's by offset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from django.db.models import QuerySet

from vmart.kernel import db

PAGE = 50
T = TypeVar("T")
_MEANWHILE = 100  # so many may come between count and page before one that was counted is left out


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page; ``older`` is the key to pass for the next one, "" on the last."""

    rows: Sequence[T]
    older: str = ""
    first: bool = True


def cut(rows: Sequence[T], key: Callable[[T], object], *, first: bool, size: int = PAGE) -> Page[T]:
    """The first ``size`` of up to ``size`` + 1 rows, and where the next page begins."""
    if len(rows) <= size:
        return Page(rows, first=first)
    return Page(rows[:size], str(key(rows[size - 1])), first)


def number(text: str) -> int | None:
    """A page key that is a number; None for the first page and for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def last_row(own: QuerySet[Any], last_id: int | None, at: str = "created_at") -> dict[str, Any]:
    """Where the page before ended, of things in the order in which they came; {} for the first page."""
    found = own.filter(id=last_id).values_list(at, flat=True).first() if last_id is not None else None
    return {"last_id": last_id, "last_at": found} if found else {}


@dataclass(frozen=True, slots=True)
class Placing:
    """What a list is ordered by, from the first to the last; rows alike in it follow by what never changes of them.

    A page's key holds the value at which the page ended, not only whose it was: a row that changes place meanwhile
    moves nobody else's page.
    """

    place: str  # SQL of the value
    kind: str  # SQL of its type
    read: Callable[[str], Any]  # of what a key says; None for what is no such value


def key_of(row: Mapping[str, Any], by: Placing | None) -> str:
    """The key of the page after this row, which has ``id`` and ``place``; without an order of its own the id alone."""
    return f"{row['id']}~{row['place']}" if by else str(row["id"])


def key_read(before: str, by: Placing | None) -> tuple[int | None, Any]:
    """Number and value at which the page before ended; no number for the first page and for no key of this order."""
    if by is None:
        return number(before), None
    last_id, separator, place = before.partition("~")
    value = by.read(place) if separator else None
    return (None, None) if value is None else (number(last_id), value)


@dataclass(frozen=True, slots=True)
class Matching:
    """What is wanted of an account's things: SQL from FROM on, and the values that it names.

    ``reverse`` is the same SQL as it is read from the list's other end, where that is said in it.
    """

    sql: str
    values: Mapping[str, Any]
    reverse: str = ""

    @classmethod
    def of(
        cls, account_id: int, source: str, conditions: Mapping[str, str], wanted: Any, reverse: str = ""
    ) -> "Matching":
        """``wanted`` is a dataclass: each member that is not None adds its condition to ``source``, and ``reverse``."""
        given = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
        given = {name: list(value) if _several(value) else value for name, value in given.items() if value is not None}
        said = {name: _said(conditions[name], name, value) for name, value in given.items()}
        narrowed = "".join(f" AND {condition}" for condition, _ in said.values())
        values = {"account": account_id, **{name: value for name, (_, value) in said.items()}}
        return cls(source + narrowed, values, (reverse or source) + narrowed)

    def from_other_end(self) -> "Matching":
        """The same, read from there."""
        return Matching(self.reverse or self.sql, self.values, self.sql)

    def count(self) -> int:
        """How many there are."""
        (counted,) = db.rows(f"SELECT count(*) AS total {self.sql}", **self.values)
        return int(counted["total"])

    def rows(self, query: str, *, page: str = "", order: str = "", **values: int) -> list[dict[str, Any]]:
        """Rows of the query, in whose ``{matching}`` this stands, as the parts do in theirs."""
        return db.rows(query.format(matching=self.sql, page=page, order=order), **self.values, **values)


def by_offset(
    query: str, source: str, conditions: Mapping[str, str], wanted: Any, *, account_id: int, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many rows are wanted, and a page of them; a second query only where the first does not reach the end."""
    matching = Matching.of(account_id, source, conditions, wanted)
    rows = matching.rows(query, offset=offset, limit=limit)
    if 0 < len(rows) < limit or (not rows and offset == 0):  # the last page: its end is the total
        return offset + len(rows), rows
    return matching.count(), rows


def from_nearer_end(
    query: str, order: str, reverse: str, matching: Matching, *, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """As ``by_offset``, for long lists: counted first, so that a page past the middle is walked to from the end.

    ``order`` and ``reverse`` are what an index gives from either end. In the query's ``{page}`` stands what takes the
    page out of it, in its ``{order}`` the order of the rows that are left.
    """
    source, total = matching, matching.count()
    left = min(limit, total - offset)
    if left <= 0:
        return total, []
    behind = total - offset - left
    if left == total:  # no walk along the list: they may be few among many, and another index has them together
        page = f"LIMIT {limit + _MEANWHILE}"
    elif offset <= behind:
        page = f"{order} OFFSET {offset} LIMIT {left}"
    else:
        source, page = matching.from_other_end(), f"{reverse} OFFSET {behind} LIMIT {left}"
    rows = source.rows(query, page=page, order=order)[:limit]
    return max(total, offset + len(rows)), rows  # what came between the two statements is counted too


def _said(condition: str, name: str, value: object) -> tuple[str, object]:
    """Condition and value; a list of one as an equality, which an index's order outlives as it does no list."""
    among = f"= ANY (%({name})s)"
    if isinstance(value, list) and len(value) == 1 and among in condition:
        return condition.replace(among, f"= %({name})s"), value[0]
    return condition, value


def _several(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
