"""Renewal of what is prepaid, one or several of a kind: the term, its price, then paid from the balance or by card."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.kernel.errors import Refused
from vmart.kernel.text import sayable
from vmart.listings import overview
from vmart.orders import lowering, renew, renew_flag
from vmart.orders.addresses import renew as addresses_renew
from vmart.orders.disks import renew as disks_renew
from vmart.orders.machines import MACHINES_MAX
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew import Renewal
from vmart.pages import confirm, wording
from vmart.pricing import books
from vmart.subscriptions.models import Subscription
from vmart.web.visitor import actor, customer


@dataclass(frozen=True, slots=True)
class Renewing:
    """What is renewed on such a page: ``listing`` and ``page`` are names of addresses, the rest sentences."""

    act: PricedAct[Renewal]
    set_flag: Callable[[Actor, Sequence[str], str], None]
    listing: str
    page: str
    title: Any
    choose: Any
    note: Any


MACHINES = Renewing(
    renew.ACT, renew_flag.set_flag, "machines", "machine", gettext_lazy("Machines"),
    gettext_lazy("Choose the prepaid machines to renew first."),
    gettext_lazy(
        "The new term begins where the old one ends. A machine in the recycle bin comes back and is started."
    ),
)  # fmt: skip
DISKS = Renewing(
    disks_renew.ACT, disks_renew.set_flag, "disks", "disk", gettext_lazy("Disks"),
    gettext_lazy("Choose the prepaid disks to renew first."),
    gettext_lazy(
        "The new term begins where the old one ends. A disk in the recycle bin comes back, attached to no machine."
    ),
)  # fmt: skip

ADDRESSES = Renewing(
    addresses_renew.ACT, addresses_renew.set_flag, "addresses", "address", gettext_lazy("Public addresses"),
    gettext_lazy("Choose the addresses to renew first."),
    gettext_lazy(
        "The new term begins where the old one ends. An address in the recycle bin leads to its machine again."
    ),
)  # fmt: skip


def _page_of(kind: Renewing) -> Callable[..., HttpResponseBase]:
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @customer
    def view(request: HttpRequest, account_id: int) -> HttpResponse:
        """What and the term stand in the address; what was shown is charged."""
        asked = _asked(request.GET)
        if not asked.public_ids:
            messages.info(request, kind.choose)
            return redirect(kind.listing)
        if with_term := _with_term(account_id, asked.public_ids):
            messages.info(request, _("What is postpaid has no term to renew and is left out."))
            query = request.GET.copy()
            query.setlist("id", with_term)
            return redirect(f"{request.path}?{query.urlencode()}")
        if request.method == "POST":
            try:
                if gone_on := confirm.ordered(request, actor(request, account_id), kind.act, asked):
                    return gone_on
            except Refused as refused:
                messages.error(request, wording.sentence(refused))
        return render(request, "web/machines/renew.html", _here(request, account_id, kind, asked))

    return view


def _with_term(account_id: int, public_ids: Sequence[str]) -> list[str]:
    """Those of several that are paid ahead, where others are not; none where all or none are."""
    if len(public_ids) < 2:
        return []
    known = Subscription.objects.filter(account_id=account_id, public_id__in=sayable(public_ids))
    postpaid = set(known.exclude(charge_type="PREPAID").values_list("public_id", flat=True))
    return [one for one in public_ids if one not in postpaid] if postpaid else []


def _asked(given: QueryDict) -> Renewal:
    """To the machine's end or a unified day where that is said, else by months.

    A wrong number becomes one that is refused.
    """
    day, mbps, with_machine = given.get("day", ""), given.get("mbps", ""), given.get("until") == "machine"
    months = 0 if day or with_machine else _number(given.get("months", "1"), digits=3) or -1
    lower = (_number(mbps, digits=9) or -1) if mbps else 0
    return Renewal(
        given.getlist("id")[:MACHINES_MAX], months, 0 if with_machine else _number(day, digits=2),
        bandwidth_mbps=lower, with_machine=with_machine,
    )  # fmt: skip


def _number(typed: str, *, digits: int) -> int:
    """0 for what is none."""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= digits else 0


def _here(request: HttpRequest, account_id: int, kind: Renewing, asked: Renewal) -> dict[str, Any]:
    here: dict[str, Any] = {
        "kind": kind,
        "asked": asked,
        "of_disks": kind is DISKS,
        "periods": books.current_book(shop.snapshot().generation).sales.periods_months,
        "days": range(1, 32),
        "available_minor": overview.balance(account_id).available_minor,
        "mbps": asked.bandwidth_mbps if kind is MACHINES else 0,
    }
    try:
        priced = kind.act.price(account_id, asked)
    except Refused as refused:
        return here | {"why": wording.sentence(refused)}
    available_minor = here["available_minor"]
    if kind is MACHINES:
        here["mbps"] = max(lowering.mbps_of(line.terms) for line in priced.lines)
    return here | {"confirmation": confirm.ask(request, account_id, priced, available_minor=available_minor)}


def _switch_of(kind: Renewing) -> Callable[..., HttpResponseBase]:
    @require_POST
    @customer
    def view(request: HttpRequest, account_id: int) -> HttpResponse:
        """The switch of one, or of those chosen in the list."""
        chosen = request.POST.getlist("id")[:MACHINES_MAX]
        try:
            kind.set_flag(actor(request, account_id), chosen, request.POST.get("flag", ""))
        except Refused as refused:
            messages.error(request, wording.sentence(refused))
            return redirect(kind.listing)
        messages.success(request, _("Saved."))
        return redirect(reverse(kind.page, args=chosen) if len(chosen) == 1 else kind.listing)

    return view


renew_page, set_flag = _page_of(MACHINES), _switch_of(MACHINES)
renew_disks_page, set_flag_of_disks = _page_of(DISKS), _switch_of(DISKS)
renew_addresses_page, set_flag_of_addresses = _page_of(ADDRESSES), _switch_of(ADDRESSES)
