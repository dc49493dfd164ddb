"""The system of a machine: its host name changed; installed anew, told first what is erased and what stays."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from vmart.engines.contract import RESCUED_AT
from vmart.instances.models import Instance, KeyPair
from vmart.kernel.errors import MissingParameter, Refused
from vmart.listings import overview
from vmart.orders import attributes, reinstall, rescue
from vmart.orders.login import LoginWanted, check_password
from vmart.orders.reinstall import Reinstall
from vmart.orders.stop import HARD, SOFT
from vmart.pages import wording
from vmart.web.forms import HostName, NewSystem, RescueMode
from vmart.web.visitor import actor, customer

_LOGINS = ("generated", "typed", "keys")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def reinstall_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Image, login and host name; what is wrong with them is said beside them, all else on the machine's page."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    if request.POST.get("how") not in _LOGINS:
        return _page(request, machine, NewSystem(machine))
    form = NewSystem(machine, request.POST)
    if not form.is_valid():
        return _page(request, machine, form)
    try:
        reinstall.reinstall(actor(request, account_id), public_id, _asked(request, form))
    except Refused as refused:
        if refused.field == "machines":
            messages.error(request, wording.sentence(refused))
            return redirect("machine", public_id)
        form.refuse(refused)
        return _page(request, machine, form)
    messages.success(request, _("The system is being installed anew."))
    return redirect("machine", public_id)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def rescue_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """What the rescue mode is, and its password; where the zone has none, why, and nothing to be asked for."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    form = RescueMode(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _rescue(request, machine, form)
    typed = form.cleaned_data
    try:
        rescue.enter(
            actor(request, account_id), public_id, typed["password"], stop_type=HARD if typed["hard"] else SOFT
        )
    except Refused as refused:
        if refused.field == "machines":
            messages.error(request, wording.sentence(refused))
            return redirect("machine", public_id)
        form.refuse(refused)
        return _rescue(request, machine, form)
    messages.success(request, _("The rescue system is being booted."))
    return redirect("machine", public_id)


def _rescue(request: HttpRequest, machine: Instance, form: RescueMode) -> HttpResponse:
    here = {"machine": machine, "form": form, "rescued_at": RESCUED_AT, "why_not": _why_not(machine)}
    return render(request, "web/machines/rescue.html", here, status=422 if form.is_bound else 200)


def _why_not(machine: Instance) -> str:
    try:
        rescue.refuse_zone(machine.zone_id)
    except Refused as refused:
        return wording.sentence(refused)
    return ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def leave_rescue_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Asks once more; what is refused is said on the machine's page."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    if request.method != "POST":
        return render(request, "web/machines/leave_rescue.html", {"machine": machine, "rescued_at": RESCUED_AT})
    try:
        rescue.leave(actor(request, account_id), public_id)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, _("The machine goes back to its own system."))
    return redirect("machine", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def host_name_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A name that is none is said beside the field, all else on the machine's page."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    form = HostName(machine, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return _host_name(request, machine, form)
    try:
        attributes.modify(actor(request, account_id), [public_id], hostname=form.value)
    except Refused as refused:
        if refused.field == "machines":
            messages.error(request, wording.sentence(refused))
            return redirect("machine", public_id)
        form.refuse(refused)
        return _host_name(request, machine, form)
    messages.success(request, _("The host name is being changed."))
    return redirect("machine", public_id)


def _host_name(request: HttpRequest, machine: Instance, form: HostName) -> HttpResponse:
    here = {"machine": machine, "form": form}
    return render(request, "web/machines/host_name.html", here, status=422 if form.is_bound else 200)


def _asked(request: HttpRequest, form: NewSystem) -> Reinstall:
    """Of the logins that were typed or ticked the chosen one counts, and it must be there."""
    how, typed, keys = request.POST.get("how"), form.cleaned_data, tuple(request.POST.getlist("key"))
    if how == "typed":
        check_password(typed["password"])
    if how == "keys" and not keys:
        raise MissingParameter("Choose a key pair.", field="login.key_ids")
    login = LoginWanted(typed["password"] if how == "typed" else "", keys if how == "keys" else ())
    return Reinstall(typed["image"], login, typed["hostname"])


def _page(request: HttpRequest, machine: Instance, form: NewSystem) -> HttpResponse:
    here = {
        "machine": machine,
        "form": form,
        "how": request.POST.get("how", "generated"),
        "pairs": KeyPair.objects.filter(account_id=machine.account_id).order_by("-id"),
        "chosen": request.POST.getlist("key"),
        "disks": overview.disks(machine.id),
    }
    return render(request, "web/machines/reinstall.html", here, status=422 if form.is_bound else 200)
