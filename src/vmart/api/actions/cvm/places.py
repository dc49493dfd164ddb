"""cvm: DescribeRegions, DescribeZones, and which of them a call is about."""

from typing import TypedDict

from vmart.api.declarations import Shape
from vmart.api.registry import Action, Call
from vmart.api.words import CHINESE
from vmart.catalog import shop
from vmart.catalog.models import Region
from vmart.catalog.shop import Shop, ZoneView
from vmart.kernel.errors import InvalidValue, MissingParameter

AVAILABLE = {True: "AVAILABLE", False: "UNAVAILABLE"}


class UnknownRegion(InvalidValue):
    code = "InvalidParameterValue.InvalidRegion"


class DescribeRegions(Shape):
    """No members."""


class DescribeZones(Shape):
    """No members; the region of the call limits the zones."""


class RegionInfoAnswer(TypedDict):
    """One region."""

    Region: str
    RegionName: str
    RegionState: str


class DescribeRegionsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    RegionSet: list[RegionInfoAnswer]


class ZoneInfoAnswer(TypedDict):
    """One zone."""

    Zone: str
    ZoneName: str
    ZoneId: str
    ZoneState: str


class DescribeZonesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    ZoneSet: list[ZoneInfoAnswer]


def in_region(here: Shop, code: str) -> Region | None:
    """The region that the call names, by its long or short code; None where it names none."""
    if not code:
        return None
    region = here.by_legacy_region(code)
    if region is None:
        raise UnknownRegion(
            "The region {region} does not exist; there are {regions}.",
            field="region",
            region=code[:40],
            regions=", ".join(here.regions),
        )
    return region


def region_of(call: Call) -> str:
    """The region of a call that makes something there. Raises MissingParameter, UnknownRegion."""
    region = in_region(shop.snapshot(), call.region)
    if region is None:
        raise MissingParameter("What is made is in one region: name it.", field="region")
    return region.code


def zones_of(here: Shop, call: Call) -> list[ZoneView]:
    """Zones of the call's region, of all regions where it names none."""
    region = in_region(here, call.region)
    return [zone for zone in here.zones.values() if region is None or zone.region == region.code]


def describe_regions(call: Call, _asked: DescribeRegions) -> DescribeRegionsAnswer:
    """All regions."""
    here = shop.current()
    selling = {zone.region for zone in here.zones.values() if zone.on_sale}
    regions: list[RegionInfoAnswer] = [
        {
            "Region": region.code,
            "RegionName": region.name_zh if call.language == CHINESE else region.name_en,
            "RegionState": AVAILABLE[region.code in selling],
        }
        for region in here.regions.values()
    ]
    return {"TotalCount": len(regions), "RegionSet": regions}


def describe_zones(call: Call, _asked: DescribeZones) -> DescribeZonesAnswer:
    """Zones of the region; ``ZoneId`` is the number that the legacy API uses."""
    zones = [zone_info(zone, call.language) for zone in zones_of(shop.current(), call)]
    return {"TotalCount": len(zones), "ZoneSet": zones}


def zone_info(zone: ZoneView, language: str) -> ZoneInfoAnswer:
    """A zone as DescribeZones tells it, here and in the region service."""
    return {
        "Zone": zone.code,
        "ZoneName": zone.name_zh if language == CHINESE else zone.name_en,
        "ZoneId": str(zone.legacy_id),
        "ZoneState": AVAILABLE[zone.on_sale],
    }


ACTIONS = (
    Action("DescribeRegions", DescribeRegions, DescribeRegionsAnswer, describe_regions, writes=False),
    Action("DescribeZones", DescribeZones, DescribeZonesAnswer, describe_zones, writes=False),
)
