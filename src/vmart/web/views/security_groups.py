"""Security groups: the list with a form for a new one, one group with its rules and machines, a machine's groups."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import overview
from vmart.listings import security_groups as listed_groups
from vmart.listings.paging import number
from vmart.listings.views import SecurityGroupView
from vmart.orders import attributes
from vmart.orders import groups as own_groups
from vmart.pages import wording
from vmart.pages.forms import ActForm
from vmart.pages.table import Shown, listed
from vmart.security import change, starting
from vmart.security.change import WAYS, Named, Policies
from vmart.security.errors import UnknownGroup
from vmart.security.policies import Policy
from vmart.tags import new
from vmart.tags.things import SECURITY_GROUP
from vmart.web import typed_tags
from vmart.web.acting import as_file, found, machine_of
from vmart.web.forms import LAST, ChangedRule, ChangedSecurityGroup, NewRule, NewSecurityGroup
from vmart.web.group_boxes import boxes
from vmart.web.tables import MACHINES_IN_GROUP, RULES, SECURITY_GROUPS, Ruled
from vmart.web.visitor import actor, customer, field

_ANY = Policy("")  # in a rule that is named by its place
IN_FORCE = gettext_lazy("Done. It holds for new connections within seconds; those that are open go on until they end.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The groups; below them the way to a new one."""
    form = NewSecurityGroup(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            rules = starting.rules(typed["starting"])
            who = actor(request, account_id)
            with new.tagging(who, SECURITY_GROUP, typed_tags.read(typed["tags"])) as tag:
                made = change.create(who, typed["region"], typed["name"], typed["description"], rules)
                tag(made.public_id)
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(request, _("{name} was made.").format(name=made.name))
            return redirect("security_group", made.public_id)
    word = SECURITY_GROUPS.chosen(request.GET)["q"]
    if as_file(request):
        return SECURITY_GROUPS.file("security-groups.csv", lambda key: listed_groups.page(account_id, word, before=key))
    page = listed_groups.page(account_id, word, before=request.GET.get("before", ""))
    here = {"groups": Shown(SECURITY_GROUPS, page, request), "form": form}
    return render(request, "web/security_groups/list.html", here, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One group with its rules. Sent here are a further rule, and another name or description."""
    groups = listed_groups.to_choose(account_id)
    group = _of(groups, public_id)
    if request.method != "POST":
        return _page(request, account_id, groups, group)
    adds = request.POST.get("act") == "add"
    form: ActForm = NewRule(groups, request.POST) if adds else ChangedSecurityGroup(group, request.POST)
    if form.is_valid():
        try:
            who = actor(request, account_id)
            if isinstance(form, NewRule):
                _add(who, group, form, field(request.POST, "version"))
            else:
                change.rename(who, public_id, form.cleaned_data["name"], form.cleaned_data["description"])
        except Refused as refused:
            form.refuse(refused)
        else:
            messages.success(request, IN_FORCE if adds else _("The security group was changed."))
            return redirect("security_group", public_id)
    return _page(request, account_id, groups, group, form)


def _add(who: Actor, group: SecurityGroupView, form: NewRule, version: str) -> None:
    way = form.cleaned_data["way"]
    if way not in WAYS:
        raise Http404
    index = len(getattr(group, way)) if form.cleaned_data["place"] == LAST else 0
    change.add(who, group.public_id, _one(way, Named(form.policy, index), version))


def _one(way: str, rule: Named, version: str) -> Policies:
    return Policies(**{way: (rule,)}, version=version)


def _page(
    request: HttpRequest,
    account_id: int,
    groups: Sequence[SecurityGroupView],
    group: SecurityGroupView,
    form: ActForm | None = None,
) -> HttpResponse:
    """The page with the form that was refused, if one was."""
    without = own_groups.without()
    regions = {code: zone.region for code, zone in shop.snapshot().zones.items()}
    machines = listed_groups.in_group(account_id, group.public_id, before=request.GET.get("before", ""))
    here = {
        "group": group,
        "in": listed(RULES["ingress"], _ruled(groups, group, "ingress"), request),
        "out": listed(RULES["egress"], _ruled(groups, group, "egress"), request),
        "machines": Shown(MACHINES_IN_GROUP, machines, request, _("Machines")),
        "ssh": listed_groups.ssh_reach([group]),
        "without": {zone: why for zone, why in without.items() if group.region in ("", regions.get(zone))},
        "add": form if isinstance(form, NewRule) else NewRule(groups),
        "change": form if isinstance(form, ChangedSecurityGroup) else ChangedSecurityGroup(group),
    }
    return render(request, "web/security_groups/group.html", here, status=422 if form else 200)


def _ruled(groups: Sequence[SecurityGroupView], group: SecurityGroupView, way: str) -> list[Ruled]:
    names = {one.public_id: one.name for one in groups}
    rules: Sequence[Policy] = getattr(group, way)
    return [
        Ruled(group, way, index, policy, names.get(policy.group, policy.group), is_last=index == len(rules) - 1)
        for index, policy in enumerate(rules)
    ]


@require_POST
@customer
def rules(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """One rule taken out, or moved by one place. The form says of which version it speaks."""
    act, way, index = request.POST.get("act"), request.POST.get("way", ""), number(request.POST.get("index", ""))
    if way not in WAYS or index is None:
        raise Http404
    who, version = actor(request, account_id), field(request.POST, "version")
    try:
        if act == "remove":
            change.remove(who, public_id, _one(way, Named(_ANY, index), version))
        else:
            change.move(who, public_id, way, index, up=act == "up", version=version)
    except UnknownGroup as unknown:
        raise Http404 from unknown
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, IN_FORCE)
    return redirect("security_group", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def rule_page(request: HttpRequest, account_id: int, public_id: str, way: str, index: int) -> HttpResponse:
    """One rule, to be written anew in its place."""
    groups = listed_groups.to_choose(account_id)
    group = _of(groups, public_id)
    rules_of_way: Sequence[Policy] = getattr(group, way)
    if index >= len(rules_of_way):
        raise Http404
    form = ChangedRule(groups, rules_of_way[index], request.POST if request.method == "POST" else None)
    who, version = actor(request, account_id), field(request.POST, "version")
    if form.takes(lambda: change.replace_one(who, public_id, _one(way, Named(form.policy, index), version))):
        messages.success(request, IN_FORCE)
        return redirect("security_group", public_id)
    here = {"group": group, "way": way, "priority": index + 1, "form": form}
    return render(request, "web/security_groups/rule.html", here, status=422 if form.errors else 200)


@require_POST
@customer
def delete(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """A group that nothing uses: nothing is lost, so nobody is asked back."""
    try:
        change.delete(actor(request, account_id), public_id)
    except UnknownGroup as unknown:
        raise Http404 from unknown
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
        return redirect("security_group", public_id)
    messages.success(request, _("The security group was deleted."))
    return redirect("security_groups")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def machine_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The groups of a machine: those that are ticked take the place of those of before."""
    machine = machine_of(account_id, public_id)
    if request.method != "POST":
        return _machines_groups(request, machine, own_groups.of(machine))
    chosen = [group.replace("\0", "") for group in request.POST.getlist("security_group")]
    if not chosen:
        return _machines_groups(request, machine, chosen, _("Choose a security group."))
    try:
        attributes.modify(actor(request, account_id), [public_id], groups=chosen)
    except Refused as refused:
        return _machines_groups(request, machine, chosen, wording.sentence(refused))
    messages.success(request, IN_FORCE)
    return redirect("machine", public_id)


def _machines_groups(request: HttpRequest, machine: Instance, chosen: Sequence[str], error: str = "") -> HttpResponse:
    groups = listed_groups.to_choose(machine.account_id, shop.snapshot().region_of(machine.zone_id))
    here = {
        "machine": machine, "boxes": boxes(groups, chosen), "error": error,
        "no_groups": own_groups.why_none_hold(overview.capabilities(machine.zone_id)),
    }  # fmt: skip
    return render(request, "web/machines/groups.html", here, status=422 if error else 200)


def _of(groups: Sequence[SecurityGroupView], public_id: str) -> SecurityGroupView:
    return found(next((group for group in groups if group.public_id == public_id), None))
