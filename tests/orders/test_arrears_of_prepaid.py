"""Given an account in arrears, then its prepaid machines run on without the public network that traffic pays for.

Billing-rules, section 4: balance < 0 for 2 h, network off, machine runs; resumes after payment.
"""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.happened import kinds_of
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, purses, wanted, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine, Power, PublicAddress
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.clock import HOUR
from vmart.listings import machines as listed
from vmart.listings.machines import Wanted
from vmart.orders import address, errors, reboot, sample, start, stop, sweep, terminate
from vmart.orders.purchase import purchase
from vmart.orders.sweep import Drift
from vmart.provisioning import specs, zones
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import arrears
from vmart.subscriptions.models import Subscription
from vmart.worker import queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BY_TRAFFIC = replace(MONTHLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
BY_BANDWIDTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=1, public_ip=True)
PAID_MINOR = 13250  # 115 + 50 × 0.35: traffic is not in it
GIB = 1 << 30


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _seen(machine: Instance) -> tuple[str, bool]:
    """Power, and whether the machine's own address leads to it."""
    seen = engine_of(ZONE).observe(machine.public_id)
    assert seen.public_ip in ("", machine.public_ip)
    return seen.power, bool(seen.public_ip)


def _public(machine: Instance) -> PublicAddress:
    assert machine.public_ip is not None
    return PublicAddress(machine.public_ip, machine.bandwidth_mbps)


def _cut_off(account: int) -> Instance:
    """A machine whose public network is off."""
    machine = buy_running(account, BY_TRAFFIC)
    owe(account)
    work()
    machine = _now(machine)
    assert (machine.subscription.arrears_since, _seen(machine)) == (clock.now(), (Power.RUNNING, False))
    return machine


def test_an_account_with_prepaid_machines_only_from_its_traffic_to_the_top_up(
    test_clock: BusinessClock, world: World
) -> None:
    begin = test_clock.at
    account = open_purse(cash_minor=PAID_MINOR + 100)
    machine = buy_running(account, BY_TRAFFIC)
    address_held = machine.public_ip
    world.send_bytes(machine.public_id, 2 * GIB)
    sample.sample_zone(ZONE)
    go_to(test_clock, begin + HOUR)
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 60, "held": 0, "available": -60}  # 2 × 0.80
    assert [(o.kind, o.due_at) for o in Operation.objects.filter(subject_id=account, kind="arrears")] == [
        ("arrears", begin + 3 * HOUR)
    ]
    go_to(test_clock, begin + 3 * HOUR - dt.timedelta(seconds=1))
    assert _seen(machine) == (Power.RUNNING, True)
    go_to(test_clock, begin + 3 * HOUR)
    assert _seen(machine) == (Power.RUNNING, False)
    machine = _now(machine)
    assert (machine.state, machine.latest_operation_state, machine.subscription.arrears_since) == (
        "RUNNING", "SUCCESS", begin + 3 * HOUR,
    )  # fmt: skip
    assert machine.public_ip == address_held
    with pytest.raises(ValueError, match="without a public address"):
        world.send_bytes(machine.public_id, 1)
    with refused(errors.InArrears):
        purchase(wanted(account))
    go_to(test_clock, begin + 9 * HOUR)
    assert _seen(machine) == (Power.RUNNING, False)
    assert purses(account)["owed"] == 60
    pay(account, 59)
    work()
    assert _seen(machine) == (Power.RUNNING, False)
    pay(account, 1)
    work()
    machine = _now(machine)
    assert (_seen(machine), machine.public_ip, machine.subscription.arrears_since) == (
        (Power.RUNNING, True),
        address_held,
        None,
    )
    assert kinds_of(machine) == ["delivered", "network_off", "network_on"]
    world.send_bytes(machine.public_id, GIB)
    sample.sample_zone(ZONE)
    go_to(test_clock, begin + 10 * HOUR)
    assert [charge.out_bytes for charge in Charge.objects.order_by("hour")] == [2 * GIB, GIB]
    assert list(reconcile()) == []


def test_a_top_up_within_the_two_hours_leaves_everything_on(test_clock: BusinessClock) -> None:
    begin = test_clock.at
    account = open_purse(cash_minor=PAID_MINOR)
    machine = buy_running(account, BY_TRAFFIC)
    owe(account)
    Operation.objects.filter(kind="arrears").update(due_at=begin + 2 * HOUR)
    test_clock.set(begin + 2 * HOUR - dt.timedelta(seconds=1))
    pay(account, 100)
    go_to(test_clock, begin + 5 * HOUR)
    assert (_seen(machine), _now(machine).subscription.arrears_since) == ((Power.RUNNING, True), None)
    assert kinds_of(machine) == ["delivered"]


def test_only_what_traffic_pays_for_goes_off(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=100_000)
    by_bandwidth, without = buy_running(account, BY_BANDWIDTH), buy_running(account, MONTHLY)
    by_traffic, hourly = buy_running(account, BY_TRAFFIC), buy_running(account, HOURLY)
    others = buy_running(open_purse("other", cash_minor=PAID_MINOR), BY_TRAFFIC)
    owe(account)
    work()
    assert [_seen(machine) for machine in (by_bandwidth, without, by_traffic, hourly, others)] == [
        (Power.RUNNING, True), (Power.RUNNING, False), (Power.RUNNING, False), (Power.STOPPED, False),
        (Power.RUNNING, True),
    ]  # fmt: skip
    assert list(Instance.objects.filter(subscription__arrears_since__isnull=False).order_by("id")) == [
        by_traffic,
        hourly,
    ]
    assert list(reconcile()) == []
    pay(account, 1000)
    work()
    assert (_seen(by_traffic), _now(hourly).state) == ((Power.RUNNING, True), "STOPPED")
    assert not Instance.objects.filter(subscription__arrears_since__isnull=False).exists()
    assert list(reconcile()) == []


def test_stop_start_and_reboot_are_possible_and_do_not_bring_it_back(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)
    reboot.reboot(by(account), [machine.public_id])
    work()
    assert (_now(machine).state, _seen(machine)) == ("RUNNING", (Power.RUNNING, False))
    stop.stop(by(account), [machine.public_id])
    work()
    assert (_now(machine).state, _seen(machine)) == ("STOPPED", (Power.STOPPED, False))
    start.start(by(account), [machine.public_id])
    work()
    assert (_now(machine).state, _seen(machine)) == ("RUNNING", (Power.RUNNING, False))
    stop.stop(by(account), [machine.public_id])
    work()
    pay(account, 100)
    work()
    start.start(by(account), [machine.public_id])
    work()
    assert (_now(machine).state, _seen(machine)) == ("RUNNING", (Power.RUNNING, True))
    assert list(reconcile()) == []


@pytest.mark.parametrize("made", [False, True])
def test_a_machine_delivered_after_the_two_hours_has_no_network_before_the_top_up(*, made: bool) -> None:
    """Given arrears that come due while it is being delivered, also where the engine has made it with its address."""
    account = open_purse(cash_minor=2 * PAID_MINOR)
    buy_running(account, BY_TRAFFIC)
    (late,) = purchase(wanted(account, BY_TRAFFIC)).instance_ids
    machine = Instance.objects.get(public_id=late)
    if made:
        engine_of(ZONE).ensure_present(specs.load([machine.id])[machine.id].spec)
    Operation.objects.filter(kind="deliver").update(not_before=clock.wall() + HOUR)
    owe(account)
    work()
    assert (_now(machine).state, _now(machine).subscription.arrears_since) == ("PENDING", clock.now())
    for _ in range(2):  # the delivery, and what waited for it
        Operation.objects.update(not_before=None)
        work()
    assert (_now(machine).state, _seen(machine)) == ("RUNNING", (Power.RUNNING, False))
    pay(account, purses(account)["owed"])
    work()
    assert _seen(machine) == (Power.RUNNING, True)
    assert list(reconcile()) == []


def test_a_failed_delivery_in_arrears_keeps_no_trace_of_them(world: World) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    (late,) = purchase(wanted(account, BY_TRAFFIC)).instance_ids
    Subscription.objects.filter(public_id=late).update(arrears_since=clock.now())
    world.fail("ensure_present", transient=False, sentence="No.")
    zones.prepare_images(ZONE)
    work()
    machine = Instance.objects.get(public_id=late)
    assert (machine.state, machine.subscription.arrears_since) == ("LAUNCH_FAILED", None)


def test_it_expires_like_any_other_and_leaves_nothing(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)
    Operation.objects.filter(kind="close_hour").delete()
    assert machine.subscription.expires_at is not None
    go_to(test_clock, machine.subscription.expires_at)
    machine = _now(machine)
    assert (machine.state, machine.subscription.isolated_source) == ("SHUTDOWN", "EXPIRE")
    assert machine.subscription.arrears_since is None
    pay(account, 100)
    work()
    assert (_now(machine).state, _seen(machine)) == ("SHUTDOWN", (Power.STOPPED, False))
    assert machine.subscription.release_at is not None
    go_to(test_clock, machine.subscription.release_at)
    assert (_now(machine).state, world.count_machines()) == ("GONE", 0)
    assert list(reconcile()) == []


def test_its_return_pays_what_is_owed_and_gives_the_others_their_network_back(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=2 * PAID_MINOR)
    stays = buy_running(account, BY_TRAFFIC)
    returned = _cut_off(account)
    terminate.terminate(by(account), [returned.public_id])
    work()
    returned = _now(returned)
    assert (returned.state, returned.subscription.isolated_source) == ("SHUTDOWN", "MANMADE")
    assert returned.subscription.arrears_since is None
    assert (_seen(returned), _seen(stays)) == ((Power.STOPPED, False), (Power.RUNNING, True))
    assert (purses(account)["owed"], purses(account)["cash"]) == (0, PAID_MINOR - 100)
    assert kinds_of(returned) == ["delivered", "network_off", "TerminateInstances", "returned"]
    terminate.terminate(by(account), [returned.public_id])
    work()
    assert _now(returned).state == "GONE"
    assert list(reconcile()) == []


def test_the_api_and_the_lists_say_so(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)

    def view() -> tuple[Any, ...]:
        (found,) = listed.page(account, Wanted())[1]
        return found.state, found.restrict_state, found.isolated_source, found.public_ip

    assert view() == ("RUNNING", "EXPIRED", "ARREAR", machine.public_ip)
    pay(account, 100)
    assert view() == ("RUNNING", "NORMAL", "NOTISOLATED", machine.public_ip)


# -- what comes in between -------------------------------------------------------------------------


class _Meanwhile:
    """An engine at whose first change of an address something happens: before it, or before its caller hears of it."""

    def __init__(self, real: Engine, act: Callable[[], None], *, late: bool) -> None:
        self._real, self._act, self._late = real, act, late

    def ensure_address(self, *told: Any) -> None:
        act, self._act = self._act, lambda: None
        if self._late:
            act()
        self._real.ensure_address(*told)
        if not self._late:
            act()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _engine_while(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], *, late: bool = False) -> None:
    engine = _Meanwhile(engine_of(ZONE), act, late=late)
    for room in (address, start):
        monkeypatch.setattr(room, "engine_of", lambda _zone: engine)


def test_a_top_up_while_it_goes_off_has_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = buy_running(account, BY_TRAFFIC)
    owe(account)
    _engine_while(monkeypatch, lambda: pay(account, 100))
    work()
    assert (_seen(machine), _now(machine).subscription.arrears_since) == ((Power.RUNNING, True), None)
    assert list(reconcile()) == []


def test_new_arrears_while_it_comes_back_have_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)

    def again() -> None:
        owe(account)
        (operation,) = queue.claim(uuid.uuid4(), [""], 15, 1)
        owner = Operation.objects.get(id=operation.id).lease_owner
        assert owner is not None
        arrears.run([operation], owner)

    pay(account, 100)
    _engine_while(monkeypatch, again)
    work()
    assert (_seen(machine), _now(machine).subscription.arrears_since) == ((Power.RUNNING, False), clock.now())
    assert list(reconcile()) == []


@pytest.mark.parametrize("late", [False, True])
def test_a_top_up_while_it_starts_brings_the_network_too(monkeypatch: pytest.MonkeyPatch, *, late: bool) -> None:
    """Given a start that tells the engine of no address, before or after what another worker does for the top-up."""

    def paid() -> None:
        pay(account, 100)
        work()

    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)
    stop.stop(by(account), [machine.public_id])
    work()
    start.start(by(account), [machine.public_id])
    _engine_while(monkeypatch, paid, late=late)
    work()
    assert _now(machine).state == "RUNNING"
    Operation.objects.update(not_before=None)
    work()
    assert _seen(machine) == (Power.RUNNING, True)
    assert list(reconcile()) == []


def test_an_expiry_while_it_comes_back_leaves_it_off(
    monkeypatch: pytest.MonkeyPatch, test_clock: BusinessClock
) -> None:
    """Given the engine is told the address late, when the machine is in the bin already."""
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)
    engine = engine_of(ZONE)

    def expired() -> None:
        test_clock.set(machine.subscription.expires_at or test_clock.at)
        Operation.objects.filter(kind="close_hour").delete()
        for lane in ("", ZONE):
            owner = uuid.uuid4()
            for operation in queue.claim(owner, [lane], 15, 10):
                STEPS[operation.kind].run([operation], owner)
        assert _seen(machine) == (Power.STOPPED, False)
        engine.ensure_address(machine.public_id, machine.private_ip, _public(machine))

    pay(account, 100)
    _engine_while(monkeypatch, expired)
    work()
    assert (_now(machine).state, _seen(machine)) == ("SHUTDOWN", (Power.STOPPED, False))
    assert list(reconcile()) == []


def test_a_top_up_tries_again_what_the_seller_was_to_look_at(world: World) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = buy_running(account, BY_TRAFFIC)
    owe(account)
    world.fail("ensure_address", times=100)
    work()
    waiting = Operation.objects.get(kind="address")
    assert (waiting.attention, _seen(machine)) == (True, (Power.RUNNING, True))
    assert [line for line in reconcile() if machine.public_id in line]
    world.clear_faults()
    pay(account, 100)
    work()
    assert not Operation.objects.filter(kind="address").exists()
    assert _seen(machine) == (Power.RUNNING, True)
    assert list(reconcile()) == []


# -- drift -----------------------------------------------------------------------------------------


def test_the_sweep_leaves_it_off_and_turns_off_what_should_be(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=PAID_MINOR)
    machine = _cut_off(account)
    assert sweep.sweep(ZONE) == []
    engine = engine_of(ZONE)
    engine.ensure_address(machine.public_id, machine.private_ip, _public(machine))  # by a worker long given up
    assert [line for line in reconcile() if machine.public_id in line]
    assert sweep.sweep(ZONE) == [Drift("address", machine.public_id, True)]
    assert sweep.sweep(ZONE) == []  # its repair is under way
    work()
    assert _seen(machine) == (Power.RUNNING, False)
    engine.ensure_power(machine.public_id, on=False)
    assert sweep.sweep(ZONE) == [Drift("off", machine.public_id, True)]
    engine.ensure_power(machine.public_id, on=True)
    assert sweep.sweep(ZONE) == [Drift("on", machine.public_id, True)]
    assert (_now(machine).state, _seen(machine)) == ("RUNNING", (Power.RUNNING, False))
    assert list(reconcile()) == []


def test_the_sweep_brings_back_an_address_that_was_lost(test_clock: BusinessClock) -> None:
    machine = buy_running(open_purse(cash_minor=PAID_MINOR), BY_TRAFFIC)
    engine_of(ZONE).ensure_address(machine.public_id, machine.private_ip, None)
    assert sweep.sweep(ZONE) == [Drift("address", machine.public_id, True)]
    work()
    assert _seen(machine) == (Power.RUNNING, True)
    assert list(reconcile()) == []
