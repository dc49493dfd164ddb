"""Prices on the wire: floats in currency units; prepaid Original and Discount, postpaid Unit (reference)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict, cast

from vmart.api.registry import Members
from vmart.kernel.money import exponent, from_minor
from vmart.orders.bandwidth_by_hour import Reckoned
from vmart.pricing.book import UnitPrice
from vmart.pricing.priced import Priced
from vmart.pricing.quote import PREPAID, Quote, Subtotal
from vmart.pricing.rules import progressive

_STEPS = ("", "SecondStep", "ThirdStep")


class TermPriceAnswer(TypedDict, total=False):
    """What is paid ahead."""

    OriginalPrice: float
    DiscountPrice: float
    Discount: float


class UnitPriceAnswer(TermPriceAnswer, total=False):
    """What is paid ahead, or by the unit at one price."""

    UnitPrice: float
    ChargeUnit: str
    UnitPriceDiscount: float


class SteppedPriceAnswer(UnitPriceAnswer, total=False):
    """What is paid ahead, or by the hour with a step for each tier of age."""

    UnitPriceSecondStep: float
    UnitPriceDiscountSecondStep: float
    UnitPriceThirdStep: float
    UnitPriceDiscountThirdStep: float


class ItemPriceAnswer(SteppedPriceAnswer, total=False):
    """The same, and what is paid ahead for a year."""

    OriginalPriceOneYear: float
    DiscountPriceOneYear: float
    DiscountOneYear: float


class PriceAnswer(TypedDict):
    """Machines and bandwidth."""

    InstancePrice: SteppedPriceAnswer
    BandwidthPrice: UnitPriceAnswer


class RenewalPriceAnswer(TypedDict):
    """Machines and bandwidth, paid ahead."""

    InstancePrice: TermPriceAnswer
    BandwidthPrice: TermPriceAnswer


def quote_price(quoted: Quote) -> PriceAnswer:
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


def spot_price(quoted: Quote, as_postpaid: Quote) -> PriceAnswer:
    """``Price`` of spot machines: UnitPrice is what they would cost postpaid, UnitPriceDiscount what they cost."""
    price, count = quote_price(quoted), quoted.configuration.count
    listed, amount = as_postpaid.hourly_steps()[0].amount * count, quoted.hourly_steps()[0].amount * count
    return {"InstancePrice": _reduced(listed, amount), "BandwidthPrice": price["BandwidthPrice"]}


def _reduced(listed: Decimal, amount: Decimal) -> ItemPriceAnswer:
    return {
        "ChargeUnit": "HOUR",
        "UnitPrice": float(listed),
        "UnitPriceDiscount": float(amount),
        "Discount": round(float(100 * amount / listed), 2) if listed else 100.0,
    }


def renewal_price(priced: Priced, of_disks: Sequence[Priced] = ()) -> RenewalPriceAnswer:
    """``Price`` of InquiryPriceRenewInstances, for all machines together, and the disks that are renewed with them."""
    listed = sum(line.network_list_minor for line in priced.lines)
    amount = sum(line.network_minor for line in priced.lines)
    rest_listed = sum((one.list_minor for one in of_disks), priced.list_minor - listed)
    rest = sum((one.due_minor for one in of_disks), priced.due_minor - amount)
    return {
        "InstancePrice": amounts(rest_listed, rest, priced.currency),
        "BandwidthPrice": amounts(listed, amount, priced.currency),
    }


class BandwidthPriceAnswer(TypedDict):
    """Bandwidth alone."""

    BandwidthPrice: UnitPriceAnswer


def bandwidth_price(reckoned: Sequence[Reckoned] | Priced) -> BandwidthPriceAnswer:
    """``Price`` of InquiryPriceResetInstancesInternetMaxBandwidth; machines of one call pay in one way."""
    if isinstance(reckoned, Priced):
        return {"BandwidthPrice": amounts(reckoned.list_minor, reckoned.due_minor, reckoned.currency)}
    per_gib = reckoned[0].traffic_per_gib
    if per_gib is not None:
        return {"BandwidthPrice": _by_unit([per_gib], "GB")}
    return {"BandwidthPrice": _hourly([sum((one.bandwidth_hourly for one in reckoned), Decimal(0))])}


def spot_type_price(unit: UnitPrice, as_postpaid: UnitPrice) -> ItemPriceAnswer:
    """The same of a spot machine's type: an hour, and what it would cost postpaid."""
    return _reduced(progressive(1, as_postpaid.hour), progressive(1, unit.hour))


def type_price(unit: UnitPrice, charge_type: str) -> ItemPriceAnswer:
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


def _prepaid(part: Subtotal, currency: str) -> ItemPriceAnswer:
    return amounts(part.list_minor, part.amount_minor, currency) | {"Discount": float(part.discount_percent)}


def amounts(list_minor: int, amount_minor: int, currency: str) -> ItemPriceAnswer:
    """A price in minor units, and what it is of the list price."""
    places = exponent(currency)
    return {
        "OriginalPrice": float(from_minor(list_minor, places)),
        "DiscountPrice": float(from_minor(amount_minor, places)),
        "Discount": round(100 * amount_minor / list_minor, 2) if list_minor else 100.0,
    }


def hour_price(amount: Decimal) -> ItemPriceAnswer:
    """An hour of what costs the same at each age."""
    return _hourly([amount])


def _hourly(steps: list[Decimal]) -> ItemPriceAnswer:
    return _by_unit(steps, "HOUR")


def _by_unit(steps: list[Decimal], unit: str) -> ItemPriceAnswer:
    """Unit prices of up to three tiers; there is no discount on postpaid prices but for spot machines."""
    price: Members = {"ChargeUnit": unit, "Discount": 100.0}
    for name, amount in zip(_STEPS, steps, strict=False):
        price[f"UnitPrice{name}"] = price[f"UnitPriceDiscount{name}"] = float(amount)
    return cast(ItemPriceAnswer, price)
