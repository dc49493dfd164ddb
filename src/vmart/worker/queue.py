"""Putting work into the queue, and what a step may do with the work it was given."""

import datetime as dt
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.worker.models import Operation

# Last error of an operation whose step did not end in time.
HUNG = "The step was still running after its limit, so its worker was ended."

# Why one is given up whose worker ended at each attempt, without a word.
ENDED = "Each worker that had it in hand ended before the step did."


@dataclass(frozen=True, slots=True)
class Claimed:
    """An operation as it was claimed."""

    id: int
    kind: str
    subject_kind: str
    subject_id: int
    account_id: int | None
    lane: str
    step: str
    attempt: int
    created_at: dt.datetime
    due_at: dt.datetime
    payload: dict[str, Any] = field(default_factory=dict)
    last_error: str = ""


def enqueue(
    kind: str,
    subject_kind: str,
    subject_id: int,
    *,
    due_at: dt.datetime,
    account_id: int | None = None,
    lane: str = "",
    payload: dict[str, Any] | None = None,
) -> None:
    """One operation of this kind on this subject; one that is there stays, unless it was given up.

    Wakes workers at commit.
    """
    enqueue_all(kind, subject_kind, [subject_id], due_at=due_at, account_id=account_id, lane=lane, payload=payload)


def enqueue_all(
    kind: str,
    subject_kind: str,
    subject_ids: Sequence[int],
    *,
    due_at: dt.datetime,
    account_id: int | None = None,
    lane: str = "",
    payload: dict[str, Any] | None = None,
) -> None:
    """The same for several subjects of one account and lane, in one statement."""
    subjects = list(subject_ids)
    db.call("worker_enqueue", kind, subject_kind, subjects, account_id, lane, due_at, json.dumps(payload or {}))
    db.on_commit_wake()


def enqueue_each(account_id: int, subject_kind: str, due: Sequence[tuple[str, int, dt.datetime]]) -> None:
    """Timers of one account: (kind, subject's id, when) each, in one statement; as ``enqueue`` otherwise."""
    kinds, subjects, instants = zip(*due, strict=True)
    db.rows(
        "SELECT fn.worker_enqueue(kind, %s, ARRAY[subject], %s, '', due_at, '{}')"
        " FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS line (kind, subject, due_at)",
        subject_kind, account_id, list(kinds), list(subjects), list(instants),
    )  # fmt: skip
    db.on_commit_wake()


def enqueue_with(
    kind: str, subject_kind: str, account_id: int, told: Sequence[tuple[int, str, Mapping[str, object]]]
) -> None:
    """Work of one account that is due now: (subject's id, lane, payload) each, in one statement."""
    subjects, lanes, payloads = zip(*told, strict=True)
    db.rows(
        "SELECT fn.worker_enqueue(%s, %s, ARRAY[subject], %s, lane, %s, payload)"
        " FROM unnest(%s::bigint[], %s::text[], %s::jsonb[]) AS line (subject, lane, payload)",
        kind, subject_kind, account_id, clock.now(), list(subjects), list(lanes),
        [json.dumps(payload) for payload in payloads],
    )  # fmt: skip
    db.on_commit_wake()


def forget(kind: str, subject_kind: str, subject_ids: Sequence[int]) -> None:
    """Take what of this kind waits for the subjects out of the queue. Belongs into an act."""
    db.rows(
        "DELETE FROM worker_operation WHERE kind = %s AND subject_kind = %s AND subject_id = ANY (%s) RETURNING id",
        kind, subject_kind, list(subject_ids),
    )  # fmt: skip


def due_at(kind: str, subject_kind: str, subject_id: int) -> dt.datetime | None:
    """When the operation of this kind on the subject is or was due; None where there is none."""
    found = Operation.objects.filter(kind=kind, subject_kind=subject_kind, subject_id=subject_id)
    return found.values_list("due_at", flat=True).first()


def is_due(kind: str, subject_kind: str, subject_id: int) -> bool:
    """Whether an operation of this kind on the subject is due and not done yet."""
    at = due_at(kind, subject_kind, subject_id)
    return at is not None and at <= clock.now()


def claim(owner: uuid.UUID, lanes: Sequence[str], lease_s: float, limit: int) -> list[Claimed]:
    """Due work in the lanes, leased to ``owner``, oldest first."""
    wall = clock.wall()
    found = db.prepared(
        "SELECT id, kind, subject_kind, subject_id, account_id, lane, step, attempt, created_at, due_at,"
        " payload, last_error FROM fn.worker_claim(%s, %s, %s, %s, %s, %s) ORDER BY due_at, id",
        list(lanes), owner, clock.now(), wall, wall + dt.timedelta(seconds=lease_s), limit,
    )  # fmt: skip
    return [Claimed(**{**row, "payload": _plain(row["payload"])}) for row in found]


def _plain(payload: Any) -> dict[str, Any]:
    return dict(json.loads(payload) if isinstance(payload, str) else payload)


def note(operation: Claimed, owner: uuid.UUID, **payload: object) -> bool:
    """Write into an operation's payload what whoever does it next must know; False where it is another owner's."""
    noted: bool = db.call("worker_note", operation.id, owner, json.dumps(payload))
    if noted:
        operation.payload.update(payload)
    return noted


def renew(owner: uuid.UUID, operations: Sequence[int], lease_s: float) -> None:
    """Hold on to work that takes longer than its lease."""
    db.call("worker_renew", list(operations), owner, clock.wall() + dt.timedelta(seconds=lease_s))


def held(owner: uuid.UUID, operations: Sequence[Claimed]) -> set[int]:
    """Ids of those that are still this owner's: whoever was paused for longer than its lease may look."""
    found = db.prepared(
        "SELECT id FROM worker_operation WHERE id = ANY (%s) AND lease_owner = %s AND lease_until > %s",
        [operation.id for operation in operations], owner, clock.wall(),
    )  # fmt: skip
    return {row["id"] for row in found}


def finish(owner: uuid.UUID, operation: Claimed) -> bool:
    """End the operation inside its step's transaction; False when it is no longer this owner's: roll back."""
    db.require_transaction()
    return bool(db.call("worker_finish", [operation.id], owner, operation.step))


def withdraw(kind: str, subject_kind: str, subject_id: int) -> bool:
    """Take work back that nobody has begun, inside an act that does it; False when there is none."""
    db.require_transaction()
    return bool(
        db.rows(
            "DELETE FROM worker_operation WHERE kind = %s AND subject_kind = %s AND subject_id = %s AND attempt = 0"
            " AND NOT attention RETURNING id",
            kind, subject_kind, subject_id,
        )
    )  # fmt: skip


def holds(owner: uuid.UUID, operation: Claimed) -> bool:
    """Whether the operation is still this owner's, and is kept so until the step's transaction ends."""
    db.require_transaction()
    return bool(
        db.rows("SELECT 1 FROM worker_operation WHERE id = %s AND lease_owner = %s FOR UPDATE", operation.id, owner)
    )


def put_off(
    owner: uuid.UUID, operations: Sequence[Claimed], seconds: float, error: str, *, waiting: bool = False
) -> None:
    """Try again after wall ``seconds``; ``waiting`` for something that is nobody's fault costs no attempt."""
    until = clock.wall() + dt.timedelta(seconds=seconds)
    db.call("worker_put_off", [operation.id for operation in operations], owner, until, error[:2000], waiting)


def needs_attention(owner: uuid.UUID, operations: Sequence[Claimed], error: str) -> None:
    """Stop trying; the seller sees it with its reason and may retry."""
    db.call("worker_put_off", [operation.id for operation in operations], owner, None, error[:2000], False)


def retry(operation_id: int) -> bool:
    """Have an operation that needs attention tried again; False when there is none."""
    found = db.rows(
        "UPDATE worker_operation SET attention = false, attempt = 0, not_before = NULL, lease_until = NULL"
        " WHERE id = %s AND attention RETURNING id",
        operation_id,
    )
    db.on_commit_wake()
    return bool(found)


def retry_by(actor: Actor, operation_id: int) -> bool:
    """The same, as an act that says who asked."""
    with db.act():
        waiting = Operation.objects.filter(id=operation_id, attention=True).first()
        if waiting is None or not retry(operation_id):
            return False
        if waiting.account_id is None:
            record.ask(actor)
        else:
            record.write(waiting.account_id, waiting.subject_kind, [waiting.subject_id], "retried", actor=actor)
    return True
