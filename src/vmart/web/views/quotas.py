"""What the account may have at most, and how much of it is used."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings import quotas
from vmart.pages.table import listed
from vmart.web.tables import QUOTAS
from vmart.web.visitor import customer


@never_cache
@require_safe
@customer
def page(request: HttpRequest, account_id: int) -> HttpResponse:
    return render(request, "web/quotas.html", {"quotas": listed(QUOTAS, quotas.all_of(account_id), request)})
