"""Search over everything: what the account has, and the shop's own pages. The dialog of every page asks it too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from vmart.listings import search
from vmart.listings.search import Hit, Hits
from vmart.pages import menu, permitted, wording
from vmart.pages.menu import Entry
from vmart.web.visitor import customer


@dataclass(frozen=True, slots=True)
class Place:
    """Where hits of a kind lead: ``page`` is one's own, or "" where the list (``listing``) is all there is of it."""

    title: Any
    icon: str
    listing: str
    page: str = ""

    def address(self, public_id: str) -> str:
        return reverse(self.page, args=[public_id]) if self.page else reverse(self.listing)


PLACES = {
    "machine": Place(_("Machines"), "server-2", "machines", "machine"),
    "disk": Place(_("Disks"), "database", "disks", "disk"),
    "snapshot": Place(_("Snapshots"), "camera", "snapshots", "snapshot"),
    "image": Place(_("Images"), "disc", "images", "image"),
    "address": Place(_("Public addresses"), "world", "addresses", "address"),
    "package": Place(_("Bandwidth packages"), "gauge", "packages", "package"),
    "vpc": Place(_("Networks"), "network", "networks"),
    "subnet": Place(_("Subnets"), "network", "networks"),
    "security_group": Place(_("Security groups"), "shield-lock", "security_groups", "security_group"),
    "key": Place(_("SSH key pairs"), "key", "keys"),
    "template": Place(_("Launch templates"), "template", "templates", "template"),
    "placement_group": Place(_("Placement groups"), "stack-2", "placement_groups", "placement_group"),
    "policy": Place(_("Snapshot policies"), "camera", "snapshot_policies", "snapshot_policy"),
    "alarm": Place(_("Alarms"), "bell", "alarms"),
    "order": Place(_("Orders"), "receipt", "orders", "order"),
}
# Pages to which no entry of the menu leads.
_MORE = (
    Entry("disk_new", _("Buy a disk"), "database"),
    Entry("address_buy", _("Buy a public address"), "world"),
    Entry("package_buy", _("Buy a bandwidth package"), "gauge"),
    Entry("image_import", _("Import an image"), "disc"),
    Entry("top_up", _("Top up"), "wallet"),
    Entry("snapshot_policies", _("Snapshot policies"), "camera"),
    Entry("charges_by_tag", _("Charges by tag"), "chart-bar"),
    Entry("sessions", _("Sessions"), "lock"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A hit as it is shown: what is called so, its id where that is another, what else is said of it."""

    address: str
    title: Any
    public_id: str = ""
    about: Any = ""


@dataclass(frozen=True, slots=True)
class Part:
    """Hits of one kind; ``more``: address of the list, where not all are shown."""

    title: Any
    icon: str
    lines: Sequence[Line]
    more: str = ""


@never_cache
@vary_on_headers("HX-Request")
@require_safe
@customer
def page(request: HttpRequest, account_id: int) -> HttpResponse:
    """The whole page; what the dialog asks for is what was found alone."""
    word = search.cleaned(request.GET.get("q", ""))
    parts = [*_pages(request, word), *_things(request, account_id, word)]
    here = {"word": word, "parts": parts, "said": _said(word, parts)}
    alone = request.headers.get("HX-Request") == "true"
    return render(request, "web/search_found.html" if alone else "web/search.html", here)


def _said(word: str, parts: Sequence[Part]) -> str:
    count = sum(len(part.lines) for part in parts)
    return ngettext("{count} result", "{count} results", count).format(count=count) if word else ""


def _things(request: HttpRequest, account_id: int, word: str) -> list[Part]:
    """Of kinds whose page the member may open."""
    kinds = [kind for kind, place in PLACES.items() if permitted.may(request.user, place.page or place.listing)]
    return [_part(hits) for hits in search.found(account_id, word, kinds)]


def _part(hits: Hits) -> Part:
    place = PLACES[hits.kind]
    more = reverse(place.listing) if hits.more else ""
    return Part(place.title, place.icon, [_line(place, hit) for hit in hits.hits], more)


def _line(place: Place, hit: Hit) -> Line:
    address = place.address(hit.public_id)
    if hit.kind == "order":
        return Line(address, hit.public_id, about=wording.ACTIONS.get(hit.about, hit.about))
    return Line(address, hit.name or hit.public_id, hit.public_id if hit.name else "", hit.about)


def _pages(request: HttpRequest, word: str) -> list[Part]:
    """Pages of whose title the word is a part."""
    if not word:
        return []
    entries = [entry for group in menu.groups_for(request.user) for entry in group.entries]
    known = [entry for entry in (menu.BUY, *entries, *_MORE) if permitted.may(request.user, entry.view)]
    lines = [
        Line(reverse(entry.view), entry.title) for entry in known if word.casefold() in str(entry.title).casefold()
    ]
    return [Part(_("Pages"), "layout-dashboard", lines[: search.EACH])] if lines else []
