"""The drift sweep: what the engine has against what we sold. Repairs what is ours to repair, reports the rest.

A machine of ours that no row knows any more is removed from the engine; a sold machine that runs when
it should be off, or is off when it should run, is shown to the owner as the engine sees it, not hidden.
"""

import datetime as dt
from dataclasses import dataclass

from vmart.engines.contract import Power
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import machines as m
from vmart.provisioning.zone_engines import engine_of

_GRACE = dt.timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: ``kind`` is orphan, missing, on or off."""

    kind: str
    name: str
    repaired: bool


def sweep(zone: str) -> list[Drift]:
    """Compare the zone's engine with our machines."""
    seen = {observation.name: observation for observation in engine_of(zone).list_ours()}
    rows = {row.public_id: row for row in Instance.objects.filter(zone_id=zone).exclude(state=State.GONE)}
    found = [_orphan(zone, name) for name in sorted(seen.keys() - rows.keys())]
    for name, row in sorted(rows.items()):
        observation = seen.get(name)
        if row.latest_operation_state == "OPERATING" or _has_work(row.id):
            continue
        if row.state in (State.RUNNING, State.STOPPED) and observation is None:
            found.append(Drift("missing", name, False))
            _tell(row, "missing")
        elif row.state == State.RUNNING and observation is not None and observation.power == Power.STOPPED:
            found.append(_powered(row, State.STOPPED, "off"))
        elif row.state == State.STOPPED and observation is not None and observation.power == Power.RUNNING:
            found.append(_powered(row, State.RUNNING, "on"))
    return found


def _has_work(instance_id: int) -> bool:
    return bool(
        db.rows(
            "SELECT 1 FROM worker_operation WHERE subject_id = %s AND due_at <= %s AND kind IN"
            " ('deliver', 'stop', 'start', 'reboot', 'isolate', 'release')",
            instance_id,
            clock.now(),
        )  # fmt: skip
    )


def _orphan(zone: str, name: str) -> Drift:
    """Ours by its mark, and no row has it: left by a release whose answer was lost."""
    engine_of(zone).ensure_absent(name)
    return Drift("orphan", name, True)


def _powered(row: Instance, state: str, kind: str) -> Drift:
    """The guest was shut down or started from inside. An ordinary stop: charging goes on as before.

    A machine stopped without charge is turned off again: it gave its room and address back.
    """
    if row.stop_charging_mode == "STOP_CHARGING":
        engine_of(row.zone_id).ensure_power(row.public_id, on=False, force=True)
        return Drift(kind, row.public_id, True)
    with db.act():
        db.call("ledger_lock", row.account_id)
        changed = Instance.objects.filter(pk=row.pk, state=row.state, latest_operation_state=row.latest_operation_state)
        if changed.update(state=state):
            m.event(row, "seen_" + kind)
    return Drift(kind, row.public_id, True)


def _tell(row: Instance, kind: str) -> None:
    told = db.rows(
        "SELECT 1 FROM instances_event WHERE instance_id = %s AND kind = %s AND at > %s",
        row.id, "seen_" + kind, clock.now() - dt.timedelta(days=1),
    )  # fmt: skip
    if not told:
        m.event(row, "seen_" + kind)
