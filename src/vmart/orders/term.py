"""What comes up in the term of what is paid ahead: reminders before its end, renewal by itself, expiry.

Timers: ``expire`` at the expiry, and ``term`` at the next of the instants below, which it moves on from one to the
next. Business time; the instants follow the expiry, so a renewal moves them all (billing-rules, section 4).
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.orders.things import Thing, forget_work
from vmart.policy import policy
from vmart.policy.numbers import Policy
from vmart.worker import queue

KIND = "term"
_DAY = dt.timedelta(days=1)


def instants(
    expires_at: dt.datetime, after: dt.datetime, zone: ZoneInfo, rules_at: Callable[[dt.datetime], Policy]
) -> list[dt.datetime]:
    """In order: reminders by the policy of ``after``, attempts to renew; that at the expiry itself is the expiry's."""
    reminders = [expires_at - days * _DAY for days in rules_at(after).remind_days]
    return sorted([*reminders, _midnight(expires_at, zone), *_attempts_later(expires_at, rules_at)])


def _attempts_later(expires_at: dt.datetime, rules_at: Callable[[dt.datetime], Policy]) -> Iterator[dt.datetime]:
    """After the expiry. Each follows the policy of the one before: a pause that changes later moves none behind now."""
    at, done = expires_at, 2
    while done < (rules := rules_at(at)).auto_renew_attempts:
        at, done = at + dt.timedelta(hours=rules.auto_renew_pause_hours), done + 1
        yield at


def reminds(at: dt.datetime, expires_at: dt.datetime, zone: ZoneInfo) -> bool:
    """Whether an instant of the term is a reminder's, under whatever policy it was set; else it is to renew."""
    return at < expires_at and at != _midnight(expires_at, zone)


def _midnight(expires_at: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """00:00 of the expiry's day."""
    return expires_at.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(dt.UTC)


def following(expires_at: dt.datetime, after: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The next instant after ``after``; None when nothing follows."""
    return next((at for at in instants(expires_at, after, zone, policy.at) if at > after), None)


def forget(things: Sequence[Thing]) -> None:
    """Nothing comes up any more. Belongs into the act."""
    forget_work("expire", things)
    forget_work(KIND, things)


def follow(things: Sequence[Thing]) -> None:
    """Set the timers of one account's things of a kind by the expiry that they have now. Belongs into the act."""
    zone, now = shop.snapshot().billing_zone, clock.now()
    forget(things)
    due = []
    for thing in things:
        expires_at = thing.subscription.expires_at
        assert expires_at is not None
        due.append(("expire", thing.id, expires_at))
        if (at := following(expires_at, now, zone)) is not None:
            due.append((KIND, thing.id, at))
    queue.enqueue_each(things[0].account_id, things[0].KIND, due)
