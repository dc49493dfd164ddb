"""Expiry of what is paid ahead: off, and kept in the recycle bin (billing-rules, section 4)."""

import uuid
from collections.abc import Sequence

from vmart.catalog import shop
from vmart.kernel import db
from vmart.orders import auto_renew, termed
from vmart.orders.machines import bin_until
from vmart.orders.termed import Termed
from vmart.orders.things import Thing, end_usage, event, is_expired
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``expire``, due at the expiry; waits for an operation that is under way.

    From the expiry on no other one is accepted (``acts.accepting``), so it waits for that one's end only.
    """
    for operation in batch:
        kind, busy = termed.OF[operation.subject_kind], False
        with db.act():
            db.call("ledger_lock", operation.account_id)
            thing = kind.locked(operation.subject_id)
            busy = thing.latest_operation_state == "OPERATING"
            due = not busy and queue.finish(owner, operation) and _due(kind, thing)
            if due and not auto_renew.renews_itself(thing):
                _expire(kind, thing)
        if busy:
            queue.put_off(owner, [operation], 1.0, "an operation on it is under way", waiting=True)


def _due(kind: Termed, thing: Thing) -> bool:
    return thing.state in kind.in_use and is_expired(thing)


def _expire(kind: Termed, thing: Thing) -> None:
    expired_at = thing.subscription.expires_at
    assert expired_at is not None
    end_usage([thing], db.call("metering_instant", expired_at))
    kind.expire(thing, expired_at, bin_until(expired_at, shop.snapshot().billing_zone))
    event(thing, "expired")
