"""What more bandwidth costs for a window of days (billing-rules, section 2).

The difference of the monthly prices × days of the window in a calendar month / days of that month, month by month.
"""

import calendar
import datetime as dt
from decimal import Decimal, localcontext

from vmart.kernel.money import CONTEXT, exponent, to_minor
from vmart.pricing.book import PriceBook
from vmart.pricing.priced import Term
from vmart.pricing.upgrade import month_of


def window_price(more: Decimal, first: dt.date, last: dt.date) -> Decimal:
    """Price of ``more``, a difference of monthly prices, from ``first`` to ``last``, both included; to 40 digits."""
    total, day = Decimal(0), first
    with localcontext(CONTEXT):
        while day <= last:
            of_month = calendar.monthrange(day.year, day.month)[1]
            until = min(last, day.replace(day=of_month))
            total += more * ((until - day).days + 1) / of_month
            day = until + dt.timedelta(days=1)
    return total


def price_minor(book: PriceBook, had: Term, has: Term, first: dt.date, last: dt.date) -> int:
    """In minor units, rounded once, half-up, of what a bundle has in place of what it had. Raises NoPrice."""
    more = month_of(book, has) - month_of(book, had)
    return to_minor(window_price(more, first, last), exponent(book.currency))
