"""What another price book would do to what runs: how many, and what an hour of all of them costs before and after."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from vmart.kernel import clock, db
from vmart.kernel.money import CONTEXT
from vmart.pricing.book import PriceBook, RateRow, hourly_rates

_ZERO = Decimal(0)
_Rates = Mapping[str, Sequence[RateRow]]


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one price key: how many pay it by the hour now, and what an hour of them costs, exact, in currency units."""

    price_key: str
    running: int
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Whole:
    """All that pays by the hour now. ``machines`` are those of which some price changes; ``prepaid`` pay nothing other
    before their renewal.
    """

    effects: Sequence[Effect]
    machines: int
    prepaid: int
    before: Decimal
    after: Decimal

    @property
    def more(self) -> Decimal:
        """What an hour brings in more; less where it is negative."""
        return self.after - self.before


# Open usage by key, quantity, in which tier of age it is now, and what part of list prices its account pays; traffic is
# charged by the byte, not by the hour.
_RUNNING = """
WITH paid AS MATERIALIZED (
  SELECT DISTINCT ON (account_id) account_id, factor FROM customers_discount
  WHERE from_at <= %(now)s ORDER BY account_id, from_at DESC)
SELECT price_key, quantity, count(*) AS number, coalesce(factor, 1) AS part,
       width_bucket(age_s + extract(epoch FROM %(now)s - started_at), %(bounds)s::numeric[]) AS tier
FROM metering_segment LEFT JOIN paid USING (account_id)
WHERE ended_at IS NULL AND component <> 'traffic' AND started_at <= %(now)s
GROUP BY price_key, quantity, part, tier
"""
_COUNTED = """
SELECT (SELECT count(DISTINCT subscription_id) FROM metering_segment
        WHERE ended_at IS NULL AND component <> 'traffic' AND price_key = ANY(%(keys)s)) AS machines,
       (SELECT count(*) FROM instances_instance WHERE state <> 'GONE' AND charge_type = 'PREPAID') AS prepaid
"""


def of_book(old: PriceBook, new: PriceBook) -> Whole:
    """What changes where ``new`` takes the place of ``old``; two statements."""
    before, after = _by_key(old), _by_key(new)
    bounds = sorted({row.tier_from_s for rows in (*before.values(), *after.values()) for row in rows})
    found: dict[str, list[tuple[int, Decimal, Decimal]]] = defaultdict(list)
    for row in db.rows(_RUNNING, now=clock.now(), bounds=bounds):
        age_s, part = bounds[max(row["tier"] - 1, 0)], row["part"]
        found[row["price_key"]].append((
            row["number"], part * an_hour(before.get(row["price_key"], ()), row["quantity"], age_s),
            part * an_hour(after.get(row["price_key"], ()), row["quantity"], age_s),
        ))  # fmt: skip
    effects = [_sum(key, rows) for key, rows in sorted(found.items())]
    changed = [effect for effect in effects if effect.before != effect.after]
    (counted,) = db.rows(_COUNTED, keys=[effect.price_key for effect in changed])
    with localcontext(CONTEXT):
        return Whole(changed, counted["machines"], counted["prepaid"], sum((one.before for one in effects), _ZERO),
                     sum((one.after for one in effects), _ZERO))  # fmt: skip


def an_hour(rates: Iterable[RateRow], quantity: int, age_s: int) -> Decimal:
    """What an hour of so many units costs at an age: each unit at its own step, as the close counts."""
    with localcontext(CONTEXT):
        return sum((_in_step(row, Decimal(quantity)) * row.rate for row in rates if _is_of(row, age_s)), _ZERO)


def _in_step(row: RateRow, quantity: Decimal) -> Decimal:
    top = quantity if row.step_to is None else min(quantity, row.step_to)
    return max(top - row.step_from, _ZERO)


def _is_of(row: RateRow, age_s: int) -> bool:
    return row.tier_from_s <= age_s and (row.tier_to_s is None or age_s < row.tier_to_s)


def _sum(key: str, rows: Sequence[tuple[int, Decimal, Decimal]]) -> Effect:
    with localcontext(CONTEXT):
        return Effect(key, sum(number for number, _old, _new in rows), sum((n * old for n, old, _new in rows), _ZERO),
                      sum((n * new for n, _old, new in rows), _ZERO))  # fmt: skip


def _by_key(book: PriceBook) -> _Rates:
    rates: dict[str, list[RateRow]] = defaultdict(list)
    for row in hourly_rates(book):
        rates[row.price_key].append(row)
    return rates
