"""What a customer puts together to buy: a plain value, the same of page and API."""

from dataclasses import dataclass
from typing import Any

PREPAID = "PREPAID"
POSTPAID_BY_HOUR = "POSTPAID_BY_HOUR"
BANDWIDTH_PREPAID = "BANDWIDTH_PREPAID"
BANDWIDTH_POSTPAID_BY_HOUR = "BANDWIDTH_POSTPAID_BY_HOUR"
TRAFFIC_POSTPAID_BY_HOUR = "TRAFFIC_POSTPAID_BY_HOUR"

# Known to the field and not sold here: answered as unsupported, not as unknown.
OTHER_CHARGE_TYPES = frozenset({"SPOTPAID", "CDHPAID", "CDCPAID", "UNDERWRITE", "BANDWIDTH_PACKAGE"})
BANDWIDTH_BY_MODE = {PREPAID: BANDWIDTH_PREPAID, POSTPAID_BY_HOUR: BANDWIDTH_POSTPAID_BY_HOUR}


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
    return BANDWIDTH_BY_MODE.get(charge_type, BANDWIDTH_POSTPAID_BY_HOUR)
