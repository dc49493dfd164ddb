"""What things cost: pure functions over exact decimals (billing-rules, sections 1 to 3).

Nothing here rounds unless its docstring says so. Sums are exact: rates have at most 8 decimals, factors
at most 4, and ``money.CONTEXT`` carries 40 digits. Page, order, API and settlement use these alone.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from vmart.kernel.clock import add_months
from vmart.kernel.money import CONTEXT, exact, half_up, to_minor

HOUR_S = 3600
GIB_BYTES = 2**30
_ONE = Decimal(1)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Step:
    """Units above the step before and up to ``up_to`` (inclusive; None: without end) cost ``price`` each."""

    up_to: Decimal | None
    price: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """At an age in [``from_s``, ``to_s``) of the tier clock the rate is multiplied by ``factor``."""

    from_s: int
    to_s: int | None
    factor: Decimal


FLAT: tuple[Tier, ...] = (Tier(0, None, _ONE),)


@dataclass(frozen=True, slots=True)
class TieredHours:
    """Part of a run of seconds that lies in one tier."""

    tier: Tier
    seconds: int


def progressive(quantity: Decimal | int, steps: Sequence[Step]) -> Decimal:
    """Each unit at its own step (Tencent 213/10580). Raises ValueError beyond the last step."""
    with localcontext(CONTEXT):
        total, below = _ZERO, _ZERO
        for step in steps:
            top = Decimal(quantity) if step.up_to is None else min(Decimal(quantity), step.up_to)
            if top > below:
                total += (top - below) * step.price
            if step.up_to is None or quantity <= step.up_to:
                return total
            below = step.up_to
    raise ValueError(f"{quantity} is beyond the last step")


def reached(quantity: Decimal | int, steps: Sequence[Step]) -> Decimal:
    """All units at the price of the step the total falls in. Raises ValueError beyond the last step."""
    for step in steps:
        if step.up_to is None or quantity <= step.up_to:
            with localcontext(CONTEXT):
                return quantity * step.price
    raise ValueError(f"{quantity} is beyond the last step")


def term_discount(months: Decimal | int, table: Mapping[int, Decimal]) -> Decimal:
    """Factor for a term: that of the bracket at or below ``months``; below the first bracket it is 1."""
    begun = [start for start in table if start <= months]
    return table[max(begun)] if begun else _ONE


def prepaid_price(monthly: Decimal, months: int, discount: Decimal = _ONE) -> Decimal:
    """Price of a term, exact: monthly list × months × discount (Tencent 213/15569)."""
    with localcontext(CONTEXT):
        return monthly * months * discount


def split_by_tier(age_s: int, seconds: int, tiers: Sequence[Tier]) -> list[TieredHours]:
    """The run of ``seconds`` that begins at ``age_s`` of the tier clock, cut at the tiers' bounds."""
    end_s = age_s + seconds
    parts = []
    for tier in tiers:
        low = max(age_s, tier.from_s)
        high = end_s if tier.to_s is None else min(end_s, tier.to_s)
        if high > low:
            parts.append(TieredHours(tier, high - low))
    return parts


def rate_seconds(rate_per_hour: Decimal, seconds: int, tiers: Sequence[Tier], age_s: int) -> Decimal:
    """Σ seconds × factor × rate, without the division by 3600: exact, so that sums of it are too."""
    with localcontext(CONTEXT):
        return sum(
            (part.seconds * part.tier.factor * rate_per_hour for part in split_by_tier(age_s, seconds, tiers)), _ZERO
        )


def per_hour(total_rate_seconds: Decimal) -> Decimal:
    """Amount of summed ``rate_seconds``: divided by 3600 and rounded once, to 8 decimals."""
    with localcontext(CONTEXT):
        return exact(total_rate_seconds / HOUR_S)


def postpaid_price(rate_per_hour: Decimal, seconds: int, tiers: Sequence[Tier] = FLAT, age_s: int = 0) -> Decimal:
    """What ``seconds`` cost from ``age_s`` of the tier clock on, to 8 decimals (Tencent 213/2176, 213/2180)."""
    return per_hour(rate_seconds(rate_per_hour, seconds, tiers, age_s))


def traffic_price(traffic_bytes: int, price_per_gib: Decimal) -> Decimal:
    """Outbound bytes at a price per 2^30 bytes, to 8 decimals."""
    with localcontext(CONTEXT):
        return exact(traffic_bytes * price_per_gib / GIB_BYTES)


def hold_minor(hourly_rates: Iterable[Decimal], places: int = 2) -> int:
    """Hold of one machine: one hour of every component with a fixed hourly price, summed, then half-up."""
    with localcontext(CONTEXT):
        return to_minor(sum(hourly_rates, _ZERO), places)


@dataclass(frozen=True, slots=True)
class Returnable:
    """What a component of a prepaid machine is worth by month and by hour, out of its order's price book.

    ``monthly`` and ``hourly`` are for the whole quantity, list prices of tier 1. ``terms`` is empty where
    the component is outside the order's discount scope.
    """

    component: str
    monthly: Decimal
    hourly: Decimal
    tiers: tuple[Tier, ...] = FLAT
    terms: Mapping[int, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class Refund:
    """What a return gives back, in minor units; ``used`` is the exact used value."""

    used: Decimal
    refund_minor: int
    cash_minor: int
    gift_minor: int
    first_free: bool = False


def whole_months(start: dt.datetime, instant: dt.datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Whole months by anchor day since ``start`` and the seconds that are left over."""
    if instant < start:
        raise ValueError("the period has not begun")
    local_start, local_now = start.astimezone(zone), instant.astimezone(zone)
    months = max(0, (local_now.year - local_start.year) * 12 + local_now.month - local_start.month)
    while months and add_months(start, months, zone) > instant:
        months -= 1
    return months, int((instant - add_months(start, months, zone)).total_seconds())


def used_value(components: Iterable[Returnable], months: int, rest_s: int) -> Decimal:
    """Whole months at list × the discount of that many months, the rest to the second at postpaid prices.

    The tiers of the rest start at age 0. To 8 decimals, one rounding a component (billing-rules,
    section 3, Return).
    """
    total = _ZERO
    with localcontext(CONTEXT):
        for component in components:
            discount = term_discount(months, component.terms or {})
            total += prepaid_price(component.monthly, months, discount)
            total += postpaid_price(component.hourly, rest_s, component.tiers)
    return total


def may_return_free(delivered_at: dt.datetime, instant: dt.datetime, *, days: int, used_before: bool) -> bool:
    """The one free return of an account: within ``days`` × 24 h of delivery, that second included; 0: none is."""
    return not used_before and days > 0 and instant - delivered_at <= dt.timedelta(days=days)


def split_refund(refund_minor: int, cash_minor: int, gift_minor: int) -> tuple[int, int]:
    """Cash and gift of a refund in the proportion in which they were paid; cash half-up, gift the rest."""
    paid = cash_minor + gift_minor
    if not 0 <= refund_minor <= paid:
        raise ValueError("a refund lies between nothing and what was paid")
    if paid == 0:
        return 0, 0
    with localcontext(CONTEXT):
        cash = int(half_up(Decimal(refund_minor) * cash_minor / paid, 0))
    return cash, refund_minor - cash


def return_refund(used: Decimal, cash_minor: int, gift_minor: int, *, first_free: bool, places: int = 2) -> Refund:
    """Refund of a returned prepaid machine (Tencent 213/9711, 555/7440).

    ``cash_minor`` and ``gift_minor``: paid for the order whose period is running and for renewals not
    begun; vouchers are not among them and never come back. The refund is floored at 0 and rounded half-up;
    a free return gives everything back.
    """
    paid = cash_minor + gift_minor
    if first_free:
        return Refund(used, paid, cash_minor, gift_minor, first_free=True)
    with localcontext(CONTEXT):
        left = to_minor(Decimal(paid).scaleb(-places) - used, places)
    refund = min(paid, max(0, left))
    cash, gift = split_refund(refund, cash_minor, gift_minor)
    return Refund(used, refund, cash, gift)
