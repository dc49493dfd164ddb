"""What more of something costs for the rest of a prepaid term, and what of that comes back (billing-rules, section 3).

An upgrade costs (new − old monthly list) × months × the discount of those months. Months come out of the days that are
left: days × 12 / 365, for bandwidth rounded half-up to 2 decimals, for all else not at all.
"""

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal, localcontext
from zoneinfo import ZoneInfo

from vmart.kernel.money import CONTEXT, exponent, half_up, to_minor
from vmart.pricing.book import BANDWIDTH, PriceBook
from vmart.pricing.errors import NoPrice
from vmart.pricing.priced import Term
from vmart.pricing.rules import progressive

_MONTHS, _DAYS = 12, 365  # of a year
_DAY = dt.timedelta(days=1)


def days_left(now: dt.datetime, expires_at: dt.datetime, zone: ZoneInfo) -> int:
    """The date of the expiry − today's, in the billing zone: 0 on the last day."""
    return (expires_at.astimezone(zone).date() - now.astimezone(zone).date()).days


def months_of(days: int, *, rounded: bool) -> Decimal:
    """``days`` as months."""
    with localcontext(CONTEXT):
        months = Decimal(days) * _MONTHS / _DAYS
    return half_up(months, 2) if rounded else months


def upgrade_price(more: Decimal, months: Decimal, discount: Decimal = Decimal(1)) -> Decimal:
    """Price of ``more``, a difference of monthly list prices, for the rest of a term; exact to 40 digits."""
    with localcontext(CONTEXT):
        return more * months * discount


def price_minor(book: PriceBook, changes: Iterable[tuple[Term, Term]], days: int) -> tuple[int, int]:
    """(list price, price) in minor units, each rounded once, half-up, of what a bundle has in place of what it had.

    ``changes``: (had, has) of each component. Raises NoPrice where the book has none for a part.
    """
    listed = amount = Decimal(0)
    with localcontext(CONTEXT):
        for had, has in changes:
            months = months_of(days, rounded=has[0] == BANDWIDTH)
            more = month_of(book, has) - month_of(book, had)
            listed += upgrade_price(more, months)
            amount += upgrade_price(more, months, book.units[has[1]].discount(months))
    places = exponent(book.currency)
    return to_minor(listed, places), to_minor(amount, places)


def month_of(book: PriceBook, term: Term) -> Decimal:
    """Monthly list price of a term. Raises NoPrice."""
    component, key, quantity = term
    if key not in book.units:
        raise NoPrice("The book has no price any more for {component}.", component=component)
    return progressive(quantity, book.units[key].month)


def return_minor(paid_minor: int, days: int, now: dt.datetime, until: dt.datetime) -> int:
    """What a return gives of an upgrade paid for ``days`` until ``until``: for the whole days that are left."""
    left = min(days, max(0, (until - now) // _DAY))
    if not left:
        return 0
    with localcontext(CONTEXT):
        return int(half_up(Decimal(paid_minor) * left / days, 0))
