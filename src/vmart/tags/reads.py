"""Tags as SQL that lists put into theirs, and tags of things by id."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmart.kernel import db
from vmart.tags.things import Thing
from vmart.tags.wanted import Tag

_HELD = """(SELECT json_agg(json_build_array(tag.key, tag.value) ORDER BY tag.key) FROM tags_tag tag
  WHERE tag.kind = '{kind}' AND tag.resource_id = {public_id} AND tag.to_at IS NULL)"""


def held(kind: str, public_id: str) -> str:
    """SQL: the tags that the thing with this ``public_id``, an expression, has; read by ``of``."""
    return _HELD.format(kind=kind, public_id=public_id)


def of(told: Iterable[Sequence[str]] | None) -> tuple[Tag, ...]:
    """What ``held`` gives, as tags in the order of their keys."""
    return tuple(Tag(key, value) for key, value in told or ())


@dataclass(frozen=True, slots=True)
class Condition:
    """One of ``keys`` has one of ``values``; None: any."""

    keys: Sequence[str] | None = None
    values: Sequence[str] | None = None


def asked(conditions: Sequence[Condition]) -> str | None:
    """What a list's ``tags`` is where each of these is to be met, by whichever tag of the thing; None for none."""
    told = [[_sayable(condition.keys), _sayable(condition.values)] for condition in conditions]
    return json.dumps(told) if told else None


def said(text: str) -> tuple[str, str | None]:
    """Key and value of ``key=value``, as people name a tag; of a key alone any value."""
    key, separator, value = text.replace("\0", "").partition("=")
    return key, value if separator else None


def named(text: str) -> str | None:
    """What a list's ``tags`` is where the tag that ``said`` reads is to be had; None for no text."""
    key, value = said(text)
    return asked([Condition([key], None if value is None else [value])]) if text else None


def _sayable(texts: Sequence[str] | None) -> list[str] | None:
    return None if texts is None else [text for text in texts if "\0" not in text]  # the database has no such text


def meeting(kind: str, public_id: str) -> str:
    """SQL: whether the thing with this ``public_id``, an expression, meets ``%(tags)s``, as ``asked`` makes it."""
    return f"{public_id} = ANY (ARRAY(SELECT fn.tags_meeting(%(account)s, '{kind}', %(tags)s::jsonb)))"


def having(account_id: int, kind: str, tags: str) -> set[str]:
    """Public ids of the account's things of the kind that have these ``tags`` (``asked``)."""
    return {row["id"] for row in db.rows("SELECT fn.tags_meeting(%s, %s, %s::jsonb) AS id", account_id, kind, tags)}


_OF_THINGS = """
SELECT kind, resource_id, key, value FROM tags_tag JOIN unnest(%s::text[], %s::text[]) AS asked (kind, resource_id)
USING (kind, resource_id) WHERE account_id = %s AND to_at IS NULL ORDER BY key
"""


def of_things(account_id: int, things: Sequence[Thing]) -> dict[Thing, dict[str, str]]:
    """Value by key of each of these things; those that have no tag, or are not the account's, have none."""
    sayable = [thing for thing in things if "\0" not in thing.public_id]
    found: dict[Thing, dict[str, str]] = {thing: {} for thing in things}
    kinds, ids = [thing.kind for thing in sayable], [thing.public_id for thing in sayable]
    for row in db.rows(_OF_THINGS, kinds, ids, account_id):
        found[Thing(row["kind"], row["resource_id"])][row["key"]] = row["value"]
    return found
