"""The price as it was shown: signed for one account, good for some minutes, charged exactly.

Also the form's token. It stands in the page's address, so double click, reload and *back* send the same one
and a purchase happens once; the database sees only its digest.
"""

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from django.core import signing

from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.policy import policy
from vmart.pricing.quote import Quote

_SALT = "vmart.web.shown_quote"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,64}")


class NotShown(Exception):
    """No quote, one of another account, forged, or shown too long ago (``expired``)."""

    def __init__(self, *, expired: bool) -> None:
        super().__init__("expired" if expired else "unknown")
        self.expired = expired


class _Plain(Protocol):
    def plain(self) -> dict[str, Any]: ...


_Shown = TypeVar("_Shown")


def sign(account_id: int, quoted: _Plain) -> str:
    """The quote as text for the form."""
    now = clock.now()
    until = now + dt.timedelta(minutes=policy.at(now).quote_minutes)
    if (changes_at := policy.ends_at(now)) is not None:  # the rules that the page tells beside the price
        until = min(until, changes_at - dt.timedelta.resolution)
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
