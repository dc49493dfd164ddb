"""Ask a card for money: to top up the balance, or to pay a placed order outright.

The payment is committed before the provider is called, and its outcome after: killed in between, or
without an answer, the poll finds out (``payments/poll.py``).
"""

import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.events.record import PAYMENT, write
from vmart.kernel import clock, db
from vmart.kernel.money import shown_minor
from vmart.ledger.queries import balance
from vmart.orders import unpaid
from vmart.payments import rules
from vmart.payments.errors import AmountOutOfRange, BadToken, TokenReused, TooManyOpen, UnknownPayment
from vmart.payments.models import Payment
from vmart.payments.providers import provider_of, step_minor
from vmart.payments.providers.contract import CardProvider, Charge, Outcome
from vmart.payments.record import CARDS_LANE, POLL_KIND, Disagreement, record
from vmart.policy import policy
from vmart.worker import queue

log = logging.getLogger(__name__)

_OPEN = (Payment.State.CREATED, Payment.State.PENDING, Payment.State.UNKNOWN)
_TOKEN_MAX = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """How a payment stands. ``page``: what the provider's part of the page needs while it is pending."""

    payment_id: int
    state: str
    amount_minor: int
    provider: str
    order_id: int | None
    reason: str = ""
    page: Mapping[str, str] = field(default_factory=dict)


def begin(
    actor: Actor, amount_minor: int, provider: str, token: str, *, order_id: int | None = None, method: str = ""
) -> Standing:
    """Ask ``provider`` for ``amount_minor``; with ``order_id`` its success also pays that order.

    ``token`` is the page's, 1 to 64 ASCII characters: a repeat is the same payment. ``method`` is what the
    provider's form sent (the sandbox's test card). Call it outside any transaction. Raises UnknownProvider,
    UnknownCard, AmountOutOfRange, BadToken, TokenReused, TooManyOpen, and OrderNotPayable of orders.
    """
    doer, account_id = provider_of(provider), actor.account
    if not (0 < len(token) <= _TOKEN_MAX and token.isascii() and token.isprintable()):
        raise BadToken("A token has 1 to {most} printable ASCII characters.", field="token", most=_TOKEN_MAX)
    with db.act():
        db.call("ledger_lock", account_id)
        known = Payment.objects.filter(account_id=account_id, token=token).first()
        if known is None:
            payment = Payment(
                account_id=account_id, provider=doer.name, amount_minor=amount_minor, order_id=order_id, token=token,
                created_at=clock.now(),
            )  # fmt: skip
            _insert(payment, doer, method)
            told = {"amount_minor": amount_minor, "provider": doer.name}
            write(account_id, PAYMENT, [payment.id], "payment_begun", details=[told], actor=actor)
    if known is not None:
        if (known.amount_minor, known.provider, known.order_id) != (amount_minor, provider, order_id):
            raise TokenReused("The token began another payment.", field="token")
        return _refresh(known)
    return _learn(payment, doer.create(charge_of(payment)))


def _insert(payment: Payment, doer: CardProvider, method: str) -> None:
    """The payment's row and its poll, under the account lock."""
    _check_amount(payment, doer)
    most = policy.at(payment.created_at).open_payments
    if Payment.objects.filter(account_id=payment.account_id, state__in=_OPEN).count() >= most:
        raise TooManyOpen("{most} payments wait to be completed; complete one first.", most=most)
    payment.save(force_insert=True)
    payment.reference = doer.prepare(provider_token(payment), method)
    payment.save(update_fields=["reference"])
    queue.enqueue(
        POLL_KIND,
        PAYMENT,
        payment.id,
        account_id=payment.account_id,
        lane=CARDS_LANE,
        due_at=payment.created_at + rules.POLL_FIRST,
    )


def _check_amount(payment: Payment, doer: CardProvider) -> None:
    amount_minor, currency = payment.amount_minor, shop.snapshot().currency
    low_minor, high_minor = policy.at(payment.created_at).top_up_minor(currency)
    if not low_minor <= amount_minor <= high_minor:
        raise AmountOutOfRange(
            "One payment may be {least} to {most}.", field="amount_minor",
            least=shown_minor(low_minor, currency), most=shown_minor(high_minor, currency),
        )  # fmt: skip
    if amount_minor % (step := doer.step_minor(currency)):
        raise AmountOutOfRange(
            "A payment by this provider is a multiple of {step}.",
            field="amount_minor", step=shown_minor(step, currency),
        )  # fmt: skip
    if payment.order_id is None:
        return
    if amount_minor < (least := least_minor(payment.account_id, payment.order_id)):
        raise AmountOutOfRange(
            "The order needs a payment of at least {least}.", field="amount_minor", least=shown_minor(least, currency),
        )  # fmt: skip


def least_for(due_minor: int, available_minor: int) -> int:
    """The least payment, by any provider, with which what is available pays ``due_minor``."""
    return rules.least_minor(due_minor, available_minor, *_least_and_step())


def least_minor(account_id: int, order_id: int) -> int:
    """The least payment, by any provider, that pays this order with what is available. Raises OrderNotPayable."""
    return least_for(*_due_and_available(account_id, order_id))


def asked_minor(account_id: int, order_id: int) -> int:
    """What the page asks a card to pay for the order, an amount that any provider takes. Raises OrderNotPayable."""
    return rules.asked_minor(*_due_and_available(account_id, order_id), *_least_and_step())


def _due_and_available(account_id: int, order_id: int) -> tuple[int, int]:
    return unpaid.payable(account_id, order_id).hold_minor, balance(account_id).available_minor


def _least_and_step() -> tuple[int, int]:
    currency = shop.snapshot().currency
    return policy.at(clock.now()).top_up_minor(currency)[0], step_minor(currency)


def refresh(account_id: int, payment_id: int) -> Standing:
    """How the account's payment stands, asked of its provider unless it has ended. Raises UnknownPayment."""
    payment = Payment.objects.filter(id=payment_id, account_id=account_id).first()
    if payment is None:
        raise UnknownPayment("The payment {id} does not exist.", field="payment_id", id=payment_id)
    return _refresh(payment)


def _refresh(payment: Payment) -> Standing:
    if payment.state not in _OPEN:
        return _standing(payment)
    return _learn(payment, provider_of(payment.provider).look_up(charge_of(payment)))


def _learn(payment: Payment, outcome: Outcome) -> Standing:
    try:
        record(payment.id, outcome, currency=shop.snapshot().currency)
    except Disagreement:  # the poll finds the same and brings it to the seller
        log.exception("payment %s", payment.id)
    payment.refresh_from_db()
    return _standing(payment, outcome.page if payment.state == Payment.State.PENDING else {})


def _standing(payment: Payment, page: Mapping[str, str] | None = None) -> Standing:
    return Standing(
        payment.id, payment.state, payment.amount_minor, payment.provider, payment.order_id, payment.reason, page or {}
    )


def charge_of(payment: Payment) -> Charge:
    """The payment as its provider knows it."""
    return Charge(
        provider_token(payment), payment.amount_minor, shop.snapshot().currency, payment.reference, deployment()
    )


def deployment() -> str:
    """What tells this deployment's charges at a provider from those of another shop with the same merchant."""
    return settings.SECRETS.derive_hex("deployment at card providers")[:16]


def provider_token(payment: Payment) -> str:
    """What names the payment to its provider for ever: its number, and a code that only this deployment can make."""
    named = f"{payment.id}|{payment.account_id}|{payment.token}|{int(payment.created_at.timestamp())}"
    code = hmac.new(settings.SECRETS.derive("payment tokens"), named.encode(), "sha256").hexdigest()[:24]
    return f"vmart-{payment.id}-{code}"


def payment_of(provider: str, token: str) -> Payment | None:
    """The payment that a provider's message names; None for a token that is not one of ours."""
    number = token.removeprefix("vmart-").partition("-")[0]
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        return None
    payment = Payment.objects.filter(id=int(number), provider=provider).first()
    if payment is None or not hmac.compare_digest(provider_token(payment).encode(), token.encode()):
        return None
    return payment
