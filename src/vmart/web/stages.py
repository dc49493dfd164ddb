"""What comes between the password and being signed in, as far as this shop asks for it."""

from allauth.account.stages import EmailVerificationStage, LoginStage
from allauth.mfa.internal.constants import LoginStageKey
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.http import HttpResponse

Handled = tuple[HttpResponse | None, bool]
ALL = ["vmart.web.stages.ConfirmedAddress", "vmart.web.stages.SecondFactor"]
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


class ConfirmedAddress(EmailVerificationStage):  # type: ignore[misc]  # allauth has no types
    """Of customers alone: an operator was made on the shop's machine, and must get in to mend a shop's mail."""

    def handle(self) -> Handled:
        if self.login.user and self.login.user.is_staff:
            return None, True
        handled: Handled = super().handle()
        return handled


class SecondFactor(LoginStage):  # type: ignore[misc]
    """allauth's own, loaded for those who have one: with it comes what passkeys need, 5 MiB of a process."""

    key = LoginStageKey.MFA_AUTHENTICATE.value
    urlname = "mfa_authenticate"

    def handle(self) -> Handled:
        if not self.login.user or not is_mfa_enabled(self.login.user, FACTORS):
            return None, True
        from allauth.mfa.stages import AuthenticateStage

        handled: Handled = AuthenticateStage(self.controller, self.request, self.login).handle()
        return handled
