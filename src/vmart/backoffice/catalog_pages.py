"""The seller's pages of what is on sale: types by zone with a switch, prices with a preview, history, the file."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.backoffice import apply_catalog, book_edit, book_names, prices
from vmart.backoffice.first_run.pages import as_file
from vmart.backoffice.price_forms import Prices
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.catalog.models import Applied
from vmart.kernel import clock
from vmart.kernel.documents import read_yaml
from vmart.kernel.errors import NotFound, Refused
from vmart.listings.paging import number
from vmart.pages import wording
from vmart.pricing import books


@never_cache
@require_safe
@operator
def catalog(request: HttpRequest) -> HttpResponse:
    """What is on sale where, at which price; the books and files of before."""
    try:
        apply_catalog.last_applied()
    except NotFound:
        return redirect("seller_first_run_begin")
    here = shop.current()
    book = books.current_book(here.generation)
    shown = [zone for zone in here.zones.values() if zone.on_sale]
    rows = [
        {"type": kind, "price": book.document.instance_types.get(kind.code),
         "cells": [(zone, zone.offers.get(kind.code)) for zone in shown]}
        for kind in here.instance_types.values()
    ]  # fmt: skip
    told = {"rows": rows, "zones": shown, "book": book, "books": books.dated(), "history": prices.history(),
            "now": clock.now()}  # fmt: skip
    return render(request, "backoffice/catalog.html", told)


@require_POST
@operator
def sold_out(request: HttpRequest) -> HttpResponse:
    """The switch of a type in a zone."""
    zone, kind = (str(request.POST.get(name, "")).replace("\0", "") for name in ("zone", "type"))
    out = request.POST.get("act") != "sell"
    try:
        fresh = prices.sold_out(zone, kind, out=out, by=seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        told = _("{type} is sold out in {zone} from now on.") if out else _("{type} is sold in {zone} again.")
        messages.success(request, told.format(type=kind, zone=zone) if fresh else _("It is so already."))
    return redirect("seller_catalog")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def change_prices(request: HttpRequest) -> HttpResponse:
    """Prices in a form; what they would do is shown, and what was shown is what is published."""
    try:
        last = apply_catalog.last_applied()
    except NotFound:
        return redirect("seller_first_run_begin")
    section = read_yaml(last.text)[prices.BOOK]
    if request.method != "POST":
        initial = {"begins": prices.next_midnight(), "based_on": last.id}
        return _page(request, Prices(section, book_names.named(section), initial=initial))
    return _sent(request, section)


def _sent(request: HttpRequest, section: Mapping[str, Any]) -> HttpResponse:
    """A button of a row changes what is typed; the two below show and publish it."""
    fields = request.POST.dict()
    wanted = book_edit.typed(section, fields)
    try:
        focus = book_edit.change(section, wanted, request.POST.get("act", ""), fields)
    except Refused as refused:
        form = Prices(section, wanted, fields)
        form.refuse(refused)
        return _page(request, form, status=422)
    form = Prices(section, wanted, fields, focus=focus)
    return _page(request, form) if ":" in request.POST.get("act", "") else _changed(request, form)


def _changed(request: HttpRequest, form: Prices) -> HttpResponse:
    based_on = number(request.POST.get("based_on", "")) or 0
    found = form.made(lambda: prices.preview_whole(form.wanted, form.cleaned_data["begins"], based_on))
    if found is None:
        return _page(request, form, status=422)
    if request.POST.get("act") != "publish":
        return _page(request, form, found)
    if request.POST.get("shown") != found.shown:
        messages.warning(request, _("What you confirm is not what was shown; look at it once more."))
        return _page(request, form, found, status=422)
    if not form.takes(lambda: prices.publish(found, based_on=based_on, by=seller(request))):
        return _page(request, form, status=422)
    messages.success(request, _("The prices are published."))
    return redirect("seller_catalog")


def _page(request: HttpRequest, form: Prices, found: prices.Preview | None = None, status: int = 200) -> HttpResponse:
    return render(request, "backoffice/prices.html", {"form": form, "found": found}, status=status)


@never_cache
@require_safe
@operator
def file(request: HttpRequest, applied: int = 0) -> HttpResponse:
    """The catalog file that was applied last, or one of before, as it was."""
    row = Applied.objects.filter(id=applied).first() if 0 < applied < 2**63 else Applied.objects.order_by("-id").first()
    if row is None:
        raise Http404
    return as_file(row.text, f"catalog-{row.id}.yaml")
