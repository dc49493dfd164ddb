"""Renewal of prepaid machines, one or several: the term, its price, then paid from the balance or by card."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.catalog import shop
from vmart.kernel.errors import Refused
from vmart.listings import overview
from vmart.orders import renew, renew_flag
from vmart.orders.machines import MACHINES_MAX
from vmart.orders.renew import Renewal
from vmart.pages import confirm, wording
from vmart.pages.shown_quote import NotShown
from vmart.pricing import books
from vmart.web.visitor import actor, customer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def renew_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Machines and the term stand in the address; what was shown is charged."""
    asked = _asked(request.GET)
    if not asked.public_ids:
        messages.info(request, _("Choose the prepaid machines to renew first."))
        return redirect("machines")
    if request.method == "POST":
        try:
            return redirect("order", confirm.order(request, actor(request, account_id), renew.ACT, asked))
        except NotShown:
            messages.warning(request, _("The price was shown too long ago to hold; here is the one of now."))
        except Refused as refused:
            messages.error(request, wording.sentence(refused))
    return render(request, "web/machines/renew.html", _here(request, account_id, asked))


def _asked(given: QueryDict) -> Renewal:
    """To a unified day where ``day`` is given, else by months. A wrong number becomes one that is refused."""
    day = given.get("day", "")
    number = int(day) if day.isascii() and day.isdigit() and len(day) < 3 else 0
    months = given.get("months", "1")
    term = int(months) if months.isascii() and months.isdigit() and len(months) < 4 else 0
    return Renewal(given.getlist("id")[:MACHINES_MAX], 0 if day else term or -1, number)


def _here(request: HttpRequest, account_id: int, asked: Renewal) -> dict[str, Any]:
    here: dict[str, Any] = {
        "asked": asked,
        "periods": books.current_book(shop.snapshot().generation).sales.periods_months,
        "days": range(1, 32),
        "available_minor": overview.balance(account_id).available_minor,
    }
    try:
        priced = renew.price(account_id, asked)
    except Refused as refused:
        return here | {"why": wording.sentence(refused)}
    available_minor = here["available_minor"]
    return here | {"confirmation": confirm.ask(request, account_id, priced, available_minor=available_minor)}


@require_POST
@customer
def set_flag(request: HttpRequest, account_id: int) -> HttpResponse:
    """The switch of one machine, or of those chosen in the list."""
    chosen = request.POST.getlist("id")[:MACHINES_MAX]
    try:
        renew_flag.set_flag(actor(request, account_id), chosen, request.POST.get("flag", ""))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("machines")
    messages.success(request, _("Saved."))
    return redirect(reverse("machine", args=chosen) if len(chosen) == 1 else "machines")
