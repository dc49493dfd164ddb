"""A bought public address leaves its machine, which goes on as it is, and is charged as idle from then on."""

import uuid
from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.network.models import Eip, EipState
from vmart.orders import address, errors, sample, things
from vmart.orders import machines as m
from vmart.orders.addresses import own
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ACT = "unbind_address", own.DISASSOCIATE
_FROM = (MachineState.RUNNING, MachineState.STOPPED, MachineState.SHUTDOWN)
_FAILED = "The public address could not be unbound; its machine has it as before."


def disassociate(actor: Actor, eip_id: str) -> int:
    """Accept it; the number of the task.

    Raises UnknownEip, EipBusy, EipInArrears, EipWrongState, and of the machine Busy, WrongState.
    """
    with db.act():
        (eip,) = own.lock(actor.account, [eip_id])
        machine = m.locking().filter(id=eip.instance_id or 0).first()
        refuse(eip, machine)
        things.events([eip], ACT, actor=actor)
        task = own.begin([eip], ACT, actor.request_id, machine, state=EipState.UNBINDING)
        things.send(eip, KIND)
        return task


def refuse(eip: Eip, machine: Instance | None) -> None:
    """What is refused of an address and its machine as they stand."""
    own.refuse_busy([eip])
    if not (things.is_prepaid(eip) and things.is_in_bin(eip)):  # one that is off leaves its machine free for another
        own.refuse_stopped([eip])
    if machine is None or eip.state != EipState.BIND:
        raise errors.EipWrongState(
            "The public address {id} is bound to no machine.", field="addresses", id=eip.public_id
        )
    m.refuse_busy([machine])
    m.refuse_state(machine, _FROM, "InvalidInstance.NotSupported")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``unbind_address``: off first, so that what is counted then is all that left by it."""
    for operation in batch:
        eip, last = own.read(operation.subject_id), []
        if eip.state == EipState.UNBINDING:
            machine = own.machine_of(eip)
            address.take_off(machine)
            last = sample.read(engine_of(operation.lane), [sample.of_eip(eip, machine.public_id)])
        with own.outcome(operation, owner, eip, EipState.UNBINDING) as unbound:
            if unbound:
                sample.keep(last)
                taken_off(unbound)


def taken_off(eip: Eip) -> None:
    """No machine has it any more, and it is charged as idle. Belongs into the act."""
    own.succeed(eip)
    own.free_machine(eip.instance_id)
    _be_idle(eip)


def _be_idle(eip: Eip) -> None:
    things.event(eip, "address_unbound", machine=own.machine_of(eip).public_id)
    own.charge_as(eip, bound=False)
    Eip.objects.filter(pk=eip.pk).update(state=EipState.UNBIND, instance_id=None)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Its machine has it as before, also where only the answer was lost."""
    for operation in batch:
        eip = own.read(operation.subject_id)
        if eip.state == EipState.UNBINDING:
            machine = own.machine_of(eip)
            if machine.state in ALIVE:
                engine_of(operation.lane).ensure_address(machine.public_id, machine.private_ip, leading(eip))
        with own.outcome(operation, owner, eip, EipState.UNBINDING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, state=EipState.BIND)
                own.free_machine(failed.instance_id)


def leave(machine: Instance) -> None:
    """The machine is erased: the address that it had stays. What is under way on it ends it itself. Part of the act."""
    for eip in own.locking().filter(instance_id=machine.id, state=EipState.BIND):
        _be_idle(eip)
