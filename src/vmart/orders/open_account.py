"""Open an account: user's account, purses and, for demos, a first credit, in one commit."""

from vmart.customers import accounts, invitations
from vmart.customers.models import Account, Invitation, Member, User
from vmart.kernel import db, ids
from vmart.orders.credit import credit


def open_account(owner: User, name: str, *, quota_set: str = "default") -> Account:
    """A new account with empty purses."""
    with db.act():
        account = accounts.create(owner, name, quota_set)
        db.call("ledger_open", account.id)
    return account


def place_of(user: User) -> Member:
    """The user's first place in an account; who has none gets an account of his own, once, however often he asks."""
    with db.act():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once look one after the other
        place = Member.objects.filter(user=user).order_by("id").first()
        if place is None:
            account = accounts.create(user, user.email)
            db.call("ledger_open", account.id)
            place = Member.objects.get(account=account, user=user)
    return place


def sign_up(owner: User, name: str, *, quota_set: str = "default") -> Account:
    """As ``open_account`` for a user who is not stored yet: both or neither.

    Raises IntegrityError for a taken address.
    """
    with db.act():
        return sign_up_in_act(owner, name, quota_set=quota_set)


def sign_up_in_act(owner: User, name: str, *, quota_set: str = "default") -> Account:
    """As ``sign_up``, of an act that does more."""
    db.require_transaction()
    owner.save(force_insert=True)
    account = accounts.create(owner, name, quota_set)
    db.call("ledger_open", account.id)
    return account


def join_as(user: User, word: str, address: str = "", request_id: str = "") -> Invitation:
    """As ``sign_up`` for a user who was invited: a member of that account, without one of his own.

    Raises the refusals of ``invitations.take``, IntegrityError for a taken address.
    """
    with db.act():
        user.save(force_insert=True)
        return invitations.take(user, word, address, request_id)


def grant(account_id: int, amount_minor: int, token: str) -> bool:
    """Give ``amount_minor`` of gift money; False when the token was used before."""
    with db.act():
        transfer = ids.transfer_id("grant", account_id, token)
        return credit(transfer, "grant", account_id, "gifts", gift_minor=amount_minor)
