"""The seller's first page: sales, what needs a hand, zones; and what deliveries failed."""

import functools
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.backoffice.tables import ATTENTION, DISKS_AGAIN, FAILED_DELIVERIES
from vmart.backoffice.zone_tables import ZONES
from vmart.catalog import shop
from vmart.customers import staff
from vmart.events.actor import SELLER, Actor
from vmart.kernel.errors import Refused
from vmart.listings import attention, sales
from vmart.orders import lost
from vmart.pages import permitted, role_words, wording
from vmart.pages.table import Shown, listed
from vmart.payments import unexplained
from vmart.worker import queue

View = Callable[..., HttpResponseBase]
_PERMISSION = "vmart.staff_permission"  # what this request was found to be permitted


def operator(view: View) -> View:
    """A page for those who sell: strangers are sent to sign in, customers and who may not open it are refused.

    What is done in this request is done by who may: acts ask again, in their own commit.
    """

    @functools.wraps(view)
    def checked(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponseBase:
        user: Any = request.user
        role, needed = permitted.staff_role_of(user), permitted.needed_of_staff(request)
        if needed is None or not staff.may(role, needed):
            having = staff.having(needed) if needed else ()
            raise PermissionDenied(role_words.not_permitted_to_staff(role, having))
        request.META[_PERMISSION] = needed
        return view(request, *arguments, **named)

    return login_required(checked)


@never_cache
@require_safe
@operator
def today(request: HttpRequest) -> HttpResponse:
    here, zones = shop.snapshot(), sales.zones()
    needs = attention.page(request.GET.get("before", ""))
    return render(
        request,
        "backoffice/today.html",
        {
            "today": sales.today(here.billing_zone),
            "month": sales.this_month(here.billing_zone),
            "zones": listed(ZONES, zones, request),
            "has_zones": bool(zones),
            "none_real": not any(zone.driver.is_real for zone in zones),
            "needs": Shown(ATTENTION, needs, request, _("Needs attention")),
            "summary": attention.summary(),
        },
    )


@never_cache
@require_safe
@operator
def deliveries(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Every delivery that failed, whenever it was; as a file if asked."""
    if request.GET.get("as") == "csv":
        return FAILED_DELIVERIES.file("failed-deliveries.csv", sales.failed_deliveries)
    page = sales.failed_deliveries(request.GET.get("before", ""))
    failed = Shown(FAILED_DELIVERIES, page, request, _("Failed deliveries"))
    return render(request, "backoffice/deliveries.html", {"failed": failed})


@require_POST
@operator
def dismiss(request: HttpRequest, number: int) -> HttpResponse:
    """The seller has looked at a provider's message that fitted nothing."""
    try:
        if number < 2**63:
            unexplained.dismiss(number, seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    return redirect("seller")


def seller(request: HttpRequest) -> Actor:
    """Who of the staff asks, on the seller's pages."""
    user: Any = request.user
    return Actor(
        None, SELLER, user.email, address=request.META.get("REMOTE_ADDR", ""),
        request_id=str(request.META.get("vmart.request_id", "")), staff=user.pk,
        roles=staff.having(request.META[_PERMISSION]),
    )  # fmt: skip


_LOST = {"refund": lost.refund, "end": lost.end}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@operator
def redeliver(request: HttpRequest, public_id: str) -> HttpResponse:
    """A lost machine is delivered again, told first what its disks will hold: what was shown is what is confirmed."""
    public_id = public_id.replace("\0", "")
    try:
        disks = lost.foretold(public_id)
        shown = ",".join(f"{one.disk.public_id}:{one.holds}" for one in disks)
        if request.method == "POST" and request.POST.get("shown") == shown:
            lost.redeliver(public_id, seller(request))
            messages.success(request, _("It is under way."))
            return redirect("seller")
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller")
    if request.method == "POST":
        messages.warning(request, _("What its disks will hold has changed meanwhile; look at it once more."))
    here = {"machine": public_id, "disks": listed(DISKS_AGAIN, disks, request), "shown": shown}
    return render(request, "backoffice/redeliver.html", here)


@require_POST
@operator
def lost_machine(request: HttpRequest, public_id: str, act: str) -> HttpResponse:
    """What becomes of a machine that its engine has lost."""
    try:
        _LOST[act](public_id.replace("\0", ""), seller(request))
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, _("It is under way."))
    return redirect("seller")


@require_POST
@operator
def retry(request: HttpRequest, operation_id: int) -> HttpResponse:
    """Let the worker try an operation again."""
    try:
        found = operation_id < 2**63 and queue.retry_by(seller(request), operation_id)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("seller")
    if found:
        messages.success(request, _("The worker tries it again."))
    else:
        messages.warning(request, _("Nothing to retry: it does not wait for you any more."))
    return redirect("seller")
