"""The drift sweep: what the engine has against what we sold. Repairs what is ours to repair, reports the rest.

A machine of ours that is in no order, or whose delivery failed, is removed from the engine; one in the
recycle bin that runs is turned off; a sold machine that was turned off or on from inside is shown to
the owner as the engine sees it, not hidden.
"""

import datetime as dt
from dataclasses import dataclass

from vmart.engines.contract import Observation, Power
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import machines as m
from vmart.provisioning.zone_engines import engine_of


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: ``kind`` is orphan, missing, on or off."""

    kind: str
    name: str
    repaired: bool


def sweep(zone: str) -> list[Drift]:
    """Compare the zone's engine with our machines."""
    engine = engine_of(zone)
    seen = {observation.name: observation for observation in engine.list_ours()}
    rows = {row.public_id: row for row in Instance.objects.filter(zone_id=zone).exclude(state=State.GONE)}
    found = []
    unknown = seen.keys() - rows.keys()
    elsewhere = Instance.objects.filter(public_id__in=unknown).exclude(state=State.GONE)  # zones may share an engine
    for name in sorted(unknown - set(elsewhere.values_list("public_id", flat=True))):  # a release lost its answer
        engine.ensure_absent(name)
        found.append(Drift("orphan", name, True))
    for name, row in sorted(rows.items()):
        kind = _difference(row, seen.get(name))
        if kind is None or row.latest_operation_state == "OPERATING" or _has_work(row.id):
            continue
        # The list is older than the row: an act may have ended between the two.
        if _difference(row, engine.observe(name)) == kind:
            found.append(_repair(row, kind))
    return found


def _difference(row: Instance, observation: Observation | None) -> str | None:
    power = observation.power if observation else Power.ABSENT
    if row.state == State.LAUNCH_FAILED:
        return None if power == Power.ABSENT else "orphan"
    if power == Power.ABSENT:
        return "missing" if row.state in (State.RUNNING, State.STOPPED) else None
    if power == Power.STOPPED:
        return "off" if row.state == State.RUNNING else None
    return "on" if power == Power.RUNNING and row.state in (State.STOPPED, State.SHUTDOWN) else None


def _repair(row: Instance, kind: str) -> Drift:
    if kind == "missing":
        _tell(row, kind)
        return Drift(kind, row.public_id, False)
    if kind == "orphan":  # made by a worker that did not notice that another had given it up
        engine_of(row.zone_id).ensure_absent(row.public_id)
    elif kind == "on" and (row.state == State.SHUTDOWN or row.stop_charging_mode == "STOP_CHARGING"):
        # It is not charged for, and what was stopped without charge gave its room and address back.
        engine_of(row.zone_id).ensure_power(row.public_id, on=False, force=True)
    else:
        _powered(row, State.STOPPED if kind == "off" else State.RUNNING, kind)
    return Drift(kind, row.public_id, True)


def _has_work(instance_id: int) -> bool:
    return bool(
        db.rows(
            "SELECT 1 FROM worker_operation WHERE subject_id = %s AND due_at <= %s AND kind IN"
            " ('deliver', 'stop', 'start', 'reboot', 'isolate', 'release')",
            instance_id,
            clock.now(),
        )
    )


def _powered(row: Instance, state: str, kind: str) -> None:
    """The guest was shut down or started from inside: an ordinary stop, charging goes on as before."""
    mode = "NOT_APPLICABLE"
    if state == State.STOPPED and row.charge_type == "POSTPAID_BY_HOUR":
        mode = "KEEP_CHARGING"
    with db.act():
        db.call("ledger_lock", row.account_id)
        changed = Instance.objects.filter(pk=row.pk, state=row.state, latest_operation_state=row.latest_operation_state)
        if changed.update(state=state, stop_charging_mode=mode):
            m.event(row, "seen_" + kind)


def _tell(row: Instance, kind: str) -> None:
    told = db.rows(
        "SELECT 1 FROM instances_event WHERE instance_id = %s AND kind = %s AND at > %s",
        row.id, "seen_" + kind, clock.now() - dt.timedelta(days=1),
    )  # fmt: skip
    if not told:
        m.event(row, "seen_" + kind)
