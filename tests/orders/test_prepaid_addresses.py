"""Given a public address whose bandwidth is paid by the month, then its term is as a machine's: bought, used, ended."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.addressing import (
    MONTH_MINOR,
    again,
    bound,
    by_month,
    by_traffic,
    latest,
    lines,
    new_address,
    of_machine,
    seen,
    term,
)
from tests.orders.ending import no_closes
from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import MONTHLY, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.events.models import Event
from vmart.kernel.clock import UTC
from vmart.kernel.errors import InvalidParameter, InvalidValue, LimitExceeded
from vmart.listings import eips
from vmart.metering.models import Segment
from vmart.network.models import Eip, PublicAddress
from vmart.orders import actions, errors, renew_flag
from vmart.orders import terminate as of_machines
from vmart.orders.addresses import renew
from vmart.orders.addresses.allocate import allocate, price
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.addresses.give_back import give_back, quote_refund
from vmart.orders.models import Line, Order
from vmart.orders.renew import Renewal
from vmart.pricing.errors import PeriodNotSold
from vmart.subscriptions.models import Item, Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

DAY = dt.timedelta(days=1)
EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
MIDNIGHT = dt.datetime(2026, 4, 9, 16, tzinfo=UTC)  # of the expiry's day in Shanghai
LEAVES_BIN = dt.datetime(2026, 4, 17, 16, tzinfo=UTC)  # 00:00 of the 18th in Shanghai: the first not before 7 × 24 h


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def _bought(account: int, months: int = 1, **what: object) -> Eip:
    """No hour is closed from then on."""
    no_closes()
    return new_address(account, by_month(months=months, **what))  # type: ignore[arg-type]


# Bought ---------------------------------------------------------------------------------------------------------------


def test_its_term_is_paid_at_once_and_nothing_else_is_charged(account: int, test_clock: BusinessClock) -> None:
    """10 Mbps: 2 × 20 + 3 × 25 + 5 × 90 = 565.00; idle and bound alike."""
    machine = buy_running(account, replace(MONTHLY, bandwidth_mbps=0, public_ip=False))
    before = purses(account)
    asked = by_month(10)
    cost = price(account, asked.region, asked.part, 1)
    assert (cost.term_minor, cost.listed_minor, cost.hold_minor, cost.idle_hourly) == (56_500, 56_500, 0, 0)
    allocated = allocate(by(account), asked, client_token="once")
    assert allocate(by(account), asked, client_token="once") == allocated
    eip = again(Eip.objects.get())
    assert (before["cash"] - purses(account)["cash"], purses(account)["held"]) == (56_500, before["held"])
    assert (latest(eip), eip.subscription.charge_type, term(eip)) == (
        ("UNBIND", "AllocateAddresses", "SUCCESS"), "PREPAID", (START, EXPIRY),
    )  # fmt: skip
    assert lines(eip) == [("buy_address", "delivered", 56_500, 0)]
    order = Order.objects.get(action="buy_address")
    assert (order.status, order.charge_type, order.total_minor, order.count) == (4, "PREPAID", 56_500, 1)
    line = Line.objects.get(order=order)
    assert (line.months, line.period_from, line.period_to) == (1, START, EXPIRY)
    items = Item.objects.filter(subscription_id=eip.id)
    assert list(items.values_list("component", "mode", "quantity", "to_at")) == [("bandwidth", "month", 10, None)]
    timers = Operation.objects.filter(subject_kind="address")
    assert sorted(timers.values_list("kind", flat=True)) == ["expire", "term"]
    associate(by(account), eip.public_id, machine.public_id)
    work()
    assert (latest(eip)[0], seen(machine)) == ("BIND", eip.ip)
    test_clock.set(START + dt.timedelta(hours=1))
    disassociate(by(account), eip.public_id)
    work()
    assert (latest(eip)[0], seen(machine), again(eip).subscription.hold_id) == ("UNBIND", "", None)
    test_clock.set(START + dt.timedelta(hours=2))
    work()
    assert Segment.objects.filter(subscription_id=eip.id).count() == 0
    assert Charge.objects.count() == 0
    assert before["cash"] - purses(account)["cash"] == 56_500
    assert list(reconcile()) == []


def test_several_are_lines_of_one_order(account: int) -> None:
    """A year of 2 Mbps each: 12 × 40.00; the book has no discount for bandwidth."""
    done = allocate(by(account), replace(by_month(2, 12), count=2))
    order = Order.objects.get()
    assert (order.total_minor, order.count) == (96_000, 2)
    assert purses(account)["cash"] == 100_000 - 96_000
    assert set(Subscription.objects.values_list("expires_at", flat=True)) == {EXPIRY.replace(year=2027, month=3)}
    assert sorted(done.public_ids) == sorted(Eip.objects.values_list("public_id", flat=True))
    assert list(reconcile()) == []


def test_without_the_money_none_is_bought(account: int) -> None:
    with refused(errors.InsufficientBalance, code="FailedOperation.BalanceInsufficient"), nothing_written():
        allocate(by(account), by_month(10, 2))


# Expiry ---------------------------------------------------------------------------------------------------------------


def test_at_its_expiry_its_machine_keeps_it_and_after_seven_days_it_is_gone(
    account: int, test_clock: BusinessClock
) -> None:
    machine = buy_running(account)
    no_closes()
    eip = bound(account, machine, by_month())
    go_to(test_clock, EXPIRY - dt.timedelta(seconds=1))
    assert (latest(eip)[0], seen(machine)) == ("BIND", eip.ip)
    go_to(test_clock, EXPIRY)
    assert (latest(eip), seen(machine)) == (("BIND", "IsolateAddresses", "SUCCESS"), "")
    agreed = again(eip).subscription
    assert (agreed.standing, agreed.isolated_source, agreed.isolated_at, agreed.release_at) == (
        "isolated", "EXPIRE", EXPIRY, LEAVES_BIN,
    )  # fmt: skip
    view = eips.one(account, eip.public_id)
    assert view
    assert (view.off, view.machine, view.release_at) == (True, machine.public_id, LEAVES_BIN)
    assert list(reconcile()) == []
    go_to(test_clock, LEAVES_BIN - dt.timedelta(seconds=1))
    assert latest(eip)[0] == "BIND"
    go_to(test_clock, LEAVES_BIN)
    assert (latest(eip)[0], again(eip).instance_id, again(eip).subscription.standing) == ("GONE", None, "ended")
    assert PublicAddress.objects.filter(instance_id=eip.id).count() == 0
    told = Event.objects.filter(subject_id=eip.id).exclude(kind="expires_soon").order_by("id")
    assert list(told.values_list("kind", flat=True)) == [
        "AllocateAddresses", "AssociateAddress", "address_bound", "expired", "released",
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_from_its_expiry_on_nothing_is_done_to_it(account: int, test_clock: BusinessClock) -> None:
    """Its isolation is late: none of these puts it off."""
    machine, idle = buy_running(account), _bought(account)
    eip = bound(account, machine, by_month())
    test_clock.set(EXPIRY)
    for act in (
        lambda: associate(by(account), idle.public_id, machine.public_id),
        lambda: disassociate(by(account), eip.public_id),
        lambda: give_back(by(account), [idle.public_id]),
        lambda: quote_refund(account, [idle.public_id]),
    ):
        with refused(errors.Refused), nothing_written():
            act()
    with refused(errors.EipExpired, field="addresses", code="InvalidAddressIdState.InArrears"), nothing_written():
        disassociate(by(account), eip.public_id)


def test_an_expiry_waits_for_what_is_under_way(account: int, test_clock: BusinessClock) -> None:
    machine, eip = buy_running(account), _bought(account)
    test_clock.set(EXPIRY - dt.timedelta(seconds=1))
    associate(by(account), eip.public_id, machine.public_id)
    Operation.objects.filter(kind="bind_address").update(due_at=EXPIRY + dt.timedelta(seconds=5))
    test_clock.set(EXPIRY)
    work()
    assert latest(eip) == ("BINDING", "AssociateAddress", "OPERATING")
    test_clock.set(EXPIRY + dt.timedelta(seconds=5))
    for _ in range(2):
        Operation.objects.update(not_before=None)
        work()
    assert (latest(eip)[0], again(eip).subscription.isolated_at, seen(machine)) == ("BIND", EXPIRY, "")
    assert list(reconcile()) == []


def test_its_machine_gets_another_while_it_is_in_the_bin(account: int, test_clock: BusinessClock) -> None:
    """Unbound there, it is given back for good by the next request."""
    machine = buy_running(account)
    no_closes()
    eip = bound(account, machine, by_month())
    go_to(test_clock, EXPIRY)
    disassociate(by(account), eip.public_id)
    work()
    assert (latest(eip)[0], again(eip).subscription.standing) == ("UNBIND", "isolated")
    other = bound(account, machine, by_month())
    assert (latest(other)[0], seen(machine)) == ("BIND", other.ip)
    give_back(by(account), [eip.public_id])
    work()
    assert (latest(eip)[0], lines(eip)) == ("GONE", [("buy_address", "delivered", MONTH_MINOR, 0)])
    assert list(reconcile()) == []


# Renewal --------------------------------------------------------------------------------------------------------------


def test_a_renewal_goes_on_from_the_old_expiry(account: int) -> None:
    eip, other = _bought(account), _bought(account, 2)
    asked = Renewal([eip.public_id, other.public_id], 2, renew_flag=renew_flag.SILENT)
    before = purses(account)["cash"]
    assert renew.ACT.price(account, asked).due_minor == 2 * 2 * MONTH_MINOR
    renew.ACT.order(by(account), asked)
    assert before - purses(account)["cash"] == 4 * MONTH_MINOR
    assert (term(eip), term(other)) == (
        (START, EXPIRY.replace(month=6)), (START, EXPIRY.replace(month=7)),
    )  # fmt: skip
    assert again(eip).subscription.renew_flag == "DISABLE_NOTIFY_AND_MANUAL_RENEW"
    assert lines(eip) == [
        ("buy_address", "delivered", MONTH_MINOR, 0), ("renew_address", "delivered", 2 * MONTH_MINOR, 0),
    ]  # fmt: skip
    due = dict(Operation.objects.filter(kind="expire").values_list("subject_id", "due_at"))
    assert due == {eip.id: EXPIRY.replace(month=6), other.id: EXPIRY.replace(month=7)}
    assert list(reconcile()) == []


def test_a_renewal_out_of_the_bin_leads_it_to_its_machine_again(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    no_closes()
    eip, idle = bound(account, machine, by_month()), _bought(account)
    go_to(test_clock, EXPIRY + DAY)
    assert (seen(machine), again(idle).subscription.standing) == ("", "isolated")
    renew.ACT.order(by(account), Renewal([eip.public_id, idle.public_id]))
    work()
    assert (latest(eip)[0], seen(machine), term(eip)[1]) == ("BIND", eip.ip, EXPIRY.replace(month=5))
    assert (latest(idle)[0], again(idle).subscription.standing) == ("UNBIND", "active")
    assert not Operation.objects.filter(kind="release_address").exists()
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("what", "error", "field"),
    [
        ({"months": 13}, PeriodNotSold, "months"),
        ({"months": 0, "day": 32}, InvalidParameter, "day"),
        ({"renew_flag": "ALWAYS"}, InvalidValue, "renew_flag"),
        ({"public_ids": ["eip-none1234"]}, errors.UnknownEip, "addresses"),
        ({"months": 12}, errors.InsufficientBalance, None),
    ],
)
def test_a_renewal_that_cannot_be_is_refused(
    account: int, what: dict[str, object], error: type[errors.Refused], field: str | None
) -> None:
    eip = _bought(account)
    with refused(error, field=field), nothing_written():
        renew.ACT.order(by(account), replace(Renewal([eip.public_id]), **what))  # type: ignore[arg-type]


def test_what_has_no_term_is_not_renewed(account: int) -> None:
    eip = new_address(account, by_traffic())
    code = "UnsupportedOperation.InvalidAddressInternetChargeType"
    with refused(errors.WrongMode, field="addresses", code=code), nothing_written():
        renew.ACT.order(by(account), Renewal([eip.public_id]))
    with refused(errors.WrongMode, field="addresses", code=code), nothing_written():
        renew.set_flag(by(account), [eip.public_id], renew_flag.AUTO)


def test_one_on_its_way_into_the_bin_or_out_of_the_shop_is_not_renewed(account: int) -> None:
    eip = _bought(account)
    give_back(by(account), [eip.public_id])
    with refused(errors.EipBusy, field="addresses"), nothing_written():
        renew.ACT.order(by(account), Renewal([eip.public_id]))
    with refused(errors.EipBusy, field="addresses"), nothing_written():
        give_back(by(account), [eip.public_id])  # merely repeated
    work()
    give_back(by(account), [eip.public_id])
    with refused(errors.EipWrongState, field="addresses", match="being given back"), nothing_written():
        renew.ACT.order(by(account), Renewal([eip.public_id]))


def test_an_unpaid_renewal_is_paid_later(account: int) -> None:
    eip = _bought(account, 1)
    number = renew.ACT.place(by(account), Renewal([eip.public_id]))
    assert purses(account)["cash"] == 100_000 - MONTH_MINOR
    actions.pay(by(account), number)
    assert (term(eip)[1], purses(account)["cash"]) == (EXPIRY.replace(month=5), 100_000 - 2 * MONTH_MINOR)


def test_it_renews_itself_at_midnight_of_its_last_day(account: int, test_clock: BusinessClock) -> None:
    eip = _bought(account)
    renew.set_flag(by(account), [eip.public_id], renew_flag.AUTO)
    go_to(test_clock, MIDNIGHT)
    assert (term(eip)[1], lines(eip)[1][:2]) == (EXPIRY.replace(month=5), ("renew_address", "delivered"))
    go_to(test_clock, EXPIRY)
    assert (again(eip).subscription.standing, purses(account)["cash"]) == ("active", 100_000 - 2 * MONTH_MINOR)


def test_one_that_cannot_pay_is_reminded_of_and_renews_itself_out_of_the_bin(test_clock: BusinessClock) -> None:
    poor = open_purse(cash_minor=MONTH_MINOR + 50)
    eip = _bought(poor, renew_flag=renew_flag.AUTO)
    go_to(test_clock, EXPIRY)
    told = Event.objects.filter(subject_id=eip.id, kind__in=["expires_soon", "renew_failed", "expired"]).order_by("id")
    assert list(told.values_list("kind", flat=True)) == [
        *["expires_soon"] * 4, "renew_failed", "renew_failed", "expired",
    ]  # fmt: skip
    assert again(eip).subscription.standing == "isolated"
    pay(poor, MONTH_MINOR)
    go_to(test_clock, EXPIRY + DAY)
    assert (again(eip).subscription.standing, term(eip)[1]) == ("active", EXPIRY.replace(month=5))
    assert purses(poor)["cash"] == 50
    assert list(reconcile()) == []


# Returns --------------------------------------------------------------------------------------------------------------


def test_the_first_return_within_five_days_gives_everything_back(account: int, test_clock: BusinessClock) -> None:
    """One an account, of whatever is paid ahead."""
    first, second = _bought(account, 3), _bought(account)
    test_clock.set(START + 5 * DAY)
    (quoted,) = quote_refund(account, [first.public_id])
    assert (quoted.refund_minor, quoted.first_free) == (3 * MONTH_MINOR, True)
    before = purses(account)["cash"]
    give_back(by(account), [first.public_id])
    assert purses(account)["cash"] - before == 3 * MONTH_MINOR
    assert Account.objects.get(id=account).free_return_used_at == test_clock.at
    (quoted,) = quote_refund(account, [second.public_id])
    # 120 hours at 0.315
    assert (quoted.refund_minor, quoted.first_free) == (MONTH_MINOR - 3780, False)


def test_an_ordinary_return_gives_back_what_is_not_used_and_a_second_one_frees_it(
    account: int, test_clock: BusinessClock
) -> None:
    """A month and 10 h 30 min of three are used: 345.00 − 115.00 − 10.5 × 0.315 = 226.6925."""
    Account.objects.filter(id=account).update(free_return_used_at=START)
    eip = _bought(account, 3)
    test_clock.set(EXPIRY + dt.timedelta(hours=10, minutes=30))
    before, now = purses(account)["cash"], test_clock.at
    give_back(by(account), [eip.public_id])
    assert purses(account)["cash"] - before == 22_669
    work()
    agreed = again(eip).subscription
    assert (latest(eip), agreed.isolated_source, term(eip), agreed.release_at) == (
        ("UNBIND", "ReleaseAddresses", "SUCCESS"), "MANMADE", (now, now), LEAVES_BIN,
    )  # fmt: skip
    assert lines(eip) == [("buy_address", "returned", 34_500, 22_669)]
    assert not Operation.objects.filter(kind__in=["expire", "term"], subject_id=eip.id).exists()
    assert list(reconcile()) == []
    give_back(by(account), [eip.public_id])
    work()
    assert (latest(eip)[0], PublicAddress.objects.filter(instance_id=eip.id).count()) == ("GONE", 0)
    assert list(reconcile()) == []


def test_prepaid_and_postpaid_ones_are_given_back_together(account: int) -> None:
    prepaid, postpaid = _bought(account), new_address(account, by_traffic())
    task = give_back(by(account), [postpaid.public_id, prepaid.public_id])
    assert set(Eip.objects.values_list("task", flat=True)) == {task}
    work()
    assert (latest(prepaid)[0], latest(postpaid)[0]) == ("UNBIND", "GONE")
    assert list(reconcile()) == []


def test_what_cannot_be_returned(account: int) -> None:
    machine, postpaid = buy_running(account), new_address(account, by_traffic())
    code = "UnsupportedOperation.InvalidAddressInternetChargeType"
    with refused(errors.EipCharged, field="addresses", code=code):
        quote_refund(account, [postpaid.public_id])
    eip = bound(account, machine, by_month())
    with refused(errors.EipWrongState, field="addresses"), nothing_written():
        give_back(by(account), [eip.public_id])
    disassociate(by(account), eip.public_id)
    work()
    quotas.one(account, returns_per_year=0)
    with refused(LimitExceeded, field="addresses", code="LimitExceeded.AccountReturnQuota"), nothing_written():
        give_back(by(account), [eip.public_id])


# Beside machines and arrears ------------------------------------------------------------------------------------------


def test_arrears_leave_it_where_it_is(account: int) -> None:
    machine = buy_running(account, replace(MONTHLY, bandwidth_mbps=0, public_ip=False))
    eip = bound(account, machine, by_month())
    owe(account)
    work()
    assert (latest(eip)[0], again(eip).subscription.standing, seen(machine)) == ("BIND", "active", eip.ip)
    assert list(reconcile()) == []


def test_it_stays_when_its_machine_ends(account: int) -> None:
    machine = buy_running(account)
    eip = bound(account, machine, by_month())
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()
    assert of_machine(machine)[0] == "GONE"
    assert (latest(eip)[0], again(eip).instance_id, again(eip).subscription.standing) == ("UNBIND", None, "active")
    assert list(reconcile()) == []


def test_a_term_that_nobody_paid_is_found(account: int) -> None:
    """The control: the books would tell."""
    eip = _bought(account)
    assert list(reconcile()) == []
    Subscription.objects.filter(pk=eip.pk).update(expires_at=EXPIRY + DAY)
    (found,) = reconcile()
    assert "paid until another instant" in str(found)
    assert eip.public_id in str(found)
