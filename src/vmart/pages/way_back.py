"""Where a page leads on to when its own work is done: an address of this shop, carried along as ``next``."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from vmart.catalog import shop
from vmart.kernel.money import exponent, from_minor

_LONGEST = 4000


def way_back(request: HttpRequest) -> str:
    """The address that the request carries along; "" for none and for one that leaves the shop."""
    given = str(request.POST.get("next") or request.GET.get("next") or "")
    inside = url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    return given if inside and given.startswith("/") and len(given) <= _LONGEST and given.isprintable() else ""


def with_way_back(address: str, back: str) -> str:
    """``address`` with the way back as its query."""
    return f"{address}?{urlencode({'next': back})}" if back else address


def top_up_address(amount_minor: int, back: str) -> str:
    """The top-up page with an amount filled in, and the way back."""
    amount = from_minor(amount_minor, exponent(shop.snapshot().currency))
    query = {"amount": f"{amount:f}"} | ({"next": back} if back else {})
    return f"{reverse('top_up')}?{urlencode(query)}"
