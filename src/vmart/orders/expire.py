"""Expiry of a prepaid machine: network off, power off, kept in the recycle bin (billing-rules, section 4)."""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.orders import auto_renew
from vmart.orders import machines as m
from vmart.subscriptions.models import Source
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``expire``, due at the machine's expiry; waits for an operation that is under way.

    From the expiry on no other one is accepted (``acts.accepting``), so it waits for that one's end only.
    """
    for operation in batch:
        busy = False
        with db.act():
            db.call("ledger_lock", operation.account_id)
            machine = m.locked(operation.subject_id)
            busy = machine.latest_operation_state == "OPERATING"
            if not busy and queue.finish(owner, operation) and _due(machine) and not auto_renew.renews_itself(machine):
                _expire(machine)
        if busy:
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)


def _due(machine: Instance) -> bool:
    return machine.state in (State.RUNNING, State.STOPPED) and m.is_expired(machine)


def _expire(machine: Instance) -> None:
    expired_at = machine.subscription.expires_at
    assert expired_at is not None
    m.end_usage([machine], db.call("metering_instant", expired_at))
    release_at = m.bin_until(expired_at, shop.snapshot().billing_zone)
    m.begin(machine, "IsolateInstances", "", state=State.SHUTDOWN)
    m.isolate_all([machine], Source.EXPIRE, expired_at, release_at, arrears_since=None)
    m.event(machine, "expired")
    m.send(machine, "isolate")
    m.send(machine, "release", due_at=release_at)
