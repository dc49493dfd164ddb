"""The one effect of a refund to the card: whoever learns of an outcome, and however often, comes through here.

Answer of the provider, its webhook, the poll: in any order and number the money leaves once, or is in the balance.
"""

import logging
from collections.abc import Sequence

from vmart.events import record as events
from vmart.events.actor import Actor
from vmart.kernel import clock, db, ids
from vmart.orders.credit import credit
from vmart.payments.models import CardRefund, Payment
from vmart.payments.providers.contract import Outcome, Status
from vmart.payments.record import Disagreement
from vmart.worker import queue

log = logging.getLogger(__name__)

POLL_KIND = "card_refund"
SUBJECT = "card_refund"
BOOK = "card"  # of the platform: what providers hold, where top-ups come from
_OPEN = (CardRefund.State.ASKED, CardRefund.State.PENDING, CardRefund.State.UNKNOWN)


def record(refund_id: int, outcome: Outcome, *, currency: str) -> bool:
    """Write what the provider said, in one commit with its effect; False when it changes nothing.

    Sent: what was set aside leaves cash. Failed: it is in the balance, also where it had been sent. Raises
    Disagreement; then nothing was written.
    """
    account_id = CardRefund.objects.values_list("payment__account_id", flat=True).get(id=refund_id)
    with db.act():
        db.call("ledger_lock", account_id)
        refund = CardRefund.objects.select_for_update(of=("self",)).select_related("payment").get(id=refund_id)
        _agree(refund, outcome, currency)
        if refund.state in _OPEN:
            return _resolve(refund, outcome)
        if refund.state == CardRefund.State.SUCCEEDED and outcome.status == Status.FAILED:
            _came_back(refund, outcome)
            return True
        return False


def _agree(refund: CardRefund, outcome: Outcome, currency: str) -> None:
    """Raise Disagreement where the provider speaks of another refund, amount, currency, or end."""
    if refund.reference and outcome.reference and refund.reference != outcome.reference:
        raise Disagreement(f"refund {refund.id} is {refund.reference}, not {outcome.reference}")
    if outcome.status != Status.SUCCEEDED:
        return
    if (outcome.amount_minor, outcome.currency) != (refund.amount_minor, currency):
        raise Disagreement(
            f"refund {refund.id} is of {refund.amount_minor} {currency} and the provider gave back"
            f" {outcome.amount_minor} {outcome.currency}"
        )
    if refund.state == CardRefund.State.FAILED and not refund.reference:  # with one, the message is an old one
        raise Disagreement(f"refund {refund.id} was refused, and the provider gave back {refund.amount_minor}")


def _resolve(refund: CardRefund, outcome: Outcome) -> bool:
    if outcome.status == Status.SUCCEEDED:
        db.call("ledger_post", refund.hold_id, "card_refund", BOOK, clock.now())
        _end(refund, outcome, "card_refund_succeeded")
    elif outcome.status == Status.FAILED:
        db.call("ledger_void", refund.hold_id, clock.now())
        _failed(refund, outcome)
    else:
        return _note(refund, outcome)
    queue.forget(POLL_KIND, SUBJECT, [refund.id])
    return True


def _came_back(refund: CardRefund, outcome: Outcome) -> None:
    """It had been sent, and the bank has sent it back: it is the customer's cash again."""
    credit(
        ids.transfer_id("card_refund_failed", refund.id), "card_refund_failed", refund.payment.account_id, BOOK,
        cash_minor=refund.amount_minor, subject_id=refund.id,
    )  # fmt: skip
    _failed(refund, outcome)


def _failed(refund: CardRefund, outcome: Outcome) -> None:
    payment = Payment.objects.select_for_update().get(id=refund.payment_id)
    payment.refunded_minor -= refund.amount_minor
    payment.save(update_fields=["refunded_minor"])
    _end(refund, outcome, "card_refund_failed")


def _end(refund: CardRefund, outcome: Outcome, kind: str) -> None:
    _write(refund, outcome)
    detail: dict[str, object] = {"amount_minor": refund.amount_minor, "provider": refund.payment.provider}
    if outcome.reason:
        detail["why"] = outcome.reason
    events.write(refund.payment.account_id, events.PAYMENT, [refund.payment_id], kind, details=[detail])


def _note(refund: CardRefund, outcome: Outcome) -> bool:
    """Not done yet. A lost answer tells nothing about a refund of which something is known."""
    if outcome.status == Status.UNKNOWN and refund.state != CardRefund.State.ASKED:
        return False
    return _write(refund, outcome)


def _write(refund: CardRefund, outcome: Outcome) -> bool:
    """State, reference and why, as the provider said them; whether that is anything new."""
    columns = {
        "state": outcome.status.value, "reference": refund.reference or outcome.reference, "why": outcome.reason[:300],
    }  # fmt: skip
    if all(getattr(refund, name) == value for name, value in columns.items()):
        return False
    changed = {**columns, "resolved_at": clock.now() if outcome.status in (Status.SUCCEEDED, Status.FAILED) else None}
    CardRefund.objects.filter(id=refund.id).update(**changed)
    return True


def see(refund_id: int, by: Actor) -> bool:
    """Take one that failed off the seller's list; False when it is not on it."""
    with db.act():
        events.ask(by)
        return bool(CardRefund.objects.filter(id=refund_id, state="failed", seen=False).update(seen=True))


def of_payments(payment_ids: Sequence[int]) -> list[CardRefund]:
    """Refunds of these payments, latest first; no query for none."""
    if not payment_ids:
        return []
    return list(CardRefund.objects.filter(payment_id__in=payment_ids).order_by("-id"))
