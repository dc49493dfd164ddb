"""Machines: the list, one machine, and what its owner does to it; what costs or frees money is asked back first."""

from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.catalog import shop
from vmart.engines.contract import RESCUED_AT
from vmart.instances.models import ALIVE, IN_RESCUE, Instance, State
from vmart.kernel.errors import Refused
from vmart.listings import activity, charges, eips, orders, overview, own_disks, placement_groups, snapshot_policies
from vmart.listings import machines as list_of_machines
from vmart.listings import security_groups as listed_groups
from vmart.listings.machines import Wanted
from vmart.listings.paging import Page
from vmart.network.models import EipState
from vmart.orders import (
    bandwidth,
    holds,
    live_cost,
    lowering,
    may,
    passwords,
    planned_end,
    reboot,
    reinstall,
    return_prepaid,
    start,
    stop,
    terminate,
)
from vmart.orders import groups as own_groups
from vmart.orders.disks import keep
from vmart.orders.machines import is_under_way
from vmart.orders.without_charge import STOP_CHARGING
from vmart.pages import wording
from vmart.pages.table import Shown
from vmart.pages.way_back import way_back
from vmart.tags import reads
from vmart.web.acting import done, machine_of
from vmart.web.tables import MACHINES
from vmart.web.views import console, tags
from vmart.web.visitor import actor, customer

IN_BIN = (State.SHUTDOWN, State.TERMINATING)


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The machines, narrowed and ordered as the address says; as a file where it says so."""
    chosen, order = MACHINES.chosen(request.GET), MACHINES.order(request.GET)
    wanted = Wanted(
        word=chosen["q"] or None,
        zones=[chosen["zone"]] if chosen["zone"] else None,
        states=[chosen["state"]] if chosen["state"] else None,
        tags=reads.named(chosen["tag"]),
    )

    def page_before(key: str) -> Page[Instance]:
        return list_of_machines.by_key(account_id, wanted, before=key, order=order)

    if request.GET.get("as") == "csv":
        return MACHINES.file("machines.csv", page_before)
    page = page_before(request.GET.get("before", ""))
    busy = any(machine.state in wording.IN_BETWEEN for machine in page.rows)
    return render(request, "web/machines/list.html", {"machines": Shown(MACHINES, page, request), "busy": busy})


_ON = (State.RUNNING, State.REBOOTING, State.RESCUE_MODE)


@never_cache
@require_safe
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    machine = machine_of(account_id, public_id)
    here = _here(machine)
    bound = snapshot_policies.of_disks([disk.id for disk in here["disks"]])
    return render(request, "web/machines/machine.html", {**here, "tags": tags.of_machine(machine), "policies": bound})


@never_cache
@require_safe
@customer
def live(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The part of the machine's page that changes: state, actions, cost, history."""
    return render(request, "web/machines/live.html", _here(machine_of(account_id, public_id)))


@require_POST
@customer
def power(request: HttpRequest, account_id: int, public_id: str, act: str) -> HttpResponse:
    """Start or reboot: no money to confirm."""
    machine_of(account_id, public_id)
    verb = {"start": start.start, "reboot": reboot.reboot}[act]
    back = [way_back(request)] if way_back(request) else ["machine", public_id]  # a list leads back to itself
    return done(request, lambda: verb(actor(request, account_id), [public_id]), "", *back)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def stop_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Stop, told first whether *off* is billed; what is off and billed is put to *without charge*."""
    machine = machine_of(account_id, public_id)
    if request.method == "POST":
        who, without = actor(request, account_id), request.POST.get("charge") == "without"
        mode = STOP_CHARGING if without else stop.KEEP_CHARGING
        how = stop.HARD if request.POST.get("hard") == "1" else stop.SOFT_FIRST
        return done(
            request, lambda: stop.stop(who, [public_id], stopped_mode=mode, stop_type=how), "", "machine", public_id
        )
    here = {
        "machine": machine,
        "hourly": holds.hourly([machine.id])[machine.id] or Decimal(0),
        "kept_hourly": holds.hourly([machine.id], paused=True)[machine.id] or Decimal(0),
        "off": stop.off_and_billed(machine),
    }
    return render(request, "web/machines/stop.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def end_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Terminate a postpaid machine, return a prepaid one with its refund quoted, or erase what is in the bin."""
    machine = machine_of(account_id, public_id)
    if request.method == "POST":
        who = actor(request, account_id)
        erase = request.POST.get("erase") == "1"  # sent twice, *end* ends once: to erase is asked for by itself
        return done(
            request, lambda: terminate.terminate(who, [public_id], erase=erase), "", "machine", public_id,
            onward="machines" if erase else "",
        )  # fmt: skip
    refund = why = None
    if machine.subscription.charge_type == "PREPAID" and machine.state not in (*IN_BIN, State.LAUNCH_FAILED):
        try:
            (refund,) = return_prepaid.quote_refund(account_id, [public_id])
        except Refused as refused:
            why = wording.sentence(refused)
    held = [disk for disk in own_disks.of_machine(machine.id) if not disk.delete_with_instance]
    here: dict[str, Any] = {
        "machine": machine, "refund": refund, "why": why, "erases": machine.state in (*IN_BIN, State.LAUNCH_FAILED),
    }  # fmt: skip
    if machine.state != State.LAUNCH_FAILED:
        kept = keep.staying(machine)
        prepaid = machine.subscription.charge_type == "PREPAID"
        here |= {"stay": held if prepaid else [*kept, *held], "bin_of_their_own": kept if prepaid else []}
    return render(request, "web/machines/end.html", here)


def _here(machine: Instance) -> dict[str, Any]:
    line = orders.of_machine(machine.id)
    assert line is not None
    here, capabilities = shop.snapshot(), overview.capabilities(machine.zone_id)
    closed = charges.of_parts(machine.account_id, overview.parts(machine.id), machine.subscription.started_at)
    operating = machine.latest_operation_state == "OPERATING"
    # While a reset or a new system is under way, the password that is kept is about to be another; a rescue system has
    # another one.
    kept = (
        {}
        if machine.state in IN_RESCUE or any(is_under_way(machine, act) for act in (passwords.RESET, reinstall.ACT))
        else passwords.kept([machine.id])
    )
    network_off = machine.subscription.arrears_since is not None and machine.state in ALIVE
    eip = None if machine.public_ip_wanted else eips.at_machine(machine.id)
    leads = eip is not None and eip.state == EipState.BIND and eip.subscription.isolated_at is None
    public_ip = eip.ip if eip and leads else machine.public_ip
    return {
        "machine": machine,
        "line": line,
        "terms": orders.terms(machine.id) if machine.subscription.charge_type == "PREPAID" else [],
        "lower": lowering.of(machine.id) if bandwidth.is_by_month(machine) else None,
        "renew_flags": wording.RENEW_FLAGS.items(),
        "may": may.possible(machine),
        "console": console.is_shown(machine, capabilities),
        "hourly": holds.hourly([machine.id])[machine.id] or Decimal(0),
        "zone": here.zones[machine.zone_id],
        "group": placement_groups.of_machine(machine.id),
        **_groups_of(machine, own_groups.why_none_hold(capabilities)),
        "eip": eip,
        "disks": overview.disks(machine.id),
        "df_shows_gib": capabilities.get("df_shows_gib", 0),
        "own_disks": own_disks.of_machine(machine.id),
        "keeps_disks": keep.keeps_disks(machine),
        "events": activity.of_machine(machine.id),
        "closed_exact": closed,
        "open_exact": live_cost.open_exact(machine.account_id, machine.id),
        "by_usage": overview.is_charged_by_usage(machine.id),
        "busy": machine.state in wording.IN_BETWEEN or operating,
        "under_way": wording.UNDER_WAY.get(machine.latest_operation, "") if operating else "",
        "in_bin": machine.state in IN_BIN,
        "ends_by_itself": machine.ends_at is not None and not planned_end.has_come(machine),
        "network_off": network_off,
        "public_ip": public_ip,
        "reachable": machine.state in _ON and public_ip and (leads or not network_off),
        "off_billed": _off_billed(machine),
        "passwords": len(kept),
        "rescued_at": RESCUED_AT,
        "until": kept.get(machine.id),
    }


def _groups_of(machine: Instance, no_groups: str) -> dict[str, Any]:
    """Its security groups with what they mean for SSH; ``no_groups``: why none holds there, where that is so."""
    region = shop.snapshot().region_of(machine.zone_id)
    known = {group.public_id: group for group in listed_groups.to_choose(machine.account_id, region)}
    groups = [known[public_id] for public_id in own_groups.of(machine) if public_id in known]
    ssh = None if no_groups or machine.state not in ALIVE else listed_groups.ssh_reach(groups, ipv6=bool(machine.ipv6))
    return {"security_groups": groups, "no_groups": no_groups, "ssh": ssh}


def _off_billed(machine: Instance) -> str:
    """A sentence for a machine that is off; "" for others."""
    if machine.state != State.STOPPED:
        return ""
    if machine.stop_charging_mode == STOP_CHARGING:
        return _("It is off without charge: only its disks and by-bandwidth network are billed.")
    if machine.subscription.charge_type == "PREPAID":
        return _("It is off; its term is paid and runs on.")
    if machine.max_price is not None:
        return _("It is off and billed as if it were running.")
    return _("It is off and billed as if it were running. To pay for its disks only, put it to “without charge”.")
