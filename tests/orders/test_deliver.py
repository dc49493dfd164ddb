"""Given a paid order, when it is delivered, then the machine runs and is charged; or it costs nothing and says why."""

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    open_purse,
    purses,
    wanted,
    work,
)
from vmart.catalog.models import ZoneImage
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Engine, MachineSpec, Observation, Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.functions import resolve
from vmart.ledger.models import Entry, Hold, Transfer
from vmart.metering.models import Segment
from vmart.network.models import PrivateAddress, PublicAddress
from vmart.orders import deliver
from vmart.orders.models import Line, Order
from vmart.orders.purchase import purchase
from vmart.placement.models import Allocation, Host
from vmart.provisioning import specs, zone_engines, zones
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")

ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)


@pytest.fixture(autouse=True)
def image_ready(shop: object) -> None:
    assert zones.check(ZONE)
    assert zones.prepare_images(ZONE)


def _settled() -> None:
    """What every end must leave behind: agreeing books, an engine without orphans, no work."""
    assert list(reconcile()) == []
    assert not Operation.objects.exclude(kind__in=["expire", "term", "release", "close_hour"]).exists()


def test_a_prepaid_machine_runs_its_hold_is_posted_and_its_months_begin(
    test_clock: BusinessClock, world: World
) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    test_clock.set(dt.datetime(2026, 1, 31, 2, 0, 0, tzinfo=dt.UTC))
    purchase(wanted(account))
    test_clock.advance(seconds=7)
    work()
    order, line, machine = Order.objects.get(), Line.objects.get(), Instance.objects.get()
    assert (machine.state, machine.latest_operation_state, machine.kind) == ("RUNNING", "SUCCESS", "simulated")
    assert (machine.subscription.started_at, machine.subscription.hold_id) == (test_clock.at, None)
    assert machine.subscription.expires_at == dt.datetime(
        2026, 2, 28, 2, 0, 7, tzinfo=dt.UTC
    )  # the anchor day is the 31st
    assert (order.status, order.closed_at) == (4, None)
    assert (line.state, line.delivered_at) == ("delivered", test_clock.at)
    assert (line.paid_cash_minor, line.paid_gift_minor) == (MONTHLY_MINOR, 0)
    assert Hold.objects.get().state == "posted"
    assert sorted(Entry.objects.filter(transfer_id=line.hold_id).values_list("book", "amount_minor")) == [
        ("cash", -MONTHLY_MINOR), ("revenue", MONTHLY_MINOR),
    ]  # fmt: skip
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}
    expires_at = machine.subscription.expires_at
    assert expires_at is not None
    assert [(o.kind, o.lane, o.due_at) for o in Operation.objects.order_by("kind")] == [
        ("expire", "", expires_at), ("term", "", expires_at - dt.timedelta(days=7)),
    ]  # fmt: skip
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == ["RunInstances", "delivered"]
    assert not Segment.objects.exists()
    assert world.count_machines() == 1
    _settled()


def test_a_postpaid_machine_is_charged_from_the_second_it_was_seen_running(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=100)
    purchase(wanted(account, ONLINE))
    test_clock.advance(seconds=3)
    work()
    machine = Instance.objects.get()
    assert (machine.state, machine.subscription.expires_at) == ("RUNNING", None)
    assert sorted(Segment.objects.values_list("component", "quantity", "age_s", "started_at", "ended_at")) == [
        ("cpu", 1, 0, test_clock.at, None), ("disk", 50, 0, test_clock.at, None),
        ("traffic", 5, 0, test_clock.at, None),
    ]  # fmt: skip
    assert Hold.objects.get(id=machine.subscription.hold_id).state == "pending"
    assert purses(account)["held"] == HOURLY_HOLD_MINOR  # traffic is never held
    _settled()


@pytest.mark.parametrize("configuration", [MONTHLY, ONLINE], ids=["prepaid", "postpaid"])
def test_a_delivery_that_fails_for_good_gives_everything_back(
    configuration: object, world: World, test_clock: BusinessClock
) -> None:
    account = open_purse(cash_minor=20000)
    before = purses(account)
    purchase(wanted(account, configuration))  # type: ignore[arg-type]
    world.fail("ensure_present", transient=False, sentence="The host has no disk left.")
    work()
    order, line, machine = Order.objects.get(), Line.objects.get(), Instance.objects.get()
    assert (order.status, order.closed_at) == (5, test_clock.at)
    assert (line.state, line.reason) == ("failed", "The host has no disk left.")
    assert (machine.state, machine.latest_operation_state) == ("LAUNCH_FAILED", "FAILED")
    assert machine.latest_operation_error_code == "FailedOperation.LaunchFailed"
    assert machine.latest_operation_error == "The host has no disk left."
    assert (machine.subscription.hold_id, machine.public_ip, machine.password_hash) == (None, None, "")
    assert Event.objects.get(kind="launch_failed").detail == {"why": "The host has no disk left."}
    assert purses(account) == before
    assert list(Hold.objects.values_list("state", flat=True)) == ["voided"]
    assert Transfer.objects.filter(account_id=account).count() == 1  # the top-up
    assert not Allocation.objects.exists()
    assert not PrivateAddress.objects.exists()
    assert not PublicAddress.objects.filter(instance_id__isnull=False).exists()
    assert set(Host.objects.values_list("vcpu_used", "memory_used_mib", "disk_used_gib")) == {(0, 0, 0)}
    assert not Segment.objects.exists()
    assert world.count_machines() == 0
    assert not Operation.objects.exists()
    _settled()


def test_a_machine_that_fails_voids_its_own_line_to_the_cent_and_the_others_stay(world: World) -> None:
    account = open_purse(cash_minor=3 * MONTHLY_MINOR)
    purchase(wanted(account, replace(MONTHLY, count=3)))
    world.fail("ensure_present", 2, transient=False)
    work()
    assert sorted(Instance.objects.values_list("state", flat=True)) == ["LAUNCH_FAILED", "RUNNING", "RUNNING"]
    assert Order.objects.get().status == 4
    assert Order.objects.get().closed_at is None
    assert sorted(Line.objects.values_list("state", "paid_cash_minor")) == [
        ("delivered", MONTHLY_MINOR), ("delivered", MONTHLY_MINOR), ("failed", 0),
    ]  # fmt: skip
    assert purses(account) == {
        "cash": MONTHLY_MINOR, "gift": 0, "owed": 0, "held": 0, "available": MONTHLY_MINOR,
    }  # fmt: skip
    assert world.count_machines() == 2
    _settled()


def test_a_term_is_whole_though_the_second_ends_during_the_delivery(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    real = deliver._success

    def slow(*seen: Any) -> dict[str, Any]:
        result = real(*seen)
        test_clock.advance(seconds=1)
        return result

    monkeypatch.setattr(deliver, "_success", slow)
    work()
    machine = Instance.objects.get()
    assert machine.subscription.started_at == dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
    assert machine.subscription.expires_at == dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)
    assert Operation.objects.get(kind="expire").due_at == machine.subscription.expires_at


def test_a_passing_fault_costs_time_only(world: World) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    world.fail("ensure_present", times=3)
    world.lose_answer("ensure_present", 4)
    work()
    assert world.armed_count() == 0
    assert Instance.objects.get().state == "RUNNING"
    assert world.count_machines() == 1
    _settled()


def test_a_stopped_engine_is_waited_for_as_long_as_the_deadline_is_not_over(world: World) -> None:
    """Given the engine is started anew, which takes longer than a handful of attempts, then orders wait for it."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    world.stop_engine()
    owner = uuid.uuid4()
    for _ in range(20):
        loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert Instance.objects.get().state == "PENDING"
    assert Operation.objects.get().last_error == "The compute engine does not answer."
    world.start_engine()
    work()
    assert Instance.objects.get().state == "RUNNING"
    _settled()


def test_after_the_deadline_a_passing_fault_is_the_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    late = clock.wall() + dt.timedelta(minutes=10, seconds=2)
    monkeypatch.setattr(clock, "wall", lambda: late)
    world.fail("ensure_present", sentence="The compute engine does not answer.")
    work()
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    assert purses(account)["available"] == MONTHLY_MINOR
    _settled()


def test_the_deadline_begins_when_the_image_is_ready(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given an image that took longer than a delivery may take, when it is ready, then the machine is delivered."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    ZoneImage.objects.filter(zone_id=ZONE).update(status="preparing", percent=40)
    purchase(wanted(account))
    monkeypatch.setattr(deliver, "_IMAGE_WAIT_S", 0.0)
    owner = uuid.uuid4()
    for _ in range(20):  # more often than an operation has attempts
        loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert (Operation.objects.get().attempt, Operation.objects.get().last_error) == (0, "waiting for the image")
    Operation.objects.update(created_at=clock.wall() - dt.timedelta(hours=1))
    ZoneImage.objects.filter(zone_id=ZONE).update(status="ready", ready_at=clock.wall())
    world.fail("ensure_present")
    work()
    assert Instance.objects.get().state == "RUNNING"


def test_an_image_that_cannot_be_made_fails_the_delivery_and_is_its_reason(world: World) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    ZoneImage.objects.filter(zone_id=ZONE).update(status="failed", why="no space on the pool")
    purchase(wanted(account))
    work()
    assert Line.objects.get().reason == "The image cannot be made in this zone."
    assert purses(account)["available"] == MONTHLY_MINOR
    assert world.count_machines() == 0
    _settled()


@pytest.mark.parametrize("status", ["missing", "preparing"])
def test_an_image_that_stays_away_is_waited_for_up_to_a_limit_and_then_refunded(
    world: World, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """Given an image that nobody makes, then an order waits half an hour for it, and not for ever."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    ZoneImage.objects.filter(zone_id=ZONE).update(status=status)
    purchase(wanted(account))
    monkeypatch.setattr(deliver, "_IMAGE_WAIT_S", 0.0)
    owner, ordered = uuid.uuid4(), Operation.objects.get().created_at
    monkeypatch.setattr(clock, "wall", lambda: ordered + dt.timedelta(minutes=29))
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert Instance.objects.get().state == "PENDING"
    monkeypatch.setattr(clock, "wall", lambda: ordered + dt.timedelta(minutes=30, seconds=1))
    work()
    assert (Line.objects.get().state, Line.objects.get().reason) == (
        "failed", "The image did not get ready in this zone in time.",
    )  # fmt: skip
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    assert purses(account)["available"] == MONTHLY_MINOR
    assert world.count_machines() == Allocation.objects.count() == 0
    _settled()


class _FirstOneOff:
    """An engine whose first machine of a batch does not stay on: its owner's first boot powers it off."""

    def __init__(self, real: Engine) -> None:
        self._real = real

    def ensure_present_many(self, specs: Sequence[MachineSpec]) -> list[Observation]:
        made = [self._real.ensure_present(spec) for spec in specs]
        return [replace(made[0], power=Power.STOPPED), *made[1:]]

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)


def test_a_machine_that_does_not_stay_on_spoils_no_other_delivery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given one customer's machine that powers itself off, then the others of its batch are delivered."""
    theirs, mine = open_purse("off", cash_minor=MONTHLY_MINOR), open_purse("on", cash_minor=MONTHLY_MINOR)
    off, on = (purchase(wanted(account)).instance_ids[0] for account in (theirs, mine))
    real = zone_engines.engine_of(ZONE)
    monkeypatch.setattr(deliver, "engine_of", lambda _zone: _FirstOneOff(real))
    owner = uuid.uuid4()
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    states = dict(Instance.objects.values_list("public_id", "state"))
    assert states == {off: "PENDING", on: "RUNNING"}
    late = clock.wall() + dt.timedelta(minutes=10, seconds=2)
    monkeypatch.setattr(clock, "wall", lambda: late)
    loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
    assert Instance.objects.get(public_id=off).latest_operation_error == "The machine did not stay on after its start."
    work()
    assert purses(theirs)["available"] == MONTHLY_MINOR
    assert purses(mine)["available"] == 0
    assert world.count_machines() == 1
    _settled()


def test_faults_of_the_shop_itself_end_in_a_refund_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))

    def broken(_ids: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("vmart.provisioning.specs.load", broken)
    work()
    line = Line.objects.get()
    assert (line.state, line.reason) == ("failed", "The machine could not be delivered for a fault of the shop.")
    assert purses(account)["available"] == MONTHLY_MINOR
    _settled()


def test_a_delivery_that_cannot_be_committed_spoils_no_other_of_its_batch(world: World) -> None:
    """Given one line whose hold was given back by mistake, then it alone is tried again, and fails alone in the end."""
    buyers = [open_purse(name, cash_minor=MONTHLY_MINOR) for name in ("first", "mistaken", "last")]
    for account in buyers:
        purchase(wanted(account))
    with db.act():
        db.call("ledger_void", Line.objects.get(account_id=buyers[1]).hold_id, clock.now())
    owner = uuid.uuid4()
    batch = queue.claim(owner, [ZONE], 30, 10)
    assert len(batch) == 3
    loop.work(STEPS, batch, owner)
    assert dict(Instance.objects.values_list("account_id", "state")) == dict(
        zip(buyers, ("RUNNING", "PENDING", "RUNNING"), strict=True)
    )
    operation = Operation.objects.get(kind="deliver")
    assert (operation.account_id, operation.attempt) == (buyers[1], 1)
    assert "was not pending at its delivery" in operation.last_error
    work()
    assert list(Line.objects.order_by("id").values_list("state", flat=True)) == ["delivered", "failed", "delivered"]
    assert [purses(account)["available"] for account in buyers] == [0, MONTHLY_MINOR, 0]
    assert world.count_machines() == 2
    _settled()


def test_a_machine_that_runs_is_delivered_however_long_its_account_was_locked(world: World) -> None:
    """Given more lock timeouts than a delivery has attempts, then there is no refund for a machine that runs."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    owner = uuid.uuid4()
    with psycopg.connect(**db.connection_parameters()) as holder:
        holder.execute(resolve("SELECT fn.ledger_lock(%s)"), [account])
        db.rows("SELECT set_config('lock_timeout', '20ms', false)")
        for _ in range(STEPS["deliver"].attempts + 1):
            loop.work(STEPS, queue.claim(owner, [ZONE], 30, 10), owner)
        assert "lock timeout" in Operation.objects.get(kind="deliver").last_error
        assert (Line.objects.get().state, world.count_machines()) == ("delivering", 1)
    connection.close()
    work()
    assert Instance.objects.get().state == "RUNNING"
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}
    _settled()


def test_what_cannot_be_cleaned_keeps_its_room_and_is_shown_to_the_seller(world: World) -> None:
    """Given the failed machine cannot be removed, then money is free at once and room only after the retry."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    world.lose_answer("ensure_present")
    world.fail("ensure_present", transient=False)
    world.fail("ensure_absent", times=6, sentence="The pool is locked.")
    work()
    operation = Operation.objects.get()
    assert (operation.kind, operation.step, operation.attention) == ("deliver", "clean", True)
    assert "The pool is locked." in operation.last_error
    assert purses(account)["available"] == MONTHLY_MINOR
    assert Allocation.objects.count() == 1
    assert queue.retry(operation.id)
    work()
    assert world.count_machines() == Allocation.objects.count() == 0
    _settled()


def _give_up_meanwhile(world: World) -> None:
    """The lease runs out; another worker takes over, fails for good, cleans up and frees room and addresses."""
    Operation.objects.filter(kind="deliver").update(lease_until=clock.wall())
    world.fail("ensure_present", transient=False)
    work()
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    assert Allocation.objects.count() == 0
    assert not PublicAddress.objects.filter(instance_id__isnull=False).exists()


def test_a_worker_that_wakes_after_the_delivery_was_given_up_makes_nothing(world: World) -> None:
    """Its room is free and its address may be another's by now."""
    purchase(wanted(open_purse(cash_minor=1000), ONLINE))
    owner = uuid.uuid4()
    late = queue.claim(owner, [ZONE], 15, 1)
    _give_up_meanwhile(world)
    world.count_calls()
    loop.work(STEPS, late, owner)
    assert "ensure_present" not in world.calls()
    assert world.count_machines() == 0
    _settled()


@pytest.mark.parametrize("answer", ["made", "lost"])
def test_what_a_worker_made_of_a_delivery_that_was_given_up_meanwhile_it_removes(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    purchase(wanted(open_purse(cash_minor=1000), ONLINE))
    real = deliver.ensure_present_many

    def pausing(engine: Engine, specs: Sequence[MachineSpec]) -> object:
        monkeypatch.setattr(deliver, "ensure_present_many", real)
        _give_up_meanwhile(world)
        if answer == "lost":
            world.lose_answer("ensure_present")
        outcome = real(engine, specs)
        assert world.count_machines() == 1
        return outcome

    monkeypatch.setattr(deliver, "ensure_present_many", pausing)
    owner = uuid.uuid4()
    loop.work(STEPS, queue.claim(owner, [ZONE], 15, 1), owner)
    assert world.count_machines() == 0
    _settled()


def test_who_lost_a_lease_delivers_the_others_of_its_batch(world: World) -> None:
    theirs, mine = (open_purse(name, cash_minor=MONTHLY_MINOR) for name in ("theirs", "mine"))
    for account in (theirs, mine):
        purchase(wanted(account))
    owner = uuid.uuid4()
    batch = queue.claim(owner, [ZONE], 15, 2)
    Operation.objects.filter(account_id=theirs).update(lease_owner=uuid.uuid4())
    loop.work(STEPS, batch, owner)
    assert dict(Instance.objects.values_list("account_id", "state")) == {theirs: "PENDING", mine: "RUNNING"}
    assert world.count_machines() == 1


def test_a_machine_that_is_there_already_is_taken_as_it_is(world: World) -> None:
    """Given a machine that an earlier worker made and died before it said so, then the same one is delivered."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    purchase(wanted(account))
    machine = Instance.objects.get()
    first = zone_engines.engine_of(ZONE).ensure_present(specs.load([machine.id])[machine.id].spec)
    work()
    assert zone_engines.engine_of(ZONE).observe(machine.public_id) == first  # not booted a second time
    _settled()
