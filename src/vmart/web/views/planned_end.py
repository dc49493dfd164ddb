"""The planned end of a machine: when it is ended by itself, changed and given up."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.orders import planned_end
from vmart.web.acting import machine_of
from vmart.web.forms import PlannedEnd
from vmart.web.visitor import actor, customer


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def planned_end_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    machine = machine_of(account_id, public_id)
    gives_up = request.POST.get("act") == "give_up"
    form = PlannedEnd(machine, request.POST if request.method == "POST" and not gives_up else None)
    if request.method != "POST":
        return _page(request, machine, form)
    try:
        if gives_up:
            planned_end.give_up(actor(request, account_id), [public_id])
        elif form.is_valid():
            planned_end.plan(actor(request, account_id), [public_id], form.value, instead=True)
        else:
            return _page(request, machine, form)
    except Refused as refused:
        form = PlannedEnd(machine, request.POST)
        form.is_valid()
        form.refuse(refused)
        return _page(request, machine, form)
    messages.success(request, _("It is not ended by itself.") if gives_up else _("Its end is planned."))
    return redirect("machine", public_id)


def _page(request: HttpRequest, machine: Instance, form: PlannedEnd) -> HttpResponse:
    here = {"machine": machine, "form": form}
    return render(request, "web/machines/planned_end.html", here, status=422 if form.is_bound else 200)
