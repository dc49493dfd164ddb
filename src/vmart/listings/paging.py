"""Lists a page at a time: the pages' by key, of which the hundredth costs what the first does; the API's by offset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from vmart.kernel import db

PAGE = 50
T = TypeVar("T")


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


def by_offset(
    query: str, source: str, conditions: Mapping[str, str], wanted: Any, *, account_id: int, offset: int, limit: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many rows are wanted, and a page of them; a second query only where the first does not reach the end.

    ``wanted`` is a dataclass: each member that is not None adds its condition to ``source``, and the whole stands in
    the query's ``{matching}``.
    """
    given = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
    given = {name: list(value) if _several(value) else value for name, value in given.items() if value is not None}
    matching = " AND ".join([source, *(conditions[name] for name in given)])
    rows = db.rows(query.format(matching=matching), account=account_id, offset=offset, limit=limit, **given)
    if 0 < len(rows) < limit or (not rows and offset == 0):  # the last page: its end is the total
        return offset + len(rows), rows
    (counted,) = db.rows(f"SELECT count(*) AS total {matching}", account=account_id, **given)
    return counted["total"], rows


def _several(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
