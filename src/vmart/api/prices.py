"""Prices on the wire: floats in currency units; prepaid Original and Discount, postpaid Unit (reference)."""

from decimal import Decimal

from vmart.api.registry import Members
from vmart.kernel.money import exponent, from_minor
from vmart.pricing.book import UnitPrice
from vmart.pricing.quote import PREPAID, Part, Quote
from vmart.pricing.rules import progressive

_STEPS = ("", "SecondStep", "ThirdStep")


def quote_price(quoted: Quote) -> Members:
    """``Price`` of InquiryPriceRunInstances, for all machines of the quote together."""
    instance, bandwidth = quoted.instance_part(), quoted.bandwidth_part()
    if quoted.configuration.charge_type == PREPAID:
        instance_price = _prepaid(instance, quoted.currency)
        bandwidth_price = _prepaid(bandwidth, quoted.currency)
    else:
        count = quoted.configuration.count
        instance_price = _hourly([step.amount * count for step in quoted.hourly_steps()])
        bandwidth_price = _hourly([bandwidth.per_hour])
    if quoted.traffic_per_gib is not None:
        bandwidth_price = _by_unit([quoted.traffic_per_gib], "GB")
    return {"InstancePrice": instance_price, "BandwidthPrice": bandwidth_price}


def type_price(unit: UnitPrice, charge_type: str) -> Members:
    """``Price`` of one machine type without disks: a month, or an hour at each tier of age."""
    if charge_type == PREPAID:
        listed, discount = progressive(1, unit.month), unit.discount(1)
        return {
            "OriginalPrice": float(listed),
            "DiscountPrice": float(listed * discount),
            "Discount": float(discount * 100),
            "OriginalPriceOneYear": float(listed * 12),
            "DiscountPriceOneYear": float(listed * 12 * unit.discount(12)),
            "DiscountOneYear": float(unit.discount(12) * 100),
        }
    rate = progressive(1, unit.hour)
    return _hourly([rate * tier.factor for tier in unit.tiers])


def _prepaid(part: Part, currency: str) -> Members:
    places = exponent(currency)
    return {
        "OriginalPrice": float(from_minor(part.list_minor, places)),
        "DiscountPrice": float(from_minor(part.amount_minor, places)),
        "Discount": float(part.discount_percent),
    }


def _hourly(steps: list[Decimal]) -> Members:
    return _by_unit(steps, "HOUR")


def _by_unit(steps: list[Decimal], unit: str) -> Members:
    """Unit prices of up to three tiers; there is no discount on postpaid prices."""
    price: Members = {"ChargeUnit": unit, "Discount": 100.0}
    for name, amount in zip(_STEPS, steps, strict=False):
        price[f"UnitPrice{name}"] = price[f"UnitPriceDiscount{name}"] = float(amount)
    return price
