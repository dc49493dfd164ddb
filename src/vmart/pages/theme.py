"""Light or dark: what the visitor chose, else what the browser asks for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

THEMES = ("light", "dark")
_COOKIE, _A_YEAR_S = "theme", 365 * 86400


def chosen(request: HttpRequest) -> str:
    """One of THEMES; "" of who never chose one."""
    kept = request.COOKIES.get(_COOKIE, "")
    return kept if kept in THEMES else ""


@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """Keep a theme in a cookie and go back to the page; any other word takes the choice back."""
    onward = request.POST.get("next", "")
    here = url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure())
    answer = redirect(onward if here else "/")
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        answer.set_cookie(_COOKIE, theme, max_age=_A_YEAR_S, samesite="Lax", secure=request.is_secure())
    else:
        answer.delete_cookie(_COOKIE)
    return answer
