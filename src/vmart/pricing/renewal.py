"""What a further term of a prepaid bundle costs: by its terms, at the prices of a book (billing-rules, section 3).

A renewal of whole months is list × months × the discount of that many. To a unified day, or to another thing's end:
whole months by the same rule, and for the days over the monthly list price / 30 each, at most for 30 of them.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from vmart.kernel.clock import add_months
from vmart.kernel.money import CONTEXT, exponent, to_minor
from vmart.pricing.book import PriceBook
from vmart.pricing.errors import NoPrice, PeriodNotSold
from vmart.pricing.rules import prepaid_price, progressive, whole_months

_DAYS_OF_MONTH = 30


@dataclass(frozen=True, slots=True)
class Term:
    """A further term: whole months and days over, until ``period_to``; later terms count from ``anchor_at``."""

    months: int
    days: int
    anchor_at: dt.datetime
    period_to: dt.datetime


def term_of_months(
    book: PriceBook, anchor_at: dt.datetime, expires_at: dt.datetime, months: int, zone: ZoneInfo
) -> Term:
    """``months`` from the old expiry, the anchor day kept. Raises PeriodNotSold."""
    if months not in book.sales.periods_months:
        raise PeriodNotSold(
            "A term of {months} months is not sold; possible are {periods}.",
            field="months", months=months,
            periods=", ".join(map(str, book.sales.periods_months)),
        )  # fmt: skip
    return Term(months, 0, anchor_at, end_after(anchor_at, expires_at, months, zone))


def end_after(anchor_at: dt.datetime, expires_at: dt.datetime, months: int, zone: ZoneInfo) -> dt.datetime:
    """The end ``months`` on from the old expiry, or (negative) before it, the anchor day kept.

    Raises ValueError where that is before the anchor.
    """
    so_far, _ = whole_months(anchor_at, expires_at, zone)
    if so_far + months < 0:
        raise ValueError("the first term begins at the anchor")
    return add_months(anchor_at, so_far + months, zone)


def term_to_day(anchor_at: dt.datetime, expires_at: dt.datetime, day: int, zone: ZoneInfo) -> Term:
    """To the next ``day`` (1 to 31; the last of a shorter month) that is at least one whole month after the expiry."""
    so_far, _ = whole_months(anchor_at, expires_at, zone)
    least = add_months(anchor_at, so_far + 1, zone)
    local = expires_at.astimezone(zone)
    first = local.replace(day=1)
    # Days are kept from a month that has 31 of them, so that none is lost in a shorter one.
    anchor = first.replace(month=1).replace(day=day)
    index = (local.year - anchor.year) * 12 + local.month - 1
    while (until := add_months(anchor, index, zone)) < least:
        index += 1
    months = 0
    while add_months(anchor_at, so_far + months + 1, zone) <= until:
        months += 1
    days = (until.astimezone(zone).date() - add_months(anchor_at, so_far + months, zone).astimezone(zone).date()).days
    return Term(months, days, anchor.astimezone(dt.UTC), until)


def term_until(
    anchor_at: dt.datetime, expires_at: dt.datetime, until: dt.datetime, later_anchor: dt.datetime, zone: ZoneInfo
) -> Term:
    """To another thing's end, which is later than the expiry; a day that has begun is a day over.

    Later terms count from ``later_anchor``, as that thing's do, so both go on together.
    """
    so_far, _ = whole_months(anchor_at, expires_at, zone)
    months = 0
    while add_months(anchor_at, so_far + months + 1, zone) <= until:
        months += 1
    begun = add_months(anchor_at, so_far + months, zone)
    rest = until.astimezone(zone).replace(tzinfo=None) - begun.astimezone(zone).replace(tzinfo=None)
    return Term(months, -(-rest // dt.timedelta(days=1)), later_anchor, until)


def days_over(month: Decimal, term: Term) -> Decimal:
    """What the days beyond its whole months cost, at a monthly list price; not rounded, and never more than a month."""
    return month * min(term.days, _DAYS_OF_MONTH) / _DAYS_OF_MONTH


def price_minor(book: PriceBook, terms: Iterable[tuple[str, str, int]], term: Term) -> tuple[int, int]:
    """(list price, price) of a bundle's term in minor units, each rounded once, half-up.

    ``terms``: (component, price key, quantity). Raises NoPrice where the book has none for a part.
    """
    listed = amount = Decimal(0)
    with localcontext(CONTEXT):
        for component, key, quantity in terms:
            unit = book.units.get(key)
            if unit is None:
                raise NoPrice("The book has no price any more for {component}.", component=component)
            month = progressive(quantity, unit.month)
            over = days_over(month, term)
            listed += month * term.months + over
            amount += prepaid_price(month, term.months, unit.discount(term.months)) + over
    places = exponent(book.currency)
    return to_minor(listed, places), to_minor(amount, places)
