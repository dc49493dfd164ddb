"""The gateway of consoles: a process that browsers reach by websocket, and that reaches engines for them (ADR 0066).

A browser shows its ticket in its first message. From then on binary messages are keys one way and text the other, and
a text message of the browser is the size of its terminal. A console that ends is told why. The process ends by
itself when nobody has been there for some minutes; the supervisor holds its address meanwhile.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.db import connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from vmart.config.console_talk import First, Talk, end_of, first_of
from vmart.consoles import tickets, watch
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.pages import console_words, wording

log = logging.getLogger(__name__)

LINGER_VARIABLE = "VMART_CONSOLE_LINGER_S"
_LINGER_S = 300.0  # a process that has nobody costs memory, one that starts costs a second
_TICKET_S = 5.0  # a page sends it at once
_WAITING_MAX = 64  # of those without a ticket: one more, and the one that waits longest goes
_CONSOLES_MAX = 400  # each has two threads
_MESSAGE_MAX = 64 * 1024  # a browser sends what is pasted in pieces of 8 KiB
_LOOK_S = 2.0
_BLIND_S = 30.0  # so long nobody could be asked whether consoles may stay: then they may not
_DATABASE_THREADS = 4
_CLOSE_S = 10.0


class Gateway:
    """One process's consoles."""

    def __init__(self, linger_s: float) -> None:
        self._linger_s = linger_s
        self._pool = ThreadPoolExecutor(_DATABASE_THREADS, "vmart-console-database")
        self._waiting: dict[ServerConnection, None] = {}  # the one that waits longest first
        self._talks: dict[int, Talk] = {}
        self._handled = 0
        self._used_at = self._saw_at = clock.monotonic()
        self._over = asyncio.Event()

    async def run(self, sockets: Sequence[tuple[socket.socket, ssl.SSLContext | None]]) -> None:
        """Serve until told to stop, or until nobody has been there for long."""
        async with contextlib.AsyncExitStack() as stack:
            for listening, context in sockets:
                await stack.enter_async_context(self._serving(listening, context))
            await self._watch()
            await self._end_all()

    def stop(self) -> None:
        """Of the loop's thread."""
        self._over.set()

    def _serving(self, listening: socket.socket, context: ssl.SSLContext | None) -> Any:
        return serve(
            self._handle, sock=listening, ssl=context, process_request=self._refuse_others, compression=None,
            max_size=_MESSAGE_MAX, max_queue=8, open_timeout=_TICKET_S, close_timeout=2, ping_interval=20,
            ping_timeout=20, server_header=None, ssl_handshake_timeout=_TICKET_S if context else None,
        )  # fmt: skip

    def _refuse_others(self, browser: ServerConnection, request: Request) -> Response | None:
        """What no page of the shop asks for: another path, or no Origin."""
        if request.path != "/" or not request.headers.get("Origin"):
            return browser.respond(HTTPStatus.FORBIDDEN, "Consoles are opened from the shop's pages.\n")
        return None

    async def _handle(self, browser: ServerConnection) -> None:
        self._handled += 1
        try:
            with contextlib.suppress(ConnectionClosed):
                first = await self._first(browser)
                if first is not None:
                    await self._open(browser, first)
        except Exception:  # the library would say it where nobody reads
            log.exception("a console could not be opened")
        finally:
            self._handled -= 1
            self._used_at = clock.monotonic()

    async def _first(self, browser: ServerConnection) -> First | None:
        """What it says first; None where it says nothing of use in time."""
        self._waiting[browser] = None
        if len(self._waiting) > _WAITING_MAX:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            longest.transport.abort()
        try:
            async with asyncio.timeout(_TICKET_S):
                first = first_of(await browser.recv())
        except TimeoutError:
            first = None
        finally:
            self._waiting.pop(browser, None)
        if first is None:
            await browser.close(1008, "no ticket")
        return first

    async def _open(self, browser: ServerConnection, first: First) -> None:
        address, origin = str(browser.remote_address[0]), browser.request.headers["Origin"] if browser.request else ""
        try:
            if len(self._talks) >= _CONSOLES_MAX:
                raise tickets.full()
            opened = await self.ask(lambda: tickets.use(first.ticket, origin, address))
        except Refused as refused:
            await end_of(browser, _said(first.language, refused))
            return
        await self._end_before(opened)
        talk = self._talks[opened.id] = Talk(browser, opened, first)
        why = "gateway_lost"
        try:
            why = await talk.run()
        finally:
            del self._talks[opened.id]
            await asyncio.shield(self.ask(lambda: watch.close(opened.id, why)))

    async def _end_before(self, opened: tickets.Opened) -> None:
        """The machine's console before this one is closed: here at once, by another gateway at its next look."""
        for number in opened.superseded:
            before = self._talks.get(number)
            if before is None:
                await asyncio.sleep(_LOOK_S + 1)
            else:
                before.end("opened_elsewhere")
                await before.closed(_CLOSE_S)

    async def ask(self, question: Callable[[], Any]) -> Any:
        """The answer of the database, asked by a thread that has a connection to it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, _asked, question)

    async def _watch(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), min(_LOOK_S, self._linger_s))
            await self._look()
            is_used = self._handled or clock.monotonic() - self._used_at < self._linger_s
            if not is_used:
                return

    async def _look(self) -> None:
        """End what is over; all of it, where nobody can be asked for long."""
        ids = list(self._talks)
        if not ids:
            self._saw_at = clock.monotonic()
            return
        try:
            over = await self.ask(lambda: watch.look(ids))
            self._saw_at = clock.monotonic()
        except Exception:
            log.exception("open consoles could not be looked at")
            is_blind = clock.monotonic() - self._saw_at > _BLIND_S
            over = dict.fromkeys(ids, "no_answer") if is_blind else {}
        for number, why in over.items():
            if number in self._talks:
                self._talks[number].end(why)
        for talk in list(self._talks.values()):
            talk.end_if_idle()

    async def _end_all(self) -> None:
        for talk in list(self._talks.values()):
            talk.end("restart")
        ends = clock.monotonic() + _CLOSE_S
        while self._talks and clock.monotonic() < ends:
            await asyncio.sleep(0.05)


def _said(language: str, refused: Refused) -> str:
    return console_words.said_in(language, lambda: wording.sentence(refused))


def _asked(question: Callable[[], Any]) -> Any:
    """On a connection of its own: who asks once in some seconds keeps none from those who sell."""
    try:
        return question()
    finally:
        connection.close()


def serve_consoles(
    plain: socket.socket | None, tls: socket.socket | None, certificate: Path | None, key: Path | None
) -> None:
    """Serve on sockets that listen, one of them with TLS; returns when nobody needs it any more, or at SIGTERM."""
    from vmart.engines.contract import install_transaction_probe
    from vmart.kernel import db

    install_transaction_probe(db.in_transaction)
    sockets: list[tuple[socket.socket, ssl.SSLContext | None]] = []
    if plain is not None:
        sockets.append((plain, None))
    if tls is not None and certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        sockets.append((tls, context))
    logging.getLogger("websockets").setLevel("CRITICAL")  # every stranger's handshake that fails
    linger_s = float(os.environ.get(LINGER_VARIABLE) or _LINGER_S)
    asyncio.run(_until_told(linger_s, sockets))


async def _until_told(linger_s: float, sockets: Sequence[tuple[socket.socket, ssl.SSLContext | None]]) -> None:
    gateway = Gateway(linger_s)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, gateway.stop)
    await gateway.run(sockets)
