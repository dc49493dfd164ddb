"""A machine's console on an Incus server: a login inside the machine, on a terminal of its own.

Not liblxc's console: whoever left that one while the machine flooded it left the machine's monitor waiting for ever,
and the server could neither stop the machine nor say how it is (seen with Incus 6.0.4; ADR 0066).
"""

import contextlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vmart.engines.contract import EngineError, NotRunning
from vmart.engines.incus.client import NO_ANSWER, IncusClient, IncusError, path_of
from vmart.engines.incus.host import Names
from vmart.engines.incus.network import MARK
from vmart.engines.optional import ConsoleLine

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_TERMINAL = {"TERM": "xterm-256color"}
# The first boot gives the machine its password: whoever comes before it is through waits for it, for half a minute.
_LOGIN = """
n=0
if command -v cloud-init >/dev/null; then
  until [ -e /run/cloud-init/result.json ] || [ -e /run/cloud-init/disabled ] || [ $n -ge 150 ]; do
    [ $n -eq 5 ] && echo "The system is still starting."
    n=$((n + 1)); sleep 0.2
  done
fi
exec login
"""


class Line:
    """``optional.ConsoleLine`` on two open websockets, one for text and one for the terminal's size."""

    def __init__(self, text: "ClientConnection", control: "ClientConnection") -> None:
        self._text, self._control = text, control

    def read(self, limit_s: float) -> bytes | None:
        from websockets.exceptions import ConnectionClosed

        try:
            said = self._text.recv(timeout=limit_s)
        except TimeoutError:
            return None
        except ConnectionClosed:
            return b""
        return b"" if isinstance(said, str) else said  # text is the server's word for the end

    def write(self, keys: bytes) -> None:
        with _until_its_end():
            self._text.send(keys)

    def resize(self, columns: int, rows: int) -> None:
        size = {"command": "window-resize", "args": {"width": str(columns), "height": str(rows)}}
        with _until_its_end():
            self._control.send(json.dumps(size))


@contextlib.contextmanager
def attached(client: IncusClient, names: Names, machine: str, columns: int, rows: int) -> Iterator[ConsoleLine]:
    """As ``optional.Consoles.console``. The server ends the login with the line."""
    found = client.find(path_of("instances", machine))
    if found is None or found["config"].get(MARK) != names.deployment:
        raise EngineError("The machine does not exist.", transient=False, detail=machine)
    if found["status"] != "Running":
        raise NotRunning(machine)
    operation, sockets = _begin(client, machine, columns, rows)
    path = f"{operation}/websocket"
    with (
        client.websocket(path, secret=sockets["control"]) as control,
        client.websocket(path, secret=sockets["0"]) as text,
    ):
        yield Line(text, control)


def _begin(client: IncusClient, machine: str, columns: int, rows: int) -> tuple[str, dict[str, str]]:
    """The operation and the secrets of its websockets."""
    asked = {
        "command": ["sh", "-c", _LOGIN], "interactive": True, "wait-for-websocket": True, "environment": _TERMINAL,
        "width": columns, "height": rows,
    }  # fmt: skip
    try:
        operation = client.begin("POST", path_of("instances", machine, "exec"), asked).partition("?")[0]
        return operation, dict(client.get(operation)["metadata"]["fds"])
    except IncusError as error:
        raise EngineError(NO_ANSWER, transient=True, detail=error.text) from error


@contextlib.contextmanager
def _until_its_end() -> Iterator[None]:
    from websockets.exceptions import ConnectionClosed

    with contextlib.suppress(ConnectionClosed):
        yield
