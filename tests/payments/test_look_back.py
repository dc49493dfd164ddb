"""Given a restored backup, then what was paid since it was made is found at the provider: nobody tells it again."""

import datetime as dt

import pytest

from tests.payments.exchanges import ReferenceStripe
from tests.support.actors import by
from tests.support.shopper import open_purse, purses, work
from tests.support.written import contents
from vmart.kernel import clock
from vmart.ledger.models import Transfer
from vmart.payments import look_back, providers, top_up
from vmart.payments.models import Payment, Unexplained
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Charge
from vmart.payments.record import CARDS_LANE
from vmart.worker import queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")

SINCE = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def _restored() -> None:
    """What ``vmart restore`` leaves to do."""
    payload = {"since": SINCE.isoformat()}
    queue.enqueue(look_back.KIND, "machine", 0, lane=CARDS_LANE, due_at=clock.now(), payload=payload)


def test_what_the_backup_knows_is_credited_and_the_rest_shown(reference_stripe: ReferenceStripe) -> None:
    account = open_purse()
    for token in ("known", "lost", "left"):
        top_up.begin(by(account), 5000, "stripe", token)
    known, lost, left = Payment.objects.order_by("id")
    reference_stripe.pay(known.reference)
    reference_stripe.pay(lost.reference)
    name = top_up.provider_token(lost)
    Payment.objects.filter(id__in=[lost.id, left.id]).delete()  # paid after the backup; left by its customer
    Operation.objects.all().delete()
    _restored()
    work()
    assert Payment.objects.values_list("token", "state").get() == ("known", "succeeded")
    assert (purses(account)["cash"], Transfer.objects.count()) == (5000, 1)
    kept = Unexplained.objects.get()
    assert (kept.provider, kept.reference, kept.times) == ("stripe", lost.reference, 1)
    assert kept.why == f"succeeded, 5000 CNY: no payment here is called {name}"
    assert not Operation.objects.exists()
    asked = [path for method, path, _ in reference_stripe.requests if method == "GET"]
    since = f"created%5Bgte%5D={int(SINCE.timestamp())}&limit=100"
    assert asked == [f"/v1/payment_intents?{since}", f"/v1/refunds?{since}"]


def test_what_is_another_shops_or_nobodys_is_left_alone(reference_stripe: ReferenceStripe) -> None:
    stripe = provider_of("stripe")
    stripe.create(Charge("vmart-7-x", 5000, "CNY", deployment="0123456789abcdef"))
    stripe.create(Charge("vmart-8-x", 5000, "CNY", deployment=top_up.deployment()))
    theirs, ours = reference_stripe.intents.values()
    for intent in (theirs, ours):
        reference_stripe.pay(str(intent["id"]))
    ours["metadata"] = {}
    _restored()
    before = contents()
    work()
    changed = {table for table, rows in contents().items() if rows != before[table]}
    assert changed == {"worker_operation"}
    assert not Operation.objects.exists()


def test_a_charge_with_values_of_another_type_hides_no_other(reference_stripe: ReferenceStripe) -> None:
    stripe = provider_of("stripe")
    for number in (1, 2):
        stripe.create(Charge(f"vmart-{number}-x", 5000, "CNY", deployment=top_up.deployment()))
    for reference in reference_stripe.intents:
        reference_stripe.pay(reference)
    first, second = reference_stripe.intents.values()
    second["amount_received"] = "5000"
    _restored()
    work()
    assert set(Unexplained.objects.values_list("reference", "why")) == {
        (first["id"], "succeeded, 5000 CNY: no payment here is called vmart-1-x"),
        (second["id"], "values of another type: an amount of '5000'"),
    }


def test_more_than_a_page_is_read_to_its_end(
    reference_stripe: ReferenceStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmart.payments.providers.stripe_card._PAGE", 2)
    stripe = provider_of("stripe")
    for number in range(5):
        stripe.create(Charge(f"vmart-{number}-x", 5000, "CNY", deployment=top_up.deployment()))
    for reference in reference_stripe.intents:
        reference_stripe.pay(reference)
    _restored()
    work()
    assert set(Unexplained.objects.values_list("reference", flat=True)) == set(reference_stripe.intents)


def test_a_provider_that_does_not_answer_is_asked_again_and_then_the_sellers_business(
    reference_stripe: ReferenceStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)
    reference_stripe.fail_with = 500
    _restored()
    work()
    operation = Operation.objects.get()
    assert (operation.attention, operation.attempt) == (True, 20)
    assert operation.last_error == "NoAnswer: Stripe did not tell what was paid: APIError"
    reference_stripe.fail_with = None
    assert queue.retry(operation.id)
    work()
    assert not Operation.objects.exists()


def test_a_provider_that_is_not_set_up_yet_is_waited_for(
    reference_stripe: ReferenceStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a restored shop that is started without its keys, then nobody believes that nothing was paid."""
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)
    top_up.begin(by(open_purse()), 5000, "stripe", "t1")
    Operation.objects.all().delete()
    monkeypatch.delenv("VMART_STRIPE_SECRET_KEY")
    _restored()
    work()
    assert Operation.objects.get().last_error == "UnknownProvider: Payment by stripe is not offered here."


def test_where_no_cards_were_taken_there_is_nothing_to_ask() -> None:
    assert providers.offered() == []
    _restored()
    assert work() == 1
    assert not Operation.objects.exists()
