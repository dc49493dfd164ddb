"""A machine's own console on an Incus server, by the server's websockets."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmart.engines.contract import ConsoleLine, EngineError, NotRunning
from vmart.engines.incus.client import NO_ANSWER, IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.network import MARK

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_SAID_BYTES = 8192  # of what was said before: the last screens


class Line:
    """``contract.ConsoleLine`` on the websocket of a console's text."""

    def __init__(self, client: IncusClient, machine: str, text: "ClientConnection", said_before: bytes) -> None:
        self._client, self._machine, self._text, self._said_before = client, machine, text, said_before

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
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            self._text.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        """Said inside: between a container's console and the server's terminal liblxc has one more, whose size it does
        not hand on. A guest without `stty` keeps what it has.
        """
        asked = {
            "command": ["stty", "-F", "/dev/console", "rows", str(rows), "cols", str(columns)],
            "wait-for-websocket": False, "interactive": False, "record-output": False,
        }  # fmt: skip
        with contextlib.suppress(EngineError):
            self._client.begin("POST", path_of("instances", self._machine, "exec"), asked)


@contextlib.contextmanager
def attached(client: IncusClient, names: Names, machine: str, columns: int, rows: int) -> Iterator[ConsoleLine]:
    """As ``contract.Consoles.console``."""
    found = client.find(path_of("instances", machine))
    if found is None or found["config"].get(MARK) != names.deployment:
        raise EngineError("The machine does not exist.", transient=False, detail=machine)
    if found["status"] != "Running":
        raise NotRunning(machine)
    said_before = client.console_log(machine)[-_SAID_BYTES:] if found["type"] == "container" else b""
    operation, sockets = _begin(client, machine, columns, rows)
    path = f"{operation}/websocket"
    with client.websocket(path, secret=sockets["0"]) as text, client.websocket(path, secret=sockets["control"]):
        line = Line(client, machine, text, said_before)
        line.resize(columns, rows)
        yield line


def _begin(client: IncusClient, machine: str, columns: int, rows: int) -> tuple[str, dict[str, str]]:
    """The operation and the secrets of its websockets. ``force``: newer servers keep a second one out by themselves."""
    asked = {"width": columns, "height": rows, "type": "console", "force": True}
    try:
        operation = client.begin("POST", path_of("instances", machine, "console"), asked).partition("?")[0]
        return operation, dict(client.get(operation)["metadata"]["fds"])
    except IncusError as error:
        raise EngineError(NO_ANSWER, transient=True, detail=error.text) from error
