"""Legacy: DescribeInstances."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.declarations import INT32_MAX, LegacyShape, one_of
from vmart.api.legacy.members import DISK_NUMBERS, InstanceIds
from vmart.api.registry import Action, Call, Resource
from vmart.catalog import shop
from vmart.catalog.shop import Shop
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.listings.views import DiskView, InstanceView
from vmart.pricing.quote import (
    BANDWIDTH_POSTPAID_BY_HOUR,
    BANDWIDTH_PREPAID,
    PREPAID,
    TRAFFIC_POSTPAID_BY_HOUR,
)

_EAST_8 = dt.timezone(dt.timedelta(hours=8))
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
    # It has no number for the rescue mode.
    "ENTER_RESCUE_MODE": 8,
    "RESCUE_MODE": 2,
    "EXIT_RESCUE_MODE": 8,
}
STATES = {number: [state for state, its in _STATUS.items() if its == number] for number in set(_STATUS.values())}


class DescribeInstances(LegacyShape):
    """Machines by ids, word in name or address, status and zone; a page at a time."""

    instance_ids: InstanceIds = []
    search_word: Annotated[str, Field(max_length=128)] = ""
    status: Annotated[int, one_of(*sorted(STATES))] | None = None
    zone_id: Annotated[int, Field(ge=0, le=INT32_MAX)] | None = None
    offset: Annotated[int, Field(ge=0, le=INT32_MAX)] = 0
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class DisksAnswer(TypedDict, total=False):
    """The system disk, and the data disks as one."""

    rootType: int
    rootId: str
    rootSize: int
    storageType: int
    storageId: str
    storageSize: int


class InstanceAnswer(TypedDict):
    """One machine."""

    unInstanceId: str
    instanceName: str
    lanIp: str
    wanIpSet: list[str]
    cpu: int
    mem: int
    bandwidth: int
    status: int
    createTime: str
    statusTime: str
    deadlineTime: str
    autoRenew: int
    projectId: int
    os: str
    unImgId: str
    cvmPayMode: int
    networkPayMode: int
    Region: str
    zoneId: int
    zoneName: str
    vpcId: str
    subnetId: str
    isVpcGateway: int
    diskInfo: DisksAnswer


class DescribeInstancesAnswer(TypedDict):
    """A page of them, and how many there are."""

    totalCount: int
    instanceSet: list[InstanceAnswer]


def instance(view: InstanceView, here: Shop) -> InstanceAnswer:
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


def describe_instances(call: Call, asked: DescribeInstances) -> DescribeInstancesAnswer:
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


def _disks(system: DiskView | None, others: Sequence[DiskView]) -> DisksAnswer:
    info: DisksAnswer = {}
    if system is not None:
        info |= {
            "rootType": DISK_NUMBERS.get(system.disk_type, 2),
            "rootId": system.public_id,
            "rootSize": system.size_gib,
        }
    if others:
        first = others[0]
        info |= {
            "storageType": DISK_NUMBERS.get(first.disk_type, 2),
            "storageId": first.public_id,
            "storageSize": sum(disk.size_gib for disk in others),
        }
    return info


def _local(instant: dt.datetime | None) -> str:
    """Time of day in UTC+8, as the legacy API prints it; zeros where there is none."""
    return instant.astimezone(_EAST_8).strftime("%Y-%m-%d %H:%M:%S") if instant else "0000-00-00 00:00:00"


ACTIONS = (
    Action(
        "DescribeInstances",
        DescribeInstances,
        DescribeInstancesAnswer,
        describe_instances,
        version="",
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
