"""Snapshots of disks: the list, a new one, one of them, and what its owner does with it."""

import datetime as dt
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import activity, charges, snapshots
from vmart.listings import snapshot_policies as policies
from vmart.listings.paging import Page
from vmart.listings.snapshots import WantedSnapshots
from vmart.listings.views import SnapshotView
from vmart.orders import holds, live_cost
from vmart.orders.by_the_gib import Cost
from vmart.orders.snapshots import apply, attributes, create, delete, may
from vmart.orders.snapshots.create import NewSnapshot
from vmart.pages import local_time, wording
from vmart.pages.table import Shown
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.tags import reads
from vmart.web import typed_tags
from vmart.web.acting import done, found, was_shown
from vmart.web.disk_forms import NewSnapshot as NewSnapshotForm
from vmart.web.disk_forms import SnapshotName
from vmart.web.forms import component
from vmart.web.storage_tables import SNAPSHOTS
from vmart.web.visitor import actor, customer, field

_CHARGED = (SnapshotState.CREATING, SnapshotState.NORMAL, SnapshotState.ROLLBACKING)


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The snapshots, narrowed as the address says; as a file where it says so."""
    chosen = SNAPSHOTS.chosen(request.GET)
    wanted = WantedSnapshots(
        disk_ids=[chosen["disk"]] if chosen["disk"] else None,
        zones=[chosen["zone"]] if chosen["zone"] else None,
        states=[chosen["state"]] if chosen["state"] else None,
        tags=reads.named(chosen["tag"]),
    )

    def page_before(key: str) -> Page[SnapshotView]:
        return snapshots.by_key(account_id, wanted, before=key)

    if request.GET.get("as") == "csv":
        return SNAPSHOTS.file("snapshots.csv", page_before)
    page = page_before(request.GET.get("before", ""))
    busy = any(row.latest_operation_state == "OPERATING" for row in page.rows)
    return render(request, "web/snapshots/list.html", {"snapshots": Shown(SNAPSHOTS, page, request), "busy": busy})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def new_page(request: HttpRequest, account_id: int) -> HttpResponse:
    """Make one of the disk that the address names, told first what an hour of it costs."""
    typed = request.POST if request.method == "POST" else request.GET
    disk, machine = found(snapshots.disk(account_id, field(typed, "disk")))
    form = NewSnapshotForm(request.POST if request.method == "POST" else None)
    due = _cost(disk, form)
    if request.method == "POST" and due and form.is_valid() and was_shown(request, "hourly", due.hourly):
        made = form.made(lambda: create.create(actor(request, account_id), _asked(disk, form)))
        if made:
            messages.success(request, _("The snapshot is being made."))
            return redirect("snapshot", made)
    here = {"disk": disk, "machine": machine, "title": _disk_title(disk), "form": form, "cost": due}
    return render(request, "web/snapshots/new.html", here, status=422 if form.errors else 200)


def _cost(disk: Disk, form: NewSnapshotForm) -> Cost | None:
    """None where none are sold, which the form says."""
    try:
        return create.cost(disk.account_id, disk.zone_id, disk.size_gib)
    except Refused as refused:
        if form.is_bound:
            form.refuse(refused)
    return None


def _asked(disk: Disk, form: NewSnapshotForm) -> NewSnapshot:
    typed = form.cleaned_data
    return NewSnapshot(disk.public_id, typed["name"], typed_tags.read(typed["tags"]), delete_at=typed["delete_at"])


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One snapshot; its name and its end are changed here."""
    snapshot, machine = _snapshot(account_id, public_id)
    now = {"name": snapshot.name, "delete_at": local_time.text(snapshot.delete_at) if snapshot.delete_at else ""}
    form = SnapshotName(request.POST if request.method == "POST" else None, initial=now)
    if form.takes(lambda: _modify(request, account_id, public_id, **form.cleaned_data)):
        messages.success(request, _("The snapshot was changed."))
        return redirect("snapshot", public_id)
    here = {**_here(snapshot, machine), "form": form}
    return render(request, "web/snapshots/snapshot.html", here, status=422 if form.errors else 200)


def _modify(request: HttpRequest, account_id: int, public_id: str, name: str, delete_at: dt.datetime | None) -> None:
    for_good = delete_at is None and "delete_at" in request.POST  # said, and not only left away
    attributes.modify(actor(request, account_id), public_id, name=name, delete_at=delete_at, for_good=for_good)


def _here(snapshot: Snapshot, machine: Instance | None) -> dict[str, Any]:
    started_at, by = snapshot.subscription.started_at, getattr(snapshot, "scheduled", None)
    return {
        "snapshot": snapshot,
        "disk": snapshot.disk,
        "machine": machine,
        "title": _disk_title(snapshot.disk),
        "hourly": holds.hourly([snapshot.id])[snapshot.id] if snapshot.state in _CHARGED else None,
        "may": may.possible(snapshot, machine),
        "policy": policies.one(snapshot.account_id, by.policy) if by else None,
        "busy": snapshot.latest_operation_state == "OPERATING",
        "is_there": snapshot.state not in (SnapshotState.FAILED, SnapshotState.ERASING),
        "closed_exact": charges.of_parts(snapshot.account_id, [snapshot.id], started_at),
        "open_exact": live_cost.open_exact(snapshot.account_id, snapshot.id),
        "events": activity.of_thing(Snapshot.KIND, snapshot.id),
    }


def _disk_title(disk: Disk) -> str:
    return disk.name or str(component(disk))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def restore_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Its disk gets what it holds, told first what is lost."""
    snapshot, machine = _snapshot(account_id, public_id)
    if request.method == "POST":
        who, disk = actor(request, account_id), snapshot.disk.public_id
        said = _("The disk is being restored.")
        return done(request, lambda: apply.apply(who, public_id, disk), said, "snapshot", public_id)
    why = may.why_not("apply", snapshot, machine)
    here = {
        "snapshot": snapshot, "disk": snapshot.disk, "machine": machine, "title": _disk_title(snapshot.disk),
        "why_not": wording.sentence(why) if why else "",
    }  # fmt: skip
    return render(request, "web/snapshots/restore.html", here)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def delete_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Deleted, told first that nothing brings it back."""
    snapshot, _machine = _snapshot(account_id, public_id)
    if request.method == "POST":
        who, said = actor(request, account_id), _("The snapshot is being deleted.")
        return done(request, lambda: delete.delete(who, [public_id]), said, "snapshot", public_id)
    return render(request, "web/snapshots/delete.html", {"snapshot": snapshot})


def _snapshot(account_id: int, public_id: str) -> tuple[Snapshot, Instance | None]:
    return found(snapshots.one(account_id, public_id))
