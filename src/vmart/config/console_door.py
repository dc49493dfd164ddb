"""The gateway's addresses, held by the supervisor; its process is started when somebody comes, and ends by itself.

So a shop in which nobody has a console open has no process for it. Imports nothing heavy: the supervisor stays small.
"""

import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from vmart.config.children import Child
from vmart.config.places import Misused

FDS = "VMART_CONSOLE_FDS"  # "5,6": descriptors that listen, plain and TLS; "" for one that there is not
_BACKLOG = 128


def listen_beside(
    beside: tuple[str, int], asked: tuple[str, int] | None, taken: Iterable[int], option: str
) -> socket.socket:
    """Listen at the address that was asked for, else at the port after ``beside``'s, else at a free one of its host.

    Raises Misused where what was asked for cannot be had.
    """
    if asked is not None:
        return listen_at(asked, option)
    host, port = beside
    if port not in (0, 65535) and port + 1 not in taken:
        try:
            return listen_at((host, port + 1), option)
        except Misused:
            pass  # somebody has it, and nobody has asked for it
    return listen_at((host, 0), option)


def listen_at(address: tuple[str, int], option: str) -> socket.socket:
    """Listen there; raises Misused, naming the option."""
    host, port = address
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(_BACKLOG)
        except OSError:
            listening.close()
            raise
    except OSError as error:
        raise Misused(
            f"cannot listen on {host}:{port} ({error.strerror or error}): choose another with {option}"
        ) from error
    listening.setblocking(False)
    return listening


def handed_over(descriptors: str) -> tuple[socket.socket | None, socket.socket | None]:
    """The sockets that a supervisor holds, plain and TLS: ``Door.descriptors``."""
    plain, tls = (socket.socket(fileno=int(number)) if number else None for number in descriptors.split(","))
    return plain, tls


def check_url(text: str) -> None:
    """Raise Misused unless it is the address of a gateway, ``wss://console.example.com`` or ``ws://…``, or ""."""
    if not text:
        return
    try:
        parts = urlsplit(text)
        is_one = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise Misused(f"--console-url: {text!r} is no address of a gateway: wss://console.example.com")


@dataclass
class Door:
    """``plain`` and ``tls`` listen. ``child`` is the gateway's process, once the shop is up."""

    plain: socket.socket
    tls: socket.socket | None = None
    child: Child | None = None

    @property
    def sockets(self) -> list[socket.socket]:
        return [held for held in (self.plain, self.tls) if held is not None]

    def ports(self) -> dict[str, str]:
        """Variables by which the web process knows where the gateway is."""
        return {
            "VMART_CONSOLE_PORT": str(self.plain.getsockname()[1]),
            "VMART_CONSOLE_TLS_PORT": str(self.tls.getsockname()[1]) if self.tls else "",
        }

    def descriptors(self) -> str:
        return ",".join(str(held.fileno()) if held else "" for held in (self.plain, self.tls))

    def watch(self, waiting: select.poll) -> None:
        """Have whoever waits wake up when somebody comes while no process is there."""
        if self.child is not None and self.child.process is None and time.monotonic() >= self.child.next_start:
            for held in self.sockets:
                waiting.register(held, select.POLLIN)

    def see_to(self, warn: Callable[[str], None]) -> bool:
        """Start the process where somebody waits; notice its end. True where one came or went."""
        if self.child is None:
            return False
        code = self.child.ended()
        if code is not None:
            if code == 0:
                self.child.next_start = 0.0  # it had nobody: the next one is not kept waiting
            else:
                warn(f"the consoles' gateway ended with code {code}; the next console starts it again")
            return True
        if self.child.process is not None or time.monotonic() < self.child.next_start or not self._somebody_waits():
            return False
        self.child.start()
        return True

    def _somebody_waits(self) -> bool:
        waiting = select.poll()
        for held in self.sockets:
            waiting.register(held, select.POLLIN)
        return bool(waiting.poll(0))

    def close(self) -> None:
        for held in self.sockets:
            held.close()
