"""The parts of a configuration: machine, disks, network. Each is checked by a price book and adds its units to a quote.

What is asked of a whole configuration is asked of its parts, one after the other: ``parts`` is the walk.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from vmart.pricing.book import PriceBook, RegionPrices
from vmart.pricing.configuration import (
    BANDWIDTH_BY_MODE,
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    OTHER_CHARGE_TYPES,
    POSTPAID_BY_HOUR,
    PREPAID,
    SPOTPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
    Configuration,
    DiskChoice,
)
from vmart.pricing.errors import (
    ChargeTypeNotSold,
    Contradiction,
    OutOfRange,
    TooMany,
    UnknownChargeType,
    UnknownDiskType,
    UnknownInstanceType,
)
from vmart.pricing.line import Traffic, Unit

_SYSTEM = "system_disk"


class Part(Protocol):
    """What is chosen, checked and priced by itself."""

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        """Raise the refusal that says why it may not be bought by the book."""

    def units(self, prices: RegionPrices) -> Iterable[Unit | Traffic]:
        """What it adds to the quote of one machine."""


def parts(configuration: Configuration) -> tuple[Part, ...]:
    """All parts of one machine, in the order in which they are checked and listed."""
    return (
        MachinePart(configuration.instance_type, configuration.charge_type),
        DisksPart(configuration.charge_type, configuration.system_disk, configuration.data_disks),
        NetworkPart(
            configuration.charge_type, configuration.internet_charge_type, configuration.bandwidth_mbps,
            configuration.public_ip,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class MachinePart:
    """CPU and memory."""

    instance_type: str
    charge_type: str = POSTPAID_BY_HOUR

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        if self.instance_type not in prices.cpu:
            raise UnknownInstanceType(
                "The instance type {instance_type} does not exist.",
                field="instance_type", instance_type=self.instance_type,
            )  # fmt: skip
        if self.charge_type == SPOTPAID and self.instance_type not in prices.spot:
            raise ChargeTypeNotSold(
                "The instance type {instance_type} is not sold as a spot machine here.",
                field="instance_type", code="UnsupportedOperation.NoInstanceTypeSupportSpot",
                instance_type=self.instance_type,
            )  # fmt: skip

    def units(self, prices: RegionPrices) -> Iterable[Unit | Traffic]:
        of = prices.spot if self.charge_type == SPOTPAID else prices.cpu
        yield Unit("cpu", 0, of[self.instance_type], 1)


@dataclass(frozen=True, slots=True)
class DisksPart:
    """The system disk and the data disks."""

    charge_type: str
    system_disk: DiskChoice
    data_disks: tuple[DiskChoice, ...]

    def fields(self) -> Iterable[tuple[str, DiskChoice]]:
        """Each disk with its path in the configuration."""
        yield _SYSTEM, self.system_disk
        for number, disk in enumerate(self.data_disks):
            yield f"data_disks.{number}", disk

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        most = book.sales.data_disks_max
        if len(self.data_disks) > most:
            raise TooMany("A machine has at most {most} data disks.", field="data_disks", most=most)
        for field, disk in self.fields():
            check_disk(book, disk, f"{field}.", is_system=field == _SYSTEM)

    def units(self, prices: RegionPrices) -> Iterable[Unit | Traffic]:
        yield Unit("system_disk", 0, prices.disk[self.system_disk.disk_type], self.system_disk.size_gib)
        for number, disk in enumerate(self.data_disks, 1):
            yield Unit("data_disk", number, prices.disk[disk.disk_type], disk.size_gib)


def check_disk(book: PriceBook, disk: DiskChoice, path: str = "", *, is_system: bool) -> None:
    """Whether a disk of this type and size is sold; ``path`` leads to it. Raises UnknownDiskType, OutOfRange."""
    sold = book.document.disks.get(disk.disk_type)
    if sold is None:
        raise UnknownDiskType(
            "The disk type {disk_type} is not sold; possible are {types}.",
            field=f"{path}disk_type", disk_type=disk.disk_type, types=", ".join(book.document.disks),
        )  # fmt: skip
    sizes = sold.system_gib if is_system else sold.data_gib
    if not sizes.holds(disk.size_gib):
        raise OutOfRange(
            "A {disk_type} disk of {size} GiB is not sold here; possible are {min} to {max} GiB in steps of {step}.",
            field=f"{path}size_gib", disk_type=disk.disk_type, size=disk.size_gib, min=sizes.min, max=sizes.max,
            step=sizes.step,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NetworkPart:
    """The way to the internet: charged with a public address only."""

    charge_type: str
    internet_charge_type: str
    bandwidth_mbps: int
    public_ip: bool

    def check(self, book: PriceBook, prices: RegionPrices) -> None:
        self._check_mode()
        self._check_bandwidth(book)
        if self.public_ip and self.bandwidth_mbps == 0:
            raise Contradiction("A public address needs a bandwidth of at least 1 Mbps.", field="public_ip")

    def units(self, prices: RegionPrices) -> Iterable[Unit | Traffic]:
        if not self.public_ip:
            return
        if self.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR:
            yield Traffic(prices.traffic_key, prices.traffic_gib, self.bandwidth_mbps)
        else:
            yield Unit("bandwidth", 0, prices.bandwidth, self.bandwidth_mbps)

    def _check_mode(self) -> None:
        mode, by_bandwidth = self.internet_charge_type, BANDWIDTH_BY_MODE[self.charge_type]
        field = "internet_charge_type"
        if mode in OTHER_CHARGE_TYPES:
            raise ChargeTypeNotSold("{mode} is not sold here.", field=field, mode=mode)
        if mode not in (BANDWIDTH_PREPAID, BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR):
            raise UnknownChargeType("InternetChargeType {mode} does not exist.", field=field, mode=mode)
        if mode not in (by_bandwidth, TRAFFIC_POSTPAID_BY_HOUR):
            raise Contradiction(
                "A {charge_type} machine cannot have its network {mode}; possible are {by_bandwidth} "
                "and TRAFFIC_POSTPAID_BY_HOUR.",
                field=field, charge_type=self.charge_type, mode=mode, by_bandwidth=by_bandwidth,
            )  # fmt: skip

    def _check_bandwidth(self, book: PriceBook) -> None:
        most = book.sales.prepaid_mbps_max if self.charge_type == PREPAID else book.sales.postpaid_mbps_max
        if not 0 <= self.bandwidth_mbps <= most:
            raise OutOfRange(
                "InternetMaxBandwidthOut is {mbps} Mbps; 0 to {most} are possible for a {charge_type} machine.",
                field="bandwidth_mbps",
                mbps=self.bandwidth_mbps, most=most, charge_type=self.charge_type,
            )  # fmt: skip
