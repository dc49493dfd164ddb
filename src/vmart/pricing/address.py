"""A public address that is bought by itself: what it is charged for at a machine, and while no machine has it.

Its bandwidth paid by the month is the same to it wherever it is: then nothing else is charged of it. One in a bandwidth
package pays for being idle alone: at a machine it has its part of what the package pays for.
"""

from dataclasses import dataclass

from vmart.pricing.book import BANDWIDTH, IDLE, TRAFFIC, PriceBook, RegionPrices
from vmart.pricing.configuration import (
    BANDWIDTH_PACKAGE,
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID_BY_MONTH,
    TRAFFIC_POSTPAID_BY_HOUR,
)
from vmart.pricing.errors import ChargeTypeNotSold, OutOfRange, UnknownChargeType
from vmart.pricing.priced import Term

MODES = (TRAFFIC_POSTPAID_BY_HOUR, BANDWIDTH_POSTPAID_BY_HOUR, BANDWIDTH_PREPAID_BY_MONTH)


@dataclass(frozen=True, slots=True)
class AddressPart:
    """How it is charged at a machine, and how fast it is there."""

    internet_charge_type: str
    bandwidth_mbps: int

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        """Raise ChargeTypeNotSold, UnknownChargeType or OutOfRange where it may not be bought by the book."""
        if prices.idle_address is None:
            raise ChargeTypeNotSold(
                "No public addresses are sold by themselves in this region.",
                field="region",
                code="UnsupportedOperation",
            )
        self._check_mode()
        most = book.sales.prepaid_mbps_max if self.paid_ahead else book.sales.postpaid_mbps_max
        if not 1 <= self.bandwidth_mbps <= most:
            raise OutOfRange(
                "InternetMaxBandwidthOut is {mbps} Mbps; 1 to {most} are possible.",
                field="bandwidth_mbps", code="InvalidParameterValue.BandwidthOutOfRange", mbps=self.bandwidth_mbps,
                most=most,
            )  # fmt: skip

    def _check_mode(self) -> None:
        mode, field = self.internet_charge_type, "internet_charge_type"
        if mode not in (*MODES, BANDWIDTH_PACKAGE):
            raise UnknownChargeType(
                "InternetChargeType {mode} does not exist.", field=field, code="InvalidParameterValue", mode=mode
            )

    @property
    def by_traffic(self) -> bool:
        """Whether what is sent is charged, and the bandwidth is a cap."""
        return self.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR

    @property
    def paid_ahead(self) -> bool:
        """Whether its bandwidth is paid by the month."""
        return self.internet_charge_type == BANDWIDTH_PREPAID_BY_MONTH

    @property
    def in_package(self) -> bool:
        """Whether it shares what a bandwidth package pays for; the bandwidth is a cap of its own."""
        return self.internet_charge_type == BANDWIDTH_PACKAGE

    def term(self, prices: RegionPrices, *, bound: bool) -> Term:
        """What it is charged for: idle, or bound to a machine; nobody asks of one in a package there."""
        assert not (bound and self.in_package)
        if not bound and not self.paid_ahead:
            return IDLE, prices.idle_key, 1
        if self.by_traffic:
            return TRAFFIC, prices.traffic_key, self.bandwidth_mbps
        return BANDWIDTH, prices.bandwidth.price_key, self.bandwidth_mbps
