"""Given a machine that pays for its bandwidth by the month, when it gets more for some days, then for these alone."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, buy_running, go_to, open_purse, purses, raise_prices, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, InvalidValue, Refused
from vmart.orders import actions, reboot, renew, resize, return_prepaid, terminate, to_traffic
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.errors import Busy, InsufficientBalance, UnknownInstance, WrongMode, WrongState
from vmart.orders.models import BandwidthWindow, Line, Order
from vmart.orders.renew import Renewal
from vmart.orders.resize import Resize
from vmart.pricing.errors import OutOfRange
from vmart.subscriptions.models import Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True)
MONTH_MINOR = 17250  # 115 + 17.50 + 2 × 20
FEE_MINOR = 2419  # 75 more a month × 10 days of 31
FIRST, LAST = "2026-03-12", "2026-03-21"
# 00:00 in Shanghai
BEGINS = dt.datetime(2026, 3, 11, 16, tzinfo=dt.UTC)
ENDS = dt.datetime(2026, 3, 21, 16, tzinfo=dt.UTC)
EXPIRES = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def machine(account: int) -> Instance:
    """Bought on 10 March 2026 at 10:00 in Shanghai for a month."""
    no_closes()
    return buy_running(account, BY_MONTH)


def _order(machine: Instance, mbps: int = 5, first: str = FIRST, last: str = LAST) -> int:
    number = ACT_OF_WINDOW.order(by(machine.account_id), Window([machine.public_id], mbps, first, last))
    work()
    return number


def _speeds(machine: Instance, world: World) -> tuple[int, int]:
    return now(machine).bandwidth_mbps, world.cap_mbps(machine.public_id)


def _states() -> list[str]:
    return list(BandwidthWindow.objects.order_by("id").values_list("state", flat=True))


def _due() -> list[dt.datetime]:
    return list(Operation.objects.filter(kind="window").values_list("due_at", flat=True))


def test_the_whole_way(account: int, machine: Instance, world: World, test_clock: BusinessClock) -> None:
    asked = Window([machine.public_id], 5, FIRST, LAST)
    with nothing_written():
        priced = ACT_OF_WINDOW.price(account, asked)
    (line,) = priced.lines
    assert (priced.action, priced.due_minor, line.days, line.period_from, line.period_to) == (
        "window", FEE_MINOR, 10, BEGINS, ENDS,
    )  # fmt: skip
    number = _order(machine)
    cash = 200_000 - MONTH_MINOR - FEE_MINOR
    assert (purses(account)["cash"], Order.objects.get(id=number).status) == (cash, 4)
    assert (_speeds(machine, world), _states(), _due()) == ((2, 2), ["waiting"], [BEGINS])
    go_to(test_clock, BEGINS - dt.timedelta(seconds=1))
    assert _speeds(machine, world) == (2, 2)
    go_to(test_clock, BEGINS)
    assert (_speeds(machine, world), _states(), _due()) == ((5, 5), ["in_force"], [ENDS])
    assert now(machine).latest_operation_state == "SUCCESS"
    assert renew.price(account, Renewal([machine.public_id])).due_minor == MONTH_MINOR
    go_to(test_clock, ENDS - dt.timedelta(seconds=1))
    assert _speeds(machine, world) == (5, 5)
    go_to(test_clock, ENDS)
    assert (_speeds(machine, world), _states(), _due()) == ((2, 2), ["ended"], [])
    assert purses(account)["cash"] == cash
    changed = Event.objects.filter(kind="bandwidth_changed").order_by("id")
    assert [event.detail for event in changed] == [{"old": 2, "new": 5}, {"old": 5, "new": 2}]
    assert list(reconcile()) == []


def test_from_today_on_it_is_in_force_at_once(account: int, machine: Instance, world: World) -> None:
    number = _order(machine, first="2026-03-10", last="2026-03-10")
    assert (_speeds(machine, world), _states()) == ((5, 5), ["in_force"])
    line = Line.objects.get(order_id=number)
    assert (line.amount_minor, line.period_from) == (242, START)  # 75 / 31
    assert _due() == [dt.datetime(2026, 3, 10, 16, tzinfo=dt.UTC)]


def test_each_month_counts_by_its_own_days(account: int, machine: Instance) -> None:
    """75 × 2 / 31 + 75 × 3 / 30 = 4.8387 + 7.50."""
    asked = Window([machine.public_id], 5, "2026-03-30", "2026-04-03")
    assert ACT_OF_WINDOW.price(account, asked).due_minor == 1234


def test_the_published_example(account: int, machine: Instance) -> None:
    """Ten days of April, which has 30: 25.00 (bandwidth-17)."""
    asked = Window([machine.public_id], 5, "2026-04-01", "2026-04-10")
    assert ACT_OF_WINDOW.price(account, asked).due_minor == 2500


def test_it_waits_for_what_is_under_way(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _order(machine)
    go_to(test_clock, BEGINS - dt.timedelta(seconds=1))
    reboot.reboot(by(machine.account_id), [machine.public_id])
    test_clock.set(BEGINS)
    Operation.objects.filter(kind="reboot").update(not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    work()
    assert _speeds(machine, world) == (2, 2)
    Operation.objects.update(not_before=None)
    work()
    assert _speeds(machine, world) == (5, 5)


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_one_that_cannot_begin_is_paid_back(account: int, machine: Instance, world: World, *, lost: bool) -> None:
    (world.lose_answer if lost else world.fail)("ensure_address", times=6)
    number = _order(machine, first="2026-03-10")
    assert (_speeds(machine, world), _states()) == ((2, 2), ["failed"])
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR
    line = Line.objects.get(order_id=number)
    assert (line.state, line.refund_minor, now(machine).latest_operation_state) == (
        "returned",
        line.amount_minor,
        "FAILED",
    )
    assert list(reconcile()) == []
    world.clear_faults()
    _order(machine)
    assert _states() == ["failed", "waiting"]


def test_its_end_is_told_until_the_engine_knows(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _order(machine)
    go_to(test_clock, BEGINS)
    world.fail("ensure_address", times=6)
    go_to(test_clock, ENDS)
    assert (_speeds(machine, world), _states()) == ((2, 2), ["ended"])
    assert now(machine).latest_operation_state == "SUCCESS"
    assert list(reconcile()) == []


def test_days_that_the_shop_missed_are_paid_back(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    _order(machine)
    test_clock.set(ENDS)
    work()
    assert (_states(), purses(account)["cash"]) == (["failed"], 200_000 - MONTH_MINOR)
    assert Event.objects.filter(kind="window_missed").count() == 1
    assert list(reconcile()) == []


def test_a_return_gives_its_whole_days_back(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    """After 3 days of ten, 7 are left: 1693; and of the machine 172.50 less 110 hours of it."""
    _order(machine)
    Account.objects.update(free_return_used_at=START)
    go_to(test_clock, BEGINS + dt.timedelta(days=3))
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    used_minor = round(110 * (0.375 + 0.126) * 100)
    assert refund.refund_minor == MONTH_MINOR - used_minor + 1693
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (_states(), _due(), now(machine).bandwidth_mbps) == (["ended"], [], 2)
    assert purses(account)["cash"] == 200_000 - MONTH_MINOR - FEE_MINOR + refund.refund_minor
    assert list(reconcile()) == []


def test_a_free_return_gives_one_that_is_over_back(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    number = _order(machine, first="2026-03-11", last="2026-03-12")
    go_to(test_clock, dt.datetime(2026, 3, 13, tzinfo=dt.UTC))
    assert _states() == ["ended"]
    terminate.terminate(by(account), [machine.public_id])
    work()
    line = Line.objects.get(order_id=number)
    assert (line.state, line.refund_minor, purses(account)["cash"]) == ("returned", line.amount_minor, 200_000)
    assert list(reconcile()) == []


def test_one_that_expires_meanwhile_is_renewed_at_its_own_speed(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _order(machine, first="2026-04-10", last="2026-04-10")
    go_to(test_clock, EXPIRES)
    assert (now(machine).state, now(machine).bandwidth_mbps) == ("SHUTDOWN", 5)
    go_to(test_clock, EXPIRES + dt.timedelta(hours=14))
    assert (_states(), now(machine).bandwidth_mbps) == (["ended"], 2)
    renew.renew(by(machine.account_id), Renewal([machine.public_id]))
    work()
    assert (now(machine).state, _speeds(machine, world)) == ("RUNNING", (2, 2))


def test_one_that_begins_in_the_recycle_bin_is_paid_back(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    """Given the shop was late, and the machine expired before the window of its last day could begin."""
    number = _order(machine, first="2026-04-10", last="2026-04-10")
    Operation.objects.filter(kind="window").update(due_at=EXPIRES + dt.timedelta(minutes=1))
    go_to(test_clock, EXPIRES)
    assert (now(machine).state, _states()) == ("SHUTDOWN", ["waiting"])
    go_to(test_clock, EXPIRES + dt.timedelta(minutes=1))
    line = Line.objects.get(order_id=number)
    assert (_states(), line.state, line.refund_minor) == (["failed"], "returned", line.amount_minor)
    assert (purses(account)["cash"], now(machine).bandwidth_mbps) == (200_000 - MONTH_MINOR, 2)
    assert list(reconcile()) == []


def test_the_day_that_begins_with_the_expiry_is_not_sold(machine: Instance) -> None:
    """Given it expires at 00:00, then its last day is the one before."""
    Subscription.objects.filter(pk=machine.pk).update(expires_at=dt.datetime(2026, 4, 9, 16, tzinfo=dt.UTC))
    with refused(InvalidValue, match="after the expiry of", field="ends_on"):
        _order(machine, first="2026-04-09", last="2026-04-10")
    _order(machine, first="2026-04-09", last="2026-04-09")
    assert _states() == ["waiting"]


def test_while_it_is_open_bandwidth_is_not_changed_otherwise(account: int, machine: Instance) -> None:
    _order(machine)
    names = [machine.public_id]
    for act in (
        lambda: ACT_OF_WINDOW.order(by(account), Window(names, 9, FIRST, LAST)),
        lambda: UPGRADE.order(by(account), Upgrade(names, 9)),
        lambda: to_traffic.change(by(account), names, 2),
        lambda: resize.change(by(account), names, "S5.SMALL2"),
    ):
        with refused(WrongState, field="machines", match="5 Mbps until 2026-03-21 16:00 UTC"):
            act()
    resize.UPGRADE.order(by(account), Resize(names, "S5.LARGE8"))


def test_a_price_is_of_these_days_and_this_speed(account: int, machine: Instance, test_clock: BusinessClock) -> None:
    asked = Window([machine.public_id], 5, FIRST, LAST)
    shown = ACT_OF_WINDOW.price(account, asked)
    raise_prices(test_clock, "2")
    for other, field in (
        (replace(asked, mbps=6), "bandwidth_mbps"), (replace(asked, ends_on="2026-03-22"), "starts_on"),
    ):  # fmt: skip
        with refused(InvalidParameter, field=field):
            ACT_OF_WINDOW.order(by(account), other, expected=shown)
    number = ACT_OF_WINDOW.order(by(account), asked, expected=shown, client_token="t")
    assert Order.objects.get(id=number).total_minor == FEE_MINOR
    assert ACT_OF_WINDOW.order(by(account), asked, expected=shown, client_token="t") == number
    assert BandwidthWindow.objects.count() == 1


def test_one_that_waits_for_its_payment_is_paid_before_its_first_day(
    account: int, machine: Instance, test_clock: BusinessClock
) -> None:
    number = ACT_OF_WINDOW.place(by(account), Window([machine.public_id], 5, FIRST, LAST))
    assert not BandwidthWindow.objects.exists()
    actions.pay(by(account), number)
    assert _states() == ["waiting"]
    test_clock.set(dt.datetime(2026, 3, 10, 15, 45, tzinfo=dt.UTC))
    late = ACT_OF_WINDOW.place(by(account), Window([buy_running(account, BY_MONTH).public_id], 5, "2026-03-10", LAST))
    test_clock.set(dt.datetime(2026, 3, 10, 16, tzinfo=dt.UTC))
    with refused(InvalidValue, field="starts_on"):
        actions.pay(by(account), late)


def test_too_little_money_buys_nothing(machine: Instance) -> None:
    poor = open_purse("poor", cash_minor=MONTH_MINOR + FEE_MINOR - 1)
    other = buy_running(poor, BY_MONTH)
    with refused(InsufficientBalance):
        _order(other)


Given = Callable[[int], list[str]]


def _of(configuration: object, **columns: object) -> Given:
    def given(account: int) -> list[str]:
        machine = buy_running(account, configuration)  # type: ignore[arg-type]
        Instance.objects.filter(pk=machine.pk).update(**columns)
        return [machine.public_id]

    return given


@pytest.mark.parametrize(
    ("given", "other", "error", "field"),
    [
        (_of(replace(BY_MONTH, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR")), {}, WrongMode, "machines"),
        (_of(replace(HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=2, public_ip=True)), {},
         WrongMode, "machines"),
        (_of(BY_MONTH, latest_operation_state="OPERATING"), {}, Busy, "machines"),
        (_of(BY_MONTH, state="SHUTDOWN"), {}, WrongState, "machines"),
        (_of(BY_MONTH), {"mbps": 0}, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), {"mbps": 2}, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), {"mbps": 201}, OutOfRange, "bandwidth_mbps"),
        (_of(BY_MONTH), {"starts_on": "2026-03-09"}, InvalidValue, "starts_on"),
        (_of(BY_MONTH), {"starts_on": "10 March"}, InvalidValue, "starts_on"),
        (_of(BY_MONTH), {"starts_on": "2026-02-30"}, InvalidValue, "starts_on"),
        (_of(BY_MONTH), {"ends_on": "2026-03-11"}, InvalidValue, "ends_on"),
        (_of(BY_MONTH), {"ends_on": "2026-04-11"}, InvalidValue, "ends_on"),
        (_of(BY_MONTH), {"ends_on": "9999-12-31"}, InvalidValue, "ends_on"),
        (_of(BY_MONTH), {"ends_on": ""}, InvalidValue, "ends_on"),
        (lambda account: [*_of(BY_MONTH)(account), *_of(BY_MONTH)(account)], {}, InvalidParameter, "machines"),
        (lambda account: ["ins-00000000"], {}, UnknownInstance, "machines"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(
    account: int, given: Given, other: dict[str, object], error: type[Refused], field: str
) -> None:
    asked = replace(Window(given(account), 5, FIRST, LAST), **other)  # type: ignore[arg-type]
    with refused(error, field=field):
        ACT_OF_WINDOW.order(by(account), asked)
    with refused(error, field=field):
        ACT_OF_WINDOW.price(account, asked)
