"""Bought public addresses: the list, a purchase with its price, one address, and what is done to it, told first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel.errors import Refused
from vmart.listings import eips, orders, overview, packages
from vmart.listings.views import EipView
from vmart.orders.addresses import allocate, associate, bandwidth, disassociate, give_back, mode, own, rename
from vmart.orders.addresses.allocate import Cost, NewAddresses
from vmart.orders.addresses.bandwidth import Faster
from vmart.orders.addresses.mode import ToMonth
from vmart.orders.downgrade import Downgrade
from vmart.orders.priced_act import A, PricedAct
from vmart.pages import confirm, shown_quote, wording
from vmart.pages.table import Shown
from vmart.pricing.address import AddressPart
from vmart.pricing.errors import PeriodNotSold
from vmart.pricing.priced import Priced
from vmart.web import acting, typed_tags
from vmart.web.acting import as_file, found, was_shown
from vmart.web.address_forms import EipBandwidth, EipMachine, EipMode, EipName, NewEip
from vmart.web.row_acts import address_may
from vmart.web.tables import EIPS
from vmart.web.visitor import actor, customer, field


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The addresses, newest first."""
    if as_file(request):
        return EIPS.file("addresses.csv", lambda key: eips.by_key(account_id, before=key))
    page = eips.by_key(account_id, before=request.GET.get("before", ""))
    busy = any(_is_busy(row) for row in page.rows)
    return render(request, "web/addresses/list.html", {"addresses": Shown(EIPS, page, request), "busy": busy})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def buy(request: HttpRequest, account_id: int) -> HttpResponse:
    """What is asked for stands in the address, the price beside it; then it is bought."""
    typed = request.POST if request.method == "POST" else request.GET
    form = NewEip(packages.usable(account_id), typed if "mode" in typed else None)
    here: dict[str, Any] = {"form": form, "token": shown_quote.new_token()}
    if form.is_bound and form.is_valid():
        try:
            asked = _asked(form.cleaned_data)
            cost = allocate.price(account_id, asked.region, asked.part, asked.months)
            if request.method == "POST" and was_shown(request, "shown", _in_form(cost), once=True):
                return _bought(request, account_id, asked)
            due_minor = None if cost.term_minor is None else cost.term_minor * asked.count
            here |= {"cost": cost, "asked": asked, "shown": _in_form(cost), "due_minor": due_minor}
        except Refused as refused:
            form.refuse(refused)
    return render(request, "web/addresses/buy.html", here, status=422 if form.is_bound and form.errors else 200)


def _asked(typed: dict[str, Any]) -> NewAddresses:
    zone = shop.snapshot().zones.get(typed["zone"])
    part = AddressPart(typed["mode"], typed["bandwidth"])
    return NewAddresses(
        zone.region if zone else "", part, typed["zone"], typed["count"], typed["name"],
        typed_tags.read(typed["tags"]), months=typed["months"],
        package=typed.get("package", "") if part.in_package else "",
    )  # fmt: skip


def _in_form(cost: Cost) -> str:
    return f"{cost.idle_hourly} {cost.bound_hourly} {cost.traffic_per_gib} {cost.term_minor}"


def _bought(request: HttpRequest, account_id: int, asked: NewAddresses) -> HttpResponse:
    """The same form sent again buys nothing more."""
    known = shown_quote.client_token(field(request.POST, "form"))
    made = allocate.allocate(actor(request, account_id), asked, client_token=known)
    if asked.months:
        messages.success(request, _("Bought and paid; bind it to a machine now."))
    else:
        messages.success(request, _("Bought, and charged as idle until a machine has it."))
    return redirect("address", made.public_ids[0]) if len(made.public_ids) == 1 else redirect("addresses")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One address; its name is changed here, the ways to all else lead on."""
    eip = _one(account_id, public_id)
    form = EipName(request.POST if request.method == "POST" else None, initial={"name": eip.name})
    if form.takes(lambda: rename.rename(actor(request, account_id), public_id, form.cleaned_data["name"])):
        messages.success(request, _("The address was renamed."))
        return redirect("address", public_id)
    can, in_bin = address_may(eip), eip.off and eip.expires_at is not None
    machines = EipMachine(eips.bindable(account_id, eip.zone) if eip.state == "UNBIND" else [])
    here = {
        "eip": eip, "form": form, "cost": _cost(account_id, eip), "machines": machines,
        "faster": EipBandwidth(initial={"bandwidth": eip.bandwidth_mbps}),
        "otherwise": EipMode(eip.internet_charge_type, eip.bandwidth_mbps),
        "busy": _is_busy(eip), "can_change": "change" in can,
        "can_unbind": "unbind" in can,
        "can_release": "release" in can,
        "in_bin": in_bin,
        "packages": () if eip.expires_at or eip.package else packages.usable(account_id, eip.zone),
        "terms": orders.terms(eip.id) if eip.expires_at else (),
        "renew_flags": wording.RENEW_FLAGS.items(),
        "zone": shop.snapshot().zones[eip.zone],
        "state": wording.EIP_STATES[eip.state],
    }  # fmt: skip
    return render(request, "web/addresses/address.html", here, status=422 if form.errors else 200)


@dataclass(frozen=True, slots=True)
class _Act:
    """What a button of its own does to an address; ``do`` gets who asks, its id, and the machine that is named."""

    name: str  # whose words act.html has
    do: Callable[[Actor, str, str], int]
    done: Any


def _page_of(act: _Act) -> Callable[..., HttpResponseBase]:
    """Told first, then done."""

    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @customer
    def page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
        eip, who = _one(account_id, public_id), actor(request, account_id)
        machine = field(request.POST if request.method == "POST" else request.GET, "machine")
        return _told(
            request, eip, lambda: act.do(who, public_id, machine), act=act.name, machine=machine,
            cost=_cost(account_id, eip), done=act.done,
        )  # fmt: skip

    return page


bind = _page_of(_Act("bind", associate.associate, _("It is being bound: the machine has it within seconds.")))
unbind = _page_of(
    _Act("unbind", lambda who, eip, _machine: disassociate.disassociate(who, eip), _("It is being unbound."))
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def release(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Given back; of what is paid ahead it says first what comes back, and that stays in the recycle bin for days."""
    eip, who = _one(account_id, public_id), actor(request, account_id)
    in_term = eip.expires_at is not None and not eip.off
    here: dict[str, Any] = {"act": "release"}
    if in_term and request.method != "POST":
        try:
            (here["refund"],) = give_back.quote_refund(account_id, [public_id])
        except Refused as refused:
            messages.error(request, wording.sentence(refused))
            return redirect("address", public_id)
    shown = field(request.POST, "refund") == "1"  # sent twice, a return gives nothing up for good
    if request.method == "POST" and shown and not in_term:
        return redirect("address", public_id)
    return _told(
        request, eip, lambda: give_back.give_back(who, [public_id]), done=_("It is given back."),
        onward="" if in_term else "addresses", **here,
    )  # fmt: skip


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def faster(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Another bandwidth, with what it costs."""
    eip, who = _one(account_id, public_id), actor(request, account_id)
    typed = request.POST if "bandwidth" in request.POST else request.GET
    form = EipBandwidth(typed if "bandwidth" in typed else None, initial={"bandwidth": eip.bandwidth_mbps})
    if not form.is_valid():
        return _told(request, eip, None, act="bandwidth", form=form)
    mbps = form.cleaned_data["bandwidth"]
    act = {"act": "bandwidth", "mbps": mbps}
    try:
        (cost,) = bandwidth.reckon(account_id, [public_id], mbps)
        if isinstance(cost, Priced) and cost.due_minor:
            asked = Faster([public_id], mbps)
            return _ordered(request, who, eip, bandwidth.UPGRADE, asked, price=lambda: cost, **act)
    except Refused as refused:
        form.refuse(refused)
        return _told(request, eip, None, act="bandwidth", form=form)
    told = (
        {"back": cost}
        if isinstance(cost, Downgrade)
        else {"cost": cost if isinstance(cost, Cost) else _cost(account_id, eip)}
    )
    return _told(
        request, eip, lambda: bandwidth.change(who, [public_id], mbps), done=_("Its bandwidth is being changed."),
        **act, **told,
    )  # fmt: skip


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def charged(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Charged otherwise from now on: what a first term costs, or what comes back of one, is told first."""
    eip, who = _one(account_id, public_id), actor(request, account_id)
    typed = request.POST if "mode" in request.POST else request.GET
    form = EipMode(eip.internet_charge_type, eip.bandwidth_mbps, typed if "mode" in typed else None)
    if not form.is_valid():
        return _told(request, eip, None, act="mode", form=form)
    part = AddressPart(form.cleaned_data["mode"], form.cleaned_data["bandwidth"])
    try:
        if part.paid_ahead:
            asked = ToMonth([public_id], part.bandwidth_mbps, form.cleaned_data["months"] or 0)
            return _ordered(
                request, who, eip, mode.CONVERSION, asked, act="mode",
                price=lambda: mode.CONVERSION.price(account_id, asked),
            )  # fmt: skip
        back = mode.worth(account_id, public_id, part)
    except Refused as refused:
        form.refuse(refused)
        return _told(request, eip, None, act="mode", form=form)
    return _told(
        request, eip, lambda: mode.change(who, public_id, part), act="mode", mode=part, worth=back,
        cost=allocate.cost(account_id, own.prices(eip.zone), part), done=_("How it is charged is being changed."),
    )  # fmt: skip


def _ordered(
    request: HttpRequest, who: Actor, eip: EipView, priced_act: PricedAct[A], asked: A, *,
    price: Callable[[], Priced], **here: Any,
) -> HttpResponse:  # fmt: skip
    """What is paid ahead is ordered; what was shown is charged."""
    if request.method == "POST" and (gone_on := confirm.ordered(request, who, priced_act, asked)):
        return gone_on
    priced, available_minor = price(), overview.balance(who.account).available_minor
    here["confirmation"] = confirm.ask(request, who.account, priced, available_minor=available_minor)
    return render(request, "web/addresses/act.html", {"eip": eip, **here})


def _told(
    request: HttpRequest, eip: EipView, do: Callable[[], int] | None, *, done: Any = "", onward: str = "", **here: Any
) -> HttpResponse:
    """What the act means, and the button; sent, it is done, or refused with its sentence on the address's page."""
    if request.method != "POST" or do is None:
        status = 422 if "form" in here and here["form"].errors else 200
        return render(request, "web/addresses/act.html", {"eip": eip, **here}, status=status)
    return acting.done(request, do, done, "address", eip.public_id, onward=onward)


def _is_busy(eip: EipView) -> bool:
    return eip.latest_operation_state == "OPERATING"


def _one(account_id: int, public_id: str) -> EipView:
    return found(eips.one(account_id, public_id))


def _cost(account_id: int, eip: EipView) -> Cost | None:
    """None of one by the month where the seller sells no single month any more."""
    try:
        part = AddressPart(eip.internet_charge_type, eip.bandwidth_mbps)
        return allocate.cost(account_id, own.prices(eip.zone), part)
    except PeriodNotSold:
        return None
