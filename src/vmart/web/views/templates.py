"""Launch templates: the list, one with its versions, and what its owner does to it. The purchase page makes them."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from vmart.kernel.errors import Refused
from vmart.launch_templates import change
from vmart.listings import launch_templates
from vmart.listings.launch_templates import TemplateView, VersionView
from vmart.listings.paging import Page, number
from vmart.pages import version_facts, wording
from vmart.pages.table import Shown
from vmart.pages.version_facts import Fact
from vmart.web import from_template
from vmart.web.acting import as_file, done, found
from vmart.web.tables import LAUNCH_TEMPLATES
from vmart.web.visitor import actor, customer


@dataclass(frozen=True, slots=True)
class _Shown:
    """A version with what it holds in words, and the purchase page's query with it."""

    version: VersionView
    facts: list[Fact]
    address: str


@require_safe
@customer
def listing(request: HttpRequest, account_id: int) -> HttpResponse | StreamingHttpResponse:
    """The templates, narrowed and ordered as the address says."""
    word, order = LAUNCH_TEMPLATES.chosen(request.GET)["q"], LAUNCH_TEMPLATES.order(request.GET)

    def page_before(key: str) -> Page[TemplateView]:
        return launch_templates.by_key(account_id, word, before=key, order=order)

    if as_file(request):
        return LAUNCH_TEMPLATES.file("templates.csv", page_before)
    page = page_before(request.GET.get("before", ""))
    return render(request, "web/templates/list.html", {"templates": Shown(LAUNCH_TEMPLATES, page, request)})


@never_cache
@require_safe
@customer
def detail(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    template = _template(account_id, public_id)
    _total, versions = launch_templates.versions(account_id, public_id)
    return render(
        request, "web/templates/template.html",
        {"template": template, "versions": [_shown(public_id, version) for version in versions]},
    )  # fmt: skip


def _shown(public_id: str, version: VersionView) -> _Shown:
    address = from_template.address_of(public_id, version.number, version.contents)
    return _Shown(version, version_facts.facts(version.contents), address)


@require_POST
@customer
def make_default(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    _template(account_id, public_id)
    chosen = _version(request.POST.get("version", ""))
    who, said = actor(request, account_id), _("Version {number} is the default now.").format(number=chosen)
    return done(request, lambda: change.make_default(who, public_id, chosen), said, "template", public_id)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@customer
def delete_page(request: HttpRequest, account_id: int, public_id: str) -> HttpResponse:
    """Delete the version that is named, or the whole template where none is; asked back first."""
    template = _template(account_id, public_id)
    if request.method != "POST":
        chosen = _version(request.GET.get("version", ""))
        if "version" in request.GET and not chosen:  # of no version there is nothing to ask, least of all for them all
            return redirect("template", public_id)
        return render(request, "web/templates/delete.html", {"template": template, "number": chosen})
    named = _version(request.POST.get("version", ""))
    try:
        if "version" not in request.POST:  # one that cannot be read is no leave to delete them all
            change.delete(actor(request, account_id), public_id)
            messages.success(request, _("The template {name} was deleted.").format(name=template.name))
            return redirect("templates")
        change.delete_versions(actor(request, account_id), public_id, [named])
    except Refused as refused:
        messages.error(request, wording.sentence(refused))
    else:
        messages.success(request, _("Version {number} was deleted.").format(number=named))
    return redirect("template", public_id)


def _template(account_id: int, public_id: str) -> TemplateView:
    return found(launch_templates.template(account_id, public_id))


def _version(text: str) -> int:
    """The version's number; 0, which no version has, for what is none."""
    found = number(text) or 0
    return found if found < 2**31 else 0
