"""Given a machine on the internet, when its bandwidth changes, then each second costs the speed that it had."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.acting import ONLINE, ONLINE_HOLD_MINOR, Given, one, open_components, stopped_without_charge
from tests.orders.ending import now
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.contract import PublicAddress
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, State
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, MissingParameter, Refused
from vmart.metering.models import Segment
from vmart.orders import bandwidth, start, terminate
from vmart.orders.errors import Busy, InArrears, InsufficientBalance, UnknownInstance, WrongMode, WrongState
from vmart.pricing.errors import OutOfRange
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BY_TRAFFIC = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True)
ACT = "ResetInstancesInternetMaxBandwidth"
# 0.35 CPU and memory, 0.025 disk; network 6 Mbps: 5 × 0.063 + 0.25 = 0.565; 10: 1.565; 2: 0.126
AT_10_MINOR, AT_2_MINOR = 194, 50


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def _seen(machine: Instance) -> tuple[int, str, str]:
    """Its bandwidth, and how its latest operation stands."""
    found = now(machine)
    return found.bandwidth_mbps, found.latest_operation, found.latest_operation_state


def _stretches(machine: Instance) -> list[tuple[int, dt.datetime, dt.datetime | None]]:
    """Speeds that are charged, each from when to when."""
    found = Segment.objects.filter(subscription_id=machine.id, component="bandwidth").order_by("started_at", "id")
    return [(one.quantity, one.started_at, one.ended_at) for one in found]


def _agreed(machine: Instance) -> list[tuple[int, bool]]:
    """Speeds in the terms, and whether each holds now."""
    found = Item.objects.filter(subscription_id=machine.id, component="bandwidth").order_by("from_at")
    return [(one.quantity, one.to_at is None) for one in found]


def test_a_higher_speed_is_charged_from_the_second_in_which_it_is_in_force(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """602 s at 0.565 and 2,998 s at 1.565 an hour: 5,032.00 / 3,600 = 1.39777778."""
    machine = buy_running(account, ONLINE)
    hour = test_clock.at
    test_clock.advance(minutes=10)
    bandwidth.change(by(account), [machine.public_id], 10)
    assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((6, ACT, "OPERATING"), 6)
    assert purses(account)["held"] == AT_10_MINOR
    in_force = test_clock.advance(seconds=2)
    work()
    assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((10, ACT, "SUCCESS"), 10)
    assert _stretches(machine) == [(6, hour, in_force), (10, in_force, None)]
    assert _agreed(machine) == [(6, False), (10, True)]
    test_clock.set(hour + HOUR)
    close.close(hour)
    charge = Charge.objects.get(component="bandwidth")
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (3600, Decimal("1.39777778"))
    assert purses(account)["held"] == AT_10_MINOR
    assert list(reconcile()) == []


def test_a_lower_speed_lets_the_hold_fall_when_it_is_in_force(account: int, world: World) -> None:
    machine = buy_running(account, ONLINE)
    bandwidth.change(by(account), [machine.public_id], 2)
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    work()
    assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((2, ACT, "SUCCESS"), 2)
    assert purses(account)["held"] == AT_2_MINOR
    told = Event.objects.get(kind="bandwidth_changed")
    assert (told.subject_id, told.detail) == (machine.id, {"old": 6, "new": 2})
    assert list(reconcile()) == []


@pytest.mark.parametrize("configuration", [BY_TRAFFIC, replace(BY_TRAFFIC, charge_type="PREPAID", period_months=1)])
def test_by_traffic_it_is_a_cap_and_moves_no_money(account: int, world: World, configuration: object) -> None:
    machines = [buy_running(account, configuration) for _ in range(2)]  # type: ignore[arg-type]
    before, used = purses(account), list(Segment.objects.values_list("id", "component", "ended_at"))
    bandwidth.change(by(account), [machine.public_id for machine in machines], 100)
    work()
    for machine in machines:
        assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((100, ACT, "SUCCESS"), 100)
        assert _agreed(machine) == []
    assert (purses(account), list(Segment.objects.values_list("id", "component", "ended_at"))) == (before, used)
    assert list(reconcile()) == []


def test_the_speed_that_it_has_changes_nothing(account: int, world: World) -> None:
    machine = buy_running(account, ONLINE)
    before = purses(account), _stretches(machine), _agreed(machine)
    bandwidth.change(by(account), [machine.public_id], 6)
    assert not Operation.objects.filter(kind=bandwidth.KIND).exists()
    assert (purses(account), _stretches(machine), _agreed(machine)) == before


def test_what_is_off_without_charge_has_it_at_its_start(account: int, world: World, test_clock: BusinessClock) -> None:
    """Its disk and network are charged on: 0.025 + 1.565 = 1.59 of it are held."""
    machine = stopped_without_charge(account, test_clock)
    bandwidth.change(by(account), [machine.public_id], 10)
    assert purses(account)["held"] == 159
    work()
    assert (_seen(machine), now(machine).state) == ((10, ACT, "SUCCESS"), "STOPPED")
    assert (open_components(machine), purses(account)["held"]) == ({"bandwidth", "disk"}, 159)
    start.start(by(account), [machine.public_id])
    work()
    assert (now(machine).state, world.cap_mbps(machine.public_id)) == ("RUNNING", 10)
    assert purses(account)["held"] == AT_10_MINOR
    assert list(reconcile()) == []


@pytest.mark.parametrize("mbps", [2, 10])
@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_a_change_that_fails_leaves_all_as_it_was(account: int, world: World, mbps: int, *, lost: bool) -> None:
    machine = buy_running(account, ONLINE)
    before = _stretches(machine)
    bandwidth.change(by(account), [machine.public_id], mbps)
    (world.lose_answer if lost else world.fail)("ensure_address", times=6)
    work()
    assert world.armed_count() == 0
    assert (_seen(machine), world.cap_mbps(machine.public_id)) == ((6, ACT, "FAILED"), 6)
    assert now(machine).latest_operation_error.splitlines()[0] == (
        "The bandwidth could not be changed; it is as before."
    )
    assert (_stretches(machine), _agreed(machine)) == (before, [(6, True)])
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert list(reconcile()) == []


def _overtaken(account: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The machine is ended and turned off while its change is on its way. The address that leads to it then."""
    machine = buy_running(account, ONLINE)
    bandwidth.change(by(account), [machine.public_id], 10)

    class Late:
        def ensure_address(self, name: str, private_ip: str, told: PublicAddress | None) -> None:
            terminate.terminate(by(account), [machine.public_id])
            work()
            assert engine_of(ZONE).observe(name).public_ip == ""
            engine_of(ZONE).ensure_address(name, private_ip, told)

    with monkeypatch.context() as patch:
        patch.setattr(bandwidth, "engine_of", lambda _: Late())
        work()
    assert now(machine).state == "SHUTDOWN"
    return engine_of(ZONE).observe(machine.public_id).public_ip


def test_to_a_machine_that_was_ended_meanwhile_no_address_leads(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _overtaken(account, monkeypatch) == ""
    assert list(reconcile()) == []


def test_control_unless_the_engine_is_told_again_it_does(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bandwidth.address, "send", lambda _: None)
    assert _overtaken(account, monkeypatch) != ""


def test_an_hour_of_it_must_be_there(account: int) -> None:
    poor = open_purse("poor", cash_minor=100)
    machine = buy_running(poor, ONLINE)
    with refused(InsufficientBalance, match="¥1.94 are needed and ¥1.00 are available"):
        bandwidth.change(by(poor), [machine.public_id], 10)
    bandwidth.change(by(poor), [machine.public_id], 2)
    work()
    assert _seen(machine) == (2, ACT, "SUCCESS")


def _several(*configurations: object) -> Given:
    return lambda account: [name for bought in configurations for name in one(bought)(account)]


@pytest.mark.parametrize(
    ("given", "mbps", "error", "field"),
    [
        (lambda account: [], 9, MissingParameter, "machines"),
        (lambda account: ["ins-00000000"], 9, UnknownInstance, "machines"),
        (one(ONLINE), 0, OutOfRange, "bandwidth_mbps"),
        (one(ONLINE), 101, OutOfRange, "bandwidth_mbps"),
        (one(ONLINE, latest_operation_state="OPERATING"), 9, Busy, "machines"),
        (one(ONLINE, state=State.SHUTDOWN), 9, WrongState, "machines"),
        (one(ONLINE, state=State.STARTING), 9, WrongState, "machines"),
        (one(HOURLY), 9, WrongMode, "machines"),
        (_several(ONLINE, ONLINE), 9, InvalidParameter, "machines"),
        (_several(BY_TRAFFIC, ONLINE), 9, InvalidParameter, "machines"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed(account: int, given: Given, mbps: int, error: type[Refused], field: str) -> None:
    names = given(account)
    with refused(error, field=field):
        bandwidth.change(by(account), names, mbps)
    with refused(error, field=field):
        bandwidth.reckon(account, names, mbps)


def test_in_arrears_nothing_is_changed(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, ONLINE)
    owe(account)
    test_clock.advance(hours=2)
    with refused(InArrears, field="machines"):
        bandwidth.change(by(account), [machine.public_id], 2)


def test_what_it_would_cost(account: int) -> None:
    machine = buy_running(account, ONLINE)
    with nothing_written():
        (found,) = bandwidth.reckon(account, [machine.public_id], 10)
    assert (found.mbps_now, found.mbps, found.bandwidth_hourly) == (6, 10, Decimal("1.565"))
    assert (found.hours.hourly_now, found.hours.hourly) == (Decimal("0.94"), Decimal("1.94"))
    assert (found.hours.hold_now_minor, found.hours.hold_minor, found.traffic_per_gib) == (94, 194, None)
    by_traffic = buy_running(account, BY_TRAFFIC)
    (found,) = bandwidth.reckon(account, [by_traffic.public_id], 10)
    assert (found.bandwidth_hourly, found.hours.hourly, found.traffic_per_gib) == (0, Decimal("0.375"), Decimal("0.80"))
