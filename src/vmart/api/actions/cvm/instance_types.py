"""cvm: types with price and stock. DescribeZoneInstanceConfigInfos, DescribeInstanceTypeConfigs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict

from vmart.api.actions.cvm.places import zones_of
from vmart.api.actions.filters import Looks, conditions, matching
from vmart.api.actions.prices import ItemPriceAnswer, spot_type_price, type_price
from vmart.api.declarations import Empty, Filters, Shape
from vmart.api.registry import Action, Call
from vmart.api.words import CHINESE
from vmart.catalog import shop
from vmart.catalog.models import InstanceType
from vmart.catalog.shop import Shop, ZoneView
from vmart.kernel.errors import InvalidValue
from vmart.listings import stock
from vmart.pricing import books
from vmart.pricing.book import PriceBook
from vmart.pricing.configuration import DEFAULT_SYSTEM_GIB
from vmart.pricing.quote import POSTPAID_BY_HOUR, PREPAID, SPOTPAID


class DescribeZoneInstanceConfigInfos(Shape):
    """Types with price and stock. Filters: zone, instance-family, instance-type, instance-charge-type, sort-keys."""

    filters: Filters = []


class DescribeInstanceTypeConfigs(Shape):
    """Types in their zones. Filters: zone, instance-family, instance-type."""

    filters: Filters = []


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


class ExternalsAnswer(TypedDict, total=False):
    """Nothing of it is said."""


class InstanceTypeQuotaItemAnswer(TypedDict):
    """One type in one zone and charge type."""

    Zone: str
    InstanceType: str
    InstanceChargeType: str
    NetworkCard: int
    Externals: ExternalsAnswer
    Cpu: int
    Memory: int
    InstanceFamily: str
    TypeName: str
    LocalDiskTypeList: Empty
    Status: str
    Price: ItemPriceAnswer
    SoldOutReason: str
    InstanceBandwidth: float
    InstancePps: int
    StorageBlockAmount: int
    CpuType: str
    Gpu: int
    Fpga: int
    Remark: str
    GpuCount: float
    Frequency: str
    StatusCategory: str


class DescribeZoneInstanceConfigInfosAnswer(TypedDict):
    """Every type in every zone in each charge type in which it is sold."""

    InstanceTypeQuotaSet: list[InstanceTypeQuotaItemAnswer]


class InstanceTypeConfigAnswer(TypedDict):
    """One type in one zone."""

    Zone: str
    InstanceType: str
    InstanceFamily: str
    GPU: int
    CPU: int
    Memory: int
    FPGA: int
    GpuCount: float


class DescribeInstanceTypeConfigsAnswer(TypedDict):
    """Every type in every zone that sells it."""

    InstanceTypeConfigSet: list[InstanceTypeConfigAnswer]


def describe_zone_instance_config_infos(
    call: Call, asked: DescribeZoneInstanceConfigInfos
) -> DescribeZoneInstanceConfigInfosAnswer:
    """Every type in every zone in each charge type in which it is sold, with its price."""
    here = shop.current()
    chosen = conditions(asked.filters, [*_SALE_FILTERS, "sort-keys"], 100)
    sort_keys = chosen.pop("sort-keys", [])
    sales = matching(_sales(here, zones_of(here, call), stock.room(here, DEFAULT_SYSTEM_GIB)), chosen, _SALE_FILTERS)
    for key in reversed(sort_keys):
        name, _, order = key.partition(":")
        if name not in _SORT_KEYS or order not in ("", "asc", "desc"):
            raise InvalidValue(
                "The sort key {key} is not known; possible are cpu and mem, with :asc or :desc.",
                field="filters",
                key=key[:40],
            )
        sales.sort(key=_SORT_KEYS[name], reverse=order == "desc")
    book = books.own_book(call.account_id, here.generation)
    return {"InstanceTypeQuotaSet": [_quota_item(book, sale, call.language) for sale in sales]}


def _sales(here: Shop, zones: Iterable[ZoneView], room: Mapping[tuple[str, str], int]) -> Iterator[Sale]:
    """Every type of the zones in each charge type in which it is sold; one that is switched off has no room."""
    regions = books.current_book(here.generation).regions
    for zone in zones:
        for code, sold_out in zone.offers.items():
            fits = 0 if sold_out or not zone.on_sale else room.get((zone.code, code), 0)
            also = [SPOTPAID] if code in regions[zone.region].spot else []
            for charge_type in (PREPAID, POSTPAID_BY_HOUR, *also):
                yield Sale(zone, here.instance_types[code], charge_type, fits)


def _stock_category(room: int) -> str:
    """How the API names stock, by the number of machines that fit."""
    if room == 0:
        return "WithoutStock"
    return next(name for least, name in _STOCK if room >= least)


def _quota_item(book: PriceBook, sale: Sale, language: str) -> InstanceTypeQuotaItemAnswer:
    prices = book.regions[sale.zone.region]
    kind, sold_out = sale.kind, sale.room == 0
    if sale.charge_type == SPOTPAID:
        price = spot_type_price(prices.spot[kind.code], prices.cpu[kind.code])
    else:
        price = type_price(prices.cpu[kind.code], sale.charge_type)
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
        "Price": price,
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


def describe_instance_type_configs(call: Call, asked: DescribeInstanceTypeConfigs) -> DescribeInstanceTypeConfigsAnswer:
    """Every type in every zone that sells it."""
    here = shop.current()
    chosen = conditions(asked.filters, _TYPE_FILTERS, 100)
    sales = (sale for sale in _sales(here, zones_of(here, call), {}) if sale.charge_type == PREPAID)
    configs: list[InstanceTypeConfigAnswer] = [
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


ACTIONS = (
    Action(
        "DescribeZoneInstanceConfigInfos",
        DescribeZoneInstanceConfigInfos,
        DescribeZoneInstanceConfigInfosAnswer,
        describe_zone_instance_config_infos,
        writes=False,
    ),
    Action(
        "DescribeInstanceTypeConfigs",
        DescribeInstanceTypeConfigs,
        DescribeInstanceTypeConfigsAnswer,
        describe_instance_type_configs,
        writes=False,
    ),
)
