"""The two clocks, and no other source of time.

``now()`` is business time: everything that is billed, expires or is shown. ``wall()`` serves
signatures, nonces, leases, login sessions and TLS. On a test clock business time stands still and
moves only when told; the process that starts installs where it reads business time from.
"""

import calendar
import datetime as dt
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

UTC = dt.UTC
HOUR = dt.timedelta(hours=1)


def wall() -> dt.datetime:
    """The machine's clock, UTC, with microseconds."""
    return dt.datetime.fromtimestamp(time.time(), UTC)


def monotonic() -> float:
    """Seconds of a clock that never goes back, for time limits within one process."""
    return time.monotonic()


def _whole_second_wall() -> dt.datetime:
    return wall().replace(microsecond=0)


_source: Callable[[], dt.datetime] = _whole_second_wall


def install(source: Callable[[], dt.datetime] | None) -> None:
    """Let ``now()`` read from ``source`` (whole seconds, UTC); None goes back to the wall clock."""
    global _source
    _source = source or _whole_second_wall


def source() -> Callable[[], dt.datetime]:
    """What ``now()`` reads from at present."""
    return _source


def now() -> dt.datetime:
    """Business time, UTC, cut to the whole second (billing-rules, section 1)."""
    return _source()


def hour_start(instant: dt.datetime) -> dt.datetime:
    """Start of the clock hour that holds ``instant``.

    The hours of every billing zone with a whole-hour offset are UTC hours; zones with a half or
    quarter hour are refused at first start, so that a charge has one UTC start.
    """
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def has_whole_hours(zone: ZoneInfo, since: dt.datetime) -> bool:
    """Whether the zone is whole hours off UTC, summer and winter, from the year of ``since`` on."""
    months = (dt.datetime(since.year + index // 12, index % 12 + 1, 1, tzinfo=zone) for index in range(40 * 12))
    return all((month.utcoffset() or dt.timedelta()) % HOUR == dt.timedelta() for month in months)


def month_start(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """First instant (UTC) of the billing month that holds ``instant`` in ``zone``."""
    local = instant.astimezone(zone)
    return dt.datetime(local.year, local.month, 1, tzinfo=zone).astimezone(UTC)


def add_months(start: dt.datetime, months: int, zone: ZoneInfo) -> dt.datetime:
    """``start`` plus whole months, same time of day in ``zone``, anchor day kept.

    31 January + 1 is 28 or 29 February, + 2 is 31 March: count from the first start, never from
    the previous result (billing-rules, section 4).
    """
    local = start.astimezone(zone)
    index = local.year * 12 + local.month - 1 + months
    year, month = divmod(index, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def midnight_not_before(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """The first 00:00 of ``zone`` that is not before ``instant``, in UTC."""
    local = instant.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    if midnight < local:
        midnight = (midnight.replace(tzinfo=None) + dt.timedelta(days=1)).replace(tzinfo=zone)
    return midnight.astimezone(UTC)
