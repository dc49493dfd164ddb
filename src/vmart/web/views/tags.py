"""Tags: all that the account's things have, and those of one machine or address, given and taken away here."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.listings import eips, packages
from vmart.listings import tags as list_of_tags
from vmart.pages.table import Shown, listed
from vmart.tags import modify, reads
from vmart.tags.things import BANDWIDTH_PACKAGE, EIP, INSTANCE, Thing
from vmart.tags.wanted import Tag
from vmart.web.acting import as_file, found, machine_of
from vmart.web.tables import TAGS, TAGS_OF_ONE, OwnTag
from vmart.web.typed_tags import NewTag
from vmart.web.visitor import actor, customer, field


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """Keys with their values, and how many things have each."""
    if as_file(request):
        return TAGS.file("tags.csv", lambda key: list_of_tags.page(account_id, key))
    page = list_of_tags.page(account_id, request.GET.get("before", ""))
    return render(request, "web/tags.html", {"tags": Shown(TAGS, page, request)})


@dataclass(frozen=True, slots=True)
class _One:
    """A thing whose tags a page shows; ``view`` and ``list`` name its own page and the list of its kind."""

    thing: Thing
    name: str
    view: str
    list: str
    list_title: str

    @property
    def address(self) -> str:
        return reverse(self.view, args=[self.thing.public_id])

    @property
    def tags_address(self) -> str:
        return reverse(f"{self.view}_tags", args=[self.thing.public_id])


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def machine_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The tags of a machine."""
    machine = machine_of(account_id, public_id)
    return _changed(
        request, account_id, _One(Thing(INSTANCE, public_id), machine.name, "machine", "machines", _("Machines"))
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def address_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The tags of a public address with a life of its own."""
    eip = found(eips.one(account_id, public_id))
    named = eip.name or str(eip.ip)
    return _changed(
        request, account_id, _One(Thing(EIP, public_id), named, "address", "addresses", _("Public addresses"))
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def package_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """The tags of a bandwidth package."""
    package = found(packages.one(account_id, public_id))
    named, kind = package.name or public_id, Thing(BANDWIDTH_PACKAGE, public_id)
    return _changed(request, account_id, _One(kind, named, "package", "packages", _("Bandwidth packages")))


def _changed(request: HttpRequest, account_id: int, one: _One) -> HttpResponse:
    """Another value of a key takes the place of the one of before."""
    if request.method != "POST":
        return _page(request, account_id, one, NewTag())
    form, takes = NewTag(request.POST), request.POST.get("act") == "take"
    if not form.is_valid():
        return _page(request, account_id, one, form, status=422)
    typed = form.cleaned_data
    try:
        modify.modify(
            actor(request, account_id), [one.thing],
            [] if takes else [Tag(typed["key"], typed["value"])], [field(request.POST, "key")] if takes else [],
        )  # fmt: skip
    except Refused as refused:
        form.refuse(refused)
        return _page(request, account_id, one, form, status=422)
    messages.success(request, _("The tags were changed."))
    return redirect(one.tags_address)


def of_machine(machine: Instance) -> Sequence[Tag]:
    """Its tags, by key."""
    return _of(machine.account_id, Thing(INSTANCE, machine.public_id))


def _of(account_id: int, thing: Thing) -> Sequence[Tag]:
    return [Tag(key, value) for key, value in reads.of_things(account_id, [thing])[thing].items()]


def _page(request: HttpRequest, account_id: int, one: _One, form: NewTag, status: int = 200) -> HttpResponse:
    rows = [OwnTag(one.tags_address, tag.key, tag.value) for tag in _of(account_id, one.thing)]
    here = {"one": one, "tags": listed(TAGS_OF_ONE, rows, request), "form": form}
    return render(request, "web/tags_of_one.html", here, status=status)
