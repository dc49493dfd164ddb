"""The seller's list of a zone's hosts."""

from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from vmart.backoffice.zone_tables import filled
from vmart.listings.hosts import HostRow
from vmart.pages import printed
from vmart.pages.cells import badge, soft, together
from vmart.pages.table import FIGURE, MONO, RIGHT, Column, Table


def _name(row: HostRow) -> SafeString:
    rack = gettext("rack {rack}").format(rack=row.rack) if row.rack else ""
    return together(row.name, soft(rack))


def _state(row: HostRow) -> SafeString:
    if not row.online:
        return together(badge(_("Off"), "bad"), _drained(row))
    return together(badge(_("Takes machines"), "good") if row.enabled else badge(_("Drained"), "warn"), _drained(row))


def _drained(row: HostRow) -> SafeString | str:
    """Since when, and by whom."""
    if row.enabled or row.drained_at is None:
        return ""
    return soft(together(printed.instant(row.drained_at), " · ", row.drained_by))


def _sold(title: Any, text: str, used: int, capacity: int, more: str) -> SafeString:
    percent = f"{used * 100 // capacity} %" if capacity else "—"
    return together(filled(title, text, used, capacity), soft(" · ".join(part for part in (percent, more) if part)))


def _vcpu(row: HostRow) -> SafeString:
    more = gettext("threads sold {ratio} times").format(ratio=row.vcpu_ratio)
    return _sold("vCPU", f"{row.vcpu_used} / {row.vcpu_capacity}", row.vcpu_used, row.vcpu_capacity, more)


def _memory(row: HostRow) -> SafeString:
    used, capacity = row.memory_used_mib, row.memory_capacity_mib
    return _sold(_("Memory"), f"{printed.gib(used)} / {printed.gib(capacity)} GiB", used, capacity, "")


def _disk(row: HostRow) -> SafeString:
    more = ""
    if row.pool_gib:
        more = gettext("{filled} of {size} GiB filled, sold {ratio} times its size").format(
            filled=row.pool_filled_gib, size=row.pool_gib, ratio=row.disk_ratio
        )
    used, capacity = row.disk_used_gib, row.disk_capacity_gib
    return _sold(_("Disk"), f"{used} / {capacity} GiB", used, capacity, more)


HOSTS: Table[HostRow] = Table(
    (
        Column("host", _("Host"), _name, css=MONO),
        Column("state", _("State"), _state),
        Column("machines", _("Machines"), lambda row: row.machines, css=FIGURE),
        Column("vcpu", "vCPU", _vcpu),
        Column("memory", _("Memory"), _memory),
        Column("disk", _("Disk"), _disk),
        Column("acts", "", "backoffice/parts/host_acts.html", css=RIGHT),
    ),
    empty=_("The zone has no host yet: its engine tells of them."),
    dense=True,
)
