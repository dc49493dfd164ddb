"""Operation ``redeliver``: a lost machine is made again out of its order, then charged again from that moment."""

import uuid
from collections.abc import Sequence

from vmart.engines.contract import MachineSpec, Observation, Power
from vmart.instances.models import Instance, State
from vmart.orders import enforce, own_system, start
from vmart.orders import machines as m
from vmart.orders.acts import outcome
from vmart.orders.disks import again, own
from vmart.orders.models import EngineDrift
from vmart.provisioning import specs
from vmart.worker.queue import Claimed

KIND = "redeliver"


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Make each machine, then the outcome in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        spec = specs.load([machine.id])[machine.id].spec
        seen, disks = _made(machine, spec)
        if seen.power != Power.RUNNING:
            raise RuntimeError(f"{machine.public_id} was delivered again and is {seen.power}")
        own.attach_again(operation.lane, machine)
        with outcome(operation, owner, State.STARTING) as made:
            if made:
                _running(made, disks)


def _made(machine: Instance, spec: MachineSpec) -> tuple[Observation, again.Filled]:
    """The machine, and what its data disks hold."""
    seen = own_system.found(machine, spec)
    if seen is not None:
        return seen, again.Filled()
    disks = again.fill(machine, spec)
    return own_system.made(machine, spec), disks


def _running(machine: Instance, disks: again.Filled) -> None:
    start.running(machine)
    Instance.objects.filter(pk=machine.pk).update(rescue=own_system.number(machine))
    found_again(machine)
    kind, detail = again.told(disks)
    m.event(machine, kind, **detail)


def found_again(machine: Instance) -> None:
    """It is on its engine, made anew: nothing that was missed of it counts any more. Belongs into the act.

    Its rules are told again: they may have changed while it was made.
    """
    enforce.send_for([machine.id])
    EngineDrift.objects.filter(zone_id=machine.zone_id, name=machine.public_id).delete()


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It could not be made: lost as before, and not charged."""
    for operation in batch:
        before = operation.payload["state"]
        start.take_back(operation, owner, before, "The machine could not be delivered again.", error)
