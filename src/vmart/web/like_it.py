"""A machine as an address of the purchase page: another one like it."""

from collections.abc import Iterable
from urllib.parse import urlencode

from vmart.listings.views import InstanceView
from vmart.pricing.configuration import PREPAID, SPOTPAID, TRAFFIC_POSTPAID_BY_HOUR

_MODES = {PREPAID: "prepaid", SPOTPAID: "spot"}


def address_of(machine: InstanceView) -> str:
    """The query with all that a further machine can have alike: not its name, addresses, bid and content."""
    public = machine.public_ip is not None or machine.bandwidth_mbps > 0
    by_traffic = machine.internet_charge_type == TRAFFIC_POSTPAID_BY_HOUR
    pairs = [
        ("charge", _MODES.get(machine.charge_type, "postpaid")),
        ("zone", machine.zone),
        ("type", machine.instance_type),
        ("image", machine.image_id),
        ("address", "1" if public else "0"),
        ("internet", "traffic" if by_traffic else "bandwidth"),
        ("mbps", str(machine.bandwidth_mbps) if machine.bandwidth_mbps else ""),
        ("ipv6", "1" if machine.ipv6 else ""),
        ("subnet", machine.subnet_id),
        ("group", machine.placement_group),
        ("tags", ", ".join(f"{tag.key}={tag.value}" for tag in machine.tags)),
        ("login", "key" if machine.key_ids else "generated"),
        *(("key", key) for key in machine.key_ids),
        *(("security_group", group) for group in machine.attributes.security_groups),
        *_disks(machine),
    ]
    return urlencode([(name, value) for name, value in pairs if value])


def _disks(machine: InstanceView) -> Iterable[tuple[str, str]]:
    for disk in machine.disks:
        if disk.usage == "SYSTEM_DISK":
            yield from (("disk", disk.disk_type), ("disk_gib", str(disk.size_gib)))
        else:
            yield from (("data_disk", disk.disk_type), ("data_gib", str(disk.size_gib)))
