"""Unpaid orders: placed at a quoted price that holds for half an hour, then paid from the balance or expired.

A purchase from the balance needs none of this (``orders/purchase.py``); an order that waits for a card does.
"""

import base64
import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings

from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.orders import purchase as buying
from vmart.orders.errors import OrderNotPayable, QuotaReached, TokenReused
from vmart.orders.login import Login
from vmart.orders.models import Idempotency, Order, Status
from vmart.orders.purchase import Bought, Machine, Purchase
from vmart.pricing.quote import Quote
from vmart.worker import queue
from vmart.worker.queue import Claimed

PAYABLE_FOR = dt.timedelta(minutes=30)  # billing-rules, section 5
UNPAID_MAX = 20  # an account's orders that wait for payment; a policy of this shop
EXPIRE_KIND = "expire_order"


def place(request: Purchase) -> int:
    """Place an order without paying it; its number. Nothing is set aside: stock and money are asked when it is paid.

    Charged is what was quoted now (``request.expected`` where the page showed it), for 30 minutes of business
    time. A repeated ``client_token`` gets the first order. Raises the refusals of ``purchase.check``,
    QuotaReached for too many unpaid orders, TokenReused.
    """
    fingerprint = settings.SECRETS.fingerprint(b"place|" + buying.fingerprinted(request))
    try:
        request, quoted = buying.ready(request, shop.snapshot())
    except Refused:  # as in a purchase: what was offered at the first time may be no more
        known = buying.answered(request, fingerprint)
        if known is None:
            raise
        return known.order_id
    number = buying.next_order_id()
    now = clock.now()
    with db.act():
        db.call("ledger_lock", request.account_id)
        placed = _placed(request, fingerprint, number)
        if placed is not None:
            return placed
        waiting = Order.objects.filter(account_id=request.account_id, status=Status.UNPAID, expires_at__gt=now).count()
        if waiting >= UNPAID_MAX:
            raise QuotaReached("{count} orders wait for payment; pay one or let it expire first.", count=waiting)
        count = request.configuration.count
        Order.objects.create(
            id=number, account_id=request.account_id, status=Status.UNPAID,
            charge_type=request.configuration.charge_type, count=count, total_minor=quoted.machine_minor * count,
            hold_minor=(quoted.machine_minor + quoted.hold_machine_minor) * count, quote=quoted.plain(),
            segments=buying.segments(quoted), request=_stored(request), book_version=quoted.book_version,
            created_at=now, expires_at=now + PAYABLE_FOR,
        )  # fmt: skip
        queue.enqueue(EXPIRE_KIND, number, account_id=request.account_id, due_at=now + PAYABLE_FOR)
    return number


def _placed(request: Purchase, fingerprint: bytes, number: int) -> int | None:
    """The order that this client token placed before, or None after noting that it places ``number``."""
    if not request.client_token:
        return None
    known, fresh = Idempotency.objects.get_or_create(
        account_id=request.account_id, token=request.client_token,
        defaults={"fingerprint": fingerprint, "answer": {"order_id": number, "instance_ids": []},
                  "created_wall_at": clock.wall()},
    )  # fmt: skip
    if fresh:
        return None
    if bytes(known.fingerprint) != fingerprint:
        raise TokenReused("ClientToken was used before for a request with other parameters.", field="ClientToken")
    return int(known.answer["order_id"])


def _stored(request: Purchase) -> dict[str, Any]:
    machine, way_in = request.machine, request.machine.made_login
    return {
        "image_id": machine.image_id, "name": machine.name, "hostname": machine.hostname,
        "password_hash": way_in.password_hash, "key_ids": list(way_in.key_ids),
        "ssh_keys": list(way_in.ssh_keys), "user_data": base64.b64encode(machine.user_data).decode(),
        "min_count": request.min_count, "request_id": request.request_id, "renew_flag": machine.renew_flag,
        "protected": machine.protected,
    }  # fmt: skip


def request_of(order: Order) -> Purchase:
    """The purchase that pays this order, at its own quote."""
    stored, quoted = order.request, Quote.of(order.quote)
    login = Login(stored["password_hash"], tuple(stored["key_ids"]), tuple(stored["ssh_keys"]))
    return Purchase(
        account_id=order.account_id,
        configuration=quoted.configuration,
        machine=Machine(
            stored["image_id"],
            login,
            stored["name"],
            stored["hostname"],
            base64.b64decode(stored["user_data"]),
            stored["renew_flag"],
            stored["protected"],
        ),
        min_count=stored["min_count"],
        request_id=stored["request_id"],
        expected=quoted,
        order_id=order.id,
    )


def payable(account_id: int, order_id: int) -> Order:
    """The account's unpaid order. Raises OrderNotPayable for one that is paid, expired, closed or not its own."""
    order = Order.objects.filter(id=order_id, account_id=account_id).first()
    if order is None:
        raise OrderNotPayable("The order {id} does not exist.", field="DealId", id=order_id)
    expired = order.expires_at is not None and order.expires_at <= clock.now()
    if order.status == Status.EXPIRED or (order.status == Status.UNPAID and expired):
        raise OrderNotPayable("The order {id} has expired; place a new one.", field="DealId", id=order_id)
    if order.status != Status.UNPAID:
        raise OrderNotPayable("The order {id} cannot be paid: it is paid or closed.", field="DealId", id=order_id)
    return order


def pay(account_id: int, order_id: int) -> Bought:
    """Pay an unpaid order from the balance: its own commit. A refusal leaves the order as it was.

    Raises OrderNotPayable and the refusals of ``purchase``.
    """
    with db.act():
        return pay_in_act(account_id, order_id)


def pay_in_act(account_id: int, order_id: int) -> Bought:
    """``pay`` as part of an act's commit; what it raises has left the act as it was."""
    db.require_transaction()
    db.call("ledger_lock", account_id)
    bought = buying.purchase(request_of(payable(account_id, order_id)))
    _forget(order_id)
    return bought


def close_in_act(account_id: int, order_id: int, why: Refused) -> None:
    """Close an unpaid order that cannot be had any more, with the reason; any other stays as it is."""
    db.require_transaction()
    db.call("ledger_lock", account_id)
    closed = Order.objects.filter(id=order_id, account_id=account_id, status=Status.UNPAID).update(
        status=Status.CLOSED, closed_at=clock.now(), reason=why.sentence[:500]
    )
    if closed:
        _forget(order_id)


def _forget(order_id: int) -> None:
    """What only an unpaid order needs: its timer, and the first boot with its password's hash."""
    Order.objects.filter(id=order_id).update(request={})
    db.rows("DELETE FROM worker_operation WHERE kind = %s AND subject_id = %s RETURNING id", EXPIRE_KIND, order_id)


def expire(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``expire_order``, due when its price no longer holds: an unpaid order is expired (8)."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            if queue.finish(owner, operation):
                Order.objects.filter(id=operation.subject_id, status=Status.UNPAID).update(
                    status=Status.EXPIRED, closed_at=clock.now(), request={}
                )
