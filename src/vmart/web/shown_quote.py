"""The price as it was shown: signed for one account, good for 15 minutes, charged exactly.

Also the form's token. It stands in the page's address, so double click, reload and *back* send the same one
and a purchase happens once. The generated password is a function of it and of the session, so that a repeat
shows the same one; the database sees only the token's digest: no password can be made again from what it holds.
"""

import base64
import datetime as dt
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from django.conf import settings
from django.core import signing

from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.pricing.quote import Quote

VALID = dt.timedelta(minutes=15)  # billing-rules, section 5
_SALT = "vmart.web.shown_quote"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")


class NotShown(Exception):
    """No quote, one of another account, forged, or older than 15 minutes (``expired``)."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("expired" if expired else "unknown")
        self.expired = expired


class _Plain(Protocol):
    def plain(self) -> dict[str, Any]: ...


_Shown = TypeVar("_Shown")


def sign(account_id: int, quoted: _Plain) -> str:
    """The quote as text for the form."""
    until = clock.now() + VALID
    return signing.dumps(
        {"account": account_id, "quote": quoted.plain(), "until": until.isoformat()}, salt=_SALT, compress=True
    )


def read(account_id: int, text: str) -> Quote:
    """The quote of a purchase that was shown to this account. Raises NotShown."""
    return read_as(account_id, text, Quote.of)


def read_as(account_id: int, text: str, of: Callable[[dict[str, Any]], _Shown]) -> _Shown:
    """What was shown to this account, made of its plain values by ``of``. Raises NotShown."""
    try:
        shown = signing.loads(text, salt=_SALT)
        if shown["account"] != account_id:
            raise NotShown(expired=False)
        quoted = of(shown["quote"])
    except (signing.BadSignature, KeyError, TypeError, ValueError, Refused) as error:
        raise NotShown(expired=False) from error
    if clock.now() > dt.datetime.fromisoformat(shown["until"]):
        raise NotShown(expired=True)
    return quoted


def new_token() -> str:
    """A token for one purchase."""
    return secrets.token_urlsafe(32)


def is_token(text: str) -> bool:
    return bool(_TOKEN.fullmatch(text))


def client_token(token: str) -> str:
    """What the purchase is given: a digest, at most 64 characters."""
    return "page-" + hashlib.sha256(token.encode()).hexdigest()[:48]


def generated_password(account_id: int, session: str, token: str) -> str:
    """Sixteen letters and digits in fours, of all three classes, about 80 bits; the same for form and session."""
    for attempt in range(100):
        key = settings.SECRETS.derive("generated machine passwords")
        digest = hmac.digest(key, f"{account_id}|{session}|{token}|{attempt}".encode(), "sha256")
        text = base64.b64encode(digest).decode().translate(str.maketrans("", "", "+/=0Oo1lI"))[:16]
        if len(text) == 16 and re.search("[a-z]", text) and re.search("[A-Z]", text) and re.search("[2-9]", text):
            return "-".join(text[start : start + 4] for start in range(0, 16, 4))
    raise AssertionError("a digest of 256 bits has letters and digits")


def seal_password(order_id: int, password: str) -> str:
    """For a cookie: readable by this deployment only; the database never has it."""
    return base64.urlsafe_b64encode(settings.SECRETS.seal(password, f"order {order_id}")).decode()


def open_password(order_id: int, sealed: str) -> str:
    """The password again, "" for anything else."""
    try:
        return settings.SECRETS.open(base64.urlsafe_b64decode(sealed.encode()), f"order {order_id}")
    except Exception:  # noqa: BLE001  a cookie holds what the browser likes
        return ""
