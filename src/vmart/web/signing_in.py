"""Who signs in, and what sign-up opens: allauth's backend and adapter with our account added."""

import logging
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.utils import user_pk_to_url_str
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.password_validation import MinimumLengthValidator
from django.db import IntegrityError
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from vmart.customers.models import Member, User
from vmart.kernel import clock
from vmart.orders.open_account import sign_up

log = logging.getLogger(__name__)


class Backend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """Reads the user of a session together with the account that he or she acts for: one query."""

    def get_user(self, user_id: int) -> User | None:
        """The active user, with ``account_id`` (None for one without an account)."""
        first_joined = Member.objects.filter(user=OuterRef("pk")).order_by("id").values("account_id")[:1]
        return User.objects.annotate(account_id=Subquery(first_joined)).filter(pk=user_id, is_active=True).first()


class LongEnough(MinimumLengthValidator):
    """Django's rule; its own sentence is not translated."""

    def get_error_message(self) -> str:
        return _("A password has at least {least} characters.").format(least=self.min_length)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up: user, account and purses in one commit. Mail: its links are those of the shop's own address."""

    def get_reset_password_from_key_url(self, key: str) -> str:
        return settings.PUBLIC_URL + _reset_path(key)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail that cannot be sent is in the log; the page says the same, so that it tells of no account."""
        try:
            super().send_mail(template_prefix, email, context)
        except OSError:
            log.exception("a mail could not be sent: %s", template_prefix)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        super().save_user(request, user, form, commit=False)
        user.date_joined = clock.now()
        user.language = get_language() or ""
        try:
            sign_up(user, user.email)
        except IntegrityError as error:  # somebody signed up with this address a moment ago
            messages.error(request, _("There is an account with this address already; sign in."))
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login"))) from error
        return user


def reset_path(user: User) -> str:
    """The path of a page where the user chooses a new password; good for ``PASSWORD_RESET_TIMEOUT``, once."""
    key = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    return _reset_path(f"{user_pk_to_url_str(user)}-{key}")


def _reset_path(key: str) -> str:
    uid, _dash, token = key.partition("-")
    return reverse("account_reset_password_from_key", args=[uid, token])
