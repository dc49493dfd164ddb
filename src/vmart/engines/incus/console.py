"""A machine's own console on an Incus server: the server's websockets, one for text and one for the terminal's size."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmart.engines.contract import ConsoleLine, EngineError
from vmart.engines.incus.client import NO_ANSWER, IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.network import MARK
from vmart.kernel import clock

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_SAID_BYTES = 8192  # of what was said before: the last screens
_GIVE_UP_S, _AGAIN_S = 10.0, 0.2  # whoever had it before needs a moment to leave
_IN_USE = "already connected"


class Line:
    """``contract.ConsoleLine`` on two open websockets."""

    def __init__(self, text: "ClientConnection", control: "ClientConnection", said_before: bytes) -> None:
        self._text, self._control, self._said_before = text, control, said_before

    def read(self, limit_s: float) -> bytes | None:
        from websockets.exceptions import ConnectionClosed

        if self._said_before:
            said, self._said_before = self._said_before, b""
            return said
        try:
            said_now = self._text.recv(timeout=limit_s)
        except TimeoutError:
            return None
        except ConnectionClosed:
            return b""
        return b"" if isinstance(said_now, str) else said_now  # text is the server's word for the end

    def write(self, keys: bytes) -> None:
        with _until_its_end():
            self._text.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        size = {"command": "window-resize", "args": {"width": str(columns), "height": str(rows)}}
        with _until_its_end():
            self._control.send(json.dumps(size))


@contextlib.contextmanager
def attached(client: IncusClient, names: Names, machine: str, columns: int, rows: int) -> Iterator[ConsoleLine]:
    """As ``contract.Consoles.console``."""
    found = client.find(path_of("instances", machine))
    if found is None or found["config"].get(MARK) != names.deployment:
        raise EngineError("The machine does not exist.", transient=False, detail=machine)
    if found["status"] != "Running":
        raise EngineError("The machine does not run.", transient=True, detail=machine)
    said_before = client.console_log(machine)[-_SAID_BYTES:] if found["type"] == "container" else b""
    operation, sockets = _begin(client, machine, columns, rows)
    path = f"{operation}/websocket"
    with (
        client.websocket(path, secret=sockets["0"]) as text,
        client.websocket(path, secret=sockets["control"]) as control,
    ):
        line = Line(text, control, said_before)
        line.resize(columns, rows)
        yield line


def _begin(client: IncusClient, machine: str, columns: int, rows: int) -> tuple[str, dict[str, str]]:
    """The operation and the secrets of its websockets."""
    asked = {"width": columns, "height": rows, "type": "console", "force": True}
    ends = clock.monotonic() + _GIVE_UP_S
    while True:
        try:
            operation = client.begin("POST", path_of("instances", machine, "console"), asked).partition("?")[0]
            return operation, dict(client.get(operation)["metadata"]["fds"])
        except IncusError as error:
            if _IN_USE not in error.text or clock.monotonic() > ends:
                raise EngineError(NO_ANSWER, transient=True, detail=error.text) from error
        time.sleep(_AGAIN_S)


@contextlib.contextmanager
def _until_its_end() -> Iterator[None]:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        yield
