"""Placement groups: the list with a form for a new one, and one group with the machines in it."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.listings import placement_groups as listed
from vmart.listings.placement_groups import GroupView
from vmart.orders import placement_groups
from vmart.orders.placement_groups import Wanted
from vmart.pages.table import Shown
from vmart.pages.table import listed as in_table
from vmart.web import typed_tags
from vmart.web.acting import as_file, done, found
from vmart.web.forms import ChangedGroup, NewGroup
from vmart.web.tables import GROUPED, PLACEMENT_GROUPS, Grouped
from vmart.web.visitor import actor, customer, field


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The groups; below them the way to a new one."""
    form = NewGroup(request.POST if request.method == "POST" else None)
    if made := form.made(lambda: placement_groups.create(actor(request, account_id), _wanted(form.cleaned_data))):
        messages.success(request, _("The placement group {name} was made.").format(name=made.name))
        return redirect("placement_groups")
    word = PLACEMENT_GROUPS.chosen(request.GET)["q"]
    if as_file(request):
        return PLACEMENT_GROUPS.file("placement-groups.csv", lambda key: listed.by_key(account_id, word, before=key))
    page = listed.by_key(account_id, word, before=request.GET.get("before", ""))
    here = {"groups": Shown(PLACEMENT_GROUPS, page, request), "form": form}
    return render(request, "web/placement_groups/list.html", here, status=422 if form.errors else 200)


def _wanted(typed: Mapping[str, Any]) -> Wanted:
    return Wanted(typed["name"], typed["apart"], typed["affinity"], typed_tags.read(typed["tags"]))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One group; its name and affinity are changed here."""
    group = _group(account_id, public_id)
    form = ChangedGroup(group, request.POST if request.method == "POST" else None)
    if form.takes(lambda: placement_groups.modify(actor(request, account_id), public_id, **form.cleaned_data)):
        messages.success(request, _("The placement group was changed."))
        return redirect("placement_group", public_id)
    machines = in_table(GROUPED, [Grouped(public_id, name) for name in group.machines], request)
    here = {"group": group, "form": form, "machines": machines}
    return render(request, "web/placement_groups/group.html", here, status=422 if form.errors else 200)


@require_POST
@customer
def join(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One machine into the group."""
    who, machine = actor(request, account_id), field(request.POST, "machine").strip()
    said = _("{machine} is in the group now.").format(machine=machine)
    return done(request, lambda: placement_groups.join(who, [machine], public_id), said, "placement_group", public_id)


@require_POST
@customer
def leave(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One machine out of the group."""
    who, machine = actor(request, account_id), field(request.POST, "machine")
    said = _("{machine} is in the group no more.").format(machine=machine)
    return done(
        request, lambda: placement_groups.leave(who, [machine], [public_id]), said, "placement_group", public_id
    )


@require_POST
@customer
def delete(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A group that has no machines: nothing is lost, so nobody is asked back."""
    who, said = actor(request, account_id), _("The placement group was deleted.")
    return done(
        request, lambda: placement_groups.delete(who, [public_id]), said, "placement_group", public_id,
        onward="placement_groups",
    )  # fmt: skip


def _group(account_id: int, public_id: str) -> GroupView:
    return found(listed.group(account_id, public_id))
