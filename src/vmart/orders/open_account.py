"""Open an account: user's account, purses and, for demos, a first credit, in one commit."""

from vmart.customers import accounts
from vmart.customers.models import Account, User
from vmart.kernel import clock, db, ids


def open_account(owner: User, name: str, *, quota_set: str = "default") -> Account:
    """A new account with empty purses."""
    with db.act():
        account = accounts.create(owner, name, quota_set)
        db.call("ledger_open", account.id)
    return account


def grant(account_id: int, amount_minor: int, token: str) -> bool:
    """Give ``amount_minor`` of gift money; False when the token was used before."""
    with db.act():
        transfer = ids.transfer_id("grant", account_id, token)
        return bool(
            db.call("ledger_credit", transfer, "grant", account_id, 0, amount_minor, "gifts", clock.now(), None)
        )
