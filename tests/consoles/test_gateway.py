"""The gateway between a browser and a simulated machine: a login, limits, ends, and whoever has no business there."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import DatabaseError
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.consoles.conftest import ORIGIN, PASSWORD, Owner, owner_of_a_machine, row
from tests.support.shopper import ZONE, buy_running
from vmart.config import console_main, console_talk
from vmart.config.console_door import listen_at
from vmart.config.console_main import Gateway
from vmart.config.console_talk import Bucket, First, first_of
from vmart.consoles import watch
from vmart.consoles.models import Console
from vmart.engines.simulated.world import World
from vmart.kernel import clock
from vmart.provisioning.zone_engines import engine_of

SPENT = "This ticket is not good any more: a console is opened once, soon after it was asked for."


@dataclass
class Running:
    """A gateway in a thread of this process; ``ended`` is set when it has come to its end."""

    url: str
    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    ended: threading.Event
    windows: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def window(self, origin: str | None = ORIGIN, path: str = "/") -> ClientConnection:
        return self.windows.enter_context(
            connect(self.url + path, origin=origin, compression=None, proxy=None)  # type: ignore[arg-type]
        )

    def open(self, ticket: str, *, origin: str = ORIGIN, **more: object) -> ClientConnection:
        window = self.window(origin)
        window.send(json.dumps({"ticket": ticket, "columns": 80, "rows": 24, "language": "en"} | more))
        return window

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.gateway.stop)
        assert self.ended.wait(15)


@contextlib.contextmanager
def running(linger_s: float = 60.0) -> Iterator[Running]:
    listening, ready, found, ended = listen_at(("127.0.0.1", 0), "--listen"), threading.Event(), {}, threading.Event()

    async def serve() -> None:
        found["loop"], found["gateway"] = asyncio.get_running_loop(), Gateway(linger_s)
        ready.set()
        await found["gateway"].run([(listening, None)])

    def run() -> None:
        asyncio.run(serve())
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(5)
    port = listening.getsockname()[1]
    at_work = Running(f"ws://127.0.0.1:{port}", found["loop"], found["gateway"], ended)
    try:
        yield at_work
    finally:
        at_work.windows.close()
        if not ended.is_set():
            at_work.stop()
        thread.join(15)
        found["gateway"]._pool.shutdown()


@pytest.fixture
def gateway(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setattr(console_main, "_LOOK_S", 0.2)
    monkeypatch.setattr(console_talk, "_READ_S", 0.2)
    with running() as at_work:
        yield at_work


def said_until(window: ClientConnection, text: str, limit_s: float = 10) -> str:
    said, ends = "", time.monotonic() + limit_s
    while text not in said:
        told = window.recv(timeout=max(0.1, ends - time.monotonic()))
        said += told.decode() if isinstance(told, bytes) else told
    return said


def end_of(window: ClientConnection) -> str:
    """The sentence by which it ends; the websocket is closed then."""
    while True:
        told = window.recv(timeout=10)
        if isinstance(told, str) and "end" in (said := json.loads(told)):
            with pytest.raises(ConnectionClosed):
                window.recv(timeout=5)
            return str(said["end"])


def why_of(ticket: str) -> str:
    """Why it has ended, once it has."""
    ends = time.monotonic() + 10
    while (found := row(ticket)).closed_at is None:
        assert time.monotonic() < ends
        time.sleep(0.02)
    return found.why


def test_a_login_and_a_command(owner: Owner, gateway: Running) -> None:
    ticket = owner.ticket()
    window = gateway.open(ticket)
    said = said_until(window, " login: ")
    assert json.dumps({"open": owner.machine.public_id}) in said
    assert "a simulated machine of vmart" in said
    window.send(b"root\r")
    said_until(window, "Password: ")
    window.send(f"{PASSWORD}\r".encode())
    assert PASSWORD not in said_until(window, f"root@{owner.machine.hostname}:~# ")
    window.send(b"nproc\r")
    assert "\r\n2\r\n" in said_until(window, ":~# ")
    window.send(json.dumps({"columns": 132, "rows": 43}))
    window.send(b"stty\r")
    assert "43 132" in said_until(window, ":~# ")
    window.close()
    assert why_of(ticket) == "left"


@pytest.mark.parametrize(
    ("user", "password"), [("root", "wrong"), ("nobody", PASSWORD), ("root", ""), ("root", "\x7f" + PASSWORD + "x")]
)
def test_a_wrong_password_lets_nobody_in(owner: Owner, gateway: Running, user: str, password: str) -> None:
    window = gateway.open(owner.ticket())
    said_until(window, " login: ")
    window.send(f"{user}\r{password}\r".encode())
    assert "root@" not in said_until(window, "Login incorrect")


def test_a_ticket_is_used_once(owner: Owner, gateway: Running) -> None:
    ticket = owner.ticket()
    window = gateway.open(ticket)
    said_until(window, " login: ")
    assert end_of(gateway.open(ticket)) == SPENT
    window.send(b"root\r")
    said_until(window, "Password: ")  # the first goes on


def test_refusals_are_in_the_readers_language(owner: Owner, gateway: Running) -> None:
    assert end_of(gateway.open("x" * 43)) == SPENT
    assert end_of(gateway.open("x" * 43, language="no-such")) == SPENT
    assert end_of(gateway.open("x" * 43, language="zh-hans")) != SPENT


def test_from_another_page_it_opens_nothing(owner: Owner, gateway: Running) -> None:
    ticket = owner.ticket()
    assert end_of(gateway.open(ticket, origin="https://evil.example.org")) == SPENT
    assert end_of(gateway.open(ticket)) == SPENT


@pytest.mark.parametrize(("origin", "path"), [(None, "/"), (ORIGIN, "/x"), (ORIGIN, "/?ticket=x")])
def test_what_no_page_of_the_shop_asks_for_is_no_websocket(gateway: Running, origin: str | None, path: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        gateway.window(origin, path)


@pytest.mark.parametrize(
    "first",
    [
        b"{}", "", "{", "[]", "null", '{"ticket": 1, "columns": 80, "rows": 24}', '{"ticket": "x"}',
        '{"ticket": "x", "columns": 0, "rows": 24}', '{"ticket": "x", "columns": true, "rows": 24}',
        '{"ticket": "x", "columns": 80, "rows": 1e9}', '{"ticket": "x", "columns": 80, "rows": 301}', "[" * 400,
        json.dumps({"ticket": "x" * 600, "columns": 80, "rows": 24}),
    ],
)  # fmt: skip
def test_what_is_no_first_message_ends_it(gateway: Running, first: Any) -> None:
    window = gateway.window()
    window.send(first)
    with pytest.raises(ConnectionClosed, match="1008"):
        window.recv(timeout=5)


def test_a_message_that_is_too_large_ends_it(owner: Owner, gateway: Running) -> None:
    ticket = owner.ticket()
    window = gateway.open(ticket)
    said_until(window, " login: ")
    window.send(b"x" * (64 * 1024 + 1))
    with pytest.raises(ConnectionClosed, match="1009"):
        while True:
            window.recv(timeout=5)
    assert why_of(ticket) == "too_large"


@pytest.mark.parametrize("message", ["{", "[1]", '{"columns": -1, "rows": 5}', '{"columns": 1}', "x" * 60_000])
def test_a_message_that_says_nothing_changes_nothing(owner: Owner, gateway: Running, message: str) -> None:
    window = gateway.open(owner.ticket())
    said_until(window, " login: ")
    window.send(message)
    window.send(b"root\r")
    said_until(window, "Password: ")


def test_two_hundred_who_have_no_ticket_keep_nobody_out(
    owner: Owner, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console_main, "_TICKET_S", 3.0)
    port, held = int(gateway.url.rpartition(":")[2]), []
    try:
        for _ in range(200):
            silent = socket.create_connection(("127.0.0.1", port), 5)
            held.append(silent)
            silent.sendall(
                b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nOrigin: https://x\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
        began = time.monotonic()
        window = gateway.open(owner.ticket())
        said_until(window, " login: ")
        assert time.monotonic() - began < 3
        assert len(gateway.gateway._waiting) <= 64
        ends = time.monotonic() + 10
        while gateway.gateway._handled > 1:
            assert time.monotonic() < ends
            time.sleep(0.05)
        window.send(b"root\r")
        said_until(window, "Password: ")
    finally:
        for silent in held:
            silent.close()


def _goes_off(owner: Owner) -> None:
    engine_of(ZONE).ensure_power(owner.machine.public_id, False)


@pytest.mark.parametrize(
    ("event", "sentence", "why"),
    [
        (Owner.sign_out, "It ended because you signed out.", "signed_out"),
        (
            _goes_off,
            "It ended because you logged out in it, the login took too long, or the machine went off.",
            "over",
        ),
    ],
)
def test_it_ends_with_the_right_to_it_and_with_the_machine(
    owner: Owner, gateway: Running, event: Callable[[Owner], None], sentence: str, why: str
) -> None:
    ticket = owner.ticket()
    window = gateway.open(ticket)
    said_until(window, " login: ")
    event(owner)
    assert end_of(window) == sentence
    assert why_of(ticket) == why


def test_the_second_console_of_a_machine_ends_the_first(owner: Owner, gateway: Running) -> None:
    first_ticket = owner.ticket()
    first = gateway.open(first_ticket)
    said_until(first, " login: ")
    second = gateway.open(owner.ticket())
    said_until(second, " login: ")
    assert end_of(first) == "It ended because the machine's console was opened in another window."
    assert why_of(first_ticket) == "opened_elsewhere"


def test_it_ends_when_no_key_was_pressed(owner: Owner, gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = owner.ticket()
    window = gateway.open(ticket)
    said_until(window, " login: ")
    now = time.monotonic
    monkeypatch.setattr(clock, "monotonic", lambda: now() + 901)
    assert end_of(window) == "It ended because no key was pressed for a long time."
    assert why_of(ticket) == "idle"


def test_where_nobody_can_be_asked_who_may_it_ends(
    owner: Owner, gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = gateway.open(owner.ticket())
    said_until(window, " login: ")

    def lost(_ids: object) -> dict[int, str]:
        raise DatabaseError("gone")

    monkeypatch.setattr(watch, "look", lost)
    time.sleep(0.5)
    window.send(b"root\r")
    said_until(window, "Password: ")  # for some seconds it goes on
    monkeypatch.setattr(console_main, "_BLIND_S", 0.3)
    assert end_of(window) == "It ended because the machine's host does not answer."


def test_an_engine_that_does_not_answer_is_said(owner: Owner, gateway: Running, world: World) -> None:
    world.stop_engine()
    ticket = owner.ticket()
    assert end_of(gateway.open(ticket)) == "It ended because the machine's host does not answer."
    assert why_of(ticket) == "no_answer"


def test_two_customers_at_once_see_their_own(owner: Owner, gateway: Running) -> None:
    other = owner_of_a_machine("other")
    windows = [gateway.open(one.ticket()) for one in (owner, other)]
    for one, window in zip((owner, other), windows, strict=True):
        assert f"{one.machine.hostname} login: " in said_until(window, " login: ")


def test_told_to_stop_it_tells_why_and_writes_it(owner: Owner, gateway: Running) -> None:
    machines = [owner.machine, buy_running(owner.account_id)]
    tickets = [owner.ticket(machine) for machine in machines]
    windows = [gateway.open(ticket) for ticket in tickets]
    for window in windows:
        said_until(window, " login: ")
    gateway.loop.call_soon_threadsafe(gateway.gateway.stop)
    assert {end_of(window) for window in windows} == {
        "It ended because the shop is being restarted. The machine runs on."
    }
    assert gateway.ended.wait(10)
    assert [row(ticket).why for ticket in tickets] == ["restart", "restart"]


def test_without_anybody_it_ends_by_itself(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_talk, "_READ_S", 0.2)
    with running(linger_s=0.5) as at_work:
        window = at_work.open(owner.ticket())
        said_until(window, " login: ")
        assert not at_work.ended.wait(1.5)
        window.close()
        assert at_work.ended.wait(5)
    assert Console.objects.get().why == "left"


def test_what_comes_too_fast_waits() -> None:
    bucket = Bucket(100, 200)
    assert bucket.take(200) == 0
    assert bucket.take(50) == pytest.approx(0.5, abs=0.05)
    assert bucket.take(100) == pytest.approx(1.5, abs=0.05)


def test_a_first_message_is_read() -> None:
    told = {"ticket": "t", "columns": 80, "rows": 24, "language": "zh-hans"}
    assert first_of(json.dumps(told)) == First("t", 80, 24, "zh-hans")
    assert first_of(json.dumps(told | {"language": ["zh"]})) == First("t", 80, 24, "en")
    assert "secret" not in repr(First("secret", 80, 24, "en"))
