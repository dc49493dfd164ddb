"""Stop machines: charged on as before, or (STOP_CHARGING, postpaid) without CPU and memory.

CPU and memory are charged on while the stop is under way. When it is stopped, their charging ends at the second the
request was accepted: hours closed since are charged anew. A stop that fails leaves no trace in usage. Capacity and
the ordinary public address are given up when it is stopped (billing-rules, section 1).
A machine that is off and billed goes the same way without being started.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from functools import partial

from vmart.engines.contract import Power
from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue
from vmart.orders import address
from vmart.orders import machines as m
from vmart.orders.acts import accepting, outcome
from vmart.orders.errors import WrongMode
from vmart.orders.without_charge import STOP_CHARGING, give_up
from vmart.provisioning.zone_engines import engine_of
from vmart.worker.queue import Claimed

KEEP_CHARGING = "KEEP_CHARGING"
SOFT, HARD, SOFT_FIRST = "SOFT", "HARD", "SOFT_FIRST"


def stop(actor: Actor, public_ids: Sequence[str], *, stopped_mode: str = KEEP_CHARGING, stop_type: str = SOFT) -> None:
    """Accept a stop, all or none. Raises the refusals of ``orders.errors``.

    Machines are running; with STOP_CHARGING they may also be off and billed.
    """
    if stopped_mode not in (KEEP_CHARGING, STOP_CHARGING):
        raise InvalidValue("StoppedMode is KEEP_CHARGING or STOP_CHARGING.", field="stopped_mode")
    if stop_type not in (SOFT, HARD, SOFT_FIRST):
        raise InvalidValue("StopType is SOFT, HARD or SOFT_FIRST.", field="stop_type")
    refusal = partial(refuse, without_charge=stopped_mode == STOP_CHARGING)
    with accepting(actor, "StopInstances", public_ids, refuse=refusal, uses=True) as found:
        accepted = db.call("metering_instant", clock.now())
        m.begin_all(found, "StopInstances", actor.request_id, state=State.STOPPING)
        for before in (State.RUNNING, State.STOPPED):
            there = [machine for machine in found if machine.state == before]
            hard, since = stop_type == HARD, accepted.isoformat()
            m.send_all(there, "stop", mode=stopped_mode, hard=hard, accepted=since, before=before)


def refuse(machines: Sequence[Instance], *, without_charge: bool) -> None:
    """Raise Busy, WrongState or WrongMode for machines that do not run, or cannot be off without charge."""
    m.refuse_unusable(machines)
    for machine in machines:
        if not (without_charge and off_and_billed(machine)):
            m.refuse_state(machine, [State.RUNNING], "UnsupportedOperation.InstanceStateNotRunning")
        if without_charge and m.is_spot(machine):
            raise WrongMode(
                "{id} is a spot machine; it cannot be stopped without charge.",
                field="stopped_mode", code="UnsupportedOperation.StoppedModeStopCharging", id=machine.public_id,
            )  # fmt: skip
        if without_charge and m.is_prepaid(machine):
            raise WrongMode(
                "{id} is prepaid; only a postpaid machine can be stopped without charge.",
                field="stopped_mode", code="UnsupportedOperation.StoppedModeStopCharging", id=machine.public_id,
            )  # fmt: skip


def off_and_billed(machine: Instance) -> bool:
    """Whether it is off, and by the hour charged as if it were running."""
    return not m.is_prepaid(machine) and machine.state == State.STOPPED and machine.stop_charging_mode != STOP_CHARGING


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``stop``: the engine, then the outcome in one commit."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        seen = engine_of(operation.lane).ensure_power(machine.public_id, on=False, force=operation.payload["hard"])
        if seen.power not in (Power.STOPPED, Power.ABSENT):  # of a broken one nobody knows whether it runs
            raise m.not_known(seen)
        without_charge = operation.payload["mode"] == STOP_CHARGING
        if without_charge:
            address.take_off(machine)
        with outcome(operation, owner, State.STOPPING) as ended:
            if ended:
                if without_charge:
                    accepted = dt.datetime.fromisoformat(operation.payload["accepted"])
                    m.end_usage([ended], accepted, pausable_only=True)
                _stopped(ended, without_charge)


def _stopped(machine: Instance, without_charge: bool) -> None:
    columns: dict[str, object] = {"state": State.STOPPED, "latest_operation_state": "SUCCESS"}
    if without_charge:
        columns |= give_up(machine)
    elif not m.is_prepaid(machine):
        columns["stop_charging_mode"] = KEEP_CHARGING
    Instance.objects.filter(pk=machine.pk).update(**columns)
    m.event(machine, "stopped", without_charge=without_charge)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, error: Exception) -> None:
    """The machine did not stop: it is on or off, and charged, as before."""
    for operation in batch:
        with outcome(operation, owner, State.STOPPING) as machine:
            if machine and operation.payload["before"] == State.STOPPED:
                m.fail(
                    machine, "It could not be put to without charge: it is off and billed.", error, state=State.STOPPED
                )
            elif machine:
                m.fail(machine, "The machine could not be stopped.", error, state=State.RUNNING)
