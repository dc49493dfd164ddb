"""Another bandwidth of a machine, told first what it costs; what is asked for stands in the address."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import overview
from vmart.orders import bandwidth
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.pages import confirm
from vmart.pages.shown_quote import NotShown
from vmart.pricing.priced import Priced
from vmart.web.forms import Bandwidth
from vmart.web.visitor import actor, customer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def bandwidth_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """By the hour and by traffic it is changed; by the month it is ordered."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    form = Bandwidth(request.POST if "bandwidth" in request.POST else request.GET or None)
    if request.method == "POST" and form.is_valid():
        try:
            return _do(request, machine, form.mbps)
        except NotShown:
            messages.warning(request, _("The price was shown too long ago to hold; here is the one of now."))
        except Refused as refused:
            form.refuse(refused)
    return _page(request, machine, form)


def _do(request: HttpRequest, machine: Instance, mbps: int) -> HttpResponse:
    by = actor(request, machine.account_id)
    if bandwidth.is_by_month(machine):
        return redirect("order", confirm.order(request, by, UPGRADE, Upgrade([machine.public_id], mbps)))
    bandwidth.change(by, [machine.public_id], mbps)
    messages.success(request, _("The bandwidth is being changed."))
    return redirect("machine", machine.public_id)


def _page(request: HttpRequest, machine: Instance, form: Bandwidth) -> HttpResponse:
    """With what it costs, once a bandwidth is asked for that can be had."""
    cost: dict[str, Any] = {}
    if form.is_bound and form.is_valid():
        try:
            cost = _cost(request, machine, form.mbps)
        except Refused as refused:
            form.refuse(refused)
    wrong = form.is_bound and bool(form.errors)
    here = {"machine": machine, "by_month": bandwidth.is_by_month(machine)}
    here |= {"form": form if form.is_bound else Bandwidth.now(machine)} | cost
    return render(request, "web/machines/bandwidth.html", here, status=422 if wrong else 200)


def _cost(request: HttpRequest, machine: Instance, mbps: int) -> dict[str, Any]:
    cost = bandwidth.reckon(machine.account_id, [machine.public_id], mbps)
    if not isinstance(cost, Priced):
        return {"reckoned": cost[0]}
    available_minor = overview.balance(machine.account_id).available_minor
    return {"confirmation": confirm.ask(request, machine.account_id, cost, available_minor=available_minor)}
