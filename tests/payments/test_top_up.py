"""Given a customer who tops up, then the amount is credited once when the card pays, and never otherwise."""

import datetime as dt

import pytest
from django.db import transaction

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.happened import told
from tests.support.shopper import MONTHLY, MONTHLY_MINOR, open_purse, purses, wanted, work
from vmart.events.record import PAYMENT
from vmart.kernel import clock
from vmart.kernel.errors import Refused
from vmart.ledger.models import Entry, Transfer
from vmart.orders import place
from vmart.orders.errors import OrderNotPayable
from vmart.payments import queries, top_up
from vmart.payments.errors import (
    AmountOutOfRange,
    BadToken,
    TokenReused,
    TooManyOpen,
    UnknownCard,
    UnknownPayment,
    UnknownProvider,
)
from vmart.payments.models import Payment
from vmart.payments.providers import offered, provider_of
from vmart.payments.providers.contract import Charge
from vmart.payments.providers.sandbox import ANSWERS_LATE, DECLINED, PAYS
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop", "sandbox")


def test_a_card_that_pays() -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "sandbox", "t1", method=PAYS)
    assert (stands.state, stands.reason, stands.order_id) == ("succeeded", "", None)
    assert purses(account) == {"cash": 5000, "gift": 0, "owed": 0, "held": 0, "available": 5000}
    payment = Payment.objects.get()
    transfer = Transfer.objects.get()
    assert (transfer.kind, transfer.amount_minor, transfer.subject_id) == ("top_up", 5000, payment.id)
    assert sorted(Entry.objects.values_list("book", "amount_minor")) == [("card", -5000), ("cash", 5000)]
    assert payment.resolved_at == clock.now()
    assert not Operation.objects.exists()
    amount = {"amount_minor": 5000, "provider": "sandbox"}
    assert told(account, PAYMENT) == [("payment_begun", amount), ("payment_succeeded", amount)]


def test_a_card_that_is_declined() -> None:
    account = open_purse()
    stands = top_up.begin(by(account), 5000, "sandbox", "t1", method=DECLINED)
    assert (stands.state, stands.reason) == ("failed", "The card was declined.")
    assert not Transfer.objects.exists()
    assert not Operation.objects.exists()
    why = {"why": "The card was declined.", "provider": "sandbox"}
    assert told(account, PAYMENT)[1:] == [("payment_failed", why)]


def test_a_lost_answer_is_polled_until_it_is_known(test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse()
    wall = clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: wall)
    stands = top_up.begin(by(account), 5000, "sandbox", "t1", method=ANSWERS_LATE)
    assert stands.state == "unknown"
    assert Operation.objects.get().lane == "cards"  # not among timers and the hourly close
    assert not Transfer.objects.exists()
    assert work() == 0  # not before its time
    test_clock.advance(seconds=10)
    assert work() == 1  # still no answer: put off by the wall clock, which stands
    assert Payment.objects.get().state == "unknown"
    assert Operation.objects.get().attempt == 0
    wall += dt.timedelta(seconds=5)
    assert work() == 1
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["cash"] == 5000
    assert not Operation.objects.exists()


def test_a_day_without_an_answer_is_the_sellers_business(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_purse()
    top_up.begin(by(account), 5000, "sandbox", "t1", method=ANSWERS_LATE)
    Operation.objects.update(created_at=clock.wall() - dt.timedelta(days=1, seconds=1))
    test_clock.advance(seconds=10)
    work()
    operation = Operation.objects.get()
    assert (operation.kind, operation.attention) == ("payment_poll", True)
    assert operation.last_error.startswith("no answer from the card provider for a day")
    assert not Transfer.objects.exists()


def test_the_page_can_look_before_the_poll_does(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse()
    begun = top_up.begin(by(account), 5000, "sandbox", "t1", method=ANSWERS_LATE)
    later = clock.wall() + dt.timedelta(seconds=6)
    monkeypatch.setattr(clock, "wall", lambda: later)
    assert top_up.refresh(account, begun.payment_id).state == "succeeded"
    assert top_up.refresh(account, begun.payment_id).state == "succeeded"
    assert purses(account)["cash"] == 5000


@pytest.mark.parametrize(
    ("asked", "refusal", "field"),
    [
        ((99, "sandbox", "t", PAYS), AmountOutOfRange, "amount_minor"),
        ((0, "sandbox", "t", PAYS), AmountOutOfRange, "amount_minor"),
        ((-500, "sandbox", "t", PAYS), AmountOutOfRange, "amount_minor"),
        ((10_000_001, "sandbox", "t", PAYS), AmountOutOfRange, "amount_minor"),
        ((500, "sandbox", "", PAYS), BadToken, "token"),
        ((500, "sandbox", "t" * 65, PAYS), BadToken, "token"),
        ((500, "sandbox", "tü", PAYS), BadToken, "token"),
        ((500, "sandbox", "t\n", PAYS), BadToken, "token"),
        ((500, "sandbox", "t", "4111111111111111"), UnknownCard, "method"),
        ((500, "sandbox", "t", ""), UnknownCard, "method"),
        ((500, "stripe", "t", ""), UnknownProvider, "provider"),
        ((500, "", "t", ""), UnknownProvider, "provider"),
    ],
)
def test_what_is_refused_writes_nothing(asked: tuple[int, str, str, str], refusal: type[Refused], field: str) -> None:
    amount, provider, token, method = asked
    account = open_purse()
    with pytest.raises(refusal) as refused:
        top_up.begin(by(account), amount, provider, token, method=method)
    assert refused.value.field == field
    assert not Payment.objects.exists()
    assert not Operation.objects.exists()
    assert not Transfer.objects.exists()


def test_the_bounds_themselves_are_taken() -> None:
    account = open_purse()
    top_up.begin(by(account), 100, "sandbox", "t1", method=PAYS)
    top_up.begin(by(account), 10_000_000, "sandbox", "t2", method=PAYS)
    assert purses(account)["cash"] == 10_000_100


def test_the_test_provider_is_only_where_it_is_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse()
    top_up.begin(by(account), 500, "sandbox", "t1", method=ANSWERS_LATE)
    monkeypatch.delenv("VMART_SANDBOX_CARDS")
    assert offered() == []
    with pytest.raises(UnknownProvider):
        top_up.begin(by(account), 500, "sandbox", "t2", method=PAYS)
    assert Payment.objects.count() == 1


def test_what_was_begun_before_it_was_turned_off_is_not_credited(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_purse()
    top_up.begin(by(account), 500, "sandbox", "t1", method=ANSWERS_LATE)
    monkeypatch.delenv("VMART_SANDBOX_CARDS")
    test_clock.advance(seconds=10)
    work()
    assert Operation.objects.get().attention
    assert not Transfer.objects.exists()


def test_a_repeated_token_is_the_same_payment() -> None:
    account, other = open_purse(), open_purse("other")
    first = top_up.begin(by(account), 500, "sandbox", "t1", method=PAYS)
    assert top_up.begin(by(account), 500, "sandbox", "t1", method=PAYS) == first
    with pytest.raises(TokenReused):
        top_up.begin(by(account), 501, "sandbox", "t1", method=PAYS)
    assert purses(account)["cash"] == 500
    assert top_up.begin(by(other), 500, "sandbox", "t1", method=PAYS).payment_id != first.payment_id
    assert purses(other)["cash"] == 500


def test_ten_payments_may_wait_for_their_customer() -> None:
    account = open_purse()
    for number in range(10):
        top_up.begin(by(account), 500, "sandbox", f"t{number}", method=ANSWERS_LATE)
    with pytest.raises(TooManyOpen):
        top_up.begin(by(account), 500, "sandbox", "t10", method=PAYS)
    assert Payment.objects.count() == 10
    Payment.objects.filter(token="t0").update(state="failed")
    assert top_up.begin(by(account), 500, "sandbox", "t10", method=PAYS).state == "succeeded"


def test_an_order_needs_what_is_missing_at_least() -> None:
    account = open_purse(cash_minor=250)
    order = place.place(wanted(account))
    assert top_up.least_minor(account, order) == MONTHLY_MINOR - 250
    with pytest.raises(AmountOutOfRange, match=r"at least ¥130\.00"):
        top_up.begin(by(account), MONTHLY_MINOR - 251, "sandbox", "t1", order_id=order, method=PAYS)
    assert not Payment.objects.exists()


def test_an_order_that_is_nearly_paid_needs_the_least_payment() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR - 1)
    assert top_up.least_minor(account, place.place(wanted(account, MONTHLY))) == 100


def test_another_customers_order_and_payment_are_as_if_unknown() -> None:
    account, other = open_purse(), open_purse("other")
    order = place.place(wanted(account))
    with pytest.raises(OrderNotPayable, match="does not exist"):
        top_up.begin(by(other), MONTHLY_MINOR, "sandbox", "t1", order_id=order, method=PAYS)
    assert not Payment.objects.exists()
    mine = top_up.begin(by(account), 500, "sandbox", "t1", method=PAYS)
    with pytest.raises(UnknownPayment):
        top_up.refresh(other, mine.payment_id)
    assert [payment.id for payment in queries.payments_of(account)] == [mine.payment_id]
    assert queries.payments_of(other) == []


def test_payments_are_listed_newest_first_in_pages() -> None:
    account = open_purse()
    numbers = [top_up.begin(by(account), 500, "sandbox", f"t{n}", method=PAYS).payment_id for n in range(5)]
    assert [payment.id for payment in queries.payments_of(account, limit=2)] == numbers[:2:-1]
    assert [payment.id for payment in queries.payments_of(account, before=numbers[3], limit=9)] == numbers[2::-1]


@pytest.mark.parametrize("verb", ["create", "look_up", "cancel"])
def test_no_provider_is_called_inside_a_transaction(verb: str) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        getattr(provider_of("sandbox"), verb)(Charge("vmart-1-x", 500, "CNY", "sandbox_x_0_t"))
