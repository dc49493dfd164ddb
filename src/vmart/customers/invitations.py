"""Invitations into an account: a one-time word, sent by mail, that is kept as its digest alone."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet

from vmart.customers import accounts, members, roles
from vmart.customers.models import Invitation, Member, User
from vmart.customers.roles import Role
from vmart.events.actor import PAGE, Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound, Refused

MEMBERS_MAX = 100  # of an account, those who are invited among them
A_DAY_MAX = 50  # invitations that an account sends in 24 hours: mails to people who did not ask for them
PLACES_MAX = 50  # accounts of which one user is a member


class NotValid(Refused):
    """The invitation does not lead into an account any more, or not this user."""

    code = "OperationDenied"


@dataclass(frozen=True, slots=True)
class Made:
    """An invitation, and the word of its link, which nobody is told again."""

    invitation: Invitation
    word: str


def invite(actor: Actor, email: str, role: str, *, days: int, mailed: bool) -> Made:
    """Invite whoever has the address, as ``role``, for so many days; one of before for the same address ends.

    Raises InvalidValue for no address, no role, one that the actor may not give, and for a member; LimitExceeded.
    """
    email, word, now = _address(email), secrets.token_urlsafe(32), clock.now()
    with db.act():
        accounts.lock(actor.account)
        refuse_role(actor, role)
        if Member.objects.filter(account_id=actor.account, user__email__iexact=email).exists():
            raise InvalidValue("{email} is a member of this account already.", field="email", email=email)
        _open(actor.account).filter(email__iexact=email).update(ended_at=now)
        _refuse_too_many(actor.account, now)
        made = Invitation.objects.create(
            account_id=actor.account, email=email, role=role, digest=digest(word), invited_by_id=actor.member,
            created_at=now, expires_at=now + dt.timedelta(days=days), mailed=mailed,
        )  # fmt: skip
        members.told(actor, 0, email, "member_invited", role=role)
    return Made(made, word)


def refuse_role(actor: Actor, *wanted: str) -> None:
    """Raise InvalidValue for what is no role, NotPermitted for one that the actor may not give or take away now."""
    may_give = roles.may_give(members.role_in(actor.account, actor.member))
    for role in wanted:
        if role not in set(Role):
            raise InvalidValue("The role is one of: {roles}.", field="role", roles=", ".join(Role))
        if role not in may_give:
            raise roles.refusal(giver for giver in Role if role in roles.may_give(giver))


def _address(email: str) -> str:
    email = email.strip()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidValue("This is no e-mail address.", field="email") from None
    if len(email) > 254:
        raise InvalidValue("An e-mail address has at most {most} characters.", field="email", most=254)
    return email


def _refuse_too_many(account_id: int, now: dt.datetime) -> None:
    there = Member.objects.filter(account_id=account_id).count() + open_of(account_id).count()
    if there >= MEMBERS_MAX:
        raise LimitExceeded("An account has at most {most} members and invitations.", most=MEMBERS_MAX)
    lately = Invitation.objects.filter(account_id=account_id, created_at__gt=now - dt.timedelta(days=1)).count()
    if lately >= A_DAY_MAX:
        raise LimitExceeded("An account sends at most {most} invitations a day; try again tomorrow.", most=A_DAY_MAX)


def digest(word: str) -> bytes:
    """What is kept of the word of a link: it has 256 bits of chance, so nothing slower is needed."""
    return hashlib.sha256(word.encode()).digest()


def _open(account_id: int) -> QuerySet[Invitation]:
    return Invitation.objects.filter(account_id=account_id, ended_at=None)


def open_of(account_id: int) -> QuerySet[Invitation]:
    """Those of the account that can be taken, the latest first."""
    return _open(account_id).filter(expires_at__gt=clock.now()).order_by("-id")


def withdraw(actor: Actor, number: int) -> None:
    """End one that was not taken yet. Raises NotFound; NotPermitted for a role that the actor may not give."""
    with db.act():
        accounts.lock(actor.account)
        found = open_of(actor.account).filter(pk=number).first()
        if found is None:
            raise NotFound("This invitation does not exist, or it was taken meanwhile.", field="invitation")
        refuse_role(actor, found.role)
        Invitation.objects.filter(pk=found.pk).update(ended_at=clock.now())
        members.told(actor, 0, found.email, "invitation_withdrawn")


def end_of(account_id: int, user_id: int, role: str) -> None:
    """End what a member has open in invitations beyond those that ``role``, his new one, may send. Of the act."""
    db.require_transaction()
    beyond = _open(account_id).filter(invited_by_id=user_id).exclude(role__in=roles.may_give(role))
    beyond.update(ended_at=clock.now())


def find(word: str) -> Invitation:
    """The invitation of a link. Raises NotValid for one that was taken, withdrawn or is too old, and for none."""
    found = Invitation.objects.select_related("account", "invited_by").filter(digest=digest(word)).first()
    if found is None or found.ended_at is not None:
        raise NotValid("This invitation was used, withdrawn or replaced by a newer one. Ask for another.")
    if found.expires_at <= clock.now():
        raise NotValid("This invitation is too old. Ask for another.")
    return found


def check_for(invitation: Invitation, email: str) -> None:
    """Raise NotValid for a user with another address than the one that was invited."""
    if invitation.email.lower() != email.lower():
        raise NotValid("This invitation is for another address than the one that you sign in with.")


def take(user: User, word: str, address: str = "", request_id: str = "") -> Invitation:
    """The user becomes a member by the word of a link, which is used up by that. Part of an act, or one by itself.

    Raises NotValid, and LimitExceeded for a user of too many accounts.
    """
    asked = find(word)
    with db.part_of_act():
        accounts.lock(asked.account_id)
        found = find(word)  # as it is under the lock
        check_for(found, user.email)
        if members.role_in(found.account_id, user.pk):
            raise NotValid("You are a member of this account already.")
        if Member.objects.filter(user=user).count() >= PLACES_MAX:
            raise LimitExceeded("One is a member of at most {most} accounts.", most=PLACES_MAX)
        now = clock.now()
        Member.objects.create(account_id=found.account_id, user=user, role=found.role, joined_at=now)
        Invitation.objects.filter(pk=found.pk).update(ended_at=now)
        actor = Actor(found.account_id, PAGE, user.email, address=address, request_id=request_id)
        members.told(actor, user.pk, user.email, "member_joined", role=found.role)
    return found
