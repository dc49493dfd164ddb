"""Passwords of machines: one that the shop made is shown in the answer to a POST until its owner has it; a reset."""

import datetime as dt
from collections.abc import Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from vmart.instances.models import Instance, State
from vmart.kernel.errors import Refused
from vmart.listings import orders
from vmart.orders import passwords, reset_password
from vmart.orders.errors import WeakPassword
from vmart.pages import wording
from vmart.pages.table import listed
from vmart.web.acting import found, machine_of
from vmart.web.forms import OwnPassword
from vmart.web.order_tables import PASSWORDS
from vmart.web.visitor import actor, customer


@never_cache  # no-store: no browser and no proxy keeps the answer
@require_POST
@customer
def of_machine(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The password of one machine."""
    machine = machine_of(account_id, public_id)
    return _asked(request, account_id, [machine], reverse("machine", args=[public_id]))


@never_cache
@require_POST
@customer
def of_order(request: HttpRequest, account_id: int, order_id: int) -> HttpResponse:
    """The passwords of all machines of an order, in one answer."""
    view = found(orders.view(account_id, order_id) if order_id < 2**63 else None)
    left = [entry.machine for entry in view.lines if entry.machine.state != State.GONE]
    return _asked(request, account_id, left, reverse("order", args=[order_id]))


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def reset_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A new password for the machine's user: made by the shop, or typed."""
    machine = machine_of(account_id, public_id)
    how, form = request.POST.get("how"), OwnPassword(request.POST)
    if how not in ("generated", "typed"):
        return _reset_form(request, machine, OwnPassword())
    if not form.is_valid():
        return _reset_form(request, machine, form, how="typed", status=422)
    try:
        if how == "typed":
            reset_password.reset(actor(request, account_id), [public_id], form.cleaned_data["password"])
        else:
            reset_password.generate(actor(request, account_id), public_id)
    except WeakPassword as refused:
        form.refuse(refused)
        return _reset_form(request, machine, form, how="typed", status=422)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    return redirect("machine", public_id)


def _reset_form(
    request: HttpRequest, machine: Instance, form: OwnPassword, *, how: str = "generated", status: int = 200
) -> HttpResponse:
    here = {"machine": machine, "form": form, "how": how}
    return render(request, "web/machines/reset_password.html", here, status=status)


def _asked(request: HttpRequest, account_id: int, machines: Sequence[Instance], back: str) -> HttpResponse:
    """Show them, or put them away; what cannot be done is said on the page ``back``."""
    public_ids = [machine.public_id for machine in machines]
    try:
        if request.POST.get("act") == "show":
            newest = passwords.newest([machine.id for machine in machines])
            found = passwords.show(actor(request, account_id), public_ids)
            shown = [(machine, found[machine.public_id]) for machine in machines if machine.public_id in found]
            made_until = newest.isoformat() if newest else ""
            here = {
                "shown": listed(PASSWORDS, shown, request),
                "back": back,
                "address": request.path,
                "made_until": made_until,
            }
            return render(request, "web/machines/passwords.html", here)
        if request.POST.get("act") == "have":
            _put_away(request, account_id, public_ids)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    return redirect(back)


def _put_away(request: HttpRequest, account_id: int, public_ids: Sequence[str]) -> None:
    """Those that the page showed, no newer ones; a page that does not say which those are erases none."""
    try:
        made_until = dt.datetime.fromisoformat(request.POST.get("made_until", ""))
    except ValueError:
        return
    if made_until.tzinfo is None:
        return
    if passwords.put_away(actor(request, account_id), public_ids, made_until):
        messages.success(request, _("The password was erased here: you have it."))
    else:
        messages.error(request, _("A newer password was made since; have it shown."))
