"""What is chosen on the purchase page, as a program that buys it."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.kernel.errors import Refused
from vmart.web import offer
from vmart.web.as_code import LANGUAGES
from vmart.web.as_code.request import call, endpoint
from vmart.web.choice import Typed
from vmart.web.offer import Offer
from vmart.web.visitor import account_id_of


@never_cache
@require_safe
def code(request: HttpRequest) -> HttpResponse:
    """The program in the language that the address names, else the first; none where the form has an error."""
    shown = offer.make(Typed.of(request.GET), account_id_of(request))
    chosen = request.GET.get("language", "")
    chosen = chosen if chosen in LANGUAGES else next(iter(LANGUAGES))
    query = shown.choice.query()
    here = {
        "offer": shown,
        "program": _program(request, shown, chosen),
        "language": LANGUAGES[chosen],
        "tabs": [(one, f"{reverse('buy_code')}?{query}&language={name}") for name, one in LANGUAGES.items()],
        "form_address": f"{reverse('buy')}?{query}",
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
