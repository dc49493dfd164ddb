"""What happened in the account, and who had it done."""

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings.activity import of_account
from vmart.pages import lists
from vmart.pages.table import Shown
from vmart.web.visitor import customer

_ACTIVITY = lists.activity(seller=False)


@never_cache
@require_safe
@customer
def activity(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    if request.GET.get("as") == "csv":
        return _ACTIVITY.file("activity.csv", lambda key: of_account(account_id, key))
    page = of_account(account_id, request.GET.get("before", ""))
    return render(request, "web/activity.html", {"activity": Shown(_ACTIVITY, page, request)})
