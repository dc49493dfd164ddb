"""The system of a machine: its host name changed; installed anew, told first what is erased and what stays."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from vmart.engines.contract import RESCUED_AT
from vmart.events.actor import Actor
from vmart.instances.models import Instance, KeyPair
from vmart.kernel.errors import MissingParameter, Refused
from vmart.listings import overview
from vmart.orders import attributes, reinstall, rescue
from vmart.orders.login import LoginWanted, check_password
from vmart.orders.reinstall import Reinstall
from vmart.orders.stop import HARD, SOFT
from vmart.pages import wording
from vmart.web.acting import done, done_to, machine_of
from vmart.web.forms import HostName, NewSystem, RescueMode
from vmart.web.visitor import actor, customer

_LOGINS = ("generated", "typed", "keys")


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def reinstall_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Image, login and host name; what is wrong with them is said beside them, all else on the machine's page."""
    machine = machine_of(account_id, public_id)
    if request.POST.get("how") not in _LOGINS:
        return _page(request, machine, NewSystem(machine))
    form, said = NewSystem(machine, request.POST), _("The system is being installed anew.")
    who = actor(request, account_id)
    gone_on = done_to(request, machine, form, lambda: reinstall.reinstall(who, public_id, _asked(request, form)), said)
    return gone_on or _page(request, machine, form)


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def rescue_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """What the rescue mode is, and its password; where the zone has none, why, and nothing to be asked for."""
    machine = machine_of(account_id, public_id)
    form = RescueMode(request.POST if request.method == "POST" else None)
    who, said = actor(request, account_id), _("The rescue system is being booted.")
    gone_on = done_to(request, machine, form, lambda: _enter(who, public_id, **form.cleaned_data), said)
    return gone_on or _rescue(request, machine, form)


def _enter(who: Actor, public_id: str, password: str, *, hard: bool) -> None:
    rescue.enter(who, public_id, password, stop_type=HARD if hard else SOFT)


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
    machine = machine_of(account_id, public_id)
    if request.method != "POST":
        return render(request, "web/machines/leave_rescue.html", {"machine": machine, "rescued_at": RESCUED_AT})
    who, said = actor(request, account_id), _("The machine goes back to its own system.")
    return done(request, lambda: rescue.leave(who, public_id), said, "machine", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def host_name_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A name that is none is said beside the field, all else on the machine's page."""
    machine = machine_of(account_id, public_id)
    form = HostName(machine, request.POST if request.method == "POST" else None)
    who, said = actor(request, account_id), _("The host name is being changed.")
    gone_on = done_to(request, machine, form, lambda: attributes.modify(who, [public_id], hostname=form.value), said)
    return gone_on or _host_name(request, machine, form)


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
