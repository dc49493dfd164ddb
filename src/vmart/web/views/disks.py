"""Disks with a life of their own: the list, a new one, one of them, and what its owner does to it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel.errors import Refused
from vmart.listings import activity, charges, orders, overview, own_disks, snapshot_policies
from vmart.listings.own_disks import OwnDisk, Wanted
from vmart.listings.paging import Page
from vmart.orders import live_cost, things
from vmart.orders.convert import Conversion, frees_minor
from vmart.orders.disks import attach, attributes, convert, create, detach, give_back, grow, may, terminate
from vmart.orders.disks.create import NewDisks
from vmart.orders.disks.grow import Growth
from vmart.orders.grow_disk import Reckoned
from vmart.pages import confirm, shown_quote, wording
from vmart.pages.table import Shown
from vmart.pricing.configuration import POSTPAID_BY_HOUR, PREPAID, DiskChoice
from vmart.pricing.priced import Priced
from vmart.storage.models import Disk, State
from vmart.tags import reads
from vmart.web import typed_tags
from vmart.web.acting import done, found, was_shown
from vmart.web.disk_forms import DiskAttributes, DiskMachine, FirstTermOfDisk, NewDisk, OwnDiskSize
from vmart.web.storage_tables import DISKS
from vmart.web.visitor import actor, customer, field

_ENDED = (State.TORECYCLE, State.ERASING)


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The disks, narrowed as the address says; as a file where it says so."""
    chosen = DISKS.chosen(request.GET)
    wanted = Wanted(
        word=chosen["q"] or None,
        zones=[chosen["zone"]] if chosen["zone"] else None,
        states=[chosen["state"]] if chosen["state"] else None,
        tags=reads.named(chosen["tag"]),
    )

    def page_before(key: str) -> Page[OwnDisk]:
        return own_disks.by_key(account_id, wanted, before=key)

    if request.GET.get("as") == "csv":
        return DISKS.file("disks.csv", page_before)
    page = page_before(request.GET.get("before", ""))
    busy = any(_is_busy(row.disk) for row in page.rows)
    return render(request, "web/disks/list.html", {"disks": Shown(DISKS, page, request), "busy": busy})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def new_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Buy disks, told first what an hour of them costs; what is asked for stands in the address."""
    zones = own_disks.zones()
    typed = request.POST if request.method == "POST" else request.GET
    form = NewDisk(zones, typed if "zone" in typed else None)
    cost = _cost(account_id, form)
    if request.method == "POST" and cost and was_shown(request, "hourly", cost.shown, once=True):
        made = _create(request, account_id, form)
        if made is not None:
            return redirect("disk", made[0]) if len(made) == 1 else redirect("disks")
    here = {"form": form, "zones": zones, "cost": None if form.errors else _figures(form, cost)}
    return render(request, "web/disks/new.html", here, status=422 if form.errors else 200)


def _asked(form: NewDisk) -> NewDisks:
    typed, here = form.cleaned_data, shop.snapshot()
    region = here.region_of(typed["zone"]) if typed["zone"] in here.zones else ""
    disk = DiskChoice(typed["type"], typed["size"], name=typed["name"], snapshot_id=typed["snapshot"])
    months = typed["months"] or 0
    charge_type = PREPAID if months else POSTPAID_BY_HOUR
    asked = NewDisks(region, typed["zone"], charge_type, disk, typed["count"], months=months)
    return replace(asked, tags=typed_tags.read(typed["tags"]))


def _cost(account_id: int, form: NewDisk) -> create.Cost | None:
    """Of one of them; None where it is refused, which the form says."""
    return form.made(lambda: create.price(account_id, _asked(form)))


def _figures(form: NewDisk, cost: create.Cost | None) -> dict[str, Any] | None:
    """Of all of them together, and the token of the form that buys them."""
    if cost is None:
        return None
    count = form.cleaned_data["count"]
    return {
        "hourly": None if cost.hourly is None else cost.hourly * count, "hold_minor": cost.hold_minor * count,
        "listed_minor": cost.listed_minor * count, "one": cost.shown, "token": shown_quote.new_token(),
    }  # fmt: skip


def _create(request: HttpRequest, account_id: int, form: NewDisk) -> tuple[str, ...] | None:
    token = shown_quote.client_token(request.POST["form"])
    made = form.made(lambda: create.create(actor(request, account_id), _asked(form), client_token=token))
    if made:
        words = ngettext("{count} disk is being made.", "{count} disks are being made.", len(made))
        messages.success(request, words.format(count=len(made)))
    return made


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One disk; its name, and whether it ends with its machine, are changed here."""
    shown = _disk(account_id, public_id)
    form = DiskAttributes(shown.disk, request.POST if request.method == "POST" else None)
    if form.takes(lambda: _modify(actor(request, account_id), public_id, form.changed())):
        messages.success(request, _("The disk was changed."))
        return redirect("disk", public_id)
    here = {**_here(shown), "form": form}
    return render(request, "web/disks/disk.html", here, status=422 if form.errors else 200)


def _modify(who: Actor, public_id: str, changed: Mapping[str, Any]) -> None:
    if changed:
        attributes.modify(who, [public_id], name=changed.get("name"), ends_with_machine=changed.get("ends"))


def _here(shown: OwnDisk) -> dict[str, Any]:
    disk, machine = shown.disk, shown.machine
    started_at = disk.subscription.started_at
    return {
        "disk": disk,
        "machine": machine,
        "hourly": shown.hourly,
        "terms": orders.terms(disk.id) if things.is_prepaid(disk) else (),
        "renew_flags": wording.RENEW_FLAGS.items(),
        "bound": snapshot_policies.of_disks([disk.id]).get(disk.id),
        "may": may.possible(disk, machine),
        "busy": _is_busy(disk),
        "in_bin": disk.state in _ENDED,
        "never_made": disk.state == State.FAILED,
        "df_shows_gib": overview.df_shows_gib(disk.zone_id),
        "closed_exact": charges.of_parts(disk.account_id, [disk.id], started_at),
        "open_exact": live_cost.open_exact(disk.account_id, disk.id),
        "events": activity.of_thing(Disk.KIND, disk.id),
    }


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def attach_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Choose the machine, of the disk's zone, that gets it."""
    shown = _disk(account_id, public_id)
    machines = own_disks.machines_for(shown.disk)
    form = DiskMachine(machines, request.POST if request.method == "POST" else None)
    if form.takes(lambda: attach.attach(actor(request, account_id), form.cleaned_data["machine"], [public_id])):
        messages.success(request, _("The disk is being attached."))
        return redirect("disk", public_id)
    here = {"disk": shown.disk, "hourly": shown.hourly, "form": form, "machines": machines}
    return render(request, "web/disks/attach.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detach_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Taken off its machine, told first that it is charged on."""
    shown = _disk(account_id, public_id)
    if request.method == "POST":
        who = actor(request, account_id)
        machine = field(request.POST, "machine")  # as it was shown
        said = _("The disk is being detached.")
        return done(request, lambda: detach.detach(who, [public_id], machine_id=machine), said, "disk", public_id)
    here = {"disk": shown.disk, "machine": shown.machine, "hourly": shown.hourly}
    return render(request, "web/disks/detach.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def size_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A larger size, told first what it costs; the size asked for stands in the address. Paid ahead it is ordered."""
    shown = _disk(account_id, public_id)
    typed = request.POST if "size" in request.POST else request.GET
    form = OwnDiskSize(typed if "size" in typed else None)
    if request.method == "POST":
        gone_on = form.made(lambda: _grow(request, shown.disk, form.cleaned_data["size"]))
        if gone_on:
            return gone_on
    cost = form.made(lambda: grow.reckon(account_id, [public_id], form.cleaned_data["size"])[0])
    here = {"disk": shown.disk, "machine": shown.machine, "form": form, **_told(request, account_id, cost)}
    return render(request, "web/disks/size.html", here, status=422 if form.errors else 200)


def _grow(request: HttpRequest, disk: Disk, size_gib: int) -> HttpResponse | None:
    who = actor(request, disk.account_id)
    if things.is_prepaid(disk):
        return confirm.ordered(request, who, grow.UPGRADE, Growth([disk.public_id], size_gib))
    grow.grow(who, disk.public_id, size_gib)
    messages.success(request, _("The disk is being made larger."))
    return redirect("disk", disk.public_id)


def _told(request: HttpRequest, account_id: int, cost: Reckoned | Priced | None) -> dict[str, Any]:
    """What a larger one costs: by the hour, or what is to be confirmed."""
    if not isinstance(cost, Priced):
        return {"reckoned": cost}
    available_minor = overview.balance(account_id).available_minor
    return {"confirmation": confirm.ask(request, account_id, cost, available_minor=available_minor)}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def prepay_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Paid ahead from now on, told first what the first term costs."""
    shown = _disk(account_id, public_id)
    form = FirstTermOfDisk(request.GET if "months" in request.GET else None)
    here: dict[str, Any] = {"disk": shown.disk, "form": form}
    if form.is_bound and form.is_valid():
        asked = Conversion([public_id], form.cleaned_data["months"])
        try:
            who = actor(request, account_id)
            if request.method == "POST" and (gone_on := confirm.ordered(request, who, convert.ACT, asked)):
                return gone_on
            here |= _first_term(request, shown.disk, asked)
        except Refused as refused:
            form.refuse(refused)
    return render(request, "web/disks/prepay.html", here, status=422 if form.is_bound and form.errors else 200)


def _first_term(request: HttpRequest, disk: Disk, asked: Conversion) -> dict[str, Any]:
    priced = convert.ACT.price(disk.account_id, asked)
    available_minor = overview.balance(disk.account_id).available_minor + frees_minor(disk)
    return {"confirmation": confirm.ask(request, disk.account_id, priced, available_minor=available_minor)}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def end_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Into the recycle bin; out of it, erased."""
    shown = _disk(account_id, public_id)
    erases = shown.disk.state in _ENDED
    if request.method == "POST":
        who = actor(request, account_id)
        erase = request.POST.get("erase") == "1"  # as of machines: sent twice, *end* ends once
        return done(
            request, lambda: terminate.terminate(who, [public_id], erase=erase), "", "disk", public_id,
            onward="disks" if erase else "",
        )  # fmt: skip
    here: dict[str, Any] = {"disk": shown.disk, "erases": erases}
    if things.is_prepaid(shown.disk) and not erases:
        try:
            (here["refund"],) = give_back.quote_refund(account_id, [public_id])
        except Refused as refused:
            here["why"] = wording.sentence(refused)
    return render(request, "web/disks/end.html", here)


def _is_busy(disk: Disk) -> bool:
    return disk.latest_operation_state == "OPERATING"


def _disk(account_id: int, public_id: str) -> OwnDisk:
    return found(own_disks.one(account_id, public_id))
