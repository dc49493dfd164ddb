"""From an empty deployment to an open shop: the first operator, further ones, and the moment that lets buyers in."""

from dataclasses import dataclass

from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F
from django.urls import reverse

from vmart.catalog.models import Region
from vmart.customers import accounts
from vmart.customers.models import User
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, Refused
from vmart.kernel.models import Deployment

_SALT = "vmart.first-operator"
_WORD = "first operator"
LINK_AGE_S = 86400


class OperatorExists(Refused):
    """The link that makes the first operator has done so, or another way has."""

    code = "UnsupportedOperation"


class LastOperator(Refused):
    """Without this operator nobody would see the seller's pages."""

    code = "UnsupportedOperation"


@dataclass(frozen=True, slots=True)
class Added:
    """An operator; ``new`` where he has no password yet and needs a link that sets one."""

    user: User
    new: bool


def has_operator() -> bool:
    """Whether somebody may see the seller's pages."""
    return User.objects.filter(is_staff=True, is_active=True).exists()


def is_founded() -> bool:
    """Whether the shop has or had an operator: links that make the first one are good no more.

    ``remove`` leaves one operator, so a shop that had any still has one, perhaps one who is closed.
    """
    return User.objects.filter(is_staff=True).exists() or Deployment.objects.filter(opened_at__isnull=False).exists()


def open_when_ready() -> bool:
    """Let buyers in once there are a catalog and an operator. True at the moment when it happens, which is once.

    Belongs into the transaction of what made the one or the other.
    """
    db.require_transaction()
    deployment = Deployment.objects.select_for_update().get()
    if deployment.opened_at or not (Region.objects.exists() and has_operator()):
        return False
    Deployment.objects.update(opened_at=clock.now(), generation=F("generation") + 1)
    return True


def first_path() -> str:
    """Path of the page that makes the first operator, "" once there was one. Good for LINK_AGE_S, for one operator."""
    return "" if is_founded() else reverse("first_operator", args=[signing.dumps(_WORD, salt=_SALT)])


def is_first_token(token: str) -> bool:
    """Whether the token is one of ``first_path`` of this deployment and still good."""
    try:
        return bool(signing.loads(token, salt=_SALT, max_age=LINK_AGE_S) == _WORD)
    except signing.BadSignature:
        return False


def make_first(email: str, password: str) -> User:
    """The first operator. Raises OperatorExists when there is one, InvalidValue for an address or a password."""
    user = User(email=checked_address(email), is_staff=True, date_joined=clock.now())
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidValue("{problem}", field="password", problem=" ".join(error.messages)) from error
    user.set_password(password)
    with db.act():
        Deployment.objects.select_for_update().get()  # of two who follow the link at once, one is the first
        if is_founded():
            raise OperatorExists("There is an operator already: sign in.")
        _refuse_taken(user.email)
        user.save(force_insert=True)
        open_when_ready()
    return user


def add(email: str) -> Added:
    """Make an operator: a new user without a password, or the one who has this address. Raises InvalidValue.

    Whoever was none loses his password and passkeys: anybody may have signed up with this address, and its owner has
    the link.
    """
    address = checked_address(email)
    with db.act():
        Deployment.objects.select_for_update().get()
        user = User.objects.filter(email__iexact=address).first()
        new = user is None
        if user is None:
            user = User.objects.create_user(address, date_joined=clock.now())
        if not user.is_active:
            raise InvalidValue("The user {email} has been closed.", field="email", email=user.email)
        if not user.is_staff:
            user.set_unusable_password()  # ends sessions, too
            accounts.forget_ways_in(user)
        user.is_staff = True
        user.save(update_fields=["is_staff", "password"])
        open_when_ready()
    return Added(user, new or not user.has_usable_password())


def remove(email: str) -> User:
    """Make an operator a user like others, in sessions that last as well. Raises InvalidValue, LastOperator."""
    with db.act():
        Deployment.objects.select_for_update().get()  # of two who remove each other, one stays
        user = User.objects.filter(email__iexact=email.strip(), is_staff=True).first()
        if user is None:
            raise InvalidValue("There is no operator {email}.", field="email", email=email[:254])
        if not User.objects.filter(is_staff=True, is_active=True).exclude(pk=user.pk).exists():
            raise LastOperator("{email} is the last operator: add another one first.", email=user.email)
        user.is_staff = user.is_superuser = False
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def checked_address(email: str) -> str:
    """The e-mail address as it is stored. Raises InvalidValue."""
    address = User.objects.normalize_email(email.strip())
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidValue("{value} is no e-mail address.", field="email", value=email[:254]) from error
    if len(address) > 254:
        raise InvalidValue("An e-mail address has at most 254 characters.", field="email")
    return address


def _refuse_taken(email: str) -> None:
    if User.objects.filter(email__iexact=email).exists():
        raise InvalidValue("There is a user with the address {email} already.", field="email", email=email)
