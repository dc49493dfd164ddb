"""The seller's pages of card payments: search, one payment whole, and what is given back to its card."""

import secrets
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.backoffice.payment_tables import PAYMENTS, REFUNDS
from vmart.backoffice.tables import EVENTS
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.kernel.errors import Refused
from vmart.kernel.money import exponent, from_minor
from vmart.listings import card_payments, overview
from vmart.listings.card_payments import Whole
from vmart.orders.by_hand import REASON_MAX, amount_of, check_reason
from vmart.pages import printed, wording
from vmart.pages.forms import ActForm, text
from vmart.pages.table import Shown, listed
from vmart.payments import refunded, to_card
from vmart.payments.models import CardRefund
from vmart.payments.to_card import Asked, Foretold

_NUMBER_MAX = 2**63 - 1


class RefundForm(ActForm):
    """How much goes back to the card, and why."""

    paths = {"amount_minor": "amount", "reason": "reason"}

    def __init__(self, whole: Whole, typed: Any = None, **named: Any) -> None:
        super().__init__(typed, **named)
        self.fields["amount"] = text(
            _("Amount"), inputmode="decimal", maxlength=20,
            hint=_("At most {left}: what the card paid and has not gone back to it.").format(
                left=printed.money(whole.payment.left_minor)
            ),
        )  # fmt: skip
        self.fields["reason"] = text(_("Reason"), hint=_("The customer reads it."), maxlength=REASON_MAX)

    def asked(self, payment_id: int) -> Asked:
        """Raises InvalidValue."""
        check_reason(self.cleaned_data["reason"])
        return Asked(payment_id, amount_of(self.cleaned_data["amount"]))


@never_cache
@require_safe
@operator
def listing(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Card payments of everybody by number, customer and provider's number; as a file if asked."""
    word = PAYMENTS.chosen(request.GET)["q"]
    if request.GET.get("as") == "csv":
        return PAYMENTS.file("card-payments.csv", lambda key: card_payments.of_file(word, key))
    page = card_payments.page(word, request.GET.get("before", ""))
    return render(request, "backoffice/payments.html", {"payments": Shown(PAYMENTS, page, request)})


@never_cache
@require_safe
@operator
def detail(request: HttpRequest, number: int) -> HttpResponse:
    """One payment: what the card paid, what went back to it, what happened."""
    whole = _known(number)
    here = {
        "whole": whole,
        "payment": whole.payment,
        "under_way": any(one.resolved_at is None for one in whole.refunds),
        "refunds": listed(REFUNDS, whole.refunds, request, _("Given back to the card")),
        "happened": listed(EVENTS, whole.happened, request, _("What happened")),
    }
    return render(request, "backoffice/payment.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def refund(request: HttpRequest, number: int) -> HttpResponse:
    """What goes back to the card is shown first; what was shown is what is done, once."""
    whole = _known(number)
    if request.method != "POST":
        try:
            told = to_card.foretell(Asked(number))
        except Refused as refused:
            messages.warning(request, wording.sentence(refused))
            return redirect("seller_payment", number)
        most = from_minor(told.amount_minor, exponent(shop.snapshot().currency))
        return _page(request, whole, RefundForm(whole, initial={"amount": str(most)}))
    form = RefundForm(whole, request.POST)
    if request.POST.get("act") != "refund":
        foretold = form.made(lambda: to_card.foretell(form.asked(number)))
        return _page(request, whole, form, foretold, status=200 if foretold else 422)
    return _given(request, whole, form)


def _given(request: HttpRequest, whole: Whole, form: RefundForm) -> HttpResponse:
    number, key, shown = whole.payment.id, request.POST.get("key", ""), request.POST.get("shown", "") or "-"
    given = form.made(
        lambda: to_card.give(form.asked(number), form.cleaned_data["reason"], seller(request), key, shown=shown)
    )
    if given is None:
        return _page(request, _known(number), form, status=422)
    _say(request, given)
    return redirect("seller_payment", number)


def _say(request: HttpRequest, given: CardRefund) -> None:
    """What became of it so far."""
    amount = printed.money(given.amount_minor)
    if given.state == CardRefund.State.SUCCEEDED:
        messages.success(request, _("{amount} have been sent to the card.").format(amount=amount))
    elif given.state == CardRefund.State.FAILED:
        said = _("{amount} did not go back to the card; the money is in the balance. {why}")
        messages.error(request, said.format(amount=amount, why=wording.said(given.why)))
    else:
        said = _("{amount} are set aside and on their way to the card; this goes on by itself.")
        messages.success(request, said.format(amount=amount))


def _page(
    request: HttpRequest, whole: Whole, form: RefundForm, told: Foretold | None = None, status: int = 200
) -> HttpResponse:
    here = {
        "whole": whole, "payment": whole.payment, "form": form, "told": told, "key": secrets.token_hex(16),
        "money_held": overview.balance(whole.payment.account_id), "takes": wording.said(told.takes) if told else "",
    }  # fmt: skip
    return render(request, "backoffice/payment_refund.html", here, status=status)


@require_POST
@operator
def seen(request: HttpRequest, number: int) -> HttpResponse:
    """The seller knows that a refund to a card has failed."""
    try:
        if number <= _NUMBER_MAX:
            refunded.see(number, seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    return redirect("seller")


def _known(number: int) -> Whole:
    found = card_payments.whole(number)
    if found is None:
        raise Http404
    return found
