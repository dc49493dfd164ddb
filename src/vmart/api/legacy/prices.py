"""Legacy: InquiryInstancePrice, InquiryInstancePriceHour."""

from decimal import Decimal
from typing import Annotated, TypedDict

from vmart.api.declarations import Domain, LegacyShape, NotOffered, one_of, only
from vmart.api.legacy.machine import Hourly, Prepaid, configuration
from vmart.api.legacy.members import Name
from vmart.api.registry import Action, Call, Resource
from vmart.catalog import shop
from vmart.kernel.money import half_up
from vmart.orders import offered
from vmart.pricing.quote import Quote

_PURCHASE, _UPGRADE, _BANDWIDTH = 1, 4, 5  # what InquiryInstancePrice can be asked


class _Question(LegacyShape):
    """What price is asked for: it decides which other members there are, so it is looked at first."""

    instance_type: Annotated[int, one_of(_PURCHASE, _UPGRADE, _BANDWIDTH), only(_PURCHASE), Domain()] = _PURCHASE
    instance_id: NotOffered = None  # with it: the price of a renewal


class InquiryInstancePrice(Prepaid, _Question):
    """Price of prepaid machines."""

    instance_model: Annotated[Name, Domain("instance_type")] = ""

    @property
    def model(self) -> str:
        return self.instance_model


class InquiryInstancePriceHour(Hourly):
    """Price of postpaid machines."""


class InquiryInstancePriceAnswer(TypedDict):
    """Whole minor units, for all machines together."""

    price: int
    originalPrice: int


class UnitPriceAnswer(TypedDict):
    """A price as text in currency units."""

    price: str
    price_unit: str


class HourAnswer(TypedDict):
    """Machines and bandwidth apart."""

    cvm: UnitPriceAnswer
    bandwidth: UnitPriceAnswer


class InquiryInstancePriceHourAnswer(TypedDict):
    """Prices of an hour."""

    data: HourAnswer


def _price(call: Call, asked: InquiryInstancePrice | InquiryInstancePriceHour) -> Quote:
    here = shop.snapshot()
    return offered.price(configuration(here, call, asked), here, call.account_id)


def inquiry_instance_price(call: Call, asked: InquiryInstancePrice) -> InquiryInstancePriceAnswer:
    """Prices in minor units (fen), with and without discount."""
    quoted = _price(call, asked)
    return {"price": quoted.due_minor, "originalPrice": quoted.list_minor}


def inquiry_instance_price_hour(call: Call, asked: InquiryInstancePriceHour) -> InquiryInstancePriceHourAnswer:
    """Prices an hour as text in currency units; traffic by the GB."""
    quoted = _price(call, asked)
    machines_price = _unit_price(quoted.hourly_steps()[0].amount * quoted.configuration.count, "HOUR")
    traffic = quoted.traffic_per_gib
    network = _unit_price(quoted.bandwidth_part().per_hour, "HOUR") if traffic is None else _unit_price(traffic, "GB")
    return {"data": {"cvm": machines_price, "bandwidth": network}}


def _unit_price(amount: Decimal, unit: str) -> UnitPriceAnswer:
    return {"price": f"{half_up(amount, 4):f}", "price_unit": unit}


ACTIONS = (
    Action(
        "InquiryInstancePrice",
        InquiryInstancePrice,
        InquiryInstancePriceAnswer,
        inquiry_instance_price,
        version="",
        writes=False,
        touches={Resource.IMAGE: "image_id"},
    ),
    Action(
        "InquiryInstancePriceHour",
        InquiryInstancePriceHour,
        InquiryInstancePriceHourAnswer,
        inquiry_instance_price_hour,
        version="",
        writes=False,
        touches={Resource.IMAGE: "image_id"},
    ),
)
