"""A bought public address comes to a machine of its zone, running or stopped, which goes on as it is."""

import uuid
from collections.abc import Sequence

from vmart.engines.contract import EngineError
from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.network.models import Eip, EipState
from vmart.orders import address, errors, sample, things
from vmart.orders import machines as m
from vmart.orders.addresses import own
from vmart.orders.packages import own as own_package
from vmart.orders.without_charge import STOP_CHARGING
from vmart.provisioning.specs import leading
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND, ACT = "bind_address", own.ASSOCIATE
_FAILED = "The public address could not be bound; it is bound to no machine."
_MACHINE_ENDED = EngineError(
    "The machine was ended before.", transient=False, helps="Bind the address to another machine."
)


def associate(actor: Actor, eip_id: str, machine_id: str) -> int:
    """Accept it; the number of the task.

    Raises UnknownInstance, UnknownEip, EipBusy, EipInArrears, EipWrongState, HasAddress, AddressElsewhere,
    NoPackages, InsufficientBalance, and of the machine Busy, WrongState.
    """
    with db.act():
        (machine,) = m.lock(actor.account, [machine_id])
        (eip,) = own.lock(actor.account, [eip_id])
        refuse(machine, eip)
        own.set_aside(eip)
        things.events([eip], ACT, [{"machine": machine.public_id}], actor)
        task = own.begin([eip], ACT, actor.request_id, machine, state=EipState.BINDING, instance_id=machine.id)
        things.send(eip, KIND)
        return task


def refuse(machine: Instance, eip: Eip) -> None:
    """What is refused of a machine and an address as they stand."""
    refuse_machine(machine)
    own.refuse_busy([eip])
    own.refuse_stopped([eip])
    own.refuse_bound([eip])
    if eip.package_id is not None:
        own_package.refuse_not_held(eip.zone_id)
    if eip.zone_id != machine.zone_id:
        raise errors.AddressElsewhere(
            "The public address {id} is led to machines in {zone} only, and {machine} is in {other}.",
            field="addresses", id=eip.public_id, zone=eip.zone_id, machine=machine.public_id, other=machine.zone_id,
        )  # fmt: skip


def refuse_machine(machine: Instance) -> None:
    """Raise Busy, WrongState or HasAddress for a machine that can get none now."""
    m.refuse_unusable([machine])
    m.refuse_state(machine, [MachineState.RUNNING, MachineState.STOPPED], "InvalidInstance.NotSupported")
    if machine.stop_charging_mode == STOP_CHARGING:
        raise errors.WrongState(
            "The instance {id} is off without charge; start it before an address is bound to it.",
            field="machines", code="UnsupportedOperation.InstanceStatusNotPermit", id=machine.public_id,
        )  # fmt: skip
    if machine.public_ip_wanted:
        raise errors.HasAddress(
            "The instance {id} was bought with a public address, which goes with it; only a machine bought without one "
            "takes another.",
            field="machines", id=machine.public_id,
        )  # fmt: skip
    if Eip.objects.filter(instance_id=machine.id).exists():
        raise errors.HasAddress(
            "The instance {id} has a public address already; unbind that first.", field="machines", id=machine.public_id
        )


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``bind_address``: what left the machine before is counted first, then the address leads to it."""
    for operation in batch:
        eip, before = own.read(operation.subject_id), []
        machine = own.machine_of(eip) if eip.state == EipState.BINDING else None
        if machine and machine.state in ALIVE:
            engine = engine_of(operation.lane)
            before = sample.read(engine, [sample.of_eip(eip, machine.public_id)])
            engine.ensure_address(machine.public_id, machine.private_ip, leading(eip))
        elif machine:
            address.take_off(machine)
        with own.outcome(operation, owner, eip, EipState.BINDING) as bound:
            if bound and machine:
                _ended(bound, machine, before)


def _ended(eip: Eip, told: Instance, before: Sequence[sample.Read]) -> None:
    """``told``: the machine as the engine was told, which may have been ended since. Belongs into the act."""
    if m.locked(told.id).state in ALIVE:
        sample.begin(before)
        own.charge_as(eip, bound=True)
        own.succeed(eip, state=EipState.BIND)
        things.event(eip, "address_bound", machine=told.public_id)
    elif told.state in ALIVE:
        raise RuntimeError(f"{told.public_id} was ended while {eip.public_id} came to it")
    else:
        things.fail(eip, _FAILED, _MACHINE_ENDED, **_unbound(eip))
    own.free_machine(told.id)


def _unbound(eip: Eip) -> dict[str, object]:
    own.hold_what_it_asks(eip)
    return {"state": EipState.UNBIND, "instance_id": None}


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It leads nowhere, also where only the answer was lost."""
    for operation in batch:
        eip = own.read(operation.subject_id)
        if eip.state == EipState.BINDING:
            address.take_off(own.machine_of(eip))
        with own.outcome(operation, owner, eip, EipState.BINDING) as failed:
            if failed:
                things.fail(failed, _FAILED, error, **_unbound(failed))
                own.free_machine(failed.instance_id)
