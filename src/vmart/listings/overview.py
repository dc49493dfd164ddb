"""An account at a glance: its machines, its money, its ledger."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.instances.models import Event, Instance, State
from vmart.kernel import db
from vmart.ledger.models import Purses
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.storage.models import Disk


@dataclass(frozen=True, slots=True)
class Balance:
    """Money of an account in minor units. ``balance`` = cash + gift − owed; ``available`` leaves holds out."""

    cash_minor: int
    gift_minor: int
    owed_minor: int
    held_minor: int

    @property
    def balance_minor(self) -> int:
        return self.cash_minor + self.gift_minor - self.owed_minor

    @property
    def available_minor(self) -> int:
        return self.balance_minor - self.held_minor


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry on a customer's purse with what it was for; ``name`` is the machine it concerns, if any."""

    at: dt.datetime
    transfer_id: Any
    purse: str
    kind: str
    amount_minor: int
    balance_after: int
    public_id: str


def balance(account_id: int) -> Balance:
    """Cash, gift, owed and what is set aside."""
    purses = Purses.objects.get(account_id=account_id)
    return Balance(
        cash_minor=purses.cash_credits_posted - purses.cash_debits_posted,
        gift_minor=purses.gift_credits_posted - purses.gift_debits_posted,
        owed_minor=purses.owed_debits_posted - purses.owed_credits_posted,
        held_minor=purses.cash_debits_pending + purses.gift_debits_pending + purses.floating_pending,
    )


_STATEMENT = """
SELECT e.at, e.transfer_id, e.book AS purse, t.kind, e.amount_minor, e.balance_after,
       coalesce(i.public_id, '') AS public_id
FROM ledger_entry e
JOIN ledger_transfer t ON t.id = e.transfer_id
LEFT JOIN instances_instance i ON i.id = t.subject_id AND i.account_id = e.account_id
  AND t.kind IN ('prepaid', 'refund')
WHERE e.account_id = %(account)s AND e.book IN ('cash', 'gift', 'owed')
  AND (%(at)s::timestamptz IS NULL OR (e.at, e.transfer_id, e.book) < (%(at)s, %(transfer)s, %(book)s))
ORDER BY e.at DESC, e.transfer_id DESC, e.book DESC
LIMIT %(limit)s
"""


def statement(account_id: int, before: str = "") -> Page[Posting]:
    """Entries on the account's purses, newest first. ``before`` is a page key; a wrong one means the first page."""
    at, transfer, book = _statement_key(before)
    found = db.rows(_STATEMENT, account=account_id, at=at, transfer=transfer, book=book, limit=PAGE + 1)
    rows = [Posting(**row) for row in found]
    return cut(rows, lambda row: f"{row.at.isoformat()}~{row.transfer_id}~{row.purse}", first=at is None)


def _statement_key(text: str) -> tuple[dt.datetime | None, str | None, str | None]:
    import uuid

    try:
        at, transfer, book = text.split("~")
        instant = dt.datetime.fromisoformat(at)
        if instant.tzinfo is None or not 1970 < instant.year < 9000 or not book.isalpha():
            return None, None, None
        return instant, str(uuid.UUID(transfer)), book
    except ValueError:
        return None, None, None


def machines(account_id: int, before: str = "", zone: str = "") -> Page[Instance]:
    """Machines that are not erased, newest first."""
    key = number(before)
    rows = Instance.objects.filter(account_id=account_id).exclude(state=State.GONE).order_by("-id")
    if key is not None:
        rows = rows.filter(id__lt=key)
    if zone:
        rows = rows.filter(zone_id=zone)
    return cut(list(rows[: PAGE + 1]), lambda row: row.id, first=key is None)


def machine(account_id: int, public_id: str) -> Instance | None:
    """The account's machine; None for another's, and for one that is erased."""
    return (
        Instance.objects.select_related("image").filter(account_id=account_id, public_id=public_id)
        .exclude(state=State.GONE).first()
    )  # fmt: skip


def disks(instance_id: int) -> Sequence[Disk]:
    """The machine's disks, system disk first."""
    return list(Disk.objects.filter(instance_id=instance_id).order_by("position")[:PAGE])


def events(instance_id: int, limit: int = PAGE) -> Sequence[Event]:
    """What happened to a machine, latest first."""
    return list(Event.objects.filter(instance_id=instance_id).order_by("-at", "-id")[:limit])
