"""The hourly close, pure: what an hour costs, and what is deducted for it."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pricing.demo import demo_book
from vmart.kernel.money import to_minor
from vmart.pricing.book import PriceBook, parse_book
from vmart.pricing.hour import (
    ByteSample,
    HourCharge,
    Line,
    PriceMissingError,
    PriceVersion,
    Segment,
    charge_hour,
    charge_traffic,
    deducted_minor,
    price_version,
)
from vmart.pricing.rules import postpaid_price, progressive, rate_seconds

TEN = dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)
ELEVEN = TEN + dt.timedelta(hours=1)
S1, BANDWIDTH, TRAFFIC = "ap-guangzhou/cpu/S1.SMALL1", "ap-guangzhou/bandwidth", "ap-guangzhou/traffic"
S2 = "ap-guangzhou/cpu/S5.SMALL2"
NOTHING = Decimal(0)
BOOK = demo_book()
LISTED = price_version(BOOK)


def _at(seconds: int) -> dt.datetime:
    return TEN + dt.timedelta(seconds=seconds)


def _dearer(effective_at: dt.datetime, factor: str = "2") -> PriceBook:
    plain = BOOK.plain() | {"version": 2, "effective_at": effective_at.isoformat()}
    plain["regions"] = {name: {"factor": factor} for name in plain["regions"]}
    return parse_book(plain)


def _cents(charge: HourCharge) -> tuple[Decimal, int]:
    return charge.exact, deducted_minor(NOTHING, charge.exact)


def test_an_open_segment_is_charged_to_the_end_of_the_hour_and_no_further() -> None:
    charge = charge_hour([Segment(_at(2700), None, 1, S1)], [LISTED], TEN)
    assert _cents(charge) == (Decimal("0.105"), 11)
    assert [(line.start, line.end, line.seconds) for line in charge.lines] == [(_at(2700), ELEVEN, 900)]


def test_a_segment_from_days_ago_is_charged_for_this_hour_alone_at_its_age() -> None:
    """No pause: the 96th hour lies in the first tier to its last second, the next one in the second."""
    last_full = charge_hour([Segment(_at(-95 * 3600), None, 1, S1)], [LISTED], TEN)
    assert _cents(last_full) == (Decimal("0.42"), 42)
    first_half = charge_hour([Segment(_at(-96 * 3600), None, 1, S1)], [LISTED], TEN)
    assert _cents(first_half) == (Decimal("0.21"), 21)
    assert [(line.tier_from_s, line.seconds) for line in first_half.lines] == [(96 * 3600, 3600)]


def test_an_hour_in_which_a_tier_ends_has_a_line_for_each() -> None:
    charge = charge_hour([Segment(TEN, None, 1, S1, age_s=96 * 3600 - 600)], [LISTED], TEN)
    assert [(line.seconds, line.rate_per_hour, line.amount) for line in charge.lines] == [
        (600, Decimal("0.42"), Decimal("0.07")),
        (3000, Decimal("0.21"), Decimal("0.175")),
    ]
    assert charge.lines[0].end == charge.lines[1].start == _at(600)
    assert charge.exact == Decimal("0.245")


def test_a_pause_stops_the_tier_clock() -> None:
    """Before the pause the clock had reached 95 h: after it the first tier still holds for one hour."""
    paused = Segment(_at(-200 * 3600), _at(-105 * 3600), 1, S1)
    again = Segment(TEN, None, 1, S1, age_s=95 * 3600)
    assert charge_hour([paused, again], [LISTED], TEN).exact == Decimal("0.42")
    assert charge_hour([paused, again], [LISTED], ELEVEN).exact == Decimal("0.21")


def test_a_price_that_becomes_effective_within_the_hour_splits_the_segment() -> None:
    later = price_version(_dearer(_at(1800)))
    charge = charge_hour([Segment(_at(-10), None, 1, S2)], [later, LISTED], TEN)
    assert [(line.seconds, line.rate_per_hour) for line in charge.lines] == [
        (1800, Decimal("0.18")),
        (1800, Decimal("0.36")),
    ]
    assert _cents(charge) == (Decimal("0.27"), 27)
    assert charge_hour([Segment(TEN, None, 1, S2)], [LISTED, later], ELEVEN).exact == Decimal("0.36")


def test_bandwidth_is_charged_step_by_step_per_second_in_force() -> None:
    two_then_six = [Segment(TEN, _at(1800), 2, BANDWIDTH), Segment(_at(1800), None, 6, BANDWIDTH)]
    assert _cents(charge_hour(two_then_six, [LISTED], TEN)) == (Decimal("0.3455"), 35)


def test_no_seconds_make_no_charge_and_a_small_one_is_still_a_charge() -> None:
    empty = charge_hour([Segment(_at(5), _at(5), 1, S1), Segment(ELEVEN, None, 1, S1)], [LISTED], TEN)
    assert (empty.lines, empty.exact) == ((), 0)
    small = charge_hour([Segment(_at(5), _at(6), 1, S1)], [LISTED], TEN)
    assert (len(small.lines), *_cents(small)) == (1, Decimal("0.00011667"), 0)


def test_the_live_cost_of_an_open_hour_is_the_same_rule_up_to_now() -> None:
    running = [Segment(TEN, None, 1, S1)]
    assert charge_hour(running, [LISTED], TEN, until=_at(900)).exact == Decimal("0.105")
    assert charge_hour(running, [LISTED], TEN, until=_at(9000)).exact == Decimal("0.42")
    assert charge_hour(running, [LISTED], TEN, until=_at(-5)).lines == ()


def test_usage_without_a_price_is_an_error_and_never_free() -> None:
    with pytest.raises(PriceMissingError, match="mars/cpu/S1 has no price"):
        charge_hour([Segment(TEN, None, 1, "mars/cpu/S1")], [LISTED], TEN)
    not_yet = price_version(_dearer(_at(60)))
    with pytest.raises(PriceMissingError, match="no price at 2024-05-01T10:00:00"):
        charge_hour([Segment(TEN, None, 1, S1)], [not_yet], TEN)
    with pytest.raises(PriceMissingError):
        charge_hour([Segment(TEN, None, 1, S1)], [], TEN)


def test_a_type_that_is_new_in_the_second_book_needs_no_price_in_the_first() -> None:
    before = PriceVersion(_at(-9999), {})
    dearer = price_version(_dearer(TEN))
    assert charge_hour([Segment(TEN, None, 1, S2)], [before, dearer], TEN).exact == Decimal("0.36")


def test_a_resize_every_forty_seconds_is_not_rounded_to_nothing() -> None:
    """Section 8: 90 pieces of 40 s; each alone is 0.0047, together they are the hour's price."""
    pieces = [Segment(_at(40 * n), _at(40 * n + 40), 1, S1) for n in range(90)]
    assert _cents(charge_hour(pieces, [LISTED], TEN)) == (Decimal("0.42"), 42)


def test_traffic_is_charged_in_the_hour_of_the_sample_exactly_from_bytes() -> None:
    samples = [ByteSample(_at(-1), 2**40), ByteSample(TEN, 2**30), ByteSample(_at(3599), 2**29), ByteSample(ELEVEN, 1)]
    charge = charge_traffic(samples, TRAFFIC, [LISTED], TEN)
    assert _cents(charge) == (Decimal("1.2"), 120)
    assert charge.lines == (Line(TRAFFIC, 2**30 + 2**29, TEN, ELEVEN, 0, 0, Decimal("0.8")),)
    assert charge.lines[0].amount == Decimal("1.2")
    one_byte = charge_traffic(samples, TRAFFIC, [LISTED], ELEVEN)
    assert _cents(one_byte) == (Decimal(0), 0)
    assert len(one_byte.lines) == 1
    assert charge_traffic(samples, TRAFFIC, [], TEN + dt.timedelta(hours=9)).lines == ()


def test_traffic_takes_the_price_of_the_sample() -> None:
    versions = [LISTED, price_version(_dearer(_at(1800)))]
    samples = [ByteSample(_at(1799), 2**30), ByteSample(_at(1800), 2**30)]
    charge = charge_traffic(samples, TRAFFIC, versions, TEN)
    assert [line.amount for line in charge.lines] == [Decimal("0.8"), Decimal("1.6")]
    with pytest.raises(PriceMissingError):
        charge_traffic(samples, TRAFFIC, versions[1:], TEN)


@given(st.lists(st.decimals(min_value=-50, max_value=50, places=8), max_size=40))
def test_the_running_total_is_right_to_the_cent_after_every_hour(amounts: list[Decimal]) -> None:
    before, deducted = NOTHING, 0
    for amount in amounts:
        deducted += deducted_minor(before, amount)
        before += amount
        assert deducted == to_minor(before)
        assert abs(Decimal(deducted) / 100 - before) <= Decimal("0.005")


def test_a_currency_without_decimals_is_deducted_in_its_own_unit() -> None:
    assert deducted_minor(Decimal("0.2"), Decimal("0.42"), places=0) == 1
    assert deducted_minor(Decimal("0.6"), Decimal("-0.2"), places=0) == -1


spans = st.tuples(st.integers(-4000, 4000), st.integers(0, 8000), st.booleans())
KEYS = {
    S1: st.just(1),
    S2: st.just(1),
    BANDWIDTH: st.integers(1, 100),
    "ap-shanghai/disk/CLOUD_BSSD": st.integers(1, 9999),
}


@st.composite
def usage(draw: st.DrawFn) -> Segment:
    start, length, is_open = draw(spans)
    key = draw(st.sampled_from(sorted(KEYS)))
    end = None if is_open else _at(start + length)
    return Segment(_at(start), end, draw(KEYS[key]), key, draw(st.integers(0, 400 * 3600)))


def _by_seconds(segment: Segment, change_s: int, dearer: PriceBook) -> Fraction:
    """The same, second by second, out of the books themselves: no lines, no cutting, no decimals."""
    region, kind, *name = segment.price_key.split("/")
    end_s = 3600 if segment.end is None else int((segment.end - TEN).total_seconds())
    start_s = int((segment.start - TEN).total_seconds())
    total = Fraction(0)
    for second in range(max(0, start_s), min(3600, end_s)):
        prices = (BOOK if second < change_s else dearer).regions[region]
        unit = prices.bandwidth if kind == "bandwidth" else getattr(prices, kind)[name[0]]
        age_s = segment.age_s + second - start_s
        factor = next(tier.factor for tier in unit.tiers if tier.to_s is None or age_s < tier.to_s)
        total += Fraction(factor) * Fraction(progressive(segment.quantity, unit.hour))
    return total / 3600


@given(st.lists(usage(), min_size=1, max_size=4), st.integers(1, 3599))
def test_an_hour_equals_the_sum_of_its_seconds(segments: list[Segment], change_s: int) -> None:
    dearer = _dearer(_at(change_s), "1.3")
    charge = charge_hour(segments, [LISTED, price_version(dearer)], TEN)
    precise = sum((_by_seconds(segment, change_s, dearer) for segment in segments), Fraction(0))
    assert charge.exact == Decimal(int(precise * 10**8 + Fraction(1, 2))).scaleb(-8)


@given(usage(), st.integers(0, 3600))
def test_cutting_a_segment_anywhere_changes_nothing(segment: Segment, cut_s: int) -> None:
    cut = min(max(segment.start, _at(cut_s)), segment.end or _at(cut_s + 4000))
    age_s = segment.age_s + int((cut - segment.start).total_seconds())
    halves = [
        Segment(segment.start, cut, segment.quantity, segment.price_key, segment.age_s),
        Segment(cut, segment.end, segment.quantity, segment.price_key, age_s),
    ]
    whole, pieces = (charge_hour(part, [LISTED], TEN) for part in ([segment], halves))
    assert whole.exact == pieces.exact


def test_the_close_and_the_price_of_a_stretch_are_one_rule() -> None:
    unit = BOOK.regions["ap-guangzhou"].cpu["S1.SMALL1"]
    charge = charge_hour([Segment(TEN, None, 1, S1, age_s=345000)], [LISTED], TEN)
    assert charge.exact == postpaid_price(unit.hour[0].price, 3600, unit.tiers, 345000)
    assert rate_seconds(unit.hour[0].price, 3600, unit.tiers, 345000) == 600 * Decimal("0.42") + 3000 * Decimal("0.21")
