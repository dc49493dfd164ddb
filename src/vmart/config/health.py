"""Ask a running ``vmart web`` how it is. Light: the supervisor's commands and web's parent import it."""

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

_LIMIT_S = 5


def health(url: str) -> dict[str, Any] | None:
    """What ``/healthz`` of this machine's web at ``url`` says, well or not; None when nothing answers."""
    address = urlsplit(url)
    if address.scheme == "https":  # ourselves on this machine: the certificate may name another host
        context = ssl._create_unverified_context()  # noqa: S323
        wire: http.client.HTTPConnection = http.client.HTTPSConnection(
            address.netloc, timeout=_LIMIT_S, context=context
        )
    else:
        wire = http.client.HTTPConnection(address.netloc, timeout=_LIMIT_S)
    try:
        wire.request("GET", "/healthz")
        said = json.loads(wire.getresponse().read())
        return {"web": bool(said["web"]), "database": bool(said["database"])}
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        wire.close()
