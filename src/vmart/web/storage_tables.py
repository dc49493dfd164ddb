"""Lists of an account's disks, snapshots and images."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from vmart.instances.models import State
from vmart.listings.images import SHARED, ImageView
from vmart.listings.own_disks import OwnDisk
from vmart.listings.views import SnapshotView
from vmart.pages import cells, printed, wording
from vmart.pages.cells import NOTHING, link, soft, together
from vmart.pages.table import FIGURE, MONO, NUM, Column, Filter, Table, Words
from vmart.pages.templatetags.shop import zone_name
from vmart.storage.models import Disk
from vmart.storage.models import State as DiskState
from vmart.web import row_acts
from vmart.web.tables import BY_TAG, BY_ZONE, machine_name


def _disk_name(row: OwnDisk) -> SafeString:
    address = reverse("disk", args=[row.disk.public_id])
    if not row.disk.name:
        return link(address, row.disk.public_id, MONO)
    return together(link(address, row.disk.name), soft(row.disk.public_id, MONO))


def _disk_type(row: OwnDisk) -> SafeString:
    return together(wording.disk_type(row.disk.disk_type), soft(f"{row.disk.size_gib} GiB"))


def _disk_machine(row: OwnDisk) -> SafeString | str:
    return machine_name(row.machine) if row.machine and row.machine.state != State.GONE else NOTHING


def _disk_cost(row: OwnDisk) -> object:
    """What an hour costs, or until when it is paid; of one that is ended, when it is erased."""
    held = row.disk.subscription
    if row.disk.state == DiskState.TORECYCLE and held.release_at:
        return soft(together(_("erased"), " ", printed.instant(held.release_at)))
    if held.expires_at:
        return soft(together(_("until"), " ", printed.day(held.expires_at)))
    return NOTHING if row.hourly is None else printed.rate(row.hourly)


def _disk_states() -> Sequence[tuple[str, Words]]:
    hidden = (DiskState.FAILED, "EXPANDING")
    return [(code, title) for code, (title, _tone) in wording.DISK_STATES.items() if code not in hidden]


DISKS: Table[OwnDisk] = Table(
    (
        Column("id", "", None, lambda row: row.disk.public_id),
        Column("name", _("Disk"), _disk_name, lambda row: row.disk.name),
        Column("state", _("State"), lambda row: cells.disk_state(row.disk), lambda row: row.disk.state),
        Column("machine", _("Machine"), _disk_machine, lambda row: row.machine.public_id if row.machine else ""),
        Column("zone", _("Zone"), lambda row: zone_name(row.disk.zone_id), lambda row: row.disk.zone_id),
        Column("type", _("Disk type"), _disk_type, lambda row: row.disk.disk_type),
        Column("size_gib", "", None, lambda row: row.disk.size_gib),
        Column("hourly", _("An hour"), _disk_cost, lambda row: row.hourly, css=FIGURE),
        Column("created", _("Bought"), lambda row: printed.day(row.disk.subscription.created_at),
               lambda row: row.disk.subscription.created_at, css=NUM),
    ),
    empty=_("You have no disk of its own yet. Such a disk goes from machine to machine, and stays when one ends."),
    onward=("disk_new", _("Buy a disk")),
    filters=(
        Filter("q", _("Name or id")),
        BY_ZONE,
        Filter("state", _("State"), _disk_states),
        BY_TAG,
    ),
    name="disks",
    acts=row_acts.of_disk,
    chosen_acts=row_acts.DISKS,
)  # fmt: skip


def _snapshot_name(row: SnapshotView) -> SafeString:
    address = reverse("snapshot", args=[row.public_id])
    if not row.name:
        return link(address, row.public_id, MONO)
    return together(link(address, row.name), soft(row.public_id, MONO))


def _snapshot_disk(row: SnapshotView) -> SafeString:
    usage = wording.component("system_disk" if row.usage == Disk.Usage.SYSTEM else "data_disk")
    return together(row.disk_name or usage, soft(row.disk, MONO))


def _snapshot_states() -> Sequence[tuple[str, Words]]:
    return [(code, title) for code, (title, _tone) in wording.SNAPSHOT_STATES.items()]


SNAPSHOTS: Table[SnapshotView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Snapshot"), _snapshot_name, lambda row: row.name),
        Column("state", _("State"), lambda row: cells.snapshot_state(row.state), lambda row: row.state),
        Column("disk", _("Disk"), _snapshot_disk, lambda row: row.disk),
        Column("size_gib", _("Size"), lambda row: f"{row.size_gib} GiB", lambda row: row.size_gib, css=FIGURE),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("created", _("Asked for"), lambda row: printed.instant(row.created_at), lambda row: row.created_at,
               css=NUM),
    ),
    empty=_("You have no snapshot yet. One is made on the page of a disk, or of a machine, and stays when that ends."),
    filters=(
        Filter("disk", _("Id of the disk")),
        BY_ZONE,
        Filter("state", _("State"), _snapshot_states),
        BY_TAG,
    ),
    name="snapshots",
    acts=row_acts.of_snapshot,
    chosen_acts=row_acts.SNAPSHOTS,
)  # fmt: skip


def _image_name(row: ImageView) -> SafeString:
    return together(link(reverse("image", args=[row.public_id]), row.name), soft(row.public_id, MONO))


def _image_owner(row: ImageView) -> str:
    if row.kind == SHARED:
        return gettext("Shared by account {id}").format(id=row.owner)
    shared = gettext("Own; accounts that it is shared with: {number}").format(number=row.shares)
    return shared if row.shares else gettext("Own")


IMAGES: Table[ImageView] = Table(
    (
        Column("id", "", None, lambda row: row.public_id),
        Column("name", _("Image"), _image_name, lambda row: row.name),
        Column("state", _("State"), lambda row: cells.image_state(row.state), lambda row: row.state),
        Column("owner", _("Whose"), _image_owner),
        Column("size_gib", _("Size"), lambda row: f"{row.size_gib} GiB" if row.size_gib else "—",
               lambda row: row.size_gib, css=FIGURE),
        Column("zone", _("Zone"), lambda row: zone_name(row.zone), lambda row: row.zone),
        Column("created", _("Asked for"), lambda row: printed.instant(row.created_at), lambda row: row.created_at,
               css=NUM),
    ),
    empty=_("You have no image yet. One is made on the page of a machine, and machines are made of it."),
)  # fmt: skip
