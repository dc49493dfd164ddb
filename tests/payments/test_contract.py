"""What every card provider keeps to, whoever it is: ``payments/providers/contract.py``, over each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.payments.exchanges import ReferenceStripe
from vmart.kernel import clock, db
from vmart.payments import providers
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import VERBS, CardProvider, Charge, Outcome, Refund, Status, WebhookRefused
from vmart.payments.providers.sandbox import ANSWERS_LATE, PAYS, REFUNDS_LATE, TAKES_NOTHING_BACK

pytestmark = pytest.mark.usefixtures("db")


@dataclass
class Bench:
    """A provider, what its form sends for a card that pays, and what its customer and its network do."""

    provider: CardProvider
    method: str
    customer_pays: Callable[[], object]
    lose_the_answer: Callable[[], str]  # of the next create; the method to ask with
    charges: Callable[[], int] | None  # how many it has made, where it can be asked
    lose_refund: Callable[[], str]  # the answer to the next refund; the method to have paid with
    refuse_refund: Callable[[], str]
    refunds: Callable[[], int] | None


PROVIDERS = {"sandbox": "sandbox", "stripe": "stripe_card"}  # name -> its file


@pytest.fixture(params=PROVIDERS)
def bench(request: pytest.FixtureRequest) -> Bench:
    """To add a provider: its stand-in here."""
    if request.param == "sandbox":
        request.getfixturevalue("sandbox")
        return Bench(
            provider_of("sandbox"), PAYS, lambda: None, lambda: ANSWERS_LATE, None, lambda: REFUNDS_LATE,
            lambda: TAKES_NOTHING_BACK, None,
        )  # fmt: skip
    endpoint: ReferenceStripe = request.getfixturevalue("reference_stripe")

    def lose() -> str:
        endpoint.lose_answers = 1
        return ""

    def refuse() -> str:
        endpoint.refund_by_hand(1)
        return ""

    return Bench(
        provider_of("stripe"), "", endpoint.pay, lose, lambda: len(endpoint.intents), lose, refuse,
        lambda: len(endpoint.refunds),
    )  # fmt: skip


def test_every_provider_is_here() -> None:
    files = {file.stem for file in Path(providers.__file__).parent.glob("*.py")}
    assert files - {"__init__", "contract"} == set(PROVIDERS.values())


def _charge(bench: Bench, token: str = "token-1", method: str | None = None) -> Charge:
    reference = bench.provider.prepare(token, bench.method if method is None else method)
    return Charge(token, 5000, "CNY", reference)


def _created(bench: Bench) -> tuple[Charge, Outcome]:
    charge = _charge(bench)
    outcome = bench.provider.create(charge)
    return Charge(charge.token, charge.amount_minor, charge.currency, outcome.reference), outcome


def test_a_charge_asked_for_twice_is_one(bench: Bench) -> None:
    charge, first = _created(bench)
    assert first.status in (Status.PENDING, Status.SUCCEEDED)
    assert first.reference
    again = bench.provider.create(_charge(bench))
    assert (again.reference, again.status) == (first.reference, first.status)
    assert bench.provider.look_up(charge).reference == first.reference
    assert bench.charges is None or bench.charges() == 1
    other = bench.provider.create(_charge(bench, "token-2"))
    assert other.reference != first.reference


def test_a_paid_charge_tells_what_it_took_and_stays_paid(bench: Bench) -> None:
    charge, _ = _created(bench)
    bench.customer_pays()
    for ask in (bench.provider.look_up, bench.provider.cancel, bench.provider.look_up):
        outcome = ask(charge)
        assert (outcome.status, outcome.amount_minor, outcome.currency) == (Status.SUCCEEDED, 5000, "CNY")
        assert outcome.reference == charge.reference


def test_a_waiting_charge_that_is_canceled_can_be_paid_no_more(bench: Bench) -> None:
    charge, outcome = _created(bench)
    if outcome.status != Status.PENDING:
        assert bench.provider.cancel(charge).status == outcome.status  # it does not wait for its customer
        return
    canceled = bench.provider.cancel(charge)
    assert (canceled.status, bool(canceled.reason)) == (Status.FAILED, True)
    with pytest.raises(AssertionError, match="canceled"):
        bench.customer_pays()
    assert bench.provider.look_up(charge).status == Status.FAILED
    assert bench.provider.cancel(charge).status == Status.FAILED


def test_a_lost_answer_is_unknown_and_found_again_without_a_reference_of_theirs(bench: Bench) -> None:
    """Nothing is raised, nothing is said to have failed, and asking again makes no second charge."""
    charge = _charge(bench, method=bench.lose_the_answer())
    lost = bench.provider.create(charge)
    assert (lost.status, bool(lost.reason), lost.amount_minor) == (Status.UNKNOWN, True, None)
    assert bench.provider.look_up(charge).status in (Status.UNKNOWN, Status.PENDING, Status.SUCCEEDED)
    assert bench.charges is None or bench.charges() == 1


def _refund(charge: Charge, amount_minor: int = 2000, token: str = "refund-1") -> Refund:
    return Refund(token, amount_minor, "CNY", charge.reference)


def _paid(bench: Bench, method: str | None = None) -> Charge:
    charge = _charge(bench, method=method)
    outcome = bench.provider.create(charge)
    bench.customer_pays()
    return Charge(charge.token, charge.amount_minor, charge.currency, outcome.reference)


def test_a_refund_asked_for_twice_is_one(bench: Bench) -> None:
    refund = _refund(_paid(bench))
    first = bench.provider.refund(refund)
    assert (first.status, first.amount_minor, first.currency) == (Status.SUCCEEDED, 2000, "CNY")
    assert first.reference
    for ask in (bench.provider.refund, bench.provider.look_up_refund):
        assert ask(refund) == first
    known = Refund(refund.token, 2000, "CNY", refund.charge, first.reference)
    assert bench.provider.look_up_refund(known) == first
    assert bench.refunds is None or bench.refunds() == 1
    other = bench.provider.refund(Refund("refund-2", 3000, "CNY", refund.charge))
    assert (other.status, other.amount_minor) == (Status.SUCCEEDED, 3000)
    assert other.reference != first.reference


def test_a_lost_answer_to_a_refund_is_unknown_and_found_again(bench: Bench) -> None:
    late = bench.lose_refund() if bench.refunds is None else ""
    refund = _refund(_paid(bench, late))
    bench.lose_refund()
    lost = bench.provider.refund(refund)
    assert (lost.status, bool(lost.reason), lost.reference) == (Status.UNKNOWN, True, "")
    found = bench.provider.look_up_refund(refund)
    assert (found.status, found.amount_minor, found.currency) == (Status.SUCCEEDED, 2000, "CNY")
    assert bench.refunds is None or bench.refunds() == 1


def test_a_refund_that_was_never_asked_for_is_asked_for_by_a_look(bench: Bench) -> None:
    refund = _refund(_paid(bench))
    assert bench.provider.look_up_refund(refund).status == Status.SUCCEEDED
    assert bench.provider.refund(refund).status == Status.SUCCEEDED
    assert bench.refunds is None or bench.refunds() == 1


def test_a_refund_that_is_refused_has_failed_and_says_why(bench: Bench) -> None:
    method = bench.refuse_refund() if bench.refunds is None else ""
    charge = _paid(bench, method)
    bench.refuse_refund()
    refused = bench.provider.refund(_refund(charge, 5000))
    assert (refused.status, bool(refused.reason)) == (Status.FAILED, True)
    assert bench.provider.look_up_refund(_refund(charge, 5000)).status == Status.FAILED


@pytest.mark.parametrize("verb", VERBS)
def test_no_transaction_waits_for_it(bench: Bench, verb: str) -> None:
    charge, _ = _created(bench)
    asked, answered = (clock.wall(), Sequence) if verb == "paid_since" else (charge, Outcome)
    if "refund" in verb:
        bench.customer_pays()
        asked = _refund(charge)
    with db.act(), pytest.raises(RuntimeError, match="inside a transaction"):
        getattr(bench.provider, verb)(asked)
    assert isinstance(getattr(bench.provider, verb)(asked), answered)


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[]", b"\xff\xfe", b'{"type": "payment_intent.succeeded"}'])
@pytest.mark.parametrize("headers", [{}, {"Stripe-Signature": ""}, {"Stripe-Signature": "t=1,v1=00"}])
def test_a_message_that_is_not_its_own_is_refused(bench: Bench, headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        bench.provider.parse_webhook(headers, body)
