"""The console of a simulated machine: a login of its own, and a few commands that say what the machine is.

It says that it is simulated. Its password is the machine's: whoever resets it logs in with the new one.
"""

import contextlib
import queue
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from vmart.engines.contract import EngineError, NotRunning, Power
from vmart.engines.optional import ConsoleLine
from vmart.kernel import clock, unix_password

Look = Callable[[], Mapping[str, Any] | None]  # the machine as it is now, None where it is gone

_COLUMNS = (
    "member", "power", "booted_at", "image", "hostname", "login_user", "password_hash", "vcpu", "memory_mib",
    "private_ip", "public_ip", "public_ipv6",
)  # fmt: skip
_LOOKED_AT = f"SELECT {', '.join(_COLUMNS)} FROM machine WHERE name = ?"  # noqa: S608  constants
_LINE_MAX = 1000
_LOOK_S = 1.0
_ERASE, _ENTER, _BREAK, _END = ("\x7f", "\b"), ("\r", "\n"), "\x03", "\x04"
_HELP = "Commands here: help, hostname, whoami, id, uname, nproc, free, ip, echo, clear, exit."


class Line:
    """``optional.ConsoleLine``: what is typed goes into a line, what the line says into a queue."""

    def __init__(self, look: Look, boot: float, columns: int, rows: int) -> None:
        self._look, self._boot = look, boot
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._typed, self._user, self._step = "", "", self._login
        self._shows = True
        self._size = (columns, rows)
        self._greet()

    def read(self, limit_s: float) -> bytes | None:
        ends = clock.monotonic() + limit_s
        while True:
            if self._has_ended():
                return b""
            with contextlib.suppress(queue.Empty):
                return self._said.get(timeout=max(0.0, min(_LOOK_S, ends - clock.monotonic()))).encode()
            if clock.monotonic() >= ends:
                return None

    def write(self, keys: bytes) -> None:
        for key in keys.decode(errors="replace"):
            self._press(key)

    def resize(self, columns: int, rows: int) -> None:
        self._size = (columns, rows)

    def _has_ended(self) -> bool:
        found = self._look()
        return found is None or found["power"] != Power.RUNNING or found["booted_at"] != self._boot

    def _press(self, key: str) -> None:
        if key in _ENTER:
            line, self._typed = self._typed, ""
            self._say("\r\n")
            self._step(line)
        elif key == _BREAK or (key == _END and not self._typed):
            self._typed = ""
            self._say("^C\r\n" if key == _BREAK else "\r\n")
            self._step("exit" if key == _END and self._step == self._run else "")
        elif key in _ERASE:
            if self._typed and self._shows:
                self._say("\b \b")
            self._typed = self._typed[:-1]
        elif key.isprintable() and len(self._typed) < _LINE_MAX:
            self._typed += key
            if self._shows:
                self._say(key)

    def _say(self, text: str) -> None:
        self._said.put(text)

    def _greet(self) -> None:
        found = self._look() or {}
        self._user, self._step, self._shows = "", self._login, True
        self._say(f"\r\n{found.get('image', '')}, a simulated machine of vmart.\r\n\r\n{found.get('hostname')} login: ")

    def _login(self, line: str) -> None:
        if not line.strip():
            self._greet()
            return
        self._user, self._step, self._shows = line.strip(), self._password, False
        self._say("Password: ")

    def _password(self, line: str) -> None:
        found = self._look() or {}
        held = str(found.get("password_hash") or "")
        is_right = self._user == found.get("login_user") and held and "\0" not in line
        if not is_right or not unix_password.matches(line, held):
            self._say("\r\nLogin incorrect\r\n")
            self._greet()
            return
        self._step, self._shows = self._run, True
        self._say(f"This machine is simulated: it has no system, and knows few commands. {_HELP}\r\n")
        self._prompt()

    def _prompt(self) -> None:
        sign = "#" if self._user == "root" else "$"
        self._say(f"{self._user}@{(self._look() or {}).get('hostname')}:~{sign} ")

    def _run(self, line: str) -> None:
        command, _, rest = line.strip().partition(" ")
        if command in ("exit", "logout"):
            self._say("logout\r\n")
            self._greet()
            return
        if command == "clear":
            self._say("\x1b[H\x1b[2J")
        elif command:
            self._say("".join(f"{said}\r\n" for said in self._answer(command, rest)))
        self._prompt()

    def _answer(self, command: str, rest: str) -> list[str]:
        found = self._look() or {}
        number = 0 if self._user == "root" else 1000
        answers = {
            "help": [_HELP],
            "hostname": [str(found.get("hostname"))],
            "whoami": [self._user],
            "id": [f"uid={number}({self._user}) gid={number}({self._user})"],
            "uname": [f"Linux {found.get('hostname')} simulated"],
            "nproc": [str(found.get("vcpu"))],
            "free": [f"Mem: {found.get('memory_mib')} MiB"],
            "ip": [str(found.get("private_ip")), *filter(None, [found.get("public_ip"), found.get("public_ipv6")])],
            "echo": [rest],
            "stty": ["{1} {0}".format(*self._size)],
        }
        return answers.get(command, [f"{command}: not found: this machine is simulated. {_HELP}"])


def machine(connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    """What a console shows of a machine, None where there is none."""
    row = connection.execute(_LOOKED_AT, (name,)).fetchone()
    return None if row is None else dict(zip(_COLUMNS, row, strict=True))


@contextlib.contextmanager
def attached(look: Look, name: str, columns: int, rows: int) -> Iterator[ConsoleLine]:
    """As ``optional.Consoles.console``."""
    found = look()
    if found is None:
        raise EngineError("The machine does not exist.", transient=False, detail=name)
    if found["power"] != Power.RUNNING:
        raise NotRunning(name)
    yield Line(look, found["booted_at"], columns, rows)
