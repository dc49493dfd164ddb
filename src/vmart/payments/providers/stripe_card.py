"""Cards by Stripe: PaymentIntents that the customer confirms on the page with Stripe's own element.

A charge is created without a card, so creating moves no money and may be repeated under its key; only
the customer's browser confirms it, by the client secret. Which ways of paying the element shows is the
seller's choice in Stripe's dashboard; one that takes days is pending for days.
"""

import datetime as dt
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import stripe
from django.utils.translation import gettext_noop

from vmart.kernel.money import exponent
from vmart.payments.providers.contract import (
    Charge,
    Event,
    NoAnswer,
    Outcome,
    Refund,
    Status,
    WebhookRefused,
    WebhookUnreadable,
    card_provider,
    printable,
)

log = logging.getLogger(__name__)

API_BASE = "https://api.stripe.com"
# What a charge and a refund are found by: keys of their metadata.
_TOKEN, _DEPLOYMENT, _REFUND_TOKEN = "vmart_payment", "vmart_deployment", "vmart_refund"
_PAGE = 100  # charges in an answer, Stripe's most
_TIMEOUT_S = (5, 20)  # to connect, to answer
_TOLERANCE_S = 300  # wall time between a message's signature and its arrival
_EVENTS = frozenset(
    f"payment_intent.{what}" for what in ("succeeded", "payment_failed", "canceled", "processing", "requires_action")
)
# Stripe, "Supported currencies", special cases: counted in hundredths, and in whole units, whatever ISO 4217 says.
_IN_HUNDREDTHS, _IN_UNITS = frozenset({"ISK", "UGX"}), frozenset({"MGA"})
# Stripe, "Types of events": each has a refund as its object, whoever began it.
_REFUND_EVENTS = frozenset({"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"})
_NO_ANSWER = gettext_noop("The card provider has not answered yet.")
_CANCELED = gettext_noop("The payment was canceled.")
_REFUND_CANCELED = gettext_noop("The refund was canceled.")
# Stripe, "The Refund object", failure_reason.
_REFUND_FAILURES = {
    "lost_or_stolen_card": gettext_noop("The card was lost or stolen."),
    "expired_or_canceled_card": gettext_noop("The card has expired or was canceled."),
    "charge_for_pending_refund_disputed": gettext_noop("The customer has disputed the payment."),
    "insufficient_funds": gettext_noop("The shop's balance at the card provider does not suffice."),
    "declined": gettext_noop("The card's bank declined the refund."),
    "merchant_request": gettext_noop("The refund was canceled at the shop's request."),
}
_REFUND_FAILED = gettext_noop("The refund failed, and the card provider does not say why.")
_OTHER_TYPES = (ValueError, KeyError, TypeError, AttributeError)  # what reading them as the right ones raises


@card_provider
class StripeCard:
    """``api_base`` is another address of the same API, for tests and for a proxy of the seller's."""

    name = "stripe"
    refund_takes = gettext_noop("The card's bank shows it in 5 to 10 business days.")  # Stripe, "Refunds"

    def __init__(
        self, secret_key: str, *, publishable_key: str = "", webhook_secret: str = "", api_base: str = API_BASE
    ) -> None:
        self._publishable_key = publishable_key
        self._webhook_secret = webhook_secret
        self._client = stripe.StripeClient(
            secret_key, base_addresses={"api": api_base}, max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_S),
        )  # fmt: skip

    def step_minor(self, currency: str) -> int:
        return step_minor(currency)

    def prepare(self, token: str, method: str) -> str:
        return ""

    def create(self, charge: Charge) -> Outcome:
        def ask() -> Any:
            return self._client.v1.payment_intents.create(
                params={
                    "amount": units(charge.amount_minor, charge.currency),
                    "currency": charge.currency.lower(),
                    "metadata": {_TOKEN: charge.token, _DEPLOYMENT: charge.deployment},
                },
                options={"idempotency_key": charge.token},
            )

        try:
            return self._asked(ask)
        except stripe.InvalidRequestError as error:  # understood and refused: nothing was made
            return Outcome(Status.FAILED, reason=(error.user_message or "")[:300])

    def look_up(self, charge: Charge) -> Outcome:
        if not charge.reference:
            # Without our reference nobody has its client secret, so it was not paid: ask under the same key.
            return self.create(charge)
        try:
            return self._asked(lambda: self._client.v1.payment_intents.retrieve(charge.reference))
        except stripe.InvalidRequestError as error:
            return _unknown(error)

    def cancel(self, charge: Charge) -> Outcome:
        if not charge.reference:
            return self.create(charge)
        try:
            return self._asked(lambda: self._client.v1.payment_intents.cancel(charge.reference))
        except stripe.InvalidRequestError:  # paid, or being paid, meanwhile
            return self.look_up(charge)

    def refund(self, refund: Refund) -> Outcome:
        def ask() -> Any:
            return self._client.v1.refunds.create(
                params={
                    "payment_intent": refund.charge,
                    "amount": units(refund.amount_minor, refund.currency),
                    "metadata": {_REFUND_TOKEN: refund.token, _DEPLOYMENT: refund.deployment},
                },
                options={"idempotency_key": refund.token},
            )

        try:
            return self._asked(ask, _refund_outcome)
        except stripe.InvalidRequestError as error:  # more than is left of the charge, or it was disputed
            return Outcome(Status.FAILED, reason=printable(error.user_message or "")[:300])

    def look_up_refund(self, refund: Refund) -> Outcome:
        """Stripe forgets a key after a day: so an earlier one is looked for among the charge's refunds first."""
        try:
            if refund.reference:
                return self._asked(lambda: self._client.v1.refunds.retrieve(refund.reference), _refund_outcome)
            asked = {"payment_intent": refund.charge, "limit": _PAGE}
            for found in self._client.v1.refunds.list(params=asked).auto_paging_iter():  # type: ignore[arg-type]
                if (found.to_dict().get("metadata") or {}).get(_REFUND_TOKEN) == refund.token:
                    return self._asked(lambda one=found: one, _refund_outcome)  # type: ignore[misc]
        except stripe.StripeError as error:
            return _unknown(error)
        return self.refund(refund)

    def _asked(self, ask: Callable[[], Any], says: "Callable[[Mapping[str, Any]], Outcome] | None" = None) -> Outcome:
        """What the answer says. Raises InvalidRequestError; every other failure leaves the outcome unknown."""
        try:
            return (says or self._outcome)(ask().to_dict())
        except stripe.InvalidRequestError as error:
            if error.http_status in (400, 402, 404):
                raise
            return _unknown(error)  # 409: the same key is being worked on
        except stripe.StripeError as error:
            return _unknown(error)
        except _OTHER_TYPES as error:
            log.warning("Stripe answered with values of another type: %r", error)
            return Outcome(Status.UNKNOWN, reason=_NO_ANSWER)

    def _outcome(self, intent: Mapping[str, Any]) -> Outcome:
        """Raises one of ``_OTHER_TYPES`` where a value is not what Stripe's reference says."""
        status, reference, currency = (_text(intent[name]) for name in ("status", "id", "currency"))
        currency = currency.upper()
        if status == "succeeded":
            taken = intent.get("amount_received", intent["amount"])
            return Outcome(Status.SUCCEEDED, reference, minor(taken, currency), currency)
        if status == "canceled":
            return Outcome(Status.FAILED, reference, reason=_CANCELED)
        why = printable((intent.get("last_payment_error") or {}).get("message") or "")
        page = {"client_secret": intent.get("client_secret") or "", "publishable_key": self._publishable_key}
        return Outcome(
            Status.PENDING, reference, reason=why[:300] if status == "requires_payment_method" else "", page=page
        )

    def paid_since(self, since: dt.datetime) -> Sequence[Event | WebhookUnreadable]:
        asked: Any = {"created": {"gte": int(since.timestamp())}, "limit": _PAGE}
        lists = (
            (self._client.v1.payment_intents, self._event, (Status.SUCCEEDED,)),
            (self._client.v1.refunds, _refund_event, tuple(Status)),
        )
        told: list[Event | WebhookUnreadable] = []
        try:
            for service, event_of, wanted in lists:
                for found in service.list(params=asked).auto_paging_iter():
                    event = _readable(event_of, found.to_dict())
                    if isinstance(event, WebhookUnreadable) or (event and event.outcome.status in wanted):
                        told.append(event)
        except stripe.StripeError as error:
            raise NoAnswer(f"Stripe did not tell what was paid: {type(error).__name__}") from error
        return told

    def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Event | None:
        signature = next((value for name, value in headers.items() if name.lower() == "stripe-signature"), None)
        try:
            event = self._client.construct_event(body, signature, self._webhook_secret, _TOLERANCE_S).to_dict()
            event_of = self._event if event["type"] in _EVENTS else _refund_event
            if event["type"] not in _EVENTS | _REFUND_EVENTS:
                return None
            about = dict(event["data"]["object"])
        except stripe.SignatureVerificationError as error:
            raise WebhookRefused(error.user_message or str(error)) from error
        except _OTHER_TYPES as error:
            raise WebhookRefused(f"unreadable: {error!r}") from error
        return event_of(about)

    def _event(self, intent: Mapping[str, Any]) -> Event | None:
        metadata = intent.get("metadata") or {}
        try:
            token, deployment = (_text(metadata.get(name, "")) for name in (_TOKEN, _DEPLOYMENT))
            return Event(token, self._outcome(intent), deployment) if token or deployment else None
        except _OTHER_TYPES as error:
            raise WebhookUnreadable(str(intent.get("id", "")), f"values of another type: {error}") from error


def _readable(
    event_of: "Callable[[Mapping[str, Any]], Event | None]", about: Mapping[str, Any]
) -> "Event | WebhookUnreadable | None":
    try:
        return event_of(about)
    except WebhookUnreadable as unreadable:
        return unreadable


def _refund_event(refund: Mapping[str, Any]) -> Event | None:
    """Also of one that was begun on Stripe's own pages: then without a token. None of a charge without an intent."""
    metadata = refund.get("metadata") or {}
    try:
        token, deployment = (_text(metadata.get(name, "")) for name in (_REFUND_TOKEN, _DEPLOYMENT))
        charge = _text(refund.get("payment_intent") or "")
        return Event(token, _refund_outcome(refund), deployment, charge) if charge else None
    except _OTHER_TYPES as error:
        raise WebhookUnreadable(str(refund.get("id", "")), f"values of another type: {error}") from error


def _refund_outcome(refund: Mapping[str, Any]) -> Outcome:
    """Raises one of ``_OTHER_TYPES`` where a value is not what Stripe's reference says."""
    status, reference, currency = (_text(refund[name]) for name in ("status", "id", "currency"))
    currency = currency.upper()
    amount_minor = minor(refund["amount"], currency)
    if status == "succeeded":
        return Outcome(Status.SUCCEEDED, reference, amount_minor, currency)
    if status in ("failed", "canceled"):
        why = _REFUND_CANCELED if status == "canceled" else _REFUND_FAILED
        said = _REFUND_FAILURES.get(_text(refund.get("failure_reason") or ""), why)
        return Outcome(Status.FAILED, reference, amount_minor, currency, reason=said)
    return Outcome(Status.PENDING, reference, amount_minor, currency)


def _unknown(error: stripe.StripeError) -> Outcome:
    log.warning("Stripe did not tell: %s (HTTP %s)", type(error).__name__, error.http_status)
    return Outcome(Status.UNKNOWN, reason=_NO_ANSWER)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable():
        raise TypeError(f"a text of {value!r}")
    return value


def step_minor(currency: str) -> int:
    """The last of three decimals is 0, and an ariary is not divided."""
    return 100 if currency in _IN_UNITS else 10 if exponent(currency) == 3 else 1


def units(amount_minor: int, currency: str) -> int:
    """Minor units as Stripe counts them. Raises ValueError for an amount that it cannot take."""
    if amount_minor % step_minor(currency):
        raise ValueError(f"Stripe takes {currency} in steps of {step_minor(currency)} minor units, not {amount_minor}")
    if currency in _IN_UNITS:
        return amount_minor // 100
    return amount_minor * 100 if currency in _IN_HUNDREDTHS else amount_minor


def minor(taken: int, currency: str) -> int | None:
    """What Stripe has counted in minor units; None for a part of one."""
    if not isinstance(taken, int) or isinstance(taken, bool):
        raise TypeError(f"an amount of {taken!r}")
    if currency in _IN_UNITS:
        return taken * 100
    if currency in _IN_HUNDREDTHS:
        return None if taken % 100 else taken // 100
    return taken
