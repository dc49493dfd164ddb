"""The network that a machine has on its engine: that of its row, whatever an attempt to move it left (ADR 0055).

Operation ``network`` follows a move that failed or came too late. Until it has ended the machine holds the address
that it was to have: nobody else may get one at which the engine may still have it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import replace

from vmart.engines.contract import Observation, Power
from vmart.instances.models import ALIVE, IN_RESCUE, Instance, State
from vmart.kernel import db
from vmart.orders import machines as m
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = "network"


def send(machine: Instance) -> None:
    """Queue it. Belongs into the act's transaction."""
    m.send(machine, KIND)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``network``; it waits for an act that is under way."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        if not _is_busy(machine):
            _say(machine)
        if _is_busy(machine) or not _stays(operation, owner, machine):
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)


def _is_busy(machine: Instance) -> bool:
    """With an act, or with a rescue system: what it has inside is its own system's."""
    operating = machine.state in ALIVE and machine.latest_operation_state == "OPERATING"
    return operating or machine.state in IN_RESCUE


def _say(machine: Instance) -> None:
    """Tell the engine. One that is erased, or being erased, has no network any more."""
    if machine.state not in (*ALIVE, State.SHUTDOWN):
        return
    engine, spec = engine_of(machine.zone_id), specs.load([machine.id])[machine.id].spec
    if machine.state != State.SHUTDOWN:
        engine.ensure_network(spec, on=machine.state == State.RUNNING)
    else:  # the attempt may have turned it on behind its end
        engine.ensure_network(replace(spec, public_address=None), on=False)
        engine.ensure_power(machine.public_id, on=False, force=True)


def _stays(operation: Claimed, owner: uuid.UUID, told: Instance) -> bool:
    """False where an act began meanwhile, whose claim is not to be given back, or another address was come to."""
    with db.act():
        db.call("ledger_lock", operation.account_id)
        machine = m.locked(operation.subject_id)
        moved = (machine.subnet_id, machine.private_ip) != (told.subnet_id, told.private_ip)
        if moved or _is_busy(machine):
            return False
        if queue.finish(owner, operation):
            db.call("network_stayed", operation.subject_id)
        return True


def differs(machine: Instance, seen: Observation) -> bool:
    """Whether the engine has a machine at another private address than its row."""
    return seen.power != Power.ABSENT and seen.private_ip not in ("", machine.private_ip)
