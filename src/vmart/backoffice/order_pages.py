"""The seller's pages of orders: search, one order whole, what is given back of it, and voiding one."""

import secrets
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.backoffice import order_tables
from vmart.backoffice.tables import EVENTS
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.kernel.errors import InvalidValue, Refused
from vmart.kernel.money import exponent, from_minor
from vmart.listings import sold_orders
from vmart.listings.sold_orders import Whole
from vmart.orders import refund as refunding
from vmart.orders import void as voiding
from vmart.orders.by_hand import REASON_MAX, amount_of, check_reason
from vmart.orders.refund import After, Asked, Foretold
from vmart.orders.void import Voided
from vmart.pages import printed, wording
from vmart.pages.forms import ActForm, text
from vmart.pages.table import Shown, listed

_AFTER = {
    After.STAYS: gettext_lazy("It stays until its term ends"),
    After.ENDS: gettext_lazy("It ends now, into the recycle bin"),
}


def _possible(whole: Whole) -> list[tuple[str, Any]]:
    return [(after, title) for after, title in _AFTER.items() if after == After.STAYS or refunding.may_end(whole.order)]


class RefundForm(ActForm):
    """How much of which line, and what becomes of what was bought."""

    paths = {"amount_minor": "amount", "line": "line", "after": "after", "reason": "reason"}

    def __init__(self, whole: Whole, typed: Any = None, **named: Any) -> None:
        super().__init__(typed, **named)
        lines = [one for one in whole.lines if one.line.left_minor]
        if len(lines) > 1:
            choices = [("0", _("All of them, each its part"))]
            choices += [
                (str(one.line.number), f"{one.public_id} · {printed.money(one.line.left_minor)}") for one in lines
            ]
            self.fields["line"] = forms.CharField(
                label=_("Which line"), required=False, widget=forms.Select(choices=choices)
            )
        self.fields["amount"] = text(
            _("Amount"), inputmode="decimal", maxlength=20,
            hint=_("At most {left}: what was paid and has not come back.").format(
                left=printed.money(whole.left_minor)
            ),
        )  # fmt: skip
        self.fields["after"] = forms.CharField(
            label=_("What was bought"),
            required=False,
            widget=forms.Select(choices=[("", _("Choose")), *_possible(whole)], attrs={"required": True}),
        )
        self.fields["reason"] = text(_("Reason"), hint=_("The customer reads it."), maxlength=REASON_MAX)

    def asked(self, order_id: int) -> Asked:
        """Raises InvalidValue."""
        said = self.cleaned_data
        check_reason(said["reason"])
        line = said.get("line", "") or "0"
        if not (line.isascii() and line.isdigit() and len(line) <= 9):
            raise InvalidValue("The order has no line {number}.", field="line", number=line[:20])
        return Asked(order_id, amount_of(said["amount"]), said["after"], int(line))


class Void(ActForm):
    """Why."""

    paths = {"reason": "reason"}
    reason = text(gettext_lazy("Reason"), hint=gettext_lazy("The customer reads it."), maxlength=REASON_MAX)


@never_cache
@require_safe
@operator
def listing(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Orders of everybody by number, customer, what was sold, and state; as a file if asked."""
    chosen = order_tables.ORDERS.chosen(request.GET)
    if request.GET.get("as") == "csv":
        return order_tables.ORDERS.file(
            "orders.csv", lambda key: sold_orders.of_file(chosen["q"], chosen["state"], key)
        )
    page = sold_orders.page(chosen["q"], chosen["state"], request.GET.get("before", ""))
    return render(request, "backoffice/orders.html", {"orders": Shown(order_tables.ORDERS, page, request)})


@never_cache
@require_safe
@operator
def detail(request: HttpRequest, number: int) -> HttpResponse:
    """One order: lines, what was paid from where, what came back, what happened."""
    whole = _known(number)
    here = {
        "whole": whole,
        "order": whole.order,
        "lines": listed(order_tables.LINES, whole.lines, request, _("Lines")),
        "refunds": listed(order_tables.REFUNDS, whole.refunds, request, _("Given back by the seller")),
        "happened": listed(EVENTS, whole.happened, request, _("What happened")),
        "by_card": _by_card(whole),
    }
    return render(request, "backoffice/order.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def refund(request: HttpRequest, number: int) -> HttpResponse:
    """What is given back is shown first; what was shown is what is done, once."""
    whole = _known(number)
    if request.method != "POST":
        left = from_minor(whole.left_minor, exponent(shop.snapshot().currency))
        return _refund_page(request, whole, RefundForm(whole, initial={"amount": str(left), "line": "0"}))
    form = RefundForm(whole, request.POST)
    if request.POST.get("act") != "refund":
        told = form.made(lambda: refunding.foretell(form.asked(number)))
        return _refund_page(request, whole, form, told, status=200 if told else 422)
    return _refunded(request, whole, form)


def _refunded(request: HttpRequest, whole: Whole, form: RefundForm) -> HttpResponse:
    number, key, shown = whole.order.id, request.POST.get("key", ""), request.POST.get("shown", "") or "-"
    done = form.made(
        lambda: [
            refunding.give(form.asked(number), form.cleaned_data["reason"], seller(request), key, shown=shown)
        ]
    )  # fmt: skip
    if done is None:
        return _refund_page(request, _known(number), form, status=422)
    if done[0] is None:
        messages.success(request, _("This form had been sent before; nothing has changed."))
    else:
        back = printed.money(done[0].refund_minor)
        messages.success(request, _("{back} are in the customer's balance.").format(back=back))
    return redirect("seller_order", number)


def _refund_page(
    request: HttpRequest, whole: Whole, form: RefundForm, told: Foretold | None = None, status: int = 200
) -> HttpResponse:
    here = {
        "whole": whole, "order": whole.order, "form": form, "told": told, "key": secrets.token_hex(16),
        "by_card": _by_card(whole),
        "parts": listed(order_tables.PARTS, told.parts, request) if told else None,
    }  # fmt: skip
    return render(request, "backoffice/order_refund.html", here, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def void(request: HttpRequest, number: int) -> HttpResponse:
    """What is not delivered is cancelled and paid back, with a reason."""
    whole = _known(number)
    if request.method != "POST":
        try:
            told = voiding.foretell(number)
        except Refused as refused:
            messages.warning(request, wording.sentence(refused))
            return redirect("seller_order", number)
        return _void_page(request, whole, Void(), told)
    form = Void(request.POST)
    shown = request.POST.get("shown", "") or "-"
    done = form.made(lambda: [voiding.void(number, form.cleaned_data["reason"], seller(request), shown=shown)])
    if done is None:
        return _void_page(request, whole, form, _told(number), status=422)
    fresh = _("The order is voided; what was set aside for it is the customer's again.")
    messages.success(request, fresh if done[0] else _("It is so already."))
    return redirect("seller_order", number)


def _told(number: int) -> Voided | None:
    """What voiding would do now; None where it is not possible any more."""
    try:
        return voiding.foretell(number)
    except Refused:
        return None


def _void_page(request: HttpRequest, whole: Whole, form: Void, told: Voided | None, status: int = 200) -> HttpResponse:
    here = {"whole": whole, "order": whole.order, "form": form, "told": told}
    return render(request, "backoffice/order_void.html", here, status=status)


def _by_card(whole: Whole) -> list[Any]:
    """Payments by which the money may go back to a card."""
    return [
        row for row in whole.payments if row["state"] == "succeeded" and row["refunded_minor"] < row["amount_minor"]
    ]


def _known(number: int) -> Whole:
    found = sold_orders.whole(number)
    if found is None:
        raise Http404
    return found
