"""The seller voids an order that is not delivered yet: it is cancelled, and its money is the customer's again.

What waits for its payment is closed. Of a purchase under way each machine that is not there yet goes the way of a
failed delivery: what was set aside is free at once, its engine is left clean, then its room is free (ADR 0072).
"""

from dataclasses import dataclass

from django.utils.translation import gettext_noop

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import NotFound, Refused
from vmart.orders import deliver, unpaid
from vmart.orders.by_hand import check_reason
from vmart.orders.errors import ChangedMeanwhile, NotVoidable
from vmart.orders.models import Line, Order, Status

EVENT = "order_voided"
WHY = gettext_noop("The seller voided the order.")


@dataclass(frozen=True, slots=True)
class Voided:
    """How many machines will not be delivered, and what was set aside for them, in minor units; both 0 of an unpaid
    order."""

    machines: int
    freed_minor: int

    @property
    def shown(self) -> str:
        """What a confirmation repeats: a delivery meanwhile has another."""
        return f"{self.machines}:{self.freed_minor}"


def foretell(order_id: int) -> Voided:
    """What ``void`` would do now; writes nothing. Raises NotFound, NotVoidable."""
    with db.act():
        return _foretold(_locked(order_id))


def void(order_id: int, reason: str, actor: Actor, *, shown: str = "") -> Voided | None:
    """Do it, in one commit; None where the order is voided already. ``shown``: only what was foretold so.

    A delivery that ends at the same time is either there first, and stays, or finds that it was given up. Raises
    InvalidValue, NotFound, NotVoidable, ChangedMeanwhile.
    """
    check_reason(reason)
    with db.act():
        order = _locked(order_id)
        if order.status == Status.CLOSED and order.reason == WHY:
            return None
        told = _foretold(order)
        if shown and shown != told.shown:
            raise ChangedMeanwhile("The order has changed since it was shown: look at it once more. Nothing was done.")
        _void(order, told)
        detail = {"why": reason.strip(), "amount_minor": told.freed_minor, "machines": told.machines}
        record.write(order.account_id, record.ORDER, [order.id], EVENT, details=[detail], actor=actor)
    db.wake_workers()
    return told


def _void(order: Order, told: Voided) -> None:
    if order.status == Status.UNPAID:
        unpaid.close_in_act(order.account_id, order.id, Refused(WHY))
        return
    turned = db.call("orders_voided", order.id, deliver.FAILED_CODE, WHY, clock.now())
    if turned != told.machines:
        raise NotVoidable("Not all of the order is with the worker yet; try again.", field="order_id")
    Order.objects.filter(id=order.id).update(reason=WHY)


def _locked(order_id: int) -> Order:
    account_id = Order.objects.filter(id=order_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise NotFound("There is no order {id}.", field="order_id", id=order_id)
    db.call("ledger_lock", account_id)
    return Order.objects.get(id=order_id)


def _foretold(order: Order) -> Voided:
    if order.status == Status.UNPAID:
        return Voided(0, 0)
    lines = list(Line.objects.filter(order=order, state=Line.State.DELIVERING).order_by("number"))
    if not lines:
        raise NotVoidable(
            "Nothing of the order waits for its delivery: what is delivered is refunded.", field="order_id"
        )
    if order.action != "purchase":
        raise NotVoidable(
            "The order changes something that is there, and its engine is at it: it ends by itself, done or paid back.",
            field="order_id",
        )
    held = db.rows(
        "SELECT coalesce(sum(cash_minor + gift_minor + floating_minor), 0)::bigint AS minor FROM ledger_hold"
        " WHERE id = ANY (%s) AND state = 'pending'",
        [line.hold_id for line in lines],
    )
    return Voided(len(lines), held[0]["minor"])
