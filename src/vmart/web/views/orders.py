"""Orders: the list, and one order from paid to delivered."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from vmart.catalog import shop
from vmart.events import record
from vmart.events.models import Event
from vmart.kernel.errors import Refused
from vmart.listings import activity, orders, overview
from vmart.listings.orders import OrderView
from vmart.orders import passwords, refund, void
from vmart.orders.models import Status
from vmart.pages import confirm, wording
from vmart.pages.table import Shown, listed
from vmart.payments import top_up
from vmart.web.acting import found
from vmart.web.order_tables import ORDERED, ORDERED_DISKS, ORDERED_EIPS, ORDERS
from vmart.web.tables import ENDED
from vmart.web.views.payments import card_form
from vmart.web.visitor import customer


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The orders, newest first; as a file where the address says so."""
    if request.GET.get("as") == "csv":
        return ORDERS.file("orders.csv", functools.partial(orders.page, account_id))
    page = orders.page(account_id, request.GET.get("before", ""))
    return render(request, "web/orders/list.html", {"orders": Shown(ORDERS, page, request)})


@never_cache
@require_safe
@customer
def detail(request: HttpRequest, account_id: int, order_id: int) -> HttpResponse:
    """One order; its timeline asks for news by itself until nothing will change."""
    view = _view(account_id, order_id)
    kept = passwords.kept([entry.machine.id for entry in view.lines])
    here = (
        _timeline(request, view)
        | _payable(account_id, view)
        | {"df_shows_gib": overview.df_shows_gib(view.quoted.configuration.zone) if view.quoted else 0}
        | {"priced": listed(confirm.LINES, view.priced.lines, request) if view.priced else None}
        | {"passwords": len(kept), "until": min(kept.values(), default=None)}
    )
    return render(request, "web/orders/order.html", here)


@never_cache
@require_safe
@customer
def progress(request: HttpRequest, account_id: int, order_id: int) -> HttpResponse:
    """The part of the order's page that changes."""
    return render(request, "web/orders/progress.html", _timeline(request, _view(account_id, order_id)))


def _view(account_id: int, order_id: int) -> OrderView:
    return found(orders.view(account_id, order_id) if order_id < 2**63 else None)


def _by_seller(view: OrderView) -> list[Event]:
    """What the seller gave back of it, or voided, and why; latest first."""
    touched = view.order.reason == void.WHY or any(line.seller_back_minor for line in view.all_lines)
    happened = activity.of_thing(record.ORDER, view.order.id) if touched else []
    return [event for event in happened if event.kind in (refund.EVENT, void.EVENT)]


def _payable(account_id: int, view: OrderView) -> dict[str, Any]:
    """What the page of an order that waits for its payment needs."""
    if view.order.status != Status.UNPAID:
        return {}
    try:
        asked = top_up.asked_minor(account_id, view.order.id)
    except Refused as refused:
        return {"unpayable": wording.sentence(refused)}
    held = overview.balance(account_id)
    return card_form() | {
        "payable": True,
        "asked_minor": asked,
        "available_minor": held.available_minor,
        "enough": held.available_minor >= view.order.hold_minor,
    }


def _timeline(request: HttpRequest, view: OrderView) -> dict[str, Any]:
    status = view.order.status
    steps = {
        Status.DELIVERED: ("done", "done", "done"),
        Status.REFUNDED: ("done", "done", "done"),
        Status.FAILED: ("done", "done", "failed"),
        Status.PAID: ("done", "now", ""),
        Status.DELIVERING: ("done", "now", ""),
        Status.UNPAID: ("now", "", ""),
    }.get(Status(status), ("", "", ""))
    zones = shop.snapshot().zones
    alive = [entry for entry in view.lines if entry.line.state == "delivered" and entry.machine.state not in ENDED]
    return {
        "view": view,
        "order": view.order,
        "by_seller": _by_seller(view),
        "steps": steps,
        "by_hour": view.order.charge_type != "PREPAID",
        "ordered": listed(ORDERED, view.lines, request),
        "ordered_disks": listed(ORDERED_DISKS, view.disks, request),
        "ordered_addresses": listed(ORDERED_EIPS, view.addresses, request),
        "alive": alive,
        "nobody_answers": any(not zones[entry.machine.zone_id].driver.is_real for entry in alive),
    }
