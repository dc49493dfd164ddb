"""Launch templates of an account and their versions, newest first."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.launch_templates import held
from vmart.listings.paging import PAGE, Matching, Page, Placing, by_offset, cut, key_of, key_read


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A template. ``latest_version``: the highest number that is there; ``contents``: the default version's."""

    id: int
    public_id: str
    name: str
    default_version: int
    latest_version: int
    versions: int
    created_by: int
    created_at: dt.datetime
    contents: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version and what it holds, by the paths of a purchase's value."""

    number: int
    is_default: bool
    description: str
    created_by: int
    created_at: dt.datetime
    contents: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Templates:
    public_ids: Sequence[str] | None = None
    names: Sequence[str] | None = None
    word: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Versions:
    template: str
    numbers: Sequence[int] | None = None
    least: int | None = None
    most: int | None = None
    default_alone: bool | None = None


_OF_TEMPLATES = {
    "public_ids": "t.public_id = ANY (%(public_ids)s)",
    "names": "t.name = ANY (%(names)s)",
    "word": "(position(lower(%(word)s) IN lower(t.name)) > 0 OR t.public_id = %(word)s)",
}
_TEMPLATES = "FROM launch_templates_template t WHERE t.account_id = %(account)s"
_VIEW = """
SELECT t.*, v.contents, there.latest_version, there.versions
FROM (
  SELECT t.id, t.public_id, t.name, t.default_version, t.created_by, t.created_at
  {matching} {page} {order} OFFSET %(offset)s LIMIT %(limit)s
) t
JOIN launch_templates_version v ON v.template_id = t.id AND v.number = t.default_version
CROSS JOIN LATERAL (
  SELECT max(number) AS latest_version, count(*) AS versions FROM launch_templates_version WHERE template_id = t.id
) there
{order}
"""
_NEWEST_FIRST = "ORDER BY t.id DESC"
_NAME_MAX = 128
_BY_NAME = Placing("t.name", "text", lambda text: text.replace("\0", "")[:_NAME_MAX])
_OF_VERSIONS = {
    "template": "t.public_id = %(template)s",
    "numbers": "v.number = ANY (%(numbers)s)",
    "least": "v.number >= %(least)s",
    "most": "v.number <= %(most)s",
    "default_alone": "(v.number = t.default_version OR NOT %(default_alone)s)",
}
_VERSIONS = (
    "FROM launch_templates_version v JOIN launch_templates_template t ON t.id = v.template_id"
    " WHERE t.account_id = %(account)s"
)
_VERSION_VIEW = """
SELECT v.number, v.number = t.default_version AS is_default, v.description, v.created_by, v.created_at, v.contents
{matching} ORDER BY v.number DESC OFFSET %(offset)s LIMIT %(limit)s
"""


def some(
    account_id: int,
    *,
    public_ids: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[int, list[TemplateView]]:
    """How many of the account's templates have one of the ids and names (None: any), and a page of them."""
    wanted = _Templates(public_ids=public_ids, names=names)
    query = _VIEW.replace("{page}", "").replace("{order}", _NEWEST_FIRST)
    total, rows = by_offset(query, _TEMPLATES, _OF_TEMPLATES, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [TemplateView(**_read(row)) for row in rows]


def by_key(account_id: int, word: str = "", *, before: str = "", order: str = "") -> Page[TemplateView]:
    """A page of the account's templates for people, in whose name or id the word is. ``before`` is a page's key.

    ``order``: ``created`` or ``name``, with a minus sign from the last to the first; newest first without it.
    """
    asked = order if order.removeprefix("-") in ("created", "name") else "-created"
    by = _BY_NAME if asked.endswith("name") else None
    last_id, place = key_read(before, by)
    last = {} if last_id is None else {"last_id": last_id} | ({"place": place} if by else {})
    matching = Matching.of(account_id, _TEMPLATES, _OF_TEMPLATES, _Templates(word=word or None))
    found = matching.rows(_VIEW, page=_after(by, asked, last), order=_by(by, asked), offset=0, limit=PAGE + 1, **last)
    page = cut(found, lambda row: key_of(row | {"place": row["name"]}, by), first=not last)
    return Page([TemplateView(**_read(row)) for row in page.rows], page.older, page.first)


def _after(by: Placing | None, order: str, last: Mapping[str, Any]) -> str:
    if not last:
        return ""
    columns, values = ("t.name, t.id", "%(place)s::text, %(last_id)s") if by else ("t.id", "%(last_id)s")
    return f"AND ({columns}) {'<' if order.startswith('-') else '>'} ({values})"


def _by(by: Placing | None, order: str) -> str:
    direction = " DESC" if order.startswith("-") else ""
    return f"ORDER BY t.name{direction}, t.id{direction}" if by else f"ORDER BY t.id{direction}"


def template(account_id: int, public_id: str) -> TemplateView | None:
    """The account's template; None for another's."""
    _total, found = some(account_id, public_ids=[public_id])
    return found[0] if found else None


def versions(
    account_id: int,
    public_id: str,
    *,
    numbers: Sequence[int] | None = None,
    least: int | None = None,
    most: int | None = None,
    default_alone: bool = False,
    offset: int = 0,
    limit: int = 100,
) -> tuple[int, list[VersionView]]:
    """How many versions of the template there are within the bounds, and a page of them. Raises UnknownTemplate."""
    held.template(account_id, public_id)
    wanted = _Versions(template=public_id, numbers=numbers, least=least, most=most, default_alone=default_alone or None)
    total, rows = by_offset(
        _VERSION_VIEW, _VERSIONS, _OF_VERSIONS, wanted, account_id=account_id, offset=offset, limit=limit
    )
    return total, [VersionView(**_read(row)) for row in rows]


def _read(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"contents": json.loads(row["contents"])}
