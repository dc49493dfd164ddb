"""The seller gives money of a card payment back to the card, whole or in part (ADR 0075).

What a card paid came into the balance, so what goes back to it is taken out of there: cash that lies free, at most
what is left of the payment. It is set aside in the commit that notes the refund; the provider is asked after that,
and its answer posts what was set aside or gives it back (``refunded.py``). Killed in between, or without an answer,
the poll finds out (``refund_poll.py``).
"""

import hmac
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError

from vmart.catalog import shop
from vmart.events import record as events
from vmart.events.actor import Actor
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidValue
from vmart.kernel.money import shown_minor
from vmart.orders.by_hand import check_key, check_reason
from vmart.orders.errors import ChangedMeanwhile, InsufficientBalance, TokenReused
from vmart.payments import refunded, rules
from vmart.payments.errors import NothingLeft, NotPaid, UnknownPayment
from vmart.payments.models import CardRefund, Payment
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Refund
from vmart.payments.record import CARDS_LANE, Disagreement
from vmart.payments.top_up import deployment
from vmart.worker import queue

_NUMBER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Minor units; None for all that can go back: what is left of the payment, and lies free in cash."""

    payment_id: int
    amount_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a refund to the card does, in minor units. ``after_minor`` is available to the customer after it.

    ``takes``: when the card has it, in the provider's words, to be translated.
    """

    payment: Payment
    amount_minor: int
    after_minor: int
    takes: str

    @property
    def left_minor(self) -> int:
        """What may go back to the card after it."""
        return self.payment.left_minor - self.amount_minor

    @property
    def shown(self) -> str:
        """What a confirmation repeats: another amount, or a refund meanwhile, has another."""
        return f"{self.amount_minor}:{self.payment.left_minor}"


@dataclass(frozen=True, slots=True)
class _Most:
    """What can be given back now, in minor units."""

    payment: Payment
    free_minor: int
    available_minor: int
    step_minor: int

    @property
    def all_minor(self) -> int:
        return rules.all_that_can_minor(self.payment.left_minor, self.free_minor, self.step_minor)


def most_minor(payment_id: int) -> int:
    """All that can go back to the payment's card now; 0 where nothing can. Raises UnknownPayment, UnknownProvider."""
    with db.act():
        return _most(_locked(payment_id)).all_minor


def foretell(asked: Asked) -> Foretold:
    """What ``give`` would do now; writes nothing. Raises what it raises."""
    with db.act():
        return _foretold(_locked(asked.payment_id), asked)


def give(asked: Asked, reason: str, actor: Actor, key: str, *, shown: str = "") -> CardRefund:
    """Have it given back, and ask the provider; how it stands. The same ``key`` is the same refund.

    ``shown``: only what was foretold so. A refund that is not done yet goes on by itself. Call it outside any
    transaction. Raises InvalidValue, UnknownPayment, UnknownProvider, NotPaid, NothingLeft, InsufficientBalance,
    ChangedMeanwhile, TokenReused.
    """
    check_reason(reason)
    check_key(key)
    try:
        refund, fresh = _accept(asked, reason.strip(), actor, key, shown)
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None or refusal[0] != "insufficient_balance":
            raise
        raise _lacks(*(int(value) for value in refusal[1].split("|"))) from None
    return _ask(refund) if fresh else refund


def _accept(asked: Asked, reason: str, actor: Actor, key: str, shown: str) -> tuple[CardRefund, bool]:
    """The refund, and whether it is new: its row, what it sets aside and its poll, in one commit."""
    with db.act():
        payment = _locked(asked.payment_id)
        known = CardRefund.objects.filter(payment=payment, key=key).first()
        if known is not None:
            if (known.reason, known.amount_minor) != (reason, asked.amount_minor or known.amount_minor):
                raise TokenReused("The key {key} has made another refund of this payment.", field="key", key=key)
            return known, False
        told = _foretold(payment, asked)
        if shown and shown != told.shown:
            raise ChangedMeanwhile(
                "The payment has changed since it was shown: look at it once more. Nothing was done."
            )
        return _insert(told, reason, actor, key), True


def _insert(told: Foretold, reason: str, actor: Actor, key: str) -> CardRefund:
    payment, now = told.payment, clock.now()
    refund = CardRefund.objects.create(
        payment=payment, amount_minor=told.amount_minor, reason=reason, actor=actor.name[:254], key=key,
        hold_id=ids.transfer_id("card_refund", payment.id, key), created_at=now,
    )  # fmt: skip
    db.call("ledger_hold_cash", refund.hold_id, payment.account_id, refund.amount_minor, refund.id, now)
    payment.refunded_minor += refund.amount_minor
    payment.save(update_fields=["refunded_minor"])
    queue.enqueue(
        refunded.POLL_KIND, refunded.SUBJECT, refund.id, account_id=payment.account_id, lane=CARDS_LANE,
        due_at=now + rules.POLL_FIRST,
    )  # fmt: skip
    detail = {"amount_minor": refund.amount_minor, "why": reason, "provider": payment.provider}
    events.write(payment.account_id, events.PAYMENT, [payment.id], "card_refund_begun", details=[detail], actor=actor)
    return refund


def _ask(refund: CardRefund) -> CardRefund:
    outcome = provider_of(refund.payment.provider).refund(refund_at_provider(refund))
    try:
        refunded.record(refund.id, outcome, currency=shop.snapshot().currency)
    except Disagreement:  # the poll finds the same and brings it to the seller
        refunded.log.exception("refund %s", refund.id)
    return CardRefund.objects.select_related("payment").get(id=refund.id)


def _locked(payment_id: int) -> Payment:
    """The payment, under its account's lock."""
    found = Payment.objects.filter(id=payment_id) if 0 < payment_id <= _NUMBER_MAX else Payment.objects.none()
    account_id = found.values_list("account_id", flat=True).first()
    if account_id is None:
        raise UnknownPayment("The payment {id} does not exist.", field="payment_id", id=payment_id)
    db.call("ledger_lock", account_id)
    return Payment.objects.select_for_update().get(id=payment_id)


def _most(payment: Payment) -> _Most:
    (purses,) = db.rows(
        "SELECT fn.ledger_free(p, 'cash') AS free, fn.ledger_available(p) AS available FROM ledger_purses p"
        " WHERE p.account_id = %s",
        payment.account_id,
    )
    step = provider_of(payment.provider).step_minor(shop.snapshot().currency)
    return _Most(payment, purses["free"], purses["available"], step)


def _foretold(payment: Payment, asked: Asked) -> Foretold:
    """Raises NotPaid, NothingLeft, InvalidValue, InsufficientBalance."""
    if payment.state != Payment.State.SUCCEEDED:
        raise NotPaid("No card has paid payment {id}.", field="payment_id", id=payment.id)
    if not payment.left_minor:
        raise NothingLeft(
            "All that the card paid by payment {id} has gone back to it, or is on its way.",
            field="payment_id", id=payment.id,
        )  # fmt: skip
    most = _most(payment)
    amount_minor = most.all_minor if asked.amount_minor is None else asked.amount_minor
    _check_amount(most, amount_minor, is_all=asked.amount_minor is None)
    takes = provider_of(payment.provider).refund_takes
    return Foretold(payment, amount_minor, most.available_minor - amount_minor, takes)


def _check_amount(most: _Most, amount_minor: int, *, is_all: bool) -> None:
    left_minor, currency = most.payment.left_minor, shop.snapshot().currency
    if (is_all and not amount_minor) or most.free_minor < amount_minor <= left_minor:
        raise _lacks(most.free_minor, amount_minor or left_minor)
    if not 0 < amount_minor <= left_minor:
        raise InvalidValue(
            "The amount must be above 0 and at most {left}: what the card paid and has not gone back to it.",
            field="amount_minor", left=shown_minor(left_minor, currency),
        )  # fmt: skip
    if amount_minor % most.step_minor:
        raise InvalidValue(
            "A refund by this provider is a multiple of {step}.",
            field="amount_minor", step=shown_minor(most.step_minor, currency),
        )  # fmt: skip


def _lacks(free_minor: int, needed_minor: int) -> InsufficientBalance:
    currency = shop.snapshot().currency
    return InsufficientBalance(
        "{needed} cannot go back to the card: {free} lie free in cash. What was spent, set aside or given stays here.",
        field="amount_minor", needed=shown_minor(needed_minor, currency), free=shown_minor(free_minor, currency),
    )  # fmt: skip


def refund_at_provider(refund: CardRefund) -> Refund:
    """The refund as its provider knows it."""
    return Refund(
        refund_token(refund), refund.amount_minor, shop.snapshot().currency, refund.payment.reference,
        refund.reference, deployment(),
    )  # fmt: skip


def refund_token(refund: CardRefund) -> str:
    """What names it to its provider for ever: its number, and a code that only this deployment can make."""
    named = f"{refund.id}|{refund.hold_id}|{int(refund.created_at.timestamp())}"
    code = hmac.new(settings.SECRETS.derive("refund tokens"), named.encode(), "sha256").hexdigest()[:24]
    return f"vmart-refund-{refund.id}-{code}"


def refund_of(provider: str, token: str) -> CardRefund | None:
    """The refund that a provider's message names; None for a token that is not one of ours."""
    number = token.removeprefix("vmart-refund-").partition("-")[0]
    if not (number.isascii() and number.isdecimal()) or len(number) > 18:
        return None
    found = CardRefund.objects.select_related("payment").filter(id=int(number), payment__provider=provider).first()
    if found is None or not hmac.compare_digest(refund_token(found).encode(), token.encode()):
        return None
    return found
