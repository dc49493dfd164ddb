"""From an empty deployment to an open shop: the first operator, and the moment that lets buyers in."""

from django.contrib.auth.password_validation import validate_password
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import F
from django.urls import reverse

from vmart.catalog.models import Region
from vmart.customers.models import StaffChange, User
from vmart.customers.staff import StaffRole
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, Refused
from vmart.kernel.models import Deployment

_SALT = "vmart.first-operator"
_WORD = "first operator"
LINK_AGE_S = 86400


class OperatorExists(Refused):
    """The link that makes the first operator has done so, or another way has."""

    code = "UnsupportedOperation"


def has_operator() -> bool:
    """Whether somebody may see the seller's pages."""
    return User.objects.filter(is_staff=True, is_active=True).exists()


def is_founded() -> bool:
    """Whether the shop has or had an operator: links that make the first one are good no more.

    ``staffing.remove`` leaves one operator, so a shop that had any still has one, perhaps one who is closed.
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
    user = User(email=checked_address(email), is_staff=True, staff_role=StaffRole.ADMIN, date_joined=clock.now())
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
        StaffChange.objects.create(at=clock.now(), user=user, role=StaffRole.ADMIN, by=user.email)
        open_when_ready()
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
