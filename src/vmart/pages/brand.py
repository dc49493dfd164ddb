"""Whose shop it is, on every page: name, pictures, colour, and the pages of terms and imprint. No statement more."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from vmart.catalog import shop
from vmart.catalog.brand import NAME_EN
from vmart.pages import wording

_A_YEAR_S = 365 * 86400
_TEXTS = {"terms": _("Terms"), "imprint": _("Imprint")}


def name() -> str:
    """What the shop is called, in the reader's language."""
    return wording.in_language(shop.snapshot().brand, "name")


def own_name() -> str:
    """The name that the seller chose, in the reader's language; "" of a shop without one."""
    brand = shop.snapshot().brand
    return "" if brand.name_en == NAME_EN else wording.in_language(brand, "name")


@require_safe
def picture(request: HttpRequest, kept: str, what: str) -> HttpResponse:
    """The logo, or the picture of the browser's tab; ``kept`` is which logo it is of."""
    brand = shop.snapshot().brand
    if not brand.logo_id or kept != brand.logo_id:
        raise Http404
    return _for_good(HttpResponse(brand.icon if what == "icon" else brand.logo, content_type="image/png"))


@require_safe
def style(request: HttpRequest, kept: str) -> HttpResponse:
    """The shop's own colour as a style sheet."""
    brand = shop.snapshot().brand
    if not brand.style_id or kept != brand.style_id:
        raise Http404
    return _for_good(HttpResponse(brand.style, content_type="text/css; charset=utf-8"))


@require_safe
def legal(request: HttpRequest, what: str) -> HttpResponse:
    """Terms or imprint; where the seller has none there is no such page."""
    text = wording.in_language(shop.snapshot().brand, what)
    if not text:
        raise Http404
    return render(request, "pages/legal.html", {"title": _TEXTS[what], "text": text})


def _for_good(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = f"public, max-age={_A_YEAR_S}, immutable"
    return answer
