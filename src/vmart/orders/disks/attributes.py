"""What a customer changes of a disk as it stands: its name, and whether it ends with the machine that has it.

Moves no money and waits for no engine, so it is done at once, whatever is under way on the disk and wherever it is.
"""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import MissingParameter
from vmart.orders import naming, things
from vmart.orders.disks import own
from vmart.storage.models import Disk

ACT = "ModifyDiskAttributes"
AT_ONCE_MAX = 100


def modify(
    actor: Actor, disk_ids: Sequence[str], *, name: str | None = None, ends_with_machine: bool | None = None
) -> None:
    """Give the disks this name, and end, all or none; None leaves it as it is.

    Any disk has a name, also one that was bought with a machine; only one with a life of its own may end with a
    machine or stay. Raises MissingParameter where nothing is to be changed, UnknownOwnDisk, GoesWithMachine,
    InvalidParameter.
    """
    if name is None and ends_with_machine is None:
        raise MissingParameter(
            "Nothing is to be changed; possible are DiskName and DeleteWithInstance.", field="disk.name"
        )
    naming.check_disk_name(name or "")
    with db.act():
        disks = own.lock(actor.account, disk_ids, most=AT_ONCE_MAX, with_machines=True)
        named = [disk for disk in disks if name is not None and disk.name != name]
        ending = _others(disks, ends_with_machine)
        things.events([disk for disk in disks if disk in named + ending], ACT, actor=actor)
        if name is not None:
            _rename(named, name)
        if ends_with_machine is not None:
            _end_with_machine(ending, ends_with_machine)


def _others(disks: Sequence[Disk], ends: bool | None) -> list[Disk]:
    """Those of which it is to be so and is not yet; none where it is None."""
    others = [disk for disk in disks if ends is not None and disk.delete_with_instance != ends]
    for disk in others:
        own.refuse_with_machine(disk)
    if ends:
        own.refuse_prepaid_end(others)
    return others


def _rename(disks: Sequence[Disk], name: str) -> None:
    Disk.objects.filter(pk__in=[disk.pk for disk in disks]).update(name=name)
    things.events(disks, "renamed", [{"old": disk.name, "new": name} for disk in disks])


def _end_with_machine(disks: Sequence[Disk], ends: bool) -> None:
    Disk.objects.filter(pk__in=[disk.pk for disk in disks]).update(delete_with_instance=ends)
    things.events(disks, "ends_with_machine" if ends else "stays_without_machine")
