"""Legacy v2 (``/v2/index.php``): purchase, price and life of machines in camelCase, over the same acts.

A machine is asked for by ``cpu`` and ``mem``; the first type of that size that the zone sells is taken.
Prices are whole minor units (prepaid) or text in currency units (hourly); times are of UTC+8.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from vmart.api.actions.cvm.catalog import in_region, zones_of
from vmart.api.declarations import INT32_MAX, ClientToken, LegacyShape, NotOffered, not_offered, one_of, only
from vmart.api.registry import Action, Call, Members
from vmart.api.wire.envelope import CHINESE, legacy_code, legacy_sentence
from vmart.catalog import shop
from vmart.catalog.shop import Shop, ZoneView
from vmart.kernel.errors import InvalidValue, Refused
from vmart.kernel.money import half_up
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.listings.views import DiskView, InstanceView
from vmart.orders import login, offered, purchase, renew, renew_flag, reset_password, start, stop, terminate
from vmart.orders.login import LoginWanted
from vmart.orders.renew import Renewal
from vmart.orders.wanted import Bought, Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.quote import (
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    POSTPAID_BY_HOUR,
    PREPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
    Quote,
)

_EAST_8 = dt.timezone(dt.timedelta(hours=8))
# 1 local disk, 2 cloud disk, 3 local SSD, 4 cloud SSD: there are no local disks, and the cloud's stand for them.
_DISK_TYPES = {1: "CLOUD_PREMIUM", 2: "CLOUD_PREMIUM", 3: "CLOUD_SSD", 4: "CLOUD_SSD"}
_DISK_NUMBERS = {"CLOUD_PREMIUM": 2, "CLOUD_SSD": 4}
_PURCHASE, _UPGRADE, _BANDWIDTH = 1, 4, 5  # what InquiryInstancePrice can be asked
_BANDWIDTH_TYPES = {
    "PayByBandwidth": BANDWIDTH_PREPAID,
    "PayByHour": BANDWIDTH_POSTPAID_BY_HOUR,
    "PayByTraffic": TRAFFIC_POSTPAID_BY_HOUR,
}
_NETWORK_PAY_MODES = {BANDWIDTH_PREPAID: 1, TRAFFIC_POSTPAID_BY_HOUR: 2, BANDWIDTH_POSTPAID_BY_HOUR: 3}
_STATUS = {
    "PENDING": 3,
    "LAUNCH_FAILED": -1,
    "RUNNING": 2,
    "STOPPED": 4,
    "SHUTDOWN": 5,
    "TERMINATING": 5,
    "REBOOTING": 7,
    "STARTING": 8,
    "STOPPING": 9,
}
STATES = {number: [state for state, its in _STATUS.items() if its == number] for number in set(_STATUS.values())}

_Name = Annotated[str, Field(max_length=60)]
_Size = Annotated[int, Field(ge=0, le=INT32_MAX)]
_InstanceIds = Annotated[list[_Name], Field(max_length=100)]


class _Machine(LegacyShape):
    """What purchase and price have in common."""

    cpu: Annotated[int, Field(ge=1, le=1024)]
    mem: Annotated[int, Field(ge=1, le=65536)]  # GB
    image_id: _Name = ""
    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None
    image_type: Annotated[None, not_offered("2")] = None
    bandwidth: _Size = 0  # Mbps
    wan_ip: Annotated[int, one_of(0, 1)] | None = None
    vpc_id: Annotated[None, not_offered("default", "0")] = None
    subnet_id: Annotated[None, not_offered("default", "0")] = None
    storage_type: Annotated[int, one_of(*_DISK_TYPES)] = 1
    storage_size: _Size = 0
    root_size: _Size = 50
    project_id: Annotated[None, not_offered("0")] = None
    goods_num: Annotated[int, Field(ge=1, le=100)] = 1

    @property
    def model(self) -> str:
        """The machine type wanted, or the family of types; "" for any."""
        return ""


class _Prepaid(_Machine):
    bandwidth_type: Literal["PayByBandwidth", "PayByTraffic"] = "PayByBandwidth"
    period: Annotated[int, Field(ge=1, le=36)]


class _Hourly(_Machine):
    bandwidth_type: Literal["PayByHour", "PayByTraffic"] = "PayByHour"


class _Buying(LegacyShape):
    """Login, name and token of a purchase."""

    image_id: _Name
    instance_type: _Name = ""
    password: Annotated[str, Field(max_length=200)] = ""
    key_id: _Name = ""
    instance_name: Annotated[str, Field(max_length=128)] = ""
    client_token: ClientToken | None = None
    need_security_agent: Annotated[int, one_of(0, 1)] = 0
    need_monitor_agent: Annotated[int, one_of(0, 1)] = 0
    sg_id: NotOffered = None

    @property
    def model(self) -> str:
        return self.instance_type


class _Question(LegacyShape):
    """What price is asked for: it decides which other members there are, so it is looked at first."""

    instance_type: Annotated[int, one_of(_PURCHASE, _UPGRADE, _BANDWIDTH), only(_PURCHASE)] = _PURCHASE
    instance_id: NotOffered = None  # with it: the price of a renewal


class InquiryInstancePrice(_Prepaid, _Question):
    """Price of prepaid machines."""

    instance_model: _Name = ""

    @property
    def model(self) -> str:
        return self.instance_model


class InquiryInstancePriceHour(_Hourly):
    """Price of postpaid machines."""


class RunInstances(_Buying, _Prepaid):
    """Buy prepaid machines."""


class RunInstancesHour(_Buying, _Hourly):
    """Buy postpaid machines."""

    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)]


class DescribeInstances(LegacyShape):
    """Machines by ids, word in name or address, status and zone; a page at a time."""

    instance_ids: _InstanceIds = []
    search_word: Annotated[str, Field(max_length=128)] = ""
    status: Annotated[int, one_of(*sorted(STATES))] | None = None
    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None
    offset: Annotated[int, Field(ge=0, le=INT32_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class StartInstances(LegacyShape):
    """Stopped machines, each by itself."""

    instance_ids: _InstanceIds


class StopInstances(LegacyShape):
    """Running machines, each by itself."""

    instance_ids: _InstanceIds
    force_stop: Annotated[int, one_of(0, 1)] = 0


class ResetInstancePassword(LegacyShape):
    """Running or stopped machines, each by itself."""

    instance_ids: _InstanceIds
    password: Annotated[str, Field(max_length=200)]


class ReturnInstance(LegacyShape):
    """One machine back to the shop."""

    instance_id: _Name


class RenewInstance(LegacyShape):
    """A further term of one prepaid machine, in months."""

    instance_id: _Name
    period: Annotated[int, Field(ge=1, le=36)]


class SetAutoRenew(LegacyShape):
    """Whether a prepaid machine renews itself."""

    instance_id: _Name
    auto_renew: Annotated[int, one_of(0, 1)]


class DescribeAvailabilityZones(LegacyShape):
    """Zones of the region."""

    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None


def _choice(here: Shop, call: Call, asked: _Machine) -> tuple[ZoneView, str]:
    """The zone, and the first type of the size asked for that it sells (or shows as sold out)."""
    zones = zones_of(here, call)
    if asked.zone_id is not None:
        zones = [zone for zone in zones if zone.legacy_id == asked.zone_id]
        if not zones:
            raise InvalidValue("The zone {zone} does not exist.", field="zoneId", zone=asked.zone_id)
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


def configuration(here: Shop, call: Call, asked: _Prepaid | _Hourly) -> Configuration:
    """What is asked for, in the words of pricing."""
    in_region(here, call.region)
    zone, instance_type = _choice(here, call, asked)
    disk_type = _DISK_TYPES[asked.storage_type]
    return Configuration(
        region=zone.region,
        zone=zone.code,
        instance_type=instance_type,
        charge_type=PREPAID if isinstance(asked, _Prepaid) else POSTPAID_BY_HOUR,
        system_disk=DiskChoice(disk_type, asked.root_size),
        data_disks=(DiskChoice(disk_type, asked.storage_size),) if asked.storage_size else (),
        period_months=asked.period if isinstance(asked, _Prepaid) else None,
        internet_charge_type=_BANDWIDTH_TYPES[asked.bandwidth_type],
        bandwidth_mbps=asked.bandwidth,
        public_ip=asked.bandwidth > 0 if asked.wan_ip is None else asked.wan_ip == 1,
        count=asked.goods_num,
    )


def _price(call: Call, asked: InquiryInstancePrice | InquiryInstancePriceHour) -> Quote:
    here = shop.snapshot()
    return offered.price(configuration(here, call, asked), here)


def inquiry_instance_price(call: Call, asked: InquiryInstancePrice) -> Members:
    """Prices in minor units (fen), with and without discount."""
    quoted = _price(call, asked)
    return {"price": quoted.due_minor, "originalPrice": quoted.list_minor}


def inquiry_instance_price_hour(call: Call, asked: InquiryInstancePriceHour) -> Members:
    """Prices an hour as text in currency units; traffic by the GB."""
    quoted = _price(call, asked)
    machines_price = _unit_price(quoted.hourly_steps()[0].amount * quoted.configuration.count, "HOUR")
    traffic = quoted.traffic_per_gib
    network = _unit_price(quoted.bandwidth_part().per_hour, "HOUR") if traffic is None else _unit_price(traffic, "GB")
    return {"data": {"cvm": machines_price, "bandwidth": network}}


def _unit_price(amount: Decimal, unit: str) -> Members:
    return {"price": f"{half_up(amount, 4):f}", "price_unit": unit}


def _buy(call: Call, asked: RunInstances | RunInstancesHour) -> Bought:
    return purchase.purchase(
        Purchase(
            actor=call.actor,
            configuration=configuration(shop.snapshot(), call, asked),
            machine=Machine(
                image_id=asked.image_id,
                login=LoginWanted(asked.password, (asked.key_id,) if asked.key_id else ()),
                name=asked.instance_name,
            ),
            client_token=asked.client_token or "",
        )
    )


def run_instances(call: Call, asked: RunInstances) -> Members:
    """Buy prepaid machines: one deal with all of them."""
    bought = _buy(call, asked)
    return {"dealIds": [bought.order_id], "unInstanceIds": {str(bought.order_id): list(bought.instance_ids)}}


def run_instances_hour(call: Call, asked: RunInstancesHour) -> Members:
    """Buy postpaid machines."""
    return {"unInstanceIds": list(_buy(call, asked).instance_ids)}


def _each(call: Call, public_ids: Sequence[str], act: Callable[[str], None]) -> Members:
    """``act`` on each machine by itself; ``detail`` says how each went, 5400 that some did not."""
    detail: dict[str, Members] = {}
    for public_id in public_ids:
        try:
            act(public_id)
            told: Members = {"code": 0, "message": "", "codeDesc": "Success"}
        except Refused as refusal:
            told = {
                "code": legacy_code(refusal),
                "message": legacy_sentence(refusal, call.language),
                "codeDesc": refusal.code,
            }
        detail[public_id] = told
    failed = [told for told in detail.values() if told["code"]]
    detail = {public_id: {**told, "requestId": call.request_id} for public_id, told in detail.items()}
    if not failed:
        return {"detail": detail}
    if len(failed) < len(detail):
        return {"code": 5400, "message": failed[0]["message"], "codeDesc": "OperationPartlyFailed", "detail": detail}
    return {**failed[0], "detail": detail}


def start_instances(call: Call, asked: StartInstances) -> Members:
    """Start each."""
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: start.start(call.actor, [public_id]),
    )


def stop_instances(call: Call, asked: StopInstances) -> Members:
    """Stop each, charged on as before."""
    stop_type = stop.SOFT_FIRST if asked.force_stop else stop.SOFT
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: stop.stop(call.actor, [public_id], stop_type=stop_type),
    )


def reset_instance_password(call: Call, asked: ResetInstancePassword) -> Members:
    """The same password for the user of each; a running one stays on."""
    login.check_new_password(asked.password)  # once: it is the request's fault, not a machine's
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: reset_password.reset(call.actor, [public_id], asked.password),
    )


def return_instance(call: Call, asked: ReturnInstance) -> Members:
    """Into the recycle bin, a prepaid one with its refund."""
    terminate.terminate(call.actor, [asked.instance_id])
    return {}


def renew_instance(call: Call, asked: RenewInstance) -> Members:
    """Paid from the balance at once; the order's number as text."""
    order = renew.renew(call.actor, Renewal([asked.instance_id], asked.period))
    return {"dealIds": [str(order)]}


def set_auto_renew(call: Call, asked: SetAutoRenew) -> Members:
    """0 is renewed by hand, with reminders."""
    flag = renew_flag.AUTO if asked.auto_renew else renew_flag.MANUAL
    renew_flag.set_flag(call.actor, [asked.instance_id], flag)
    return {}


def describe_availability_zones(call: Call, asked: DescribeAvailabilityZones) -> Members:
    """Zones with their numbers."""
    zones = [zone for zone in zones_of(shop.current(), call) if asked.zone_id in (None, zone.legacy_id)]
    return {
        "totalCount": len(zones),
        "zoneSet": [
            {"zoneId": zone.legacy_id, "zoneName": zone.name_zh if call.language == CHINESE else zone.name_en}
            for zone in zones
        ],
    }


def instance(view: InstanceView, here: Shop) -> Members:
    """One machine of the legacy DescribeInstances."""
    system = next((disk for disk in view.disks if disk.usage == "SYSTEM_DISK"), None)
    zone = here.zones[view.zone]
    return {
        "unInstanceId": view.public_id,
        "instanceName": view.name,
        "lanIp": view.private_ip,
        "wanIpSet": [view.public_ip] if view.public_ip else [],
        "cpu": view.vcpu,
        "mem": view.memory_mib // 1024,
        "bandwidth": view.bandwidth_mbps,
        "status": _STATUS[view.state],
        "createTime": _local(view.created_at),
        "statusTime": _local(view.changed_at),
        "deadlineTime": _local(view.expires_at),
        "autoRenew": int(view.renew_flag == "NOTIFY_AND_AUTO_RENEW"),
        "projectId": 0,
        "os": view.os_name,
        "unImgId": view.image_id,
        "cvmPayMode": 1 if view.charge_type == PREPAID else 2,
        "networkPayMode": _NETWORK_PAY_MODES[view.internet_charge_type],
        "Region": here.regions[zone.region].legacy_code,
        "zoneId": zone.legacy_id,
        "zoneName": zone.name_en,
        "vpcId": view.vpc_id,
        "subnetId": view.subnet_id,
        "isVpcGateway": 0,
        "diskInfo": _disks(system, [disk for disk in view.disks if disk.usage == "DATA_DISK"]),
    }


def describe_instances(call: Call, asked: DescribeInstances) -> Members:
    """Machines of the region, newest first; an unknown id is not in the answer."""
    here = shop.current()
    region = in_region(here, call.region)
    zone = here.by_legacy_zone(asked.zone_id) if asked.zone_id is not None else None
    if asked.zone_id is not None and zone is None:
        return {"totalCount": 0, "instanceSet": []}
    wanted = Wanted(
        public_ids=asked.instance_ids or None,
        region=region.code if region else None,
        zones=[zone.code] if zone else None,
        states=STATES[asked.status] if asked.status is not None else None,
        word=asked.search_word or None,
    )
    total, views = machines.page(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"totalCount": total, "instanceSet": [instance(view, here) for view in views]}


def _disks(system: DiskView | None, others: Sequence[DiskView]) -> Members:
    info: Members = {}
    if system is not None:
        info |= {
            "rootType": _DISK_NUMBERS.get(system.disk_type, 2),
            "rootId": system.public_id,
            "rootSize": system.size_gib,
        }
    if others:
        first = others[0]
        info |= {
            "storageType": _DISK_NUMBERS.get(first.disk_type, 2),
            "storageId": first.public_id,
            "storageSize": sum(disk.size_gib for disk in others),
        }
    return info


def _local(instant: dt.datetime | None) -> str:
    """Time of day in UTC+8, as the legacy API prints it; zeros where there is none."""
    return instant.astimezone(_EAST_8).strftime("%Y-%m-%d %H:%M:%S") if instant else "0000-00-00 00:00:00"


ACTIONS = (
    Action("DescribeInstances", DescribeInstances, describe_instances, version=""),
    Action("InquiryInstancePrice", InquiryInstancePrice, inquiry_instance_price, version=""),
    Action("InquiryInstancePriceHour", InquiryInstancePriceHour, inquiry_instance_price_hour, version=""),
    Action("RunInstances", RunInstances, run_instances, version="", rate_limited=True),
    Action("RunInstancesHour", RunInstancesHour, run_instances_hour, version="", rate_limited=True),
    Action("StartInstances", StartInstances, start_instances, version=""),
    Action("StopInstances", StopInstances, stop_instances, version=""),
    Action("ResetInstancePassword", ResetInstancePassword, reset_instance_password, version=""),
    Action("ReturnInstance", ReturnInstance, return_instance, version=""),
    Action("RenewInstance", RenewInstance, renew_instance, version=""),
    Action("SetAutoRenew", SetAutoRenew, set_auto_renew, version=""),
    Action("DescribeAvailabilityZones", DescribeAvailabilityZones, describe_availability_zones, version=""),
)

# Published and not offered yet.
_OTHERS = """
RestartInstances ResizeInstance ResizeInstanceHour
UpdateInstanceBandwidth UpdateInstanceBandwidthHour DescribeImages DescribeKeyPairs DescribeDeals
DescribeAccountBalance ModifyInstanceAttributes ResetInstances
"""
PUBLISHED = {"cvm": {"": _OTHERS.split()}}
