"""The instance type of a request that names none: the smallest on sale in its zone (API 3.0, RunInstances)."""

from dataclasses import replace
from decimal import Decimal

from vmart.catalog.shop import Shop
from vmart.orders.errors import SoldOut
from vmart.pricing import books
from vmart.pricing.book import UnitPrice
from vmart.pricing.configuration import PREPAID, SPOTPAID, Configuration
from vmart.pricing.rules import progressive


def filled(configuration: Configuration, here: Shop) -> Configuration:
    """The configuration with a type: its own, else the zone's with the fewest vCPU, the least memory, the least price.

    Types that are marked as sold out do not count. A zone that sells nothing at all is left to the check of the
    offer. Raises SoldOut.
    """
    zone = here.zones.get(configuration.zone)
    if configuration.instance_type or zone is None or not zone.on_sale:
        return configuration
    of_region = books.current_book(here.generation).regions[zone.region]
    prices = of_region.spot if configuration.charge_type == SPOTPAID else of_region.cpu
    sold = [code for code, sold_out in zone.offers.items() if not sold_out]
    kinds = [here.instance_types[code] for code in sold if code in prices]
    if not kinds:
        raise SoldOut("No instance type is on sale in {zone}.", field="instance_type", zone=zone.code)
    smallest = min(
        kinds, key=lambda kind: (kind.vcpu, kind.memory_mib, _rate(prices[kind.code], configuration.charge_type))
    )
    return replace(configuration, instance_type=smallest.code)


def _rate(unit: UnitPrice, charge_type: str) -> Decimal:
    return progressive(1, unit.month if charge_type == PREPAID else unit.hour)
