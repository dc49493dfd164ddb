"""Snapshot policies: the list with a form for a new one, and one policy with its disks."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.events import record
from vmart.listings import activity
from vmart.listings import snapshot_policies as listed
from vmart.listings.snapshot_policies import PolicyView
from vmart.orders.snapshots import policies
from vmart.orders.snapshots.policies import Wanted
from vmart.pages.table import Shown
from vmart.web import policy_tables
from vmart.web.acting import as_file, done, found
from vmart.web.policy_forms import ChangedPolicy, NewPolicy, PolicyDiskId
from vmart.web.policy_tables import POLICY_DISKS, SNAPSHOT_POLICIES
from vmart.web.visitor import actor, customer, field


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The policies; below them the way to a new one."""
    form = NewPolicy(request.POST if request.method == "POST" else None)
    who = actor(request, account_id)
    if made := form.made(lambda: policies.create(who, form.cleaned_data["region"], form.wanted(active=True))):
        messages.success(request, _("{name} was made. Bind its disks now.").format(name=made.name))
        return redirect("snapshot_policy", made.public_id)
    word = SNAPSHOT_POLICIES.chosen(request.GET)["q"]
    if as_file(request):
        return SNAPSHOT_POLICIES.file("snapshot-policies.csv", lambda key: listed.by_key(account_id, word, before=key))
    page = listed.by_key(account_id, word, before=request.GET.get("before", ""))
    here = {"policies": Shown(SNAPSHOT_POLICIES, page, request), "form": form}
    return render(request, "web/snapshot_policies/list.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One policy; its name, its times and how long a snapshot is kept are changed here."""
    policy = _policy(account_id, public_id)
    form = ChangedPolicy(policy, request.POST if request.method == "POST" else None)
    if form.takes(lambda: policies.modify(actor(request, account_id), public_id, form.wanted())):
        messages.success(request, _("The snapshot policy was changed."))
        return redirect("snapshot_policy", public_id)
    return _page(request, account_id, policy, form, PolicyDiskId())


def _page(
    request: HttpRequest, account_id: int, policy: PolicyView, form: ChangedPolicy, bound: PolicyDiskId
) -> HttpResponse:
    disks = listed.disks_of(policy, before=request.GET.get("before", ""))
    here: dict[str, Any] = {
        "policy": policy, "form": form, "bind": bound, "disks": Shown(POLICY_DISKS, disks, request),
        "state": policy_tables.state(policy), "times": policy_tables.times(policy), "kept": policy_tables.kept(policy),
        "to_bind": listed.to_bind(account_id, policy.region),
        "events": activity.of_thing(record.SNAPSHOT_POLICY, policy.id),
    }  # fmt: skip
    wrong = form.errors or bound.errors
    return render(request, "web/snapshot_policies/policy.html", here, status=422 if wrong else 200)


@require_http_methods(["POST"])
@customer
def bind(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One disk more."""
    policy = _policy(account_id, public_id)
    form, disk = PolicyDiskId(request.POST), field(request.POST, "disk").strip()
    if form.takes(lambda: policies.bind(actor(request, account_id), public_id, [disk])):
        messages.success(request, _("{disk} is bound: its first snapshot is made next time.").format(disk=disk))
        return redirect("snapshot_policy", public_id)
    return _page(request, account_id, policy, ChangedPolicy(policy), form)


@require_POST
@customer
def unbind(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One disk less; snapshots that were made of it stay as long as they were to stay."""
    who, disk = actor(request, account_id), field(request.POST, "disk")
    said = _("{disk} is bound no more.").format(disk=disk)
    return done(request, lambda: policies.unbind(who, public_id, [disk]), said, "snapshot_policy", public_id)


@require_POST
@customer
def switch(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """On, or off: it keeps its disks and makes nothing."""
    who, active = actor(request, account_id), request.POST.get("active") == "1"
    said = _("The snapshot policy is on.") if active else _("The snapshot policy is off: it makes no snapshots.")
    wanted = Wanted(active=active)
    return done(request, lambda: policies.modify(who, public_id, wanted), said, "snapshot_policy", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def delete_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Deleted, told first what becomes of its disks and its snapshots."""
    policy = _policy(account_id, public_id)
    if request.method == "POST":
        who, said = actor(request, account_id), _("The snapshot policy was deleted.")
        return done(request, lambda: policies.delete(who, [public_id]), said, "snapshot_policies")
    return render(request, "web/snapshot_policies/delete.html", {"policy": policy})


def _policy(account_id: int, public_id: str) -> PolicyView:
    return found(listed.one(account_id, public_id))
