"""The link by which a user chooses a password: good for ``PASSWORD_RESET_TIMEOUT``, once."""

from allauth.account import app_settings
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from vmart.customers.models import User


def path(user: User) -> str:
    """The path of the page where the user chooses a new password."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return path_of(f"{user_pk_to_url_str(user)}-{key}")


def path_of(key: str) -> str:
    """The same of a key of allauth's: number of the user and token."""
    uid, _dash, token = key.partition("-")
    return reverse("account_reset_password_from_key", args=[uid, token])
