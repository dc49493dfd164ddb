"""Disks with a life of their own, for people: the list, one of them, and the machines that may get it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.listings.paging import PAGE, Matching, Page, cut, last_row, number
from vmart.orders import holds
from vmart.orders.things import is_prepaid
from vmart.storage.models import ALIVE, Disk, State
from vmart.tags import reads
from vmart.tags.things import VOLUME

MACHINES_MAX = 200  # of those that are offered to choose from


@dataclass(frozen=True, slots=True)
class OwnDisk:
    """A disk and the machine that has it. ``hourly``: an hour of it, exact; None where none is charged."""

    disk: Disk
    machine: Instance | None
    hourly: Decimal | None

    @property
    def id(self) -> int:
        return self.disk.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which disks: those that meet every condition given. ``word`` is a part of the name, or an id."""

    word: str | None = None
    zones: Sequence[str] | None = None
    states: Sequence[str] | None = None
    tags: str | None = None  # of ``tags.reads.named``


_CONDITIONS = {
    "word": "(position(lower(%(word)s) IN lower(d.name)) > 0 OR d.public_id = %(word)s)",
    "zones": "d.own_zone_id = ANY (%(zones)s)",
    "states": "d.state = ANY (%(states)s)",
    "tags": reads.meeting(VOLUME, "d.public_id"),
}
_FROM = "FROM storage_disk d WHERE d.account_id = %(account)s AND d.state NOT IN ('', 'GONE', 'FAILED')"
_AFTER = "AND (d.own_created_at, d.id) < (%(last_at)s, %(last_id)s)"
_NEWEST = "SELECT d.id {matching} {page} ORDER BY d.own_created_at DESC, d.id DESC LIMIT %(size)s"


def by_key(account_id: int, wanted: Wanted | None = None, *, before: str = "") -> Page[OwnDisk]:
    """A page of them, newest first; what is erased or was never made is not there. ``before`` is a page's key."""
    last = last_row(Disk.objects.filter(account_id=account_id), number(before), "own_created_at")
    matching = Matching.of(account_id, _FROM, _CONDITIONS, wanted or Wanted())
    found = matching.rows(_NEWEST, page=_AFTER if last else "", size=PAGE + 1, **last)
    page = cut([int(row["id"]) for row in found], lambda disk_id: disk_id, first=not last)
    return Page(_shown(page.rows), page.older, page.first)


def _shown(disk_ids: Sequence[int]) -> list[OwnDisk]:
    """In this order, with their machines and prices."""
    disks = Disk.objects.select_related("subscription").in_bulk(disk_ids)
    machines = Instance.objects.select_related("subscription").in_bulk(
        {disk.instance_id for disk in disks.values() if disk.instance_id}
    )
    cost = holds.hourly([disk.id for disk in disks.values() if _by_the_hour(disk)])
    return [
        OwnDisk(disk, machines.get(disk.instance_id or 0), cost.get(disk.id))
        for disk in (disks[disk_id] for disk_id in disk_ids)
    ]


def one(account_id: int, public_id: str) -> OwnDisk | None:
    """The account's disk, also one that could not be made; None for another's, and for one that is erased."""
    own = Disk.objects.filter(account_id=account_id, public_id=public_id).exclude(state__in=["", State.GONE])
    disk = own.select_related("subscription").first()
    if disk is None:
        return None
    machine = Instance.objects.select_related("subscription").filter(id=disk.instance_id or 0).first()
    return OwnDisk(disk, machine, holds.hourly([disk.id])[disk.id] if _by_the_hour(disk) else None)


def _by_the_hour(disk: Disk) -> bool:
    return disk.state in ALIVE and not is_prepaid(disk)


def of_machine(instance_id: int) -> Sequence[Disk]:
    """Those that the machine has, in the order in which they came."""
    return list(Disk.objects.filter(instance_id=instance_id).exclude(state="").order_by("position")[:PAGE])


def machines_for(disk: Disk) -> Sequence[Instance]:
    """Machines of the disk's zone that may get it, newest first."""
    there = Instance.objects.filter(account_id=disk.account_id, zone_id=disk.zone_id)
    ready = there.filter(state__in=[MachineState.RUNNING, MachineState.STOPPED])
    return list(ready.order_by("-created_at", "-id")[:MACHINES_MAX])


def zones() -> Sequence[str]:
    """Codes of the zones on sale whose engine keeps such disks."""
    keeping = set(Zone.objects.filter(capabilities__disks=True).values_list("code", flat=True))
    return [zone.code for zone in shop.snapshot().zones.values() if zone.on_sale and zone.code in keeping]
