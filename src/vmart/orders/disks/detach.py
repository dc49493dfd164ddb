"""A disk leaves its machine, running, stopped or in the recycle bin, with all that is on it."""

import uuid
from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter
from vmart.orders import errors, things
from vmart.orders import machines as m
from vmart.orders.disks import own
from vmart.storage.models import Disk, State
from vmart.worker.queue import Claimed

KIND, ACT = "detach_disk", own.DETACH
_FROM = (MachineState.RUNNING, MachineState.STOPPED, MachineState.SHUTDOWN)
_FAILED = "The disk could not be detached; its machine has it as before."


def detach(actor: Actor, disk_ids: Sequence[str], *, machine_id: str = "") -> None:
    """Accept it, all or none. ``machine_id``: the machine that has them, "" for whichever does.

    Raises UnknownOwnDisk, GoesWithMachine, DiskBusy, DiskState, InvalidParameter, and of a machine Busy, WrongState.
    """
    with db.act():
        disks = own.lock(actor.account, disk_ids, most=own.AT_ONCE_MAX)
        machines = own.machines_having(disks)
        refuse(disks, machines)
        _refuse_other_machine(disks, machines, machine_id)
        things.events(disks, ACT, actor=actor)
        things.begin_all(disks, ACT, actor.request_id, state=State.DETACHING)
        m.begin_all(list(machines.values()), ACT, actor.request_id)
        things.send_all(disks, KIND)


def refuse(disks: Sequence[Disk], machines: dict[int, Instance]) -> None:
    """What is refused of disks and their machines as they stand."""
    own.refuse_busy(disks)
    own.refuse_expired(disks)
    for disk in disks:
        if disk.state != State.ATTACHED:
            raise errors.DiskState("The disk {id} is attached to no machine.", field="disks", id=disk.public_id)
    for machine in machines.values():
        own.refuse_machine(machine, *_FROM)


def _refuse_other_machine(disks: Sequence[Disk], machines: dict[int, Instance], machine_id: str) -> None:
    for disk in disks:
        having = machines[disk.instance_id or 0].public_id
        if machine_id not in ("", having):
            raise InvalidParameter(
                "The disk {id} is attached to {machine}.", field="machines", id=disk.public_id, machine=having
            )


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``detach_disk``."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state == State.DETACHING:
            own.engine(operation.lane).ensure_detached(own.machine_of(disk), disk.public_id)
        with own.outcome(operation, owner, disk, State.DETACHING) as detached:
            if detached:
                taken_off(detached)


def taken_off(disk: Disk) -> None:
    """No machine has it any more. Belongs into the act."""
    things.event(disk, "disk_detached", machine=own.machine_of(disk))
    own.succeed(disk, State.UNATTACHED, instance_id=None, position=0)
    own.free_machine(disk)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Its machine has it as before, also where only the answer was lost."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.state == State.DETACHING:
            own.engine(operation.lane).ensure_attached(own.machine_of(disk), disk.public_id)
        with own.outcome(operation, owner, disk, State.DETACHING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, state=State.ATTACHED)
                own.free_machine(failed)
