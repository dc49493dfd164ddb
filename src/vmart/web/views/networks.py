"""Private networks: VPCs and their subnets, listed, made, renamed, deleted."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from vmart.events.actor import Actor
from vmart.kernel.errors import Refused
from vmart.listings import networks as listed_networks
from vmart.listings.networks import WantedVpcs
from vmart.listings.paging import Page
from vmart.listings.views import VpcView
from vmart.network import subnets, vpcs
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.pages import wording
from vmart.pages.forms import ActForm
from vmart.pages.table import Shown, listed
from vmart.tags import new
from vmart.tags.things import SUBNET, VPC
from vmart.web import typed_tags
from vmart.web.acting import as_file
from vmart.web.forms import OwnSubnet, OwnVpc
from vmart.web.tables import SUBNETS, VPCS
from vmart.web.visitor import actor, customer, field

_VPCS_SHOWN = 1000  # more than an account can have: a few in each region


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def networks(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """Both lists, and below them the ways to new ones."""
    if as_file(request) and request.GET.get("of") == "vpcs":
        return VPCS.file("vpcs.csv", lambda _key: Page(_vpcs(account_id)))
    if as_file(request):
        return SUBNETS.file("subnets.csv", lambda key: listed_networks.subnets_by_key(account_id, key))
    act = request.POST.get("act", "")
    if act in _MADE:
        return _make(request, account_id, act)
    if act in _DONE:
        return _do(request, account_id, act)
    return _page(request, account_id)


def _new_vpc(who: Actor, typed: Mapping[str, str]) -> None:
    with new.tagging(who, VPC, typed_tags.read(typed["tags"])) as tag:
        tag(vpcs.create(who, typed["region"], NewVpc(typed["name"], typed["cidr"])).public_id)


def _new_subnet(who: Actor, typed: Mapping[str, str]) -> None:
    with new.tagging(who, SUBNET, typed_tags.read(typed["tags"])) as tag:
        tag(subnets.create(who, typed["vpc"], NewSubnet(typed["name"], typed["cidr"], typed["zone"])).public_id)


_MADE: dict[str, Callable[[Actor, Mapping[str, str]], None]] = {"create_vpc": _new_vpc, "create_subnet": _new_subnet}
_DONE: dict[str, Callable[[Actor, str, str], None]] = {
    "rename_vpc": lambda who, public_id, name: vpcs.modify(who, public_id, name=name),
    "rename_subnet": lambda who, public_id, name: subnets.modify(who, public_id, name=name),
    "delete_vpc": lambda who, public_id, _name: vpcs.delete(who, public_id),
    "delete_subnet": lambda who, public_id, _name: subnets.delete(who, public_id),
}


def _make(request: HttpRequest, account_id: int, act: str) -> HttpResponse:
    held = _vpcs(account_id)
    form: ActForm = OwnVpc(request.POST) if act == "create_vpc" else OwnSubnet(held, request.POST)
    if not form.is_valid():
        return _page(request, account_id, form, status=422)
    try:
        _MADE[act](actor(request, account_id), form.cleaned_data)
    except Refused as refused:
        form.refuse(refused)
        return _page(request, account_id, form, status=422)
    messages.success(request, _("{name} was made.").format(name=form.cleaned_data["name"]))
    return redirect("networks")


def _do(request: HttpRequest, account_id: int, act: str) -> HttpResponse:
    """Rename or delete the one whose row it is."""
    public_id, name = field(request.POST, "id"), field(request.POST, "name")
    try:
        _DONE[act](actor(request, account_id), public_id, name)
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return _page(request, account_id, status=422)
    said = _("{id} is called {name} now.") if act.startswith("rename") else _("{id} was deleted.")
    messages.success(request, said.format(id=public_id, name=name))
    return redirect("networks")


def _vpcs(account_id: int) -> list[VpcView]:
    return listed_networks.vpcs(account_id, WantedVpcs(), limit=_VPCS_SHOWN)[1]


def _page(request: HttpRequest, account_id: int, form: ActForm | None = None, *, status: int = 200) -> HttpResponse:
    """The page with the form that was refused, if one was."""
    held = _vpcs(account_id)
    page = listed_networks.subnets_by_key(account_id, request.GET.get("before", ""))
    here: dict[str, Any] = {
        "vpcs": listed(VPCS, held, request),
        "subnets": Shown(SUBNETS, page, request),
        "create_vpc": form if isinstance(form, OwnVpc) else OwnVpc(),
        "create_subnet": form if isinstance(form, OwnSubnet) else OwnSubnet(held),
    }
    return render(request, "web/networks.html", here, status=status)
