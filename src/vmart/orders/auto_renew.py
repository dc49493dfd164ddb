"""Reminders before the end of a term, and renewal by itself (billing-rules, section 4).

A machine that renews itself is renewed for a month: at 00:00 of its expiry's day, at its expiry (``orders/expire.py``
asks), then again and again out of the recycle bin. A failure is told at once.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db import transaction

from vmart.catalog import shop
from vmart.events import record
from vmart.events.actor import timer
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.kernel.errors import Refused
from vmart.ledger.queries import balance
from vmart.orders import agreed, renew, term
from vmart.orders import machines as m
from vmart.orders.renew import Renewal
from vmart.orders.renew_flag import AUTO, SILENT
from vmart.worker import queue
from vmart.worker.queue import Claimed


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``term``: what is due at this instant of the term, then on to the next one."""
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            machine = m.locked(operation.subject_id)
            waits = agreed.is_changing(machine) or _is_being_turned_off(machine)
            if not waits and queue.finish(owner, operation):
                _come_up(machine, operation)
        if waits:
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)


def _is_being_turned_off(machine: Instance) -> bool:
    return machine.state == State.SHUTDOWN and machine.latest_operation_state == "OPERATING"


def _come_up(machine: Instance, operation: Claimed) -> None:
    expires_at, zone = machine.subscription.expires_at, shop.snapshot().billing_zone
    if expires_at is None or machine.state not in renew.RENEWABLE:
        return
    reminds = term.reminds(operation.due_at, expires_at, zone)
    if not reminds and renews_itself(machine):
        return  # its timers follow the new expiry
    next_at = term.following(expires_at, operation.due_at, zone)
    if reminds and clock.now() < (next_at or expires_at):  # a reminder that a later one has overtaken is none
        _remind(machine, -((clock.now() - expires_at) // dt.timedelta(days=1)))
    if next_at is not None:
        queue.enqueue(term.KIND, record.MACHINE, machine.id, account_id=machine.account_id, due_at=next_at)


def renews_itself(machine: Instance) -> bool:
    """Renew a machine that is to renew itself, if it can be; whether it was. Belongs into an act, under the lock."""
    if machine.subscription.renew_flag != AUTO:
        return False
    try:
        with transaction.atomic():
            renew.renew_in_act(timer(machine.account_id), Renewal([machine.public_id]))
    except Refused as why:
        m.event(machine, "renew_failed", why=why.sentence)
        return False
    return True


def _remind(machine: Instance, days: int) -> None:
    flag = machine.subscription.renew_flag
    if flag == SILENT or (flag == AUTO and _can_be_paid(machine)):
        return
    m.event(machine, "expires_soon", days=days)


def _can_be_paid(machine: Instance) -> bool:
    try:
        due_minor = renew.price_in_act(machine.account_id, Renewal([machine.public_id])).due_minor
    except Refused:
        return False
    return bool(balance(machine.account_id).available_minor >= due_minor)
