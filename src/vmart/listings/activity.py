"""What happened in an account and who had it done: for its owner and for the seller."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.events.actor import COMMAND, SELLER, told_by
from vmart.events.models import Event
from vmart.events.record import MACHINE
from vmart.kernel import db
from vmart.listings.paging import PAGE, Page, cut, number


@dataclass(frozen=True, slots=True)
class Happened:
    """An event. ``subject`` is the public id or number that its owner knows the subject by; "" of the account itself.

    ``actor``: as ``events.actor.Actor.told``; {} where nobody asked.
    """

    id: int
    at: dt.datetime
    subject_kind: str
    subject: str
    kind: str
    detail: Any
    actor: dict[str, str]

    @property
    def who(self) -> str:
        """One line of who had it done; "" where nobody asked."""
        return told_by(self.actor)

    @property
    def by_seller(self) -> bool:
        """Whether the seller had it done: a buyer is not told which operator it was."""
        return self.actor.get("via") in (SELLER, COMMAND)

    @property
    def on_behalf(self) -> bool:
        """Whether one of the seller's staff did it on the account's own pages."""
        return bool(self.actor.get("behalf"))


_PAGE = """
SELECT e.id, e.at, e.subject_kind, e.kind, e.detail, e.actor,
       coalesce(i.public_id, d.public_id, a.public_id, n.public_id, o.public_id, k.public_id,
                CASE e.subject_kind WHEN 'account' THEN '' WHEN 'order' THEN e.subject_id::text
                             WHEN 'payment' THEN e.subject_id::text
                             ELSE e.detail->>'name' END, '') AS subject
FROM ({events}) AS e
LEFT JOIN instances_instance i ON e.subject_kind = 'machine' AND i.id = e.subject_id
LEFT JOIN storage_disk d ON e.subject_kind = 'disk' AND d.id = e.subject_id
LEFT JOIN network_eip a ON e.subject_kind = 'address' AND a.id = e.subject_id
LEFT JOIN network_package k ON e.subject_kind = 'package' AND k.id = e.subject_id
LEFT JOIN storage_image o ON e.subject_kind = 'own_image' AND o.id = e.subject_id
LEFT JOIN storage_snapshot n ON e.subject_kind = 'snapshot' AND n.id = e.subject_id
ORDER BY e.id DESC
"""
_OF_ACCOUNT = """
SELECT id, at, subject_kind, subject_id, kind, detail, actor FROM events_event
WHERE account_id = %(account)s AND (%(before)s::bigint IS NULL OR id < %(before)s){wanted}
ORDER BY id DESC LIMIT %(limit)s
"""
_OF_SUBJECTS = """
SELECT latest.id, latest.at, subject_kind, subject_id, latest.kind, latest.detail, latest.actor
FROM unnest(%(kinds)s::text[], %(numbers)s::bigint[]) AS subject (subject_kind, subject_id)
CROSS JOIN LATERAL (
  SELECT id, at, kind, detail, actor FROM events_event e
  WHERE (e.subject_kind, e.subject_id) = (subject.subject_kind, subject.subject_id)
  ORDER BY at DESC, id DESC LIMIT %(limit)s) AS latest
ORDER BY latest.id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events: of a user by his address, of things of a kind, of the thing of an id, of what happened, when.

    ``since`` is the first instant, ``until`` the first that is too late; None and "" are all.
    """

    user: str = ""
    subject_kind: str = ""
    subject: str = ""
    kind: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None


ALL = Wanted()
_NAMED = """
SELECT 'machine', id FROM instances_instance WHERE account_id = %(account)s AND public_id = %(subject)s
UNION ALL SELECT 'disk', id FROM storage_disk WHERE account_id = %(account)s AND public_id = %(subject)s
UNION ALL SELECT 'address', id FROM network_eip WHERE account_id = %(account)s AND public_id = %(subject)s
UNION ALL SELECT 'package', id FROM network_package WHERE account_id = %(account)s AND public_id = %(subject)s
UNION ALL SELECT 'own_image', id FROM storage_image WHERE account_id = %(account)s AND public_id = %(subject)s
UNION ALL SELECT 'snapshot', id FROM storage_snapshot WHERE account_id = %(account)s AND public_id = %(subject)s
"""
_CONDITIONS = {
    "user": "actor->>'user' = %(user)s AND actor->>'via' IN ('page', 'api')",  # no operator is found by his name
    "subject_kind": "subject_kind = %(subject_kind)s",
    "subject": f"(detail->>'name' = %(subject)s OR (subject_kind, subject_id) IN ({_NAMED})"
    " OR (subject_kind IN ('order', 'payment') AND subject_id::text = %(subject)s))",
    "kind": "kind = %(kind)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
}


def of_account(account_id: int, before: str = "", wanted: Wanted = ALL) -> Page[Happened]:
    """A page of what happened to the account and all that is its own, latest first. One query."""
    key = number(before)
    said = {name: value for name in _CONDITIONS if (value := getattr(wanted, name))}
    wanted_too = "".join(f" AND {_CONDITIONS[name]}" for name in said)
    query = _PAGE.replace("{events}", _OF_ACCOUNT.replace("{wanted}", wanted_too))
    rows = db.rows(query, account=account_id, before=key, limit=PAGE + 1, **said)
    return cut([_happened(row) for row in rows], lambda row: row.id, first=key is None)


def of_subjects(subjects: Sequence[tuple[str, int]], limit: int = PAGE) -> Sequence[Happened]:
    """What happened to these subjects (kind, number), latest first. One query."""
    kinds, numbers = [kind for kind, _number in subjects], [number for _kind, number in subjects]
    query = _PAGE.replace("{events}", _OF_SUBJECTS)
    return [_happened(row) for row in db.rows(query, kinds=kinds, numbers=numbers, limit=limit)]


def _happened(row: Mapping[str, Any]) -> Happened:
    return Happened(**{**row, "detail": json.loads(row["detail"]), "actor": json.loads(row["actor"])})


def of_machine(instance_id: int, limit: int = PAGE) -> Sequence[Event]:
    """What happened to a machine, latest first."""
    return of_thing(MACHINE, instance_id, limit)


def of_thing(kind: str, number: int, limit: int = PAGE) -> Sequence[Event]:
    """The same of any subject."""
    return list(Event.objects.filter(subject_kind=kind, subject_id=number).order_by("-at", "-id")[:limit])
