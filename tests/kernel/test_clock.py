"""Months as contracts count them, hours as bills do."""

import calendar
import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.kernel import clock
from vmart.kernel.clock import UTC

SHANGHAI, BERLIN, UTC_ZONE = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")
zones = st.sampled_from([SHANGHAI, BERLIN, UTC_ZONE, ZoneInfo("America/New_York"), ZoneInfo("Pacific/Auckland")])
instants = st.integers(946_684_800, 4_102_444_799).map(
    lambda second: dt.datetime.fromtimestamp(second, UTC)
)  # 2000-2099


def _local(zone: ZoneInfo, *parts: int) -> dt.datetime:
    return dt.datetime(*parts, tzinfo=zone)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2026, 1, 31), 2, (2026, 3, 31)),
        ((2026, 1, 31), 3, (2026, 4, 30)),
        ((2024, 1, 31), 1, (2024, 2, 29)),
        ((2024, 2, 29), 12, (2025, 2, 28)),
        ((2024, 2, 29), 48, (2028, 2, 29)),
        ((2026, 12, 31), 2, (2027, 2, 28)),
        ((2026, 11, 30), 1, (2026, 12, 30)),
        ((2026, 5, 15), 60, (2031, 5, 15)),
        ((2026, 5, 15), 0, (2026, 5, 15)),
    ],
)
def test_a_term_ends_on_its_anchor_day_or_the_months_last(
    start: tuple[int, ...], months: int, end: tuple[int, ...]
) -> None:
    began = _local(SHANGHAI, *start, 15, 30, 59)
    assert clock.add_months(began.astimezone(UTC), months, SHANGHAI) == _local(SHANGHAI, *end, 15, 30, 59)


def test_the_day_is_the_billing_zones() -> None:
    """20:00 UTC on 31 January is 1 February in Shanghai: a month later it is 1 March there."""
    began = dt.datetime(2026, 1, 31, 20, tzinfo=UTC)
    assert clock.add_months(began, 1, SHANGHAI) == dt.datetime(2026, 2, 28, 20, tzinfo=UTC)
    assert clock.add_months(began, 1, UTC_ZONE) == dt.datetime(2026, 2, 28, 20, tzinfo=UTC)
    assert clock.add_months(began, 2, SHANGHAI) == dt.datetime(2026, 3, 31, 20, tzinfo=UTC)
    began = dt.datetime(2026, 1, 30, 20, tzinfo=UTC)  # the 31st there
    assert clock.add_months(began, 1, SHANGHAI) == dt.datetime(2026, 2, 27, 20, tzinfo=UTC)  # the 28th there


def test_the_time_of_day_is_kept_over_a_change_to_summer_time() -> None:
    began = _local(BERLIN, 2026, 3, 15, 12)
    assert clock.add_months(began, 1, BERLIN) == _local(BERLIN, 2026, 4, 15, 12)
    assert clock.add_months(began, 1, BERLIN) - began == dt.timedelta(days=31, hours=-1)


@given(start=instants, months=st.integers(0, 120), zone=zones)
def test_counting_months(start: dt.datetime, months: int, zone: ZoneInfo) -> None:
    """Never a day that the month has not, never another month, and later for more months."""
    local, end = start.astimezone(zone), clock.add_months(start, months, zone).astimezone(zone)
    assert (end.year * 12 + end.month) - (local.year * 12 + local.month) == months
    assert end.day == min(local.day, calendar.monthrange(end.year, end.month)[1])
    assert clock.add_months(start, months + 1, zone) > end


@given(instant=instants, zone=zones)
def test_a_month_begins_at_midnight_of_its_first(instant: dt.datetime, zone: ZoneInfo) -> None:
    start = clock.month_start(instant, zone)
    local = start.astimezone(zone)
    assert (local.day, local.hour, local.minute, local.second) == (1, 0, 0, 0)
    assert start <= instant < clock.add_months(start, 1, zone)
    assert clock.month_start(start, zone) == start
    assert clock.month_start(start - dt.timedelta(seconds=1), zone) < start


@given(instant=instants, zone=zones)
def test_the_next_midnight(instant: dt.datetime, zone: ZoneInfo) -> None:
    midnight = clock.midnight_not_before(instant, zone)
    assert (midnight.astimezone(zone).hour, midnight.astimezone(zone).minute) == (0, 0)
    assert dt.timedelta(0) <= midnight - instant < dt.timedelta(hours=25)  # the longest day has 25 hours
    assert clock.midnight_not_before(midnight, zone) == midnight


@given(instant=instants)
def test_an_hour_holds_its_first_second_and_not_its_last_ones_next(instant: dt.datetime) -> None:
    hour = clock.hour_start(instant)
    assert (hour.minute, hour.second, hour.microsecond) == (0, 0, 0)
    assert hour <= instant < hour + clock.HOUR
    assert clock.hour_start(hour) == hour == clock.hour_start(hour.astimezone(SHANGHAI))


def test_business_time_has_whole_seconds_and_goes_back_to_the_wall() -> None:
    clock.install(lambda: dt.datetime(2026, 3, 1, tzinfo=UTC))
    assert clock.now() == dt.datetime(2026, 3, 1, tzinfo=UTC)
    assert abs(clock.wall() - dt.datetime.now(UTC)) < dt.timedelta(seconds=5)
    clock.install(None)
    assert clock.now().microsecond == 0
    assert abs(clock.now() - clock.wall()) < dt.timedelta(seconds=5)
