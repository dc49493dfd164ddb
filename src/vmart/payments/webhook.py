"""Messages of card providers: believed by their signature alone, and only about payments of ours."""

import logging
from collections.abc import Mapping

from vmart.catalog import shop
from vmart.payments.errors import UnknownProvider
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import WebhookRefused
from vmart.payments.record import Disagreement, record
from vmart.payments.top_up import payment_of

log = logging.getLogger(__name__)


def receive(provider: str, headers: Mapping[str, str], body: bytes) -> int:
    """Take one message in; the HTTP status to answer with.

    404: no such provider here. 400: not signed by it, too old, or unreadable. 200: taken in, also when it
    is about nothing of ours or changes nothing. What is raised is a fault of ours: answered with 500, the
    provider sends the message again.
    """
    try:
        event = provider_of(provider).parse_webhook(headers, body)
    except UnknownProvider:
        return 404
    except WebhookRefused as refused:
        log.warning("a message to the webhook of %s was refused: %s", provider, refused)
        return 400
    payment = payment_of(provider, event.token) if event else None
    if event is None or payment is None:
        return 200
    try:
        record(payment.id, event.outcome, currency=shop.snapshot().currency)
    except Disagreement:
        log.exception("a message of %s disagrees with what was asked of it", provider)
    return 200
