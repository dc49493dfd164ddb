"""What comes up in the term of a prepaid machine: reminders before its end, renewal by itself, expiry.

Timers: ``expire`` at the expiry, and ``term`` at the next of the instants below, which it moves on from one to the
next. Business time; the instants follow the expiry, so a renewal moves them all (billing-rules, section 4).
"""

import datetime as dt
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.events import record
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.orders import machines as m
from vmart.worker import queue

KIND = "term"
REMIND_DAYS = (7, 5, 3, 1)
ATTEMPTS = 6  # to renew by itself: 00:00 of the expiry's day, the expiry, then every 24 hours
_DAY = dt.timedelta(days=1)


def instants(expires_at: dt.datetime, zone: ZoneInfo) -> list[tuple[dt.datetime, str]]:
    """(when, what), in order: remind, and renew. The attempt at the expiry itself is the expiry's own."""
    reminders = [(expires_at - days * _DAY, "remind") for days in REMIND_DAYS]
    local = expires_at.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(dt.UTC)
    later = [(expires_at + number * _DAY, "renew") for number in range(1, ATTEMPTS - 1)]
    return sorted([*reminders, (midnight, "renew"), *later])


def following(expires_at: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The next instant after ``after``; None when nothing follows."""
    return next((at for at, _ in instants(expires_at, zone) if at > after), None)


def forget(machines: Sequence[Instance]) -> None:
    """Nothing comes up any more. Belongs into the act."""
    m.forget_work("expire", machines)
    m.forget_work(KIND, machines)


def follow(machines: Sequence[Instance]) -> None:
    """Set the timers of one account's machines by the expiry that they have now. Belongs into the act."""
    zone, now = shop.snapshot().billing_zone, clock.now()
    forget(machines)
    due = []
    for machine in machines:
        expires_at = machine.subscription.expires_at
        assert expires_at is not None
        due.append(("expire", machine.id, expires_at))
        if (at := following(expires_at, now, zone)) is not None:
            due.append((KIND, machine.id, at))
    queue.enqueue_each(machines[0].account_id, record.MACHINE, due)
