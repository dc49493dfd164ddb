"""Credits: every amount that comes to a customer passes here, so that it pays what is owed and ends arrears."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from vmart.kernel import clock, db
from vmart.orders import end_arrears


def credit(
    transfer: uuid.UUID,
    kind: str,
    account_id: int,
    book: str,
    *,
    cash_minor: int = 0,
    gift_minor: int = 0,
    subject_id: int | None = None,
) -> bool:
    """Credit the purses against the platform's ``book``; False when this transfer was made before.

    Minor units; ``transfer`` is made by the caller out of what it pays for (``kernel.ids.transfer_id``).
    Belongs into the act's transaction.
    """
    db.require_transaction()
    fresh = db.call("ledger_credit", transfer, kind, account_id, cash_minor, gift_minor, book, clock.now(), subject_id)
    if fresh:
        end_arrears.end(account_id)
    return bool(fresh)


@dataclass(frozen=True, slots=True)
class Credit:
    """One of several credits: minor units for what ``subject_id`` is about, more than 0 together."""

    transfer: uuid.UUID
    subject_id: int
    cash_minor: int
    gift_minor: int


def credit_all(kind: str, account_id: int, book: str, credits: Sequence[Credit]) -> None:
    """Several credits of one kind, in one statement; those made before are not made again."""
    db.require_transaction()
    db.rows(
        "SELECT fn.ledger_credit(transfer, %s, %s, cash, gift, %s, %s, subject)"
        " FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[]) AS line (transfer, cash, gift, subject)",
        kind, account_id, book, clock.now(), [each.transfer for each in credits],
        [each.cash_minor for each in credits], [each.gift_minor for each in credits],
        [each.subject_id for each in credits],
    )  # fmt: skip
    end_arrears.end(account_id)
