"""The seller's lists of zones: how full each is, and for which types one has room."""

from collections.abc import Callable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from vmart.listings.sales import ZoneCapacity
from vmart.listings.stock import Placed
from vmart.pages import printed, wording
from vmart.pages.cells import badge, link, soft, together
from vmart.pages.table import FIGURE, MONO, Column, Table
from vmart.placement.explain import FILTERS

_TONES = {"ready": "good", "unreachable": "bad"}


def _name(zone: ZoneCapacity) -> SafeString:
    name = link(reverse("seller_zone", args=[zone.code]), wording.in_language(zone, "name"))
    return together(name, soft(zone.code, MONO))


def _engine(zone: ZoneCapacity) -> SafeString:
    off = ngettext("{hosts} host off", "{hosts} hosts off", zone.hosts_off).format(hosts=zone.hosts_off)
    drained = ngettext("{hosts} host drained", "{hosts} hosts drained", zone.hosts_drained).format(
        hosts=zone.hosts_drained
    )
    return together(
        badge(wording.said(zone.driver.title), _TONES.get(zone.engine_status, "idle")),
        soft(wording.KINDS.get(zone.kind, zone.kind) if zone.driver.is_real and zone.kind else ""),
        soft(wording.said(zone.engine_why)),
        soft(off if zone.hosts_off else ""),
        soft(drained if zone.hosts_drained else ""),
    )


def _figures(text: str) -> SafeString:
    return format_html('<span class="num">{}</span>', text)


def filled(title: Any, text: str, used: int, capacity: int) -> SafeString:
    """How much of a capacity is sold, in figures and as a bar."""
    bar = '<progress class="fill" value="{}" max="{}" aria-label="{}"></progress>'
    return together(_figures(text), format_html(bar, min(used, capacity), max(capacity, 1), title))


def _vcpu(zone: ZoneCapacity) -> SafeString:
    return filled("vCPU", f"{zone.vcpu_used} / {zone.vcpu_capacity}", zone.vcpu_used, zone.vcpu_capacity)


def _memory(zone: ZoneCapacity) -> SafeString:
    used, capacity = zone.memory_used_mib, zone.memory_capacity_mib
    return filled(_("Memory"), f"{printed.gib(used)} / {printed.gib(capacity)} GiB", used, capacity)


def _disk(zone: ZoneCapacity) -> SafeString:
    used, capacity = zone.disk_used_gib, zone.disk_capacity_gib
    return together(filled(_("Disk"), f"{used} / {capacity} GiB", used, capacity), soft(_pool(zone)))


def _pool(zone: ZoneCapacity) -> SafeString | str:
    """What real disks take; "" where there are none."""
    if not zone.pool_gib:
        return ""
    filled = gettext("{filled} of {size} GiB filled, sold {ratio} times its size").format(
        filled=zone.pool_filled_gib, size=zone.pool_gib, ratio=zone.sold_ratio
    )
    warning = format_html('<span class="pill warn">{}</span> ', _("Storage fills up")) if zone.is_filling else ""
    return together(warning, filled)


def _images(zone: ZoneCapacity) -> SafeString:
    ready = zone.images_ready
    said = ngettext("{number} ready", "{number} ready", ready).format(number=ready) if ready else ""
    waiting = [image for image in zone.images if image["status"] != "ready"]
    return together(said, *(soft(together(image["name"], ": ", _progress(image))) for image in waiting))


def _progress(image: Mapping[str, Any]) -> SafeString:
    """How far an image is that is not there yet."""
    if image["status"] == "preparing":
        return together(f"{image['percent']} %")
    if image["status"] != "failed":
        return together(_("missing"))
    met = format_html(' <span class="mono">{}</span>', image["detail"]) if image["detail"] else ""
    return together(_("failed"), ", ", wording.said(image["why"]), met)


ZONES: Table[ZoneCapacity] = Table(
    (
        Column("zone", _("Zone"), _name),
        Column("engine", _("Engine"), _engine),
        Column("machines", _("Machines"), lambda row: row.machines, css=FIGURE),
        Column("vcpu", "vCPU", _vcpu),
        Column("memory", _("Memory"), _memory),
        Column("disk", _("Disk"), _disk),
        Column("addresses", _("Free addresses"), lambda row: f"{row.addresses_free} / {row.addresses}", css=FIGURE),
        Column("images", _("Images"), _images),
    ),
    empty="",
    dense=True,
)


def room(disk_gib: int) -> Table[Placed]:
    """Types of a zone; how many hosts each filter of the placement leaves for one more machine with such disks."""

    def size(row: Placed) -> SafeString:
        said = f"{row.vcpu} vCPU · {printed.memory(row.memory_mib)} · {disk_gib} GiB"
        return together(row.type_code, soft(said))

    filters = [Column(name, wording.FILTERS.get(name, name), _hosts_left(name), css=FIGURE) for name in FILTERS]
    return Table((Column("type", _("Type"), size), *filters), empty="", dense=True)


def _hosts_left(name: str) -> Callable[[Placed], int]:
    return lambda row: row.left[name]
