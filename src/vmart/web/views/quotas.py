"""What the account may have at most, and how much of it is used."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings import quotas
from vmart.listings.paging import Page
from vmart.pages.table import listed
from vmart.web.acting import as_file
from vmart.web.tables import QUOTAS
from vmart.web.visitor import customer


@never_cache
@require_safe
@customer
def page(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    held = quotas.all_of(account_id)
    if as_file(request):
        return QUOTAS.file("quotas.csv", lambda _key: Page(held))
    return render(request, "web/quotas.html", {"quotas": listed(QUOTAS, held, request)})
