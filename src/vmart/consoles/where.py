"""Where browsers reach the gateway: the address that the seller says, else a port beside the shop's own."""

from django.conf import settings

from vmart.consoles.errors import NoConsole


def gateway(host: str, *, secure: bool) -> str:
    """``wss://shop.example.com:8444`` for a page of this host (``[::1]:8000``). Raises NoConsole where it has none."""
    if settings.CONSOLE_URL:
        return str(settings.CONSOLE_URL)
    port = settings.CONSOLE_TLS_PORT if secure else settings.CONSOLE_PORT
    if not port:
        raise NoConsole(
            "The shop has no gateway for consoles at this address; its seller can say one.", field="machines"
        )
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() and not host.endswith("]") else host
    return f"{'wss' if secure else 'ws'}://{name}:{port}"
