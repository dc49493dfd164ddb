"""Given a Stripe that loses answers, sends messages in any order, and banks that send money back, then a refund has
one effect: the money has left once, or is in the balance."""

import signal
import subprocess
import sys
import threading
import uuid
from typing import Any

import pytest

from tests.payments.conftest import LocalStripe
from tests.payments.exchanges import ReferenceStripe
from tests.payments.signing import event, refund_event, signed
from tests.support.actors import SELLER, by
from tests.support.at_once import at_once
from tests.support.business_clock import START, BusinessClock
from tests.support.database import ROOT
from tests.support.shopper import MONTHLY_MINOR, open_purse, owe, pay, purses, wanted, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import InvalidValue, Refused
from vmart.ledger.models import Transfer
from vmart.orders.errors import InsufficientBalance
from vmart.orders.purchase import purchase
from vmart.payments import look_back, refunded, to_card, top_up
from vmart.payments.models import CardRefund, Payment, Unexplained
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Outcome, Refund, Status
from vmart.payments.record import CARDS_LANE
from vmart.payments.to_card import Asked
from vmart.payments.webhook import receive
from vmart.worker import queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")

GONE = {"cash": 3000, "gift": 0, "owed": 0, "held": 0, "available": 3000}
ASIDE = {"cash": 5000, "gift": 0, "owed": 0, "held": 2000, "available": 3000}
BACK = {"cash": 5000, "gift": 0, "owed": 0, "held": 0, "available": 5000}


@pytest.fixture
def paid(reference_stripe: ReferenceStripe) -> tuple[int, int]:
    """An account whose card has paid 50.00; the account and the payment."""
    account = open_purse()
    begun = top_up.begin(by(account), 5000, "stripe", "t1")
    reference_stripe.pay()
    assert top_up.refresh(account, begun.payment_id).state == "succeeded"
    reference_stripe.requests.clear()
    return account, begun.payment_id


def give(payment: int, minor: int | None = 2000, key: str = "k1") -> CardRefund:
    return to_card.give(Asked(payment, minor), "not wanted", SELLER, key)


def _tell(kind: str, refund: dict[str, Any]) -> int:
    return receive("stripe", *signed(refund_event(kind, refund)))


def _work_now() -> int:
    Operation.objects.update(not_before=None)
    return work()


def test_stripe_is_asked_for_exactly_this(paid: tuple[int, int], reference_stripe: ReferenceStripe) -> None:
    account, payment = paid
    refund = give(payment)
    assert (refund.state, refund.reference) == ("succeeded", "re_000000000000000000000001")
    assert reference_stripe.requests == [("POST", "/v1/refunds", to_card.refund_token(refund))]
    (made,) = reference_stripe.refunds.values()
    assert (made["amount"], made["payment_intent"], made["metadata"]) == (
        2000, Payment.objects.get().reference,
        {"vmart_refund": to_card.refund_token(refund), "vmart_deployment": top_up.deployment()},
    )  # fmt: skip
    assert purses(account) == GONE
    assert list(reconcile()) == []


def test_at_localstripe_a_refund_is_one(localstripe: LocalStripe) -> None:
    account = open_purse()
    begun = top_up.begin(by(account), 5000, "stripe", "t1")
    localstripe.confirm(begun.page["client_secret"])
    assert top_up.refresh(account, begun.payment_id).state == "succeeded"
    assert give(begun.payment_id).state == "succeeded"
    made = localstripe.http.get("/v1/refunds", params={"payment_intent": Payment.objects.get().reference}).json()
    assert [(one["amount"], one["status"]) for one in made["data"]] == [(2000, "succeeded")]
    assert purses(account) == GONE


def test_the_krona_goes_back_in_hundredths(reference_stripe: ReferenceStripe) -> None:
    stripe = provider_of("stripe")
    reference_stripe.intents["pi_1"] = {"id": "pi_1", "amount_received": 70_000, "currency": "isk"}
    given = stripe.refund(Refund("r1", 300, "ISK", "pi_1"))
    assert (given.status, given.amount_minor, given.currency) == (Status.SUCCEEDED, 300, "ISK")
    assert reference_stripe.refunds[given.reference]["amount"] == 30_000


def test_an_amount_that_stripe_cannot_give_is_refused(paid: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmart.payments.providers.stripe_card.step_minor", lambda _currency: 10)
    with refused(InvalidValue, match="multiple of ¥0.10", field="amount_minor"):
        give(paid[1], 2001)
    owe(paid[0], -1234)
    assert to_card.most_minor(paid[1]) == 1230


# -- answers that are lost -----------------------------------------------------------------------------


@pytest.mark.parametrize("forgotten", [False, True])
def test_a_lost_answer_is_found_and_asked_for_no_second_time(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock, forgotten: bool
) -> None:
    """Also a day later, when Stripe has forgotten the key."""
    account, payment = paid
    reference_stripe.lose_answers = 1
    refund = give(payment)
    assert (refund.state, refund.reference, purses(account)) == ("unknown", "", ASIDE)
    if forgotten:
        reference_stripe.forget_keys()
    test_clock.advance(seconds=10)
    assert work() == 1
    assert CardRefund.objects.get().state == "succeeded"
    assert purses(account) == GONE
    assert len(reference_stripe.refunds) == 1
    assert not Operation.objects.exists()
    assert list(reconcile()) == []


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
def test_a_stripe_that_does_not_work_is_asked_again(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock, status: int
) -> None:
    account, payment = paid
    reference_stripe.fail_with = status
    assert give(payment).state == "unknown"
    test_clock.advance(seconds=10)
    for _ in range(3):
        assert _work_now() == 1
        assert (CardRefund.objects.get().state, purses(account)) == ("unknown", ASIDE)
    reference_stripe.fail_with = None
    assert _work_now() == 1
    assert (CardRefund.objects.get().state, purses(account)) == ("succeeded", GONE)
    assert len(reference_stripe.refunds) == 1


def test_a_day_without_an_answer_is_the_sellers_business_and_retry_goes_on(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock
) -> None:
    account, payment = paid
    reference_stripe.fail_with = 500
    give(payment)
    test_clock.advance(seconds=10)
    db.rows("UPDATE worker_operation SET created_at = created_at - interval '25 hours' RETURNING id")
    _work_now()
    operation = Operation.objects.get()
    assert operation.attention
    assert "no answer from the card provider for a day" in operation.last_error
    assert purses(account) == ASIDE
    reference_stripe.fail_with = None
    assert queue.retry(operation.id)
    work()
    assert purses(account) == GONE


def test_a_provider_that_was_taken_away_meanwhile_is_the_sellers_business(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference_stripe.lose_answers = 1
    give(paid[1])
    monkeypatch.delenv("VMART_STRIPE_SECRET_KEY")
    test_clock.advance(seconds=10)
    work()
    assert Operation.objects.get().last_error == "Payment by stripe is not offered here."
    assert purses(paid[0]) == ASIDE


# -- what the provider says later ----------------------------------------------------------------------


def test_one_that_stripe_has_not_sent_yet_stays_aside_until_it_has(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock
) -> None:
    account, payment = paid
    reference_stripe.refund_status = "pending"
    assert give(payment).state == "pending"
    test_clock.advance(seconds=10)
    assert _work_now() == 1
    assert (CardRefund.objects.get().state, purses(account)) == ("pending", ASIDE)
    next(iter(reference_stripe.refunds.values()))["status"] = "succeeded"
    test_clock.advance(seconds=10)
    assert _work_now() == 1
    assert (CardRefund.objects.get().state, purses(account)) == ("succeeded", GONE)


@pytest.mark.parametrize("kind", ["refund.updated", "charge.refund.updated"])
def test_its_own_message_tells_that_it_was_sent(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, kind: str
) -> None:
    account, payment = paid
    reference_stripe.refund_status = "pending"
    give(payment)
    (made,) = reference_stripe.refunds.values()
    assert _tell("refund.created", made) == 200
    assert purses(account) == ASIDE
    made["status"] = "succeeded"
    assert [_tell(kind, made) for _ in range(3)] == [200] * 3
    assert (CardRefund.objects.get().state, purses(account)) == ("succeeded", GONE)
    assert Transfer.objects.filter(kind="card_refund").count() == 1
    assert not Operation.objects.exists()
    assert not Unexplained.objects.exists()


def test_what_a_bank_sends_back_is_in_the_balance_again(
    paid: tuple[int, int], reference_stripe: ReferenceStripe
) -> None:
    account, payment = paid
    assert give(payment).state == "succeeded"
    failed = reference_stripe.refund_fails()
    assert [_tell("refund.failed", failed), _tell("refund.updated", failed)] == [200, 200]
    refund = CardRefund.objects.get()
    assert (refund.state, refund.why) == ("failed", "The card has expired or was canceled.")
    assert purses(account) == BACK
    assert Payment.objects.get().left_minor == 5000
    kinds = list(Transfer.objects.filter(kind__startswith="card").order_by("at", "kind").values_list("kind", flat=True))
    assert kinds == ["card_refund", "card_refund_failed"]
    assert list(reconcile()) == []
    old = {**failed, "status": "succeeded"}
    assert _tell("refund.updated", old) == 200  # it was on its way for long
    assert purses(account) == BACK
    assert not Unexplained.objects.exists()
    assert give(payment, 5000, "k2").state == "succeeded"
    assert purses(account)["cash"] == 0
    assert list(reconcile()) == []


def test_what_comes_back_pays_what_is_owed_by_then(paid: tuple[int, int], reference_stripe: ReferenceStripe) -> None:
    account, payment = paid
    give(payment)
    owe(account, 500)
    _tell("refund.failed", reference_stripe.refund_fails())
    assert purses(account) == {"cash": 1500, "gift": 0, "owed": 0, "held": 0, "available": 1500}
    assert list(reconcile()) == []


def test_what_stripe_refuses_is_in_the_balance_and_says_why(
    paid: tuple[int, int], reference_stripe: ReferenceStripe
) -> None:
    account, payment = paid
    reference_stripe.refund_by_hand(4000)
    refund = give(payment)
    assert (refund.state, refund.why) == ("failed", "Refund amount is greater than unrefunded amount …")
    assert purses(account) == BACK
    assert list(reconcile()) == []


def test_a_refund_on_stripes_own_page_is_told_and_takes_nothing_here(
    paid: tuple[int, int], reference_stripe: ReferenceStripe
) -> None:
    account, payment = paid
    made = reference_stripe.refund_by_hand(4000)
    assert [_tell("refund.created", made), _tell("refund.updated", made)] == [200, 200]
    kept = Unexplained.objects.get()
    assert (kept.reference, kept.times) == (made["id"], 2)
    assert kept.why == (
        f"succeeded, 4000 CNY given back of payment {payment}, and not from here: the balance still has it"
    )
    assert purses(account) == BACK


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"amount": 1999}, "the provider gave back 1999 CNY"),
        ({"currency": "usd"}, "the provider gave back 2000 USD"),
        ({"id": "re_x"}, "is re_000000000000000000000001, not re_x"),
        ({"amount": "2000"}, "values of another type: an amount of '2000'"),
        ({"status": None}, "values of another type: a text of None"),
        ({"payment_intent": 5}, "values of another type: a text of 5"),
        ({"metadata": {"vmart_refund": 7}}, "values of another type: a text of 7"),
    ],
)
def test_a_message_that_disagrees_is_the_sellers_business(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, changed: dict[str, Any], why: str
) -> None:
    reference_stripe.refund_status = "pending"
    give(paid[1])
    (made,) = reference_stripe.refunds.values()
    assert _tell("refund.updated", {**made, "status": "succeeded", **changed}) == 200
    assert Unexplained.objects.get().why.endswith(why)
    assert purses(paid[0]) == ASIDE


@pytest.mark.parametrize("foreign", ["another shop", "guessed code", "not of a payment of ours", "no intent", "huge"])
def test_a_message_about_nothing_of_ours_is_ignored(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, foreign: str
) -> None:
    reference_stripe.refund_status = "pending"
    refund = give(paid[1])
    (made,) = reference_stripe.refunds.values()
    said = {**made, "status": "succeeded"} | {
        "another shop": {"metadata": {"vmart_refund": "vmart-refund-1-x", "vmart_deployment": "0123456789abcdef"}},
        "guessed code": {"metadata": {"vmart_refund": f"vmart-refund-{refund.id}-{'0' * 24}"}},
        "not of a payment of ours": {"metadata": {}, "payment_intent": "pi_other"},
        "no intent": {"metadata": {}, "payment_intent": None},
        "huge": {"metadata": {"vmart_refund": f"vmart-refund-{'9' * 40}-x"}},
    }[foreign]
    with nothing_written():
        assert _tell("refund.updated", said) == 200


def test_a_success_of_what_was_refused_is_the_sellers_business(paid: tuple[int, int]) -> None:
    """The one way to lose money: it is in the balance, and on the card."""
    give(paid[1])
    CardRefund.objects.update(state="failed", reference="")
    with pytest.raises(refunded.Disagreement, match="was refused, and the provider gave back 2000"):
        refunded.record(CardRefund.objects.get().id, Outcome(Status.SUCCEEDED, "re_1", 2000, "CNY"), currency="CNY")


def test_a_restored_shop_learns_of_refunds(paid: tuple[int, int], reference_stripe: ReferenceStripe) -> None:
    """Given a backup from before an answer, and from before a refund, then one has its end and the other is shown."""
    account, payment = paid
    reference_stripe.lose_answers = 1
    known = give(payment, 2000)
    lost = give(payment, 1000, "k2")
    name = to_card.refund_token(lost)
    Operation.objects.all().delete()
    CardRefund.objects.filter(id=lost.id).update(key="another", created_at=START)  # as one that was never here
    payload = {"since": "2026-03-01T00:00:00+00:00"}
    queue.enqueue(look_back.KIND, "machine", 0, lane=CARDS_LANE, due_at=START, payload=payload)
    CardRefund.objects.filter(id=lost.id).update(hold_id="00000000-0000-8000-8000-000000000000")
    work()
    assert CardRefund.objects.get(id=known.id).state == "succeeded"
    assert Unexplained.objects.get().why == f"succeeded, 1000 CNY: no refund here is called {name}"
    assert purses(account)["cash"] == 2000


# -- killed --------------------------------------------------------------------------------------------

_PROGRAM = """
import os, signal, sys, datetime
import django
django.setup()
from vmart.kernel import clock
clock.install(lambda: datetime.datetime.fromisoformat({now!r}))
from vmart.events.actor import COMMAND, Actor
from vmart.payments import refunded, to_card

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

point = {point!r}
if point == "before the note is committed":
    to_card.events.write = die
elif point == "before the provider is asked":
    to_card.refund_at_provider = die
elif point == "after the provider's answer":
    refunded.record = die
elif point == "between money and state":
    refunded._end = die
elif point == "before the commit":
    refunded.queue.forget = die
to_card.give(to_card.Asked({payment}, 2000), "not wanted", Actor(None, COMMAND, "me"), "k1")
"""
_POINTS = {  # and how often Stripe has been asked, and what is in the purses, when the process has died
    "before the note is committed": (0, BACK),
    "before the provider is asked": (0, ASIDE),
    "after the provider's answer": (1, ASIDE),
    "between money and state": (1, ASIDE),
    "before the commit": (1, ASIDE),
}


@pytest.mark.parametrize("point", _POINTS)
def test_killed_between_two_steps(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock, point: str
) -> None:
    account, payment = paid
    program = _PROGRAM.format(now=START.isoformat(), point=point, payment=payment)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT / "src", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    made, held = _POINTS[point]
    assert (len(reference_stripe.refunds), purses(account)) == (made, held)
    assert list(reconcile()) == []
    test_clock.advance(seconds=10)
    work()
    if held == BACK:
        assert not CardRefund.objects.exists()
        give(payment)  # the form is sent again
    assert CardRefund.objects.get().state == "succeeded"
    assert (len(reference_stripe.refunds), purses(account)) == (1, GONE)
    assert Transfer.objects.filter(kind="card_refund").count() == 1
    assert not Operation.objects.exists()
    assert list(reconcile()) == []


# -- races ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round_number", range(3))
def test_of_two_at_once_of_one_payment_only_what_is_left_goes(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, round_number: int
) -> None:
    """Each is of more than half, and the balance would have both."""
    account, payment = paid
    pay(account, 9000)
    results = at_once(lambda: give(payment, 3000, "one"), lambda: give(payment, 3000, "two"))
    assert sorted(type(result).__name__ for result in results) == ["CardRefund", "InvalidValue"]
    assert sum(one["amount"] for one in reference_stripe.refunds.values()) == 3000
    assert purses(account)["cash"] == 11_000
    assert list(reconcile()) == []


def test_control_without_the_lock_more_goes_than_is_left(paid: tuple[int, int]) -> None:
    """Read what is left, decide, set aside: two that have both read take more than the card paid."""
    account, payment = paid
    pay(account, 9000)
    have_read = threading.Barrier(2)

    def naive() -> None:
        left = Payment.objects.get(id=payment).left_minor
        have_read.wait(10)
        if left >= 3000:
            with db.act():
                db.call("ledger_hold_cash", uuid.uuid4(), account, 3000, payment, START)

    assert at_once(naive, naive) == [None, None]
    assert purses(account)["held"] == 6000


def test_the_same_form_sent_twice_at_once_is_one_refund(
    paid: tuple[int, int], reference_stripe: ReferenceStripe
) -> None:
    account, payment = paid
    first, second = at_once(lambda: give(payment), lambda: give(payment))
    assert isinstance(first, CardRefund)
    assert isinstance(second, CardRefund)
    assert first.id == second.id
    assert len(reference_stripe.refunds) == 1
    assert purses(account) == GONE


@pytest.mark.parametrize("round_number", range(3))
def test_against_a_purchase_that_spends_the_same_balance(reference_stripe: ReferenceStripe, round_number: int) -> None:
    """The balance has enough for one of both."""
    account = open_purse()
    begun = top_up.begin(by(account), MONTHLY_MINOR, "stripe", "t1")
    reference_stripe.pay()
    top_up.refresh(account, begun.payment_id)
    results = at_once(lambda: give(begun.payment_id, None), lambda: purchase(wanted(account)))
    lost = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in lost] == [InsufficientBalance]
    assert purses(account)["available"] == 0
    assert (len(reference_stripe.refunds), Instance.objects.count()) in ((1, 0), (0, 1))
    assert [fault for fault in reconcile() if "ledger" in fault or "hold" in fault] == []


def test_control_without_the_hold_both_are_had(reference_stripe: ReferenceStripe) -> None:
    """A refund that would look at the balance, ask the provider, and take the money then: it is spent by then."""
    account = open_purse()
    begun = top_up.begin(by(account), MONTHLY_MINOR, "stripe", "t1")
    reference_stripe.pay()
    top_up.refresh(account, begun.payment_id)
    assert purses(account)["available"] >= MONTHLY_MINOR
    purchase(wanted(account))
    charge = Payment.objects.get().reference
    assert provider_of("stripe").refund(Refund("x", MONTHLY_MINOR, "CNY", charge)).status == Status.SUCCEEDED
    with pytest.raises(Refused):
        give(begun.payment_id)


def test_answer_message_and_poll_at_once_have_one_effect(
    paid: tuple[int, int], reference_stripe: ReferenceStripe, test_clock: BusinessClock
) -> None:
    account, payment = paid
    reference_stripe.refund_status = "pending"
    give(payment)
    (made,) = reference_stripe.refunds.values()
    made["status"] = "succeeded"
    test_clock.advance(seconds=10)
    results = at_once(lambda: _tell("refund.updated", made), lambda: _tell("refund.updated", made), work, work)
    assert results[:2] == [200, 200]
    assert (CardRefund.objects.get().state, purses(account)) == ("succeeded", GONE)
    assert Transfer.objects.filter(kind="card_refund").count() == 1


def test_other_messages_still_have_their_effect(paid: tuple[int, int], reference_stripe: ReferenceStripe) -> None:
    intent = next(iter(reference_stripe.intents.values()))
    with nothing_written():
        assert receive("stripe", *signed(event("succeeded", intent))) == 200
        assert receive("stripe", *signed({**event("succeeded", intent), "type": "charge.refunded"})) == 200
