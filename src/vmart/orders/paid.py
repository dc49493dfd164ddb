"""Orders that are paid at once from the balance: money, order and lines, in the commit of the act."""

import uuid
from collections.abc import Iterable, Iterator, Mapping

from django.db import DatabaseError, transaction

from vmart.kernel import clock, db
from vmart.kernel.money import shown_minor
from vmart.orders import errors, holds, unpaid
from vmart.orders.models import Line, Order, Status
from vmart.pricing.configuration import PREPAID
from vmart.pricing.priced import Priced
from vmart.subscriptions.models import Subscription


def take(account_id: int, priced: Priced, subscriptions: Mapping[str, Subscription], order: Order) -> None:
    """Take what ``priced`` says, and write it: the order (a new one, or one that waited for this), a line a bundle.

    ``subscriptions`` by public id. Belongs under the account lock. Raises InsufficientBalance, AccountFrozen.
    """
    db.require_transaction()
    now = clock.now()
    numbers = {line.public_id: holds.next_id(subscriptions[line.public_id]) for line in priced.lines}
    _set_aside(account_id, priced, subscriptions, numbers)
    order.status, order.paid_at = Status.DELIVERED, now
    if order.created_at is None:
        order.created_at = now
    order.save()
    Line.objects.bulk_create(_lines(order, priced, subscriptions, numbers))
    Subscription.objects.bulk_update(subscriptions.values(), ["hold_number"])


def _posted(holds_made: Iterable[uuid.UUID]) -> dict[uuid.UUID, tuple[int, int]]:
    """Turn the holds into payments, in one statement: what each took of cash and gift."""
    rows = db.rows(
        "SELECT posted.id, posted.cash_minor, posted.gift_minor FROM unnest(%s::uuid[]) AS made (hold)"
        " CROSS JOIN LATERAL fn.ledger_post(made.hold, 'prepaid', 'revenue', %s) AS posted",
        list(holds_made), clock.now(),
    )  # fmt: skip
    return {row["id"]: (row["cash_minor"], row["gift_minor"]) for row in rows}


def _lines(
    order: Order,
    priced: Priced,
    subscriptions: Mapping[str, Subscription],
    numbers: Mapping[str, uuid.UUID],
) -> Iterator[Line]:
    posted = _posted(numbers.values())
    for number, line in enumerate(priced.lines, 1):
        hold_id = numbers[line.public_id]
        cash, gift = posted[hold_id]
        yield Line(
            order=order, account_id=order.account_id, subscription_id=subscriptions[line.public_id].id, number=number,
            hold_id=hold_id, months=line.months, period_from=line.period_from, period_to=line.period_to,
            amount_minor=line.amount_minor, paid_cash_minor=cash, paid_gift_minor=gift, state=Line.State.DELIVERED,
            delivered_at=order.paid_at,
        )  # fmt: skip


def order_of(number: int, account_id: int, priced: Priced, request: Mapping[str, object]) -> Order:
    """An order of a prepaid action, not written yet. ``request`` is what it needs if it waits for its payment."""
    return Order(
        id=number, account_id=account_id, action=priced.action, charge_type=PREPAID, count=len(priced.lines),
        total_minor=priced.due_minor, hold_minor=priced.due_minor, quote=priced.plain(), request=dict(request),
        book_version=priced.book_version,
    )  # fmt: skip


def _set_aside(
    account_id: int, priced: Priced, subscriptions: Mapping[str, Subscription], numbers: Mapping[str, uuid.UUID]
) -> None:
    unpaid.refuse_frozen(account_id)
    try:
        with transaction.atomic():  # a refusal leaves the act as it was
            db.call(
                "ledger_hold", account_id, "fixed", list(numbers.values()),
                [line.amount_minor for line in priced.lines], [subscriptions[one].id for one in numbers], clock.now(),
            )  # fmt: skip
    except DatabaseError as error:
        refusal = db.refusal(error)
        if refusal is None or refusal[0] != "insufficient_balance":
            raise
        available, needed = (shown_minor(int(value), priced.currency) for value in refusal[1].split("|"))
        raise errors.InsufficientBalance(
            "The balance is not enough: {needed} are needed and {available} are available.",
            needed=needed, available=available,
        ) from None  # fmt: skip
