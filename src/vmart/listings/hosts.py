"""Hosts of a zone for the seller: how full each is, and how often what it has is sold."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vmart.kernel import db
from vmart.listings.paging import PAGE, Page, cut


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host; capacities are after overcommit. ``threads``: what its vCPU are sold of. The pool is 0 where no real
    disks fill."""

    zone: str
    name: str
    rack: str
    online: bool
    enabled: bool
    off_since: dt.datetime | None
    drained_at: dt.datetime | None
    drained_by: str
    machines: int
    vcpu_used: int
    vcpu_capacity: int
    threads: int
    memory_used_mib: int
    memory_capacity_mib: int
    disk_used_gib: int
    disk_capacity_gib: int
    pool_filled_gib: int
    pool_gib: int

    @property
    def vcpu_ratio(self) -> Decimal:
        """vCPU that are sold against its threads: above 1 they are sold more than once."""
        return round(Decimal(self.vcpu_used) / self.threads, 2) if self.threads else Decimal(0)

    @property
    def disk_ratio(self) -> Decimal:
        """The same of disks against the storage that they fill."""
        return round(Decimal(self.disk_used_gib) / self.pool_gib, 2) if self.pool_gib else Decimal(0)


_HOSTS = """
SELECT h.zone_id AS zone, h.name, h.rack, h.online, h.enabled, h.off_since, h.drained_at, h.drained_by,
  (SELECT count(*) FROM placement_allocation a JOIN instances_instance i ON i.id = a.instance_id
   WHERE a.host_id = h.id) AS machines,
  h.vcpu_used, h.vcpu_capacity, h.vcpu_capacity / greatest(z.vcpu_overcommit, 1) AS threads, h.memory_used_mib,
  h.memory_capacity_mib, h.disk_used_gib, h.disk_capacity_gib,
  coalesce((z.capabilities->'pools'->h.name->>0)::bigint, 0) AS pool_filled_gib,
  coalesce((z.capabilities->'pools'->h.name->>1)::bigint, 0) AS pool_gib
FROM placement_host h JOIN catalog_zone z ON z.code = h.zone_id
WHERE (%(zone)s = '' OR h.zone_id = %(zone)s)
  AND (%(after_name)s::text IS NULL OR (h.zone_id, h.name) > (%(after_zone)s::text, %(after_name)s::text))
ORDER BY h.zone_id, h.name LIMIT %(limit)s
"""


def page(zone: str = "", after: str = "") -> Page[HostRow]:
    """Hosts of a zone, of all zones for "", by zone and name. One query. ``after``: the key of the page before."""
    after_zone, separator, after_name = after.replace("\0", "").partition("~")
    asked: Mapping[str, Any] = {
        "zone": zone, "after_zone": after_zone, "after_name": after_name if separator else None, "limit": PAGE + 1,
    }  # fmt: skip
    rows = [HostRow(**row) for row in db.rows(_HOSTS, **asked)]
    return cut(rows, lambda row: f"{row.zone}~{row.name}", first=not separator)
