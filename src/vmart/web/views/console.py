"""A machine's console: the page with a terminal, and the ticket by which the gateway knows who asks."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from vmart.consoles import tickets, where
from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import eips
from vmart.pages import wording
from vmart.web.acting import machine_of
from vmart.web.visitor import actor, customer


def is_shown(machine: Instance, capabilities: Mapping[str, Any]) -> bool:
    """Whether the machine's page leads to its console, as it stands."""
    try:
        tickets.refuse([machine])
    except Refused:
        return False
    return bool(capabilities.get("console"))


@never_cache
@require_safe
@customer
def console_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The terminal; where there is no console, why."""
    machine = machine_of(account_id, public_id)
    eip = None if machine.public_ip_wanted else eips.at_machine(machine.id)
    here = {
        "machine": machine, "public_ip": eip.ip if eip else machine.public_ip,
        "ticket_address": reverse("machine_console_ticket", args=[public_id]),
    }  # fmt: skip
    return _page(request, here, lambda: _check(machine))


@never_cache
@require_safe
def by_ticket(request: HttpRequest) -> HttpResponse:
    """For whoever has an address of DescribeInstanceVncUrl, whose ticket stands behind its #."""
    return _page(request, {"ticket_address": ""}, lambda: None)


@never_cache
@require_POST
@customer
def ticket(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """``{"ticket": …}``, or ``{"refused": …}`` with why, status 422."""
    machine_of(account_id, public_id)
    by = tickets.By(request.user.pk, session_key=str(request.session.session_key))
    origin = f"{request.scheme}://{request.get_host()}"
    try:
        return JsonResponse({"ticket": tickets.make(actor(request, account_id), public_id, by, origin)})
    except Refused as refused:
        return JsonResponse({"refused": wording.sentence(refused)}, status=422)


def _check(machine: Instance) -> None:
    tickets.refuse_zone(machine.zone_id)
    tickets.refuse([machine])


def _page(request: HttpRequest, here: dict[str, Any], check: Callable[[], None]) -> HttpResponse:
    """With a policy of its own: its terminal speaks to the gateway, and makes style sheets of its own."""
    gateway = why = ""
    try:
        gateway = where.gateway(request.get_host(), secure=request.is_secure())
        check()
    except Refused as refused:
        why = wording.sentence(refused)
    response = render(request, "web/machines/console.html", {**here, "gateway": gateway, "why_not": why})
    if gateway and not why:
        parts = urlsplit(gateway)
        own = {"connect-src": [SELF, f"{parts.scheme}://{parts.netloc}"], "style-src": [SELF, NONCE]}
        return csp_update(own)(lambda _request: response)(request)  # type: ignore[return-value]
    return response
