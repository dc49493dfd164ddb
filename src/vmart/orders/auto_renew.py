"""Reminders before the end of a term, and renewal by itself (billing-rules, section 4).

What renews itself is renewed for a month: at 00:00 of its expiry's day, at its expiry (``orders/expire.py``
asks), then again and again out of the recycle bin. A failure is told at once.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db import transaction

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import timer
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.ledger.queries import balance
from vmart.orders import term, termed
from vmart.orders.priced_act import PricedAct
from vmart.orders.renew import Renewal
from vmart.orders.renew_flag import AUTO, SILENT
from vmart.orders.things import Thing, event
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``term``: what is due at this instant of the term, then on to the next one."""
    for operation in batch:
        kind = termed.OF[operation.subject_kind]
        with db.act():
            db.call("ledger_lock", operation.account_id)
            thing = kind.locked(operation.subject_id)
            waits = kind.waits(thing)
            if not waits and queue.finish(owner, operation) and thing.state in kind.renewable:
                _come_up(thing, operation)
        if waits:
            queue.put_off(owner, [operation], 1.0, "an operation on it is under way", waiting=True)


def _come_up(thing: Thing, operation: Claimed) -> None:
    expires_at, zone = thing.subscription.expires_at, shop.snapshot().billing_zone
    if expires_at is None:
        return
    reminds = term.reminds(operation.due_at, expires_at, zone)
    if not reminds and renews_itself(thing):
        return  # its timers follow the new expiry
    next_at = term.following(expires_at, operation.due_at, zone)
    if reminds and clock.now() < (next_at or expires_at):  # a reminder that a later one has overtaken is none
        _remind(thing, -((clock.now() - expires_at) // dt.timedelta(days=1)))
    if next_at is not None:
        queue.enqueue(term.KIND, thing.KIND, thing.id, account_id=thing.account_id, due_at=next_at)


def renews_itself(thing: Thing) -> bool:
    """Renew what is to renew itself, if it can be; whether it was. Belongs into an act, under the lock."""
    if thing.subscription.renew_flag != AUTO:
        return False
    try:
        with transaction.atomic():
            _renewal(thing).order_in_act(timer(thing.account_id), Renewal([thing.public_id]))
    except Refused as why:
        event(thing, "renew_failed", **record.reason(why))
        return False
    return True


def _renewal(thing: Thing) -> PricedAct[Renewal]:
    return termed.OF[thing.KIND].renewal


def _remind(thing: Thing, days: int) -> None:
    flag = thing.subscription.renew_flag
    if flag == SILENT or (flag == AUTO and _can_be_paid(thing)):
        return
    event(thing, "expires_soon", days=days)


def _can_be_paid(thing: Thing) -> bool:
    try:
        due_minor = _renewal(thing).price_in_act(thing.account_id, Renewal([thing.public_id])).due_minor
    except Refused:
        return False
    return bool(balance(thing.account_id).available_minor >= due_minor)
