"""Accounts and who may act for them."""

from vmart.customers.models import Account, Member, QuotaSet, User
from vmart.kernel import clock, db


def create(owner: User, name: str, quota_set: str = "default") -> Account:
    """A new account with its owner. The act that calls it opens the purses in the same transaction."""
    db.require_transaction()
    account = Account(name=name, created_at=clock.now())
    quotas = QuotaSet.objects.filter(name=quota_set).first()
    if quotas is not None:
        account.quota_postpaid_per_zone = quotas.quota_postpaid_per_zone
        account.quota_prepaid_per_month = quotas.quota_prepaid_per_month
        account.quota_returns_per_year = quotas.quota_returns_per_year
        account.rate_run_per_s = quotas.rate_run_per_s
    account.save()
    Member.objects.create(account=account, user=owner, role=Member.Role.OWNER)
    return account


def account_of(user: User) -> Account | None:
    """The account that a signed-in user acts for: the first joined; None for operators without one."""
    member = Member.objects.filter(user=user).select_related("account").order_by("id").first()
    return member.account if member else None
