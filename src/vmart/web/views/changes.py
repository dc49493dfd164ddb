"""Pages that change what a machine is, told first what it costs; what is asked for stands in the address.

What is charged as it is used is changed; what is paid ahead is ordered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.listings import overview
from vmart.orders import bandwidth, bandwidth_window, convert, grow_disk, machines, resize, to_traffic
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.bandwidth_window import Window
from vmart.orders.convert import Conversion
from vmart.orders.grow_disk import Growth
from vmart.orders.priced_act import A, PricedAct
from vmart.orders.resize import Resize
from vmart.pages import confirm
from vmart.pricing.priced import Priced
from vmart.web.acting import machine_of
from vmart.web.forms import Bandwidth, BandwidthWindow, Change, DiskSize, FirstTerm, Type
from vmart.web.visitor import actor, customer


@dataclass(frozen=True, slots=True)
class Changing(Generic[A]):
    """One of these pages. ``asked`` makes of machine and value what ``act``, for what is paid ahead, takes."""

    template: str
    form: type[Change]
    is_ordered: Callable[[Instance, Any], bool]
    act: PricedAct[A]
    asked: Callable[[Instance, Any], A]
    reckon: Callable[[Instance, Any], object]
    change: Callable[[Actor, Instance, Any], None] | None  # None for what is always ordered
    done: Any  # the sentence when it is accepted
    here: Callable[[Instance, Any], Mapping[str, object]]  # more for the page, of the value once it can be had
    frees_minor: Callable[[Instance], int] = lambda machine: 0  # what is free again with it, and may pay for it


def _page_of(page: Changing[A]) -> Callable[..., HttpResponseBase]:
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @customer
    def view(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
        machine = machine_of(account_id, public_id)
        typed = request.POST if page.form.name in request.POST else request.GET
        form = page.form(machine, typed if page.form.name in typed else None)
        gone_on = form.made(lambda: _do(request, page, machine, form.value)) if request.method == "POST" else None
        return gone_on or _shown(request, page, machine, form)

    return view


def _do(request: HttpRequest, page: Changing[A], machine: Instance, value: Any) -> HttpResponse | None:
    by = actor(request, machine.account_id)
    if page.change is None or page.is_ordered(machine, value):
        return confirm.ordered(request, by, page.act, page.asked(machine, value))
    page.change(by, machine, value)
    messages.success(request, page.done)
    return redirect("machine", machine.public_id)


def _shown(request: HttpRequest, page: Changing[A], machine: Instance, form: Change) -> HttpResponse:
    """With what it costs, once a value is asked for that can be had."""
    here: dict[str, Any] = {"machine": machine, "prepaid": machines.is_prepaid(machine), "form": form}
    here |= form.made(lambda: _cost(request, page, machine, form.value)) or {}
    return render(request, page.template, here, status=422 if form.errors else 200)


def _cost(request: HttpRequest, page: Changing[A], machine: Instance, value: Any) -> dict[str, Any]:
    cost, here = page.reckon(machine, value), page.here(machine, value)
    if not isinstance(cost, Priced):
        return {"reckoned": cost, **here}
    available_minor = overview.balance(machine.account_id).available_minor + page.frees_minor(machine)
    return {"confirmation": confirm.ask(request, machine.account_id, cost, available_minor=available_minor), **here}


def _reckon_bandwidth(machine: Instance, value: tuple[int, bool]) -> object:
    mbps, to_be_traffic = value
    if to_be_traffic:
        return to_traffic.reckon(machine.account_id, [machine.public_id], mbps)
    cost = bandwidth.reckon(machine.account_id, [machine.public_id], mbps)
    return cost if isinstance(cost, Priced) else cost[0]


def _change_bandwidth(by: Actor, machine: Instance, value: tuple[int, bool]) -> None:
    mbps, to_be_traffic = value
    (to_traffic.change if to_be_traffic else bandwidth.change)(by, [machine.public_id], mbps)


def _of_type(machine: Instance, code: str) -> Mapping[str, object]:
    to = shop.snapshot().instance_types[code]
    return {"to": to, "turns_off": resize.turns_off(machine, to)}


def _of_disk(machine: Instance, value: tuple[str, int]) -> Mapping[str, object]:
    named, size_gib = value
    disk = next((one for one in overview.disks(machine.id) if one.public_id == named), None)
    return {"disk": disk, "size_gib": size_gib, "turns_off": grow_disk.turns_off(machine)}


def _growth(machine: Instance, value: tuple[str, int]) -> Growth:
    return Growth([machine.public_id], *value)


def _window(machine: Instance, value: tuple[int, str, str]) -> Window:
    return Window([machine.public_id], *value)


def _conversion(machine: Instance, months: int) -> Conversion:
    return Conversion([machine.public_id], months)


bandwidth_page = _page_of(Changing(
    "web/machines/bandwidth.html", Bandwidth, lambda machine, value: bandwidth.is_by_month(machine) and not value[1],
    bandwidth.UPGRADE,
    asked=lambda machine, value: Upgrade([machine.public_id], value[0]),
    reckon=_reckon_bandwidth,
    change=_change_bandwidth,
    done=gettext_lazy("The bandwidth is being changed."),
    here=lambda machine, value: {"mbps": value[0], "becomes_traffic": value[1]},
))  # fmt: skip
window_page = _page_of(Changing(
    "web/machines/window.html", BandwidthWindow, lambda machine, value: True, bandwidth_window.ACT_OF_WINDOW,
    asked=_window,
    reckon=lambda machine, value: bandwidth_window.ACT_OF_WINDOW.price(machine.account_id, _window(machine, value)),
    change=None,
    done="",
    here=lambda machine, value: {"mbps": value[0]},
))  # fmt: skip
type_page = _page_of(Changing(
    "web/machines/type.html", Type, resize.is_ordered, resize.UPGRADE,
    asked=lambda machine, code: Resize([machine.public_id], code),
    reckon=lambda machine, code: resize.reckon(machine.account_id, Resize([machine.public_id], code)),
    change=lambda by, machine, code: resize.change(by, [machine.public_id], code),
    done=gettext_lazy("The instance type is being changed."),
    here=_of_type,
))  # fmt: skip
disk_page = _page_of(Changing(
    "web/machines/disk.html", DiskSize, lambda machine, value: machines.is_prepaid(machine), grow_disk.UPGRADE,
    asked=_growth,
    reckon=lambda machine, value: grow_disk.reckon(machine.account_id, _growth(machine, value)),
    change=lambda by, machine, value: grow_disk.grow(by, _growth(machine, value)),
    done=gettext_lazy("The disk is being made larger."),
    here=_of_disk,
))  # fmt: skip
prepay_page = _page_of(Changing(
    "web/machines/prepay.html", FirstTerm, lambda machine, months: True, convert.ACT,
    asked=_conversion,
    reckon=lambda machine, months: convert.ACT.price(machine.account_id, _conversion(machine, months)),
    change=None,
    done="",
    here=lambda machine, months: {},
    frees_minor=convert.frees_minor,
))  # fmt: skip
