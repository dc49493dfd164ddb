"""Spot machines: sold at a price of their own, taken back when their room is needed or their price rises (ADR 0054).

What their owner bids is what an hour of CPU and memory may cost. ``orders/reclaim.py`` takes them back.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from vmart.catalog.shop import Shop
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.orders.errors import SoldOut
from vmart.pricing import books
from vmart.pricing.configuration import SPOTPAID, Configuration
from vmart.pricing.errors import Contradiction
from vmart.pricing.rules import progressive

_KEPT_FREE = dt.timedelta(minutes=10)  # after the end of a notice


def hour_price(here: Shop, region: str, instance_type: str) -> Decimal | None:
    """List price of an hour of CPU and memory of such a spot machine now; None where none are sold.

    Bids are of list prices, whatever part of them their owner pays: room goes to who bids more.
    """
    unit = books.current_book(here.generation).regions[region].spot.get(instance_type)
    return None if unit is None else progressive(1, unit.hour)


def check(here: Shop, configuration: Configuration, attributes: Attributes) -> None:
    """Raise Contradiction for a bid for another machine, InvalidValue for one below the price of now.

    Raises SoldOut for a spot machine where room is being made for others.
    """
    if configuration.charge_type == SPOTPAID:
        _refuse_where_room_was_made(configuration)
    if attributes.max_price is None:
        return
    if configuration.charge_type != SPOTPAID:
        raise Contradiction("Only a spot machine has a MaxPrice.", field="attributes.max_price")
    price = hour_price(here, configuration.region, configuration.instance_type)
    if price is not None and attributes.max_price < price:
        raise InvalidValue(
            "MaxPrice is {bid} an hour, and an hour of {type} costs {price} now.",
            field="attributes.max_price", bid=_shown(attributes.max_price), type=configuration.instance_type,
            price=_shown(price),
        )  # fmt: skip


def _refuse_where_room_was_made(configuration: Configuration) -> None:
    """For some minutes the room is theirs for whom it was made, and not for further spot machines."""
    reclaimed = Instance.objects.filter(
        zone_id=configuration.zone, reclaimed_for_room=True, reclaim_at__gt=clock.now() - _KEPT_FREE
    )
    if reclaimed.exists():
        raise SoldOut(
            "In {zone} spot machines are being taken back; none are sold for some minutes.",
            field="zone", code="ResourcesSoldOut.SpecifiedInstanceType", zone=configuration.zone,
        )  # fmt: skip


def with_bid(here: Shop, configuration: Configuration, attributes: Attributes) -> Attributes:
    """The bid of a spot machine, by default the price of now."""
    if configuration.charge_type != SPOTPAID or attributes.max_price is not None:
        return attributes
    return replace(attributes, max_price=hour_price(here, configuration.region, configuration.instance_type))


def _shown(price: Decimal) -> str:
    return format(price.normalize(), "f")
