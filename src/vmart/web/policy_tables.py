"""The lists of snapshot policies and of the disks of one."""

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from vmart.listings.snapshot_policies import BoundDisk, PolicyView
from vmart.orders.snapshots import policies
from vmart.pages import cells, printed, wording
from vmart.pages.cells import NOTHING, link, region, soft, together
from vmart.pages.table import FIGURE, MONO, NUM, RIGHT, Column, Filter, Table
from vmart.storage.models import Disk


def _name(row: PolicyView) -> SafeString:
    return together(link(reverse("snapshot_policy", args=[row.public_id]), row.name), soft(row.public_id, MONO))


def state(policy: PolicyView) -> SafeString:
    """Whether it makes any."""
    return cells.badge(_("On"), "good") if policy.active else cells.badge(_("Off"), "idle")


def times(policy: PolicyView) -> SafeString:
    """The days and hours at which it is due."""
    days = [str(wording.DAYS_OF_WEEK[day]) for day in policy.weekdays]
    told = gettext("Every day") if len(days) == len(wording.DAYS_OF_WEEK) else ", ".join(days)
    return together(told, soft(", ".join(f"{hour:02}:00" for hour in policy.hours), NUM))


def kept(policy: PolicyView) -> str:
    """For how long what it makes is kept."""
    if policy.retention_days == policies.FOR_GOOD:
        return gettext("Until you delete it")
    days = policy.retention_days
    return ngettext("{days} day", "{days} days", days).format(days=days)


SNAPSHOT_POLICIES: Table[PolicyView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Snapshot policy"), _name, lambda row: row.name),
        Column("state", _("State"), state, lambda row: "on" if row.active else "off"),
        Column("times", _("When"), times, None),
        Column("weekdays", "", None, lambda row: " ".join(str(day) for day in row.weekdays)),
        Column("hours", "", None, lambda row: " ".join(str(hour) for hour in row.hours)),
        Column("kept", _("Kept"), kept, None),
        Column("kept_days", "", None, lambda row: row.retention_days),
        Column("disks", _("Disks"), lambda row: len(row.disks), lambda row: " ".join(row.disks), css=FIGURE),
        Column("region", _("Region"), lambda row: region(row.region), lambda row: row.region),
        Column("next", _("Next time"), lambda row: printed.instant(row.next_at), lambda row: row.next_at, css=NUM),
    ),
    empty=_("You have no snapshot policy yet. One makes snapshots of its disks by itself, at hours that you choose."),
    filters=(Filter("q", _("Name or id")),),
    name="snapshot_policies",
)


def _disk(row: BoundDisk) -> SafeString:
    title = row.name or wording.component("system_disk" if row.usage == Disk.Usage.SYSTEM else "data_disk")
    shown = link(reverse("disk", args=[row.public_id]), title) if row.is_own else title
    return together(shown, soft(row.public_id, MONO))


def _machine(row: BoundDisk) -> SafeString | str:
    if not row.machine:
        return NOTHING
    return together(link(reverse("machine", args=[row.machine]), row.machine_name), soft(row.machine, MONO))


def _last(row: BoundDisk) -> SafeString | str:
    """What became of the last time."""
    if row.last_due_at is None:
        return NOTHING
    if not row.skipped:
        return together(printed.instant(row.last_due_at), soft(gettext("Made")))
    told = soft(together(gettext("Not made"), ": ", wording.reason(row.skipped)))
    return together(printed.instant(row.last_due_at), told)


POLICY_DISKS: Table[BoundDisk] = Table(
    (
        Column("disk", _("Disk"), _disk),
        Column("machine", _("Machine"), _machine),
        Column("last", _("Last time"), _last),
        Column("acts", "", "web/parts/policy_disk_acts.html", css=RIGHT),
    ),
    empty=_("It has no disk. Bind those of which it is to make snapshots."),
)
