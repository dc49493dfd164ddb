"""A disk is ended: into the recycle bin for some time, and again: erased. Charging ends when the first is accepted."""

from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.orders import return_prepaid, things
from vmart.orders.disks import give_back, isolate, own, release
from vmart.storage.models import Disk, State

ACT = isolate.TERMINATE
AT_ONCE_MAX = 50


def terminate(actor: Actor, disk_ids: Sequence[str], *, erase: bool = True) -> None:
    """Accept the end of disks that no machine has, all or none; one that is in the bin is erased at once.

    On its way into the bin it is busy: a call that is merely repeated erases nothing. Without ``erase`` one in the bin
    stays as it is: whoever asked to end a disk did not ask for that. Of one that went with its machine nothing is left
    to end; ended twice, it is not told of any more. One that is paid ahead is returned, with what comes back. Raises
    UnknownOwnDisk, GoesWithMachine, DiskBusy, DiskAttached, DiskState, DiskExpired, LimitExceeded.
    """
    with db.act():
        disks = own.lock(actor.account, disk_ids, most=AT_ONCE_MAX, with_erased=True)
        refuse(disks)
        in_bin = [disk for disk in disks if disk.state == State.TORECYCLE]
        alive = [disk for disk in disks if disk.state == State.UNATTACHED]
        things.events(disks if erase else alive, ACT, actor=actor)
        if in_bin and erase:
            _erase_now(in_bin, actor.request_id)
        if prepaid := [disk for disk in alive if things.is_prepaid(disk)]:
            return_prepaid.give_back(prepaid, actor.request_id, kind=give_back.DISKS)
        if postpaid := [disk for disk in alive if not things.is_prepaid(disk)]:
            isolate.to_bin(postpaid, actor.request_id)
        _forget([disk for disk in disks if disk.state == State.WITH_MACHINE])


def refuse(disks: Sequence[Disk]) -> None:
    """Raise DiskBusy, DiskAttached, DiskState or DiskExpired for disks that cannot be ended, or erased, now."""
    own.refuse_busy(disks)
    for disk in disks:
        own.refuse_state(disk, State.UNATTACHED, State.TORECYCLE, State.WITH_MACHINE)
    own.refuse_expired([disk for disk in disks if disk.state == State.UNATTACHED])


def _erase_now(disks: Sequence[Disk], request_id: str) -> None:
    """From the bin. Moves no money."""
    things.begin_all(disks, ACT, request_id, state=State.ERASING)
    things.agree(disks, release_at=clock.now())
    things.forget_work(release.KIND, disks)
    things.send_all(disks, release.KIND)


def _forget(disks: Sequence[Disk]) -> None:
    for disk in disks:
        disk.latest_operation = own.FORGET if disk.latest_operation == ACT else ACT
        disk.save(update_fields=["latest_operation"])
