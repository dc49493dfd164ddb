"""The second factor: what allauth's app of it leaves to a shop. Imports nothing that only passkeys need."""

import base64
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from vmart.kernel.secrets import SecretsUnreadable
from vmart.pages import brand
from vmart.web import sessions

log = logging.getLogger(__name__)
_PURPOSE = "second factor"


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Secrets of apps and recovery codes lie sealed; a shop is called by the address at which it is reached."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": _("This code is wrong, or was used before."),
        "passkey_refused": _("The passkey was not accepted. Try again."),
        "unreadable": _("The shop cannot read this second factor any more. Ask the seller to remove it."),
    }

    def encrypt(self, text: str) -> str:
        return base64.b64encode(settings.SECRETS.seal(text, _PURPOSE)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            opened: str = settings.SECRETS.open(base64.b64decode(encrypted_text), _PURPOSE)
        except SecretsUnreadable as error:  # a database under another master key: attention for its seller
            log.exception("a second factor cannot be read")
            raise self.validation_error("unreadable") from error
        return opened

    def get_totp_issuer(self) -> str:
        return str(urlsplit(settings.PUBLIC_URL).hostname or context.request.get_host())

    def generate_authenticator_name(self, user: Any, type: Any) -> str:
        """A passkey is called by where it was made until its owner says otherwise."""
        return sessions.device(context.request.headers.get("User-Agent", ""))

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        entity: dict[str, str] = super().get_public_key_credential_rp_entity()
        return entity | {"name": brand.name()}


def later(name: str, *, strangers: bool = False) -> Callable[..., HttpResponseBase]:
    """A view of ``allauth.mfa``, loaded when somebody asks for it: most processes answer nobody who does.

    ``strangers`` may ask too: without it they are sent to sign in, where allauth would keep what they sent.
    """

    @never_cache
    def view(request: HttpRequest, **named: Any) -> HttpResponseBase:
        answer: HttpResponseBase = import_string(f"allauth.mfa.{name}")(request, **named)
        return answer

    return view if strangers else login_required(view)
