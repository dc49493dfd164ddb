"""One console that is open: between the browser's websocket and the engine's line, within limits."""

import asyncio
import contextlib
import json
import logging
import queue
import threading
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from vmart.consoles.tickets import Opened
from vmart.engines.contract import EngineError, NotRunning
from vmart.engines.optional import ConsoleLine, Consoles
from vmart.kernel import clock
from vmart.pages import console_words
from vmart.provisioning.zone_engines import engine_of

log = logging.getLogger(__name__)

FIRST_MAX = 500  # characters of the first message
_COLUMNS_MAX, _ROWS_MAX = 500, 300
_READ_S = 1.0
_END_S = 3.0
_KEYS_MAX = 64  # messages that wait until the engine takes them
# What may come from a browser, and from a machine, each second, and at once before it is slowed down. Typing is some
# bytes; a terminal draws no more than a few hundred kilobytes a second.
_KEYS_PER_S, _KEYS_AT_ONCE = 64 * 1024, 256 * 1024
_MESSAGES_PER_S, _MESSAGES_AT_ONCE = 200, 400
_SIZES_PER_S, _SIZES_AT_ONCE = 4, 20
_TEXT_PER_S, _TEXT_AT_ONCE = 1024 * 1024, 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class First:
    """The browser's first message."""

    ticket: str = field(repr=False)
    columns: int
    rows: int
    language: str


def first_of(message: str | bytes) -> First | None:
    """``{"ticket": …, "columns": 80, "rows": 24, "language": "en"}``; None for anything else."""
    if not isinstance(message, str) or len(message) > FIRST_MAX:
        return None
    told = _object(message)
    ticket, size = told.get("ticket"), _size(told)
    if not isinstance(ticket, str) or size is None:
        return None
    language = told.get("language")
    known = language if isinstance(language, str) and language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    return First(ticket, *size, known)


def _object(message: str) -> dict[str, object]:
    try:
        told = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _size(told: dict[str, object]) -> tuple[int, int] | None:
    columns, rows = told.get("columns"), told.get("rows")
    if type(columns) is not int or type(rows) is not int:
        return None
    return (columns, rows) if 1 <= columns <= _COLUMNS_MAX and 1 <= rows <= _ROWS_MAX else None


async def end_of(browser: ServerConnection, sentence: str) -> None:
    """Tell why it ends, and end it, whether it listens or not."""
    try:
        async with asyncio.timeout(_END_S):
            await browser.send(json.dumps({"end": sentence}))
            await browser.close(1000)
    except ConnectionClosed:
        pass
    except TimeoutError:
        browser.transport.abort()


class Bucket:
    """So much a second, and so much at once; whoever takes more waits."""

    def __init__(self, per_s: float, at_once: float) -> None:
        self._per_s, self._at_once = per_s, at_once
        self._left, self._at = at_once, clock.monotonic()

    def take(self, amount: float) -> float:
        """Take it; how many seconds to wait first."""
        now = clock.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._per_s) - amount
        self._at = now
        return max(0.0, -self._left / self._per_s)


class Talk:
    """``run`` returns why it ended: a word of ``wording.CONSOLE_ENDS``."""

    def __init__(self, browser: ServerConnection, opened: Opened, first: First) -> None:
        self._browser, self._opened, self._first = browser, opened, first
        self._loop = asyncio.get_running_loop()
        self._why: asyncio.Future[str] = self._loop.create_future()
        self._over = threading.Event()
        self._closed = asyncio.Event()
        self._keys: queue.Queue[bytes | tuple[int, int]] = queue.Queue(_KEYS_MAX)
        self._pressed_at = clock.monotonic()
        self._keys_left = Bucket(_KEYS_PER_S, _KEYS_AT_ONCE)
        self._messages_left = Bucket(_MESSAGES_PER_S, _MESSAGES_AT_ONCE)
        self._sizes_left = Bucket(_SIZES_PER_S, _SIZES_AT_ONCE)
        self._text_left = Bucket(_TEXT_PER_S, _TEXT_AT_ONCE)

    async def run(self) -> str:
        reader = threading.Thread(target=self._attach, name=f"vmart-console-{self._opened.id}", daemon=True)
        reader.start()
        typing = asyncio.create_task(self._type())
        try:
            why = await self._why
            await end_of(self._browser, console_words.said_in(self._first.language, lambda: console_words.end(why)))
        finally:
            self._over.set()
            typing.cancel()
        return why

    def end(self, why: str) -> None:
        """The first who says so says why. Of the loop's thread."""
        if not self._why.done():
            self._why.set_result(why)

    async def closed(self, limit_s: float) -> None:
        """Once the engine's line is closed, or after so long."""
        self._over.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), limit_s)

    def end_if_idle(self) -> None:
        if clock.monotonic() - self._pressed_at > self._opened.idle_s:
            self.end("idle")

    async def _type(self) -> None:
        """Take what the browser sends, no faster than the engine takes it."""
        try:
            async for message in self._browser:
                is_keys = isinstance(message, bytes)
                messages_left = self._messages_left if is_keys else self._sizes_left
                pause_s = max(self._keys_left.take(len(message)), messages_left.take(1))
                if pause_s:
                    await asyncio.sleep(pause_s)
                if isinstance(message, bytes):
                    self._pressed_at = clock.monotonic()
                told = message if isinstance(message, bytes) else _size(_object(message))
                while told is not None and not self._over.is_set():
                    try:
                        self._keys.put_nowait(told)
                        break
                    except queue.Full:
                        await asyncio.sleep(0.05)
        except ConnectionClosed as closed:
            too_large = closed.sent is not None and closed.sent.code == 1009
            self.end("too_large" if too_large else "left")
        self.end("left")

    def _attach(self) -> None:
        """In a thread of its own: the engine's line, read until one of the two ends."""
        why = "over"
        try:
            engine = engine_of(self._opened.zone)
            if not isinstance(engine, Consoles):
                raise EngineError("Its engine shows no console.", transient=False)
            with engine.console(self._opened.machine, self._first.columns, self._first.rows) as line:
                threading.Thread(target=self._write, args=(line,), daemon=True).start()
                self._say(json.dumps({"open": self._opened.machine}))
                self._read(line)
        except NotRunning:
            why = "machine_off"
        except EngineError as error:
            log.warning("console of %s: %s", self._opened.machine, error)
            why = "no_answer"
        except Exception:
            log.exception("console of %s", self._opened.machine)
            why = "no_answer"
        finally:
            connection.close()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.end, why)
                self._loop.call_soon_threadsafe(self._closed.set)

    def _read(self, line: ConsoleLine) -> None:
        while not self._over.is_set():
            text = line.read(_READ_S)
            if text is None:
                continue
            if not text:
                return
            self._over.wait(self._text_left.take(len(text)))
            if not self._say(text):
                return

    def _say(self, text: str | bytes) -> bool:
        """Send it, and wait until it is on its way; False where nobody is there any more."""
        if self._over.is_set():
            return False
        sent = asyncio.run_coroutine_threadsafe(self._browser.send(text), self._loop)
        try:
            sent.result()
        except (ConnectionClosed, RuntimeError):
            return False
        return True

    def _write(self, line: ConsoleLine) -> None:
        while not self._over.is_set():
            try:
                told = self._keys.get(timeout=_READ_S)
            except queue.Empty:
                continue
            try:
                if isinstance(told, bytes):
                    line.write(told)
                else:
                    line.resize(*told)
            except Exception as error:  # noqa: BLE001  whatever it is, the line is of no use any more: reading tells why
                log.info("console of %s takes no keys: %s", self._opened.machine, error)
                return
