"""Given a stopped machine, when it is started, then it takes again what it gave up, or nothing changes."""

import uuid

import pytest

from tests.orders.acting import (
    ONLINE_HOLD_MINOR,
    STOPPED_HOLD_MINOR,
    TRY_AGAIN,
    agree,
    open_components,
    stopped_without_charge,
)
from tests.orders.ending import now
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    raise_prices,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.catalog import shop as catalog_shop
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.kernel.models import Deployment
from vmart.ledger.models import Hold
from vmart.metering.models import Segment
from vmart.network.models import PublicAddress
from vmart.orders import errors, start, stop, sweep
from vmart.orders.purchase import purchase
from vmart.placement.models import Allocation, Host
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")


def test_a_start_takes_hold_room_and_address_and_the_tier_clock_goes_on(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    test_clock.advance(minutes=50)
    start.start(by(account), [machine.public_id])
    machine = now(machine)
    assert (machine.state, purses(account)["held"]) == ("STARTING", ONLINE_HOLD_MINOR)  # at the request
    assert "cpu" not in open_components(machine)
    test_clock.advance(seconds=9)
    work()
    machine = now(machine)
    assert (machine.state, machine.stop_charging_mode) == ("RUNNING", "NOT_APPLICABLE")
    cpu = Segment.objects.get(subscription_id=machine.id, component="cpu", ended_at=None)
    assert (cpu.started_at, cpu.age_s) == (test_clock.at, 600)
    assert Allocation.objects.values_list("vcpu", "memory_mib").get() == (2, 4096)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    world.send_bytes(machine.public_id, 1)  # the address leads there
    agree()


def test_a_start_without_money_for_the_hold_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=ONLINE_HOLD_MINOR + HOURLY_HOLD_MINOR - 1)
    machine = stopped_without_charge(account, test_clock)
    purchase(wanted(account, HOURLY))
    with refused(errors.InsufficientBalance, match=r"¥0\.94 are needed and ¥0\.93 are available"):
        start.start(by(account), [machine.public_id])


@pytest.mark.parametrize(
    ("currency", "said"),
    [("JPY", "¥94 are needed and ¥93 are available"), ("KWD", r"KWD 94\.000 are needed and KWD 0\.093 are available")],
)
def test_a_refused_start_names_amounts_in_the_shops_own_decimals(
    test_clock: BusinessClock, currency: str, said: str
) -> None:
    account = open_purse(cash_minor=ONLINE_HOLD_MINOR + HOURLY_HOLD_MINOR - 1)
    machine = stopped_without_charge(account, test_clock)
    purchase(wanted(account, HOURLY))
    raise_prices(test_clock, "100")
    Deployment.objects.update(currency=currency)
    catalog_shop.forget()
    with refused(errors.InsufficientBalance, match=f": {said}"):
        start.start(by(account), [machine.public_id])


def test_a_start_without_room_on_its_host_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    Host.objects.filter(allocation__instance_id=machine.id).update(vcpu_capacity=1)
    with refused(errors.SoldOut, field="machines"):
        start.start(by(account), [machine.public_id])


def test_a_start_without_a_free_address_is_refused(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    PublicAddress.objects.filter(zone_id=ZONE).delete()
    with refused(errors.NoAddress, field="machines"):
        start.start(by(account), [machine.public_id])


def test_all_start_or_none(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    running = buy_running(account)
    with refused(errors.WrongState, code="UnsupportedOperation.InstanceStateRunning"):
        start.start(by(account), [machine.public_id, running.public_id])


def test_a_start_that_fails_leaves_it_stopped_and_may_be_tried_again(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    start.start(by(account), [machine.public_id])
    world.fail("ensure_power", times=6)
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state) == ("STOPPED", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be started.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip
    assert open_components(machine) == {"disk", "bandwidth"}
    assert (purses(account)["held"], machine.stop_charging_mode) == (STOPPED_HOLD_MINOR, "STOP_CHARGING")
    assert Allocation.objects.values_list("vcpu", "memory_mib", "disk_gib").get() == (0, 0, 50)
    assert Host.objects.get(allocation__instance_id=machine.id).vcpu_used == 0
    assert machine.public_ip is None
    assert not PublicAddress.objects.filter(instance_id=machine.id).exists()
    assert engine_of(ZONE).observe(machine.public_id).public_ip == ""
    agree()
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
    assert purses(account)["held"] == ONLINE_HOLD_MINOR
    assert Allocation.objects.get().vcpu == 2
    agree()


def test_a_start_that_fails_keeps_its_address_until_the_engine_has_let_go_of_it(
    test_clock: BusinessClock, world: World
) -> None:
    """Given an engine that does not take the address off either, then nobody else is given it before it does."""
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    start.start(by(account), [machine.public_id])
    world.fail("ensure_power", times=6)
    world.fail("ensure_address", 7)  # six attempts, and the last word
    owner = uuid.uuid4()
    for _ in range(6):
        loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    machine = now(machine)
    assert (machine.state, Allocation.objects.get().vcpu) == ("STARTING", 2)
    assert PublicAddress.objects.get(instance_id=machine.id).ip == machine.public_ip
    assert Operation.objects.get(kind="start").attempt == 6
    world.fail("ensure_power")
    work()
    machine = now(machine)
    assert (machine.state, machine.public_ip, Allocation.objects.get().vcpu) == ("STOPPED", None, 0)
    agree()


def test_a_start_of_a_machine_that_the_engine_has_lost_fails(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = stopped_without_charge(account, test_clock)
    start.start(by(account), [machine.public_id])
    world.remove_machine(machine.public_id)
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state, machine.public_ip) == ("STOPPED", "FAILED", None)
    assert (purses(account)["held"], Allocation.objects.get().vcpu) == (STOPPED_HOLD_MINOR, 0)


def test_after_an_ordinary_stop_a_start_asks_for_no_money(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    work()
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
    assert list(Hold.objects.values_list("state", "floating_minor")) == [("pending", HOURLY_HOLD_MINOR)]
    assert Segment.objects.count() == 2  # nothing was interrupted


def test_a_machine_shut_down_from_inside_was_stopped_ordinarily(test_clock: BusinessClock, world: World) -> None:
    """Given a guest's own shutdown, when its money was used up since, then it still starts without a new hold."""
    account = open_purse(cash_minor=HOURLY_HOLD_MINOR)
    machine = buy_running(account)
    engine_of(ZONE).ensure_power(machine.public_id, on=False)
    sweep.sweep(ZONE)
    machine = now(machine)
    assert (machine.state, machine.stop_charging_mode) == ("STOPPED", "KEEP_CHARGING")
    hour = test_clock.at
    test_clock.advance(hours=1)
    close.close(hour)
    assert purses(account)["available"] < 0
    start.start(by(account), [machine.public_id])
    work()
    assert now(machine).state == "RUNNING"
