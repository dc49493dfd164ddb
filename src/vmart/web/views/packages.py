"""Bandwidth packages: the list, a purchase with its price, one package, and what is done to it, told first."""

from collections.abc import Callable
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
from vmart.listings import packages
from vmart.listings.views import PackageView
from vmart.orders.addresses.own import prices
from vmart.orders.packages import bandwidth, create, delete, members, rename
from vmart.orders.packages.create import NewPackages
from vmart.pages import shown_quote
from vmart.pages.table import Shown, listed
from vmart.pricing.package import PackagePart
from vmart.web import acting, typed_tags
from vmart.web.acting import as_file, found, was_shown
from vmart.web.package_forms import NewPackage, PackageAddress, PackageName, PackageSpeed
from vmart.web.package_tables import MEMBERS, PACKAGES
from vmart.web.visitor import actor, customer, field


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The packages, newest first."""
    if as_file(request):
        return PACKAGES.file("bandwidth-packages.csv", lambda key: packages.by_key(account_id, before=key))
    page = packages.by_key(account_id, before=request.GET.get("before", ""))
    busy = any(_is_busy(row) for row in page.rows)
    return render(request, "web/packages/list.html", {"packages": Shown(PACKAGES, page, request), "busy": busy})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def buy(request: HttpRequest, account_id: int) -> HttpResponse:
    """What is asked for stands in the address, the price beside it; then it is bought."""
    typed = request.POST if request.method == "POST" else request.GET
    form = NewPackage(typed if "zone" in typed else None)
    here: dict[str, Any] = {"form": form, "token": shown_quote.new_token()}
    if form.is_bound and form.is_valid():
        try:
            asked = _asked(form.cleaned_data)
            cost = create.price(account_id, asked.region, asked.part)
            if request.method == "POST" and was_shown(request, "shown", cost.hourly, once=True):
                return _bought(request, account_id, asked)
            here |= {"cost": cost, "asked": asked, "shown": f"{cost.hourly}"}
        except Refused as refused:
            form.refuse(refused)
    return render(request, "web/packages/buy.html", here, status=422 if form.is_bound and form.errors else 200)


def _asked(typed: dict[str, Any]) -> NewPackages:
    zone = shop.snapshot().zones.get(typed["zone"])
    return NewPackages(
        zone.region if zone else "", PackagePart(typed["bandwidth"]), zone=typed["zone"], name=typed["name"],
        tags=typed_tags.read(typed["tags"]),
    )  # fmt: skip


def _bought(request: HttpRequest, account_id: int, asked: NewPackages) -> HttpResponse:
    """The same form sent again buys nothing more."""
    known = shown_quote.client_token(field(request.POST, "form"))
    (made,) = create.create(actor(request, account_id), asked, client_token=known)
    messages.success(request, _("Bought, and charged from now on; put addresses into it."))
    return redirect("package", made)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One package and what is in it; its name is changed here, the ways to all else lead on."""
    package = _one(account_id, public_id)
    form = PackageName(request.POST if request.method == "POST" else None, initial={"name": package.name})
    if form.takes(lambda: rename.rename(actor(request, account_id), public_id, form.cleaned_data["name"])):
        messages.success(request, _("The bandwidth package was renamed."))
        return redirect("package", public_id)
    busy = _is_busy(package)
    here = {
        "package": package, "form": form, "members": listed(MEMBERS, package.members, request),
        "busy": busy, "can_change": not busy and not package.off,
        "faster": PackageSpeed(initial={"bandwidth": package.bandwidth_mbps}),
        "free": PackageAddress(packages.joinable(account_id, package.zone)),
        "cost": create.cost(account_id, prices(package.zone), PackagePart(package.bandwidth_mbps)),
        "zone": shop.snapshot().zones[package.zone],
    }  # fmt: skip
    return render(request, "web/packages/package.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def faster(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Another speed, and what it costs."""
    package = _one(account_id, public_id)
    typed = request.POST if request.method == "POST" else request.GET
    form = PackageSpeed(typed if "bandwidth" in typed else None, initial={"bandwidth": package.bandwidth_mbps})
    if not form.is_bound or not form.is_valid():
        return _told(request, package, None, act="bandwidth", form=form)
    mbps = form.cleaned_data["bandwidth"]
    try:
        cost = create.price(account_id, shop.snapshot().region_of(package.zone), PackagePart(mbps))
    except Refused as refused:
        form.refuse(refused)
        return _told(request, package, None, act="bandwidth", form=form)
    return _told(
        request, package, lambda: bandwidth.change(actor(request, account_id), public_id, mbps), act="bandwidth",
        mbps=mbps, cost=cost, done=_("Its bandwidth is being changed."),
    )  # fmt: skip


def _page_of(act: str, do: Callable[[Actor, str, list[str]], None], done: Any) -> Callable[..., HttpResponseBase]:
    """An address comes into it, or leaves it: told first, then done."""

    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @customer
    def page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
        package, who = _one(account_id, public_id), actor(request, account_id)
        address = field(request.POST if request.method == "POST" else request.GET, "address")
        return _told(request, package, lambda: do(who, public_id, [address]), act=act, address=address, done=done)

    return page


add = _page_of(
    "add", members.enter,
    _("The address is in the bandwidth package; a machine that has it shares its speed within seconds."),
)  # fmt: skip
remove = _page_of("remove", members.leave, _("The address is out of the bandwidth package, and charged as before."))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def end(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """It is deleted."""
    package, who = _one(account_id, public_id), actor(request, account_id)
    return _told(
        request, package, lambda: delete.delete(who, public_id), act="delete",
        done=_("The bandwidth package was deleted."), onward="packages",
    )  # fmt: skip


def _told(
    request: HttpRequest,
    package: PackageView,
    do: Callable[[], None] | None,
    *,
    done: Any = "",
    onward: str = "",
    **here: Any,
) -> HttpResponse:
    """What the act means, and the button; sent, it is done, or refused with its sentence on the package's page."""
    if request.method != "POST" or do is None:
        status = 422 if "form" in here and here["form"].errors else 200
        return render(request, "web/packages/act.html", {"package": package, **here}, status=status)
    return acting.done(request, do, done, "package", package.public_id, onward=onward)


def _is_busy(package: PackageView) -> bool:
    return package.latest_operation_state == "OPERATING"


def _one(account_id: int, public_id: str) -> PackageView:
    return found(packages.one(account_id, public_id))
