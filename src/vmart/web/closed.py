"""A shop that is not open yet: buyers are told so, whatever page they ask for; the seller goes on setting it up."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

from vmart.catalog import shop

_SELLERS = ("/seller/", "/accounts/", "/i18n/", "/payments/webhook/", "/brand/", "/terms/", "/imprint/")
_SIGN_UP = "/accounts/signup/"


def until_open(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: until the shop is open, only what the seller needs is answered."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if shop.snapshot().open or _is_sellers(request):
            return get_response(request)
        return render(request, "web/closed.html", status=503)

    return answer


def _is_sellers(request: HttpRequest) -> bool:
    user: Any = request.user
    if request.path == "/" and user.is_authenticated and user.is_staff:
        return True
    return request.path.startswith(_SELLERS) and not request.path.startswith(_SIGN_UP)
