"""What a customer puts together to buy: a plain value, the same of page and API."""

from dataclasses import dataclass

PREPAID = "PREPAID"
POSTPAID_BY_HOUR = "POSTPAID_BY_HOUR"
SPOTPAID = "SPOTPAID"
BY_USAGE = (POSTPAID_BY_HOUR, SPOTPAID)  # of a machine: charged by the second, settled every hour
BANDWIDTH_PREPAID = "BANDWIDTH_PREPAID"
BANDWIDTH_PREPAID_BY_MONTH = "BANDWIDTH_PREPAID_BY_MONTH"  # of a public address with a life of its own
BANDWIDTH_POSTPAID_BY_HOUR = "BANDWIDTH_POSTPAID_BY_HOUR"
TRAFFIC_POSTPAID_BY_HOUR = "TRAFFIC_POSTPAID_BY_HOUR"
BANDWIDTH_PACKAGE = "BANDWIDTH_PACKAGE"  # of a public address that is in one

# Known to the field and not sold here: answered as unsupported, not as unknown.
OTHER_CHARGE_TYPES = frozenset({"CDHPAID", "CDCPAID", "UNDERWRITE", BANDWIDTH_PACKAGE})
DEFAULT_DISK_TYPE, DEFAULT_SYSTEM_GIB = "CLOUD_PREMIUM", 50  # of a request that says none
BANDWIDTH_BY_MODE = {PREPAID: BANDWIDTH_PREPAID, **dict.fromkeys(BY_USAGE, BANDWIDTH_POSTPAID_BY_HOUR)}


@dataclass(frozen=True, slots=True)
class DiskChoice:
    """A disk to buy: ``CLOUD_PREMIUM`` and its size. No price have its name, whether it goes with its machine, and the
    snapshot that a data disk holds from its first moment on.
    """

    disk_type: str
    size_gib: int
    delete_with_instance: bool = True
    name: str = ""
    snapshot_id: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """One kind of machine, ``count`` times. Charge types are those of the API 3.0.

    ``period_months`` is a number exactly for prepaid. ``bandwidth_mbps`` is the speed that is bought, or by
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


def default_internet_charge_type(charge_type: str) -> str:
    """Where a request names none: by bandwidth, in the machine's own mode (API 3.0, InternetAccessible)."""
    return BANDWIDTH_BY_MODE.get(charge_type, BANDWIDTH_POSTPAID_BY_HOUR)
