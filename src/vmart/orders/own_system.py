"""A machine that is turned off for good, or was lost, in rescue mode has its own system again (ADR 0059)."""

from dataclasses import replace

from vmart.engines.contract import MachineSpec, Observation, Power
from vmart.engines.optional import Rescues
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


def found(machine: Instance, spec: MachineSpec) -> Observation | None:
    """One that was lost in rescue mode runs its own system of before, if the engine has that still; else None."""
    engine = engine_of(machine.zone_id)
    if not (machine.rescue % 2 and isinstance(engine, Rescues)):
        return None
    seen = engine.ensure_own_system(replace(spec, rescue=number(machine)), on=True)
    return None if seen.power == Power.ABSENT else seen


def made(machine: Instance, spec: MachineSpec) -> Observation:
    """The machine runs a system of its own, a new one where nothing of it is there."""
    return engine_of(machine.zone_id).ensure_present(replace(spec, rescue=number(machine)))
