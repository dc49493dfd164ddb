"""The seller's pages of what is on sale: types by zone with a switch, prices with a preview, history, the file."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.backoffice import apply_catalog, prices
from vmart.backoffice.first_run.pages import as_file
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.catalog.models import Applied
from vmart.kernel import clock
from vmart.kernel.documents import read_yaml
from vmart.kernel.errors import NotFound, Refused
from vmart.listings.paging import number
from vmart.pages import wording
from vmart.pages.forms import ActForm, text
from vmart.pricing import books

_PER = {"month": gettext_lazy("month"), "hour": gettext_lazy("hour"), "spot": gettext_lazy("hour as spot")}
_ALONE = {
    "traffic_gib": gettext_lazy("Traffic, a GiB"),
    "idle_address": gettext_lazy("Public address without a machine, an hour"),
    "snapshot_gib": gettext_lazy("Snapshot, a GiB and hour"),
    "image_gib": gettext_lazy("Imported image, a GiB and hour"),
    "package_mbps": gettext_lazy("Bandwidth package, a Mbps and hour"),
}  # fmt: skip


class Prices(ActForm):
    """Every price that stands alone, and from when the changed ones hold."""

    def __init__(self, document: dict[str, Any], typed: Any = None, **named: Any) -> None:
        self.priced = prices.priced(document)
        held = {name: format(value, "f") for name, (_path, value) in self.priced.items()}
        super().__init__(typed, initial=held | named.pop("initial", {}), **named)
        for name in self.priced:
            self.fields[name] = text(_title(name), required=False, maxlength=18, inputmode="decimal")
        self.fields["begins"] = forms.CharField(
            label=_("In force from"), required=False,
            help_text=_("In the billing zone. Until then the prices of now hold."),
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        )  # fmt: skip
        for hidden in ("based_on", "shown"):
            self.fields[hidden] = forms.CharField(required=False, widget=forms.HiddenInput)
        self.paths = {name: name for name in self.fields} | {f"price_book.{name}": name for name in self.priced}  # type: ignore[misc]

    def rows(self) -> list[dict[str, Any]]:
        """A row a thing, with the fields of its prices."""
        rows: dict[str, dict[str, Any]] = {}
        for name in self.priced:
            thing, _dot, per = name.rpartition(".")
            row = rows.setdefault(thing or name, {"title": _thing(thing or name), "fields": []})
            row["fields"].append((_PER.get(per, ""), self[name]))
        return list(rows.values())


def _thing(name: str) -> Any:
    kind, _dot, code = name.partition(".")
    if kind == "disks":
        return f"{wording.disk_type(code)}, GiB"
    return code or (_("Bandwidth, a Mbps") if kind == "bandwidth" else _ALONE[kind])


def _title(name: str) -> str:
    thing, _dot, per = name.rpartition(".")
    return f"{_thing(thing or name)} {_PER.get(per, '')}".strip()


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
    document = read_yaml(last.text)
    if request.method != "POST":
        form = Prices(document, initial={"begins": prices.next_midnight(), "based_on": last.id})
        return _page(request, form)
    return _changed(request, Prices(document, request.POST))


def _changed(request: HttpRequest, form: Prices) -> HttpResponse:
    based_on = number(request.POST.get("based_on", "")) or 0
    found = form.made(lambda: prices.preview(form.cleaned_data, form.cleaned_data["begins"], based_on))
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
