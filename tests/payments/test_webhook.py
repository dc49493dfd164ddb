"""Given messages of Stripe in whatever order and number, then a payment has its one effect, or a stranger's none."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.payments.exchanges import ReferenceStripe
from tests.payments.signing import event, signed
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import open_purse, purses, work
from tests.support.written import nothing_written
from vmart.ledger.models import Transfer
from vmart.payments import top_up
from vmart.payments.models import Payment, Unexplained
from vmart.payments.webhook import receive
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def begun(reference_stripe: ReferenceStripe) -> tuple[int, dict[str, Any]]:
    """An account with a payment of 50.00 that waits for its card; the account and the PaymentIntent."""
    account = open_purse()
    assert top_up.begin(by(account), 5000, "stripe", "t1").state == "pending"
    return account, next(iter(reference_stripe.intents.values()))


def _tell(message: dict[str, Any]) -> int:
    return receive("stripe", *signed(message))


def _nothing_happened(account: int) -> None:
    assert Payment.objects.get().state == "pending"
    assert purses(account)["cash"] == 0
    assert not Transfer.objects.exists()
    assert Operation.objects.filter(kind="payment_poll").count() == 1


def test_success_is_credited(begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe) -> None:
    account, _ = begun
    assert _tell(event("succeeded", reference_stripe.pay())) == 200
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["cash"] == 5000
    assert not Operation.objects.exists()


def test_over_http_without_session_or_csrf_token(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    headers, body = signed(event("succeeded", reference_stripe.pay()))
    client = Client(enforce_csrf_checks=True)
    address = "/payments/webhook/stripe"
    assert client.get(address).status_code == 405
    assert client.post(address, body, "application/json").status_code == 400
    assert client.post("/payments/webhook/other", body, "application/json", headers=headers).status_code == 404
    assert client.post("/payments/webhook/sandbox", body, "application/json", headers=headers).status_code == 404
    _nothing_happened(account)
    assert client.post(address, body, "application/json", headers=headers).status_code == 200
    assert purses(account)["cash"] == 5000


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("another secret", "No signatures found matching"),
        ("no signature", "No Stripe-Signature header"),
        ("an altered body", "No signatures found matching"),
        ("an old one", "Timestamp outside the tolerance"),
        ("no JSON", "unreadable"),
        ("JSON that is no event", "unreadable"),
    ],
)
def test_what_is_not_stripes_is_refused(
    begun: tuple[int, dict[str, Any]],
    reference_stripe: ReferenceStripe,
    caplog: pytest.LogCaptureFixture,
    kind: str,
    why: str,
) -> None:
    account, _ = begun
    headers, body = signed(event("succeeded", reference_stripe.pay()))
    if kind == "another secret":
        headers, _ = signed(body, secret="whsec_other")
    elif kind == "no signature":
        headers = {}
    elif kind == "an altered body":
        body = body.replace(b"5000", b"9000")
    elif kind == "an old one":
        headers, _ = signed(body, age_s=301)
    elif kind == "no JSON":
        headers, body = signed(b"\xff{")
    else:
        headers, body = signed(b'[{"type": "payment_intent.succeeded"}]')
    assert receive("stripe", headers, body) == 400
    assert why in caplog.text
    _nothing_happened(account)


def test_without_a_webhook_secret_nothing_is_believed(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _ = begun
    monkeypatch.delenv("VMART_STRIPE_WEBHOOK_SECRET")
    headers, body = signed(event("succeeded", reference_stripe.pay()), secret="")
    assert receive("stripe", headers, body) == 400
    _nothing_happened(account)


def test_a_message_may_be_four_minutes_old(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    assert receive("stripe", *signed(event("succeeded", reference_stripe.pay()), age_s=240)) == 200
    assert purses(account)["cash"] == 5000


def test_a_replayed_message_is_one_credit(begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe) -> None:
    account, _ = begun
    headers, body = signed(event("succeeded", reference_stripe.pay()))
    assert [receive("stripe", headers, body) for _ in range(5)] == [200] * 5
    assert purses(account)["cash"] == 5000
    assert Transfer.objects.count() == 1


@pytest.mark.parametrize("foreign", ["no token", "garbage", "unknown number", "guessed code", "huge number"])
def test_a_message_about_nothing_of_ours_is_taken_in_and_ignored(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, foreign: str
) -> None:
    account, _ = begun
    intent = json.loads(json.dumps(reference_stripe.pay()))
    token = intent["metadata"]["vmart_payment"]
    number = Payment.objects.get().id
    if foreign == "no token":
        del intent["metadata"]
    else:
        intent["metadata"] = {"vmart_payment": {
            "garbage": "väärin", "unknown number": token.replace(f"-{number}-", f"-{number + 1}-"),
            "guessed code": f"vmart-{number}-{'0' * 24}", "huge number": f"vmart-{'9' * 40}-x",
        }[foreign]}  # fmt: skip
    assert _tell(event("succeeded", intent)) == 200
    assert not Unexplained.objects.exists()
    _nothing_happened(account)


def test_a_token_of_the_sandboxs_payment_is_none_of_stripes(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _ = begun
    Payment.objects.update(provider="sandbox")
    assert _tell(event("succeeded", reference_stripe.pay())) == 200
    _nothing_happened(account)


@pytest.mark.parametrize(("member", "value"), [("amount_received", 4999), ("currency", "usd"), ("id", "pi_other")])
def test_a_message_that_disagrees_with_what_was_asked_credits_nothing(
    begun: tuple[int, dict[str, Any]],
    reference_stripe: ReferenceStripe,
    caplog: pytest.LogCaptureFixture,
    member: str,
    value: object,
) -> None:
    account, _ = begun
    paid = {**reference_stripe.pay(), member: value}
    assert [_tell(event("succeeded", paid)) for _ in range(2)] == [200, 200]
    assert "disagrees" in caplog.text
    (kept,) = Unexplained.objects.values("provider", "reference", "times")
    assert kept == {"provider": "stripe", "reference": paid["id"], "times": 2}
    assert Unexplained.objects.get().why.startswith(f"payment {Payment.objects.get().id} is ")
    _nothing_happened(account)


@pytest.mark.parametrize(
    "changed",
    [
        {"metadata": {"vmart_payment": 5}}, {"metadata": {"vmart_payment": ["x"]}}, {"metadata": ["vmart_payment"]},
        {"metadata": {"vmart_payment": "vmart-1-x", "vmart_deployment": 7}}, {"amount_received": "5000"},
        {"amount_received": 50.5}, {"amount_received": None}, {"amount_received": 5000.0}, {"amount_received": True},
        {"currency": None, "status": 3}, {"status": None}, {"currency": ["cny"]}, {"id": 5}, {"id": None},
        {"id": "pi_\0"}, {"metadata": {"vmart_payment": "vmart-1-\0"}},
        {"metadata": {"vmart_payment": "vmart-1-\ud800"}}, {"metadata": {"vmart_payment": None}},
        {"last_payment_error": 5, "status": "requires_payment_method"},
    ],
)  # fmt: skip
def test_a_signed_message_with_values_of_another_type_is_the_sellers_business(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, changed: dict[str, Any]
) -> None:
    account, _ = begun
    assert _tell(event("succeeded", {**reference_stripe.pay(), **changed})) == 200
    assert Unexplained.objects.get().why.startswith("values of another type: ")
    _nothing_happened(account)


@pytest.mark.parametrize("changed", [{"id": 5}, {"amount_received": "5000"}, {"currency": None}, {"status": ["x"]}])
def test_an_answer_with_values_of_another_type_leaves_the_outcome_unknown(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, changed: dict[str, Any]
) -> None:
    account, _ = begun
    reference_stripe.pay().update(changed)
    with nothing_written():
        assert top_up.refresh(account, Payment.objects.get().id).state == "pending"


def test_what_a_bank_says_in_odd_characters_is_kept_in_others(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    declined = {**reference_stripe.decline(), "last_payment_error": {"message": "no\0 \ud800money"}}
    assert _tell(event("payment_failed", declined)) == 200
    assert Payment.objects.get().reason == "no   money"
    _nothing_happened(account)


@pytest.mark.parametrize(("member", "value"), [("amount_received", 9000), ("currency", "usd")])
def test_a_message_that_disagrees_after_the_success_is_the_sellers_business_too(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, member: str, value: object
) -> None:
    account, _ = begun
    paid = reference_stripe.pay()
    assert _tell(event("succeeded", paid)) == 200
    assert not Unexplained.objects.exists()
    assert _tell(event("succeeded", {**paid, member: value})) == 200
    number = Payment.objects.get().id
    assert Unexplained.objects.get().why.startswith(f"payment {number} is of 5000 CNY and the provider took ")
    assert (purses(account)["cash"], Transfer.objects.count()) == (5000, 1)


def test_a_message_that_names_this_deployment_and_no_payment_at_all_is_kept(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    paid = {**reference_stripe.pay(), "id": "pi_x", "metadata": {"vmart_deployment": top_up.deployment()}}
    assert _tell(event("succeeded", paid)) == 200
    assert Unexplained.objects.values_list("reference", "why").get() == (
        "pi_x", "succeeded, 5000 CNY: no payment here is called ",
    )  # fmt: skip
    _nothing_happened(account)


def test_what_a_restored_shop_does_not_know_is_kept_for_the_seller(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    """Given a backup from before a payment, then its success is shown to the seller, also where it is told twice."""
    _, intent = begun
    token = intent["metadata"]["vmart_payment"]
    Operation.objects.all().delete()
    Payment.objects.all().delete()
    paid = event("succeeded", reference_stripe.pay())
    assert [_tell(paid) for _ in range(2)] == [200, 200]
    kept = Unexplained.objects.get()
    assert (kept.reference, kept.times) == (intent["id"], 2)
    assert kept.why == f"succeeded, 5000 CNY: no payment here is called {token}"
    assert not Transfer.objects.exists()


def test_another_shop_with_the_same_merchant_is_not_our_business(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    paid = reference_stripe.pay()
    other = {**paid["metadata"], "vmart_payment": "vmart-99-x", "vmart_deployment": "0123456789abcdef"}
    assert _tell(event("succeeded", {**paid, "metadata": other})) == 200
    assert not Unexplained.objects.exists()
    _nothing_happened(account)


def test_a_disagreement_that_the_poll_finds_is_the_sellers_business(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe, test_clock: BusinessClock
) -> None:
    account, _ = begun
    reference_stripe.pay()["amount_received"] = 4999
    test_clock.advance(minutes=1)
    work()
    operation = Operation.objects.get()
    assert operation.attention
    assert operation.last_error.endswith("the provider took 4999 CNY")
    assert purses(account)["cash"] == 0


def test_failure_told_after_success_changes_nothing(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, intent = begun
    declined = dict(reference_stripe.decline())
    _tell(event("succeeded", reference_stripe.pay()))
    _tell(event("payment_failed", declined))
    _tell(event("canceled", {**intent, "status": "canceled"}))
    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("succeeded", "")
    assert purses(account)["cash"] == 5000


def test_success_told_after_failure_is_credited(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    """Money that came in is the customer's, whatever was told before."""
    account, intent = begun
    _tell(event("canceled", {**intent, "status": "canceled"}))
    assert Payment.objects.get().state == "failed"
    _tell(event("succeeded", reference_stripe.pay()))
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["cash"] == 5000


def test_a_declined_card_is_told_and_another_may_be_tried(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    _tell(event("payment_failed", reference_stripe.decline()))
    _nothing_happened(account)
    assert Payment.objects.get().reason == "Your card was declined."
    _tell(event("succeeded", reference_stripe.pay()))
    assert (Payment.objects.get().state, Payment.objects.get().reason) == ("succeeded", "")
    assert purses(account)["cash"] == 5000


def test_other_kinds_of_messages_are_taken_in_and_ignored(
    begun: tuple[int, dict[str, Any]], reference_stripe: ReferenceStripe
) -> None:
    account, _ = begun
    paid = event("succeeded", reference_stripe.pay())
    assert _tell({**paid, "type": "charge.succeeded"}) == 200
    _nothing_happened(account)
