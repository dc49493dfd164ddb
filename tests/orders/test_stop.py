"""Given a machine, when it is stopped, then what is charged and held changes as the rules say."""

import uuid

import pytest

from tests.orders.acting import (
    ONLINE,
    ONLINE_HOLD_MINOR,
    STOPPED_HOLD_MINOR,
    TRY_AGAIN,
    agree,
    open_components,
)
from tests.orders.ending import now, power
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    work,
)
from tests.support.written import refused
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine, Observation, Power
from vmart.engines.simulated.world import World
from vmart.kernel.errors import InvalidValue
from vmart.ledger.models import Hold
from vmart.metering.models import Segment
from vmart.network.models import PublicAddress
from vmart.orders import errors, reboot, start, stop, sweep
from vmart.placement.models import Allocation, Host
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import loop, queue

pytestmark = pytest.mark.usefixtures("in_business")


def test_an_ordinary_stop_is_charged_on(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(by(account, "r-2"), [machine.public_id])
    machine = now(machine)
    assert (machine.state, machine.latest_operation, machine.latest_operation_state) == (
        "STOPPING", "StopInstances", "OPERATING",
    )  # fmt: skip
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state, machine.stop_charging_mode) == (
        "STOPPED", "SUCCESS", "KEEP_CHARGING",
    )  # fmt: skip
    assert power(machine) == Power.STOPPED
    assert open_components(machine) == {"cpu", "disk", "bandwidth"}
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert Allocation.objects.get().vcpu == 2
    agree()


def test_without_charge_cpu_ends_when_the_stop_was_accepted(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    freed = machine.public_ip
    test_clock.advance(minutes=10)
    accepted = test_clock.at
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    assert purses(account)["held"] == ONLINE_HOLD_MINOR  # until it is stopped
    test_clock.advance(seconds=20)
    work()
    machine = now(machine)
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert Segment.objects.get(subscription_id=machine.id, component="cpu").ended_at == accepted
    assert open_components(machine) == {"disk", "bandwidth"}
    assert purses(account)["held"] == STOPPED_HOLD_MINOR
    assert sorted(Hold.objects.values_list("state", "floating_minor")) == [
        ("pending", STOPPED_HOLD_MINOR), ("voided", ONLINE_HOLD_MINOR),
    ]  # fmt: skip
    address = PublicAddress.objects.get(ip=freed)
    assert (address.instance_id, address.free_since) == (None, test_clock.at)
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert Host.objects.get(allocation__instance_id=machine.id).vcpu_used == 0
    agree()


def test_a_stop_that_fails_never_paused(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    before = list(Segment.objects.order_by("id").values())
    test_clock.advance(minutes=10)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    test_clock.advance(seconds=5)
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be stopped.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert list(Segment.objects.order_by("id").values()) == before
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert machine.public_ip is not None
    agree()


@pytest.mark.parametrize("from_inside", [False, True])
def test_what_is_off_and_billed_is_put_to_without_charge_without_a_start(
    test_clock: BusinessClock, from_inside: bool
) -> None:
    """Given a machine that was stopped, or shut down from inside: CPU ends when it was asked for."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    if from_inside:
        engine_of(ZONE).ensure_power(machine.public_id, on=False)
        sweep.sweep(ZONE)
    else:
        stop.stop(by(account), [machine.public_id])
        work()
    assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    test_clock.advance(minutes=10)
    accepted = test_clock.at
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    assert (now(machine).state, purses(account)["held"]) == ("STOPPING", ONLINE_HOLD_MINOR)
    test_clock.advance(seconds=20)
    work()
    seen = now(machine)
    assert (seen.state, seen.stop_charging_mode, seen.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert (seen.latest_operation, seen.latest_operation_state) == ("StopInstances", "SUCCESS")
    assert Segment.objects.get(subscription_id=machine.id, component="cpu").ended_at == accepted
    assert open_components(machine) == {"disk", "bandwidth"}
    assert purses(account)["held"] == STOPPED_HOLD_MINOR
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert PublicAddress.objects.get(ip=machine.public_ip).instance_id is None
    agree()
    start.start(by(account), [machine.public_id])
    work()
    assert (now(machine).state, purses(account)["held"]) == ("RUNNING", ONLINE_HOLD_MINOR)
    agree()


def test_what_cannot_be_put_to_without_charge_is_off_and_billed_as_before(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(by(account), [machine.public_id])
    work()
    before = list(Segment.objects.order_by("id").values())
    test_clock.advance(minutes=10)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    test_clock.advance(seconds=5)
    work()
    seen = now(machine)
    assert (seen.state, seen.stop_charging_mode, seen.latest_operation_state) == ("STOPPED", "KEEP_CHARGING", "FAILED")
    assert seen.latest_operation_error.splitlines() == [
        "It could not be put to without charge: it is off and billed.",
        "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert list(Segment.objects.order_by("id").values()) == before
    assert (purses(account)["held"], seen.public_ip) == (ONLINE_HOLD_MINOR, machine.public_ip)
    assert Allocation.objects.get().vcpu == 2
    agree()


def test_running_and_off_ones_go_to_without_charge_together(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    running, off = buy_running(account, ONLINE), buy_running(account, ONLINE)
    stop.stop(by(account), [off.public_id])
    work()
    stop.stop(by(account), [running.public_id, off.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    for machine in (running, off):
        assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "STOP_CHARGING")
    assert purses(account)["held"] == 2 * STOPPED_HOLD_MINOR
    agree()


def test_without_charge_is_refused_for_what_is_so_already_and_for_prepaid_ones(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=20_000)
    spared, prepaid = buy_running(account, ONLINE), buy_running(account, MONTHLY)
    stop.stop(by(account), [spared.public_id], stopped_mode=stop.STOP_CHARGING)
    stop.stop(by(account), [prepaid.public_id])
    work()
    for machine in (spared, prepaid):
        with refused(errors.WrongState, field="machines", code="UnsupportedOperation.InstanceStateNotRunning"):
            stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    agree()


class _NotSeenOff:
    """An engine that cannot say that a machine is off: its host does not answer."""

    def __init__(self, real: Engine) -> None:
        self._real = real

    def ensure_power(self, name: str, on: bool, *, force: bool = False) -> Observation:
        return Observation(name, Power.BROKEN)

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


@pytest.mark.parametrize("mode", [stop.KEEP_CHARGING, stop.STOP_CHARGING])
def test_a_machine_that_was_not_seen_off_is_not_stopped(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Given a host that is away, then its machine may be running: it keeps its address and is charged on."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    before = list(Segment.objects.order_by("id").values())
    real = engine_of(ZONE)
    monkeypatch.setattr(stop, "engine_of", lambda _zone: _NotSeenOff(real))
    stop.stop(by(account), [machine.public_id], stopped_mode=mode)
    work()
    seen = now(machine)
    assert seen.state == "RUNNING"
    assert seen.latest_operation_error.splitlines() == [
        "The machine could not be stopped.", "Its host does not answer for it.", TRY_AGAIN,
    ]  # fmt: skip
    assert (seen.public_ip, real.observe(machine.public_id).public_ip) == (machine.public_ip, machine.public_ip)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert list(Segment.objects.order_by("id").values()) == before
    assert (purses(account)["held"], Allocation.objects.get().vcpu) == (ONLINE_HOLD_MINOR, 2)
    agree()


def test_a_machine_that_the_engine_has_lost_is_stopped(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    world.remove_machine(machine.public_id)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    machine = now(machine)
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert purses(account)["held"] == STOPPED_HOLD_MINOR


def test_the_address_is_taken_off_before_it_is_given_back(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_address")
    owner = uuid.uuid4()
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert now(machine).state == "STOPPING"
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    work()
    assert now(machine).state == "STOPPED"
    assert engine_of(ZONE).observe(machine.public_id).public_ip == ""
    agree()


def test_two_stops_within_a_second_of_which_the_second_fails(test_clock: BusinessClock, world: World) -> None:
    """Given charging that was paused and resumed in one second, then only its last part is taken up again."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.advance(minutes=1)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    start.start(by(account), [machine.public_id])
    work()
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert Segment.objects.filter(component="cpu", ended_at=None).count() == 1
    agree()


def test_a_start_by_a_clock_that_is_behind_the_stop_s_charges_no_second_twice(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    started, ended = test_clock.at, test_clock.advance(minutes=1)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    test_clock.advance(seconds=-1)
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
    cpu = Segment.objects.filter(component="cpu").order_by("id").values_list("started_at", "ended_at", "age_s")
    assert list(cpu) == [(started, ended, 0), (ended, None, 60)]
    agree()


def test_a_failed_stop_by_a_clock_that_is_behind_the_delivery_s_pauses_nothing(
    test_clock: BusinessClock, world: World
) -> None:
    """Given a worker's host a second ahead of the web's, then the machine that was just delivered is charged on."""
    account = open_purse(cash_minor=1000)
    test_clock.advance(seconds=5)
    machine = buy_running(account)
    started = test_clock.at
    test_clock.advance(seconds=-1)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    work()
    assert (now(machine).state, now(machine).latest_operation_state) == ("RUNNING", "FAILED")
    cpu = Segment.objects.get(component="cpu")
    assert (cpu.started_at, cpu.ended_at) == (started, None)
    agree()


@pytest.mark.parametrize(
    ("words", "error", "field"),
    [
        ({"stopped_mode": "NEVER"}, InvalidValue, "stopped_mode"),
        ({"stop_type": "SOFTLY"}, InvalidValue, "stop_type"),
    ],
)
def test_words_that_do_not_exist_are_refused(words: dict[str, str], error: type, field: str) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    with refused(error, field=field):
        stop.stop(by(account), [machine.public_id], **words)
    with refused(InvalidValue, field="stop_type"):
        reboot.reboot(by(account), [machine.public_id], stop_type="SOFTLY")


def test_a_prepaid_machine_cannot_be_stopped_without_charge() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    with refused(errors.WrongMode, field="stopped_mode", code="UnsupportedOperation.StoppedModeStopCharging"):
        stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    stop.stop(by(account), [machine.public_id])
    work()
    assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "NOT_APPLICABLE")
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
    agree()
