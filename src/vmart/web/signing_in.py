"""Who signs in, and what sign-up opens: allauth's backend and adapter with our account added."""

import logging
from email.utils import formataddr, parseaddr
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.password_validation import MinimumLengthValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from vmart.customers import invitations, members
from vmart.customers.accounts import OWN_DOMAIN
from vmart.customers.models import User
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.orders.open_account import join_as, sign_up
from vmart.pages import behalf, brand, local_time, reset_link, wording
from vmart.web import own_address, sessions, stages
from vmart.web.invited_mail import INVITED
from vmart.web.visitor import end_on_behalf, whence

log = logging.getLogger(__name__)
_TAKEN = gettext_lazy("There is an account with this address already; sign in.")
# How one shows again that it is he, by the name that allauth has for it.
_AGAIN = {
    "reauthenticate": gettext_lazy("Use your password"),
    "mfa_reauthenticate": gettext_lazy("Use your authenticator app or a recovery code"),
    "mfa_reauthenticate:webauthn": gettext_lazy("Use a passkey"),
}
# What a mail tells its reader of, by the name that allauth has for it.
_NOTICES = {
    "account/email/password_changed": gettext_lazy("The password was changed."),
    "account/email/password_reset": gettext_lazy("A new password was chosen."),
    "account/email/email_changed": gettext_lazy("The address was changed: mails go to another one from now on."),
    "mfa/email/totp_activated": gettext_lazy("An authenticator app was set up."),
    "mfa/email/totp_deactivated": gettext_lazy("The authenticator app was turned off."),
    "mfa/email/recovery_codes_generated": gettext_lazy("New recovery codes were made."),
    "mfa/email/webauthn_added": gettext_lazy("A passkey was added."),
    "mfa/email/webauthn_removed": gettext_lazy("A passkey was removed."),
}


class Backend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """Reads the user of a session together with the accounts of which he or she is a member: one query."""

    def get_user(self, user_id: int) -> User | None:
        """The active user, with ``seen_at``: the use of his session, and for which account he acts in which role."""
        users = User.objects.annotate(held=members.held(), seen_at=sessions.seen_at())
        user = users.filter(pk=user_id, is_active=True).first()
        if user is not None:
            members.act_for(user, _chosen())
            behalf.take(user, _behalf())
            local_time.use(user.time_zone)
        return user


def _chosen() -> int | None:
    """The account that the session acts for, where it says one."""
    request = context.request
    chosen = request.session.get(members.CHOSEN) if request and hasattr(request, "session") else None
    return chosen if isinstance(chosen, int) else None


def _behalf() -> behalf.Behalf | None:
    """For which customer the session acts, where one of the staff does."""
    request = context.request
    return behalf.of_session(request.session) if request and hasattr(request, "session") else None


class LongEnough(MinimumLengthValidator):
    """Django's rule; its own sentence is not translated."""

    def get_error_message(self) -> str:
        return _("A password has at least {least} characters.").format(least=self.min_length)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Sign-up: user, account and purses in one commit. Mail: its links are those of the shop's own address."""

    def logout(self, request: HttpRequest) -> None:
        end_on_behalf(request)
        super().logout(request)

    def get_reset_password_from_key_url(self, key: str) -> str:
        return settings.PUBLIC_URL + reset_link.path_of(key)

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return settings.PUBLIC_URL + reverse("account_confirm_email", args=[emailconfirmation.key])

    def get_email_verification_redirect_url(self, email_address: EmailAddress) -> str:
        return reverse("security" if self.request.user.is_authenticated else "account_login")

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("security")

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        return [method | {"description": _AGAIN[method["id"]]} for method in super().get_reauthentication_methods(user)]

    def get_from_email(self) -> str:
        """The shop's name stands before the address that mails come from, where the seller gave none with it."""
        named, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
        own = brand.own_name()
        return formataddr((own, address)) if own and not named else str(settings.DEFAULT_FROM_EMAIL)

    def clean_email(self, email: str) -> str:
        """Refuse the addresses of the users that the shop makes for itself."""
        if email.lower().endswith(f"@{OWN_DOMAIN}"):
            raise ValidationError(_("The shop keeps this address for itself; take one that gets mail."))
        return str(super().clean_email(email))

    def get_login_stages(self) -> list[str]:
        return stages.ALL

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """One template for all of them: what happened, when, from where."""
        if template_prefix in _NOTICES:
            told = {"what": _NOTICES[template_prefix], "when": clock.wall(), **(context or {})}
            super().send_notification_mail("account/email/notice", user, told, email)

    def send_account_already_exists_mail(self, email: str) -> None:
        """To whoever signs up again: nobody else learns that there is an account."""
        address = settings.PUBLIC_URL + reverse("account_reset_password")
        self.send_mail("account/email/account_already_exists", email, {"password_reset_url": address})

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
            self._open(user, request)
        except Refused as refused:
            messages.error(request, wording.sentence(refused))
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login"))) from refused
        except IntegrityError as error:  # somebody signed up with this address a moment ago
            messages.error(request, _TAKEN)
            raise ImmediateHttpResponse(HttpResponseRedirect(reverse("account_login"))) from error
        return user

    def _open(self, user: User, request: HttpRequest) -> None:
        """An account of the user's own; who was invited by this address has a place in that account instead."""
        word = request.session.pop(INVITED, "")
        if word and invitations.find(word).email.lower() == user.email.lower():
            if join_as(user, word, *whence(request)).mailed:
                self.stash_verified_email(request, user.email)  # who has the word of the mail reads what comes there
        else:
            sign_up(user, user.email)

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        sessions.make_room(user)
        members.signed_in(user, request.META.get("REMOTE_ADDR", ""))
        request.session[members.CHOSEN] = members.first_of(user)

    def set_password(self, user: User, password: str) -> None:
        """Whoever is signed in with the old one is signed out, but who changes it."""
        super().set_password(user, password)
        sessions.end_others(user, self.request)

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """The one that waits, never the one that he signs in with."""
        return own_address.pending(email_address.user).filter(pk=email_address.pk).exists()

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """From now on the user signs in with it; refused where somebody else has come to do so meanwhile."""
        before = email_address.user.email
        try:
            with transaction.atomic():
                done = not own_address.is_taken(email_address) and super().confirm_email(request, email_address)
        except IntegrityError:  # in this moment
            done = False
        if done:
            own_address.rename_account(email_address.user_id, before, email_address.email)
        else:
            messages.error(request, _TAKEN)
        return done
