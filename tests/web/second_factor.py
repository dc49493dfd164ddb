"""Whoever has a second factor in these tests: what his app shows, and the way of its setting up."""

import os
import re
import time

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData, CollectedClientData

from tests.web.visiting import PASSWORD, Visitor

ON, OFF = "/accounts/2fa/app/on/", "/accounts/2fa/app/off/"
AUTHENTICATE, CODES = "/accounts/2fa/authenticate/", "/accounts/2fa/codes/"


def shown_code(secret: str, periods: int = 0) -> str:
    """What an app shows, so many half minutes from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def show_again(visitor: Visitor) -> None:
    """That it is he, by the password: holds for five minutes."""
    answer = visitor.post("/accounts/reauthenticate/", {"password": PASSWORD})
    assert answer.status_code == 302, answer.status_code


def set_up_app(visitor: Visitor) -> str:
    """An authenticator app; its secret."""
    show_again(visitor)
    secret = secret_on(visitor.get(ON).content.decode())
    answer = visitor.post(ON, {"code": shown_code(secret, -1)})  # the next is left for signing in
    assert (answer.status_code, answer["Location"]) == (302, CODES)
    return secret


def secret_on(page: str) -> str:
    """The secret that a page shows."""
    found = re.search(r'id="totp-secret"[^>]*>([A-Z2-7]{32})<', page)
    assert found
    return found[1]


def recovery_codes(visitor: Visitor) -> list[str]:
    """Those that the page shows."""
    return re.findall(r"\b\d{8}\b", visitor.get(CODES).content.decode())


def stored_passkey(visitor: Visitor, name: str = "laptop") -> Authenticator:
    """A passkey whose private part nobody has."""
    public = ES256.from_cryptography_key(ec.generate_private_key(ec.SECP256R1()).public_key())
    key = AttestedCredentialData.create(b"\0" * 16, os.urandom(16), public)
    said = AuthenticatorData.create(b"\0" * 32, AuthenticatorData.FLAG.UP | AuthenticatorData.FLAG.AT, 0, key)
    credential = {
        "id": websafe_encode(key.credential_id), "rawId": websafe_encode(key.credential_id), "type": "public-key",
        "clientExtensionResults": {},
        "response": {
            "clientDataJSON": websafe_encode(CollectedClientData.create("webauthn.create", b"c", "https://localhost")),
            "attestationObject": websafe_encode(AttestationObject.create("none", said, {})),
        },
    }  # fmt: skip
    data = {"name": name, "credential": credential}
    return Authenticator.objects.create(user=visitor.user, type=Authenticator.Type.WEBAUTHN, data=data)


def give_password(visitor: Visitor, **options: str) -> tuple[Client, HttpResponse]:
    """Somebody with the visitor's password, and what he is answered."""
    other = Client(**options)
    return other, other.post("/accounts/login/", {"login": visitor.user.email, "password": PASSWORD})


def is_in(client: Client) -> bool:
    """Whether he is signed in."""
    return client.get("/accounts/security/").status_code == 200
