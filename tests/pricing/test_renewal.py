"""What a further term costs and when it ends, by the pure rule."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book
from vmart.kernel.clock import add_months
from vmart.pricing.errors import NoPrice, PeriodNotSold
from vmart.pricing.renewal import Term, price_minor, term_of_months, term_to_day, term_until

SHANGHAI = ZoneInfo("Asia/Shanghai")
CPU, DISK = "ap-guangzhou/cpu/S5.SMALL1", "ap-guangzhou/disk/CLOUD_PREMIUM"
MACHINE = [("cpu", CPU, 1), ("disk", DISK, 50)]


def _at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(dt.UTC)


def _until(found: Term) -> str:
    return found.period_to.astimezone(SHANGHAI).isoformat(sep=" ")[:16]


def test_the_anchor_day_is_kept_over_every_renewal() -> None:
    """Bought on 31 January for a month, then renewed by a month each time."""
    anchor = _at("2026-01-31 10:00")
    expires, ends = add_months(anchor, 1, SHANGHAI), []
    for _ in range(3):
        found = term_of_months(demo_book(), anchor, expires, 1, SHANGHAI)
        ends.append(_until(found))
        expires = found.period_to
    assert ends == ["2026-03-31 10:00", "2026-04-30 10:00", "2026-05-31 10:00"]


@given(anchor=st.integers(0, 1_800), months=st.sampled_from([2, 3, 6, 12]))
def test_one_long_term_ends_with_as_many_short_ones(anchor: int, months: int) -> None:
    begun = _at("2025-01-01 23:30") + anchor * dt.timedelta(days=1, seconds=7)
    book, expires = demo_book(), add_months(begun, 1, SHANGHAI)
    whole = term_of_months(book, begun, expires, months, SHANGHAI)
    for _ in range(months):
        expires = term_of_months(book, begun, expires, 1, SHANGHAI).period_to
    assert expires == whole.period_to == add_months(begun, months + 1, SHANGHAI)


@pytest.mark.parametrize(
    ("expires", "day", "months", "days", "until"),
    [
        ("2026-03-10 12:00", 10, 1, 0, "2026-04-10 12:00"),
        ("2026-03-10 12:00", 11, 1, 1, "2026-04-11 12:00"),
        ("2026-03-10 12:00", 9, 1, 29, "2026-05-09 12:00"),
        ("2026-01-31 12:00", 31, 1, 0, "2026-02-28 12:00"),
        ("2026-03-30 12:00", 31, 1, 0, "2026-04-30 12:00"),
        ("2026-12-15 12:00", 1, 1, 17, "2027-02-01 12:00"),
    ],
)
def test_a_unified_day_is_at_least_one_whole_month_on(
    expires: str, day: int, months: int, days: int, until: str
) -> None:
    at = _at(expires)
    found = term_to_day(at, at, day, SHANGHAI)
    assert (found.months, found.days, _until(found)) == (months, days, until)


def test_after_a_unified_day_terms_keep_that_day() -> None:
    expires = _at("2026-03-30 12:00")
    found = term_to_day(expires, expires, 31, SHANGHAI)
    following = term_of_months(demo_book(), found.anchor_at, found.period_to, 1, SHANGHAI)
    assert (_until(found), _until(following)) == ("2026-04-30 12:00", "2026-05-31 12:00")


@pytest.mark.parametrize(
    ("months", "days", "listed", "due"),
    [
        (1, 0, 6250, 5665),  # 45 × 0.87 + 17.5
        (12, 0, 75000, 58260),  # 12 × (45 × 0.69 + 17.5)
        (1, 17, 9792, 9207),  # and 17 days of 62.50 / 30
    ],
)
def test_the_price_of_a_term(months: int, days: int, listed: int, due: int) -> None:
    at = _at("2026-03-10 12:00")
    assert price_minor(demo_book(), MACHINE, Term(months, days, at, at)) == (listed, due)


@given(day=st.integers(0, 800), short_s=st.integers(0, 2 * 86_400) | st.integers(0, 28 * 86_400 - 1))
@example(day=0, short_s=1)  # 30 days and nearly a day more of a month of 31
def test_a_part_of_a_month_never_costs_more_than_the_month(day: int, short_s: int) -> None:
    """By list price: a day over is a thirtieth of it, also where 31 have begun."""
    begun = _at("2026-01-01 10:00") + dt.timedelta(days=day)
    month_on = add_months(begun, 1, SHANGHAI)
    part = term_until(begun, begun, month_on - dt.timedelta(seconds=short_s), begun, SHANGHAI)
    whole = term_until(begun, begun, month_on, begun, SHANGHAI)
    assert ((part.months, part.days) == (1, 0)) == (short_s == 0)
    assert price_minor(demo_book(), MACHINE, part)[0] <= price_minor(demo_book(), MACHINE, whole)[0] == 6250


@pytest.mark.parametrize(("days", "listed"), [(29, 6042), (30, 6250), (31, 6250)])
def test_31_days_over_cost_a_month(days: int, listed: int) -> None:
    at = _at("2026-03-10 12:00")
    assert price_minor(demo_book(), MACHINE, Term(0, days, at, at)) == (listed, listed)


def test_what_has_no_price_any_more_is_refused_by_name() -> None:
    at = _at("2026-03-10 12:00")
    with pytest.raises(NoPrice) as refused:
        price_minor(demo_book(), [("cpu", "mars/cpu/X", 1)], Term(1, 0, at, at))
    assert refused.value.sentence == "The book has no price any more for cpu."


def test_a_term_that_is_not_sold_is_refused() -> None:
    at = _at("2026-03-10 12:00")
    with pytest.raises(PeriodNotSold) as refused:
        term_of_months(demo_book(), at, at, 13, SHANGHAI)
    assert refused.value.field == "months"
    assert refused.value.sentence.startswith("A term of 13 months is not sold; possible are 1, 2, 3,")


def test_the_sum_is_rounded_once() -> None:
    at = _at("2026-03-10 12:00")
    _, due = price_minor(demo_book(), [("disk", DISK, 21), ("disk", DISK, 21)], Term(1, 1, at, at))
    assert due == int((Decimal("0.35") * 42 * 31 / 30 * 100).to_integral_value())
