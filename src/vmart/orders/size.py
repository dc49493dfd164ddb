"""The vCPU and memory that a machine has on its engine: those of its row, whatever an attempt to change them left.

Operation ``size`` follows a change that failed or came too late.
"""

import uuid
from collections.abc import Sequence

from vmart.instances.models import ON, Instance
from vmart.orders import machines as m
from vmart.orders.acts import tell
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "size"
Size = tuple[int, int]  # vCPU, MiB


def send(machine: Instance) -> None:
    """Queue it. Belongs into the act's transaction."""
    m.send(machine, KIND)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``size``."""
    tell(batch, owner, lambda machine: (machine.vcpu, machine.memory_mib), say)


def say(machine: Instance, size: Size) -> None:
    """Tell the engine. Outside a transaction."""
    vcpu, memory_mib = size
    engine_of(machine.zone_id).ensure_size(machine.public_id, vcpu, memory_mib, on=machine.state in ON)
