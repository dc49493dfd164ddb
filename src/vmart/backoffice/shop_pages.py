"""The seller's page of whose shop it is: name, logo, colour, address for support, terms, imprint."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.backoffice import apply_catalog, own_shop
from vmart.backoffice.shop_forms import Look, logo_sent
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.kernel.documents import read_yaml
from vmart.kernel.errors import NotFound
from vmart.listings.paging import number


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def look(request: HttpRequest) -> HttpResponse:
    """What is there, to be changed; before there is a catalog the first run asks for it."""
    try:
        last = apply_catalog.last_applied()
    except NotFound:
        return redirect("seller_first_run_begin")
    if request.method != "POST":
        return _page(request, Look.shown(shop.current().brand, last.id))
    form = Look(request.POST)
    if form.takes(lambda: _save(request, form.said, read_yaml(last.text).get(own_shop.SECTION) or {})):
        messages.success(request, _("Saved: every page shows it from now on."))
        return redirect("seller_shop")
    return _page(request, form, status=422)


def _save(request: HttpRequest, said: Any, before: Any) -> None:
    made = own_shop.section(said, before, logo_sent(request.FILES))
    own_shop.put(made, based_on=number(said["based_on"]) or 0, by=seller(request))


def _page(request: HttpRequest, form: Look, status: int = 200) -> HttpResponse:
    return render(request, "backoffice/shop.html", {"form": form}, status=status)
