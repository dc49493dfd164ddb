"""Accounts and who may act for them."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator

from vmart.customers.models import Account, Member, User
from vmart.customers.roles import Role
from vmart.kernel import clock, db

OWN_DOMAIN = "shop.invalid"  # of users that the shop makes for itself (RFC 2606: nobody gets mail there)


def create(owner: User, name: str, quota_set: str = "default") -> Account:
    """A new account with its owner. The act that calls it opens the purses in the same transaction."""
    db.require_transaction()
    account = Account.objects.create(name=name, created_at=clock.now(), quota_set=quota_set)
    Member.objects.create(account=account, user=owner, role=Role.OWNER, joined_at=account.created_at)
    return account


def lock(account_id: int) -> None:
    """Have the account's other changes that move neither money nor capacity wait: the account's own row.

    An act that has the lock of its purses may take this one after it, never before.
    """
    db.require_transaction()
    Account.objects.select_for_update(no_key=True).get(pk=account_id)


def forget_second_factor(user: User) -> int:
    """The password alone is enough again: app, passkeys and recovery codes are gone; how many there were."""
    return int(Authenticator.objects.filter(user=user).delete()[0])


def forget_ways_in(user: User) -> None:
    """Also what would lead in without the password: passkeys, and an address that waits to be confirmed."""
    forget_second_factor(user)
    EmailAddress.objects.filter(user=user).exclude(email__iexact=user.email).delete()
