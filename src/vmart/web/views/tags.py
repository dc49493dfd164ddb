"""Tags: all that the account's things have, and those of one machine, which are given and taken away here."""

from collections.abc import Sequence

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import overview
from vmart.listings import tags as list_of_tags
from vmart.pages.table import Shown, listed
from vmart.tags import modify, reads
from vmart.tags.things import INSTANCE, Thing
from vmart.tags.wanted import Tag
from vmart.web.forms import NewTag
from vmart.web.tables import MACHINE_TAGS, TAGS, MachineTag
from vmart.web.visitor import actor, customer, field


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse:
    """Keys with their values, and how many things have each."""
    page = list_of_tags.page(account_id, request.GET.get("before", ""))
    return render(request, "web/tags.html", {"tags": Shown(TAGS, page, request)})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def machine_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The tags of a machine; another value of a key takes the place of the one of before."""
    machine = overview.machine(account_id, public_id)
    if machine is None:
        raise Http404
    if request.method != "POST":
        return _page(request, machine, NewTag())
    form, takes = NewTag(request.POST), request.POST.get("act") == "take"
    if not form.is_valid():
        return _page(request, machine, form, status=422)
    typed = form.cleaned_data
    try:
        modify.modify(
            actor(request, account_id), [Thing(INSTANCE, public_id)],
            [] if takes else [Tag(typed["key"], typed["value"])], [field(request.POST, "key")] if takes else [],
        )  # fmt: skip
    except Refused as refused:
        form.refuse(refused)
        return _page(request, machine, form, status=422)
    messages.success(request, _("The tags were changed."))
    return redirect("machine_tags", public_id)


def of_machine(machine: Instance) -> Sequence[Tag]:
    """Its tags, by key."""
    thing = Thing(INSTANCE, machine.public_id)
    return [Tag(key, value) for key, value in reads.of_things(machine.account_id, [thing])[thing].items()]


def _page(request: HttpRequest, machine: Instance, form: NewTag, status: int = 200) -> HttpResponse:
    rows = [MachineTag(machine, tag.key, tag.value) for tag in of_machine(machine)]
    here = {"machine": machine, "tags": listed(MACHINE_TAGS, rows, request), "form": form}
    return render(request, "web/machines/tags.html", here, status=status)
