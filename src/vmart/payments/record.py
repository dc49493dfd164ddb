"""The one effect of a payment: whoever learns of an outcome, and however often, comes through here.

Answer of the provider, its webhook, the poll, the page: in any order and number the customer is
credited once (billing-rules, section 5; killbill #1015).
"""

from django.utils.translation import gettext_noop

from vmart.events import record as events
from vmart.events.actor import timer
from vmart.events.record import PAYMENT
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import Refused
from vmart.orders import actions, room, unpaid
from vmart.orders.credit import credit
from vmart.orders.errors import OrderNotPayable
from vmart.payments.models import Payment
from vmart.payments.providers.contract import Outcome, Status
from vmart.worker import queue

POLL_KIND = "payment_poll"
CARDS_LANE = "cards"  # of the worker: a provider that does not answer delays no timer
_FAULT = gettext_noop("The order could not be carried out for a fault of the shop; the money is in your balance.")


class Disagreement(Exception):
    """The provider speaks of another charge, amount or currency than we asked: the seller has to look."""


def record(payment_id: int, outcome: Outcome, *, currency: str, buy: bool = True) -> bool:
    """Write what the provider said, in one commit with its effect; False when it changes nothing.

    Success credits the amount once and, where the payment is for an order, buys it: sold out or expired
    meanwhile leaves the money as balance. Success ends every other state; nothing ends success. Without
    ``buy`` the order is closed instead. Raises Disagreement; then nothing was written.
    """
    account_id = Payment.objects.values_list("account_id", flat=True).get(id=payment_id)
    changed, why = _record(account_id, payment_id, outcome, currency, buy=buy)
    if why is not None:
        _have_room_made(account_id, payment_id, why)
    return changed


def _have_room_made(account_id: int, payment_id: int, why: Refused) -> None:
    """The order found no room, and its money is in the balance by now: the payer reads when there is some."""
    told = room.made_for(why)
    if told is None:
        return
    with db.act():
        db.call("ledger_lock", account_id)
        payment = Payment.objects.select_for_update().get(id=payment_id)
        Payment.objects.filter(id=payment_id).update(reason=told.sentence[:300])
        unpaid.say_why(account_id, payment.order_id or 0, told)


def _record(
    account_id: int, payment_id: int, outcome: Outcome, currency: str, *, buy: bool
) -> tuple[bool, Refused | None]:
    """Whether it changed anything, and why its order could not be had."""
    with db.act():
        db.call("ledger_lock", account_id)
        payment = Payment.objects.select_for_update().get(id=payment_id)
        if payment.reference and outcome.reference and payment.reference != outcome.reference:
            raise Disagreement(f"payment {payment.id} is {payment.reference}, not {outcome.reference}")
        succeeds = outcome.status == Status.SUCCEEDED
        if succeeds and (outcome.amount_minor, outcome.currency) != (payment.amount_minor, currency):
            raise Disagreement(
                f"payment {payment.id} is of {payment.amount_minor} {currency} and the provider took"
                f" {outcome.amount_minor} {outcome.currency}"
            )
        if payment.state == Payment.State.SUCCEEDED:
            return False, None
        if succeeds:
            return True, _succeed(payment, outcome, buy=buy)
        return _note(payment, outcome), None


def _succeed(payment: Payment, outcome: Outcome, *, buy: bool) -> Refused | None:
    """Why its order could not be had; None where it was, or there is none."""
    why = None
    credit(
        ids.transfer_id("payment", payment.id), "top_up", payment.account_id, "card",
        cash_minor=payment.amount_minor, subject_id=payment.id,
    )  # fmt: skip
    if payment.order_id is not None:
        why = _buy(payment.account_id, payment.order_id, buy=buy)
    _told(payment, "payment_succeeded", {"amount_minor": payment.amount_minor, "provider": payment.provider})
    Payment.objects.filter(id=payment.id).update(
        state=Payment.State.SUCCEEDED, reference=payment.reference or outcome.reference,
        reason=why.sentence[:300] if why else "", resolved_at=clock.now(),
    )  # fmt: skip
    _forget_poll(payment.id)
    return why


def _buy(account_id: int, order_id: int, *, buy: bool) -> Refused | None:
    """Pay the order from the balance that now is; why when it could not be had."""
    try:
        if not buy:
            raise Refused(_FAULT)
        actions.pay_in_act(timer(account_id), order_id)
    except OrderNotPayable as why:  # expired, paid or closed: the payment is a top-up and reopens nothing
        return why
    except Refused as why:
        unpaid.close_in_act(account_id, order_id, why)
        return why
    return None


def _note(payment: Payment, outcome: Outcome) -> bool:
    """What is no success. A lost answer tells nothing about a payment of which something is known."""
    fresh = payment.state == Payment.State.CREATED
    if payment.state == Payment.State.FAILED or (outcome.status == Status.UNKNOWN and not fresh):
        return False
    columns = {
        "state": outcome.status.value, "reference": payment.reference or outcome.reference,
        "reason": outcome.reason[:300],
    }  # fmt: skip
    if all(getattr(payment, name) == value for name, value in columns.items()):
        return False
    failed = outcome.status == Status.FAILED
    Payment.objects.filter(id=payment.id).update(**columns, resolved_at=clock.now() if failed else None)
    if failed:
        _told(payment, "payment_failed", {"why": columns["reason"], "provider": payment.provider})
        _forget_poll(payment.id)
    return True


def _told(payment: Payment, kind: str, detail: dict[str, object]) -> None:
    events.write(payment.account_id, PAYMENT, [payment.id], kind, details=[detail])


def _forget_poll(payment_id: int) -> None:
    queue.forget(POLL_KIND, PAYMENT, [payment_id])
