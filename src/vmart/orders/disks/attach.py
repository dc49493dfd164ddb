"""A disk gets to a machine of its zone, running or stopped; where the machine is on another host, it is moved there."""

import uuid
from collections.abc import Sequence

from django.db.models import Max

from vmart.catalog import shop
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.orders import errors, things
from vmart.orders import machines as m
from vmart.orders.disks import leave, own
from vmart.pricing import books
from vmart.storage.models import Disk, State
from vmart.worker.queue import Claimed

KIND, ACT = "attach_disk", own.ATTACH
_FAILED = "The disk could not be attached."


def attach(actor: Actor, machine_id: str, disk_ids: Sequence[str], *, ends_with_machine: bool = False) -> None:
    """Accept it, all or none. ``ends_with_machine``: from now on they do; else that stays as it is.

    Raises UnknownInstance, UnknownOwnDisk, GoesWithMachine, DiskAttached, DiskBusy, DiskState, OtherZone, TooManyDisks,
    DiskSoldOut, and of the machine Busy, WrongState, InArrears.
    """
    with db.act():
        (machine,) = m.lock(actor.account, [machine_id])
        disks = own.lock(actor.account, disk_ids, most=own.AT_ONCE_MAX)
        refuse(machine, disks)
        if ends_with_machine:
            own.refuse_prepaid_end(disks)
        _take_room(machine, disks)
        things.events(disks, ACT, [{"machine": machine.public_id}] * len(disks), actor)
        for position, disk in enumerate(disks, _last_position(machine) + 1):
            columns = {"state": State.ATTACHING, "instance_id": machine.id, "position": position}
            things.begin(disk, ACT, actor.request_id, **columns)
        m.begin(machine, ACT, actor.request_id)
        things.send_all(disks, KIND, ends=ends_with_machine)


def refuse(machine: Instance, disks: Sequence[Disk]) -> None:
    """What is refused of a machine and disks as they stand."""
    own.refuse_machine(machine, MachineState.RUNNING, MachineState.STOPPED)
    for disk in disks:
        refuse_disk(disk)
        if disk.zone_id != machine.zone_id:
            raise errors.OtherZone(
                "The disk {id} is in {zone}, and the machine {machine} in {other}.",
                field="disks", id=disk.public_id, zone=disk.zone_id, machine=machine.public_id, other=machine.zone_id,
            )  # fmt: skip
    m.refuse_in_arrears([machine, *disks])
    _refuse_too_many(machine, len(disks))


def refuse_disk(disk: Disk) -> None:
    """What is refused of a disk as it stands, whichever machine is to get it."""
    own.refuse_busy([disk])
    own.refuse_state(disk, State.UNATTACHED)
    own.refuse_expired([disk])


def _refuse_too_many(machine: Instance, more: int) -> None:
    most = books.current_book(shop.snapshot().generation).sales.data_disks_max
    there = Disk.objects.filter(instance_id=machine.id, usage=Disk.Usage.DATA).count()
    if there + more > most:
        raise errors.TooManyDisks(
            "A machine has at most {most} data disks, and {id} has {there}.",
            field="disks", most=most, id=machine.public_id, there=there,
        )  # fmt: skip


def _take_room(machine: Instance, disks: Sequence[Disk]) -> None:
    """On the machine's host; where a disk is now it keeps its room until it is there."""
    db.call("placement_lock", [machine.id, *(disk.id for disk in disks)])
    for disk in disks:
        if not db.call("placement_move_disk", disk.id, machine.id):
            raise errors.DiskSoldOut(
                "There is no room for the {size} GiB of {id} on the host of {machine} now.", field="disks",
                code="ResourceInsufficient", size=disk.size_gib, id=disk.public_id, machine=machine.public_id,
            )  # fmt: skip


def _last_position(machine: Instance) -> int:
    return int(Disk.objects.filter(instance_id=machine.id).aggregate(last=Max("position"))["last"])


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``attach_disk``."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state == State.ATTACHING:
            engine, machine = own.engine(operation.lane), own.machine_of(disk)
            engine.ensure_volume(disk.public_id, disk.size_gib, own.member(disk))
            engine.ensure_attached(machine, disk.public_id)
        with own.outcome(operation, owner, disk, State.ATTACHING) as attached:
            if attached:
                _attached(attached, ends=bool(operation.payload.get("ends")))


def _attached(disk: Disk, *, ends: bool) -> None:
    db.call("placement_moved", disk.id, True)
    if ends:
        disk.delete_with_instance = True
        disk.save(update_fields=["delete_with_instance"])
    if own.is_gone(disk):
        leave.part([disk])
        return
    own.succeed(disk, State.ATTACHED)
    own.free_machine(disk)
    things.event(disk, "disk_attached", machine=own.machine_of(disk))


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It is at no machine, also where only the answer was lost, and on the host where it is found."""
    for operation in batch:
        disk, arrived = own.read(operation.subject_id), False
        if disk.state == State.ATTACHING:
            engine = own.engine(operation.lane)
            engine.ensure_detached(own.machine_of(disk), disk.public_id)
            there = {volume.name: volume.member for volume in engine.list_volumes()}
            arrived = there.get(disk.public_id) == own.member(disk)
        with own.outcome(operation, owner, disk, State.ATTACHING) as failed:
            if failed:
                db.call("placement_moved", failed.id, arrived)
                things.fail(failed, _FAILED, error, state=State.UNATTACHED, instance_id=None, position=0)
                own.free_machine(failed)
