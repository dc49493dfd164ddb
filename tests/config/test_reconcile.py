"""Given rows that do not agree with each other, then reconcile says which: a check that is blind proves nothing."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.orders.test_spot import SPOT
from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, open_purse, wanted, work
from vmart.bills.models import Carry
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.ledger.models import ByHand, Hold, Transfer
from vmart.metering.models import Horizon
from vmart.orders import by_hand, credit, open_account, reclaim, renew, stop, terminate
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.models import BandwidthWindow, Line
from vmart.orders.purchase import purchase
from vmart.orders.renew import Renewal
from vmart.orders.snapshots.create import NewSnapshot
from vmart.orders.snapshots.create import create as create_snapshot
from vmart.placement.models import Allocation
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.settlement import close
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription
from vmart.worker.models import Operation


@pytest.fixture(autouse=True)
def in_business(shop: object, test_clock: BusinessClock) -> None:
    """A shop whose first hour is open."""
    close.begin(test_clock.at)


def _said(what: str) -> list[str]:
    return [line for line in reconcile() if line.startswith(what)]


def _closed_hours(test_clock: BusinessClock, count: int) -> None:
    for _ in range(count):
        hour = test_clock.at
        test_clock.advance(hours=1)
        close.close(hour)


def test_a_statement_that_is_not_the_sum_of_its_charges_rounded_once(test_clock: BusinessClock) -> None:
    what = "an account's statement is not the sum of its charges, or not rounded half-up"
    test_clock.set(dt.datetime(2026, 3, 31, 14, tzinfo=dt.UTC))  # the second hour is the last of March in Shanghai
    Horizon.objects.update(closed_until=test_clock.at)
    account = open_purse(cash_minor=1000)
    buy_running(account)
    _closed_hours(test_clock, 3)
    statements = Carry.objects.filter(account_id=account).order_by("month")
    assert list(statements.values_list("month", "exact_e8", "deducted_minor")) == [
        (dt.date(2026, 3, 1), 75_000_000, 75), (dt.date(2026, 4, 1), 37_500_000, 38),
    ]  # fmt: skip
    assert _said(what) == []
    april = statements.filter(month=dt.date(2026, 4, 1))
    for column, value in {"deducted_minor": 37, "exact_e8": 37_499_999}.items():
        april.update(**{column: value})
        (said,) = _said(what)
        assert f"account_id {account}, month 2026-04-01" in said
        april.update(exact_e8=37_500_000, deducted_minor=38)
    assert _said(what) == []
    db.rows("UPDATE ledger_transfer SET amount_minor = 39 WHERE amount_minor = 38 RETURNING id")
    assert _said("an account's statement is not what the closes have deducted for it") != []
    renamed = db.rows("UPDATE ledger_transfer SET id = gen_random_uuid() WHERE amount_minor = 39 RETURNING id")
    assert len(_said("a deduction or a correction has no charges")) == len(renamed) == 2


def test_a_machine_that_holds_other_room_than_it_has() -> None:
    what = "a machine holds other room on its host than it has"
    machine = buy_running(open_purse(cash_minor=1000), HOURLY)
    assert _said(what) == []
    Allocation.objects.update(memory_mib=8192)
    assert _said(what) == [f"{what}: public_id {machine.public_id}, vcpu 2, memory_mib 8192, disk_gib 50"]
    Instance.objects.update(latest_operation_state="OPERATING")  # a change has room for both sizes
    assert _said(what) == []


def test_a_machine_stopped_without_charge_that_keeps_what_it_gave_up(test_clock: BusinessClock) -> None:
    what = "a machine stopped without charge holds vCPU, memory or a public address"
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, replace(HOURLY, public_ip=True, bandwidth_mbps=1))
    Instance.objects.update(state="STOPPED", stop_charging_mode="KEEP_CHARGING")
    assert _said(what) == []
    Instance.objects.update(stop_charging_mode="STOP_CHARGING")
    assert _said(what) == [
        f"{what}: public_id {machine.public_id}, vcpu 2, memory_mib 4096, public_ip {machine.public_ip},"
        f" ip {machine.public_ip}"
    ]
    Instance.objects.update(public_ip=None)
    Allocation.objects.update(vcpu=0, memory_mib=0)
    assert _said(what) == [
        f"{what}: public_id {machine.public_id}, vcpu 0, memory_mib 0, public_ip None, ip {machine.public_ip}"
    ]
    db.call("network_free_public", [machine.id], test_clock.at)
    assert _said(what) == []


def _returned(test_clock: BusinessClock) -> Instance:
    """A prepaid machine that was paid from both purses and given back a day later."""
    account = open_purse(cash_minor=MONTHLY_MINOR - 3250)
    open_account.grant(account, 3250, "welcome")
    machine = buy_running(account, MONTHLY)
    Account.objects.update(free_return_used_at=test_clock.at)
    test_clock.advance(days=1)
    terminate.terminate(by(account), [machine.public_id])
    assert list(Transfer.objects.filter(kind="refund").values_list("amount_minor", flat=True)) == [REFUND_MINOR]
    return machine


REFUND_MINOR = MONTHLY_MINOR - 900  # 24 × (0.35 + 50 × 0.0005)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"paid_cash_minor": MONTHLY_MINOR - 3249}, f"paid_cash_minor {MONTHLY_MINOR - 3249}, paid_gift_minor 3250"),
        ({"paid_cash_minor": 3250, "paid_gift_minor": MONTHLY_MINOR - 3250}, "paid_cash_minor 3250"),
        ({"amount_minor": MONTHLY_MINOR + 1}, f"amount_minor {MONTHLY_MINOR + 1}"),
        ({"state": "failed"}, "state failed"),
    ],
)
def test_a_line_that_says_another_payment_than_the_ledger(
    test_clock: BusinessClock, changed: dict[str, Any], said: str
) -> None:
    what = "what a line says was paid is not what the ledger posted for it, or not its price"
    machine = _returned(test_clock)
    buy_running(open_purse("other", cash_minor=1000))
    assert _said(what) == []
    Line.objects.filter(subscription_id=machine.id).update(**changed)
    (line,) = _said(what)
    assert said in line
    assert f"cash {MONTHLY_MINOR - 3250}, gift 3250" in line


def test_a_machine_that_was_refunded_twice(test_clock: BusinessClock) -> None:
    what = "what lines say was given back of a subscription is not what the ledger credited for it"
    machine = _returned(test_clock)
    assert _said(what) == []
    with db.act():
        credit.credit(uuid.uuid4(), "refund", machine.account_id, "revenue", cash_minor=5, subject_id=machine.id)
    assert _said(what) == [
        f"{what}: subscription_id {machine.id}, refund_minor {REFUND_MINOR}, credited {REFUND_MINOR + 5}"
    ]


@pytest.mark.parametrize("kind", ["prepaid", "refund"])
def test_money_for_a_machine_that_was_never_sold(test_clock: BusinessClock, kind: str) -> None:
    what = "a prepaid payment or a refund belongs to no line"
    machine = _returned(test_clock)
    assert _said(what) == []
    number = Transfer.objects.get(kind=kind).id
    Line.objects.filter(subscription_id=machine.id).update(hold_id=uuid.uuid4(), subscription_id=machine.id + 1)
    assert f"{what}: id {number}, kind {kind}, account_id {machine.account_id}" in "\n".join(_said(what))
    assert len(_said(what)) == 2


@pytest.mark.parametrize("charge", ["fixed", "floating"])
def test_money_set_aside_for_nothing(charge: str) -> None:
    """Given a hold whose machine is not there, has another hold, or has ended, then it is told."""
    what = "a pending hold belongs to nothing that lives"
    account = open_purse(cash_minor=MONTHLY_MINOR)
    (name,) = purchase(wanted(account, MONTHLY if charge == "fixed" else HOURLY)).instance_ids
    machine = Instance.objects.get(public_id=name)
    hold = Hold.objects.get()
    assert _said(what) == []
    said = [f"{what}: id {hold.id}, kind {charge}, subject_id {machine.id}"]
    if charge == "fixed":
        Line.objects.update(state="failed")
        assert _said(what) == said
        Line.objects.update(state="delivering", hold_id=uuid.uuid4())
        assert _said(what) == said
    else:
        Subscription.objects.filter(pk=machine.pk).update(hold_id=uuid.uuid4())
        assert _said(what) == said
        Subscription.objects.filter(pk=machine.pk).update(hold_id=hold.id, standing="failed")
        assert _said(what) == said
    Hold.objects.update(subject_id=machine.id + 1)
    assert _said(what) == [f"{what}: id {hold.id}, kind {charge}, subject_id {machine.id + 1}"]


def test_money_moved_by_hand_that_does_not_say_why() -> None:
    what = "what the seller moved by hand does not say why, or is not the ledger's"
    account = open_purse(cash_minor=1000)
    for minor in (500, -300):
        by_hand.move(by_hand.Movement(account, minor, "cash", "bank transfer 7", SELLER, f"key{minor}"))
    assert list(reconcile()) == []
    ByHand.objects.filter(amount_minor=-300).update(amount_minor=-301)
    (said,) = _said(what)
    assert "kind debit, amount_minor 300, said_minor -301" in said
    ByHand.objects.filter(amount_minor=500).delete()
    assert len(_said(what)) == 2


BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=5, public_ip=True)
_RUNNING = "a machine has another bandwidth than it pays for"
_WINDOW = "a window of more bandwidth is to begin or to end, and nothing does it"
_LESS = "less bandwidth of a renewal is to be in force, and nothing does it"
_NOTICE = "the notice of a spot machine is to end it, and nothing does"
LATE = dt.timedelta(minutes=10)
SECOND = dt.timedelta(seconds=1)


def _told_while_nothing_does_it(what: str, kind: str, said: str, due_at: dt.datetime, clock: BusinessClock) -> None:
    """Where its timer is gone, or has given up; or is there, and late with nothing under way. Then it is as before."""
    timers = Operation.objects.filter(kind=kind)
    assert _said(what) == []
    timers.update(attention=True)
    assert _said(what) == [f"{what}: {said}"]
    timers.update(attention=False, kind="other")
    assert _said(what) == [f"{what}: {said}"]
    Operation.objects.filter(kind="other").update(kind=kind)
    clock.set(due_at + LATE)
    assert _said(what) == []
    clock.set(due_at + LATE + SECOND)
    assert _said(what) == [f"{what}: {said}"]
    Instance.objects.update(latest_operation_state="OPERATING")
    assert _said(what) == []
    Instance.objects.update(latest_operation_state="SUCCESS")
    work()
    assert _said(what) == []


def test_a_machine_with_another_bandwidth_than_it_pays_for() -> None:
    by_traffic = replace(BY_MONTH, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")
    account = open_purse(cash_minor=100_000)
    machine, other = buy_running(account, BY_MONTH), buy_running(account, by_traffic)
    assert _said(_RUNNING) == []
    Instance.objects.filter(pk__in=[machine.pk, other.pk]).update(bandwidth_mbps=9)
    assert _said(_RUNNING) == [f"{_RUNNING}: public_id {machine.public_id}, bandwidth_mbps 9, paid_mbps 5"]


def test_a_window_that_does_not_begin_and_one_that_does_not_end(test_clock: BusinessClock) -> None:
    machine = buy_running(open_purse(cash_minor=100_000), BY_MONTH)
    Operation.objects.filter(kind="close_hour").delete()
    ACT_OF_WINDOW.order(by(machine.account_id), Window([machine.public_id], 9, "2026-03-12", "2026-03-13"))
    starts_at, ends_at = (dt.datetime(2026, 3, day, 16, tzinfo=dt.UTC) for day in (11, 13))
    said = f"mbps 9, starts_at {starts_at}, ends_at {ends_at}"
    _told_while_nothing_does_it(_WINDOW, "window", f"public_id {machine.public_id}, state waiting, {said}", starts_at,
                                test_clock)  # fmt: skip
    assert Instance.objects.get(pk=machine.pk).bandwidth_mbps == 9
    assert _said(_RUNNING) == []
    Instance.objects.update(bandwidth_mbps=5)
    assert _said(_RUNNING) == [f"{_RUNNING}: public_id {machine.public_id}, bandwidth_mbps 5, paid_mbps 9"]
    Instance.objects.update(bandwidth_mbps=9)
    _told_while_nothing_does_it(_WINDOW, "window", f"public_id {machine.public_id}, state in_force, {said}", ends_at,
                                test_clock)  # fmt: skip
    BandwidthWindow.objects.update(state="in_force")
    assert _said(_WINDOW) == [f"{_WINDOW}: public_id {machine.public_id}, state in_force, {said}"]
    assert _said(_RUNNING) == [f"{_RUNNING}: public_id {machine.public_id}, bandwidth_mbps 5, paid_mbps 9"]


def test_less_bandwidth_that_is_not_in_force(test_clock: BusinessClock) -> None:
    machine = buy_running(open_purse(cash_minor=100_000), BY_MONTH)
    Operation.objects.filter(kind="close_hour").delete()
    renew.renew(by(machine.account_id), Renewal([machine.public_id], bandwidth_mbps=2))
    from_at = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)
    said = f"public_id {machine.public_id}, mbps 2, from_at {from_at}"
    _told_while_nothing_does_it(_LESS, "lower_bandwidth", said, from_at, test_clock)
    assert Instance.objects.get(pk=machine.pk).bandwidth_mbps == 2
    Instance.objects.update(bandwidth_mbps=5)
    assert _said(_RUNNING) == [f"{_RUNNING}: public_id {machine.public_id}, bandwidth_mbps 5, paid_mbps 2"]


@pytest.mark.parametrize("state", ["RUNNING", "STOPPED"])
def test_a_notice_that_ends_no_spot_machine(test_clock: BusinessClock, state: str) -> None:
    machine = buy_running(open_purse(cash_minor=10_000), SPOT)
    Operation.objects.filter(kind="close_hour").delete()
    Instance.objects.update(state=state)
    assert reclaim.by_seller(SELLER, machine.public_id)
    ends_at = test_clock.at + reclaim.NOTICE
    said = f"public_id {machine.public_id}, state {state}, reclaim_at {ends_at}"
    _told_while_nothing_does_it(_NOTICE, "reclaim", said, ends_at, test_clock)
    assert Instance.objects.get(pk=machine.pk).state == "GONE"


def test_a_machine_listed_under_another_charge_type() -> None:
    what = "a machine is listed under another charge type than its subscription's"
    machine = buy_running(open_purse(cash_minor=1000))
    assert _said(what) == []
    Instance.objects.filter(id=machine.id).update(charge_type="PREPAID")
    assert _said(what) == [f"{what}: public_id {machine.public_id}, charge_type PREPAID, agreed POSTPAID_BY_HOUR"]


_BUSY = "a machine is being worked on and nothing works on it"


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["postpaid", "prepaid"])
def test_a_machine_on_which_nothing_works(test_clock: BusinessClock, configuration: Configuration) -> None:
    """What waits for its term to end, then and now, does not work on it."""
    machine = buy_running(open_purse(cash_minor=100_000), configuration)
    assert _said(_BUSY) == []
    Instance.objects.filter(pk=machine.pk).update(latest_operation="StopInstances", latest_operation_state="OPERATING")
    said = [f"{_BUSY}: public_id {machine.public_id}, state RUNNING, latest_operation StopInstances"]
    assert _said(_BUSY) == said
    test_clock.advance(hours=24 * 32)
    waiting = Operation.objects.filter(subject_kind="machine", subject_id=machine.id, due_at__lte=test_clock.at)
    assert waiting.filter(kind="expire").exists() == (configuration is MONTHLY)
    assert _said(_BUSY) == said


def _stopped(machine: Instance) -> None:
    stop.stop(by(machine.account_id), [machine.public_id])


def _given_a_disk(machine: Instance) -> None:
    asked = NewDisks(HOURLY.region, machine.zone_id, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 20))
    disks = create(by(machine.account_id), asked)
    work()
    attach(by(machine.account_id), machine.public_id, disks)


def _copied(machine: Instance) -> None:
    disk = Disk.objects.get(instance_id=machine.id).public_id
    create_snapshot(by(machine.account_id), NewSnapshot(disk))


def _given_an_address(machine: Instance) -> None:
    asked = NewAddresses(HOURLY.region, AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 5), machine.zone_id)
    (eip,) = allocate(by(machine.account_id), asked).public_ids
    work()
    associate(by(machine.account_id), eip, machine.public_id)


@pytest.mark.parametrize("begin", [_stopped, _given_a_disk, _copied, _given_an_address])
def test_a_machine_that_is_busy_with_what_is_worked_on_is_not_told(begin: Callable[[Instance], None]) -> None:
    machine = buy_running(open_purse(cash_minor=100_000))
    begin(machine)
    assert Instance.objects.get(pk=machine.pk).latest_operation_state == "OPERATING"
    assert _said(_BUSY) == []
    Operation.objects.update(attention=True)  # given up: that is told by another way, and tried again
    assert _said(_BUSY) == []
    Operation.objects.exclude(kind="close_hour").delete()
    assert len(_said(_BUSY)) == 1
