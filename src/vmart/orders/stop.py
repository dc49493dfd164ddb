"""Stop machines: charged on as before, or (STOP_CHARGING, postpaid) without CPU and memory.

CPU and memory end at the second the request was accepted if STOPPED follows, else they never paused;
capacity and the ordinary public address are given up when it is stopped (billing-rules, section 1).
"""

import uuid
from collections.abc import Sequence

from vmart.engines.contract import Power
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue
from vmart.ledger.models import Hold
from vmart.orders import machines as m
from vmart.orders.errors import WrongMode
from vmart.orders.models import Line
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue
from vmart.worker.queue import Claimed

KEEP_CHARGING, STOP_CHARGING = "KEEP_CHARGING", "STOP_CHARGING"
SOFT, HARD, SOFT_FIRST = "SOFT", "HARD", "SOFT_FIRST"


def stop(
    account_id: int,
    public_ids: Sequence[str],
    *,
    stopped_mode: str = KEEP_CHARGING,
    stop_type: str = SOFT,
    request_id: str = "",
) -> None:
    """Accept a stop of running machines, all or none. Raises the refusals of ``orders.errors``."""
    if stopped_mode not in (KEEP_CHARGING, STOP_CHARGING):
        raise InvalidValue("StoppedMode is KEEP_CHARGING or STOP_CHARGING.", field="StoppedMode")
    if stop_type not in (SOFT, HARD, SOFT_FIRST):
        raise InvalidValue("StopType is SOFT, HARD or SOFT_FIRST.", field="StopType")
    with db.act():
        found = m.lock(account_id, public_ids)
        m.refuse_busy(found)
        m.refuse_isolated(found)
        m.refuse_in_arrears(found)
        for machine in found:
            m.refuse_state(machine, [State.RUNNING], "UnsupportedOperation.InstanceStateNotRunning")
            if stopped_mode == STOP_CHARGING and machine.charge_type != "POSTPAID_BY_HOUR":
                raise WrongMode(
                    "{id} is prepaid; only a postpaid machine can be stopped without charge.",
                    field="StoppedMode", code="UnsupportedOperation.StoppedModeStopCharging", id=machine.public_id,
                )  # fmt: skip
        accepted = db.call("metering_instant", clock.now())
        if stopped_mode == STOP_CHARGING:
            m.end_usage(found, accepted, "cpu")
        m.begin_all(found, "StopInstances", request_id, state=State.STOPPING)
        m.send_all(found, "stop", mode=stopped_mode, hard=stop_type == HARD, accepted=accepted.isoformat())


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``stop``: the engine, then the outcome in one commit."""
    for operation in batch:
        machine = Instance.objects.get(id=operation.subject_id)
        engine = engine_of(operation.lane)
        seen = engine.ensure_power(machine.public_id, on=False, force=operation.payload["hard"])
        if seen.power in (Power.RUNNING, Power.STARTING):
            raise RuntimeError(f"{machine.public_id} was stopped and is {seen.power}")
        without_charge = operation.payload["mode"] == STOP_CHARGING
        if without_charge and seen.power == Power.STOPPED:
            engine.ensure_address(machine.public_id, machine.private_ip, None)
        with db.act():
            db.call("ledger_lock", machine.account_id)
            if not queue.finish(owner, operation):
                continue
            machine = Instance.objects.select_for_update().get(id=operation.subject_id)
            if machine.state == State.STOPPING:
                _stopped(machine, without_charge)


def _stopped(machine: Instance, without_charge: bool) -> None:
    columns: dict[str, object] = {"state": State.STOPPED, "latest_operation_state": "SUCCESS"}
    if without_charge:
        new_hold = m.next_hold_id(machine)
        db.call("ledger_shrink", machine.hold_id, new_hold, _hold_without_cpu(machine), clock.now())
        db.call("network_free_public", [machine.id], clock.now())
        db.call("placement_shrink", machine.id)
        columns |= {
            "stop_charging_mode": STOP_CHARGING, "hold_id": new_hold, "hold_number": machine.hold_number,
            "public_ip": None,
        }  # fmt: skip
    elif machine.charge_type == "POSTPAID_BY_HOUR":
        columns["stop_charging_mode"] = KEEP_CHARGING
    Instance.objects.filter(pk=machine.pk).update(**columns)
    m.event(machine, "stopped", without_charge=without_charge)


def _hold_without_cpu(machine: Instance) -> int:
    """One hour of what stays charged while stopped: the machine's hold less CPU and memory."""
    from vmart.kernel.money import exponent
    from vmart.pricing.quote import Quote
    from vmart.pricing.rules import hold_minor

    quoted = Quote.of(Line.objects.select_related("order").get(instance_id=machine.id).order.quote)
    kept = [line.amount for line in quoted.lines if line.unit == "hour" and line.component != "cpu"]
    assert machine.hold_id is not None  # a running postpaid machine has one
    held = Hold.objects.values_list("floating_minor", flat=True).get(id=machine.hold_id)
    return min(hold_minor(kept, exponent(quoted.currency)), held)


def exhausted(batch: Sequence[Claimed], owner: uuid.UUID, reason: str) -> None:
    """The machine did not stop: it is running as before, and what was paused never was."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            if not queue.finish(owner, operation):
                continue
            machine = Instance.objects.select_for_update().get(id=operation.subject_id)
            if machine.state != State.STOPPING:
                continue
            if operation.payload["mode"] == STOP_CHARGING:
                db.call("metering_resume", machine.id, "cpu", operation.payload["accepted"])
            m.fail(machine, "The machine could not be stopped.", state=State.RUNNING)
