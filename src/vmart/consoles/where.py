"""Where browsers reach the gateway: the address that the seller says, else a port beside the shop's own."""

from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse

from vmart.consoles.errors import NoConsole


def gateway(host: str, *, secure: bool) -> str:
    """``wss://shop.example.com:8444`` for a page of this host (``[::1]:8000``). Raises NoConsole where it has none."""
    if settings.CONSOLE_URL:
        return str(settings.CONSOLE_URL)
    port = settings.CONSOLE_TLS_PORT if secure else settings.CONSOLE_PORT
    name = urlsplit(f"//{host}").hostname
    if not port or not name:
        raise NoConsole("The shop has no gateway for consoles at this address; its seller can say one.")
    return f"{'wss' if secure else 'ws'}://{f'[{name}]' if ':' in name else name}:{port}"


def shop(endpoint: str) -> str:
    """Where the shop's pages are, ``https://shop.example.com``, for who called its API at ``endpoint``."""
    return str(settings.PUBLIC_URL or endpoint)


def gateway_of_shop(address: str) -> str:
    """As ``gateway``, for pages at this address of the shop."""
    parts = urlsplit(address)
    return gateway(parts.netloc, secure=parts.scheme == "https")


def page(shop_address: str, ticket: str) -> str:
    """The address that opens a console by its ticket."""
    return f"{shop_address}{reverse('console')}#{ticket}"
