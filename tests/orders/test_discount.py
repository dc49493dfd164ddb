"""An account with a discount pays what it would pay in a shop with prices so much lower, whatever it does.

Each of these is done twice: by an account that pays 0.8 of list prices, and in a shop whose every price is 0.8 of
those. What each step takes and gives back is the same, and is what the rules say.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.addressing import by_bandwidth, by_month, by_traffic, new_address
from tests.orders.ending import no_closes, now
from tests.orders.prepaying import SSD, prepaid_disk
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.discounts import pays
from tests.support.shopper import (
    HOURLY,
    MONTHLY,
    ZONE,
    buy_running,
    go_to,
    open_purse,
    purses,
    raise_prices,
    wanted,
    work,
)
from vmart.bills.models import Charge
from vmart.catalog import shop
from vmart.config.reconcile import reconcile
from vmart.customers import discounts
from vmart.customers.models import Account, Discount
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidValue, NotFound
from vmart.listings import at_a_glance
from vmart.orders import convert, live_cost, offered, renew, resize, return_prepaid, terminate
from vmart.orders.addresses import allocate
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.convert import Conversion
from vmart.orders.disks import create, grow
from vmart.orders.disks.grow import Growth
from vmart.orders.downgrade import Downgrade
from vmart.orders.models import Line, Order
from vmart.orders.purchase import purchase
from vmart.orders.renew import Renewal
from vmart.orders.resize import Resize
from vmart.pricing.priced import Priced
from vmart.pricing.quote import Quote
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("in_business")

PART = Decimal("0.8")
PLENTY_MINOR = 2_000_000
ONLINE_BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=2, public_ip=True)


@pytest.fixture(params=["of the account", "of the shop"])
def account(request: pytest.FixtureRequest, test_clock: BusinessClock) -> int:
    number = open_purse(cash_minor=PLENTY_MINOR)
    if request.param == "of the account":
        pays(number, PART)
    else:
        raise_prices(test_clock, str(PART))
    return number


@pytest.fixture
def spent(account: int) -> Callable[[], int]:
    """What has gone from the purses since it was asked for last; nothing is owed, and all books agree."""
    before = [PLENTY_MINOR]

    def since() -> int:
        there = purses(account)
        assert (there["owed"], list(reconcile())) == (0, [])
        left = there["cash"] + there["gift"]
        before.append(left)
        return before[-2] - left

    return since


def test_a_machine_paid_ahead(test_clock: BusinessClock, account: int, spent: Callable[[], int]) -> None:
    no_closes()
    machine = buy_running(account, replace(MONTHLY, period_months=12))
    assert spent() == 108_432  # 0.8 × 12 × (115 × 0.83 + 17.50)
    go_to(test_clock, START + dt.timedelta(days=61))  # 10 May
    resize.change(by(account), [machine.public_id], "S5.LARGE8")
    work()
    assert spent() == 80_916  # 0.8 × 115 × 304 × 12 / 365 × 0.88
    renew.ACT.order(by(account), Renewal([machine.public_id], 1))
    assert spent() == 19_800  # 0.8 × (230 + 17.50)
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    terminate.terminate(by(account), [machine.public_id])
    # The term and its renewal less two months used, and the larger type's days, all of which are left.
    assert (refund.refund_minor, spent()) == (187_948, -187_948)


def test_a_term_that_becomes_smaller(test_clock: BusinessClock, account: int, spent: Callable[[], int]) -> None:
    no_closes()
    machine = buy_running(account, replace(MONTHLY, period_months=12))
    go_to(test_clock, START + dt.timedelta(days=61))
    assert spent() == 108_432
    reckoned = resize.reckon(account, Resize([machine.public_id], "S5.SMALL2"))
    assert isinstance(reckoned, Downgrade)
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    work()
    # It gives back 1,084.32 − 2 × 106.00 and costs ten months of 0.8 × (60 × 0.88 + 17.50).
    assert (reckoned.back_minor, spent()) == (30_992, -30_992)


def test_more_bandwidth_for_some_days(account: int, spent: Callable[[], int]) -> None:
    no_closes()
    machine = buy_running(account, ONLINE_BY_MONTH)
    assert spent() == 13_800  # 0.8 × (115 + 17.50 + 2 × 20)
    ACT_OF_WINDOW.order(by(account), Window([machine.public_id], 5, "2026-03-12", "2026-03-21"))
    work()
    assert spent() == 1_935  # 0.8 × 75 × 10 / 31


def test_paid_ahead_from_now_on(test_clock: BusinessClock, account: int, spent: Callable[[], int]) -> None:
    machine = buy_running(account)
    assert (purses(account)["held"], spent()) == (30, 0)  # 0.8 × (0.35 + 50 × 0.0005)
    go_to(test_clock, START + HOUR)
    assert spent() == 30
    convert.ACT.order(by(account), Conversion([machine.public_id], 1))
    assert spent() == 10_600  # 0.8 × (115 + 17.50)


def test_disks_and_addresses_paid_ahead(account: int, spent: Callable[[], int]) -> None:
    zones.check(ZONE)
    disk = prepaid_disk(account)
    assert spent() == 8_000
    grow.UPGRADE.order(by(account), Growth([disk.public_id], 200))
    work()
    assert spent() == 8_153  # 0.8 × 100 × 31 × 12 / 365
    new_address(account, by_month())
    assert spent() == 9_200  # 0.8 × (2 × 20 + 3 × 25)


def test_what_is_charged_by_the_hour(test_clock: BusinessClock, account: int, spent: Callable[[], int]) -> None:
    here = shop.snapshot()
    postpaid = replace(SSD, charge_type="POSTPAID_BY_HOUR", months=0)
    assert create.price(account, postpaid).hourly == Decimal("0.112")
    fast, by_bytes = by_bandwidth(), by_traffic()
    costs = [allocate.price(account, asked.region, asked.part) for asked in (fast, by_bytes)]
    assert [(one.idle_hourly, one.bound_hourly, one.traffic_per_gib) for one in costs] == [
        (Decimal("0.160"), Decimal("1.252"), None), (Decimal("0.160"), Decimal(0), Decimal("0.64")),
    ]  # fmt: skip
    assert offered.price(HOURLY, here, account).hourly == Decimal("0.30")
    buy_running(account)
    create.create(by(account), postpaid)
    new_address(account, fast)
    work()
    assert purses(account)["held"] == 30 + 11 + 16
    assert at_a_glance.per_hour(account, clock.now()) == Decimal("0.572")
    go_to(test_clock, START + HOUR)
    assert spent() == 57


# -- what only a discount does -------------------------------------------------------------------------


def test_it_holds_from_a_full_hour_on(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=PLENTY_MINOR)
    test_clock.set(START + dt.timedelta(minutes=30))
    with db.act():
        assert discounts.keep(account, Decimal("0.5"), "a friend", "the seller") is True
    begins = START + HOUR
    assert [(one.from_at, one.factor) for one in discounts.of(account)] == [(begins, Decimal("0.5"))]
    machine = buy_running(account)
    test_clock.set(begins - dt.timedelta(seconds=1))
    before = offered.price(HOURLY, shop.snapshot(), account)
    test_clock.set(begins)
    after = offered.price(HOURLY, shop.snapshot(), account)
    assert (before.hourly, before.factor, after.hourly, after.factor) == (
        Decimal("0.3750"), 1, Decimal("0.18750"), Decimal("0.5"),
    )  # fmt: skip
    assert offered.price(HOURLY, shop.snapshot(), None) == before
    go_to(test_clock, begins + HOUR)
    charged = Charge.objects.filter(account_id=account, component="cpu").order_by("hour")
    assert [(one.hour, one.duration_s, one.exact_e8) for one in charged] == [
        (START, 1800, 17_500_000), (begins, 3600, 17_500_000),
    ]  # fmt: skip
    assert now(machine).state == "RUNNING"


def test_the_open_hour_is_told_as_it_will_be_charged(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=PLENTY_MINOR)
    pays(account, "0.5", START + HOUR)
    machine = buy_running(account)
    test_clock.set(START + HOUR + dt.timedelta(minutes=30))
    assert live_cost.open_exact(account, machine.id) == Decimal("0.375") + Decimal("0.09375")


def test_what_was_paid_with_it_comes_back_by_it(test_clock: BusinessClock) -> None:
    """Given a discount that is over, then a return counts what was used at the prices that were paid."""
    no_closes()
    account = open_purse(cash_minor=PLENTY_MINOR)
    pays(account, "0.5")
    pays(account, 1, START + HOUR)
    machine = buy_running(account, MONTHLY)
    Account.objects.filter(pk=account).update(free_return_used_at=START)
    test_clock.set(START + dt.timedelta(days=1))
    (refund,) = return_prepaid.quote_refund(account, [machine.public_id])
    assert (refund.paid_minor, refund.refund_minor) == (6_625, 6_175)  # less 24 × 0.375 × 0.5
    renew.ACT.order(by(account), Renewal([machine.public_id], 1))
    orders = Order.objects.order_by("id")
    assert [Quote.of(orders[0].quote).factor, Priced.of(orders[1].quote).factor] == [Decimal("0.5"), 1]
    assert Line.objects.get(order=orders[1]).amount_minor == 13_250


def test_what_was_shown_is_charged(test_clock: BusinessClock) -> None:
    """Given a price that was shown before the discount, then that one is paid; asked for again it is the lower one."""
    no_closes()
    account = open_purse(cash_minor=PLENTY_MINOR)
    pays(account, "0.5", START + HOUR)
    shown = offered.price(MONTHLY, shop.snapshot(), account)
    test_clock.set(START + HOUR)
    purchase(wanted(account, expected=shown))
    purchase(wanted(account))
    assert [line.amount_minor for line in Line.objects.order_by("id")] == [13_250, 6_625]


def test_whoever_pays_nothing(test_clock: BusinessClock) -> None:
    account = open_purse()
    pays(account, 0)
    hourly, monthly = buy_running(account), buy_running(account, MONTHLY)
    go_to(test_clock, START + HOUR)
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}
    assert (now(hourly).state, now(monthly).state, list(reconcile())) == ("RUNNING", "RUNNING", [])


@pytest.mark.parametrize("after_s", [0, 1, 3540])
def test_it_begins_with_the_next_hour_that_nobody_may_have_looked_at(test_clock: BusinessClock, after_s: int) -> None:
    account = open_purse()
    test_clock.set(START + dt.timedelta(seconds=after_s))
    with db.act():
        assert discounts.keep(account, Decimal("0.9"), "a friend", "the seller") is True
        assert discounts.keep(account, Decimal("0.9"), "a friend", "the seller") is False
        assert discounts.keep(account, Decimal("0.7"), "a better one", "the seller") is True
    begins = START + HOUR * (1 if after_s < 3540 else 2)
    assert [(one.from_at, one.factor, one.reason) for one in discounts.of(account)] == [
        (begins, Decimal("0.7"), "a better one")
    ]
    with db.act():
        assert discounts.keep(account, Decimal(1), "none after all", "the seller") is True
        assert discounts.keep(account, Decimal(1), "none after all", "the seller") is False
    assert (discounts.of(account), discounts.to_come(account)) == ([], None)


@pytest.mark.parametrize("part", ["-0.0001", "1.0001", "0.12345", "NaN", "Infinity", "1e30"])
def test_a_part_that_is_none_is_refused(part: str) -> None:
    account = open_purse()
    with pytest.raises(InvalidValue) as refusal, db.act():
        discounts.keep(account, Decimal(part), "why", "the seller")
    assert (refusal.value.field, Discount.objects.count()) == ("factor", 0)
    with pytest.raises(NotFound), db.act():
        discounts.keep(account + 1, Decimal("0.5"), "why", "the seller")
