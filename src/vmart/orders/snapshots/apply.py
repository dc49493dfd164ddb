"""A disk gets what its snapshot holds, in the place of what is on it. Its machine is off; moves no money.

What is told of the machine follows where its system disk is given back: the image that it ran then, and that image's
login. Passwords and keys are those on the disk.
"""

import uuid
from collections.abc import Sequence

from django.db.models import F

from vmart.catalog.models import Image
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.orders import errors, redeliver, things
from vmart.orders import machines as m
from vmart.orders.disks import own as own_disk
from vmart.orders.models import EngineDrift
from vmart.orders.snapshots import own
from vmart.provisioning import specs
from vmart.storage.models import Disk, Snapshot, SnapshotState
from vmart.storage.models import State as DiskState
from vmart.worker.queue import Claimed

KIND, ACT = "apply_snapshot", own.APPLY
_FAILED = "The disk may not hold what the snapshot holds; restore it once more."


def apply(actor: Actor, snapshot_id: str, disk_id: str) -> None:
    """Accept it. What is on the disk is lost; the disk keeps its size, the machine everything but its system.

    Raises UnknownSnapshot, SnapshotBusy, SnapshotWrongState, UnknownOwnDisk, NotItsDisk, DiskBusy, DiskAttached,
    DiskState, MachineRuns, InArrears, and of a machine Busy, WrongState.
    """
    with db.act():
        (snapshot,) = own.lock(actor.account, [snapshot_id])
        disk = own.disk_of(actor.account, disk_id)
        machine = own.machine_of(disk)
        refuse(snapshot, disk, machine)
        _refuse_lost(machine)
        m.refuse_in_arrears([machine or disk, snapshot])
        things.events([snapshot], ACT, [{"disk": disk.public_id}], actor)
        Disk.objects.filter(pk=disk.pk).update(restorations=F("restorations") + 1)
        own.begin_disk(disk, machine, ACT, actor.request_id)
        things.begin(snapshot, ACT, actor.request_id, state=SnapshotState.ROLLBACKING)
        things.send(snapshot, KIND)


def refuse(snapshot: Snapshot, disk: Disk, machine: Instance | None) -> None:
    """What is refused of a snapshot, a disk and the machine that it goes with, as they stand."""
    own.refuse_not_normal(snapshot)
    if snapshot.disk_id != disk.id:
        raise errors.NotItsDisk(
            "The snapshot {id} is of another disk than {disk}.",
            field="disks", id=snapshot.public_id, disk=disk.public_id,
        )  # fmt: skip
    own.refuse_disk(disk, machine, DiskState.UNATTACHED)
    if machine and machine.state == MachineState.RUNNING:
        raise errors.MachineRuns(
            "{machine} is running and uses {id}: stop it first.",
            field="disks", machine=machine.public_id, id=disk.public_id,
        )  # fmt: skip


def _refuse_lost(machine: Instance | None) -> None:
    """One that its engine has lost is not charged: the seller sees to it."""
    lost = EngineDrift.objects.filter(zone_id=machine.zone_id, name=machine.public_id) if machine else None
    if machine and lost and lost.filter(kind=EngineDrift.Kind.LOST).exists():
        raise errors.WrongState(
            "The instance {id} is not found on its host; ask the seller.", field="machines", id=machine.public_id
        )


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``apply_snapshot``: the engine, where disk and machine still wait for it, then the outcome."""
    for operation in batch:
        snapshot = own.read(operation.subject_id)
        if snapshot.state == SnapshotState.ROLLBACKING and _waits(snapshot.disk):
            _restore(snapshot, operation.lane)
        with own.outcome(operation, owner, SnapshotState.ROLLBACKING) as applied:
            if applied:
                _applied(applied)


def _waits(disk: Disk) -> bool:
    machine = m.read(disk.instance_id) if disk.state == DiskState.WITH_MACHINE and disk.instance_id else None
    return things.is_under_way(machine or disk, ACT)


def _restore(snapshot: Snapshot, zone: str) -> None:
    engine, disk = own.engine(zone), snapshot.disk
    if disk.usage != Disk.Usage.SYSTEM:
        engine.ensure_volume_restored(own.held(disk), snapshot.public_id, disk.restorations)
        return
    machine = m.read(disk.instance_id or 0)
    engine.ensure_restored(specs.load([machine.id])[machine.id].spec, snapshot.public_id)
    own_disk.attach_again(zone, machine)


def _applied(snapshot: Snapshot) -> None:
    """The disk holds it, unless its machine was ended meanwhile. Belongs into the act."""
    disk = snapshot.disk
    holder = own.busy_with(disk, ACT)
    own.succeed(snapshot, SnapshotState.NORMAL)
    if holder is None:
        return
    if isinstance(holder, Instance) and disk.usage == Disk.Usage.SYSTEM:
        _tell(holder, snapshot)
    own.free_disk(disk, ACT)
    things.event(holder, "disk_restored", disk=disk.public_id, snapshot=snapshot.public_id)


def _tell(machine: Instance, snapshot: Snapshot) -> None:
    """What its system disk has is what is told of the machine; it was made anew on its engine. Belongs into the act."""
    image = Image.objects.filter(public_id=snapshot.image_id).first()
    if image is not None:
        Instance.objects.filter(pk=machine.pk).update(
            image=image, own_image=snapshot.own_image, login_user=image.login_user
        )
    redeliver.found_again(machine)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Nobody can say what is on the disk; the snapshot is whole, and can be asked for again."""
    for operation in batch:
        with own.outcome(operation, owner, SnapshotState.ROLLBACKING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, state=SnapshotState.NORMAL)
                own.fail_disk(failed.disk, ACT, _FAILED, error)
