"""How the shop sends mail: one SMTP server, as a URL, and the address that links in mails begin with.

Imports nothing heavy: the supervisor checks what it was told with it.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

SMTP, SENDER, SHOP = "VMART_SMTP_URL", "VMART_MAIL_FROM", "VMART_PUBLIC_URL"
_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_LIMIT_S = 10


class MailMisused(ValueError):
    """The settings are not usable; the text says which and what would be right."""


@dataclass(frozen=True)
class MailSettings:
    """``server`` is "" where the shop sends no mail; ``shop`` is "" where nobody has said how it is reached."""

    server: str
    sender: str
    shop: str

    def check(self) -> None:
        """Raise MailMisused. A mail's links never follow the Host that a visitor's request claims."""
        if self.shop:
            parts = _split(SHOP, self.shop)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
                raise MailMisused(f"{SHOP}: {self.shop!r} is no address of a shop: https://shop.example.com")
        if not self.server:
            return
        parts = _split(SMTP, self.server)
        if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/"):
            raise MailMisused(
                f"{SMTP} is smtp://user:password@host:587 (with STARTTLS), smtps://… or smtp+plain://… (no TLS)"
            )
        if "@" not in self.sender.strip("@") or not self.sender.isprintable():
            raise MailMisused(f"{SENDER} must name the address that mails come from: shop@example.com")
        if not self.shop:
            raise MailMisused(f"{SHOP} must say how customers reach the shop: links in mails begin with it")

    def django(self) -> dict[str, Any]:
        """Django's settings for the server."""
        parts = _split(SMTP, self.server)
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or _PORTS[parts.scheme],
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_TLS": parts.scheme == "smtp",
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_TIMEOUT": _LIMIT_S,
            "DEFAULT_FROM_EMAIL": self.sender,
        }


def _split(name: str, url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:  # what it says may hold the password, which belongs into no log
        raise MailMisused(f"{name} is no URL") from None
    return parts
