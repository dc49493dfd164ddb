"""Expiry of a prepaid machine: network off, power off, kept in the recycle bin (billing-rules, section 4)."""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.orders import machines as m
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``expire``, due at the machine's expiry; waits for an operation that is under way.

    From the expiry on no other one is accepted (``machines.lock_usable``), so it waits for that one's end only.
    """
    for operation in batch:
        busy = False
        with db.act():
            db.call("ledger_lock", operation.account_id)
            machine = Instance.objects.select_for_update().get(id=operation.subject_id)
            busy = machine.latest_operation_state == "OPERATING"
            if not busy and queue.finish(owner, operation) and _due(machine):
                _expire(machine)
        if busy:
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)


def _due(machine: Instance) -> bool:
    return machine.state in (State.RUNNING, State.STOPPED) and m.is_expired(machine)


def _expire(machine: Instance) -> None:
    assert machine.expires_at is not None
    instant = db.call("metering_instant", machine.expires_at)
    db.call("metering_end", machine.id, "", instant)
    release_at = m.bin_until(machine.expires_at, shop.snapshot().billing_zone)
    m.begin(
        machine, "IsolateInstances", "", state=State.SHUTDOWN, restrict_state="EXPIRED", isolated_source="EXPIRE",
        isolated_at=machine.expires_at, release_at=release_at, arrears_since=None,
    )  # fmt: skip
    m.event(machine, "expired")
    m.send(machine, "isolate")
    m.send(machine, "release", due_at=release_at)
