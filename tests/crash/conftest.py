"""Processes to be killed, engines of the test's own, and a shop whose first hour is open."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.crash.gate import Edit, execute
from tests.support.business_clock import BusinessClock
from tests.support.database import ROOT, Databases, run_folder
from tests.support.shopper import ZONE
from vmart.engines.simulated.world import World
from vmart.kernel import clock, db
from vmart.kernel.functions import resolve
from vmart.provisioning import zones
from vmart.settlement import close

LEASE_S = 15.0


class Child:
    """A process of the shop at work on one act. ``answer()`` waits for its end; None when it was killed."""

    def __init__(self, door: Path, asked: dict[str, Any]) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._line.settimeout(60)
        self._line.connect(str(door))
        self._wire = self._line.makefile("rwb")
        self._wire.write(json.dumps(asked).encode() + b"\n")
        self._wire.flush()
        self.pid = int(json.loads(self._wire.readline())["pid"])

    def answer(self) -> dict[str, Any] | None:
        with closing(self._line), self._wire:
            line = self._wire.readline()
        return json.loads(line) if line else None


class Nursery:
    """``run("buy", account=1, …)`` does an act in another process, to its end or to its ``kill_at``-th point."""

    def __init__(self, door: Path) -> None:
        self._door = door

    def begin(self, act: str, *, kill_at: int = 0, lease_s: float = LEASE_S, **words: Any) -> Child:
        asked = {
            "database": os.environ["VMART_DATABASE_URL"], "data_dir": str(settings.DATA_DIR),
            "now": clock.now().isoformat(), "lease_s": lease_s, "kill_at": kill_at, "act": act, "with": words,
        }  # fmt: skip
        return Child(self._door, asked)

    def run(self, act: str, *, kill_at: int = 0, **words: Any) -> dict[str, Any] | None:
        return self.begin(act, kill_at=kill_at, **words).answer()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    door = run_folder() / f"nursery-{time.monotonic_ns()}"
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.crash.nursery", str(door)],
        cwd=ROOT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not door.exists():
        assert process.poll() is None, "the nursery did not start"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield Nursery(door)
    process.kill()
    process.wait()


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def world(data_dir: Path) -> World:
    """The hand from outside on the engine of ``shopper.ZONE``."""
    return World(data_dir / "engine" / f"{ZONE}.sqlite")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is put off after a fault is due again at once."""
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)
    monkeypatch.setattr("vmart.orders.deliver._SHORTEST_PAUSE_S", 0.0)
    monkeypatch.setattr("vmart.orders.deliver._LONGEST_PAUSE_S", 0.0)


@pytest.fixture
def open_shop(shop: Databases, test_clock: BusinessClock) -> Databases:
    """The demo shop with its first hour open and its images ready."""
    close.begin(test_clock.at)
    zones.prepare_images(ZONE)
    return shop


@pytest.fixture
def let_leases_run_out() -> Callable[[], int]:
    """As after a killed worker's LEASE_S seconds."""

    def run_out() -> int:
        wall = clock.wall()
        return len(
            db.rows("UPDATE worker_operation SET lease_until = %s WHERE lease_until > %s RETURNING id", wall, wall)
        )

    return run_out


@pytest.fixture
def edit(open_shop: Databases) -> Iterator[Edit]:
    """``edit("placement_claim", (old, new), …)``: change a function's text in this test's database."""
    originals: dict[str, str] = {}

    def change(function: str, *changes: tuple[str, str]) -> None:
        text = db.rows("SELECT pg_get_functiondef(%s::regproc) AS text", resolve(f"fn.{function}"))[0]["text"]
        originals.setdefault(function, text)
        for old, new in (map(resolve, change) for change in changes):
            assert old in text, f"fn.{function} has no {old!r}"
            text = text.replace(old, new)
        execute(text)

    yield change
    for text in originals.values():
        execute(text)
