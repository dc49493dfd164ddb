"""Given a machine that is turned off from inside, when its engine tells, then its row says so at once."""

import contextlib
import queue as waiting
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from tests.support import sweeps
from tests.support.actors import by
from tests.support.happened import kinds_of
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, wanted, work
from tests.support.written import nothing_written
from vmart.catalog.models import Zone
from vmart.config.chores import Chores
from vmart.engines.contract import Engine, EngineError
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.orders import stop, sweep, terminate, watch
from vmart.orders.purchase import purchase
from vmart.provisioning.zone_engines import engine_of

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def machine() -> Instance:
    return buy_running(open_purse(cash_minor=1000))


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _until(look: Callable[[], object], limit_s: float = 60) -> None:
    ends = time.monotonic() + limit_s
    while not look():
        assert time.monotonic() < ends
        time.sleep(0.01)


# -- one look --------------------------------------------------------------------------------------


def test_a_machine_turned_off_and_on_from_inside_is_shown_so(machine: Instance) -> None:
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    assert sweep.look(ZONE, [machine.public_id]) == set()
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    engine_of(ZONE).ensure_power(machine.public_id, on=True)
    assert sweep.look(ZONE, [machine.public_id]) == set()
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("RUNNING", "NOT_APPLICABLE")
    kinds = kinds_of(machine)
    assert kinds == ["delivered", "seen_off", "seen_on"]


def test_what_is_as_sold_strange_ended_or_of_another_zone_is_left_alone(machine: Instance, world: World) -> None:
    with nothing_written():
        assert sweep.look(ZONE, [machine.public_id, "ins-stranger"]) == set()
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        assert sweep.look("ap-guangzhou-6", [machine.public_id]) == set()
        world.remove_machine(machine.public_id)
        assert sweep.look(ZONE, [machine.public_id]) == set()


def test_a_machine_that_an_act_has_in_hand_is_left_to_it(machine: Instance) -> None:
    stop.stop(by(machine.account_id), [machine.public_id])
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    with nothing_written():
        assert sweep.look(ZONE, [machine.public_id]) == {machine.public_id}
    work()
    with nothing_written():
        assert sweep.look(ZONE, [machine.public_id]) == set()


def test_what_somebody_turns_on_in_the_bin_is_off_again(machine: Instance) -> None:
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    engine_of(ZONE).ensure_power(machine.public_id, on=True)
    sweep.look(ZONE, [machine.public_id])
    assert engine_of(ZONE).observe(machine.public_id).power == "stopped"
    assert _now(machine).state == "SHUTDOWN"


# -- listening -------------------------------------------------------------------------------------


class _Telling:
    """The simulated engine with a line on which the test speaks: a name, or an error with which it is lost."""

    def __init__(self, real: Engine) -> None:
        self._real = real
        self.line: waiting.Queue[str | EngineError] = waiting.Queue()
        self.asked = self.opened = 0
        self.away = threading.Event()
        self.may_open = threading.Event()
        self.may_open.set()

    @contextlib.contextmanager
    def changes(self) -> Iterator[Callable[[float], str | None]]:
        self.asked += 1
        self.may_open.wait(20)
        if self.away.is_set():
            raise EngineError("The compute engine does not answer.", transient=True)
        self.opened += 1
        yield self._following

    def _following(self, limit_s: float) -> str | None:
        try:
            said = self.line.get(timeout=limit_s)
        except waiting.Empty:
            return None
        if isinstance(said, EngineError):
            raise said
        return said

    def lose(self) -> None:
        self.line.put(EngineError("The compute engine does not answer.", transient=True))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def telling(monkeypatch: pytest.MonkeyPatch) -> _Telling:
    telling = _Telling(engine_of(ZONE))
    monkeypatch.setattr(watch, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(watch, "_AGAIN_S", 0.02)
    _answers(monkeypatch, telling)
    return telling


def _answers(monkeypatch: pytest.MonkeyPatch, engine: object) -> None:
    for module in (watch, sweep):
        monkeypatch.setattr(module, "engine_of", lambda _zone: engine)


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The zones of all sweeps that have ended."""
    return sweeps.counted(monkeypatch)


@contextlib.contextmanager
def _following() -> Iterator[threading.Thread]:
    ended = threading.Event()

    def run() -> None:
        try:
            watch.follow(ZONE, ended)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        ended.set()
        thread.join(10)
    assert not thread.is_alive()


def test_what_is_told_is_seen_without_a_sweep(machine: Instance, telling: _Telling, swept: list[str]) -> None:
    with _following():
        _until(lambda: swept)
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        telling.line.put("ins-stranger")
        telling.line.put(machine.public_id)
        _until(lambda: _now(machine).state == "STOPPED")
    assert (telling.opened, swept) == (1, [ZONE])


def test_what_is_not_told_is_not_seen_before_the_next_sweep(
    machine: Instance, telling: _Telling, swept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control, and what the sweeps of a listener are for."""
    with _following():
        _until(lambda: swept)
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        telling.line.put("ins-stranger")
        _until(telling.line.empty)
        time.sleep(0.2)
        assert _now(machine).state == "RUNNING"
        monkeypatch.setattr(watch, "SWEEP_S", 0.05)
        _until(lambda: _now(machine).state == "STOPPED")
    assert telling.opened == 1


@pytest.mark.parametrize("others", [False, True])
def test_a_machine_told_while_an_act_has_it_in_hand_is_looked_at_again(
    others: bool, machine: Instance, telling: _Telling, swept: list[str]
) -> None:
    """Given a power-off during a reboot's last words, then nobody waits for the next sweep to see it, also where
    the engine tells of others without an end."""
    with _following():
        _until(lambda: swept)
        Instance.objects.filter(pk=machine.pk).update(latest_operation_state="OPERATING")
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        telling.line.put(machine.public_id)
        _until(telling.line.empty)
        time.sleep(0.2)
        assert _now(machine).state == "RUNNING"
        for _ in range(100_000 if others else 0):
            telling.line.put("ins-stranger")
        Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS")
        _until(lambda: _now(machine).state == "STOPPED")
        assert telling.line.empty() != others
    assert swept == [ZONE]


def test_after_a_gap_the_zone_is_swept(machine: Instance, telling: _Telling, swept: list[str]) -> None:
    """Given a line that is lost, when a machine is turned off meanwhile, then it is seen once the line is there."""
    with _following():
        _until(lambda: swept)
        telling.may_open.clear()
        telling.lose()
        _until(lambda: telling.asked == 2)
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        time.sleep(0.2)
        assert (_now(machine).state, telling.opened, swept) == ("RUNNING", 1, [ZONE])
        telling.may_open.set()
        _until(lambda: _now(machine).state == "STOPPED")
        # And it listens again.
        _until(lambda: len(swept) == 2)
        engine_of(ZONE).ensure_power(machine.public_id, on=True)
        telling.line.put(machine.public_id)
        _until(lambda: _now(machine).state == "RUNNING")
    assert (telling.opened, swept) == (2, [ZONE, ZONE])


def test_an_engine_that_is_away_is_asked_until_it_is_back(
    machine: Instance, telling: _Telling, world: World, swept: list[str]
) -> None:
    with _following():
        _until(lambda: swept)
        world.stop_engine()
        telling.away.set()
        telling.lose()
        _until(lambda: telling.asked >= 4)
        assert (telling.opened, swept) == (1, [ZONE])
        world.start_engine()
        telling.away.clear()
        _until(lambda: telling.opened == 2)


def test_where_there_is_no_line_it_is_looked_for_by_sweeps(machine: Instance, telling: _Telling) -> None:
    """Given a server whose websocket is blocked on the way, then what happens is seen all the same."""
    telling.away.set()
    with _following():
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        _until(lambda: _now(machine).state == "STOPPED")
    assert telling.opened == 0


@pytest.mark.parametrize("tells", [True, False])
def test_a_zone_that_gets_another_engine_is_listened_to_there(
    tells: bool, telling: _Telling, monkeypatch: pytest.MonkeyPatch, swept: list[str]
) -> None:
    other = _Telling(engine_of(ZONE))
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    with _following() as thread:
        _until(lambda: swept)
        _answers(monkeypatch, other if tells else engine_of(ZONE))
        _until(lambda: other.opened if tells else not thread.is_alive())
    assert (telling.opened, other.opened) == (1, int(tells))


# -- who listens -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _two_workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.05)
    workers = [Chores(lambda: [ZONE]) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        _end(workers)


def _end(workers: list[Chores]) -> None:
    for worker in workers:
        worker.stop()
    threads = [thread for worker in workers for thread in list(worker._threads.values())]
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_of_two_workers_one_listens(machine: Instance, telling: _Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    with _two_workers(monkeypatch):
        _until(lambda: telling.opened)
        time.sleep(0.5)
        assert telling.opened == 1
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        telling.line.put(machine.public_id)
        _until(lambda: _now(machine).state == "STOPPED")


def test_when_the_worker_that_listens_ends_another_does(telling: _Telling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmart.config.chores._TICK_S", 0.05)
    first, second = Chores(lambda: [ZONE]), Chores(lambda: [ZONE])
    first.start()
    _until(lambda: telling.opened == 1)
    second.start()
    try:
        time.sleep(0.3)
        assert telling.opened == 1
        _end([first])
        _until(lambda: telling.opened == 2)
    finally:
        _end([first, second])


def test_where_the_engine_tells_nothing_it_is_looked_at_often(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.LOOK_S == 20.0  # a power-off is seen within half a minute
    assert not watch.tells(ZONE)
    monkeypatch.setattr(watch, "LOOK_S", 0.2)
    with _two_workers(monkeypatch):
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        _until(lambda: _now(machine).state == "STOPPED")


def test_a_zone_whose_engine_cannot_be_opened_stops_nothing(monkeypatch: pytest.MonkeyPatch, shop: object) -> None:
    Zone.objects.filter(code=ZONE).update(engine_kind="abacus")
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    with _two_workers(monkeypatch):
        _until(lambda: Zone.objects.get(code=ZONE).engine_status == "unreachable")
