"""Given a card payment, when the seller gives money back to the card, then it leaves the balance once or not at all."""

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from tests.payments.exchanges import ReferenceStripe
from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.happened import told
from tests.support.shopper import HOURLY, buy_running, open_purse, owe, purses, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.events.models import Event
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue, NotFound, Unsupported
from vmart.ledger.models import Entry, Hold, Transfer
from vmart.ledger.queries import statement
from vmart.listings import sales
from vmart.orders import standing
from vmart.orders.credit import credit
from vmart.orders.errors import ChangedMeanwhile, InsufficientBalance, TokenReused
from vmart.payments import to_card, top_up
from vmart.payments.models import CardRefund, Payment
from vmart.payments.providers.sandbox import PAYS, REFUNDS_LATE, TAKES_NOTHING_BACK
from vmart.payments.to_card import Asked
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop", "sandbox")


def paid(account: int, minor: int = 5000, card: str = PAYS, token: str = "t1") -> int:
    """A top-up by the test card; the payment's number."""
    standing = top_up.begin(by(account), minor, "sandbox", token, method=card)
    assert standing.state == "succeeded"
    return standing.payment_id


def give(payment: int, minor: int | None = None, key: str = "k1", shown: str = "") -> CardRefund:
    return to_card.give(Asked(payment, minor), "not wanted", SELLER, key, shown=shown)


def gift(account: int, minor: int) -> None:
    with db.act():
        credit(uuid.uuid4(), "grant", account, "gifts", gift_minor=minor)


# -- what it does --------------------------------------------------------------------------------------


def test_a_part_goes_back_to_the_card_and_leaves_the_balance() -> None:
    account = open_purse()
    payment = paid(account)
    refund = give(payment, 2000)
    assert (refund.state, refund.amount_minor, refund.actor) == ("succeeded", 2000, SELLER.name)
    assert refund.resolved_at is not None
    assert purses(account) == {"cash": 3000, "gift": 0, "owed": 0, "held": 0, "available": 3000}
    assert (Payment.objects.get().refunded_minor, Payment.objects.get().left_minor) == (2000, 3000)
    sides = dict(Entry.objects.filter(transfer_id=refund.hold_id).values_list("book", "amount_minor"))
    assert sides == {"cash": -2000, "card": 2000}
    line = statement(account)[0]
    assert (line.kind, line.book, line.amount_minor, line.balance_after_minor) == ("card_refund", "cash", -2000, 3000)
    assert not Operation.objects.exists()
    assert list(reconcile()) == []


def test_whole_is_all_that_is_left_and_free() -> None:
    account = open_purse(cash_minor=700)
    payment = paid(account)
    give(payment, 1500, "one")
    assert give(payment, None, "two").amount_minor == 3500
    assert purses(account)["cash"] == 700
    with refused(Unsupported, match="All that the card paid", field="payment_id"):
        give(payment, 1, "three")
    assert to_card.most_minor(payment) == 0


def test_all_is_no_more_than_lies_free_in_cash() -> None:
    account = open_purse()
    payment = paid(account)
    gift(account, 900)
    machine = buy_running(account, HOURLY)
    held = purses(account)["held"]
    assert held > 0
    assert machine.state == "RUNNING"
    owe(account, -4000)
    free = min(purses(account)["cash"], purses(account)["available"])
    assert to_card.most_minor(payment) == free == 4000 - held
    assert give(payment).amount_minor == free
    assert purses(account)["available"] == 0


def test_it_is_written_down_by_whom_and_why() -> None:
    account = open_purse()
    payment = paid(account)
    give(payment, 2000)
    assert told(account, "payment")[-2:] == [
        ("card_refund_begun", {"amount_minor": 2000, "why": "not wanted", "provider": "sandbox"}),
        ("card_refund_succeeded", {"amount_minor": 2000, "provider": "sandbox"}),
    ]
    assert Event.objects.get(kind="card_refund_begun").actor == {"via": "command", "user": "me"}


def test_it_is_no_revenue_lost() -> None:
    payment = paid(open_purse())
    before = sales.today(dt.UTC).revenue_minor
    give(payment, 2000)
    assert sales.today(dt.UTC).revenue_minor == before


def test_what_an_order_got_back_goes_on_to_the_card() -> None:
    """The two acts of the seller: a refund of an order gives to the balance, this one takes it from there."""
    account = open_purse()
    payment = paid(account)
    owe(account, -1000)  # 40.00 were spent
    with db.act():
        credit(uuid.uuid4(), "credit", account, "by_hand", cash_minor=4000)
    assert give(payment).amount_minor == 5000
    assert purses(account)["cash"] == 0


def test_a_frozen_account_gets_its_money_back() -> None:
    """Frozen is who buys nothing, most often since the card was not his: its money goes back to its owner."""
    account = open_purse()
    payment = paid(account)
    standing.freeze(account, "stolen card", SELLER)
    assert give(payment).state == "succeeded"
    assert purses(account)["cash"] == 0


def test_the_same_key_is_the_same_refund_and_another_amount_is_refused() -> None:
    account = open_purse()
    payment = paid(account)
    first = give(payment, 2000)
    with nothing_written():
        assert give(payment, 2000).id == first.id
        assert give(payment).id == first.id
    with refused(TokenReused, field="key"):
        give(payment, 2001)
    with refused(TokenReused, field="key"):
        to_card.give(Asked(payment, 2000), "another reason", SELLER, "k1")


def test_only_what_was_shown_is_done() -> None:
    account = open_purse()
    payment = paid(account)
    shown = to_card.foretell(Asked(payment, 2000))
    assert (shown.amount_minor, shown.after_minor, shown.left_minor, shown.shown) == (2000, 3000, 3000, "2000:5000")
    assert shown.takes == "At once. No money moves: it is a test card."
    give(payment, 1000, "another operator")
    with refused(ChangedMeanwhile):
        give(payment, 2000, shown=shown.shown)
    give(payment, 2000, shown=to_card.foretell(Asked(payment, 2000)).shown)
    assert purses(account)["cash"] == 2000


# -- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [0, -1, 5001, 10**12, 2**63])
def test_an_amount_that_the_card_did_not_pay_is_refused(minor: int) -> None:
    payment = paid(open_purse(cash_minor=100_000))
    for ask in (lambda: to_card.foretell(Asked(payment, minor)), lambda: give(payment, minor)):
        with refused(InvalidValue, match="at most ¥50.00", field="amount_minor"):
            ask()


def test_money_that_is_not_there_any_more_is_refused() -> None:
    account = open_purse()
    payment = paid(account)
    owe(account, -1000)
    assert purses(account)["cash"] == 1000
    with refused(InsufficientBalance, match="¥10.01 cannot go back to the card: ¥10.00 lie free", field="amount_minor"):
        give(payment, 1001)
    assert give(payment).amount_minor == 1000


def test_gift_never_goes_to_a_card() -> None:
    account = open_purse()
    payment = paid(account)
    owe(account, -0)  # all of it was spent
    gift(account, 9000)
    assert purses(account) == {"cash": 0, "gift": 9000, "owed": 0, "held": 0, "available": 9000}
    for amount in (None, 1):
        with refused(InsufficientBalance, match="¥0.00 lie free in cash", field="amount_minor"):
            give(payment, amount)


def test_who_owes_gets_nothing_back() -> None:
    account = open_purse()
    payment = paid(account)
    owe(account, 100)
    with refused(InsufficientBalance, field="amount_minor"):
        give(payment)


def test_a_payment_that_no_card_has_paid_is_refused(reference_stripe: ReferenceStripe) -> None:
    account = open_purse(cash_minor=5000)
    begun = top_up.begin(by(account), 5000, "stripe", "t1")
    assert begun.state == "pending"
    for state in ("created", "pending", "unknown", "failed"):
        Payment.objects.update(state=state)
        with refused(Unsupported, match="No card has paid", field="payment_id"):
            give(begun.payment_id)
        assert to_card.most_minor(begun.payment_id) == 0
    assert reference_stripe.refunds == {}


@pytest.mark.parametrize("number", [0, -1, 999, 2**63, 2**70])
def test_a_payment_that_is_not_there_is_refused(number: int) -> None:
    with refused(NotFound, match=f"The payment {number} does not exist.", field="payment_id"):
        give(number)


@pytest.mark.parametrize(
    ("reason", "key", "field"),
    [("", "k", "reason"), (" ", "k", "reason"), ("x" * 201, "k", "reason"), ("a\nb", "k", "reason"), ("x", "", "key"),
     ("x", "k" * 65, "key"), ("x", "a\0", "key")],
)  # fmt: skip
def test_a_reason_and_a_key_are_asked_for(reason: str, key: str, field: str) -> None:
    payment = paid(open_purse())
    with refused(InvalidValue, field=field):
        to_card.give(Asked(payment), reason, SELLER, key)


def test_a_provider_that_is_not_set_up_any_more_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    payment = paid(open_purse())
    monkeypatch.delenv("VMART_SANDBOX_CARDS")
    with refused(InvalidValue, match="Payment by sandbox is not offered here.", field="provider"):
        give(payment)


def test_the_database_keeps_the_bound_too() -> None:
    payment = paid(open_purse())
    for refunded in (5001, -1):
        with pytest.raises(IntegrityError, match="payments_payment_refunded"), transaction.atomic():
            Payment.objects.filter(id=payment).update(refunded_minor=refunded)
    refund = give(payment, 2000)
    with pytest.raises(IntegrityError, match="payments_refund_positive"), transaction.atomic():
        CardRefund.objects.filter(id=refund.id).update(amount_minor=0)
    with pytest.raises(IntegrityError, match="payments_refund_resolved"), transaction.atomic():
        CardRefund.objects.filter(id=refund.id).update(state="asked")


# -- what does not go at once --------------------------------------------------------------------------


def test_a_card_that_takes_nothing_back_leaves_the_money_in_the_balance() -> None:
    account = open_purse()
    payment = paid(account, card=TAKES_NOTHING_BACK)
    refund = give(payment, 2000)
    assert (refund.state, refund.why) == ("failed", "The card takes no money back.")
    assert purses(account) == {"cash": 5000, "gift": 0, "owed": 0, "held": 0, "available": 5000}
    assert Payment.objects.get().left_minor == 5000
    assert Hold.objects.get().state == "voided"
    assert not Transfer.objects.filter(kind="card_refund").exists()
    assert told(account, "payment")[-1] == (
        "card_refund_failed", {"amount_minor": 2000, "provider": "sandbox", "why": "The card takes no money back."},
    )  # fmt: skip
    assert list(reconcile()) == []


def test_a_lost_answer_sets_the_money_aside_until_it_is_found(test_clock: BusinessClock) -> None:
    account = open_purse()
    payment = paid(account, card=REFUNDS_LATE)
    refund = give(payment, 2000)
    assert (refund.state, refund.resolved_at) == ("unknown", None)
    assert purses(account) == {"cash": 5000, "gift": 0, "owed": 0, "held": 2000, "available": 3000}
    assert list(reconcile()) == []
    assert to_card.most_minor(payment) == 3000
    assert work() == 0
    test_clock.advance(seconds=10)
    assert work() == 1
    assert CardRefund.objects.get().state == "succeeded"
    assert purses(account) == {"cash": 3000, "gift": 0, "owed": 0, "held": 0, "available": 3000}
    assert not Operation.objects.exists()
    assert list(reconcile()) == []


_BROKEN: dict[str, Callable[[int], object]] = {
    "a refund to a card is not what the ledger has set aside or moved for it": lambda refund: CardRefund.objects.filter(
        id=refund
    ).update(state="failed"),
    "what a payment says went back to its card is not what its refunds say": lambda refund: Payment.objects.update(
        refunded_minor=1
    ),
    "the ledger has given back to a card what no refund says": lambda refund: CardRefund.objects.filter(
        id=refund
    ).delete(),
    "a refund to a card is under way and nothing works on it": lambda refund: CardRefund.objects.filter(
        id=refund
    ).update(state="unknown", resolved_at=None),
}


@pytest.mark.parametrize("what", _BROKEN)
def test_reconcile_tells_what_does_not_agree(what: str) -> None:
    refund = give(paid(open_purse()), 2000)
    assert list(reconcile()) == []
    _BROKEN[what](refund.id)
    assert what in "\n".join(reconcile())
