"""What pages do alike: find the thing that an address names, do what a button says, and tell how it went."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import overview
from vmart.pages import shown_quote, wording
from vmart.pages.forms import ActForm

_Thing = TypeVar("_Thing")


def found(thing: _Thing | None) -> _Thing:
    """It; what the account does not have is no page."""
    if thing is None:
        raise Http404
    return thing


def as_file(request: HttpRequest) -> bool:
    """Whether a list is asked for as a file."""
    return request.method == "GET" and request.GET.get("as") == "csv"


def machine_of(account_id: int, public_id: str) -> Instance:
    """The account's machine of that id."""
    return found(overview.machine(account_id, public_id))


def was_shown(request: HttpRequest, name: str, price: object, *, once: bool = False) -> bool:
    """Whether the form that was sent showed this price, as its field ``name``; where it did not, that is said.

    ``once``: it must have a token too, by which the same form sent again buys nothing more.
    """
    shown = request.POST.get(name) == str(price)
    if shown and (not once or shown_quote.is_token(request.POST.get("form", ""))):
        return True
    messages.warning(request, wording.SHOWN_TOO_LONG_AGO)
    return False


def done(request: HttpRequest, act: Callable[[], object], said: Any, *page: str, onward: str = "") -> HttpResponse:
    """Do it, say so where there is something to say, and go to the page, or ``onward``; refused, why on the page."""
    try:
        act()
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect(*page)
    if said:
        messages.success(request, said)
    return redirect(onward) if onward else redirect(*page)


def done_to(
    request: HttpRequest, machine: Instance, form: ActForm, act: Callable[[], object], said: Any
) -> HttpResponse | None:
    """``done`` on the machine's page, but None where what was typed is wrong, which is said beside it."""
    if not form.is_valid():
        return None
    try:
        act()
    except Refused as refused:
        if refused.field != "machines":
            form.refuse(refused)
            return None
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, said)
    return redirect("machine", machine.public_id)
