"""What happened in the account, and who had it done."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings.activity import of_account
from vmart.web.visitor import customer


@never_cache
@require_safe
@customer
def activity(request: HttpRequest, account_id: int) -> HttpResponse:
    page = of_account(account_id, request.GET.get("before", ""))
    return render(request, "web/activity.html", {"page": page})
