"""The seller's lists of orders: all of them, an order's lines, and what was given back of it."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.listings.sold_orders import GivenBack, OrderRow, Sold
from vmart.orders.models import Status
from vmart.orders.refund import Part
from vmart.pages import cells, event_words, printed, wording
from vmart.pages.cells import badge, link, soft, together
from vmart.pages.table import FIGURE, MONO, NUM, RIGHT, Column, Filter, Table, Words


def _states() -> list[tuple[str, Words]]:
    return [(str(status), wording.ORDER_STATUS[status][0]) for status in Status]


def _order(row: OrderRow) -> SafeString:
    number = link(reverse("seller_order", args=[row.id]), row.id, NUM)
    return together(number, soft(wording.ACTIONS.get(row.action, row.action)))


def _of(row: OrderRow) -> SafeString:
    more = soft(f"+ {row.count - 1}") if row.thing and row.count > 1 else ""
    return together(row.thing or cells.NOTHING, more)


def _customer(row: OrderRow) -> SafeString:
    return link(reverse("seller_customer", args=[row.account_id]), row.customer)


def _amount(row: OrderRow) -> SafeString:
    """What was paid, or is to be; of what is charged by the hour nothing."""
    said = printed.money(row.total_minor) if row.charge_type == "PREPAID" else _("by the hour")
    back = soft(together(_("given back"), " ", printed.money(row.refund_minor))) if row.refund_minor else ""
    return together(said, back)


ORDERS: Table[OrderRow] = Table(
    (
        Column("order", _("Order"), _order, lambda row: row.id),
        Column(
            "ordered", _("Ordered"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM
        ),
        Column("customer_number", "", None, lambda row: row.account_id),
        Column("customer", _("Customer"), _customer, lambda row: row.customer),
        Column("action", "", None, lambda row: row.action),
        Column("charge_type", "", None, lambda row: row.charge_type),
        Column("count", "", None, lambda row: row.count),
        Column("of", _("Of what"), _of, lambda row: row.thing, css=MONO),
        Column("total_minor", _("Amount"), _amount, lambda row: row.total_minor, css=FIGURE),
        Column("paid_minor", "", None, lambda row: row.paid_minor),
        Column("refund_minor", "", None, lambda row: row.refund_minor),
        Column("state", _("State"), lambda row: cells.order_status(row.status), lambda row: row.status),
    ),
    empty=_("Nothing has been ordered yet."),
    none_such=_("No order is like that."),
    filters=(Filter("q", _("Order, customer or resource")), Filter("state", _("State"), _states)),
)


def _thing(row: Sold) -> SafeString:
    why = soft(wording.said(row.line.reason)) if row.line.reason else ""
    lost = together(" ", badge(_("Lost"), "bad")) if row.lost else ""
    return together(row.public_id, lost, soft(event_words.SUBJECTS.get(row.kind, row.kind)), why)


def _term(row: Sold) -> SafeString | str:
    if row.line.period_from is None or row.line.period_to is None:
        return cells.NOTHING
    begun, over = printed.day(row.line.period_from), printed.day(row.line.period_to)
    return format_html("<span>{} – {}</span>", begun, over)


def _paid(row: Sold) -> SafeString:
    line = row.line
    gift = soft(together(_("of it gift"), " ", printed.money(line.paid_gift_minor))) if line.paid_gift_minor else ""
    return together(printed.money(line.paid_cash_minor + line.paid_gift_minor), gift)


LINES: Table[Sold] = Table(
    (
        Column("thing", _("Of what"), _thing, css=MONO),
        Column("term", _("Term"), _term, css=NUM),
        Column("price", _("Price"), lambda row: printed.money(row.line.amount_minor), css=FIGURE),
        Column("paid", _("Paid"), _paid, css=FIGURE),
        Column("back", _("Given back"), lambda row: printed.money(row.line.refund_minor), css=FIGURE),
        Column(
            "delivered", _("Delivered"), lambda row: printed.instant(row.line.delivered_at) or cells.NOTHING, css=NUM
        ),
        Column("state", _("State"), lambda row: cells.line_state(row.line.state)),
        Column("acts", "", "backoffice/parts/line_acts.html", css=RIGHT),
    ),
    empty=_("Nothing was sold by it."),
    dense=True,
)

REFUNDS: Table[GivenBack] = Table(
    (
        Column("at", _("Time"), lambda row: printed.instant(row.refund.at), css=NUM),
        Column("thing", _("Of what"), lambda row: row.public_id, css=MONO),
        Column("amount", _("Amount"), lambda row: printed.money(row.refund_minor), css=FIGURE),
        Column("gift", _("Of it gift"), lambda row: printed.money(row.refund.gift_minor), css=FIGURE),
        Column("ended", _("What was bought"), lambda row: _("ended") if row.refund.ended else _("stayed")),
        Column("reason", _("Reason"), lambda row: row.refund.reason),
        Column("actor", _("By whom"), lambda row: row.refund.actor),
    ),
    empty="",
)

PARTS: Table[Part] = Table(
    (
        Column("thing", _("Of what"), lambda row: row.public_id, css=MONO),
        Column("left", _("Paid and not given back"), lambda row: printed.money(row.line.left_minor), css=FIGURE),
        Column("cash", _("To cash"), lambda row: printed.money(row.cash_minor), css=FIGURE),
        Column("gift", _("To gift"), lambda row: printed.money(row.gift_minor), css=FIGURE),
    ),
    empty="",
)
