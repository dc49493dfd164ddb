"""Given an engine that has something else than was sold, when it is swept, then that is repaired or told."""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.actors import by
from tests.support.happened import kinds_of
from tests.support.missed import an_interval_ago
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, parts, purses, wanted, work
from tests.support.written import nothing_written
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine, EngineError, Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.orders import convert, start, stop, sweep, terminate
from vmart.orders import machines as m
from vmart.orders.convert import Conversion
from vmart.orders.models import EngineDrift
from vmart.orders.purchase import purchase
from vmart.orders.sweep import Drift
from vmart.provisioning import specs, zones
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

OTHER_ZONE = "ap-guangzhou-6"


@pytest.fixture
def machine() -> Instance:
    return buy_running(open_purse(cash_minor=1000))


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _power(machine: Instance) -> Power:
    return engine_of(ZONE).observe(machine.public_id).power


def test_where_all_is_as_sold_nothing_is_written(machine: Instance) -> None:
    purchase(wanted(machine.account_id, HOURLY))  # not delivered yet
    with nothing_written():
        assert sweep.sweep(ZONE) == []


def test_a_machine_that_was_released_and_is_there_again_is_removed(machine: Instance, world: World) -> None:
    """Given a release whose removal a late worker undid, then the engine loses the machine: its row is GONE."""
    spec = specs.load([machine.id])[machine.id].spec
    for _ in range(2):  # to the bin, and out of it
        terminate.terminate(by(machine.account_id), [machine.public_id])
        work()
    assert _now(machine).state == "GONE"
    engine_of(ZONE).ensure_present(spec)
    assert sweep.sweep(ZONE) == [Drift("orphan", machine.public_id, True)]
    assert world.count_machines() == 0
    assert list(reconcile()) == []


def test_a_machine_that_no_row_knows_is_told_and_kept(machine: Instance, world: World) -> None:
    """Given a machine sold after the backup that was restored, then it is somebody's: only the seller ends it."""
    spec = specs.load([machine.id])[machine.id].spec
    engine_of(ZONE).ensure_present(replace(spec, name="ins-unknown0", private_ip="10.64.0.99"))
    world.count_calls()
    for _ in range(2):
        assert sweep.sweep(ZONE) == [Drift("unknown", "ins-unknown0", False)]
    assert set(world.calls()) == {"list_ours", "list_volumes", "list_snapshots", "list_images"}
    assert engine_of(ZONE).observe("ins-unknown0").power == Power.RUNNING
    assert list(reconcile()) == [
        f"a machine of ours is on the engine of {ZONE} and in no order: ins-unknown0",
    ]


def test_two_zones_on_one_engine_leave_each_others_machines_alone(engine: Path, machine: Instance) -> None:
    """The catalog refuses such zones; where they are nevertheless, no machine may be lost for it."""
    settings = Zone.objects.get(code=OTHER_ZONE).engine_settings
    Zone.objects.filter(code=OTHER_ZONE).update(engine_settings=settings | {"file": str(engine)})
    other = buy_running(machine.account_id, replace(HOURLY, zone=OTHER_ZONE))
    assert sweep.sweep(OTHER_ZONE) == [Drift("elsewhere", machine.public_id, False)]
    assert sweep.sweep(ZONE) == [Drift("elsewhere", other.public_id, False)]
    assert [(_now(row).state, _power(row)) for row in (machine, other)] == [("RUNNING", Power.RUNNING)] * 2


def test_a_machine_on_another_member_than_its_room_is_told_once_a_day(machine: Instance, engine: Path) -> None:
    """Given a machine that was moved by hand on its engine, then the seller hears: the stock of two hosts is wrong."""
    placed = engine_of(ZONE).observe(machine.public_id).member
    assert sweep.sweep(ZONE) == []
    with sqlite3.connect(engine) as moving:
        moving.execute("UPDATE machine SET member = 'elsewhere'")
    for _ in range(2):
        assert sweep.sweep(ZONE) == [Drift("moved", machine.public_id, False)]
    assert EngineDrift.objects.values_list("name", "kind").get() == (machine.public_id, "moved")
    assert kinds_of(machine) == ["delivered", "seen_moved"]
    with sqlite3.connect(engine) as moving:
        moving.execute("UPDATE machine SET member = ?", (placed,))
    assert sweep.sweep(ZONE) == []
    assert not EngineDrift.objects.exists()


def test_a_machine_that_a_late_worker_made_after_its_delivery_was_given_up_is_removed(world: World) -> None:
    account = open_purse(cash_minor=1000)
    zones.prepare_images(ZONE)
    number = purchase(wanted(account, HOURLY)).instance_ids[0]
    spec = specs.load([Instance.objects.get(public_id=number).id]).popitem()[1].spec
    world.fail("ensure_present", transient=False)
    work()
    assert Instance.objects.get(public_id=number).state == "LAUNCH_FAILED"
    engine_of(ZONE).ensure_present(spec)  # the worker that was given up wakes
    assert sweep.sweep(ZONE) == [Drift("orphan", number, True)]
    assert world.count_machines() == 0
    assert purses(account)["available"] == 1000


def test_a_missing_machine_is_told_and_after_a_second_sweep_it_is_lost(machine: Instance, world: World) -> None:
    world.remove_machine(machine.public_id)
    kinds = []
    for _ in range(3):
        kinds.append([drift.kind for drift in sweep.sweep(ZONE)])
        an_interval_ago()
    assert kinds == [["missing"], ["lost"], ["lost"]]
    assert kinds_of(machine) == ["delivered", "seen_missing", "lost"]
    assert _now(machine).state == "RUNNING"


def test_a_machine_shut_down_from_inside_is_shown_stopped_and_charged_on(machine: Instance) -> None:
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    assert sweep.sweep(ZONE) == [Drift("off", machine.public_id, True)]
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    assert Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).count() == 2
    assert kinds_of(machine) == ["delivered", "seen_off"]
    assert list(reconcile()) == []
    engine_of(ZONE).ensure_power(machine.public_id, on=True)
    assert sweep.sweep(ZONE) == [Drift("on", machine.public_id, True)]
    assert _now(machine).state == "RUNNING"
    assert sweep.sweep(ZONE) == []


def test_what_is_not_charged_for_does_not_run(machine: Instance) -> None:
    """Given a machine stopped without charge, or in the bin, that somebody powers on, then it is off again."""
    stop.stop(by(machine.account_id), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    engine_of(ZONE).ensure_power(machine.public_id, on=True)
    assert sweep.sweep(ZONE) == [Drift("on", machine.public_id, True)]
    assert (_now(machine).state, _power(machine)) == ("STOPPED", Power.STOPPED)
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()
    engine_of(ZONE).ensure_power(machine.public_id, on=True)
    assert sweep.sweep(ZONE) == [Drift("on", machine.public_id, True)]
    assert (_now(machine).state, _power(machine)) == ("SHUTDOWN", Power.STOPPED)
    assert list(reconcile()) == []


def test_what_is_left_to_the_seller_is_kept_with_its_time_until_it_is_gone(machine: Instance, world: World) -> None:
    """Given a stranger on the engine, then its row says since when; it goes with it, and what is repaired has none."""
    spec = specs.load([machine.id])[machine.id].spec
    engine_of(ZONE).ensure_present(replace(spec, name="ins-unknown0", private_ip="10.64.0.99", public_address=None))
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    sweep.sweep(ZONE)
    held = EngineDrift.objects.get()
    assert (held.zone_id, held.name, held.kind) == (ZONE, "ins-unknown0", "unknown")
    with nothing_written():
        sweep.sweep(ZONE)
    world.stop_engine()
    with pytest.raises(EngineError), nothing_written():
        sweep.sweep(ZONE)
    world.start_engine()
    world.remove_machine("ins-unknown0")
    sweep.sweep(ZONE)
    assert not EngineDrift.objects.exists()


def test_a_machine_with_work_under_way_is_left_alone(machine: Instance, world: World) -> None:
    stop.stop(by(machine.account_id), [machine.public_id])
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    with nothing_written():
        assert sweep.sweep(ZONE) == []


def test_a_machine_in_the_bin_whose_power_off_was_given_up_is_off_once_its_engine_is_back(
    machine: Instance, world: World
) -> None:
    """Also its operation, which the seller was shown, is then tried again: until it ends nobody can use the machine."""
    terminate.terminate(by(machine.account_id), [machine.public_id])
    world.fail("*", times=STEPS["isolate"].attempts)
    work()
    assert (_power(machine), _now(machine).latest_operation_state) == (Power.RUNNING, "OPERATING")
    assert Operation.objects.get(kind="isolate").attention
    assert sweep.sweep(ZONE) == [Drift("on", machine.public_id, True)]
    assert (_power(machine), _now(machine).state) == (Power.STOPPED, "SHUTDOWN")
    work()
    assert (_now(machine).latest_operation_state, Operation.objects.filter(kind="isolate").count()) == ("SUCCESS", 0)
    assert sweep.sweep(ZONE) == []
    assert list(reconcile()) == []


def test_the_power_off_of_one_that_is_off_already_is_tried_again_too(machine: Instance, world: World) -> None:
    """Given a stopped machine that was ended while its engine was away, then its power-off ends all the same."""
    stop.stop(by(machine.account_id), [machine.public_id])
    work()
    terminate.terminate(by(machine.account_id), [machine.public_id])
    world.fail("*", times=STEPS["isolate"].attempts)
    work()
    assert (_power(machine), _now(machine).latest_operation_state) == (Power.STOPPED, "OPERATING")
    assert sweep.sweep(ZONE) == []
    work()
    assert (_now(machine).latest_operation_state, Operation.objects.filter(kind="isolate").count()) == ("SUCCESS", 0)
    assert list(reconcile()) == []


class _Meanwhile:
    """An engine whose list is answered, and then something happens before the caller looks at its rows."""

    def __init__(self, real: Engine, act: Callable[[], None], then: Callable[[], None]) -> None:
        self._real, self._act, self._then = real, act, then

    def list_ours(self) -> Any:
        seen = self._real.list_ours()
        self._act()
        return seen

    def observe(self, name: str) -> Any:
        self._then()
        return self._real.observe(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _sweep_while(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], then: Callable[[], None] = lambda: None
) -> list[Drift]:
    """``act`` comes between the engine's list and the rows, ``then`` between the rows and the second look."""
    real = engine_of(ZONE)
    monkeypatch.setattr(sweep, "engine_of", lambda _zone: _Meanwhile(real, act, then))
    return sweep.sweep(ZONE)


def test_a_list_older_than_a_stop_does_not_make_the_machine_run(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped() -> None:
        stop.stop(by(machine.account_id), [machine.public_id])
        work()

    assert _sweep_while(monkeypatch, stopped) == []
    assert _now(machine).state == "STOPPED"


def test_a_list_older_than_a_start_does_not_make_the_machine_stop(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop.stop(by(machine.account_id), [machine.public_id])
    work()

    def started() -> None:
        start.start(by(machine.account_id), [machine.public_id])
        work()

    assert _sweep_while(monkeypatch, started) == []
    assert _now(machine).state == "RUNNING"


def test_rows_older_than_a_start_do_not_make_the_machine_stop(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a machine stopped without charge after the list and started again after the rows, then it runs on."""

    def stopped() -> None:
        stop.stop(by(machine.account_id), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
        work()

    def started() -> None:
        start.start(by(machine.account_id), [machine.public_id])
        work()

    assert _sweep_while(monkeypatch, stopped, started) == []
    assert (_now(machine).state, _power(machine)) == ("RUNNING", Power.RUNNING)


def test_a_row_older_than_a_conversion_does_not_charge_on_what_is_paid_ahead() -> None:
    machine = buy_running(open_purse(cash_minor=100_000))
    read_before = m.read(machine.pk)
    assert read_before.subscription.charge_type == "POSTPAID_BY_HOUR"
    convert.ACT.order(by(machine.account_id), Conversion([machine.public_id]))
    work()
    sweep._powered(read_before, "STOPPED", "off")
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "NOT_APPLICABLE")


def test_a_list_older_than_a_delivery_reports_no_missing_machine(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def delivered() -> None:
        buy_running(machine.account_id)

    assert _sweep_while(monkeypatch, delivered) == []
    assert not Event.objects.filter(kind="seen_missing").exists()


class _FailsOn:
    """An engine that lists all of its machines and fails on one."""

    def __init__(self, real: Engine, name: str) -> None:
        self._real, self._name = real, name

    def _failing(self, verb: str) -> Callable[..., Any]:
        def call(name: str, *arguments: Any, **named: Any) -> Any:
            if name == self._name:
                raise EngineError("The compute engine refused the request.", transient=False)
            return getattr(self._real, verb)(name, *arguments, **named)

        return call

    def __getattr__(self, name: str) -> Any:
        return self._failing(name) if name in ("observe", "ensure_absent") else getattr(self._real, name)


@pytest.mark.parametrize("first_fails", [True, False])
def test_a_machine_that_the_engine_fails_on_keeps_nobody_from_the_others(
    first_fails: bool, machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = [machine, buy_running(machine.account_id)]
    failing, other = machines if first_fails else reversed(machines)
    for each in machines:
        engine_of(ZONE).ensure_power(each.public_id, on=False)
    engine = _FailsOn(engine_of(ZONE), failing.public_id)
    monkeypatch.setattr(sweep, "engine_of", lambda _zone: engine)
    names = [each.public_id for each in machines]
    assert sweep.look(ZONE, names) == {failing.public_id}
    assert (_now(failing).state, _now(other).state) == ("RUNNING", "STOPPED")
    engine_of(ZONE).ensure_power(other.public_id, on=True)
    assert sweep.sweep(ZONE) == [Drift("on", other.public_id, True)]
    assert (_now(failing).state, _now(other).state) == ("RUNNING", "RUNNING")


def test_an_ended_machine_that_is_not_removed_keeps_nobody_from_the_others(
    machine: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = buy_running(machine.account_id)
    spec = specs.load([machine.id])[machine.id].spec
    for _ in range(2):  # to the bin, and out of it
        terminate.terminate(by(machine.account_id), [machine.public_id])
        work()
    engine_of(ZONE).ensure_present(spec)
    engine_of(ZONE).ensure_power(other.public_id, on=False)
    engine = _FailsOn(engine_of(ZONE), machine.public_id)
    monkeypatch.setattr(sweep, "engine_of", lambda _zone: engine)
    assert sweep.sweep(ZONE) == [Drift("off", other.public_id, True)]


def test_an_engine_that_does_not_answer_changes_nothing(machine: Instance, world: World) -> None:
    world.stop_engine()
    with nothing_written(), pytest.raises(EngineError):
        sweep.sweep(ZONE)
