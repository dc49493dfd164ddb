"""Who sells here: the staff with their roles, who comes, who changes, who goes. One admin always stays."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.db.models import QuerySet

from vmart.backoffice import opening
from vmart.customers import accounts
from vmart.customers.models import Member, StaffChange, User
from vmart.customers.staff import StaffRole
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, LimitExceeded, Refused
from vmart.kernel.models import Deployment

STAFF_MAX = 200
_CHANGES = 50


class LastOperator(Refused):
    """Without this admin nobody would see all of the seller's pages."""

    code = "UnsupportedOperation"


@dataclass(frozen=True, slots=True)
class Added:
    """One of the staff; ``new`` where he has no password yet and needs a link that sets one."""

    user: User
    new: bool


def everybody() -> QuerySet[User]:
    """The staff by address, those too who have been closed: at most a few more than ``STAFF_MAX``."""
    return User.objects.filter(is_staff=True).order_by("email")


def changes() -> list[StaffChange]:
    """What has changed of the staff, the latest first; the last fifty."""
    return list(StaffChange.objects.select_related("user").order_by("-id")[:_CHANGES])


def add(email: str, role: str | None = None, *, by: Actor) -> Added:
    """Have somebody sell: a new user without a password, or the one who has this address.

    ``role``: where it is None, the one he has already, else admin. Raises InvalidValue, LimitExceeded, LastOperator;
    NotPermitted where ``by`` may not.

    Whoever was none of the staff loses his password and passkeys: anybody may have signed up with this address, and
    its owner has the link. By a page no customer's user is taken so: whoever is shown the link could sign in as him.
    """
    address = opening.checked_address(email)
    if role is not None:
        _check(role)
    with _changing(by):
        user = User.objects.filter(email__iexact=address).first()
        new = user is None
        if user is None:
            user = User.objects.create_user(address, date_joined=clock.now())
        _refuse(user, by)
        role = role or _role(user) or StaffRole.ADMIN
        if not user.is_staff:
            user.set_unusable_password()  # ends sessions, too
            accounts.forget_ways_in(user)
            user.save(update_fields=["password"])
        _become(user, role, by)
        opening.open_when_ready()
    return Added(user, new or not user.has_usable_password())


def change(email: str, role: str, *, by: Actor) -> User:
    """Give one of the staff another role. Raises InvalidValue, LastOperator; NotPermitted where ``by`` may not."""
    _check(role)
    with _changing(by):
        user = _one(email)
        _become(user, role, by)
    return user


def remove(email: str, *, by: Actor) -> User:
    """Make one of the staff a user like others, in sessions that last as well.

    Raises InvalidValue, LastOperator; NotPermitted where ``by`` may not.
    """
    with _changing(by):
        user = _one(email)
        _become(user, "", by)
    return user


@contextmanager
def _changing(by: Actor) -> Iterator[None]:
    """An act on the staff: of two who remove each other, one stays."""
    with db.act():
        Deployment.objects.select_for_update().get()
        record.ask(by)
        yield


def _one(email: str) -> User:
    user = everybody().filter(email__iexact=email.replace("\0", "").strip()).first()
    if user is None:
        raise InvalidValue("There is no operator {email}.", field="email", email=email[:254])
    return user


def _role(user: User) -> str:
    return user.staff_role if user.is_staff else ""


def _check(role: str) -> None:
    if role not in set(StaffRole):
        raise InvalidValue("The role is one of: {roles}.", field="role", roles=", ".join(StaffRole))


def _refuse(user: User, by: Actor) -> None:
    if not user.is_active:
        raise InvalidValue("The user {email} has been closed.", field="email", email=user.email)
    if not user.is_staff and everybody().count() >= STAFF_MAX:
        raise LimitExceeded("A shop has at most {most} people who sell.", most=STAFF_MAX)
    if not by.staff:
        return
    if user.is_staff and user.has_usable_password():
        raise InvalidValue("{email} sells here already.", field="email", email=user.email)
    if not user.is_staff and Member.objects.filter(user=user).exists():
        raise InvalidValue(
            "{email} is a customer's user: take another address, or use “vmart operator add” on the shop's machine.",
            field="email", email=user.email,
        )  # fmt: skip


def _become(user: User, role: str, by: Actor) -> None:
    """Give the role and note it; "" takes the place away. A repeat notes nothing."""
    before = _role(user)
    if before == StaffRole.ADMIN and role != StaffRole.ADMIN:
        _refuse_last(user, by)
    if before == role and user.is_staff == bool(role):
        return
    user.is_staff, user.staff_role = bool(role), role
    user.is_superuser = user.is_superuser and role == StaffRole.ADMIN
    user.save(update_fields=["is_staff", "staff_role", "is_superuser"])
    StaffChange.objects.create(at=clock.now(), user=user, before=before, role=role, by=by.name)


def _refuse_last(user: User, by: Actor) -> None:
    others = everybody().filter(is_active=True, staff_role=StaffRole.ADMIN).exclude(pk=user.pk)
    if by.staff:  # who has never come in would lock the pages; on the shop's machine there is always another way
        others = others.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    if not others.exists():
        raise LastOperator("{email} is the last admin: make another one first.", field="role", email=user.email)
