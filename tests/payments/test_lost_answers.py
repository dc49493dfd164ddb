"""Given a Stripe that honours its keys and whose answers get lost, then nothing is asked twice and nothing lost."""

import pytest

from tests.payments.exchanges import ReferenceStripe
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import open_purse, purses, work
from vmart.ledger.models import Transfer
from vmart.payments import top_up
from vmart.payments.models import Payment
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Charge, Status
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")


def _work_now() -> int:
    Operation.objects.update(not_before=None)  # the pause between two questions is not what is tested
    return work()


def test_the_key_is_the_payments_own_token(reference_stripe: ReferenceStripe) -> None:
    top_up.begin(by(open_purse()), 5000, "stripe", "t1")
    assert reference_stripe.requests == [
        ("POST", "/v1/payment_intents", top_up.provider_token(Payment.objects.get())),
    ]  # fmt: skip


def test_two_payments_have_two_keys(reference_stripe: ReferenceStripe) -> None:
    """Also with the same page token and amount, of two accounts."""
    for name in ("one", "two"):
        top_up.begin(by(open_purse(name)), 5000, "stripe", "t1")
    assert len({key for _, _, key in reference_stripe.requests}) == 2
    assert len(reference_stripe.intents) == 2


def test_a_lost_answer_to_the_creation(reference_stripe: ReferenceStripe, test_clock: BusinessClock) -> None:
    """Asked again under the same key, Stripe tells of the same PaymentIntent, which the customer then pays."""
    account = open_purse()
    reference_stripe.lose_answers = 1
    stands = top_up.begin(by(account), 5000, "stripe", "t1")
    assert (stands.state, dict(stands.page)) == ("unknown", {})
    assert Payment.objects.get().reference == ""
    test_clock.advance(seconds=10)
    work()
    assert (Payment.objects.get().state, len(reference_stripe.intents)) == ("pending", 1)
    shown = top_up.refresh(account, stands.payment_id)
    assert shown.page["client_secret"] == f"{Payment.objects.get().reference}_secret_x"
    reference_stripe.pay()
    assert top_up.refresh(account, stands.payment_id).state == "succeeded"
    assert purses(account)["cash"] == 5000


def test_lost_answers_to_the_poll(reference_stripe: ReferenceStripe, test_clock: BusinessClock) -> None:
    account = open_purse()
    top_up.begin(by(account), 5000, "stripe", "t1")
    reference_stripe.pay()
    reference_stripe.lose_answers = 3
    test_clock.advance(seconds=10)
    for left in (2, 1, 0):
        assert _work_now() == 1
        assert reference_stripe.lose_answers == left
        assert Payment.objects.get().state == "pending"
        assert not Transfer.objects.exists()
    _work_now()
    assert purses(account)["cash"] == 5000
    assert len(reference_stripe.intents) == 1


@pytest.mark.parametrize("status", [401, 409, 429, 500, 503])
def test_a_stripe_that_does_not_work_leaves_the_outcome_unknown(
    reference_stripe: ReferenceStripe, test_clock: BusinessClock, status: int
) -> None:
    account = open_purse()
    reference_stripe.fail_with = status
    begun = top_up.begin(by(account), 5000, "stripe", "t1")
    assert begun.state == "unknown"
    test_clock.advance(seconds=10)
    assert _work_now() == 1
    assert Payment.objects.get().state == "unknown"
    reference_stripe.fail_with = None
    assert _work_now() == 1
    assert Payment.objects.get().state == "pending"
    reference_stripe.pay()
    assert top_up.refresh(account, begun.payment_id).state == "succeeded"
    assert purses(account)["cash"] == 5000


def test_what_stripe_understood_and_refused_has_failed(reference_stripe: ReferenceStripe) -> None:
    provider = provider_of("stripe")
    outcome = provider.create(Charge("vmart-1-x", 49, "CNY"))
    assert (outcome.status, outcome.reason) == (Status.FAILED, "Amount must be at least ¥0.50 cny.")
    assert reference_stripe.intents == {}


def test_the_same_key_for_another_amount_is_never_a_success(reference_stripe: ReferenceStripe) -> None:
    provider = provider_of("stripe")
    assert provider.create(Charge("vmart-1-x", 500, "CNY")).status == Status.PENDING
    assert provider.create(Charge("vmart-1-x", 600, "CNY")).status == Status.UNKNOWN
    assert len(reference_stripe.intents) == 1


def test_a_reference_that_stripe_does_not_know_is_unknown(reference_stripe: ReferenceStripe) -> None:
    charge = Charge("vmart-1-x", 500, "CNY", "pi_nowhere")
    assert provider_of("stripe").look_up(charge).status == Status.UNKNOWN
    assert provider_of("stripe").cancel(charge).status == Status.UNKNOWN


def test_the_krona_is_asked_for_in_hundredths(reference_stripe: ReferenceStripe) -> None:
    charge = Charge("vmart-1-x", 700, "ISK")
    outcome = provider_of("stripe").create(charge)
    assert reference_stripe.intents[outcome.reference]["amount"] == 70_000
    reference_stripe.pay()
    seen = provider_of("stripe").look_up(Charge("vmart-1-x", 700, "ISK", outcome.reference))
    assert (seen.status, seen.amount_minor, seen.currency) == (Status.SUCCEEDED, 700, "ISK")


def test_paid_at_the_moment_it_is_given_up(reference_stripe: ReferenceStripe, test_clock: BusinessClock) -> None:
    """Given a customer who pays between the last look and the cancelation, then he is credited."""
    account = open_purse()
    top_up.begin(by(account), 5000, "stripe", "t1")
    test_clock.advance(minutes=30)

    def pay(path: str) -> None:
        if not path.endswith("/cancel") and reference_stripe.requests[-1][0] == "GET":
            reference_stripe.before_answer = lambda _: None
            reference_stripe.pay()

    reference_stripe.before_answer = pay
    work()
    assert [path.rpartition("/")[2] for _, path, _ in reference_stripe.requests][-2] == "cancel"
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["cash"] == 5000


def test_a_lost_answer_to_the_cancelation(reference_stripe: ReferenceStripe, test_clock: BusinessClock) -> None:
    top_up.begin(by(open_purse()), 5000, "stripe", "t1")
    test_clock.advance(minutes=30)

    def lose(path: str) -> None:
        reference_stripe.lose_answers = int(path.endswith("/cancel"))

    reference_stripe.before_answer = lose
    work()
    assert Payment.objects.get().state == "pending"
    reference_stripe.before_answer = lambda _: None
    _work_now()
    assert Payment.objects.get().state == "failed"
    assert not Transfer.objects.exists()


def test_an_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_STRIPE_SECRET_KEY", "sk_test_12345")
    monkeypatch.setenv("VMART_STRIPE_API_BASE", "http://127.0.0.1:1")
    assert top_up.begin(by(open_purse()), 5000, "stripe", "t1").state == "unknown"
    assert Operation.objects.get().kind == "payment_poll"
