"""Credits: every amount that comes to a customer passes here, so that it pays what is owed and ends arrears."""

import uuid

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
