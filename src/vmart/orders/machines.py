"""What every act on bought machines begins with: the account lock, then the machines, sorted, if they are its own."""

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence

from vmart.catalog import shop
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db, ids
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders.errors import Busy, UnknownInstance, WrongState
from vmart.worker import queue

MACHINES_MAX = 100


def lock(account_id: int, public_ids: Sequence[str]) -> list[Instance]:
    """The account's machines by public id, locked, in the order asked for.

    Raises UnknownInstance for one that is not this account's, MissingParameter for none at all.
    """
    db.require_transaction()
    if not public_ids:
        raise MissingParameter("InstanceIds names no instance.", field="InstanceIds")
    if len(public_ids) > MACHINES_MAX:
        raise InvalidParameter("At most {most} instances at once.", field="InstanceIds", most=MACHINES_MAX)
    if len(set(public_ids)) != len(public_ids):
        raise InvalidParameter("InstanceIds names an instance twice.", field="InstanceIds")
    db.call("ledger_lock", account_id)
    rows = Instance.objects.select_for_update().filter(account_id=account_id, public_id__in=public_ids).order_by("id")
    found = {row.public_id: row for row in rows if row.state != State.GONE}
    for public_id in public_ids:
        if public_id not in found:
            raise UnknownInstance("The instance {id} does not exist.", field="InstanceIds", id=public_id)
    return [found[public_id] for public_id in public_ids]


def refuse_busy(machines: Iterable[Instance]) -> None:
    """Raise Busy when an operation on one of them is under way."""
    for machine in machines:
        if machine.latest_operation_state == "OPERATING":
            raise Busy(
                "The instance {id} is busy with {operation}; try again when it has ended.",
                field="InstanceIds",
                id=machine.public_id,
                operation=machine.latest_operation,
            )


def refuse_isolated(machines: Iterable[Instance]) -> None:
    """Raise WrongState for a machine that expired, is in arrears or in the recycle bin."""
    for machine in machines:
        if machine.state in (State.SHUTDOWN, State.TERMINATING) or machine.restrict_state != "NORMAL":
            why = {"ARREAR": "the account is in arrears", "EXPIRE": "it has expired"}.get(
                machine.isolated_source, "it is in the recycle bin"
            )
            raise WrongState(
                "The instance {id} cannot be used: {why}.",
                field="InstanceIds",
                code="UnsupportedOperation.InstanceStateIsolating",
                id=machine.public_id,
                why=why,
            )


def refuse_state(machine: Instance, allowed: Iterable[str], code: str) -> None:
    """Raise WrongState with ``code`` unless the machine is in an allowed state."""
    if machine.state not in allowed:
        raise WrongState(
            "The instance {id} is {state}; it must be {allowed}.",
            field="InstanceIds",
            code=code,
            id=machine.public_id,
            state=machine.state,
            allowed=" or ".join(sorted(allowed)),
        )


def begin(machine: Instance, operation: str, request_id: str, **columns: object) -> None:
    """Note an operation as under way, with the columns that change at once."""
    Instance.objects.filter(pk=machine.pk).update(
        latest_operation=operation,
        latest_operation_state="OPERATING",
        latest_operation_request_id=request_id,
        latest_operation_error_code="",
        latest_operation_error="",
        **columns,
    )


def event(machine: Instance, kind: str, **detail: object) -> None:
    """What happened, for the owner and the seller."""
    import json

    db.call("instances_event", machine.id, machine.account_id, kind, clock.now(), json.dumps(detail))


def send(machine: Instance, kind: str, *, due_at: dt.datetime | None = None, **payload: object) -> None:
    """Queue work on the machine in its zone's lane."""
    queue.enqueue(
        kind, machine.id, account_id=machine.account_id, lane=machine.zone_id, due_at=due_at or clock.now(),
        payload=payload,
    )  # fmt: skip


def next_hold_id(machine: Instance) -> uuid.UUID:
    """The id of the machine's next hold: its number goes up with each."""
    machine.hold_number += 1
    return ids.transfer_id("hold", machine.id, machine.hold_number)


def bin_until(instant: dt.datetime) -> dt.datetime:
    """When a prepaid machine is released: the first midnight not before 7 × 24 h after (rules, section 4)."""
    return clock.midnight_not_before(instant + dt.timedelta(days=7), shop.snapshot().billing_zone)


def fail(machine: Instance, sentence: str, **columns: object) -> None:
    """Note that the operation under way failed, with the state the machine is in then."""
    Instance.objects.filter(pk=machine.pk).update(
        latest_operation_state="FAILED",
        latest_operation_error_code="FailedOperation.OperationFailed",
        latest_operation_error=sentence,
        **columns,
    )
    event(machine, "operation_failed", operation=machine.latest_operation, why=sentence)
