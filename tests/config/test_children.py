"""A child that ends is started again: after a pause that grows, and is short again for one that ran steadily."""

import fcntl
import itertools
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from vmart.config import children
from vmart.config.children import Child
from vmart.config.places import Places
from vmart.config.supervisor import Supervisor, UpOptions


class Clock:
    """What ``time.monotonic`` says to the code about children."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(children, "time", SimpleNamespace(monotonic=clock))
    return clock


def _child(tmp_path: Path) -> Child:
    return Child("flaky", lambda: ["false"], {}, tmp_path)


def _ends_after(child: Child, clock: Clock, seconds: float) -> float:
    """Start it, let it end after so long; the pause until its next start."""
    child.start()
    assert child.process is not None
    child.process.wait(10)
    clock.now += seconds
    assert child.ended() == 1
    assert child.ended() is None  # told once
    pause_s = child.next_start - clock.now
    clock.now = child.next_start
    return round(pause_s, 3)


def test_the_pause_doubles_up_to_ten_seconds(tmp_path: Path, clock: Clock) -> None:
    child = _child(tmp_path)
    pauses = [_ends_after(child, clock, 0.0) for _ in range(9)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert child.starts == 9


def test_who_ran_for_more_than_half_a_minute_begins_with_the_shortest_pause_again(tmp_path: Path, clock: Clock) -> None:
    child = _child(tmp_path)
    for _ in range(8):
        _ends_after(child, clock, 0.0)
    assert _ends_after(child, clock, 30.0) == 10.0  # not yet steady
    assert _ends_after(child, clock, 30.1) == 0.1
    assert _ends_after(child, clock, 0.0) == 0.2


@pytest.fixture
def _signals_as_found() -> Iterator[None]:
    numbers = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    found = [signal.getsignal(number) for number in numbers]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, found, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals_as_found")
def test_the_supervisor_keeps_the_pauses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given a child that ends at once, then it is started again 0.1, 0.2 and 0.4 s later and never sooner."""
    places = Places.of(tmp_path)
    places.make()
    supervisor = Supervisor(places, UpOptions())
    started: list[float] = []

    def command() -> list[str]:
        started.append(time.monotonic())
        supervisor._stop = len(started) == 4
        return ["false"]

    supervisor._listen_to_signals()
    child = Child("flaky", command, {}, tmp_path)
    child.start()
    supervisor.children.append(child)
    try:
        supervisor._watch()
    finally:
        assert child.process is not None
        child.process.wait(10)
    pauses = [later - earlier for earlier, later in itertools.pairwise(started)]
    assert len(pauses) == 3
    for pause_s, least_s in zip(pauses, (0.1, 0.2, 0.4), strict=True):
        assert least_s <= pause_s < least_s + 5
    assert capsys.readouterr().err.count("vmart: flaky ended with code 1, starts again") == 3


def test_it_waits_on_a_descriptor_of_any_number(tmp_path: Path) -> None:
    """``select.select`` refuses one of 1024 or more, which a program that holds many connections has."""
    supervisor = Supervisor(Places.of(tmp_path), UpOptions())
    read_end, write_end = os.pipe()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    supervisor._wakeup = fcntl.fcntl(read_end, fcntl.F_DUPFD_CLOEXEC, 1024)
    try:
        os.write(write_end, b"signal")
        supervisor._wait(60)
        os.set_blocking(read_end, False)
        with pytest.raises(BlockingIOError):  # it was woken, and has read what woke it
            os.read(read_end, 1)
    finally:
        for end in (supervisor._wakeup, read_end, write_end):
            os.close(end)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(("compute", "machines_run_on"), [("private", True), ("socket", True), ("simulated", False)])
def test_at_the_end_real_machines_are_said_to_run_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], compute: str, machines_run_on: bool
) -> None:
    places = Places.of(tmp_path)
    places.make()
    supervisor = Supervisor(places, UpOptions(), engine={"compute": compute})
    supervisor._end()
    assert capsys.readouterr().out == ""  # it never opened
    supervisor._opened = True
    supervisor._end()
    assert ("run on (`vmart down --machines` ends those too)" in capsys.readouterr().out) is machines_run_on


def test_a_child_that_cannot_be_started_again_and_again_leaves_no_pipes_open(tmp_path: Path) -> None:
    child = Child("missing", lambda: [str(tmp_path / "nothing")], {}, tmp_path, announces=True)
    open_files = []
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            child.start()
        open_files.append(len(list(Path("/proc/self/fd").iterdir())))
    assert open_files[0] == open_files[-1]
