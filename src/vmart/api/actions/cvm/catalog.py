"""cvm: what is on sale. DescribeRegions, -Zones, -ZoneInstanceConfigInfos, -InstanceTypeConfigs, -Images."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from vmart.api.actions.filters import Looks, conditions, matching, not_both
from vmart.api.actions.prices import type_price
from vmart.api.declarations import Code, Filter, Filters, Limit, Offset, Shape
from vmart.api.registry import Action, Call, Members
from vmart.api.wire.envelope import CHINESE, utc_text
from vmart.catalog import shop
from vmart.catalog.models import Image, InstanceType, Region
from vmart.catalog.shop import Shop, ZoneView
from vmart.kernel.errors import InvalidValue
from vmart.listings import stock
from vmart.pricing import books
from vmart.pricing.errors import UnknownInstanceType
from vmart.pricing.quote import POSTPAID_BY_HOUR, PREPAID

DEFAULT_SYSTEM_GIB = 50  # of a system disk whose size is not said
_AVAILABLE = {True: "AVAILABLE", False: "UNAVAILABLE"}


class UnknownRegion(InvalidValue):
    code = "InvalidParameterValue.InvalidRegion"


class DescribeRegions(Shape):
    """No members."""


class DescribeZones(Shape):
    """No members; the region of the call limits the zones."""


class DescribeZoneInstanceConfigInfos(Shape):
    """Types with price and stock. Filters: zone, instance-family, instance-type, instance-charge-type, sort-keys."""

    filters: Filters = []


class DescribeInstanceTypeConfigs(Shape):
    """Types in their zones. Filters: zone, instance-family, instance-type."""

    filters: Filters = []


class DescribeImages(Shape):
    """Images on sale. Filters: image-id, image-type, image-name, platform (the last two by part of the text)."""

    image_ids: Annotated[list[str], Field(max_length=100), Code("InvalidParameterValueLimit")] = []
    filters: Annotated[list[Filter], Field(max_length=10), Code("InvalidFilterValue.LimitExceeded")] = []
    offset: Offset = 0
    limit: Limit = 20
    instance_type: Annotated[str, Field(max_length=40)] = ""


@dataclass(frozen=True, slots=True)
class Sale:
    """One type in one zone in one charge type; ``room`` is how many machines of it fit there now."""

    zone: ZoneView
    kind: InstanceType
    charge_type: str
    room: int


_TYPE_FILTERS: Looks[Sale] = {
    "zone": lambda sale: sale.zone.code,
    "instance-family": lambda sale: sale.kind.family,
    "instance-type": lambda sale: sale.kind.code,
}
_SALE_FILTERS: Looks[Sale] = {**_TYPE_FILTERS, "instance-charge-type": lambda sale: sale.charge_type}
# At least so many machines -> StatusCategory.
_STOCK = ((100, "EnoughStock"), (10, "NormalStock"), (1, "UnderStock"))
_SORT_KEYS = {"cpu": lambda sale: sale.kind.vcpu, "mem": lambda sale: sale.kind.memory_mib}


def in_region(here: Shop, code: str) -> Region | None:
    """The region that the call names, by its long or short code; None where it names none."""
    if not code:
        return None
    region = here.by_legacy_region(code)
    if region is None:
        raise UnknownRegion(
            "The region {region} does not exist; there are {regions}.",
            field="Region",
            region=code[:40],
            regions=", ".join(here.regions),
        )
    return region


def zones_of(here: Shop, call: Call) -> list[ZoneView]:
    """Zones of the call's region, of all regions where it names none."""
    region = in_region(here, call.region)
    return [zone for zone in here.zones.values() if region is None or zone.region == region.code]


def describe_regions(call: Call, _asked: DescribeRegions) -> Members:
    """All regions."""
    here = shop.current()
    selling = {zone.region for zone in here.zones.values() if zone.on_sale}
    regions = [
        {
            "Region": region.code,
            "RegionName": region.name_zh if call.language == CHINESE else region.name_en,
            "RegionState": _AVAILABLE[region.code in selling],
        }
        for region in here.regions.values()
    ]
    return {"TotalCount": len(regions), "RegionSet": regions}


def describe_zones(call: Call, _asked: DescribeZones) -> Members:
    """Zones of the region; ``ZoneId`` is the number that the legacy API uses."""
    zones = [zone_info(zone, call.language) for zone in zones_of(shop.current(), call)]
    return {"TotalCount": len(zones), "ZoneSet": zones}


def zone_info(zone: ZoneView, language: str) -> Members:
    """A zone as DescribeZones tells it, here and in the region service."""
    return {
        "Zone": zone.code,
        "ZoneName": zone.name_zh if language == CHINESE else zone.name_en,
        "ZoneId": str(zone.legacy_id),
        "ZoneState": _AVAILABLE[zone.on_sale],
    }


def describe_zone_instance_config_infos(call: Call, asked: DescribeZoneInstanceConfigInfos) -> Members:
    """Every type in every zone in both charge types, with its price."""
    here = shop.current()
    chosen = conditions(asked.filters, [*_SALE_FILTERS, "sort-keys"], 100)
    sort_keys = chosen.pop("sort-keys", [])
    sales = matching(_sales(here, zones_of(here, call), stock.room(here, DEFAULT_SYSTEM_GIB)), chosen, _SALE_FILTERS)
    for key in reversed(sort_keys):
        name, _, order = key.partition(":")
        if name not in _SORT_KEYS or order not in ("", "asc", "desc"):
            raise InvalidValue(
                "The sort key {key} is not known; possible are cpu and mem, with :asc or :desc.",
                field="Filters",
                key=key[:40],
            )
        sales.sort(key=_SORT_KEYS[name], reverse=order == "desc")
    return {"InstanceTypeQuotaSet": [_quota_item(here, sale, call.language) for sale in sales]}


def _sales(here: Shop, zones: Iterable[ZoneView], room: Mapping[tuple[str, str], int]) -> Iterator[Sale]:
    """Every type of the zones in both charge types; one that is switched off has no room."""
    for zone in zones:
        for code, sold_out in zone.offers.items():
            fits = 0 if sold_out or not zone.on_sale else room.get((zone.code, code), 0)
            for charge_type in (PREPAID, POSTPAID_BY_HOUR):
                yield Sale(zone, here.instance_types[code], charge_type, fits)


def _stock_category(room: int) -> str:
    """How the API names stock, by the number of machines that fit."""
    if room == 0:
        return "WithoutStock"
    return next(name for least, name in _STOCK if room >= least)


def _quota_item(here: Shop, sale: Sale, language: str) -> Members:
    prices = books.current_book(here.generation).regions[sale.zone.region]
    kind, sold_out = sale.kind, sale.room == 0
    return {
        "Zone": sale.zone.code,
        "InstanceType": kind.code,
        "InstanceChargeType": sale.charge_type,
        "NetworkCard": 0,
        "Externals": {},
        "Cpu": kind.vcpu,
        "Memory": kind.memory_mib // 1024,
        "InstanceFamily": kind.family,
        "TypeName": kind.family_name_zh if language == CHINESE else kind.family_name_en,
        "LocalDiskTypeList": [],
        "Status": "SOLD_OUT" if sold_out else "SELL",
        "Price": type_price(prices.cpu[kind.code], sale.charge_type),
        "SoldOutReason": "ResourcesSoldOut.SpecifiedInstanceType" if sold_out else "",
        "InstanceBandwidth": 0.0,
        "InstancePps": 0,
        "StorageBlockAmount": 0,
        "CpuType": kind.cpu_model,
        "Gpu": 0,
        "Fpga": 0,
        "Remark": "",
        "GpuCount": 0.0,
        "Frequency": "",
        "StatusCategory": _stock_category(sale.room),
    }


def describe_instance_type_configs(call: Call, asked: DescribeInstanceTypeConfigs) -> Members:
    """Every type in every zone that sells it."""
    here = shop.current()
    chosen = conditions(asked.filters, _TYPE_FILTERS, 100)
    sales = (sale for sale in _sales(here, zones_of(here, call), {}) if sale.charge_type == PREPAID)
    configs = [
        {
            "Zone": sale.zone.code,
            "InstanceType": sale.kind.code,
            "InstanceFamily": sale.kind.family,
            "GPU": 0,
            "CPU": sale.kind.vcpu,
            "Memory": sale.kind.memory_mib // 1024,
            "FPGA": 0,
            "GpuCount": 0.0,
        }
        for sale in matching(sales, chosen, _TYPE_FILTERS)
    ]
    return {"InstanceTypeConfigSet": configs}


def describe_images(call: Call, asked: DescribeImages) -> Members:
    """Images that can be bought, all of them public; those that are only announced are for the page.

    ``InstanceType`` asks for those that suit a type. Here each suits every type; one that there is not is refused.
    """
    not_both(asked.image_ids, asked.filters, "ImageIds")
    here = shop.current()
    if asked.instance_type and asked.instance_type not in here.instance_types:
        raise UnknownInstanceType(
            "The instance type {instance_type} does not exist.",
            field="InstanceType",
            instance_type=asked.instance_type,
        )
    in_region(here, call.region)
    chosen = conditions(asked.filters, ("image-id", "image-type", "image-name", "platform"), 5)
    if asked.image_ids:
        chosen["image-id"] = asked.image_ids
    images = [image for image in here.images.values() if not image.unavailable_en and _image_matches(image, chosen)]
    page = images[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(images), "ImageSet": [_image(image) for image in page]}


def _image_matches(image: Image, chosen: dict[str, list[str]]) -> bool:
    return (
        image.public_id in chosen.get("image-id", [image.public_id])
        and "PUBLIC_IMAGE" in chosen.get("image-type", ["PUBLIC_IMAGE"])
        and any(part.lower() in image.os_name.lower() for part in chosen.get("image-name", [""]))
        and any(part.lower() in image.platform.lower() for part in chosen.get("platform", [""]))
    )


def _image(image: Image) -> Members:
    return {
        "ImageId": image.public_id,
        "OsName": image.os_name,
        "ImageType": "PUBLIC_IMAGE",
        "CreatedTime": utc_text(image.created_at),
        "ImageName": image.os_name,
        "ImageDescription": image.os_name,
        "ImageSize": image.size_gib,
        "Architecture": image.architecture,
        "ImageState": "NORMAL",
        "Platform": image.platform,
        "ImageCreator": "",
        "ImageSource": "OFFICIAL",
        "SyncPercent": None,
        "IsSupportCloudinit": True,
        "SnapshotSet": [],
        "Tags": [],
        "LicenseType": "BYOL",
        "ImageFamily": image.recipe,
        "ImageDeprecated": False,
    }


ACTIONS = (
    Action("DescribeRegions", DescribeRegions, describe_regions),
    Action("DescribeZones", DescribeZones, describe_zones),
    Action("DescribeZoneInstanceConfigInfos", DescribeZoneInstanceConfigInfos, describe_zone_instance_config_infos),
    Action("DescribeInstanceTypeConfigs", DescribeInstanceTypeConfigs, describe_instance_type_configs),
    Action("DescribeImages", DescribeImages, describe_images),
)
