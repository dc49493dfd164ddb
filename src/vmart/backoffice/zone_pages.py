"""The seller's page of a zone: for which types there is room, and if not, what there is too little of."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.backoffice import zone_tables
from vmart.backoffice.views import operator
from vmart.catalog import shop
from vmart.listings import stock
from vmart.listings.paging import number
from vmart.pages.table import listed

_DISK_GIB, _DISK_MAX = 50, 1_000_000


@never_cache
@require_safe
@operator
def zone(request: HttpRequest, code: str) -> HttpResponse:
    """How many hosts each filter of the placement leaves, by type; ``disk`` is all disks of a machine together."""
    found = shop.snapshot().zones.get(code)
    if found is None:
        raise Http404
    disk_gib = min(number(request.GET.get("disk", "")) or _DISK_GIB, _DISK_MAX)
    types = listed(zone_tables.room(disk_gib), stock.explained(code, disk_gib), request)
    here = {"zone": found, "disk_gib": disk_gib, "types": types}
    return render(request, "backoffice/zone.html", here)
