"""Accounts and who may act for them."""

from vmart.customers.models import Account, Member, User
from vmart.kernel import clock, db


def create(owner: User, name: str, quota_set: str = "default") -> Account:
    """A new account with its owner. The act that calls it opens the purses in the same transaction."""
    db.require_transaction()
    account = Account.objects.create(name=name, created_at=clock.now(), quota_set=quota_set)
    Member.objects.create(account=account, user=owner, role=Member.Role.OWNER)
    return account


def lock(account_id: int) -> None:
    """Have the account's other changes that move neither money nor capacity wait: the account's own row.

    An act that has the lock of its purses may take this one after it, never before.
    """
    db.require_transaction()
    Account.objects.select_for_update(no_key=True).get(pk=account_id)
