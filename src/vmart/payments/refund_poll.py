"""Look at refunds to the card of which nobody has told us, until the provider has sent them or they have failed."""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.payments import refunded, rules
from vmart.payments.errors import UnknownProvider
from vmart.payments.models import CardRefund
from vmart.payments.poll import ask_again
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Status
from vmart.payments.record import CARDS_LANE, Disagreement
from vmart.payments.to_card import refund_at_provider
from vmart.worker import queue
from vmart.worker.queue import Claimed

ATTEMPTS = 6  # at carrying out an answer; what the provider leaves unknown costs none


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``card_refund``; its subject is the refund. Due in business time, put off in wall time."""
    for operation in batch:
        _look(operation, owner)


def _look(operation: Claimed, owner: uuid.UUID) -> None:
    refund = CardRefund.objects.select_related("payment").get(id=operation.subject_id)
    if refund.resolved_at is not None:
        with db.act():
            queue.finish(owner, operation)
        return
    try:
        outcome = provider_of(refund.payment.provider).look_up_refund(refund_at_provider(refund))
        refunded.record(refund.id, outcome, currency=shop.snapshot().currency)
    except UnknownProvider as error:
        queue.needs_attention(owner, [operation], error.sentence)
        return
    except Disagreement as error:
        queue.needs_attention(owner, [operation], str(error))
        return
    if outcome.status == Status.UNKNOWN:
        ask_again(operation, owner, outcome.reason)
    elif outcome.status == Status.PENDING:
        _look_again(operation, owner, refund)


def _look_again(operation: Claimed, owner: uuid.UUID, refund: CardRefund) -> None:
    """The provider has it and will send it: look later, by the business clock."""
    now = clock.now()
    with db.act():
        if queue.finish(owner, operation):
            queue.enqueue(
                refunded.POLL_KIND, refunded.SUBJECT, refund.id, account_id=refund.payment.account_id,
                lane=CARDS_LANE, due_at=now + rules.refund_poll_after(now - refund.created_at),
            )  # fmt: skip
