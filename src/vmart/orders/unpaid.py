"""Orders that wait for their payment: placed at a price that holds for a while, then paid or expired.

Nothing is set aside for them: stock and money are asked when they are paid (``orders/actions.py``).
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.orders.errors import AccountFrozen, InArrears, OrderNotPayable, QuotaReached
from vmart.orders.models import Order, Status
from vmart.policy import policy
from vmart.worker import queue
from vmart.worker.queue import Claimed

EXPIRE_KIND = "expire_order"


def open_unpaid(order: Order, actor: Actor) -> None:
    """Write an order that waits for its payment. Belongs under the account lock.

    ``order`` has its action, price and request; status and times are set here. Raises QuotaReached, AccountFrozen.
    """
    db.require_transaction()
    refuse_frozen(order.account_id)  # before a card is asked for money that could buy nothing
    now = clock.now()
    rules = policy.at(now)
    waiting = Order.objects.filter(account_id=order.account_id, status=Status.UNPAID, expires_at__gt=now).count()
    if waiting >= rules.unpaid_orders:
        raise QuotaReached("{count} orders wait for payment; pay one or let it expire first.", count=waiting)
    order.status, order.created_at = Status.UNPAID, now
    order.expires_at = now + dt.timedelta(minutes=rules.unpaid_order_minutes)
    order.save(force_insert=True)
    record.write(order.account_id, record.ORDER, [order.id], "order_placed", actor=actor)
    queue.enqueue(EXPIRE_KIND, record.ORDER, order.id, account_id=order.account_id, due_at=order.expires_at)


def refuse_frozen(account_id: int) -> None:
    """Raise AccountFrozen for an account that the seller has frozen."""
    (row,) = db.rows("SELECT (fn.customers_limits(%s)).frozen_reason AS why", account_id)
    if row["why"]:
        raise AccountFrozen("This account may not buy: {why}", why=row["why"])


def refuse_buyer(account_id: int) -> None:
    """Raise AccountFrozen, or InArrears where the balance is below zero. Belongs under the account lock."""
    refuse_frozen(account_id)
    (row,) = db.rows("SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p WHERE account_id = %s", account_id)
    if row["balance"] < 0:
        raise InArrears("The account is in arrears; top up before buying.")


def payable(account_id: int, order_id: int) -> Order:
    """The account's unpaid order. Raises OrderNotPayable for one that is paid, expired, closed or not its own."""
    order = Order.objects.filter(id=order_id, account_id=account_id).first()
    if order is None:
        raise OrderNotPayable("The order {id} does not exist.", field="order_id", id=order_id)
    expired = order.expires_at is not None and order.expires_at <= clock.now()
    if order.status == Status.EXPIRED or (order.status == Status.UNPAID and expired):
        raise OrderNotPayable("The order {id} has expired; place a new one.", field="order_id", id=order_id)
    if order.status != Status.UNPAID:
        raise OrderNotPayable("The order {id} cannot be paid: it is paid or closed.", field="order_id", id=order_id)
    return order


def close_in_act(account_id: int, order_id: int, why: Refused) -> None:
    """Close an unpaid order that cannot be had any more, with the reason; any other stays as it is."""
    db.require_transaction()
    db.call("ledger_lock", account_id)
    closed = Order.objects.filter(id=order_id, account_id=account_id, status=Status.UNPAID).update(
        status=Status.CLOSED, closed_at=clock.now(), reason=why.sentence[:500]
    )
    if closed:
        record.write(account_id, record.ORDER, [order_id], "order_closed", details=[record.reason(why)])
        forget(order_id)


def say_why(account_id: int, order_id: int, why: Refused) -> None:
    """Of an order that was closed just now: another reason, which helps more."""
    Order.objects.filter(id=order_id, account_id=account_id, status=Status.CLOSED).update(reason=why.sentence[:500])


def forget(order_id: int) -> None:
    """What only an unpaid order needs: its timer, and the request (a first boot with its password's hash)."""
    Order.objects.filter(id=order_id).update(request={})
    queue.forget(EXPIRE_KIND, record.ORDER, [order_id])


def expire(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``expire_order``, due when its price no longer holds: an unpaid order is expired (8)."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            if queue.finish(owner, operation):
                _expire(operation.subject_id)


def _expire(order_id: int) -> None:
    order = Order.objects.filter(id=order_id, status=Status.UNPAID).first()
    if order is not None:
        order.status, order.closed_at, order.request = Status.EXPIRED, clock.now(), {}
        order.save(update_fields=["status", "closed_at", "request"])
        record.write(order.account_id, record.ORDER, [order_id], "order_expired")
