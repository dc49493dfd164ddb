"""Messages of card providers: believed by their signature alone, and only about payments of ours."""

import logging
from collections.abc import Mapping

from vmart.catalog import shop
from vmart.payments import refunded, unexplained
from vmart.payments.errors import UnknownProvider
from vmart.payments.models import Payment
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Event, WebhookRefused, WebhookUnreadable
from vmart.payments.record import Disagreement, record
from vmart.payments.to_card import refund_of
from vmart.payments.top_up import deployment, payment_of

log = logging.getLogger(__name__)


def receive(provider: str, headers: Mapping[str, str], body: bytes) -> int:
    """Take one message in; the HTTP status to answer with.

    404: no such provider here. 400: not signed by it, too old, or no event. 200: taken in, also when it is about
    nothing of ours or changes nothing; what does not fit is kept for the seller. What is raised is a fault of ours:
    answered with 500, the provider sends the message again.
    """
    try:
        event = provider_of(provider).parse_webhook(headers, body)
    except UnknownProvider:
        return 404
    except WebhookRefused as refused:
        log.warning("a message to the webhook of %s was refused: %s", provider, refused)
        return 400
    except WebhookUnreadable as unreadable:
        unexplained.keep(provider, unreadable.reference, str(unreadable))
        return 200
    if event is not None:
        take(provider, event)
    return 200


def take(provider: str, event: Event) -> None:
    """What a provider says of one charge or refund: its effect on ours, or a note for the seller."""
    if event.refund_of:
        _take_refund(provider, event)
        return
    payment = payment_of(provider, event.token)
    if payment is None:
        if event.deployment == deployment():
            said = event.outcome
            why = f"{said.status.value}, {said.amount_minor} {said.currency}: no payment here is called {event.token}"
            unexplained.keep(provider, said.reference, why)
        return
    try:
        record(payment.id, event.outcome, currency=shop.snapshot().currency)
    except Disagreement as error:
        log.warning("a message of %s disagrees with what was asked of it: %s", provider, error)
        unexplained.keep(provider, event.outcome.reference, str(error))


def _take_refund(provider: str, event: Event) -> None:
    """One that was begun on the provider's own page has no token, and no effect here but the note."""
    refund, said = refund_of(provider, event.token), event.outcome
    what = f"{said.status.value}, {said.amount_minor} {said.currency}"
    if refund is not None:
        try:
            refunded.record(refund.id, said, currency=shop.snapshot().currency)
        except Disagreement as error:
            log.warning("a message of %s disagrees with what was asked of it: %s", provider, error)
            unexplained.keep(provider, said.reference, str(error))
    elif event.token and event.deployment == deployment():
        unexplained.keep(provider, said.reference, f"{what}: no refund here is called {event.token}")
    elif not event.token:
        payment = Payment.objects.filter(provider=provider, reference=event.refund_of).first()
        if payment is not None:
            why = f"{what} given back of payment {payment.id}, and not from here: the balance still has it"
            unexplained.keep(provider, said.reference, why)
