"""Whether an act can be asked of a snapshot as it stands, by what the act itself refuses: as ``orders/disks/may.py``.

Each rule gets the snapshot and the machine that its disk goes with, if it goes with one.
"""

from collections.abc import Callable, Mapping

from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.orders.snapshots import apply, delete, own
from vmart.storage.models import Snapshot


def _new_disk(snapshot: Snapshot, machine: Instance | None) -> None:
    own.refuse_not_normal(snapshot)
    own.refuse_system(snapshot)


ACTS: Mapping[str, Callable[[Snapshot, Instance | None], None]] = {
    "apply": lambda snapshot, machine: apply.refuse(snapshot, snapshot.disk, machine),
    "new_disk": _new_disk,
    "delete": lambda snapshot, machine: delete.refuse([snapshot]),
}


def why_not(act: str, snapshot: Snapshot, machine: Instance | None) -> Refused | None:
    """What refuses ``act``, a name in ``ACTS``; None where nothing does. Asks the database nothing."""
    try:
        ACTS[act](snapshot, machine)
    except Refused as why:
        return why
    return None


def possible(snapshot: Snapshot, machine: Instance | None) -> set[str]:
    """The acts that can be asked of the snapshot now."""
    return {act for act in ACTS if why_not(act, snapshot, machine) is None}
