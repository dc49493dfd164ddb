"""Given a public address, when it is charged otherwise from now on, then each second and term is paid once.

5 Mbps are 115.00 a month and 0.315 an hour at a machine; idle an address is 0.20 an hour, by traffic 0.80 a GiB.
"""

import datetime as dt
import uuid

import pytest

from tests.orders.addressing import (
    BANDWIDTH,
    GIB,
    IDLE_MINOR,
    MONTH,
    MONTH_MINOR,
    TRAFFIC,
    again,
    bound,
    by_month,
    by_traffic,
    latest,
    lines,
    new_address,
    of_machine,
    segments,
    term,
)
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import ZONE, buy_running, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.kernel import db
from vmart.kernel.clock import UTC
from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded, MissingParameter
from vmart.network.models import Eip
from vmart.orders import actions, errors, renew_flag, sample
from vmart.orders.addresses.bandwidth import change as of_speed
from vmart.orders.addresses.mode import CONVERSION, ToMonth, change, worth
from vmart.orders.addresses.renew import ACT as RENEWAL
from vmart.orders.credit import credit
from vmart.orders.renew import Renewal
from vmart.pricing.address import AddressPart
from vmart.pricing.errors import ChargeTypeNotSold, OutOfRange, PeriodNotSold, UnknownChargeType
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
HALF_AN_HOUR = dt.timedelta(minutes=30)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def _mode(eip: Eip) -> tuple[str, int, list[tuple[str, str, int]], str]:
    """How it is charged, how fast it is, its open terms, and how its subscription is paid."""
    now, items = again(eip), Item.objects.filter(subscription_id=eip.id, to_at=None)
    terms = list(items.values_list("component", "mode", "quantity"))
    return now.internet_charge_type, now.bandwidth_mbps, terms, now.subscription.charge_type


def test_an_idle_one_is_paid_by_the_month_from_now_on(account: int, test_clock: BusinessClock) -> None:
    eip = new_address(account, by_traffic())
    test_clock.set(START + HALF_AN_HOUR)
    before, now = purses(account), test_clock.at
    assert before["held"] == IDLE_MINOR
    change(by(account), eip.public_id, AddressPart(MONTH, 5), months=1, renew_flag=renew_flag.SILENT)
    assert _mode(eip) == (MONTH, 5, [("bandwidth", "month", 5)], "PREPAID")
    assert (latest(eip), term(eip)) == (
        ("UNBIND", "ModifyAddressInternetChargeType", "SUCCESS"), (now, EXPIRY + HALF_AN_HOUR),
    )  # fmt: skip
    assert again(eip).subscription.renew_flag == "DISABLE_NOTIFY_AND_MANUAL_RENEW"
    # half an hour idle is held until its hour is closed
    assert (before["cash"] - purses(account)["cash"], purses(account)["held"]) == (MONTH_MINOR, 10)
    assert segments(eip) == [("idle", 1, START, now)]
    assert lines(eip) == [("convert_address", "delivered", MONTH_MINOR, 0)]
    assert sorted(Operation.objects.filter(subject_id=eip.id).values_list("kind", flat=True)) == ["expire", "term"]
    assert list(reconcile()) == []
    test_clock.set(START + dt.timedelta(hours=1))
    work()
    assert (before["cash"] - purses(account)["cash"], purses(account)["held"]) == (MONTH_MINOR + 10, 0)
    assert RENEWAL.price(account, Renewal([eip.public_id])).due_minor == MONTH_MINOR
    assert list(reconcile()) == []


def test_a_bound_one_by_traffic_is_counted_a_last_time(account: int, test_clock: BusinessClock, world: World) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_traffic())
    test_clock.set(START + HALF_AN_HOUR)
    world.send_bytes(machine.public_id, 2 * GIB)
    cash = purses(account)["cash"]
    change(by(account), eip.public_id, AddressPart(MONTH, 10), months=1)
    assert (_mode(eip)[0], purses(account)["cash"]) == (TRAFFIC, cash)
    work()
    assert _mode(eip) == (MONTH, 10, [("bandwidth", "month", 10)], "PREPAID")
    assert (cash - purses(account)["cash"], world.cap_mbps(machine.public_id)) == (56_500, 10)
    world.send_bytes(machine.public_id, 5 * GIB)
    sample.sample_zone(ZONE)
    test_clock.set(START + dt.timedelta(hours=1))
    work()
    charged = Charge.objects.filter(subscription_id=eip.id, component="traffic")
    assert list(charged.values_list("out_bytes", "exact_e8")) == [(2 * GIB, 160_000_000)]
    assert (latest(eip)[2], of_machine(machine)[2]) == ("SUCCESS", "SUCCESS")
    assert list(reconcile()) == []


def test_what_comes_back_of_a_term_is_gift_first(account: int) -> None:
    """115.00, of it 50.00 gift, and nothing is used."""
    with db.act():
        credit(uuid.uuid4(), "opening", account, "gifts", gift_minor=5000)
    eip = new_address(account, by_month())
    assert (purses(account)["gift"], purses(account)["cash"]) == (0, 100_000 - 6500)
    change(by(account), eip.public_id, AddressPart(TRAFFIC, 5))
    assert (purses(account)["gift"], purses(account)["cash"]) == (5000, 100_000)
    assert list(reconcile()) == []


def test_from_the_month_to_traffic_what_is_left_comes_back(
    account: int, test_clock: BusinessClock, world: World
) -> None:
    """10 days of 5 Mbps: 115.00 − 240 × 0.315 = 39.40; from then on what it sends is charged."""
    machine = buy_running(account)
    Operation.objects.filter(kind="close_hour").delete()
    eip = bound(account, machine, by_month())
    world.send_bytes(machine.public_id, 3 * GIB)
    test_clock.advance(days=10)
    back = worth(account, eip.public_id, AddressPart(TRAFFIC, 7))
    assert back
    assert (back.refund_minor, back.gift_minor) == (3940, 0)
    cash = purses(account)["cash"]
    change(by(account), eip.public_id, AddressPart(TRAFFIC, 7))
    work()
    assert purses(account)["cash"] - cash == 3940
    assert _mode(eip) == (TRAFFIC, 7, [("traffic", "traffic", 7)], "POSTPAID_BY_HOUR")
    assert (term(eip), lines(eip)) == ((None, None), [("buy_address", "returned", MONTH_MINOR, 3940)])
    assert not Operation.objects.filter(kind__in=["expire", "term"], subject_id=eip.id).exists()
    assert (Account.objects.get(id=account).free_return_used_at, world.cap_mbps(machine.public_id)) == (None, 7)
    event = Event.objects.get(subject_id=eip.id, kind="mode_changed")
    assert event.detail == {"old": MONTH, "new": TRAFFIC, "refund_minor": 3940}
    world.send_bytes(machine.public_id, 2 * GIB)
    assert sample.sample_zone(ZONE) == 2 * GIB
    assert list(reconcile()) == []


def test_an_idle_one_by_the_month_is_charged_as_idle_from_then_on(account: int, test_clock: BusinessClock) -> None:
    eip = new_address(account, by_month())
    test_clock.set(START + HALF_AN_HOUR)
    cash = purses(account)["cash"]
    change(by(account), eip.public_id, AddressPart(BANDWIDTH, 5))
    # half an hour at 0.315: 114.8425
    assert (purses(account)["cash"] - cash, purses(account)["held"]) == (11_484, IDLE_MINOR)
    assert _mode(eip) == (BANDWIDTH, 5, [("idle", "hour", 1)], "POSTPAID_BY_HOUR")
    assert segments(eip) == [("idle", 1, test_clock.at, None)]
    assert list(reconcile()) == []


def test_by_traffic_to_the_hour_each_second_has_its_price(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_traffic())
    held = purses(account)["held"]
    test_clock.set(START + HALF_AN_HOUR)
    change(by(account), eip.public_id, AddressPart(BANDWIDTH, 5))
    assert purses(account)["held"] - held == 32  # 5 × 0.063, set aside from the request on
    work()
    assert _mode(eip) == (BANDWIDTH, 5, [("bandwidth", "hour", 5)], "POSTPAID_BY_HOUR")
    assert [(part, began) for part, _, began, _ in segments(eip)][-1] == ("bandwidth", START + HALF_AN_HOUR)
    change(by(account), eip.public_id, AddressPart(TRAFFIC, 5))
    work()
    assert (_mode(eip)[2], purses(account)["held"]) == ([("traffic", "traffic", 5)], held)
    with (
        refused(LimitExceeded, field="addresses", code="LimitExceeded.ModifyAddressInternetChargeTypeQuota"),
        nothing_written(),
    ):
        change(by(account), eip.public_id, AddressPart(BANDWIDTH, 5))
    assert list(reconcile()) == []


@pytest.mark.parametrize("part", [AddressPart(MONTH, 10), AddressPart(BANDWIDTH, 10)])
def test_one_that_cannot_be_told_is_charged_as_before(account: int, world: World, part: AddressPart) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_traffic())
    before = purses(account)
    world.lose_answer("ensure_address", times=6)
    change(by(account), eip.public_id, part, months=1 if part.paid_ahead else 0)
    work()
    assert (latest(eip)[2], _mode(eip)) == (
        "FAILED", (TRAFFIC, 5, [("traffic", "traffic", 5)], "POSTPAID_BY_HOUR"),
    )  # fmt: skip
    assert (purses(account), world.cap_mbps(machine.public_id), again(eip).mode_changes) == (before, 5, 0)
    assert of_machine(machine)[2] == "SUCCESS"
    assert list(reconcile()) == []


def test_an_unpaid_conversion_is_paid_later(account: int) -> None:
    eip = new_address(account, by_traffic())
    number = CONVERSION.place(by(account), ToMonth([eip.public_id], 5))
    assert _mode(eip)[0] == TRAFFIC
    actions.pay(by(account), number)
    assert (_mode(eip)[0], lines(eip)) == (MONTH, [("convert_address", "delivered", MONTH_MINOR, 0)])


@pytest.mark.parametrize(
    ("part", "months", "error", "field", "code"),
    [
        (AddressPart(TRAFFIC, 5), 0, InvalidValue, "internet_charge_type",
         "InvalidParameterValue.InternetChargeTypeNotChanged"),
        (AddressPart("BY_MOON", 5), 0, UnknownChargeType, "internet_charge_type", "InvalidParameterValue"),
        (AddressPart("BANDWIDTH_PACKAGE", 5), 0, ChargeTypeNotSold, "internet_charge_type",
         "UnsupportedOperation.InvalidAddressInternetChargeType"),
        (AddressPart(BANDWIDTH, 101), 0, OutOfRange, "bandwidth_mbps", "InvalidParameterValue.BandwidthOutOfRange"),
        (AddressPart(MONTH, 5), 0, MissingParameter, "months", "MissingParameter"),
        (AddressPart(MONTH, 5), 13, PeriodNotSold, "months", "InvalidPeriod"),
        (AddressPart(BANDWIDTH, 5), 1, InvalidParameter, "months", "InvalidParameter"),
        (AddressPart(MONTH, 10), 2, errors.InsufficientBalance, None, "FailedOperation.BalanceInsufficient"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(
    account: int, part: AddressPart, months: int, *, error: type[errors.Refused], field: str | None, code: str
) -> None:
    eip = new_address(account, by_traffic())
    with refused(error, field=field, code=code), nothing_written():
        change(by(account), eip.public_id, part, months=months)


def test_in_arrears_or_busy_nothing_is_changed(account: int) -> None:
    eip = new_address(account, by_month())
    with refused(InvalidValue, field="renew_flag"), nothing_written():
        CONVERSION.order(by(account), ToMonth([eip.public_id], 5, renew_flag="ALWAYS"))
    owe(account, 1)
    with refused(errors.InArrears, field="addresses"), nothing_written():
        change(by(account), eip.public_id, AddressPart(TRAFFIC, 5))
    pay(account, 100_000)
    machine = buy_running(account)
    other = bound(account, machine, by_month())
    change(by(account), other.public_id, AddressPart(TRAFFIC, 5))
    with refused(errors.EipBusy, field="addresses"), nothing_written():
        change(by(account), other.public_id, AddressPart(BANDWIDTH, 5))
    with refused(errors.EipBusy, field="addresses"), nothing_written():
        RENEWAL.order(by(account), Renewal([other.public_id]))


@pytest.mark.parametrize("mode", [TRAFFIC, BANDWIDTH])
def test_one_that_was_paid_ahead_is_held_for_as_any_other_afterwards(account: int, mode: str) -> None:
    """Nothing was held while it was paid ahead; by traffic nothing is at a machine either, and yet it can be."""
    eip = bound(account, buy_running(account), by_month())
    change(by(account), eip.public_id, AddressPart(mode, 5))
    work()
    assert list(reconcile()) == []
    of_speed(by(account), [eip.public_id], 8)
    work()
    assert (latest(eip), again(eip).bandwidth_mbps) == (("BIND", "ModifyAddressesBandwidth", "SUCCESS"), 8)
    assert list(reconcile()) == []
