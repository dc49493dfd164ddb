"""The pure rules: steps, tiers, terms, returns."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.pricing.rules import (
    FLAT,
    HOUR_S,
    Returnable,
    Step,
    Tier,
    hold_minor,
    may_return_free,
    postpaid_price,
    progressive,
    reached,
    return_refund,
    split_by_tier,
    split_refund,
    term_discount,
    traffic_price,
    used_value,
    whole_months,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
S5_TERMS = {
    1: Decimal("0.87"), 3: Decimal("0.78"), 6: Decimal("0.73"), 12: Decimal("0.69"),
    24: Decimal("0.55"), 36: Decimal("0.41"), 48: Decimal("0.33"), 60: Decimal("0.27"),
}  # fmt: skip
DEFAULT_TERMS = {6: Decimal("0.88"), 12: Decimal("0.83"), 24: Decimal("0.70"), 36: Decimal("0.50")}
MONTHLY_MBPS = [Step(Decimal(2), Decimal(20)), Step(Decimal(5), Decimal(25)), Step(None, Decimal(90))]
AGE_TIERS = (
    Tier(0, 96 * HOUR_S, Decimal(1)),
    Tier(96 * HOUR_S, 360 * HOUR_S, Decimal("0.5")),
    Tier(360 * HOUR_S, None, Decimal("0.34")),
)
rates = st.decimals(min_value=0, max_value=1000, places=8)


@pytest.mark.parametrize(("mbps", "price"), [(0, 0), (1, 20), (2, 40), (3, 65), (5, 115), (6, 205), (200, 17665)])
def test_the_upper_bound_belongs_to_the_lower_step(mbps: int, price: int) -> None:
    assert progressive(mbps, MONTHLY_MBPS) == price


def test_a_quantity_beyond_the_last_step_has_no_price() -> None:
    closed = [Step(Decimal(10), Decimal(5))]
    assert progressive(10, closed) == reached(10, closed) == 50
    with pytest.raises(ValueError, match="11 is beyond the last step"):
        progressive(11, closed)
    with pytest.raises(ValueError, match="11 is beyond the last step"):
        reached(11, closed)


@given(st.integers(0, 500), st.integers(0, 500))
def test_more_never_costs_less_in_progressive_steps(one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert progressive(less, MONTHLY_MBPS) <= progressive(more, MONTHLY_MBPS)


@pytest.mark.parametrize(
    ("months", "default", "own"),
    [(1, "1", "0.87"), (2, "1", "0.87"), (3, "1", "0.78"), (5, "1", "0.78"), (6, "0.88", "0.73"), (11, "0.88", "0.73"),
     (12, "0.83", "0.69"), (23, "0.83", "0.69"), (24, "0.70", "0.55"), (36, "0.50", "0.41"), (48, "0.50", "0.33"),
     (60, "0.50", "0.27")],
)  # fmt: skip
def test_a_term_takes_the_bracket_at_or_below_it(months: int, default: str, own: str) -> None:
    assert term_discount(months, DEFAULT_TERMS) == Decimal(default)
    assert term_discount(months, S5_TERMS) == Decimal(own)


@pytest.mark.parametrize(
    ("age_s", "seconds", "parts"),
    [
        (0, 96 * HOUR_S, [(0, 345600)]),
        (0, 96 * HOUR_S + 1, [(0, 345600), (345600, 1)]),
        (96 * HOUR_S, 10, [(345600, 10)]),
        (96 * HOUR_S - 1, 264 * HOUR_S + 2, [(0, 1), (345600, 950400), (1296000, 1)]),
        (400 * HOUR_S, 0, []),
    ],
)
def test_tiers_of_age_are_half_open(age_s: int, seconds: int, parts: list[tuple[int, int]]) -> None:
    assert [(part.tier.from_s, part.seconds) for part in split_by_tier(age_s, seconds, AGE_TIERS)] == parts


@given(st.integers(0, 10**8), st.integers(0, 10**7), rates)
def test_every_second_lies_in_one_tier_and_the_price_is_rounded_once(age_s: int, seconds: int, rate: Decimal) -> None:
    parts = split_by_tier(age_s, seconds, AGE_TIERS)
    assert sum(part.seconds for part in parts) == seconds
    precise = sum((Fraction(rate) * Fraction(part.tier.factor) * part.seconds for part in parts), Fraction(0)) / 3600
    assert postpaid_price(rate, seconds, AGE_TIERS, age_s) == Decimal(int(precise * 10**8 + Fraction(1, 2))).scaleb(-8)


@given(st.integers(0, 2**62), rates)
def test_traffic_is_exact_from_bytes(traffic_bytes: int, rate: Decimal) -> None:
    precise = Fraction(rate) * traffic_bytes / 2**30
    assert traffic_price(traffic_bytes, rate) == Decimal(int(precise * 10**8 + Fraction(1, 2))).scaleb(-8)


def test_the_hold_is_rounded_once_for_the_machine() -> None:
    assert hold_minor([Decimal("0.005"), Decimal("0.005")]) == 1
    assert hold_minor([Decimal("0.42"), Decimal("0.025")]) == 45
    assert hold_minor([]) == 0


@pytest.mark.parametrize(
    ("start", "instant", "months", "rest_s"),
    [
        ("2024-01-31T10:00", "2024-02-29T09:59:59", 0, 29 * 86400 - 1),
        ("2024-01-31T10:00", "2024-02-29T10:00:00", 1, 0),
        ("2024-01-31T10:00", "2024-03-31T09:59:59", 1, 31 * 86400 - 1),
        ("2024-01-31T10:00", "2024-03-31T10:00:00", 2, 0),
        ("2023-12-15T00:00", "2025-01-15T00:00:30", 13, 30),
        ("2024-05-01T00:00", "2024-05-01T00:00:00", 0, 0),
    ],
)
def test_used_months_count_by_anchor_day(start: str, instant: str, months: int, rest_s: int) -> None:
    begun = dt.datetime.fromisoformat(start).replace(tzinfo=SHANGHAI)
    assert whole_months(begun, dt.datetime.fromisoformat(instant).replace(tzinfo=SHANGHAI), SHANGHAI) == (
        months,
        rest_s,
    )


def test_a_period_that_has_not_begun_has_no_used_value() -> None:
    begun = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    with pytest.raises(ValueError, match="not begun"):
        whole_months(begun, begun - dt.timedelta(seconds=1), SHANGHAI)


def test_the_free_return_ends_after_five_days_that_second_included() -> None:
    delivered = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    last = delivered + dt.timedelta(days=5)
    assert may_return_free(delivered, last, days=5, used_before=False)
    assert not may_return_free(delivered, last + dt.timedelta(seconds=1), days=5, used_before=False)
    assert not may_return_free(delivered, delivered, days=5, used_before=True)
    assert not may_return_free(delivered, delivered, days=0, used_before=False)


def test_a_component_outside_the_discount_scope_is_used_up_at_list_price() -> None:
    inside = Returnable("cpu", Decimal(100), Decimal(0), FLAT, DEFAULT_TERMS)
    outside = Returnable("disk", Decimal(100), Decimal(0), FLAT, None)
    assert used_value([inside], 12, 0) == 996
    assert used_value([outside], 12, 0) == 1200


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.decimals(min_value=0, max_value=10**8, places=8), st.booleans())
def test_a_refund_never_exceeds_what_was_paid_by_either_purse(cash: int, gift: int, used: Decimal, free: bool) -> None:
    refund = return_refund(used, cash, gift, first_free=free)
    assert 0 <= refund.refund_minor <= cash + gift
    assert refund.cash_minor + refund.gift_minor == refund.refund_minor
    assert 0 <= refund.cash_minor <= cash
    assert 0 <= refund.gift_minor <= gift


@given(st.integers(0, 10**9), st.decimals(min_value=0, max_value=10**7, places=8), st.integers(1, 10**6))
def test_longer_use_never_gives_more_back(paid: int, used: Decimal, more: int) -> None:
    assert (
        return_refund(used + more, paid, 0, first_free=False).refund_minor
        <= return_refund(used, paid, 0, first_free=False).refund_minor
    )


def test_a_refund_above_what_was_paid_is_refused() -> None:
    with pytest.raises(ValueError, match="between nothing and what was paid"):
        split_refund(101, 60, 40)
    assert split_refund(0, 0, 0) == (0, 0)
    assert split_refund(1, 1, 1) == (1, 0)  # half a cent is rounded up for cash
