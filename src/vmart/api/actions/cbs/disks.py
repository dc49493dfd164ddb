"""cbs: DescribeDisks: disks that go with their machines, and disks with a life of their own."""

import datetime as dt
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, conditions, meets, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, told
from vmart.api.declarations import INT32_MAX, Code, Empty, Filter, PublicIds, Shape
from vmart.api.registry import Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.kernel import clock
from vmart.listings import disks
from vmart.listings.disks import Wanted
from vmart.listings.views import ListedDisk
from vmart.orders.renew_flag import AUTO
from vmart.pricing.quote import PREPAID
from vmart.subscriptions.models import Source

_VALUES_MAX = 100
_AT_MACHINE = ("ATTACHED", "DETACHING")
# ReturnFailCode: why a disk is not returned; the last is of what goes with its machine or is charged by the hour.
_RETURNABLE, _RETURNED, _EXPIRED, _NOT_OF_A_TERM = 0, 1, 2, 10
_MIB_A_GIB = 1024  # SnapshotSize is in MiB
# Filters -> the member of listings.disks.Wanted that they fill.
_FILTERS = {
    "disk-id": "public_ids",
    "disk-usage": "usages",
    "disk-type": "types",
    "disk-name": "names",
    "disk-state": "states",
    "disk-charge-type": "charge_types",
    "instance-id": "instance_ids",
    "instance-name": "instance_names",
    "instance-ip-address": "ips",
    "zone": "zones",
    "portable": "portables",
}
_ALIKE = {"project-id": "0"}
_FIND_NOTHING = ("dedicated-cluster-id", "cluster-group-id")


class DescribeDisks(Shape):
    """By ids or filters, a page at a time; those of machines that are erased by their ids alone."""

    disk_ids: PublicIds = []
    filters: Annotated[list[Filter], Field(max_length=10), Code("InvalidParameterValue.LimitExceeded")] = []
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue")] = 0
    limit: Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue")] = 20
    order_field: Literal["CREATE_TIME", "DEADLINE"] = "CREATE_TIME"
    order: Literal["ASC", "DESC"] = "DESC"
    return_bind_auto_snapshot_policy: bool = False


class PlacementAnswer(TypedDict):
    """Where it is."""

    Zone: str
    CageId: str | None
    CdcId: str | None
    CdcName: str | None
    DedicatedClusterId: str
    ProjectId: int
    ProjectName: str | None


class UnchangingAnswer(TypedDict):
    """What every disk here has alike."""

    InstanceIdList: Empty
    Encrypt: bool
    BackupDisk: bool
    AttachMode: str
    ThroughputPerformance: int
    Migrating: bool
    MigratePercent: int
    RollbackPercent: int
    Shareable: bool
    DeleteSnapshot: int
    DiskBackupQuota: int
    DiskBackupCount: int
    InstanceType: str
    ErrorPrompt: str
    BurstPerformance: bool
    KmsKeyId: str


class DiskAnswer(UnchangingAnswer):
    """One disk."""

    Portable: bool
    DiskName: str
    DeleteWithInstance: bool
    RenewFlag: str
    DiskType: str
    DiskState: str
    InstanceId: str
    AutoSnapshotPolicyIds: list[str] | None
    DiskId: str
    Placement: PlacementAnswer
    DeadlineTime: str
    Attached: bool
    DiskSize: int
    DiskUsage: str
    DiskChargeType: str
    DifferDaysOfDeadline: int | None
    IsReturnable: bool | None
    ReturnFailCode: int
    DeadlineError: bool
    AutoRenewFlagError: bool
    CreateTime: str
    LastAttachInsId: str | None
    Tags: list[TagAnswer]
    SnapshotAbility: bool
    SnapshotCount: int
    SnapshotSize: int
    Rollbacking: bool


class DescribeDisksAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    DiskSet: list[DiskAnswer]


def describe_disks(call: Call, asked: DescribeDisks) -> DescribeDisksAnswer:
    """Disks of the account in the region of the call (all regions where it names none)."""
    not_both(asked.disk_ids, asked.filters, "DiskIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "DiskSet": []}
    total, found = disks.page(
        call.account_id, wanted, order=(asked.order_field, asked.order), offset=asked.offset, limit=asked.limit
    )
    with_policies = asked.return_bind_auto_snapshot_policy
    return {"TotalCount": total, "DiskSet": [disk(view, with_policies=with_policies) for view in found]}


def _wanted(call: Call, asked: DescribeDisks) -> Wanted | None:
    """The conditions of the request; None where one of them is met by no disk."""
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, *_FIND_NOTHING, *TAG_FILTERS), _VALUES_MAX)
    if not meets(chosen, _ALIKE) or any(name in _FIND_NOTHING for name in chosen):
        return None
    if "portable" in chosen:
        chosen["portable"] = [value.lower() for value in chosen["portable"]]
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {"public_ids": asked.disk_ids or None, "region": region.code if region else None}
    met["tags"] = tagged(chosen)
    return Wanted(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def disk(view: ListedDisk, *, with_policies: bool) -> DiskAnswer:
    """One disk. ``Portable`` false says that it goes with its machine, whatever ``DeleteWithInstance`` wishes."""
    prepaid = view.charge_type == PREPAID
    attached = view.state in _AT_MACHINE or (view.state == "EXPANDING" and view.instance_id != "")
    days = (view.expires_at - clock.now()).days if prepaid and view.expires_at else None
    why_not = _why_not_returnable(view)
    with_prepaid = prepaid and view.portable and view.machine_expires_at is not None
    return {
        **_UNCHANGING,
        "AutoSnapshotPolicyIds": list(view.policies) if with_policies else None,
        "Portable": view.portable,
        "DiskId": view.public_id,
        "DiskName": view.bought.name,
        "DiskUsage": view.usage,
        "DiskType": view.bought.disk_type,
        "DiskSize": view.bought.size_gib,
        "DiskState": view.state,
        "Attached": attached,
        "DeleteWithInstance": view.bought.delete_with_instance,
        "InstanceId": "" if view.state == "UNATTACHED" else view.instance_id,
        "LastAttachInsId": view.instance_id,
        "Tags": told(view.tags),
        "Placement": _placement(view),
        "DiskChargeType": view.charge_type,
        "RenewFlag": view.renew_flag,
        "CreateTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "DeadlineTime": local_text(view.expires_at, shop.snapshot().billing_zone),
        "DifferDaysOfDeadline": days,
        "IsReturnable": why_not == _RETURNABLE,
        "ReturnFailCode": why_not,
        "DeadlineError": with_prepaid and _is_before(view.expires_at, view.machine_expires_at),
        "AutoRenewFlagError": with_prepaid and view.machine_renew_flag == AUTO and view.renew_flag != AUTO,
        "SnapshotAbility": view.snapshot_ability,
        "SnapshotCount": view.snapshots,
        "SnapshotSize": view.snapshots_gib * _MIB_A_GIB,
        "Rollbacking": view.rollbacking,
    }


def _why_not_returnable(view: ListedDisk) -> int:
    """ReturnFailCode. What its owner's quota of returns says is not looked at."""
    if not view.portable or view.charge_type != PREPAID:
        return _NOT_OF_A_TERM
    if view.isolated_source == Source.MANMADE:
        return _RETURNED
    return _EXPIRED if view.expires_at is None or view.expires_at <= clock.now() else _RETURNABLE


def _is_before(one: dt.datetime | None, other: dt.datetime | None) -> bool:
    return one is not None and other is not None and one < other


def _placement(view: ListedDisk) -> PlacementAnswer:
    return {
        "Zone": view.zone,
        "CageId": None,
        "CdcId": None,
        "CdcName": None,
        "DedicatedClusterId": "",
        "ProjectId": 0,
        "ProjectName": None,
    }


# What every disk here has alike: no key of its own.
_UNCHANGING: UnchangingAnswer = {
    "Encrypt": False,
    "KmsKeyId": "",
    "ThroughputPerformance": 0,
    "BurstPerformance": False,
    "InstanceType": "CVM",
    "InstanceIdList": [],
    "AttachMode": "PF",
    "Shareable": False,
    "Migrating": False,
    "MigratePercent": 0,
    "RollbackPercent": 0,
    "DeleteSnapshot": 0,
    "BackupDisk": False,
    "DiskBackupQuota": 0,
    "DiskBackupCount": 0,
    "ErrorPrompt": "",
}

ACTIONS = (
    declared(DescribeDisks, DescribeDisksAnswer, describe_disks, writes=False, touches={Resource.DISK: "disk_ids"}),
)
