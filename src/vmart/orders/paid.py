"""Orders that are paid from the balance: money, order and lines, in the commit of the act.

What is done at once is paid at once. What its engine has to do first is paid when it is done: until then the money is
set aside.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction

from vmart.kernel import clock, db
from vmart.orders import holds, unpaid
from vmart.orders.errors import InsufficientBalance
from vmart.orders.models import Line, Order, Status
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import Priced
from vmart.subscriptions.models import Subscription
from vmart.worker.queue import Claimed

Bundles = Mapping[str, Subscription]  # by public id


def take(priced: Priced, bundles: Bundles, order: Order) -> None:
    """Take what ``priced`` says, and write it: the order (a new one, or one that waited for this), a line a bundle.

    Belongs under the account lock. Raises InsufficientBalance, AccountFrozen.
    """
    numbers = _set_aside(order.account_id, priced, bundles)
    posted = _posted(numbers.values())
    lines = _lines(order, Status.DELIVERED, priced, bundles, numbers)
    for line in lines:
        _paid(line, *posted[line.hold_id])
    Line.objects.bulk_create(lines)


def take_later(priced: Priced, bundles: Bundles, order: Order) -> None:
    """``take`` for what is not there yet: set aside until ``deliver`` takes it or ``give_up`` frees it."""
    numbers = _set_aside(order.account_id, priced, bundles)
    Line.objects.bulk_create(_lines(order, Status.DELIVERING, priced, bundles, numbers))


def months_of(order_id: int, bundle: int) -> int:
    """The months for which an order that is not delivered yet pays for this bundle."""
    return int(_waiting(order_id, bundle).months or 0)


def deliver(order_id: int, bundle: int, period: tuple[dt.datetime, dt.datetime] | None = None) -> None:
    """What the order is of for this bundle is there: it is paid. Belongs under the account lock.

    ``period``: of a term that begins with it, and was not known before.
    """
    line = _waiting(order_id, bundle)
    if period:
        line.period_from, line.period_to = period
    _deliver(order_id, [line])


def deliver_all(order_id: int, bundles: Sequence[int]) -> None:
    """The same for several at once. Raises Line.DoesNotExist where one of them has no line that waits for this."""
    db.require_transaction()
    found = Line.objects.filter(order_id=order_id, subscription_id__in=bundles, state=Line.State.DELIVERING)
    lines = list(found.order_by("number"))
    if len(lines) != len(bundles):
        raise Line.DoesNotExist(f"of order {order_id} {len(lines)} of {len(bundles)} lines wait")
    _deliver(order_id, lines)


def _deliver(order_id: int, lines: Sequence[Line]) -> None:
    posted = _posted([line.hold_id for line in lines])
    for line in lines:
        _paid(line, *posted[line.hold_id])
    Line.objects.bulk_update(
        lines, ["state", "delivered_at", "paid_cash_minor", "paid_gift_minor", "period_from", "period_to"]
    )
    _end(order_id)


def give_up(order_id: int, bundle: int, reason: str) -> None:
    """It will not be there: what was set aside is free again. Belongs under the account lock."""
    line = _waiting(order_id, bundle)
    db.call("ledger_void", line.hold_id, clock.now())
    line.state, line.reason = Line.State.FAILED, reason[:500]
    line.save()
    _end(order_id)


def give_up_for(operation: Claimed, reason: str) -> None:
    """``give_up`` for the order that an operation's payload names, if it is of one: an ``order_id`` of 0 is none."""
    if order_id := operation.payload["order_id"]:
        give_up(order_id, operation.subject_id, reason)


def order_of(number: int, account_id: int, priced: Priced, request: Mapping[str, object]) -> Order:
    """An order of a prepaid action, not written yet. ``request`` is what it needs if it waits for its payment."""
    return Order(
        id=number, account_id=account_id, action=priced.action, charge_type=PREPAID, count=len(priced.lines),
        total_minor=priced.due_minor, hold_minor=priced.due_minor, quote=priced.plain(), request=dict(request),
        book_version=priced.book_version,
    )  # fmt: skip


def _set_aside(account_id: int, priced: Priced, bundles: Bundles) -> dict[str, uuid.UUID]:
    """The holds, by public id."""
    db.require_transaction()
    unpaid.refuse_frozen(account_id)
    numbers = {line.public_id: holds.next_id(bundles[line.public_id]) for line in priced.lines}
    with holds.or_refuse(_too_little), transaction.atomic():  # a refusal leaves the act as it was
        db.call(
            "ledger_hold", account_id, "fixed", list(numbers.values()), [line.amount_minor for line in priced.lines],
            [bundles[one].id for one in numbers], clock.now(),
        )  # fmt: skip
    Subscription.objects.bulk_update(bundles.values(), ["hold_number"])
    return numbers


def _too_little(available: str, needed: str) -> InsufficientBalance:
    return InsufficientBalance(
        "The balance is not enough: {needed} are needed and {available} are available.",
        needed=needed, available=available,
    )  # fmt: skip


def _lines(
    order: Order, status: Status, priced: Priced, bundles: Bundles, numbers: Mapping[str, uuid.UUID]
) -> list[Line]:
    """Write the order; its lines, not written yet."""
    order.status, order.paid_at = status, clock.now()
    if order.created_at is None:
        order.created_at = order.paid_at
    order.save()
    return [
        Line(
            order=order, account_id=order.account_id, subscription_id=bundles[line.public_id].id, number=number,
            hold_id=numbers[line.public_id], months=line.months, period_from=line.period_from,
            period_to=line.period_to, amount_minor=line.amount_minor,
        )
        for number, line in enumerate(priced.lines, 1)
    ]  # fmt: skip


def _posted(holds_made: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Turn the holds into payments, in one statement: what each took of cash and gift."""
    rows = db.rows(
        "SELECT posted.id, posted.cash_minor, posted.gift_minor FROM unnest(%s::uuid[]) AS made (hold)"
        " CROSS JOIN LATERAL fn.ledger_post(made.hold, 'prepaid', 'revenue', %s) AS posted",
        list(holds_made), clock.now(),
    )  # fmt: skip
    return {row["id"]: (row["cash_minor"], row["gift_minor"]) for row in rows}


def _paid(line: Line, cash_minor: int, gift_minor: int) -> None:
    line.state, line.delivered_at = Line.State.DELIVERED, clock.now()
    line.paid_cash_minor, line.paid_gift_minor = cash_minor, gift_minor


def _waiting(order_id: int, bundle: int) -> Line:
    db.require_transaction()
    return Line.objects.get(order_id=order_id, subscription_id=bundle, state=Line.State.DELIVERING)


def _end(order_id: int) -> None:
    """The order has ended with its last line: delivered if one was, else failed."""
    states = set(Line.objects.filter(order_id=order_id).values_list("state", flat=True))
    if Line.State.DELIVERING in states:
        return
    if states == {Line.State.FAILED}:
        Order.objects.filter(id=order_id).update(status=Status.FAILED, closed_at=clock.now())
    else:
        Order.objects.filter(id=order_id).update(status=Status.DELIVERED)
