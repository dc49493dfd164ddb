"""How many machines of each type still fit in each zone: one query over all hosts."""

from collections import defaultdict
from collections.abc import Mapping

from vmart.catalog.shop import Shop
from vmart.kernel import db
from vmart.placement import rules

# Free room of each host that machines are placed on; in fn.placement_claim the same hosts count.
_FREE = """
SELECT zone_id, vcpu_capacity - vcpu_used AS vcpu, memory_capacity_mib - memory_used_mib AS memory_mib,
  disk_capacity_gib - disk_used_gib AS disk_gib
FROM placement_host WHERE online AND enabled
"""


def room(here: Shop, disk_gib: int) -> Mapping[tuple[str, str], int]:
    """(zone, instance type) -> machines of it with ``disk_gib`` of disk that fit at this moment; 0 is left out."""
    fits: dict[tuple[str, str], int] = defaultdict(int)
    for host in db.rows(_FREE):
        zone = here.zones.get(host["zone_id"])
        if zone is None:  # newer than this process's catalog
            continue
        for code in zone.offers:
            kind = here.instance_types[code]
            most = rules.fits(
                host["vcpu"], host["memory_mib"], host["disk_gib"],
                vcpu=kind.vcpu, memory_mib=kind.memory_mib, disk_gib=disk_gib,
            )  # fmt: skip
            if most:
                fits[zone.code, code] += most
    return fits
