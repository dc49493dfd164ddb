"""region: DescribeRegions and DescribeZones of a product; cvm is the one there is."""

from typing import Annotated, Literal

from pydantic import Field

from vmart.api.actions.cvm.places import DescribeRegions as CvmRegions
from vmart.api.actions.cvm.places import describe_regions as cvm_regions
from vmart.api.actions.cvm.places import zone_info, zones_of
from vmart.api.declarations import AnyShape, Shape
from vmart.api.registry import REGION, Action, Call, Members
from vmart.catalog import shop

# Members for the provider's own console, null for everybody else.
_REGION_CONSOLE = ("RegionTypeMC", "LocationMC", "RegionNameMC", "RegionIdMC")
_ZONE_CONSOLE = ("ParentZone", "ParentZoneId", "ParentZoneName", "MachineRoomTypeMC", "ZoneIdMC")


Product = Literal["cvm"]


class OfProduct(Shape):
    """The product whose places are asked for."""

    product: Product
    scene: Annotated[int, Field(ge=0, le=1)] = 0


class DescribeRegions(OfProduct):
    """Regions of a product."""


class DescribeZones(OfProduct):
    """Zones of a product in the region of the call."""


def describe_regions(call: Call, _asked: DescribeRegions) -> Members:
    """All regions."""
    answer = cvm_regions(call, CvmRegions())
    return {**answer, "RegionSet": [{**region, **dict.fromkeys(_REGION_CONSOLE)} for region in answer["RegionSet"]]}


def describe_zones(call: Call, _asked: AnyShape) -> Members:
    """Zones of the region of the call."""
    zones = [
        {**zone_info(zone, call.language), "ZoneType": "availability-zone", **dict.fromkeys(_ZONE_CONSOLE)}
        for zone in zones_of(shop.current(), call)
    ]
    return {"TotalCount": len(zones), "ZoneSet": zones}


ACTIONS = (
    Action("DescribeRegions", DescribeRegions, describe_regions, "region", REGION),
    Action("DescribeZones", DescribeZones, describe_zones, "region", REGION),
)
