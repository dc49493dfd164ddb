"""The lists of bandwidth packages and of the addresses in one."""

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from vmart.listings.views import MemberView, PackageView
from vmart.pages import printed
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import FIGURE, MONO, NUM, Column, Table
from vmart.pages.templatetags.shop import zone_name


def _name(row: PackageView) -> SafeString:
    shown = together(link(reverse("package", args=[row.public_id]), row.name or row.public_id))
    off = format_html(' <span class="pill warn">{}</span>', _("Off for arrears")) if row.off else ""
    return together(shown, off, soft(row.public_id, MONO) if row.name else "")


PACKAGES: Table[PackageView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Bandwidth package"), _name, lambda row: row.name),
        Column(
            "bandwidth",
            _("Bandwidth"),
            lambda row: f"{row.bandwidth_mbps} Mbps",
            lambda row: row.bandwidth_mbps,
            css=FIGURE,
        ),
        Column(
            "members",
            _("Addresses"),
            lambda row: len(row.members),
            lambda row: " ".join(member.public_id for member in row.members),
            css=FIGURE,
        ),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column(
            "created", _("Bought"), lambda row: printed.instant(row.created_at), lambda row: row.created_at, css=NUM
        ),
    ),
    empty=_("You have no bandwidth package yet. In one, several public addresses share a speed that you pay for once."),
    onward=("package_buy", _("Buy a bandwidth package")),
)


def _address(row: MemberView) -> SafeString:
    return together(link(reverse("address", args=[row.public_id]), row.ip, MONO), soft(row.name or row.public_id))


def _machine(row: MemberView) -> SafeString:
    if not row.machine:
        return together(NOTHING)
    return together(link(reverse("machine", args=[row.machine]), row.machine_name), soft(row.machine, MONO))


MEMBERS: Table[MemberView] = Table(
    (
        Column("address", _("Address"), _address),
        Column("machine", _("Machine"), _machine),
        Column("out", _("Take out"), lambda row: link(f"remove/?address={row.public_id}", _("Take out…"))),
    ),
    empty=_("No address is in it yet."),
)
