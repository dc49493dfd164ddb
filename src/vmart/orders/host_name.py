"""The name that a machine's own system goes by, changed. Moves no money, and nothing is stopped for it.

A running machine has it at once, a stopped container on its disk. What the shop tells of it follows when the machine
has it, not sooner.
"""

import uuid
from collections.abc import Sequence

from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.orders import machines as m
from vmart.orders.acts import outcome
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KIND = "hostname"
ACT = "ModifyInstancesAttribute"


def begin(actor: Actor, machines: Sequence[Instance], hostname: str) -> None:
    """Have locked machines that ``inside.refuse`` takes go by this name."""
    m.begin_all(machines, ACT, actor.request_id)
    m.send_all(machines, KIND, hostname=hostname)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``hostname``: the guest, then the outcome in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        if m.is_under_way(machine, ACT):
            engine_of(operation.lane).ensure_hostname(machine.public_id, operation.payload["hostname"])
        _end(operation, owner, None)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """Nobody knows which name holds: an attempt whose answer was lost may have set the new one."""
    for operation in batch:
        _end(operation, owner, error)


def _end(operation: Claimed, owner: uuid.UUID, failure: Exception | None) -> None:
    with outcome(operation, owner) as machine:
        if machine is None or not m.is_under_way(machine, ACT):
            return
        if failure:
            m.fail(machine, "It is not known by which host name it goes; set it again.", failure)
            return
        hostname = operation.payload["hostname"]
        Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS", hostname=hostname)
        m.event(machine, "hostname_changed", old=machine.hostname, new=hostname)
