"""Money by card: top-ups, and orders that a card pays. No card number ever reaches the shop."""

from decimal import Decimal, InvalidOperation
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, NotFound, Refused
from vmart.kernel.money import exponent, symbol, to_minor
from vmart.listings import overview
from vmart.orders import actions
from vmart.pages import shown_quote, wording
from vmart.pages.table import listed
from vmart.pages.way_back import top_up_address, way_back, with_way_back
from vmart.payments import providers, queries, refunded, top_up
from vmart.payments.providers.sandbox import CARDS
from vmart.payments.top_up import Standing
from vmart.policy import policy
from vmart.web import fields
from vmart.web.tables import CARD_REFUNDS, PAYMENTS
from vmart.web.visitor import View, actor, customer

PAYMENTS_SHOWN = 10
_STRIPE = ["https://js.stripe.com", "https://*.js.stripe.com", "https://hooks.stripe.com", "https://api.stripe.com"]


def _with_stripe(view: View) -> View:
    """The one exception to the content policy (decision 16): Stripe's own element, where Stripe is on."""
    allowed = csp_update(
        {"script-src": [SELF, *_STRIPE], "frame-src": [SELF, *_STRIPE], "connect-src": [SELF, *_STRIPE]}
    )
    relaxed = allowed(view)

    def chosen(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        return (relaxed if "stripe" in providers.offered() else view)(request, *arguments, **named)

    return chosen


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def top_up_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Ask for an amount; on success it is cash."""
    if request.method != "POST":
        amount = request.GET.get("amount", "100")[:20]
        return _form(request, account_id, {"amount": amount, "token": shown_quote.new_token()})
    form = request.POST.dict()
    try:
        standing = _begin(actor(request, account_id), form, _amount_minor(form.get("amount", "")))
    except Refused as refused:
        typed = form | {"token": shown_quote.new_token()}
        errors = {fields.at_fault(fields.PAYMENT, refused): wording.sentence(refused)}
        return _form(request, account_id, typed, errors, 422)
    return redirect(with_way_back(reverse("payment", args=[standing.payment_id]), way_back(request)))


@require_POST
@customer
def pay_order(request: HttpRequest, account_id: int, order_id: int) -> HttpResponse:
    """Pay a placed order from the balance, or by a card."""
    try:
        if request.POST.get("by") != "card":
            actions.pay(actor(request, account_id), order_id)
            return redirect("order", order_id)
        asked = top_up.asked_minor(account_id, order_id)
        standing = _begin(actor(request, account_id), request.POST.dict(), asked, order_id)
    except NotFound as unknown:
        raise Http404 from unknown
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("order", order_id)
    return redirect("payment", standing.payment_id)


@never_cache
@require_safe
@_with_stripe
@customer
def payment(request: HttpRequest, account_id: int, payment_id: int) -> HttpResponse:
    """How a payment stands; asks by itself until it has ended, and goes on to its order or back to what it is for."""
    standing = _standing(account_id, payment_id)
    here = _shown(request, standing)
    onward = "" if here["refunds"] else _onward(request, standing)
    if onward and not standing.order_id:
        messages.success(request, _("The money is in your balance."))
    return redirect(onward) if onward else render(request, "web/billing/payment.html", here)


@never_cache
@require_safe
@customer
def payment_state(request: HttpRequest, account_id: int, payment_id: int) -> HttpResponse:
    """The part of the payment's page that changes; has the page load anew when it is to move on."""
    standing = _standing(account_id, payment_id)
    response = render(request, "web/billing/payment_state.html", _shown(request, standing))
    if _onward(request, standing):
        response["HX-Redirect"] = with_way_back(reverse("payment", args=[payment_id]), way_back(request))
    return response


def _onward(request: HttpRequest, standing: Standing) -> str:
    """Where a payment that succeeded leads to: the order that it paid, else the way back; "" for nowhere."""
    if standing.state != "succeeded":
        return ""
    return reverse("order", args=[standing.order_id]) if standing.order_id else way_back(request)


def _begin(who: Actor, form: dict[str, str], amount_minor: int, order_id: int | None = None) -> Standing:
    token = form.get("token", "")
    if not shown_quote.is_token(token):
        token = shown_quote.new_token()
    return top_up.begin(
        who, amount_minor, form.get("provider", ""), token, order_id=order_id, method=form.get("card", "")
    )


def _amount_minor(text: str) -> int:
    """An amount as typed, with or without the sign that pages show. Raises InvalidValue for what is none."""
    currency = shop.snapshot().currency
    places = exponent(currency)
    try:
        amount = Decimal(text.strip().removeprefix(symbol(currency).strip()).strip().replace(",", ""))
        if not amount.is_finite() or amount != amount.quantize(Decimal(1).scaleb(-places)) or abs(amount) > 10**12:
            raise InvalidOperation
    except InvalidOperation as error:
        raise InvalidValue("Enter an amount like 100 or 99.50.", field="amount_minor") from error
    return to_minor(amount, places)


def card_form() -> dict[str, Any]:
    """What a form that asks for a card needs: who takes cards here, and the test cards."""
    offered = providers.offered()
    return {
        "providers": offered,
        "cards": CARDS.items() if "sandbox" in offered else (),
        "card_token": shown_quote.new_token(),
    }


def _form(
    request: HttpRequest,
    account_id: int,
    typed: dict[str, str],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    least_minor, most_minor = policy.at(clock.now()).top_up_minor(shop.snapshot().currency)
    here = card_form() | {
        "typed": typed, "errors": errors or {}, "held": overview.balance(account_id),
        "least_minor": least_minor, "most_minor": most_minor,
        "payments": listed(PAYMENTS, queries.payments_of(account_id, limit=PAYMENTS_SHOWN), request),
        "currency_sign": symbol(shop.snapshot().currency), "way_back": way_back(request),
    }  # fmt: skip
    return render(request, "web/billing/top_up.html", here, status=status)


def _standing(account_id: int, payment_id: int) -> Standing:
    try:
        if payment_id >= 2**63:
            raise Http404
        return top_up.refresh(account_id, payment_id)
    except NotFound as unknown:
        raise Http404 from unknown


def _shown(request: HttpRequest, standing: Standing) -> dict[str, Any]:
    back = way_back(request)
    refunds = refunded.of_payments([standing.payment_id]) if standing.state == "succeeded" else []
    return {
        "standing": standing,
        "refunds": listed(CARD_REFUNDS, refunds, request, _("Given back to the card")) if refunds else None,
        "ended": standing.state in ("succeeded", "failed"),
        "state": wording.PAYMENT_STATES[standing.state],
        "state_address": with_way_back(reverse("payment_state", args=[standing.payment_id]), back),
        "again_address": reverse("order", args=[standing.order_id])
        if standing.order_id
        else top_up_address(standing.amount_minor, back),
    }
