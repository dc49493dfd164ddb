"""The first page of who has something here."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.listings import at_a_glance, discounts
from vmart.listings import overview as money
from vmart.web.visitor import customer


@never_cache
@require_safe
@customer
def overview(request: HttpRequest, account_id: int) -> HttpResponse:
    held = money.balance(account_id)
    here = {
        "glance": at_a_glance.glance(account_id),
        "discount": discounts.held(account_id),
        "soon_days": at_a_glance.SOON.days,
        "money_held": held,
        "below_zero": money.below_zero(account_id, held.balance_minor),
    }
    return render(request, "web/overview.html", here)
