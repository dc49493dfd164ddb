"""region: DescribeRegions and DescribeZones of a product; cvm is the one there is."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import DescribeRegions as CvmRegions
from vmart.api.actions.cvm.places import RegionInfoAnswer as CvmRegion
from vmart.api.actions.cvm.places import ZoneInfoAnswer as CvmZone
from vmart.api.actions.cvm.places import describe_regions as cvm_regions
from vmart.api.actions.cvm.places import zone_info, zones_of
from vmart.api.declarations import AnyShape, Shape
from vmart.api.registry import REGION, Action, Call
from vmart.catalog import shop

Product = Literal["cvm"]


class OfProduct(Shape):
    """The product whose places are asked for."""

    product: Product
    scene: Annotated[int, Field(ge=0, le=1)] = 0


class DescribeRegions(OfProduct):
    """Regions of a product."""


class DescribeZones(OfProduct):
    """Zones of a product in the region of the call."""


class RegionInfoAnswer(CvmRegion):
    """One region as cvm tells it; null is what is for the provider's own console."""

    RegionTypeMC: int | None
    LocationMC: str | None
    RegionNameMC: str | None
    RegionIdMC: str | None


class DescribeRegionsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    RegionSet: list[RegionInfoAnswer]


class ZoneInfoAnswer(CvmZone):
    """One zone as cvm tells it; null is what is for the provider's own console."""

    ParentZone: str | None
    ParentZoneId: str | None
    ParentZoneName: str | None
    ZoneType: str | None
    MachineRoomTypeMC: str | None
    ZoneIdMC: str | None


class DescribeZonesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    ZoneSet: list[ZoneInfoAnswer]


def describe_regions(call: Call, _asked: DescribeRegions) -> DescribeRegionsAnswer:
    """All regions."""
    answer = cvm_regions(call, CvmRegions())
    return {"TotalCount": answer["TotalCount"], "RegionSet": [_region(region) for region in answer["RegionSet"]]}


def _region(region: CvmRegion) -> RegionInfoAnswer:
    return {**region, "RegionTypeMC": None, "LocationMC": None, "RegionNameMC": None, "RegionIdMC": None}


def describe_zones(call: Call, _asked: AnyShape) -> DescribeZonesAnswer:
    """Zones of the region of the call."""
    zones = [_zone(zone_info(zone, call.language)) for zone in zones_of(shop.current(), call)]
    return {"TotalCount": len(zones), "ZoneSet": zones}


def _zone(zone: CvmZone) -> ZoneInfoAnswer:
    return {
        **zone,
        "ParentZone": None,
        "ParentZoneId": None,
        "ParentZoneName": None,
        "ZoneType": "availability-zone",
        "MachineRoomTypeMC": None,
        "ZoneIdMC": None,
    }


ACTIONS = (
    Action("DescribeRegions", DescribeRegions, DescribeRegionsAnswer, describe_regions, "region", REGION, writes=False),
    Action("DescribeZones", DescribeZones, DescribeZonesAnswer, describe_zones, "region", REGION, writes=False),
)
