"""Reads of one customer's money."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vmart.kernel import db
from vmart.ledger.models import ByHand

STATEMENT_MAX = 200  # lines a page


@dataclass(frozen=True, slots=True)
class Balance:
    """One account's purses in minor units. ``held`` is what lies aside: fixed holds and floating ones."""

    cash_minor: int
    gift_minor: int
    owed_minor: int
    held_minor: int

    @property
    def balance_minor(self) -> int:
        """cash + gift − owed: what arrears are judged by."""
        return self.cash_minor + self.gift_minor - self.owed_minor

    @property
    def available_minor(self) -> int:
        """What may be set aside or spent; negative when a settlement outran the purses."""
        return self.balance_minor - self.held_minor


@dataclass(frozen=True, slots=True)
class StatementLine:
    """A purse (``book``: cash, gift, owed) moved; ``balance_after_minor`` is that purse after it, owed negative.

    ``number`` says where the next page begins: ``statement(…, before=last.number)``.
    """

    number: int
    at: dt.datetime
    transfer_id: uuid.UUID
    book: str
    kind: str
    subject_id: int | None
    amount_minor: int
    balance_after_minor: int


def balance(account_id: int) -> Balance:
    """The account's purses as they are. Raises LookupError for an account without purses."""
    return balances([account_id])[account_id]


def balances(account_ids: Iterable[int]) -> dict[int, Balance]:
    """The same for several accounts, in one query. Raises LookupError when one has no purses."""
    wanted = list(account_ids)
    found = {
        row.pop("account_id"): Balance(**row)
        for row in db.rows(
            "SELECT account_id, cash_credits_posted - cash_debits_posted AS cash_minor,"
            " gift_credits_posted - gift_debits_posted AS gift_minor,"
            " owed_debits_posted - owed_credits_posted AS owed_minor,"
            " cash_debits_pending + gift_debits_pending + floating_pending AS held_minor"
            " FROM ledger_purses WHERE account_id = ANY (%s)",
            wanted,
        )
    }
    for account_id in wanted:
        if account_id not in found:
            raise LookupError(f"account {account_id} has no purses")
    return found


def by_hand(transfers: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[str, str]]:
    """Reason and actor of those transfers that the seller made by hand; no query for none."""
    if not transfers:
        return {}
    found = ByHand.objects.filter(transfer_id__in=transfers).values_list("transfer_id", "reason", "actor")
    return {transfer: (reason, actor) for transfer, reason, actor in found}


def statement(account_id: int, *, before: int | None = None, limit: int = 50) -> list[StatementLine]:
    """The account's own entries in the order in which its purses moved, latest first; at most STATEMENT_MAX lines.

    One index scan a page: of those numbered below ``before``, if that is given.
    """
    return [
        StatementLine(**row)
        for row in db.rows(
            "SELECT e.number, e.at, e.transfer_id, e.book, t.kind, t.subject_id, e.amount_minor,"
            " e.balance_after AS balance_after_minor"
            " FROM ledger_entry e JOIN ledger_transfer t ON t.id = e.transfer_id"
            " WHERE e.account_id = %(account)s AND e.balance_after IS NOT NULL"
            " AND (%(before)s::bigint IS NULL OR e.number < %(before)s)"
            " ORDER BY e.number DESC LIMIT %(limit)s",
            account=account_id,
            before=before,
            limit=max(1, min(limit, STATEMENT_MAX)),
        )
    ]
