"""Whether an act can be asked of a disk as it stands, by what the act itself refuses: as ``orders/may.py`` of machines.

Each rule gets the disk and the machine that has it, if one has.
"""

from collections.abc import Callable, Mapping

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.orders.disks import attach, detach, grow, terminate
from vmart.orders.snapshots import create as snapshot
from vmart.storage.models import Disk

ACTS: Mapping[str, Callable[[Disk, Instance | None], None]] = {
    "attach": lambda disk, machine: attach.refuse_disk(disk),
    "detach": lambda disk, machine: detach.refuse([disk], {machine.id: machine} if machine else {}),
    "grow": grow.refuse,
    "snapshot": lambda disk, machine: snapshot.refuse(disk, None),
    "end": lambda disk, machine: terminate.refuse([disk]),
}


def why_not(act: str, disk: Disk, machine: Instance | None) -> Refused | None:
    """What refuses ``act``, a name in ``ACTS``; None where nothing does. Asks the database nothing."""
    try:
        ACTS[act](disk, machine)
    except Refused as why:
        return why
    return None


def possible(disk: Disk, machine: Instance | None) -> set[str]:
    """The acts that can be asked of the disk now."""
    return {act for act in ACTS if why_not(act, disk, machine) is None}
