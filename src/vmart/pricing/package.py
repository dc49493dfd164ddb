"""A bandwidth package: one speed that addresses share, charged by the hour and Mbps, whatever is in it."""

from dataclasses import dataclass

from vmart.pricing.book import PACKAGE, PriceBook, RegionPrices
from vmart.pricing.errors import ChargeTypeNotSold, OutOfRange, UnknownChargeType
from vmart.pricing.priced import Term

BY_BANDWIDTH = "BANDWIDTH_POSTPAID_BY_DAY"  # by the speed that is set; the one that is sold
CHARGE_TYPES = (
    BY_BANDWIDTH,
    "ENHANCED95_POSTPAID_BY_MONTH",
    "PERCENT95_POSTPAID_BY_MONTH",
    "TOP5_POSTPAID_BY_MONTH",
    "PRIMARY_TRAFFIC_POSTPAID_BY_HOUR",
    "PEAK_BANDWIDTH_POSTPAID_BY_DAY",
    "FIXED_PREPAID_BY_MONTH",
)
_CODE = "InvalidParameterValue.InvalidBandwidthPackageChargeType"


@dataclass(frozen=True, slots=True)
class PackagePart:
    """How fast all that is in it is together."""

    bandwidth_mbps: int

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        """Raise ChargeTypeNotSold or OutOfRange where it may not be bought by the book."""
        if prices.package_mbps is None:
            raise ChargeTypeNotSold(
                "No bandwidth packages are sold in this region.", field="region", code="UnsupportedOperation"
            )
        most = book.sales.postpaid_mbps_max
        if not 1 <= self.bandwidth_mbps <= most:
            raise OutOfRange(
                "InternetMaxBandwidth is {mbps} Mbps; 1 to {most} are possible.",
                field="bandwidth_mbps", code="InvalidParameterValue.BandwidthOutOfRange", mbps=self.bandwidth_mbps,
                most=most,
            )  # fmt: skip

    def term(self, prices: RegionPrices) -> Term:
        """What it is charged for."""
        return PACKAGE, prices.package_key, self.bandwidth_mbps


def check_charge_type(charge_type: str) -> None:
    """Raise ChargeTypeNotSold or UnknownChargeType for all but what is sold."""
    if charge_type == BY_BANDWIDTH:
        return
    if charge_type in CHARGE_TYPES:
        raise ChargeTypeNotSold(
            "{type} is not sold here; sold are packages by the speed that is set: ChargeType {sold}.",
            field="charge_type", code=_CODE, type=charge_type, sold=BY_BANDWIDTH,
        )  # fmt: skip
    raise UnknownChargeType("ChargeType {type} does not exist.", field="charge_type", code=_CODE, type=charge_type)
