"""What is on the disks of a machine that was lost, when the seller has it delivered again, or its owner reinstalls it.

Its system is new. A data disk that was bought with what a snapshot holds holds that again, while the snapshot is there.
"""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_noop

from vmart.engines.contract import EngineError, MachineSpec
from vmart.engines.optional import Snapshots
from vmart.instances.models import Instance
from vmart.orders.disks import of_snapshot
from vmart.orders.models import EngineDrift
from vmart.orders.snapshots import own
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk, Snapshot, SnapshotState, State
from vmart.worker import queue
from vmart.worker.queue import Claimed

_NOT_USABLE = (SnapshotState.CREATING, *own.NOT_THERE)


class Holds(StrEnum):
    """What a disk holds then."""

    A_NEW_SYSTEM = "a_new_system"
    ITS_SNAPSHOT = "its_snapshot"
    NO_SNAPSHOT = "no_snapshot"  # nothing, since its snapshot is gone
    NOTHING = "nothing"
    WHAT_IT_HELD = "what_it_held"  # it has a life of its own


@dataclass(frozen=True, slots=True)
class Foretold:
    """A disk of a lost machine."""

    disk: Disk
    holds: Holds


def foretell(machine: Instance) -> list[Foretold]:
    """Of each disk, in their order, as far as the shop knows: no engine is asked."""
    disks = list(Disk.objects.filter(instance_id=machine.id).order_by("position", "id"))
    there = _there(machine, {disk.snapshot_id for disk in disks if disk.snapshot_id})
    return [Foretold(disk, _holds(disk, there)) for disk in disks]


def _holds(disk: Disk, there: Collection[str]) -> Holds:
    if disk.state != State.WITH_MACHINE:
        return Holds.WHAT_IT_HELD
    if disk.usage == Disk.Usage.SYSTEM:
        return Holds.A_NEW_SYSTEM
    if not disk.snapshot_id:
        return Holds.NOTHING
    return Holds.ITS_SNAPSHOT if disk.snapshot_id in there else Holds.NO_SNAPSHOT


def _there(machine: Instance, snapshot_ids: Collection[str]) -> set[str]:
    """Those of the snapshots that can be used; one that the last sweep has missed is not counted on."""
    if not snapshot_ids:
        return set()
    missed = EngineDrift.objects.filter(zone_id=machine.zone_id, kind=EngineDrift.Kind.MISSING)
    known = Snapshot.objects.filter(account_id=machine.account_id, public_id__in=snapshot_ids)
    usable = known.exclude(state__in=_NOT_USABLE).exclude(public_id__in=missed.values("name"))
    return set(usable.values_list("public_id", flat=True))


@dataclass(slots=True)
class Filled:
    """Public ids of disks that hold their snapshot, and of those that are empty since it is gone."""

    filled: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def fill(machine: Instance, spec: MachineSpec) -> Filled:
    """Make the data disks that were bought with a snapshot, before the machine is made.

    Raises EngineError for one that cannot be made, but not for a snapshot that is on the engine no more.
    """
    engine, made = engine_of(machine.zone_id), Filled()
    for disk in of_snapshot.bought_with([machine.id]):
        holds = isinstance(engine, Snapshots) and _is_filled(engine, disk, spec)
        (made.filled if holds else made.empty).append(disk.public_id)
    return made


def fill_and_note(operation: Claimed, owner: uuid.UUID, machine: Instance, spec: MachineSpec) -> bool:
    """The same, and who does the operation next knows of it; False where it is another owner's by now."""
    return queue.note(operation, owner, disks=asdict(fill(machine, spec)))


def noted(payload: Mapping[str, Any]) -> Filled:
    """What was noted of an operation; nothing where its machine had not been lost."""
    return Filled(**payload.get("disks", {}))


def _is_filled(engine: Snapshots, disk: Disk, spec: MachineSpec) -> bool:
    try:
        of_snapshot.fill(engine, disk, spec)
    except EngineError as error:
        if error.transient or disk.snapshot_id in {there.name for there in engine.list_snapshots()}:
            raise
        return False
    return True


def told(made: Filled) -> tuple[str, dict[str, object]]:
    """Kind and detail of the event by which the owner and the seller are told."""
    places = {"filled": ", ".join(made.filled), "empty": ", ".join(made.empty)}
    kind, template = _WORDS[bool(made.filled), bool(made.empty)]
    return kind, {"why": template.format(**places), "template": template, "places": places} if template else {}


# Whether disks hold their snapshot, and whether disks are empty since theirs is gone: kind of the event, what it says.
_WORDS = {
    (False, False): ("redelivered", ""),
    (False, True): ("redelivered", gettext_noop("Empty since the snapshot is not there any more: {empty}.")),
    (True, False): (
        "redelivered_filled",
        gettext_noop("What the snapshot held is on {filled}; what else went with the machine is empty."),
    ),
    (True, True): (
        "redelivered_filled",
        gettext_noop(
            "What the snapshot held is on {filled}; what else went with the machine is empty. Of {empty} the snapshot"
            " is not there any more."
        ),
    ),
}
