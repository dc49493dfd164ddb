"""What a smaller machine costs for the rest of a prepaid term (billing-rules, section 3, Downgrade).

A downgrade gives back what the larger one is worth now, as of a return, less the price of the smaller one: its monthly
list price × months left × the discount of those months.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext

from vmart.kernel.money import CONTEXT, exponent, to_minor
from vmart.pricing.book import PriceBook
from vmart.pricing.priced import Term
from vmart.pricing.upgrade import month_of

DAYS_OF_MONTH = 30


def months_left(days: int, of_term: Decimal, used: int) -> Decimal:
    """Days as months of 30 days, at most the months of the term that are not used."""
    with localcontext(CONTEXT):
        return min(Decimal(days) / DAYS_OF_MONTH, of_term - used)


def rest_price(month: Decimal, months: Decimal, discount: Decimal) -> Decimal:
    """Price of what costs ``month`` a month for the months that are left; exact to 40 digits."""
    with localcontext(CONTEXT):
        return month * months * discount


def price_minor(book: PriceBook, terms: Iterable[Term], months: Decimal) -> tuple[int, int]:
    """(list price, price) in minor units, each rounded once, half-up, of a bundle for the months that are left.

    Raises NoPrice where the book has none for a part.
    """
    listed = amount = Decimal(0)
    for term in terms:
        month = month_of(book, term)
        listed += rest_price(month, months, Decimal(1))
        amount += rest_price(month, months, book.units[term[1]].discount(months))
    places = exponent(book.currency)
    return to_minor(listed, places), to_minor(amount, places)
