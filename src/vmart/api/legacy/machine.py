"""Legacy: a machine to buy, as purchase and price ask for it, in the words of pricing."""

from typing import Annotated, Literal

from pydantic import Field

from vmart.api.actions.cvm.places import in_region, zones_of
from vmart.api.declarations import INT32_MAX, Domain, LegacyShape, not_offered, one_of
from vmart.api.legacy.members import DISK_TYPES, Name
from vmart.api.registry import Call
from vmart.catalog.shop import Shop, ZoneView
from vmart.kernel.errors import InvalidValue
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.quote import (
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    POSTPAID_BY_HOUR,
    PREPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
)

_BANDWIDTH_TYPES = {
    "PayByBandwidth": BANDWIDTH_PREPAID,
    "PayByHour": BANDWIDTH_POSTPAID_BY_HOUR,
    "PayByTraffic": TRAFFIC_POSTPAID_BY_HOUR,
}
_Size = Annotated[int, Field(ge=0, le=INT32_MAX)]
_Mode = Domain("internet_charge_type")


class _Machine(LegacyShape):
    """What purchase and price have in common."""

    cpu: Annotated[int, Field(ge=1, le=1024)]
    mem: Annotated[int, Field(ge=1, le=65536)]  # GB
    image_id: Name = ""
    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX), Domain("zone")] | None = None
    image_type: Annotated[None, not_offered("2")] = None
    bandwidth: Annotated[_Size, Domain("bandwidth_mbps")] = 0  # Mbps
    wan_ip: Annotated[int, one_of(0, 1), Domain("public_ip")] | None = None
    vpc_id: Annotated[None, not_offered("default", "0")] = None
    subnet_id: Annotated[None, not_offered("default", "0")] = None
    storage_type: Annotated[int, one_of(*DISK_TYPES), Domain("system_disk.disk_type", "data_disks.*.disk_type")] = 1
    storage_size: Annotated[_Size, Domain("data_disks.*.size_gib")] = 0
    root_size: Annotated[_Size, Domain("system_disk.size_gib")] = 50
    project_id: Annotated[None, not_offered("0")] = None
    goods_num: Annotated[int, Field(ge=1, le=100), Domain("count")] = 1

    @property
    def model(self) -> str:
        """The machine type wanted, or the family of types; "" for any."""
        return ""


class Prepaid(_Machine):
    bandwidth_type: Annotated[Literal["PayByBandwidth", "PayByTraffic"], _Mode] = "PayByBandwidth"
    period: Annotated[int, Field(ge=1, le=36), Domain("period_months")]


class Hourly(_Machine):
    bandwidth_type: Annotated[Literal["PayByHour", "PayByTraffic"], _Mode] = "PayByHour"


def _choice(here: Shop, call: Call, asked: _Machine) -> tuple[ZoneView, str]:
    """The zone, and the first type of the size asked for that it sells (or shows as sold out)."""
    zones = zones_of(here, call)
    if asked.zone_id is not None:
        zones = [zone for zone in zones if zone.legacy_id == asked.zone_id]
        if not zones:
            raise InvalidValue("The zone {zone} does not exist.", field="zone", zone=asked.zone_id)
    model = asked.model.removeprefix("CVM.")  # as published: CVM.S1
    found: list[tuple[bool, ZoneView, str]] = []
    for zone in zones:
        for code, sold_out in zone.offers.items():
            kind = here.instance_types[code]
            wanted = model in ("", kind.code, kind.family)
            if wanted and kind.vcpu == asked.cpu and kind.memory_mib == asked.mem * 1024:
                found.append((sold_out or not zone.on_sale, zone, code))
    if not found:
        raise InvalidValue(
            "No machine with {cpu} vCPU and {mem} GB is sold there; see DescribeZoneInstanceConfigInfos.",
            field="cpu",
            code="InvalidParameterValue.InstanceTypeNotFound",
            cpu=asked.cpu,
            mem=asked.mem,
        )
    _, zone, code = min(found, key=lambda choice: choice[0])  # the first that is not sold out
    return zone, code


def configuration(here: Shop, call: Call, asked: Prepaid | Hourly) -> Configuration:
    """What is asked for, in the words of pricing."""
    in_region(here, call.region)
    zone, instance_type = _choice(here, call, asked)
    disk_type = DISK_TYPES[asked.storage_type]
    return Configuration(
        region=zone.region,
        zone=zone.code,
        instance_type=instance_type,
        charge_type=PREPAID if isinstance(asked, Prepaid) else POSTPAID_BY_HOUR,
        system_disk=DiskChoice(disk_type, asked.root_size),
        data_disks=(DiskChoice(disk_type, asked.storage_size),) if asked.storage_size else (),
        period_months=asked.period if isinstance(asked, Prepaid) else None,
        internet_charge_type=_BANDWIDTH_TYPES[asked.bandwidth_type],
        bandwidth_mbps=asked.bandwidth,
        public_ip=asked.bandwidth > 0 if asked.wan_ip is None else asked.wan_ip == 1,
        count=asked.goods_num,
    )
