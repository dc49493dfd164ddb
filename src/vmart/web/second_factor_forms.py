"""Forms of the second factor: allauth's, in our words, and where what is sent may be anything at all."""

from collections.abc import Callable
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from vmart.web.second_factor import Adapter

_CREDENTIAL_MAX = 1 << 16
# What allauth and fido2 raise at a credential that no browser would send.
_MADE_UP = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _code() -> forms.CharField:
    attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True, "maxlength": 20}
    return forms.CharField(label=_("Code"), max_length=20, widget=forms.TextInput(attrs=attributes))


class _Once:
    """A code of an app is taken once in the whole time in which it is right: with a tolerance that is three periods."""

    def clean_code(self) -> str:
        code: str = super().clean_code()  # type: ignore[misc]
        held: Authenticator = self.authenticator  # type: ignore[attr-defined]
        if held.type == Authenticator.Type.TOTP and not _is_first(held.user_id, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


def _is_first(user_id: int, code: str) -> bool:
    digits = "".join(character for character in code if character.isdigit())
    periods = 2 * app_settings.TOTP_TOLERANCE + 1
    return bool(cache.add(f"vmart.totp:{user_id}:{digits}", "y", timeout=periods * app_settings.TOTP_PERIOD))


class Code(_Once, AuthenticateForm):  # type: ignore[misc]  # allauth has no types
    """A code of an app, or a recovery code, after the password."""

    code = _code()


class CodeAgain(_Once, ReauthenticateForm):  # type: ignore[misc]
    """The same of one who is signed in already."""

    code = _code()


class FirstCode(ActivateTOTPForm):  # type: ignore[misc]
    """The code that shows that the app has the secret. It is used up by that."""

    code = _code()

    def clean_code(self) -> str:
        code: str = super().clean_code()
        if not _is_first(self.user.pk, code):
            raise get_adapter().validation_error("incorrect_code")
        return code


class _Credential(forms.JSONField):
    """What a browser says for a passkey: an object of a size that it may have. allauth looks at no 0, and keeps it."""

    widget = forms.HiddenInput
    default_error_messages = dict.fromkeys(("required", "invalid"), Adapter.error_messages["passkey_refused"])

    def bound_data(self, data: Any, initial: Any) -> Any:
        """A challenge is answered once: what was refused is not put into the page again."""
        return initial

    def prepare_value(self, value: Any) -> str:
        return ""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and len(value) > _CREDENTIAL_MAX:
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        try:
            said = super().to_python(value)
        except RecursionError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error
        if not isinstance(said, dict | None):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return said


def _believed(clean: Callable[[], Any]) -> Any:
    """What allauth makes of a credential; whatever is wrong with it is one refusal."""
    try:
        return clean()
    except ValidationError as error:
        if error.code != "incorrect_code":
            raise
        raise get_adapter().validation_error("passkey_refused") from error
    except _MADE_UP as error:
        raise get_adapter().validation_error("passkey_refused") from error


class NewPasskey(AddWebAuthnForm):  # type: ignore[misc]
    """A passkey that is added, with what its owner calls it."""

    name = forms.CharField(label=_("Name"), required=False, max_length=60)
    passwordless = forms.BooleanField(
        label=_("Sign in with it alone, without the password"), required=False, initial=True
    )
    credential = _Credential()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = _believed(super().clean)
        return cleaned


class _Shown:
    def clean_credential(self) -> Authenticator:
        found: Authenticator = _believed(super().clean_credential)  # type: ignore[misc]
        return found


class Passkey(_Shown, AuthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey after the password."""

    credential = _Credential()


class PasskeyAgain(_Shown, ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey of one who is signed in already."""

    credential = _Credential()


class PasskeyAlone(_Shown, LoginWebAuthnForm):  # type: ignore[misc]
    """A passkey instead of the password."""

    credential = _Credential()
