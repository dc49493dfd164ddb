"""One hour of a machine at today's price: its hold, whole, or without what a stop without charge pauses.

What was sold is in the order; what it costs is in the price book of this moment, by which the close charges too
(billing-rules, section 1).
"""

from decimal import Decimal

from vmart.catalog import shop
from vmart.kernel.money import exponent
from vmart.orders.models import Order
from vmart.pricing import books
from vmart.pricing.hour import price_version, rate_per_hour
from vmart.pricing.rules import hold_minor

_NOT_HELD = ("traffic",)
_PAUSED = ("cpu", *_NOT_HELD)


def hourly(order: Order, *, paused: bool = False) -> Decimal | None:
    """What a machine of the order costs an hour at tier 1, in currency units, exact.

    ``paused``: without CPU and memory. None where a part has no price any more.
    """
    rates = price_version(books.current_book(shop.snapshot().generation)).rates
    left_out = _PAUSED if paused else _NOT_HELD
    held = [(key, int(quantity)) for component, key, quantity in order.segments if component not in left_out]
    if any(key not in rates for key, _ in held):
        return None
    return sum((rate_per_hour(rates[key], quantity) for key, quantity in held), Decimal(0))


def hour_minor(order: Order, *, paused: bool = False) -> int | None:
    """The same in minor units, half-up once: the hold."""
    exact = hourly(order, paused=paused)
    return None if exact is None else hold_minor([exact], exponent(shop.snapshot().currency))
