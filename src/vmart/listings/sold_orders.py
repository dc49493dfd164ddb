"""Orders of all customers for the seller: a searched list, and one order whole."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.events import record
from vmart.kernel import db
from vmart.listings import activity, customers, orders
from vmart.listings.activity import Happened
from vmart.listings.customers import Customer
from vmart.listings.orders import OrderView
from vmart.listings.paging import PAGE, Page, cut, number
from vmart.orders.models import EngineDrift, Line, Order, Refund, Status
from vmart.subscriptions.models import Subscription

CUSTOMERS_MAX = 200  # of whom a word's orders are looked for, the latest
_FILE_PAGE = 2000
_NUMBER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class OrderRow:
    """An order in the list; minor units. ``things``: the first that it is of, by public id."""

    id: int
    account_id: int
    customer: str
    action: str
    status: int
    charge_type: str
    count: int
    total_minor: int
    paid_minor: int
    refund_minor: int
    created_at: dt.datetime
    thing: str


@dataclass(frozen=True, slots=True)
class Sold:
    """A line, and what it is of; ``lost``: its engine has lost it, so that it may be delivered again."""

    line: Line
    kind: str
    public_id: str
    lost: bool


@dataclass(frozen=True, slots=True)
class GivenBack:
    """What the seller gave back of one line, and what that is of."""

    refund: Refund
    line: int
    public_id: str

    @property
    def refund_minor(self) -> int:
        return self.refund.cash_minor + self.refund.gift_minor


@dataclass(frozen=True, slots=True)
class Whole:
    """One order with everything that the seller asks of it. ``payments``: cards that paid for it, latest first."""

    view: OrderView
    customer: Customer
    lines: Sequence[Sold]
    payments: Sequence[Any]
    refunds: Sequence[GivenBack]
    happened: Sequence[Happened]

    @property
    def order(self) -> Order:
        return self.view.order

    @property
    def paid_minor(self) -> int:
        return self.cash_minor + self.gift_minor

    @property
    def cash_minor(self) -> int:
        return sum(one.line.paid_cash_minor for one in self.lines)

    @property
    def gift_minor(self) -> int:
        return sum(one.line.paid_gift_minor for one in self.lines)

    @property
    def refund_minor(self) -> int:
        return sum(one.line.refund_minor for one in self.lines)

    @property
    def left_minor(self) -> int:
        """What may be given back yet."""
        return self.paid_minor - self.refund_minor

    @property
    def may_be_voided(self) -> bool:
        """It waits for its payment, or for the delivery of machines."""
        waits = any(one.line.state == Line.State.DELIVERING for one in self.lines)
        return self.order.status == Status.UNPAID or (self.order.action == "purchase" and waits)


_FOUND = {
    "all": "SELECT id FROM orders_order WHERE {wanted} ORDER BY id DESC LIMIT %(limit)s",
    "number": "SELECT id FROM orders_order WHERE id = %(number)s AND {wanted}",
    "customers": """
      SELECT found.id FROM unnest(%(accounts)s::bigint[]) AS customer (id) CROSS JOIN LATERAL (
        SELECT o.id FROM orders_order o WHERE o.account_id = customer.id AND {wanted}
        ORDER BY o.id DESC LIMIT %(limit)s) AS found""",
    "things": """
      SELECT o.id FROM orders_order o WHERE {wanted} AND o.id IN (
        SELECT order_id FROM orders_line WHERE subscription_id = ANY (%(things)s::bigint[]))""",
}
_WANTED = "(%(before)s::bigint IS NULL OR id < %(before)s) AND (%(status)s::int IS NULL OR status = %(status)s)"
_ROWS = """
SELECT o.id, o.account_id, coalesce(owner.email, a.name) AS customer, o.action, o.status, o.charge_type, o.count,
       o.total_minor, lines.paid_minor, lines.refund_minor, o.created_at, coalesce(s.public_id, '') AS thing
FROM (SELECT DISTINCT id FROM ({found}) AS each ORDER BY id DESC LIMIT %(limit)s) AS page
CROSS JOIN LATERAL (  -- one by one by its key, whatever the planner thinks of how many there are
  SELECT id, account_id, action, status, charge_type, count, total_minor, created_at FROM orders_order
  WHERE id = page.id OFFSET 0) AS o
JOIN customers_account a ON a.id = o.account_id
CROSS JOIN LATERAL (
  SELECT coalesce(sum(paid_cash_minor + paid_gift_minor), 0)::bigint AS paid_minor,
         coalesce(sum(refund_minor), 0)::bigint AS refund_minor, min(subscription_id) AS thing
  FROM orders_line WHERE order_id = o.id) AS lines
LEFT JOIN subscriptions_subscription s ON s.id = lines.thing
LEFT JOIN LATERAL (SELECT u.email FROM customers_member m JOIN customers_user u ON u.id = m.user_id
                   WHERE m.account_id = a.id AND m.role = 'owner' ORDER BY m.id LIMIT 1) AS owner ON true
ORDER BY o.id DESC
"""


def page(word: str = "", status: str = "", before: str = "", size: int = PAGE) -> Page[OrderRow]:
    """Orders, newest first. Each page takes its rows from indexes, however many orders there are.

    ``word``: the number of an order or a customer, the id of what was sold, or a part of a customer's address or name
    (of the latest ``CUSTOMERS_MAX`` that have it). ``status``: a number of ``Status``.
    """
    word, key = word.replace("\0", "").strip()[:254], number(before)
    meant, values = _meant(word)
    limited = _WANTED if key is not None or status else "true"
    found = " UNION ALL ".join(f"({_FOUND[one].replace('{wanted}', limited)})" for one in meant)
    rows = db.rows(
        _ROWS.replace("{found}", found), before=key, status=number(status), limit=size + 1, **values,
    )  # fmt: skip
    return cut([OrderRow(**row) for row in rows], lambda row: row.id, first=key is None, size=size)


def of_file(word: str, status: str, before: str) -> Page[OrderRow]:
    """The same, so many at a time that a file of all of them takes few queries."""
    return page(word, status, before, _FILE_PAGE)


def _meant(word: str) -> tuple[list[str], dict[str, Any]]:
    """Where the word's orders are looked for, and what is asked there."""
    if not word:
        return ["all"], {}
    if (asked := number(word)) is not None:
        return ["number", "customers"], {"number": asked, "accounts": [asked]}
    sold = Subscription.objects.filter(public_id=word).values_list("id", "bundle_id").first()
    if sold:
        return ["things"], {"things": list(set(sold))}
    buyers = customers.page(word, size=CUSTOMERS_MAX).rows
    return ["customers"], {"accounts": [one.id for one in buyers]}


def whole(order_id: int) -> Whole | None:
    """One order of anybody's; None where there is none."""
    if order_id > _NUMBER_MAX:
        return None
    account_id = Order.objects.filter(id=order_id).values_list("account_id", flat=True).first()
    if account_id is None:
        return None
    view, customer = orders.view(account_id, order_id), customers.customer(account_id)
    assert view is not None and customer is not None
    payments = db.rows(_PAYMENTS, order_id)
    lines = _sold(view)
    return Whole(view, customer, lines, payments, _given_back(order_id, lines), _happened(view.order, lines, payments))


_PAYMENTS = """
SELECT id, provider, state, amount_minor, refunded_minor, created_at, reason FROM payments_payment WHERE order_id = %s
ORDER BY id DESC LIMIT 50
"""


def _given_back(order_id: int, lines: Sequence[Sold]) -> list[GivenBack]:
    of = {one.line.id: one for one in lines}
    made = Refund.objects.filter(order_id=order_id).order_by("-at", "line__number")
    return [GivenBack(one, of[one.line_id].line.number, of[one.line_id].public_id) for one in made if one.line_id in of]


def _sold(view: OrderView) -> list[Sold]:
    lines = sorted(view.all_lines, key=lambda line: line.number)
    sold = Subscription.objects.in_bulk([line.subscription_id for line in lines])
    names = [one.public_id for one in sold.values()]
    lost = set(EngineDrift.objects.filter(name__in=names, kind=EngineDrift.Kind.LOST).values_list("name", flat=True))
    return [
        Sold(line, found.kind, found.public_id, found.public_id in lost)
        for line in lines
        if (found := sold.get(line.subscription_id))
    ]


def _happened(order: Order, lines: Sequence[Sold], payments: Sequence[Any]) -> Sequence[Happened]:
    subjects = [(record.ORDER, order.id), *((one.kind, one.line.subscription_id) for one in lines)]
    return activity.of_subjects([*subjects, *((record.PAYMENT, row["id"]) for row in payments)])
