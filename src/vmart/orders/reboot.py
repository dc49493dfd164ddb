"""Reboot running machines. Moves no money."""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.engines.contract import Power
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.stop import HARD, SOFT, SOFT_FIRST
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed


def reboot(actor: Actor, public_ids: Sequence[str], *, stop_type: str = SOFT) -> None:
    """Accept a reboot, all or none."""
    if stop_type not in (SOFT, HARD, SOFT_FIRST):
        raise InvalidValue("StopType is SOFT, HARD or SOFT_FIRST.", field="stop_type")
    with accepting(actor, "RebootInstances", public_ids, refuse=refuse, uses=True) as found:
        m.begin_all(found, "RebootInstances", actor.request_id, state=State.REBOOTING)
        m.send_all(found, "reboot", hard=stop_type == HARD, after=clock.wall().isoformat())


def refuse(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines that do not run."""
    m.refuse_unusable(machines)
    for machine in machines:
        m.refuse_state(machine, [State.RUNNING], "UnsupportedOperation.InstanceStateNotRunning")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``reboot``: a boot later than the request; a repeat does not boot it twice."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        after = dt.datetime.fromisoformat(operation.payload["after"])
        engine = engine_of(operation.lane)
        seen = engine.ensure_rebooted(machine.public_id, after, force=operation.payload["hard"])
        if seen.power != Power.RUNNING:
            raise m.not_on(seen)
        _end(operation, owner, None)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """It did not reboot: shown as running, with the failure."""
    for operation in batch:
        _end(operation, owner, error)


def _end(operation: Claimed, owner: uuid.UUID, error: Exception | None) -> None:
    with outcome(operation, owner, State.REBOOTING) as machine:
        if machine and error is not None:
            m.fail(machine, "The machine could not be rebooted.", error, state=State.RUNNING)
        elif machine:
            Instance.objects.filter(pk=machine.pk).update(state=State.RUNNING, latest_operation_state="SUCCESS")
            m.event(machine, "rebooted")
