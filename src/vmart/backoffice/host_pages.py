"""The seller's page of a zone: its hosts with a switch each, and for which types there is room and why not."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from vmart.backoffice import zone_tables
from vmart.backoffice.host_tables import HOSTS
from vmart.backoffice.views import operator, seller
from vmart.catalog import shop
from vmart.kernel.errors import Refused
from vmart.listings import hosts, stock
from vmart.listings.paging import number
from vmart.pages import wording
from vmart.pages.table import Shown, listed
from vmart.placement import draining

_DISK_GIB, _DISK_MAX = 50, 1_000_000


@never_cache
@require_safe
@operator
def zone(request: HttpRequest, code: str) -> HttpResponse:
    """Its hosts, and how many of them each filter of the placement leaves, by type; ``disk`` is all disks of a machine
    together."""
    found = shop.snapshot().zones.get(code)
    if found is None:
        raise Http404
    disk_gib = min(number(request.GET.get("disk", "")) or _DISK_GIB, _DISK_MAX)
    here = {
        "zone": found, "disk_gib": disk_gib,
        "types": listed(zone_tables.room(disk_gib), stock.explained(code, disk_gib), request),
        "hosts": Shown(HOSTS, hosts.page(code, request.GET.get("after", "")), request, _("Hosts"), "after"),
    }  # fmt: skip
    return render(request, "backoffice/zone.html", here)


@require_POST
@operator
def drain(request: HttpRequest, code: str) -> HttpResponse:
    """Place nothing more on a host, or let it take machines again."""
    if code not in shop.snapshot().zones:
        raise Http404
    name, undo = str(request.POST.get("host", "")), request.POST.get("act") == "undo"
    try:
        fresh = (draining.undrain if undo else draining.drain)(code, name, seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        told = (
            _("{host} takes machines again.") if undo else _("Nothing more is placed on {host}. What is there stays.")
        )
        messages.success(request, told.format(host=name) if fresh else _("It is so already."))
    return redirect("seller_zone", code)
