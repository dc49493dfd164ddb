"""A purchase that is placed without being paid: an order waits for its card, or for money in the balance.

A purchase from the balance needs none of this (``orders/purchase.py``).
"""

from dataclasses import asdict
from typing import Any

from django.conf import settings

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.orders import numbers, tokens, unpaid
from vmart.orders import purchase as buying
from vmart.orders.errors import OrderNotPayable
from vmart.orders.models import Order
from vmart.orders.ready import ready
from vmart.orders.wanted import PURCHASE, Purchase, fingerprinted


def place(request: Purchase) -> int:
    """Place an order without paying it; its number. Nothing is set aside: stock and money are asked when it is paid.

    Charged is what was quoted now (``request.expected`` where the page showed it), for as long as an unpaid order
    waits. A repeated ``client_token`` gets the first order. Raises the refusals of ``ready``,
    QuotaReached for too many unpaid orders, TokenReused.
    """
    fingerprint = settings.SECRETS.fingerprint(b"place|" + fingerprinted(request))
    try:
        request, quoted = ready(request, shop.snapshot())
    except Refused:  # as in a purchase: what was offered at the first time may be no more
        known = buying.answered(request, fingerprint)
        if known is None:
            raise
        return known.order_id
    number, count = numbers.order(), request.configuration.count
    with db.act():
        db.call("ledger_lock", request.account_id)
        answer = {"order_id": number, "instance_ids": []}
        placed = tokens.keep(request.account_id, request.client_token, fingerprint, answer)
        if placed is not None:
            return int(placed["order_id"])
        unpaid.open_unpaid(Order(
            id=number, account_id=request.account_id, charge_type=request.configuration.charge_type, count=count,
            total_minor=quoted.machine_minor * count,
            hold_minor=(quoted.machine_minor + quoted.hold_machine_minor) * count, quote=quoted.plain(),
            request=_stored(request), book_version=quoted.book_version,
        ), request.actor)  # fmt: skip
    return number


# What the order says itself, and what is of the placing or the paying alone.
_NOT_STORED = {"actor", "configuration", "client_token", "expected", "order_id"}


def _stored(request: Purchase) -> dict[str, Any]:
    return PURCHASE.plain(request, without=_NOT_STORED)


def request_of(order: Order, actor: Actor) -> Purchase:
    """The purchase by which ``actor`` pays this order, at its own quote. Raises OrderNotPayable for a foreign one."""
    its_own = {
        "actor": asdict(actor), "configuration": order.quote["configuration"], "expected": order.quote,
        "order_id": order.id,
    }  # fmt: skip
    try:
        return PURCHASE.of(order.request | its_own)
    except ValueError as error:  # not closed for that: the version that wrote it can have it paid
        raise OrderNotPayable(
            "The order {id} was written by another version of this shop: pay it later, or place a new one.",
            field="order_id", id=order.id,
        ) from error  # fmt: skip


def pay(order: Order, actor: Actor) -> None:
    """Buy what the unpaid order says; part of an act. Raises the refusals of ``purchase``."""
    buying.purchase(request_of(order, actor))
