"""Of which accounts a user is a member, and for which one he acts: read with the user, in one query."""

from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef
from django.db.models.functions import JSONObject

from vmart.customers.models import Member, User
from vmart.events import record
from vmart.events.actor import PAGE, Actor
from vmart.kernel import db

CHOSEN = "account"  # the key under which a session has the number of the account that it acts for


@dataclass(frozen=True, slots=True)
class Held:
    """A user's place in an account."""

    account: int
    role: str
    name: str


def held() -> ArraySubquery:
    """A user's places, the first joined first; for a query of users."""
    own = Member.objects.filter(user=OuterRef("pk")).order_by("id")
    return ArraySubquery(own.values(one=JSONObject(account="account_id", role="role", name="account__name")))


def act_for(user: Any, chosen: int | None) -> None:
    """Give the user, read with ``held``, ``account_id`` and ``role`` of the account he acts for, and ``places``.

    It is the one ``chosen``, nobody's where he is its member no more: an act meant for one account is none of
    another. Where none was chosen it is the first that he joined. None and "" without any.
    """
    user.places = tuple(Held(**one) for one in user.held)
    here = next((one for one in user.places if chosen is None or one.account == chosen), None)
    user.account_id, user.role = (here.account, here.role) if here else (None, "")


def first_of(user: User) -> int | None:
    """The account that the user joined first."""
    return Member.objects.filter(user=user).order_by("id").values_list("account_id", flat=True).first()


def role_in(account_id: int, user_id: int) -> str:
    """The user's role in the account; "" of who is no member."""
    found = Member.objects.filter(account_id=account_id, user_id=user_id).values_list("role", flat=True).first()
    return found or ""


def signed_in(user: User, address: str) -> None:
    """Note in each of the user's accounts that he signed in, and from where."""
    for account_id in Member.objects.filter(user=user).values_list("account_id", flat=True):
        _tell(account_id, user, "signed_in", Actor(account_id, PAGE, user.email, address=address))


def _tell(account_id: int, user: User, kind: str, actor: Actor) -> None:
    record.write(account_id, record.USER, [user.pk], kind, details=[{"name": user.email}], actor=actor)


def told(actor: Actor, user_id: int, email: str, kind: str, **detail: object) -> None:
    """Write what became of somebody's place in the actor's account. Belongs into the act, after its lock."""
    db.require_transaction()
    details = [{"name": email, **detail}]
    record.write(actor.account, record.USER, [user_id], kind, details=details, actor=actor)
