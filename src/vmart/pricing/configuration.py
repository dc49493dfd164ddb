"""What a customer puts together to buy, and whether it may be bought: the same check for page and API."""

from dataclasses import dataclass
from typing import Any

from vmart.pricing.book import PriceBook, RegionPrices
from vmart.pricing.errors import (
    ChargeTypeNotSold,
    Contradiction,
    MissingPeriod,
    OutOfRange,
    PeriodNotSold,
    TooMany,
    UnknownChargeType,
    UnknownDiskType,
    UnknownInstanceType,
    UnknownRegion,
)

PREPAID = "PREPAID"
POSTPAID_BY_HOUR = "POSTPAID_BY_HOUR"
BANDWIDTH_PREPAID = "BANDWIDTH_PREPAID"
BANDWIDTH_POSTPAID_BY_HOUR = "BANDWIDTH_POSTPAID_BY_HOUR"
TRAFFIC_POSTPAID_BY_HOUR = "TRAFFIC_POSTPAID_BY_HOUR"

# Known to the field and not sold here: answered as unsupported, not as unknown.
_OTHER_CHARGE_TYPES = frozenset({"SPOTPAID", "CDHPAID", "CDCPAID", "UNDERWRITE", "BANDWIDTH_PACKAGE"})
_BANDWIDTH_BY_MODE = {PREPAID: BANDWIDTH_PREPAID, POSTPAID_BY_HOUR: BANDWIDTH_POSTPAID_BY_HOUR}


@dataclass(frozen=True, slots=True)
class DiskChoice:
    """A disk to buy: ``CLOUD_PREMIUM`` and its size. Whether it shall go with its machine has no price."""

    disk_type: str
    size_gib: int
    delete_with_instance: bool = True

    def plain(self) -> list[Any]:
        """``DiskChoice(*plain)`` gives it back."""
        return [self.disk_type, self.size_gib, *([] if self.delete_with_instance else [False])]


@dataclass(frozen=True, slots=True)
class Configuration:
    """One kind of machine, ``count`` times. Charge types are those of the API 3.0.

    ``period_months`` is None exactly for postpaid. ``bandwidth_mbps`` is the speed that is bought, or by
    traffic the cap. Network is charged only with a public address; 0 Mbps means none.
    """

    region: str
    zone: str
    instance_type: str
    charge_type: str
    system_disk: DiskChoice
    data_disks: tuple[DiskChoice, ...] = ()
    period_months: int | None = None
    internet_charge_type: str = TRAFFIC_POSTPAID_BY_HOUR
    bandwidth_mbps: int = 0
    public_ip: bool = False
    count: int = 1

    def plain(self) -> dict[str, Any]:
        """Plain JSON values; ``Configuration.of(plain)`` gives it back."""
        return {
            "region": self.region,
            "zone": self.zone,
            "instance_type": self.instance_type,
            "charge_type": self.charge_type,
            "system_disk": self.system_disk.plain(),
            "data_disks": [disk.plain() for disk in self.data_disks],
            "period_months": self.period_months,
            "internet_charge_type": self.internet_charge_type,
            "bandwidth_mbps": self.bandwidth_mbps,
            "public_ip": self.public_ip,
            "count": self.count,
        }

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Configuration":
        """The configuration out of ``plain()``; KeyError or TypeError where it is none."""
        values = dict(plain)
        values["system_disk"] = DiskChoice(*plain["system_disk"])
        values["data_disks"] = tuple(DiskChoice(*disk) for disk in plain["data_disks"])
        return cls(**values)


def default_internet_charge_type(charge_type: str) -> str:
    """Where a request names none: by bandwidth, in the machine's own mode (API 3.0, InternetAccessible)."""
    return _BANDWIDTH_BY_MODE.get(charge_type, BANDWIDTH_POSTPAID_BY_HOUR)


def check(book: PriceBook, configuration: Configuration) -> RegionPrices:
    """Prices of the configuration's region, if it may be bought by the book; else the refusal that says why.

    Zone, image, stock and quota are the business of other rooms.
    """
    prices = book.regions.get(configuration.region)
    if prices is None:
        raise UnknownRegion("The region {region} does not exist.", field="Region", region=configuration.region)
    _check_charge_type(book, configuration)
    if configuration.instance_type not in prices.cpu:
        raise UnknownInstanceType(
            "The instance type {instance_type} does not exist.",
            field="InstanceType",
            instance_type=configuration.instance_type,
        )
    _check_disks(book, configuration)
    _check_network(book, configuration)
    most = book.sales.machines_max
    if not 1 <= configuration.count <= most:
        raise OutOfRange(
            "InstanceCount is {count}; 1 to {most} machines can be bought at once.",
            field="InstanceCount",
            count=configuration.count,
            most=most,
        )
    return prices


def _check_charge_type(book: PriceBook, configuration: Configuration) -> None:
    charge_type, months = configuration.charge_type, configuration.period_months
    if charge_type == PREPAID:
        if months is None:
            raise MissingPeriod(
                "A prepaid machine needs the number of months: InstanceChargePrepaid.Period.",
                field="InstanceChargePrepaid.Period",
            )
        if months not in book.sales.periods_months:
            raise PeriodNotSold(
                "A term of {months} months is not sold; possible are {periods}.",
                field="InstanceChargePrepaid.Period",
                months=months,
                periods=", ".join(map(str, book.sales.periods_months)),
            )
    elif charge_type == POSTPAID_BY_HOUR:
        if months is not None:
            raise Contradiction("A postpaid machine has no term.", field="InstanceChargePrepaid")
    elif charge_type in _OTHER_CHARGE_TYPES:
        raise ChargeTypeNotSold(
            "{charge_type} is not sold here; possible are PREPAID and POSTPAID_BY_HOUR.",
            field="InstanceChargeType",
            charge_type=charge_type,
        )
    else:
        raise UnknownChargeType(
            "InstanceChargeType {charge_type} does not exist; possible are PREPAID and POSTPAID_BY_HOUR.",
            field="InstanceChargeType",
            charge_type=charge_type,
        )


def _check_disks(book: PriceBook, configuration: Configuration) -> None:
    most = book.sales.data_disks_max
    if len(configuration.data_disks) > most:
        raise TooMany("A machine has at most {most} data disks.", field="DataDisks", most=most)
    _check_disk(book, configuration.system_disk, "SystemDisk", system=True)
    for number, disk in enumerate(configuration.data_disks):
        _check_disk(book, disk, f"DataDisks.{number}", system=False)
        if configuration.charge_type == POSTPAID_BY_HOUR and not disk.delete_with_instance:
            raise Contradiction(
                "A data disk of a postpaid machine goes with its machine: leave DeleteWithInstance away, or say true.",
                field=f"DataDisks.{number}.DeleteWithInstance",
            )


def _check_disk(book: PriceBook, disk: DiskChoice, field: str, *, system: bool) -> None:
    sold = book.document.disks.get(disk.disk_type)
    if sold is None:
        raise UnknownDiskType(
            "The disk type {disk_type} is not sold; possible are {types}.",
            field=f"{field}.DiskType",
            disk_type=disk.disk_type,
            types=", ".join(book.document.disks),
        )
    sizes = sold.system_gib if system else sold.data_gib
    if not sizes.holds(disk.size_gib):
        raise OutOfRange(
            "A {disk_type} disk of {size} GiB is not sold here; possible are {min} to {max} GiB in steps of {step}.",
            field=f"{field}.DiskSize",
            disk_type=disk.disk_type,
            size=disk.size_gib,
            min=sizes.min,
            max=sizes.max,
            step=sizes.step,
        )


def _check_network(book: PriceBook, configuration: Configuration) -> None:
    mode, mbps = configuration.internet_charge_type, configuration.bandwidth_mbps
    prepaid = configuration.charge_type == PREPAID
    by_bandwidth = _BANDWIDTH_BY_MODE[configuration.charge_type]
    if mode in _OTHER_CHARGE_TYPES:
        raise ChargeTypeNotSold("{mode} is not sold here.", field="InternetAccessible.InternetChargeType", mode=mode)
    if mode not in (BANDWIDTH_PREPAID, BANDWIDTH_POSTPAID_BY_HOUR, TRAFFIC_POSTPAID_BY_HOUR):
        raise UnknownChargeType(
            "InternetChargeType {mode} does not exist.", field="InternetAccessible.InternetChargeType", mode=mode
        )
    if mode not in (by_bandwidth, TRAFFIC_POSTPAID_BY_HOUR):
        raise Contradiction(
            "A {charge_type} machine cannot have its network {mode}; possible are {by_bandwidth} "
            "and TRAFFIC_POSTPAID_BY_HOUR.",
            field="InternetAccessible.InternetChargeType",
            charge_type=configuration.charge_type,
            mode=mode,
            by_bandwidth=by_bandwidth,
        )
    most = book.sales.prepaid_mbps_max if prepaid else book.sales.postpaid_mbps_max
    if not 0 <= mbps <= most:
        raise OutOfRange(
            "InternetMaxBandwidthOut is {mbps} Mbps; 0 to {most} are possible for a {charge_type} machine.",
            field="InternetAccessible.InternetMaxBandwidthOut",
            mbps=mbps,
            most=most,
            charge_type=configuration.charge_type,
        )
    if configuration.public_ip and mbps == 0:
        raise Contradiction(
            "A public address needs a bandwidth of at least 1 Mbps.", field="InternetAccessible.PublicIpAssigned"
        )
