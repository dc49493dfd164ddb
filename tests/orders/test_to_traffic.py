"""Given a machine that pays for its bandwidth by the month, when it is to pay by traffic, then the rest comes back."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, buy_running, go_to, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.ledger.models import Transfer
from vmart.orders import (
    bandwidth,
    open_account,
    renew,
    resize,
    return_prepaid,
    sample,
    start,
    stop,
    terminate,
    to_traffic,
)
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.errors import Busy, InArrears, UnknownInstance, WrongMode, WrongState
from vmart.orders.models import Line
from vmart.orders.renew import Renewal
from vmart.orders.resize import Resize
from vmart.pricing.errors import OutOfRange
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ACT = "ResetInstancesInternetMaxBandwidth"
BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True)
# A month: 115 CPU and memory, 17.50 disk, 2 Mbps × 20
MONTH_MINOR, NETWORK_MINOR = 17250, 4000
SWITCHED_AT = START + dt.timedelta(hours=36)
REFUND_MINOR = 3546  # 40 − 36 × 2 × 0.063 = 35.464 (example bandwidth-19)
EXPIRES = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def machine(account: int, test_clock: BusinessClock) -> Instance:
    """Bought for a month, 36 hours ago."""
    no_closes()
    bought = buy_running(account, BY_MONTH)
    test_clock.set(SWITCHED_AT)
    return bought


def _switch(machine: Instance, mbps: int = 2) -> None:
    to_traffic.change(by(machine.account_id), [machine.public_id], mbps)
    work()


def _reckoned(machine: Instance) -> tuple[int, int]:
    with nothing_written():
        found = to_traffic.reckon(machine.account_id, [machine.public_id], 2)
    return found.paid_minor, found.refund_minor


def _items(machine: Instance) -> list[tuple[str, str, int, bool]]:
    found = Item.objects.filter(subscription_id=machine.id).exclude(component="cpu").order_by("from_at", "component")
    return [(one.component, one.mode, one.quantity, one.to_at is None) for one in found]


def _no_free_return() -> None:
    Account.objects.update(free_return_used_at=START)


def test_the_published_example_from_purchase_to_ledger(account: int, machine: Instance, world: World) -> None:
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR
    assert _reckoned(machine) == (NETWORK_MINOR, REFUND_MINOR)
    to_traffic.change(by(account), [machine.public_id], 5)
    asked = now(machine)
    assert (asked.internet_charge_type, asked.latest_operation, asked.latest_operation_state) == (
        "BANDWIDTH_PREPAID", ACT, "OPERATING",
    )  # fmt: skip
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR
    work()
    switched = now(machine)
    assert (switched.internet_charge_type, switched.bandwidth_mbps, switched.latest_operation_state) == (
        "TRAFFIC_POSTPAID_BY_HOUR", 5, "SUCCESS",
    )  # fmt: skip
    assert world.cap_mbps(machine.public_id) == 5
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR + REFUND_MINOR
    assert _items(machine) == [("bandwidth", "month", 2, False), ("traffic", "traffic", 5, True)]
    (transfer,) = Transfer.objects.filter(kind="refund")
    assert (transfer.amount_minor, transfer.subject_id) == (REFUND_MINOR, machine.id)
    assert Event.objects.get(kind="by_traffic").detail == {"refund_minor": REFUND_MINOR}
    assert now(machine).subscription.expires_at == EXPIRES
    assert renew.price(account, Renewal([machine.public_id])).due_minor == MONTH_MINOR - NETWORK_MINOR
    assert list(reconcile()) == []


def test_what_was_sent_before_is_no_traffic(account: int, world: World, test_clock: BusinessClock) -> None:
    machine = buy_running(account, BY_MONTH)
    world.send_bytes(machine.public_id, 2**30)
    test_clock.advance(minutes=10)
    _switch(machine)
    cash = purses(account)["cash"]
    world.send_bytes(machine.public_id, 2**30)
    go_to(test_clock, START + dt.timedelta(minutes=59))

    sample.sample_zone(machine.zone_id)
    go_to(test_clock, START + dt.timedelta(hours=1))
    assert purses(account)["cash"] == cash - 80  # one GiB, not two
    assert list(reconcile()) == []


def test_what_was_sent_before_its_stop_is_no_traffic(account: int, world: World, test_clock: BusinessClock) -> None:
    """Given bytes between the last count and the stop, then a change of the stopped machine counts them as paid."""
    machine = buy_running(account, BY_MONTH)
    test_clock.advance(minutes=10)
    world.send_bytes(machine.public_id, 2**30)
    stop.stop(by(account), [machine.public_id])
    work()
    _switch(machine)
    cash = purses(account)["cash"]
    start.start(by(account), [machine.public_id])
    work()
    go_to(test_clock, START + dt.timedelta(minutes=59))
    sample.sample_zone(machine.zone_id)
    go_to(test_clock, START + dt.timedelta(hours=1))
    assert purses(account)["cash"] == cash
    assert list(reconcile()) == []


def test_used_months_come_off_at_the_monthly_price(account: int, test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(account, replace(BY_MONTH, period_months=2))
    test_clock.set(EXPIRES + dt.timedelta(hours=36))
    assert _reckoned(machine) == (2 * NETWORK_MINOR, REFUND_MINOR)
    _switch(machine)
    assert purses(account)["cash"] == 200_000 - 2 * MONTH_MINOR + REFUND_MINOR
    assert list(reconcile()) == []


def test_near_the_end_nothing_comes_back(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    """Of a month 318 hours at the hourly price are worth more than the month."""
    go_to(test_clock, START + dt.timedelta(hours=318))
    assert _reckoned(machine) == (NETWORK_MINOR, 0)
    _switch(machine)
    assert not Transfer.objects.filter(kind="refund").exists()
    assert now(machine).internet_charge_type == "TRAFFIC_POSTPAID_BY_HOUR"
    assert list(reconcile()) == []


def test_gift_comes_back_first(account: int, test_clock: BusinessClock) -> None:
    no_closes()
    open_account.grant(account, 3000, "first")
    machine = buy_running(account, BY_MONTH)
    assert (purses(account)["gift"], purses(account)["cash"]) == (0, 200_000 - MONTH_MINOR + 3000)
    test_clock.set(SWITCHED_AT)
    _switch(machine)
    assert (purses(account)["gift"], purses(account)["cash"]) == (3000, 200_000 - MONTH_MINOR + 3546)
    _no_free_return()
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (refund.refund_minor, refund.gift_minor) == (MONTH_MINOR - NETWORK_MINOR - 1350, 0)
    assert list(reconcile()) == []


def test_what_is_renewed_comes_back_whole_and_more_bandwidth_by_days(account: int, machine: Instance) -> None:
    """Of 5 Mbps, 115 a month: 75 more for 60 days (1.97 months); all of its days are left."""
    renew.renew(by(account), Renewal([machine.public_id]))
    UPGRADE.order(by(account), Upgrade([machine.public_id], 5))
    work()
    (more,) = Line.objects.filter(order__action="bandwidth")
    assert more.amount_minor == 14775
    assert _reckoned(machine) == (2 * NETWORK_MINOR + 14775, NETWORK_MINOR + REFUND_MINOR + 14529)
    before = purses(account)["cash"]
    _switch(machine, 5)
    assert purses(account)["cash"] == before + NETWORK_MINOR + REFUND_MINOR + 14529
    assert sorted(Line.objects.values_list("state", "refund_minor")) == [
        ("delivered", REFUND_MINOR), ("delivered", NETWORK_MINOR), ("returned", 14529),
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_a_return_after_it_counts_the_machine_alone(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    """72 hours of 0.375 are used of 132.50."""
    _switch(machine)
    _no_free_return()
    test_clock.set(START + dt.timedelta(hours=72))
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    left_minor = MONTH_MINOR - NETWORK_MINOR - 2700
    assert (refund.refund_minor, refund.cash_minor) == (left_minor, left_minor)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR + REFUND_MINOR + left_minor
    assert Line.objects.get().refund_minor == REFUND_MINOR + left_minor
    assert list(reconcile()) == []


def test_a_free_return_after_it_gives_all_the_rest(account: int, machine: Instance) -> None:
    _switch(machine)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == 200_000
    assert list(reconcile()) == []


def test_a_free_return_after_it_gives_used_days_of_more_bandwidth_back(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """Given an order of more bandwidth was given back by its days at the switch, then the rest of it comes back too."""
    open_account.grant(account, 1000, "first")
    UPGRADE.order(by(account), Upgrade([machine.public_id], 5))  # its gift is spent first
    work()
    test_clock.set(SWITCHED_AT + dt.timedelta(days=1, hours=1))
    _switch(machine, 5)
    more = Line.objects.get(order__action="bandwidth")
    assert (more.amount_minor, more.refund_minor, more.bandwidth_gift_back_minor) == (7425, 6930, 1000)
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    network = Line.objects.get(order__action="purchase")
    left_minor = MONTH_MINOR - network.refund_minor + 495
    assert (quoted.first_free, quoted.paid_minor, quoted.refund_minor, quoted.gift_minor) == (
        True, left_minor, left_minor, 0,
    )  # fmt: skip
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (purses(account)["cash"], purses(account)["gift"]) == (200_000, 1000)
    more.refresh_from_db()
    assert (more.state, more.refund_minor, more.returned_at) == ("returned", 7425, test_clock.at)
    assert list(reconcile()) == []


def test_an_ordinary_return_after_it_keeps_used_days_of_more_bandwidth(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """61 hours of 0.375 of the machine are used: 22.875 of 132.50."""
    UPGRADE.order(by(account), Upgrade([machine.public_id], 5))
    work()
    test_clock.set(SWITCHED_AT + dt.timedelta(days=1, hours=1))
    _switch(machine, 5)
    _no_free_return()
    (quoted,) = return_prepaid.quote_refund(account, [machine.public_id])
    left_minor = MONTH_MINOR - NETWORK_MINOR - 2287
    assert (quoted.first_free, quoted.refund_minor) == (False, left_minor)
    terminate.terminate(by(account), [machine.public_id])
    work()
    more = Line.objects.get(order__action="bandwidth")
    assert (more.refund_minor, more.returned_at) == (6930, None)
    assert list(reconcile()) == []


def test_a_smaller_type_before_it_leaves_its_bandwidth_to_be_given_back(account: int, machine: Instance) -> None:
    """The smaller type's order pays for 30 days: a month of bandwidth, used for no time."""
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    work()
    assert _reckoned(machine) == (NETWORK_MINOR, NETWORK_MINOR)
    _switch(machine)
    assert Line.objects.get(order__action="downgrade").refund_minor == NETWORK_MINOR
    assert list(reconcile()) == []


def test_a_smaller_type_after_it_counts_no_bandwidth(account: int, machine: Instance) -> None:
    _switch(machine)
    found = resize.reckon(account, Resize([machine.public_id], "S5.SMALL2"))
    assert found.refund.refund_minor == MONTH_MINOR - NETWORK_MINOR - 1350  # type: ignore[union-attr]
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    work()
    assert list(reconcile()) == []


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_one_that_fails_gives_nothing_back(account: int, machine: Instance, world: World, *, lost: bool) -> None:
    before = purses(account)
    to_traffic.change(by(account), [machine.public_id], 5)
    (world.lose_answer if lost else world.fail)("ensure_address", times=6)
    work()
    failed = now(machine)
    assert (failed.internet_charge_type, failed.bandwidth_mbps, failed.latest_operation_state) == (
        "BANDWIDTH_PREPAID", 2, "FAILED",
    )  # fmt: skip
    assert (purses(account), world.cap_mbps(machine.public_id)) == (before, 2)
    assert list(reconcile()) == []


def test_one_that_was_returned_meanwhile_gives_back_as_returned(account: int, machine: Instance) -> None:
    to_traffic.change(by(account), [machine.public_id], 5)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == 200_000
    assert Transfer.objects.filter(kind="refund").count() == 1
    assert now(machine).internet_charge_type == "BANDWIDTH_PREPAID"
    assert list(reconcile()) == []


def test_while_it_is_under_way_no_term_is_renewed(account: int, machine: Instance) -> None:
    to_traffic.change(by(account), [machine.public_id], 5)
    with refused(Busy, field="machines"):
        renew.renew(by(account), Renewal([machine.public_id]))


Given = Callable[[int], list[str]]


def _of(configuration: object, **columns: object) -> Given:
    def given(account: int) -> list[str]:
        machine = buy_running(account, configuration)  # type: ignore[arg-type]
        Instance.objects.filter(pk=machine.pk).update(**columns)
        return [machine.public_id]

    return given


TRAFFIC = replace(BY_MONTH, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")


@pytest.mark.parametrize(
    ("given", "mbps", "error", "field"),
    [
        (_of(TRAFFIC), 2, WrongMode, "machines"),
        (_of(replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=2, public_ip=True)), 2,
         WrongMode, "machines"),
        (_of(MONTHLY), 2, WrongMode, "machines"),
        (_of(BY_MONTH, latest_operation_state="OPERATING"), 2, Busy, "machines"),
        (_of(BY_MONTH, state="SHUTDOWN"), 2, WrongState, "machines"),
        (_of(BY_MONTH), 0, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), 201, OutOfRange, "bandwidth_mbps"),
        (lambda account: [*_of(BY_MONTH)(account), *_of(BY_MONTH)(account)], 2, InvalidParameter, "machines"),
        (lambda account: ["ins-00000000"], 2, UnknownInstance, "machines"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    account: int, given: Given, mbps: int, error: type[Refused], field: str
) -> None:
    names = given(account)
    with refused(error, field=field):
        to_traffic.change(by(account), names, mbps)
    with refused(error, field=field):
        to_traffic.reckon(account, names, mbps)


def test_in_arrears_it_is_refused(account: int, machine: Instance) -> None:
    owe(account)
    Operation.objects.filter(kind="arrears").delete()
    with refused(InArrears, field="machines"):
        _switch(machine)


def test_it_becomes_no_bandwidth_again(account: int, machine: Instance) -> None:
    _switch(machine)
    with refused(WrongMode, field="machines"):
        _switch(machine)
    bandwidth.change(by(account), [machine.public_id], 9)  # a cap from now on
    work()
    assert now(machine).bandwidth_mbps == 9
    assert engine_of(machine.zone_id).observe(machine.public_id) is not None
