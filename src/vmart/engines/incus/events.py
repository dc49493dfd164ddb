"""Lifecycle events of an Incus server: which machine was turned on or off.

A line gets the events of all members of a cluster, from when it is open on; none is kept for who was away.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from vmart.engines.contract import EngineError
from vmart.engines.incus.client import NO_ANSWER, IncusClient
from vmart.kernel import clock

_POWER = {"instance-shutdown", "instance-stopped", "instance-started", "instance-restarted"}
_INSTANCES = "/1.0/instances/"


@contextlib.contextmanager
def changes(client: IncusClient) -> Iterator[Callable[[float], str | None]]:
    """As ``engines.optional.TellsChanges.changes``."""
    with client.websocket("/1.0/events", type="lifecycle") as line:
        yield lambda limit_s: _next(line, limit_s)


def _next(line: ClientConnection, limit_s: float) -> str | None:
    ends = clock.monotonic() + limit_s
    while (left_s := ends - clock.monotonic()) > 0:
        try:
            name = _machine(json.loads(line.recv(timeout=left_s)))
        except TimeoutError:
            return None
        except (WebSocketException, OSError, ValueError) as error:
            raise EngineError(NO_ANSWER, transient=True, detail=f"events: {error}") from error
        if name:
            return name
    return None


def _machine(event: dict[str, Any]) -> str:
    """Its name, "" where the event is of something else."""
    told = event.get("metadata") or {}
    path = urlsplit(str(told.get("source") or "")).path
    if told.get("action") not in _POWER or not path.startswith(_INSTANCES):
        return ""
    return unquote(path.removeprefix(_INSTANCES))
