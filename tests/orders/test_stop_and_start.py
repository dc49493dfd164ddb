"""Given a machine, when it is stopped, started or rebooted, then what is charged and held changes as the rules say."""

import sqlite3
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    parts,
    purses,
    raise_prices,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.catalog import shop as catalog_shop
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine, EngineError, Observation, Power
from vmart.engines.simulated import World
from vmart.instances.models import Event, Instance
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter
from vmart.kernel.models import Deployment
from vmart.ledger.models import Hold
from vmart.metering.models import Segment
from vmart.network.models import PublicAddress
from vmart.orders import errors, reboot, start, stop, sweep, terminate
from vmart.orders.purchase import purchase
from vmart.placement.models import Allocation, Host
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ONLINE = replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)
ONLINE_HOLD_MINOR = 94
TRY_AGAIN = "Try again in a few minutes; if it fails again, ask the seller."
STOPPED_HOLD_MINOR = 59  # 0.025 disk + 0.565 bandwidth


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _open_components(machine: Instance) -> set[str]:
    return set(
        Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).values_list("component", flat=True)
    )


def _power(machine: Instance) -> Power:
    return engine_of(ZONE).observe(machine.public_id).power


def _agree() -> None:
    assert list(reconcile()) == []
    assert not Operation.objects.filter(kind__in=["stop", "start", "reboot", "isolate"]).exists()


# -- stop ------------------------------------------------------------------------------------------


def test_an_ordinary_stop_is_charged_on(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(account, [machine.public_id], request_id="r-2")
    machine = _now(machine)
    assert (machine.state, machine.latest_operation, machine.latest_operation_state) == (
        "STOPPING", "StopInstances", "OPERATING",
    )  # fmt: skip
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state, machine.stop_charging_mode) == (
        "STOPPED", "SUCCESS", "KEEP_CHARGING",
    )  # fmt: skip
    assert _power(machine) == Power.STOPPED
    assert _open_components(machine) == {"cpu", "disk", "bandwidth"}
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert Allocation.objects.get().vcpu == 2
    _agree()


def test_without_charge_cpu_ends_when_the_stop_was_accepted(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    freed = machine.public_ip
    test_clock.advance(minutes=10)
    accepted = test_clock.at
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    assert purses(account)["held"] == ONLINE_HOLD_MINOR  # until it is stopped
    test_clock.advance(seconds=20)
    work()
    machine = _now(machine)
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert Segment.objects.get(subscription_id=machine.id, component="cpu").ended_at == accepted
    assert _open_components(machine) == {"disk", "bandwidth"}
    assert purses(account)["held"] == STOPPED_HOLD_MINOR
    assert sorted(Hold.objects.values_list("state", "floating_minor")) == [
        ("pending", STOPPED_HOLD_MINOR), ("voided", ONLINE_HOLD_MINOR),
    ]  # fmt: skip
    address = PublicAddress.objects.get(ip=freed)
    assert (address.instance_id, address.free_since) == (None, test_clock.at)
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert Host.objects.get(allocation__instance_id=machine.id).vcpu_used == 0
    _agree()


def test_a_stop_that_fails_never_paused(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    before = list(Segment.objects.order_by("id").values())
    test_clock.advance(minutes=10)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    test_clock.advance(seconds=5)
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be stopped.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert list(Segment.objects.order_by("id").values()) == before
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert machine.public_ip is not None
    _agree()


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
        stop.stop(account, [machine.public_id])
        work()
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    test_clock.advance(minutes=10)
    accepted = test_clock.at
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    assert (_now(machine).state, purses(account)["held"]) == ("STOPPING", ONLINE_HOLD_MINOR)
    test_clock.advance(seconds=20)
    work()
    now = _now(machine)
    assert (now.state, now.stop_charging_mode, now.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert (now.latest_operation, now.latest_operation_state) == ("StopInstances", "SUCCESS")
    assert Segment.objects.get(subscription_id=machine.id, component="cpu").ended_at == accepted
    assert _open_components(machine) == {"disk", "bandwidth"}
    assert purses(account)["held"] == STOPPED_HOLD_MINOR
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert PublicAddress.objects.get(ip=machine.public_ip).instance_id is None
    _agree()
    start.start(account, [machine.public_id])
    work()
    assert (_now(machine).state, purses(account)["held"]) == ("RUNNING", ONLINE_HOLD_MINOR)
    _agree()


def test_what_cannot_be_put_to_without_charge_is_off_and_billed_as_before(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(account, [machine.public_id])
    work()
    before = list(Segment.objects.order_by("id").values())
    test_clock.advance(minutes=10)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    test_clock.advance(seconds=5)
    work()
    now = _now(machine)
    assert (now.state, now.stop_charging_mode, now.latest_operation_state) == ("STOPPED", "KEEP_CHARGING", "FAILED")
    assert now.latest_operation_error.splitlines() == [
        "It could not be put to without charge: it is off and billed.",
        "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert list(Segment.objects.order_by("id").values()) == before
    assert (purses(account)["held"], now.public_ip) == (ONLINE_HOLD_MINOR, machine.public_ip)
    assert Allocation.objects.get().vcpu == 2
    _agree()


def test_running_and_off_ones_go_to_without_charge_together(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    running, off = buy_running(account, ONLINE), buy_running(account, ONLINE)
    stop.stop(account, [off.public_id])
    work()
    stop.stop(account, [running.public_id, off.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    for machine in (running, off):
        assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "STOP_CHARGING")
    assert purses(account)["held"] == 2 * STOPPED_HOLD_MINOR
    _agree()


def test_without_charge_is_refused_for_what_is_so_already_and_for_prepaid_ones(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=20_000)
    spared, prepaid = buy_running(account, ONLINE), buy_running(account, MONTHLY)
    stop.stop(account, [spared.public_id], stopped_mode=stop.STOP_CHARGING)
    stop.stop(account, [prepaid.public_id])
    work()
    for machine in (spared, prepaid):
        with refused(errors.WrongState, field="InstanceIds", code="UnsupportedOperation.InstanceStateNotRunning"):
            stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    _agree()


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
    stop.stop(account, [machine.public_id], stopped_mode=mode)
    work()
    now = _now(machine)
    assert now.state == "RUNNING"
    assert now.latest_operation_error.splitlines() == [
        "The machine could not be stopped.", "Its host does not answer for it.", TRY_AGAIN,
    ]  # fmt: skip
    assert (now.public_ip, real.observe(machine.public_id).public_ip) == (machine.public_ip, machine.public_ip)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert list(Segment.objects.order_by("id").values()) == before
    assert (purses(account)["held"], Allocation.objects.get().vcpu) == (ONLINE_HOLD_MINOR, 2)
    _agree()


def test_a_machine_that_the_engine_has_lost_is_stopped(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    world.remove_machine(machine.public_id)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    machine = _now(machine)
    assert (machine.state, machine.stop_charging_mode, machine.public_ip) == ("STOPPED", "STOP_CHARGING", None)
    assert purses(account)["held"] == STOPPED_HOLD_MINOR


def test_the_address_is_taken_off_before_it_is_given_back(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, ONLINE)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_address")
    owner = uuid.uuid4()
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert _now(machine).state == "STOPPING"
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    work()
    assert _now(machine).state == "STOPPED"
    assert engine_of(ZONE).observe(machine.public_id).public_ip == ""
    _agree()


def test_two_stops_within_a_second_of_which_the_second_fails(test_clock: BusinessClock, world: World) -> None:
    """Given charging that was paused and resumed in one second, then only its last part is taken up again."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.advance(minutes=1)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    start.start(account, [machine.public_id])
    work()
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert Segment.objects.filter(component="cpu", ended_at=None).count() == 1
    _agree()


def test_a_start_by_a_clock_that_is_behind_the_stop_s_charges_no_second_twice(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    started, ended = test_clock.at, test_clock.advance(minutes=1)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    test_clock.advance(seconds=-1)
    start.start(account, [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"
    cpu = Segment.objects.filter(component="cpu").order_by("id").values_list("started_at", "ended_at", "age_s")
    assert list(cpu) == [(started, ended, 0), (ended, None, 60)]
    _agree()


def test_a_failed_stop_by_a_clock_that_is_behind_the_delivery_s_pauses_nothing(
    test_clock: BusinessClock, world: World
) -> None:
    """Given a worker's host a second ahead of the web's, then the machine that was just delivered is charged on."""
    account = open_purse(cash_minor=1000)
    test_clock.advance(seconds=5)
    machine = buy_running(account)
    started = test_clock.at
    test_clock.advance(seconds=-1)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    world.fail("ensure_power", times=6)
    work()
    assert (_now(machine).state, _now(machine).latest_operation_state) == ("RUNNING", "FAILED")
    cpu = Segment.objects.get(component="cpu")
    assert (cpu.started_at, cpu.ended_at) == (started, None)
    _agree()


@pytest.mark.parametrize(
    ("words", "error", "field"),
    [
        ({"stopped_mode": "NEVER"}, InvalidValue, "StoppedMode"),
        ({"stop_type": "SOFTLY"}, InvalidValue, "StopType"),
    ],
)
def test_words_that_do_not_exist_are_refused(words: dict[str, str], error: type, field: str) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    with refused(error, field=field):
        stop.stop(account, [machine.public_id], **words)
    with refused(InvalidValue, field="StopType"):
        reboot.reboot(account, [machine.public_id], stop_type="SOFTLY")


def test_a_prepaid_machine_cannot_be_stopped_without_charge() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    with refused(errors.WrongMode, field="StoppedMode", code="UnsupportedOperation.StoppedModeStopCharging"):
        stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    stop.stop(account, [machine.public_id])
    work()
    assert (_now(machine).state, _now(machine).stop_charging_mode) == ("STOPPED", "NOT_APPLICABLE")
    start.start(account, [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"
    _agree()


# -- start -----------------------------------------------------------------------------------------


def _stopped_without_charge(account: int, test_clock: BusinessClock) -> Instance:
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=10)
    stop.stop(account, [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    return _now(machine)


def test_a_start_takes_hold_room_and_address_and_the_tier_clock_goes_on(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    test_clock.advance(minutes=50)
    start.start(account, [machine.public_id])
    machine = _now(machine)
    assert (machine.state, purses(account)["held"]) == ("STARTING", ONLINE_HOLD_MINOR)  # at the request
    assert "cpu" not in _open_components(machine)
    test_clock.advance(seconds=9)
    work()
    machine = _now(machine)
    assert (machine.state, machine.stop_charging_mode) == ("RUNNING", "NOT_APPLICABLE")
    cpu = Segment.objects.get(subscription_id=machine.id, component="cpu", ended_at=None)
    assert (cpu.started_at, cpu.age_s) == (test_clock.at, 600)
    assert Allocation.objects.values_list("vcpu", "memory_mib").get() == (2, 4096)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    world.send_bytes(machine.public_id, 1)  # the address leads there
    _agree()


def test_a_start_without_money_for_the_hold_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=ONLINE_HOLD_MINOR + HOURLY_HOLD_MINOR - 1)
    machine = _stopped_without_charge(account, test_clock)
    purchase(wanted(account, HOURLY))
    with refused(errors.InsufficientBalance, match=r"¥0\.94 are needed and ¥0\.93 are available"):
        start.start(account, [machine.public_id])


@pytest.mark.parametrize(
    ("currency", "said"),
    [("JPY", "¥94 are needed and ¥93 are available"), ("KWD", r"KWD 94\.000 are needed and KWD 0\.093 are available")],
)
def test_a_refused_start_names_amounts_in_the_shops_own_decimals(
    test_clock: BusinessClock, currency: str, said: str
) -> None:
    account = open_purse(cash_minor=ONLINE_HOLD_MINOR + HOURLY_HOLD_MINOR - 1)
    machine = _stopped_without_charge(account, test_clock)
    purchase(wanted(account, HOURLY))
    raise_prices(test_clock, "100")
    Deployment.objects.update(currency=currency)
    catalog_shop.forget()
    with refused(errors.InsufficientBalance, match=f": {said}"):
        start.start(account, [machine.public_id])


def test_a_start_without_room_on_its_host_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    Host.objects.filter(allocation__instance_id=machine.id).update(vcpu_capacity=1)
    with refused(errors.SoldOut, field="InstanceIds"):
        start.start(account, [machine.public_id])


def test_a_start_without_a_free_address_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    PublicAddress.objects.filter(zone_id=ZONE).delete()
    with refused(errors.NoAddress, field="InstanceIds"):
        start.start(account, [machine.public_id])


def test_all_start_or_none(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    running = buy_running(account)
    with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateRunning"):
        start.start(account, [machine.public_id, running.public_id])


def test_a_start_that_fails_leaves_it_stopped_and_may_be_tried_again(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    start.start(account, [machine.public_id])
    world.fail("ensure_power", times=6)
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state) == ("STOPPED", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be started.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert _open_components(machine) == {"disk", "bandwidth"}
    assert (purses(account)["held"], machine.stop_charging_mode) == (STOPPED_HOLD_MINOR, "STOP_CHARGING")
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert Host.objects.get(allocation__instance_id=machine.id).vcpu_used == 0
    assert machine.public_ip is None
    assert not PublicAddress.objects.filter(instance_id=machine.id).exists()
    assert engine_of(ZONE).observe(machine.public_id).public_ip == ""
    _agree()
    start.start(account, [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert Allocation.objects.get().vcpu == 2
    _agree()


def test_a_start_that_fails_keeps_its_address_until_the_engine_has_let_go_of_it(
    test_clock: BusinessClock, world: World
) -> None:
    """Given an engine that does not take the address off either, then nobody else is given it before it does."""
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    start.start(account, [machine.public_id])
    world.fail("ensure_power", times=6)
    world.fail("ensure_address", 7)  # six attempts, and the last word
    owner = uuid.uuid4()
    for _ in range(6):
        loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    machine = _now(machine)
    assert (machine.state, Allocation.objects.get().vcpu) == ("STARTING", 2)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert Operation.objects.get(kind="start").attempt == 6
    world.fail("ensure_power")
    work()
    machine = _now(machine)
    assert (machine.state, machine.public_ip, Allocation.objects.get().vcpu) == ("STOPPED", None, 0)
    _agree()


def test_a_start_of_a_machine_that_the_engine_has_lost_fails(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = _stopped_without_charge(account, test_clock)
    start.start(account, [machine.public_id])
    world.remove_machine(machine.public_id)
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state, machine.public_ip) == ("STOPPED", "FAILED", None)
    assert (purses(account)["held"], Allocation.objects.get().vcpu) == (STOPPED_HOLD_MINOR, 0)


def test_after_an_ordinary_stop_a_start_asks_for_no_money(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    stop.stop(account, [machine.public_id])
    work()
    start.start(account, [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"
    assert list(Hold.objects.values_list("state", "floating_minor")) == [("pending", HOURLY_HOLD_MINOR)]
    assert Segment.objects.count() == 2  # nothing was interrupted


def test_a_machine_shut_down_from_inside_was_stopped_ordinarily(test_clock: BusinessClock, world: World) -> None:
    """Given a guest's own shutdown, when its money was used up since, then it still starts without a new hold."""
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    sweep.sweep(ZONE)
    machine = _now(machine)
    assert (machine.state, machine.stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    hour = test_clock.at
    test_clock.advance(hours=1)
    close.close(hour)
    assert purses(account)["available"] < 0
    start.start(account, [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"


# -- reboot ----------------------------------------------------------------------------------------


def test_a_reboot_boots_once_and_moves_no_money(engine: Path, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    before, money = engine_of(ZONE).observe(machine.public_id).booted_at, purses(account)
    segments = list(Segment.objects.values())
    reboot.reboot(account, [machine.public_id])
    assert _now(machine).state == "REBOOTING"
    world.lose_answer("ensure_rebooted")
    work()
    machine = _now(machine)
    after = engine_of(ZONE).observe(machine.public_id).booted_at
    assert before is not None
    assert after is not None
    assert after > before
    with sqlite3.connect(engine) as file:
        assert file.execute("SELECT boots FROM machine").fetchall() == [(2,)]
    file.close()
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "SUCCESS")
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == ["delivered", "rebooted"]
    assert purses(account) == money
    assert list(Segment.objects.values()) == segments
    _agree()


def test_a_reboot_that_fails_is_said(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    reboot.reboot(account, [machine.public_id])
    world.fail("ensure_rebooted", times=6)
    work()
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be rebooted.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip


def test_a_machine_that_is_not_there_cannot_be_rebooted_or_started(world: World) -> None:
    account = open_purse(cash_minor=1000)
    rebooted, started = buy_running(account), buy_running(account)
    stop.stop(account, [started.public_id])
    work()
    world.remove_machine(rebooted.public_id)
    world.remove_machine(started.public_id)
    reboot.reboot(account, [rebooted.public_id])
    start.start(account, [started.public_id])
    work()
    assert _now(rebooted).latest_operation_state == "FAILED"
    assert (_now(started).state, _now(started).latest_operation_state) == ("STOPPED", "FAILED")
    assert _now(rebooted).latest_operation_error.splitlines() == [
        "The machine could not be rebooted.", "The machine is not found on its host.", TRY_AGAIN,
    ]  # fmt: skip
    assert _now(started).latest_operation_error.splitlines() == [
        "The machine could not be started.", "The machine does not exist.", "Ask the seller.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "why", "helps"),
    [
        (
            EngineError("The system disk is full.", transient=False, helps="Delete files."),
            "The system disk is full.", "Delete files.",
        ),
        (EngineError("The host's storage is full.", transient=False), "The host's storage is full.", "Ask the seller."),
        (EngineError("The host does not answer.", transient=True), "The host does not answer.", TRY_AGAIN),
        (ValueError("a secret path"), "Something went wrong in the shop.", TRY_AGAIN),
    ],
)  # fmt: skip
def test_a_failure_says_why_and_what_helps(
    error: Exception, why: str, helps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = buy_running(open_purse(cash_minor=1000))

    class Failing:
        def ensure_rebooted(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setattr(reboot, "engine_of", lambda _zone: Failing())
    reboot.reboot(machine.account_id, [machine.public_id])
    work()
    now = _now(machine)
    told = f"The machine could not be rebooted.\n{why}\n{helps}"
    assert (now.state, now.latest_operation_error) == ("RUNNING", told)
    event = Event.objects.get(kind="operation_failed")
    assert event.detail == {"operation": "RebootInstances", "why": told}


# -- all of them -----------------------------------------------------------------------------------


ACTS = {
    "stop": stop.stop, "start": start.start, "reboot": reboot.reboot, "terminate": terminate.terminate,
}  # fmt: skip


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_somebody_elses_machine_is_unknown(act: object) -> None:
    theirs, mine = open_purse("theirs", cash_minor=1000), open_purse("mine", cash_minor=1000)
    own, other = buy_running(mine), buy_running(theirs)
    unknown = f"The instance {other.public_id} does not exist."
    with refused(errors.UnknownInstance, match=unknown, field="InstanceIds", code="InvalidInstanceId.NotFound"):
        act(mine, [own.public_id, other.public_id])  # type: ignore[operator]
    with refused(errors.UnknownInstance, match="The instance ins-00000000 does not exist."):
        act(mine, ["ins-00000000"])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_machine_that_is_gone_is_unknown_too(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(account, [machine.public_id])
    work()
    terminate.terminate(account, [machine.public_id])
    work()
    assert _now(machine).state == "GONE"
    with refused(errors.UnknownInstance):
        act(account, [machine.public_id])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_while_something_is_under_way_the_rest_waits(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    stop.stop(account, [machine.public_id])
    with refused(errors.Busy, match="busy with StopInstances"):
        act(account, [machine.public_id])  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_a_machine_that_is_being_delivered_is_busy(act: object) -> None:
    account = open_purse(cash_minor=1000)
    bought = purchase(wanted(account, HOURLY))
    with refused(errors.Busy, match="busy with RunInstances"):
        act(account, list(bought.instance_ids))  # type: ignore[operator]


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS.keys())
def test_the_list_of_machines_is_checked(act: object) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    with refused(MissingParameter, field="InstanceIds"):
        act(account, [])  # type: ignore[operator]
    with refused(InvalidParameter, field="InstanceIds", match="twice"):
        act(account, [machine.public_id] * 2)  # type: ignore[operator]
    with refused(InvalidParameter, field="InstanceIds", match="At most 100"):
        act(account, [f"ins-{n:08}" for n in range(101)])  # type: ignore[operator]


@pytest.mark.parametrize("name", ["stop", "start", "reboot"])
def test_a_machine_in_the_bin_cannot_be_used(name: str) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    terminate.terminate(account, [machine.public_id])
    work()
    with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateIsolating"):
        ACTS[name](account, [machine.public_id])


def test_a_stopped_machine_is_neither_stopped_nor_rebooted() -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    stop.stop(account, [machine.public_id])
    work()
    for act in (stop.stop, reboot.reboot):
        with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateNotRunning"):
            act(account, [machine.public_id])


def test_a_failed_delivery_leaves_nothing_to_operate(world: World) -> None:
    account = open_purse(cash_minor=1000)
    buy_running(account)
    bought = purchase(wanted(account, HOURLY))
    world.fail("ensure_present", transient=False)
    work()
    for act in (stop.stop, start.start, reboot.reboot):
        with refused(errors.WrongState):
            act(account, list(bought.instance_ids))
    terminate.terminate(account, list(bought.instance_ids))  # takes it off the list
    work()
    assert Instance.objects.get(public_id=bought.instance_ids[0]).state == "GONE"
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert db.rows("SELECT 1 FROM ledger_transfer WHERE kind <> 'opening'") == []
    _agree()
