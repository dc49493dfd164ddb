"""Terminate: a postpaid machine goes to the bin for two hours, a prepaid one is returned; again: released.

Charging of a postpaid machine and what goes with it ends at the second the request is accepted; its
hold shrinks to what the open hour has cost (billing-rules, section 1).
"""

import datetime as dt
from collections.abc import Sequence

from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.ledger.models import Hold
from vmart.orders import machines as m
from vmart.orders import return_prepaid
from vmart.orders.errors import Busy
from vmart.orders.live_cost import open_hours_minor

BIN_POSTPAID = dt.timedelta(hours=2)


def terminate(account_id: int, public_ids: Sequence[str], *, request_id: str = "") -> None:
    """Accept the end of machines, all or none; a second call for one in the bin releases it at once."""
    with db.act():
        found = m.lock(account_id, public_ids)
        for machine in found:
            if machine.state == State.PENDING or (
                machine.state in (State.STARTING, State.STOPPING, State.REBOOTING)
                and machine.latest_operation_state == "OPERATING"
            ):
                raise Busy(
                    "The instance {id} is busy with {operation}; try again when it has ended.",
                    field="InstanceIds", id=machine.public_id, operation=machine.latest_operation,
                )  # fmt: skip
        for machine in found:
            _terminate(machine, request_id)


def _terminate(machine: Instance, request_id: str) -> None:
    if machine.state in (State.SHUTDOWN, State.TERMINATING, State.LAUNCH_FAILED):
        release_now(machine, request_id)
    elif machine.charge_type == "PREPAID":
        return_prepaid.return_one(machine, request_id)
    else:
        _to_bin(machine, request_id)


def release_now(machine: Instance, request_id: str) -> None:
    """From the bin: erased at once. Moves no money."""
    if machine.state == State.TERMINATING:
        return
    m.begin(machine, "TerminateInstances", request_id, state=State.TERMINATING, release_at=clock.now())
    db.rows("DELETE FROM worker_operation WHERE kind = 'release' AND subject_id = %s RETURNING id", machine.id)
    m.send(machine, "release")


def _to_bin(machine: Instance, request_id: str) -> None:
    accepted = db.call("metering_instant", clock.now())
    db.call("metering_end", machine.id, "", accepted)
    if machine.hold_id:
        held = Hold.objects.values_list("floating_minor", flat=True).get(id=machine.hold_id)
        new_hold = m.next_hold_id(machine)
        cost = open_hours_minor(machine.account_id, machine.id, accepted)
        kept = held if cost is None else min(cost, held)
        db.call("ledger_shrink", machine.hold_id, new_hold, kept, clock.now())
        machine.hold_id = new_hold
    m.begin(
        machine, "TerminateInstances", request_id, state=State.SHUTDOWN, isolated_source="MANMADE",
        isolated_at=accepted, release_at=accepted + BIN_POSTPAID, hold_id=machine.hold_id,
        hold_number=machine.hold_number,
    )  # fmt: skip
    m.event(machine, "terminated")
    m.send(machine, "isolate")
    m.send(machine, "release", due_at=accepted + BIN_POSTPAID)
