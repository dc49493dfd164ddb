"""The drift sweep: what the engine has against what we sold. Repairs what is ours to repair, reports the rest.

A machine that was released, or whose delivery failed, is removed from the engine; a name that no row
knows, or that another zone sold, is told to the seller and never touched: after a restored backup it may be somebody's.
One in the recycle bin that runs is turned off; a sold machine that was turned off or on from inside is
shown to the owner as the engine sees it, not hidden; a public address leads where its machine's row says, so
not to one whose network arrears keep off; one that is in another private network than its row says is told again;
rules of security groups that an engine has otherwise are told again. One
that is missing twice in a row, five minutes apart, is charged no more (``lost.py``). One that runs on another member
than its room is taken on is told to the seller: nobody but him knows who moved it.
"""

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from vmart.engines.contract import Engine, EngineError, Observation, Power
from vmart.engines.rules import MachineRules
from vmart.events import record
from vmart.instances.models import ALIVE, AT_REST, Instance, State
from vmart.kernel import clock, db
from vmart.orders import address, enforce, lost, term, where_it_is
from vmart.orders import machines as m
from vmart.orders.disks import sweep as own_disks
from vmart.orders.images import sweep as own_images
from vmart.orders.models import EngineDrift
from vmart.orders.snapshots import sweep as own_snapshots
from vmart.orders.without_charge import STOP_CHARGING
from vmart.placement.models import Allocation
from vmart.pricing.configuration import BY_USAGE
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import queue

log = logging.getLogger(__name__)

_LOST = EngineDrift.Kind.LOST.value
# Wall time between the two misses of a lost machine: sweeps also come at each loss of the event line, seconds apart,
# and an engine that restarts may for a moment list nothing.
MISSES_APART = dt.timedelta(minutes=5)
_MISSES = (EngineDrift.Kind.MISSING, EngineDrift.Kind.LOST)


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: ``kind`` is orphan, unknown, elsewhere, missing, lost, moved, on, off, network, address or rules;
    attachment of a disk with a life of its own.

    ``missed_at`` is when a missing or lost one was first missed, in business time, ``missed_wall_at`` in wall time.
    """

    kind: str
    name: str
    repaired: bool
    missed_at: dt.datetime | None = field(default=None, compare=False)
    missed_wall_at: dt.datetime | None = field(default=None, compare=False)


def sweep(zone: str) -> list[Drift]:
    """Compare the zone's engine with our machines. What is not repaired is kept for the seller's page."""
    engine = engine_of(zone)
    seen = {observation.name: observation for observation in engine.list_ours()}
    # Prefetched: a join and defer do not go together.
    sold = Instance.objects.prefetch_related("subscription", "eip__subscription", "eip__package").filter(zone_id=zone)
    sold = sold.exclude(state=State.GONE)
    rows = {row.public_id: row for row in sold.defer("user_data")}
    members = dict(Allocation.objects.filter(host__zone_id=zone).values_list("instance_id", "host__name"))
    missed = {
        name: Drift(kind, name, False, at, wall_at)
        for name, kind, at, wall_at in EngineDrift.objects.filter(zone_id=zone, kind__in=_MISSES).values_list(
            "name", "kind", "missed_at", "since_wall_at"
        )
    }
    found = list(_strangers(engine, sorted(seen.keys() - rows.keys())))
    rules = enforce.wanted(engine, [row.id for row in rows.values()])
    busy_as_seen = []
    for name, listed in sorted(rows.items()):
        member = members.get(listed.id, "")
        kind = _difference(listed, seen.get(name), member, rules.get(name))
        if kind is None:
            found += [missed[name]] if name in missed and name not in seen else []  # being delivered again
            if name in seen and listed.latest_operation_state == "OPERATING":
                busy_as_seen.append(listed)
            continue
        drift = _mend_if_answered(engine, listed, kind, member, missed.get(name))
        if drift is not None:
            found.append(drift)
    for operations in _given_up_of(busy_as_seen).values():  # the engine answers again; until the work ends it is busy
        for operation in operations or ():
            queue.retry(operation)
    _retry_given_up(zone)
    for one in (*own_disks.sweep(zone, engine), *own_snapshots.sweep(zone, engine), *own_images.sweep(zone, engine)):
        found.append(_of_other(one, missed.get(one.name)))
    _keep(zone, [drift for drift in found if not drift.repaired])
    return found


def _of_other(found: own_disks.Found, before: Drift | None) -> Drift:
    """What is found of a disk of its own life, snapshot or image; a missing one keeps the time of its first miss."""
    if found.kind != "missing":
        return Drift(found.kind, found.name, found.repaired)
    return before or Drift("missing", found.name, False, clock.now().replace(microsecond=0))


def look(zone: str, names: Collection[str]) -> set[str]:
    """Machines that may have been turned on or off, seen at once; those of them that an act has in hand are left."""
    engine, busy = engine_of(zone), set()
    sold = Instance.objects.prefetch_related("subscription", "eip__subscription", "eip__package").filter(
        zone_id=zone, public_id__in=names
    )
    rows = list(sold.exclude(state=State.GONE).defer("user_data").order_by("id"))
    given_up = _given_up_of(rows)
    for row in rows:
        if given_up[row.id] is None:
            busy.add(row.public_id)
            continue
        try:
            kind = _difference(row, engine.observe(row.public_id), "")
            if kind in ("on", "off"):
                _mend(engine, row, kind, "")
        except EngineError as error:  # looked at again soon, and the next sweep warns of it
            log.info("the engine of %s does not show %s: %s", zone, row.public_id, error)
            busy.add(row.public_id)
    return busy


def _mend_if_answered(engine: Engine, listed: Instance, kind: str, member: str, missed: Drift | None) -> Drift | None:
    """The same, and one machine that the engine fails on keeps nobody from the others."""
    try:
        return _mend(engine, listed, kind, member, missed)
    except EngineError as error:
        log.warning("the engine of %s fails on %s, which is %s: %s", listed.zone_id, listed.public_id, kind, error)
        return missed


def _mend(engine: Engine, listed: Instance, kind: str, member: str, missed: Drift | None = None) -> Drift | None:
    """What was listed is old by now, and acts may have begun and ended since: the row of this moment is repaired."""
    observation = engine.observe(listed.public_id)
    row = m.read(listed.pk)
    given_up = _given_up_of([row])[row.id]
    if kind == "missing" and given_up is None:  # what is under way will see to it
        return missed
    rules = enforce.wanted(engine, [row.id]).get(row.public_id) if kind == "rules" else None
    if given_up is None or _difference(row, observation, member, rules) != kind:
        return None
    drift = _miss(row, missed) if kind == "missing" else _repair(row, kind)
    for operation in given_up:  # the engine answers again
        queue.retry(operation)
    return drift


def _keep(zone: str, left: Sequence[Drift]) -> None:
    """What is left of an earlier sweep goes, what is still so keeps its time; a first miss has a time of its own."""
    now = clock.wall()
    as_before = [drift.name for drift in left if drift.kind not in _MISSES or drift.missed_wall_at]
    with db.act():
        EngineDrift.objects.filter(zone_id=zone).exclude(name__in=as_before).delete()
        EngineDrift.objects.bulk_create(
            (
                EngineDrift(
                    zone_id=zone, name=drift.name, kind=drift.kind, since_wall_at=now, missed_at=drift.missed_at
                )
                for drift in left
            ),
            update_conflicts=True, unique_fields=["zone", "name"], update_fields=["kind", "missed_at"],
        )  # fmt: skip


def _strangers(engine: Engine, names: Sequence[str]) -> Iterator[Drift]:
    """Names that are no living machine of the zone: only what is known to have ended is removed."""
    states = dict(Instance.objects.filter(public_id__in=names).values_list("public_id", "state"))
    for name in names:
        ended = states.get(name) in (State.GONE, State.LAUNCH_FAILED)  # a release whose answer was lost, say
        if ended and not _removed(engine, name):
            continue
        yield Drift("orphan" if ended else "elsewhere" if name in states else "unknown", name, ended)


def _removed(engine: Engine, name: str) -> bool:
    try:
        engine.ensure_absent(name)
    except EngineError as error:
        log.warning("%s has ended and its engine does not remove it: %s", name, error)
        return False
    return True


def _difference(
    row: Instance, observation: Observation | None, member: str, rules: MachineRules | None = None
) -> str | None:
    """What differs first; ``member`` is where the machine's room is taken, "" where it has none.

    ``rules`` are what its engine was to be told; None where it enforces none, or nobody looks at them.
    """
    power = observation.power if observation else Power.ABSENT
    if row.state == State.LAUNCH_FAILED:
        return None if power == Power.ABSENT else "orphan"
    if power == Power.ABSENT:
        return "missing" if row.state in AT_REST else None
    if power == Power.STOPPED and row.state == State.RUNNING:
        return "off"
    if power == Power.RUNNING and row.state in (State.STOPPED, State.SHUTDOWN):
        return "on"
    if observation and member and observation.member != member and row.state in ALIVE:
        return "moved"
    return _of_network(row, observation, rules) if observation else None


def _of_network(row: Instance, observation: Observation, rules: MachineRules | None) -> str | None:
    if where_it_is.differs(row, observation):
        return "network"
    if address.differs(row, observation):
        return "address"
    return "rules" if rules and observation.rules != rules.digest() else None


def _miss(row: Instance, before: Drift | None) -> Drift:
    """The first miss is told; at a later one in a row the machine is lost, and charged no more since the first.

    An engine or a member that does not answer is no miss: the one raises, the other's machines stay in the list.
    """
    if before is None or before.missed_at is None:
        _tell(row, "missing")
        return Drift("missing", row.public_id, False, clock.now().replace(microsecond=0))
    if before.kind == "missing" and before.missed_wall_at and clock.wall() - before.missed_wall_at < MISSES_APART:
        return before
    lost.end_charging(row, before.missed_at, first=before.kind != _LOST)
    return replace(before, kind=_LOST)


def _repair(row: Instance, kind: str) -> Drift:
    if kind == "moved":
        _tell(row, kind)
        return Drift(kind, row.public_id, False)
    if kind == "orphan":  # made by a worker that did not notice that another had given it up
        engine_of(row.zone_id).ensure_absent(row.public_id)
    elif kind in ("address", "network"):
        with db.act():
            db.call("ledger_lock", row.account_id)
            (address if kind == "address" else where_it_is).send(row)
    elif kind == "rules":
        with db.act():
            enforce.send_for([row.id])
    elif kind == "on" and (row.state == State.SHUTDOWN or row.stop_charging_mode == STOP_CHARGING):
        # It is not charged for, and what was stopped without charge gave its room and address back.
        engine_of(row.zone_id).ensure_power(row.public_id, on=False, force=True)
    else:
        _powered(row, State.STOPPED if kind == "off" else State.RUNNING, kind)
    return Drift(kind, row.public_id, True)


def _given_up_of(rows: Sequence[Instance]) -> dict[int, list[int] | None]:
    """Of each machine, operations that wait for the seller; None while one is under way, which will see to it."""
    work: dict[int, list[tuple[int, bool]]] = {row.id: [] for row in rows}
    for found in db.rows(
        "SELECT id, subject_id, attention FROM worker_operation"
        " WHERE subject_kind = %s AND subject_id = ANY (%s) AND due_at <= %s AND NOT kind = ANY (%s)",
        record.MACHINE, list(work), clock.now(), ["expire", term.KIND],
    ):  # fmt: skip
        work[found["subject_id"]].append((found["id"], found["attention"]))
    return {row.id: _waiting(row, work[row.id]) for row in rows}


def _retry_given_up(zone: str) -> None:
    """What was given up while the engine did not answer: of what has a life of its own, which is busy with it, and of
    moves that failed, whose machines hold two private addresses.
    """
    given_up = db.rows(
        "SELECT id FROM worker_operation WHERE attention AND lane = %s AND (subject_kind = ANY (%s) OR kind = %s)"
        " AND last_error <> %s",  # whatever hung ends the worker each time: that is for the seller
        zone, [record.ADDRESS, record.DISK, record.IMAGE, record.PACKAGE, record.SNAPSHOT], where_it_is.KIND,
        queue.HUNG,
    )  # fmt: skip
    for found in given_up:
        queue.retry(found["id"])


def _waiting(row: Instance, work: Sequence[tuple[int, bool]]) -> list[int] | None:
    if not all(attention for _, attention in work) or (row.latest_operation_state == "OPERATING" and not work):
        return None
    return [number for number, _ in work]


def _powered(row: Instance, state: str, kind: str) -> None:
    """The guest was shut down or started from inside: an ordinary stop, charging goes on as before."""
    with db.act():
        db.call("ledger_lock", row.account_id)
        row.subscription.refresh_from_db(fields=["charge_type"])  # it may have been converted since it was read
        is_charged_on = state == State.STOPPED and row.subscription.charge_type in BY_USAGE
        mode = "KEEP_CHARGING" if is_charged_on else "NOT_APPLICABLE"
        changed = Instance.objects.filter(pk=row.pk, state=row.state, latest_operation_state=row.latest_operation_state)
        if changed.update(state=state, stop_charging_mode=mode):
            m.event(row, "seen_" + kind)


def _tell(row: Instance, kind: str) -> None:
    told = db.rows(
        "SELECT 1 FROM events_event WHERE subject_kind = 'machine' AND subject_id = %s AND kind = %s AND at > %s",
        row.id, "seen_" + kind, clock.now() - dt.timedelta(days=1),
    )  # fmt: skip
    if not told:
        m.event(row, "seen_" + kind)
