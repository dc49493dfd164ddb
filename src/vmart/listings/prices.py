"""What can be bought in a zone right now: room, images, addresses, the engine behind it. One query."""

from collections.abc import Mapping
from dataclasses import dataclass

from vmart.catalog.models import InstanceType
from vmart.kernel import db
from vmart.orders import groups, ipv6
from vmart.placement import rules

ADDRESSES_COUNTED = 200  # "many" is enough to know beyond


@dataclass(frozen=True, slots=True)
class ImageProgress:
    """How far an image is in the zone: engines.contract.ImageStatus, percent, why it failed."""

    status: str
    percent: int
    why: str


@dataclass(frozen=True, slots=True)
class ZoneState:
    """What stands behind a zone now: ``kind`` is what its machines really are ("" until its engine first answers)."""

    status: str
    why: str
    kind: str
    has_room: bool  # for some machine, on some host
    df_shows_gib: int = 0  # engines.contract.Capabilities
    no_groups: str = ""  # why no security group holds, "" where they do
    no_ipv6: str = ""  # why its engine gives no IPv6 address, "" where it does


@dataclass(frozen=True, slots=True)
class Market:
    """A zone as it is now. ``generation`` is the catalog's at the reading."""

    generation: int
    zones: Mapping[str, ZoneState]
    images: Mapping[str, ImageProgress]
    free_addresses: int
    hosts: tuple[tuple[int, int, int], ...]  # free vCPU, MiB, GiB of each

    def room(self, kind: InstanceType, disk_gib: int) -> int:
        """Machines of this type and disk that fit at this moment."""
        return sum(
            rules.fits(*free, vcpu=kind.vcpu, memory_mib=kind.memory_mib, disk_gib=disk_gib) for free in self.hosts
        )


_MARKET = """
SELECT
  (SELECT generation FROM kernel_deployment) AS generation,
  (SELECT json_agg(json_build_array(
     code, engine_status, engine_why, coalesce(capabilities->>'instance_kind', ''),
     EXISTS (SELECT FROM placement_host h WHERE h.zone_id = z.code AND online AND enabled
             AND vcpu_used < vcpu_capacity AND memory_used_mib < memory_capacity_mib
             AND disk_used_gib < disk_capacity_gib),
     coalesce((capabilities->>'df_shows_gib')::int, 0),
     json_build_object('security_groups', coalesce(capabilities->'security_groups', 'true'),
                       'ipv6', coalesce(capabilities->'ipv6', 'true'), 'missing', capabilities->'missing')))
   FROM catalog_zone z) AS zones,
  (SELECT json_agg(json_build_array(image_id, status, percent, why))
   FROM catalog_zone_image WHERE zone_id = %(zone)s) AS images,
  (SELECT count(*) FROM (SELECT 1 FROM network_public_address
                         WHERE zone_id = %(zone)s AND instance_id IS NULL LIMIT %(most)s) AS free) AS free_addresses,
  (SELECT json_agg(json_build_array(vcpu_capacity - vcpu_used, memory_capacity_mib - memory_used_mib,
                                    disk_capacity_gib - disk_used_gib))
   FROM placement_host WHERE zone_id = %(zone)s AND online AND enabled) AS hosts
"""


def market(zone: str) -> Market:
    """The state of a zone (an unknown one has no room), and what all zones are."""
    (row,) = db.rows(_MARKET, zone=zone, most=ADDRESSES_COUNTED)
    return Market(
        generation=row["generation"],
        zones={
            code: ZoneState(
                status, why, kind, room, df_gib, groups.why_none_hold(capabilities), ipv6.why_none(capabilities)
            )
            for code, status, why, kind, room, df_gib, capabilities in row["zones"] or ()
        },
        images={image: ImageProgress(*state) for image, *state in row["images"] or ()},
        free_addresses=row["free_addresses"],
        hosts=tuple(tuple(free) for free in row["hosts"] or ()),
    )
