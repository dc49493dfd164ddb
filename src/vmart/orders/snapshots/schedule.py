"""When a policy is due: at full hours of days of the week, as the clocks of the billing zone show them."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from vmart.catalog import shop
from vmart.kernel import clock
from vmart.storage.policies import SnapshotPolicy, numbers


def next_at(policy: SnapshotPolicy) -> dt.datetime | None:
    """The policy's next instant after now; None of one that is not active."""
    if not policy.active:
        return None
    return following(numbers(policy.hours), numbers(policy.weekdays), clock.now(), shop.snapshot().billing_zone)


def following(hours: list[int], weekdays: list[int], after: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The first instant after ``after``; ``weekdays``: 0 is Sunday. An hour that a day leaves out comes later in it."""
    return min(at for at in _in_a_week(hours, weekdays, after, zone) if at > after)


def _in_a_week(hours: list[int], weekdays: list[int], after: dt.datetime, zone: ZoneInfo) -> Iterator[dt.datetime]:
    first = after.astimezone(zone).date()
    for ahead in range(8):
        day = first + dt.timedelta(days=ahead)
        if day.isoweekday() % 7 in weekdays:
            for hour in hours:
                yield dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC)
