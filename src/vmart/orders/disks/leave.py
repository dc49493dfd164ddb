"""A machine is erased: of the disks with a life of their own that it had, some stay and some end with it."""

from collections.abc import Sequence

from vmart.instances.models import Instance
from vmart.orders.disks import detach, isolate, own
from vmart.storage.models import Disk, State


def leave(machine: Instance) -> None:
    """What it had leaves it. What else is under way on a disk ends that itself. Part of the machine's last commit."""
    had = own.locking().filter(instance_id=machine.id, state=State.ATTACHED)
    part(list(had.exclude(latest_operation_state="OPERATING").order_by("id")))


def part(disks: Sequence[Disk]) -> None:
    """Disks whose machine is erased stay, or go into the recycle bin where their owner said so. Part of an act."""
    for disk in disks:
        detach.taken_off(disk)
    if ending := [disk for disk in disks if disk.delete_with_instance]:
        isolate.to_bin(ending, "")
