"""How many machines of each type still fit in each zone: one query over all hosts. And why so few, for the seller."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vmart.catalog.shop import Shop
from vmart.kernel import db
from vmart.placement import explain, rules

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


@dataclass(frozen=True, slots=True)
class Placed:
    """A type of a zone, and how many hosts each filter leaves for one more machine of it."""

    type_code: str
    vcpu: int
    memory_mib: int
    left: explain.Left


_EXPLAINED = """
SELECT t.code, t.vcpu, t.memory_mib, fn.placement_explain(%(zone)s, t.vcpu, t.memory_mib, %(disk)s) AS counts
FROM catalog_offer o JOIN catalog_instance_type t ON t.code = o.instance_type_id
WHERE o.zone_id = %(zone)s ORDER BY t.position, t.code
"""


def explained(zone: str, disk_gib: int) -> Sequence[Placed]:
    """Each type that the zone sells, in the shop's order. One query."""
    return [
        Placed(row["code"], row["vcpu"], row["memory_mib"], explain.left(row["counts"]))
        for row in db.rows(_EXPLAINED, zone=zone, disk=disk_gib)
    ]
