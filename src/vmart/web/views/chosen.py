"""Several things of a list at once: what the act does to each is shown, then done, and each has its result."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.pages.table import listed
from vmart.web import chosen
from vmart.web.chosen import AT_ONCE_MAX, Kind
from vmart.web.chosen_tables import asked_table, results_table
from vmart.web.visitor import actor, customer


def _page_of(kind: Kind) -> Callable[..., HttpResponseBase]:
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @customer
    def view(request: HttpRequest, account_id: int) -> HttpResponse:
        given = request.POST if request.method == "POST" else request.GET
        code, public_ids = given.get("act", ""), list(dict.fromkeys(given.getlist("id")))
        if why := _unusable(kind, code, public_ids):
            messages.error(request, why)
            return redirect(kind.listing)
        act = kind.acts[code]
        here = {"kind": kind, "act": act, "code": code}
        if request.method == "POST":
            results = chosen.do(actor(request, account_id), kind, act, public_ids)
            here |= {"results": listed(results_table(kind), results, request), "many": _counted(results)}
            return render(request, "web/chosen/done.html", here)
        asked = chosen.ask(account_id, kind, act, public_ids)
        here |= {"asked": asked, "items": listed(asked_table(kind, asked), asked.items, request)}
        return render(request, "web/chosen/ask.html", here)

    return view


def _unusable(kind: Kind, code: str, public_ids: list[str]) -> str:
    if code not in kind.acts:
        return _("Choose what to do.")
    if not public_ids:
        return _("Tick rows of the list first.")
    if len(public_ids) > AT_ONCE_MAX:
        return _("At most {most} at once.").format(most=AT_ONCE_MAX)
    return ""


def _counted(results: list[chosen.Result]) -> dict[str, int]:
    accepted = sum(result.accepted for result in results)
    return {"accepted": accepted, "refused": len(results) - accepted}


machines, disks = _page_of(chosen.MACHINES), _page_of(chosen.DISKS)
snapshots, addresses = _page_of(chosen.SNAPSHOTS), _page_of(chosen.ADDRESSES)
