"""Legacy: DescribeAvailabilityZones."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import zones_of
from vmart.api.declarations import INT32_MAX, LegacyShape
from vmart.api.registry import Action, Call
from vmart.api.words import CHINESE
from vmart.catalog import shop


class DescribeAvailabilityZones(LegacyShape):
    """Zones of the region."""

    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None


class ZoneAnswer(TypedDict):
    """One zone."""

    zoneId: int
    zoneName: str


class DescribeAvailabilityZonesAnswer(TypedDict):
    """All of them, and how many there are."""

    totalCount: int
    zoneSet: list[ZoneAnswer]


def describe_availability_zones(call: Call, asked: DescribeAvailabilityZones) -> DescribeAvailabilityZonesAnswer:
    """Zones with their numbers."""
    zones = [zone for zone in zones_of(shop.current(), call) if asked.zone_id in (None, zone.legacy_id)]
    return {
        "totalCount": len(zones),
        "zoneSet": [
            {"zoneId": zone.legacy_id, "zoneName": zone.name_zh if call.language == CHINESE else zone.name_en}
            for zone in zones
        ],
    }


ACTIONS = (
    Action(
        "DescribeAvailabilityZones",
        DescribeAvailabilityZones,
        DescribeAvailabilityZonesAnswer,
        describe_availability_zones,
        version="",
        writes=False,
    ),
)
