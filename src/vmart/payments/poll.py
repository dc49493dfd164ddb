"""Look at payments of which nobody has told us, until they have ended; cancel what its customer has left."""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.utils.translation import gettext_noop

from vmart.catalog import shop
from vmart.events.record import PAYMENT
from vmart.kernel import clock, db
from vmart.payments import rules
from vmart.payments.errors import UnknownProvider
from vmart.payments.models import Payment
from vmart.payments.providers import provider_of
from vmart.payments.providers.contract import Outcome, Status
from vmart.payments.record import CARDS_LANE, POLL_KIND, Disagreement, record
from vmart.payments.top_up import charge_of
from vmart.policy import policy
from vmart.worker import queue
from vmart.worker.loop import said
from vmart.worker.queue import Claimed

ATTEMPTS = 6  # at carrying out a success; what the provider leaves unknown costs none
_GIVE_UP_S = 24 * 3600  # wall time without an answer, then the seller's attention
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 300.0
_LEFT = gettext_noop("The payment was not completed in time.")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``payment_poll``; its subject is the payment. Due in business time, put off in wall time."""
    for operation in batch:
        _look(operation, owner, buy=True)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, cause: Exception) -> None:
    """The success could not be carried out time and again: the money becomes balance all the same."""
    for operation in batch:
        try:
            _look(operation, owner, buy=False)
        except Exception as error:  # noqa: BLE001  the last word: the seller gets it
            queue.needs_attention(owner, [operation], f"{said(cause)}; {error}")


def _look(operation: Claimed, owner: uuid.UUID, *, buy: bool) -> None:
    payment = Payment.objects.get(id=operation.subject_id)
    if payment.state in (Payment.State.SUCCEEDED, Payment.State.FAILED):
        with db.act():
            queue.finish(owner, operation)
        return
    try:
        outcome = _ask(payment)
    except UnknownProvider as error:
        queue.needs_attention(owner, [operation], error.sentence)
        return
    try:
        record(payment.id, outcome, currency=shop.snapshot().currency, buy=buy)
    except Disagreement as error:
        queue.needs_attention(owner, [operation], str(error))
        return
    if outcome.status == Status.UNKNOWN:
        ask_again(operation, owner, outcome.reason)
    elif outcome.status == Status.PENDING:
        _look_again(operation, owner, payment)


def _ask(payment: Payment) -> Outcome:
    """How it stands at the provider, after canceling it there if its customer has left it."""
    provider = provider_of(payment.provider)
    outcome = provider.look_up(charge_of(payment))
    kept = dt.timedelta(minutes=policy.at(payment.created_at).abandoned_payment_minutes)
    if outcome.status == Status.PENDING and clock.now() - payment.created_at >= kept:
        payment.reference = payment.reference or outcome.reference
        outcome = provider.cancel(charge_of(payment))
        if outcome.status == Status.FAILED:
            return Outcome(Status.FAILED, outcome.reference, reason=_LEFT)
    return outcome


def ask_again(operation: Claimed, owner: uuid.UUID, reason: str) -> None:
    """No answer: in a pause that grows with what has passed, by the wall clock, because it is the provider's."""
    waited_s = (clock.wall() - operation.created_at).total_seconds()
    if waited_s > _GIVE_UP_S:
        queue.needs_attention(owner, [operation], f"no answer from the card provider for a day: {reason}")
        return
    pause_s = min(max(waited_s / 2, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
    queue.put_off(owner, [operation], pause_s, reason, waiting=True)


def _look_again(operation: Claimed, owner: uuid.UUID, payment: Payment) -> None:
    """It waits for its customer: look later, by the business clock, so that a test clock does not wait for it."""
    now = clock.now()
    with db.act():
        if queue.finish(owner, operation):
            queue.enqueue(
                POLL_KIND, PAYMENT, payment.id, account_id=payment.account_id, lane=CARDS_LANE,
                due_at=now + rules.poll_after(now - payment.created_at),
            )  # fmt: skip
