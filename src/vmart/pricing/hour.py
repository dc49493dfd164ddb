"""The hourly close as pure functions: what one component of one resource costs in one clock hour.

Roundings, all half away from zero, and no others (billing-rules, section 1):
1. A line (segment × price version × tier of age) is not rounded: it keeps seconds × price, exact.
2. The component's charge of the hour is Σ lines / 3600 (traffic: Σ bytes × price / 2^30), rounded once, to
   8 decimals. Of an account with a discount that × its factor, rounded to 8 decimals again.
3. What a close deducts of an account is half_up(its statement's exact total with this close) − half_up(the total
   before), to the minor unit: the account's month is right to the cent after every hour.
The settlement SQL (settlement/sql/functions.sql) computes the same and is proven equal to these functions.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import zip_longest

from vmart.kernel.clock import HOUR
from vmart.kernel.money import CONTEXT, exact, to_minor
from vmart.pricing.book import PriceBook, RateRow, hourly_rates
from vmart.pricing.rules import GIB_BYTES, HOUR_S

_ZERO = Decimal(0)


class PriceMissingError(ValueError):
    """Usage for which no price is in force: the account's close stops and says so, nothing is free by accident."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Usage of ``quantity`` units at one price key in [``start``, ``end``); an open one has no end.

    ``age_s`` is the tier clock at ``start``: seconds charged since tier 1 began, pauses left out.
    """

    start: dt.datetime
    end: dt.datetime | None
    quantity: int
    price_key: str
    age_s: int = 0


@dataclass(frozen=True, slots=True)
class ByteSample:
    """Outbound bytes counted at ``taken_at``; they belong to the hour of that instant."""

    taken_at: dt.datetime
    traffic_bytes: int


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """Rates in force from ``effective_at`` until the next version's, by price key."""

    effective_at: dt.datetime
    rates: Mapping[str, Sequence[RateRow]]


@dataclass(frozen=True, slots=True)
class Line:
    """A stretch of one segment at one price: ``seconds`` × ``rate_per_hour`` (all units, after the tier).

    Of traffic: ``quantity`` bytes at ``rate_per_hour`` a GiB, ``seconds`` 0.
    """

    price_key: str
    quantity: int
    start: dt.datetime
    end: dt.datetime
    seconds: int
    tier_from_s: int
    rate_per_hour: Decimal

    @property
    def amount(self) -> Decimal:
        """To 8 decimals, for show: a charge is rounded as a whole, not the sum of these."""
        with localcontext(CONTEXT):
            if self.seconds:
                return exact(self.seconds * self.rate_per_hour / HOUR_S)
            return exact(self.quantity * self.rate_per_hour / GIB_BYTES)


@dataclass(frozen=True, slots=True)
class HourCharge:
    """One component's charge of one hour, to 8 decimals. No lines: nothing was used, and there is no charge."""

    lines: tuple[Line, ...]
    exact: Decimal


def price_version(book: PriceBook) -> PriceVersion:
    """The rates of a price book, as the close joins them."""
    rates: dict[str, list[RateRow]] = {}
    for row in hourly_rates(book):
        rates.setdefault(row.price_key, []).append(row)
    return PriceVersion(book.effective_at, rates)


def charge_hour(
    segments: Iterable[Segment],
    versions: Sequence[PriceVersion],
    hour: dt.datetime,
    *,
    until: dt.datetime | None = None,
) -> HourCharge:
    """Charge of one resource's component for the clock hour that starts at ``hour``.

    ``until`` cuts the hour off for the live cost of an open hour. Raises PriceMissingError.
    """
    end = hour + HOUR if until is None else min(until, hour + HOUR)
    lines = []
    for segment in segments:
        low, high = max(segment.start, hour), end if segment.end is None else min(segment.end, end)
        for version, start, stop in _by_version(versions, low, high, segment.price_key):
            lines += _tier_lines(segment, version.rates[segment.price_key], start, stop)
    with localcontext(CONTEXT):
        total = sum((line.seconds * line.rate_per_hour for line in lines), _ZERO)
        return HourCharge(tuple(lines), exact(total / HOUR_S))


def charge_traffic(
    samples: Iterable[ByteSample],
    price_key: str,
    versions: Sequence[PriceVersion],
    hour: dt.datetime,
) -> HourCharge:
    """Charge for the outbound bytes whose samples were taken in the hour, each at the price of its instant."""
    sampled = [sample for sample in samples if hour <= sample.taken_at < hour + HOUR]
    if not sampled:
        return HourCharge((), _ZERO)
    first = min(sample.taken_at for sample in sampled)
    lines = []
    for version, start, stop in _by_version(versions, first, hour + HOUR, price_key):
        counted = sum(sample.traffic_bytes for sample in sampled if start <= sample.taken_at < stop)
        if counted:
            lines.append(Line(price_key, counted, start, stop, 0, 0, version.rates[price_key][0].rate))
    with localcontext(CONTEXT):
        total = sum((line.quantity * line.rate_per_hour for line in lines), _ZERO)
        return HourCharge(tuple(lines), exact(total / GIB_BYTES))


def discounted(charge: HourCharge, factor: Decimal) -> HourCharge:
    """The charge of an account that pays ``factor`` of list prices in this hour; its lines stay list prices."""
    with localcontext(CONTEXT):
        return charge if factor == 1 else HourCharge(charge.lines, exact(charge.exact * factor))


def deducted_minor(before: Decimal, amount: Decimal, places: int = 2) -> int:
    """What a close deducts for ``amount``, exact, after its account's statement has taken in ``before``, exact.

    Negative: it gives so much back.
    """
    with localcontext(CONTEXT):
        return to_minor(before + amount, places) - to_minor(before, places)


def _by_version(
    versions: Sequence[PriceVersion], low: dt.datetime, high: dt.datetime, price_key: str
) -> list[tuple[PriceVersion, dt.datetime, dt.datetime]]:
    """[low, high) cut at the instants at which prices become effective."""
    if high <= low:
        return []
    ordered = sorted(versions, key=lambda version: version.effective_at)
    pieces = []
    for version, following in zip_longest(ordered, ordered[1:]):
        end = following.effective_at if following else high
        start, stop = max(low, version.effective_at), min(high, end)
        if stop > start:
            if price_key not in version.rates:
                raise PriceMissingError(f"{price_key} has no price at {start.isoformat()}")
            pieces.append((version, start, stop))
    if not pieces or pieces[0][1] > low:
        raise PriceMissingError(f"{price_key} has no price at {low.isoformat()}")
    return pieces


def _tier_lines(segment: Segment, rows: Sequence[RateRow], start: dt.datetime, stop: dt.datetime) -> list[Line]:
    """[start, stop) of a segment cut at the tiers of age; in each, units are priced step by step."""
    age_start = segment.age_s + int((start - segment.start).total_seconds())
    age_stop = age_start + int((stop - start).total_seconds())
    lines = []
    for from_s, to_s in dict.fromkeys((row.tier_from_s, row.tier_to_s) for row in rows):
        low, high = max(age_start, from_s), age_stop if to_s is None else min(age_stop, to_s)
        if high <= low:
            continue
        rate = rate_per_hour(rows, segment.quantity, from_s)
        begin = start + dt.timedelta(seconds=low - age_start)
        end = start + dt.timedelta(seconds=high - age_start)
        lines.append(Line(segment.price_key, segment.quantity, begin, end, high - low, from_s, rate))
    return lines


def rate_per_hour(rows: Sequence[RateRow], quantity: int, tier_from_s: int = 0) -> Decimal:
    """An hour of ``quantity`` units of one price key, in the tier of age that begins at ``tier_from_s``.

    Progressive: Σ units of each step × its rate.
    """
    steps = [row for row in rows if row.tier_from_s == tier_from_s]
    with localcontext(CONTEXT):
        units = ((min(Decimal(quantity), s.step_to or Decimal(quantity)) - s.step_from, s.rate) for s in steps)
        return sum((count * rate for count, rate in units if count > 0), _ZERO)
