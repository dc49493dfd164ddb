"""What is chosen on the purchase page, as a program that buys it."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from vmart.kernel.errors import Refused
from vmart.web import first_boot, offer
from vmart.web.as_code import LANGUAGES
from vmart.web.as_code.request import call, endpoint
from vmart.web.choice import Typed
from vmart.web.offer import Offer
from vmart.web.visitor import account_id_of


@never_cache
@sensitive_post_parameters("password", "user_data")
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The program in the language that is named, else the first; none where the form has an error.

    A form that is sent leads to an address that says it all. User data that was typed goes along by forms alone.
    """
    if request.method != "POST":
        return _page(request, Typed.of(request.GET), request.GET)
    shown = offer.make(Typed.sent(request.POST), account_id_of(request))
    carried = first_boot.carried(shown.choice.query(), request.POST)
    if carried is None:
        return redirect(f"{reverse('buy_code')}?{shown.choice.query()}")
    return _page(request, Typed.sent(carried), request.POST, carried)


def _page(request: HttpRequest, typed: Typed, named: QueryDict, carried: QueryDict | None = None) -> HttpResponse:
    shown = offer.make(typed, account_id_of(request))
    chosen = named.get("language", "")
    chosen = chosen if chosen in LANGUAGES else next(iter(LANGUAGES))
    query = shown.choice.query()
    here = {
        "offer": shown,
        "program": _program(request, shown, chosen),
        "language": LANGUAGES[chosen],
        "tabs": [(name, one, f"{reverse('buy_code')}?{query}&language={name}") for name, one in LANGUAGES.items()],
        "form_address": f"{reverse('buy')}?{query}",
        "carried": [(name, value) for name, values in carried.lists() for value in values] if carried else [],
        "has_user_data": bool(first_boot.document(shown.choice)),
    }
    return render(request, "web/buy/code.html", here)


def _program(request: HttpRequest, shown: Offer, language: str) -> str:
    """ "" where something is wrong with the form, which it then says."""
    if shown.quoted is None or shown.errors or shown.general_error:
        return ""
    try:
        return LANGUAGES[language].program(call(shown, endpoint(request)))
    except Refused as refused:
        shown.refuse(refused)
        return ""
