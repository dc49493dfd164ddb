"""Given a machine whose charging has ended, then bytes that left before are on the bill, and none that left after."""

import datetime as dt
import uuid
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, work
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import ByteCount, Power
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.metering.models import Sample
from vmart.orders import sample, start, terminate
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=100, public_ip=True)
CAP_BYTES_S = 100 * 10**6 // 8
GIB = 1 << 30


def _samples() -> list[tuple[int, dt.datetime]]:
    return list(Sample.objects.order_by("number").values_list("out_bytes", "at"))


def test_what_left_before_the_end_is_charged_in_the_hour_of_the_end(test_clock: BusinessClock, world: World) -> None:
    hour = test_clock.at
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    ended = test_clock.set(hour + HOUR - dt.timedelta(seconds=10))
    world.send_bytes(machine.public_id, 3 * GIB)
    terminate.terminate(by(account), [machine.public_id])
    test_clock.advance(seconds=20)  # the power-off comes in the next hour
    Operation.objects.filter(kind="close_hour").update(due_at=test_clock.at + HOUR)
    work()
    assert _samples() == [(3 * GIB, ended)]
    Operation.objects.filter(kind="close_hour").update(due_at=test_clock.at)
    work()
    traffic = Charge.objects.get(component="traffic")
    assert (traffic.hour, traffic.out_bytes, traffic.exact_e8) == (hour, 3 * GIB, 240_000_000)
    go_to(test_clock, ended + 3 * HOUR)
    assert Instance.objects.get().state == "GONE"
    assert _samples() == [(3 * GIB, ended)]
    assert list(reconcile()) == []


def test_no_more_is_charged_than_can_have_left_before_the_end(test_clock: BusinessClock, world: World) -> None:
    """Given bytes that were counted 30 s before the end and 10 s after it, then the cap says how many are due."""
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=10)
    world.send_bytes(machine.public_id, GIB)
    sample.sample_zone(ZONE)
    sampled = test_clock.at
    ended = test_clock.advance(seconds=30)
    terminate.terminate(by(account), [machine.public_id])
    test_clock.advance(seconds=10)
    world.send_bytes(machine.public_id, 40 * CAP_BYTES_S)
    work()
    assert _samples() == [(GIB, sampled), (30 * CAP_BYTES_S, ended)]
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert _samples() == [(GIB, sampled), (30 * CAP_BYTES_S, ended)]


def test_a_count_that_was_under_way_when_charging_ended_charges_nothing_beyond_it(
    test_clock: BusinessClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a machine that is ended while the zone's engine is asked, then only its last count charges for it."""
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=10)
    sample.sample_zone(ZONE)
    ended = test_clock.advance(seconds=2)
    engine = engine_of(ZONE)

    class Slow:
        def counters(self, names: list[str]) -> dict[str, ByteCount]:
            terminate.terminate(by(account), [machine.public_id])
            test_clock.advance(seconds=10)
            world.send_bytes(machine.public_id, 10 * CAP_BYTES_S)
            return engine.counters(names)

    with monkeypatch.context() as patch:
        patch.setattr(sample, "engine_of", lambda _zone: Slow())
        assert sample.sample_zone(ZONE) == 0
    assert _samples() == []
    work()
    assert _samples() == [(2 * CAP_BYTES_S, ended)]


def test_the_time_without_new_bytes_makes_no_room_for_later_ones(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    world.send_bytes(machine.public_id, 1)
    sample.sample_zone(ZONE)
    test_clock.advance(minutes=50)
    sample.sample_zone(ZONE)
    ended = test_clock.advance(seconds=1)
    terminate.terminate(by(account), [machine.public_id])
    world.send_bytes(machine.public_id, GIB)
    work()
    assert [size for size, at in _samples() if at == ended] == [CAP_BYTES_S]


@pytest.mark.parametrize("at_once", [False, True], ids=["isolated", "released"])
def test_of_a_power_off_that_came_late_nothing_is_charged(
    test_clock: BusinessClock, world: World, *, at_once: bool
) -> None:
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=10)
    terminate.terminate(by(account), [machine.public_id])
    if at_once:
        Operation.objects.filter(kind="isolate").delete()
        Operation.objects.filter(kind="release").update(due_at=test_clock.at)
    test_clock.advance(seconds=sample.INTERVAL_S + 1)  # its host was away
    world.send_bytes(machine.public_id, 10 * GIB)
    work()
    assert _samples() == []
    go_to(test_clock, test_clock.at + 3 * HOUR)
    assert not Charge.objects.filter(component="traffic").exists()
    assert list(reconcile()) == []


def test_of_a_machine_whose_arrears_ended_before_its_power_off_nothing_is_charged(
    test_clock: BusinessClock, world: World
) -> None:
    """Given a host that was away when arrears stopped the machine, then what left after the stop stays free."""
    hour = test_clock.at
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    test_clock.advance(minutes=1)
    world.send_bytes(machine.public_id, GIB)
    sample.sample_zone(ZONE)
    owe(account)
    owner = uuid.uuid4()
    for operation in queue.claim(owner, [""], 30, 10):
        loop.work(STEPS, [operation], owner)
    test_clock.advance(minutes=40)
    world.send_bytes(machine.public_id, 10 * GIB)
    pay(account, 10_000)
    assert sample.sample_zone(ZONE) == 0
    work()
    assert (Instance.objects.get().state, Instance.objects.get().latest_operation_state) == ("STOPPED", "SUCCESS")
    assert sample.sample_zone(ZONE) == 0
    assert _samples() == [(GIB, hour + dt.timedelta(minutes=1))]
    start.start(by(account), [machine.public_id])
    work()
    world.send_bytes(machine.public_id, 7)
    assert sample.sample_zone(ZONE) == 7
    assert list(reconcile()) == []


def test_its_network_is_off_before_its_power(test_clock: BusinessClock, world: World) -> None:
    """Given a power-off that fails, then the machine sends nothing meanwhile."""
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)
    owe(account)
    world.fail("ensure_power")
    owner = uuid.uuid4()
    for lane in ("", ZONE):
        for operation in queue.claim(owner, [lane], 30, 10):
            loop.work(STEPS, [operation], owner)
    seen = engine_of(ZONE).observe(machine.public_id)
    assert (seen.power, seen.public_ip) == (Power.RUNNING, "")
    with pytest.raises(ValueError, match="cannot send"):
        world.send_bytes(machine.public_id, 1)
    work()
    assert engine_of(ZONE).observe(machine.public_id).power == Power.STOPPED


def test_after_the_term_of_a_prepaid_machine_nothing_is_counted(test_clock: BusinessClock, world: World) -> None:
    """Given an expiry that the worker comes to late, then the minutes in between are free."""
    Operation.objects.filter(kind="close_hour").delete()
    account = open_purse(cash_minor=20_000)
    machine = buy_running(account, replace(MONTHLY, **{
        name: getattr(ONLINE, name) for name in ("internet_charge_type", "bandwidth_mbps", "public_ip")
    }))  # fmt: skip
    assert machine.subscription.expires_at is not None
    test_clock.set(machine.subscription.expires_at - dt.timedelta(minutes=1))
    world.send_bytes(machine.public_id, 7)
    sample.sample_zone(ZONE)
    test_clock.set(machine.subscription.expires_at + dt.timedelta(minutes=5))
    world.send_bytes(machine.public_id, GIB)
    assert sample.sample_zone(ZONE) == 0
    work()
    assert Instance.objects.get().state == "SHUTDOWN"
    assert [size for size, _ in _samples()] == [7]


def test_counts_that_come_late_and_out_of_turn_count_nothing_twice(test_clock: BusinessClock) -> None:
    """Given a counter that began anew, and an answer from before that comes after it, then each byte counts once."""
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, ONLINE)

    def count(epoch: str, out_bytes: int) -> int:
        test_clock.advance(seconds=1)
        with db.act():
            db.call("ledger_lock", account)
            fresh: int = db.call(
                "metering_count", [account], [machine.id], [epoch], [out_bytes], [clock.now()], [None], [CAP_BYTES_S]
            )
        return fresh

    read = [("1", 1000), ("2", 50), ("1", 1000), ("2", 80), ("1", 990), ("2", 80), ("3", 7), ("1", 1001), ("3", 6)]
    assert [count(*each) for each in read] == [1000, 50, 0, 30, 0, 0, 7, 1, 0]
    assert [size for size, _ in _samples()] == [1000, 50, 30, 7, 1]


def test_a_zone_is_counted_in_as_few_statements_as_a_machine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given machines of several customers, then each's bytes are its own, and more machines are no more statements."""
    machines = [buy_running(open_purse(name, cash_minor=10_000), ONLINE) for name in ("one", "two", "three")]
    with CaptureQueriesContext(connection) as idle:
        assert sample.sample_zone(ZONE) == 0
    for number, machine in enumerate(machines, 1):
        world.send_bytes(machine.public_id, number * GIB)
    with CaptureQueriesContext(connection) as busy:
        assert sample.sample_zone(ZONE) == 6 * GIB
    assert len(busy) == len(idle) <= 7
    counted = Sample.objects.order_by("out_bytes").values_list("subscription_id", "account_id", "out_bytes")
    assert list(counted) == [(machine.id, machine.account_id, n * GIB) for n, machine in enumerate(machines, 1)]
    monkeypatch.setattr(sample, "_AT_ONCE", 2)
    world.send_bytes(machines[2].public_id, GIB)
    assert sample.sample_zone(ZONE) == GIB
