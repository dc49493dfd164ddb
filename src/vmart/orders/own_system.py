"""A machine that is turned off for good, or was lost, in rescue mode has its own system again (ADR 0059)."""

from dataclasses import replace

from vmart.engines.contract import MachineSpec, Observation, Power, Rescues
from vmart.instances.models import Instance
from vmart.orders.disks import own
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of


def number(machine: Instance) -> int:
    """That of its own system: what it has, or the way out of the rescue mode."""
    return machine.rescue + machine.rescue % 2


def put_back(machine: Instance) -> None:
    """Tell the engine, of one that is off: it stays off, no address leads to it, and it has the disks of their own."""
    engine = engine_of(machine.zone_id)
    if machine.rescue % 2 and isinstance(engine, Rescues):
        spec = replace(specs.load([machine.id])[machine.id].spec, rescue=number(machine), public_address=None)
        if engine.ensure_own_system(spec, on=False).power != Power.ABSENT:
            own.attach_again(machine.zone_id, machine)


def made(machine: Instance, spec: MachineSpec) -> Observation:
    """The machine runs its own system: that of before if the engine has it still, else a new one."""
    engine, wanted = engine_of(machine.zone_id), replace(spec, rescue=number(machine))
    if machine.rescue % 2 and isinstance(engine, Rescues):
        seen = engine.ensure_own_system(wanted, on=True)
        if seen.power != Power.ABSENT:
            return seen
    return engine.ensure_present(wanted)
