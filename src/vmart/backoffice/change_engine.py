"""Another engine for a zone: only where no machines live, and nothing that was known of the old one stays.

Zones of kind ``auto`` follow what ``vmart up`` finds on its machine: one of ``engines.driver.Driver.found_as``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import F, QuerySet

from vmart import engines
from vmart.catalog.models import Zone, ZoneImage
from vmart.engines.driver import Identity
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.kernel.documents import DocumentError
from vmart.kernel.models import Deployment
from vmart.placement.models import Allocation, Host
from vmart.provisioning import zone_engines
from vmart.storage.images import TOLD, ImageState, OwnImage
from vmart.storage.models import Disk, Snapshot


class MachinesLiveThere(Exception):
    """The zone's machines are on the engine that made them; the text says which zone, how many, what to do.

    ``compute`` is what serves it now.
    """

    def __init__(self, zone: Zone, living: Mapping[str, int]) -> None:
        self.compute = zone.auto_compute or zone.engine_kind
        told = " and ".join(_counted(number, what) for what, number in living.items() if number)
        super().__init__(f"zone {zone.code} has {told} on its {self.compute} engine: end them first")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def move(zone: Zone, kind: str, settings: Mapping[str, Any]) -> None:
    """Before the zone takes another engine, or other settings. Raises MachinesLiveThere, see ``leave``.

    Machines are found again by a mark; an engine that has it may get another address, and then its images are looked
    at again.
    """
    old = zone_engines.identity(zone.code, zone.engine_kind, zone.engine_settings)
    new = zone_engines.identity(zone.code, kind, settings)
    if (old.kind, old.mark) != (new.kind, new.mark):
        leave(zone)
    elif old != new:
        _forget_images(zone)


def leave(zone: Zone) -> None:
    """Before the zone's engine changes: its hosts go, its images count as missing.

    Raises MachinesLiveThere. The new engine's images are found by provisioning; so are hosts, unless the catalog lists
    them.
    """
    db.require_transaction()
    Host.objects.filter(zone=zone).update(online=False)  # first: a purchase under way ends before it, or finds no host
    living = {
        "machine": _living(zone), "disk": _holding(zone, Disk.objects.exclude(state="")),
        "snapshot": _holding(zone, Snapshot.objects.all()), "image": _living_images(zone),
    }  # fmt: skip
    if any(living.values()):
        raise MachinesLiveThere(zone, living)
    Host.objects.filter(zone=zone).delete()
    _forget_images(zone)
    Zone.objects.filter(pk=zone.pk).update(engine_status="unknown", engine_why="", capabilities={})


def _living_images(zone: Zone) -> int:
    return OwnImage.objects.filter(zone=zone, state__in=[*TOLD, ImageState.DELETING]).count()


def _forget_images(zone: Zone) -> None:
    ZoneImage.objects.filter(zone=zone).update(
        status="missing", percent=0, why="", detail="", version="", checksum="", ready_at=None
    )


def follow_compute(found: str) -> list[str]:
    """Let every zone of kind auto be served by what was found on this machine; the zones that changed.

    Raises MachinesLiveThere, and DocumentError where two zones would share it; then none has changed.
    """
    driver = engines.driver_found(found)
    with db.act():
        changing = list(Zone.objects.select_for_update().exclude(auto_compute="").exclude(auto_compute=found))
        for zone in changing:
            leave(zone)
            Zone.objects.filter(pk=zone.pk).update(engine_kind=driver.kind, auto_compute=found)
            if not driver.finds_members:
                Host.objects.bulk_create(
                    Host(zone=zone, name=name, **capacity) for name, capacity in listed_hosts(zone)
                )
        if changing:
            refuse_shared_engines()
            Deployment.objects.update(generation=F("generation") + 1)
    return [zone.code for zone in changing]


def listed_hosts(zone: Zone) -> Iterator[tuple[str, dict[str, int]]]:
    """The members that the catalog lists, with what each can sell."""
    for name, has in zone.engine_settings["members"].items():
        yield (
            name,
            {
                "vcpu_capacity": has["vcpu"] * zone.vcpu_overcommit,
                "memory_capacity_mib": has["memory_mib"],
                "disk_capacity_gib": has["disk_gib"],
            },
        )


def refuse_shared_engines() -> None:
    """Also of zones off sale: each zone's sweep takes all that its engine has under our mark for its own."""
    served: dict[Identity, str] = {}
    for zone in Zone.objects.order_by("position", "code"):
        other = served.setdefault(zone_engines.identity(zone.code, zone.engine_kind, zone.engine_settings), zone.code)
        if other != zone.code:
            raise DocumentError([
                f"regions.zones.{zone.code}.engine: {other} is served by the same engine under the same deployment;"
                " each zone needs an engine, or a settings.deployment, of its own"
            ])  # fmt: skip


def _living(zone: Zone) -> int:
    """Machines that are, or may still be, on the engine: a failed delivery holds its room until it is cleaned."""
    ended = Instance.objects.filter(zone_id=zone.code, state__in=[State.GONE, State.LAUNCH_FAILED])
    return _holding(zone, ended) + Instance.objects.filter(zone_id=zone.code).exclude(id__in=ended.values("id")).count()


def _holding(zone: Zone, things: QuerySet[Any]) -> int:
    """Those that hold their room there: they are, or may still be, on the engine, as machines."""
    return Allocation.objects.filter(host__zone=zone, instance_id__in=things.values("id")).count()
