"""The seller's lists of card payments: all of them, and what went back to the card of one."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.listings.card_payments import PaymentRow
from vmart.pages import cells, printed, wording
from vmart.pages.cells import link, soft, together
from vmart.pages.table import FIGURE, FREE, NUM, Column, Filter, Table
from vmart.payments.models import CardRefund


def _payment(row: PaymentRow) -> SafeString:
    order = soft(together(_("for order"), " ", row.order_id)) if row.order_id else ""
    return together(link(reverse("seller_payment", args=[row.id]), row.id, NUM), order)


def _amount(row: PaymentRow) -> SafeString:
    said = printed.money(row.refunded_minor)
    return together(
        printed.money(row.amount_minor), soft(together(_("back to the card"), " ", said)) if row.refunded_minor else ""
    )


PAYMENTS: Table[PaymentRow] = Table(
    (
        Column("payment", _("Payment"), _payment, lambda row: row.id),
        Column("begun", _("Begun"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM),
        Column("customer_number", "", None, lambda row: row.account_id),
        Column(
            "customer",
            _("Customer"),
            lambda row: link(reverse("seller_customer", args=[row.account_id]), row.customer),
            lambda row: row.customer,
        ),
        Column(
            "provider", _("How"), lambda row: wording.PROVIDERS.get(row.provider, row.provider),
            lambda row: row.provider,
        ),
        Column("reference", "", None, lambda row: row.reference),
        Column("order", "", None, lambda row: row.order_id),
        Column("amount_minor", _("Amount"), _amount, lambda row: row.amount_minor, css=FIGURE),
        Column("refunded_minor", "", None, lambda row: row.refunded_minor),
        Column("state", _("State"), lambda row: cells.payment_state(row.state), lambda row: row.state),
    ),
    empty=_("No card has paid yet."),
    none_such=_("No payment is like that."),
    filters=(Filter("q", _("Payment, customer or provider's number")),),
)  # fmt: skip


def _reason(row: CardRefund) -> SafeString:
    return together(row.reason, soft(wording.said(row.why)) if row.why else "")


def _reference(row: CardRefund) -> SafeString:
    """It breaks anywhere, as no id of ours does."""
    return format_html('<span class="mono">{}</span>', row.reference or cells.NOTHING)


REFUNDS: Table[CardRefund] = Table(
    (
        Column("at", _("Time"), lambda row: printed.instant(row.created_at), css=NUM),
        Column("amount", _("Amount"), lambda row: printed.money(row.amount_minor), css=FIGURE),
        Column("state", _("State"), lambda row: cells.card_refund_state(row.state)),
        Column("reason", _("Reason"), _reason, css=FREE),
        Column("reference", _("Provider's number"), _reference, css=FREE),
        Column("actor", _("By whom"), lambda row: row.actor),
    ),
    empty="",
)
