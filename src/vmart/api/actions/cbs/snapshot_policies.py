"""cbs: policies by which snapshots are made by themselves (AutoSnapshotPolicy), and the disks bound to them."""

import datetime as dt
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cvm.places import in_region, region_of
from vmart.api.actions.filters import conditions, not_both
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, Empty, Filter, NotOffered, Shape
from vmart.api.registry import Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.kernel.errors import InvalidParameter
from vmart.listings import snapshot_policies as listed
from vmart.listings import snapshots
from vmart.listings.snapshot_policies import PolicyView, WantedPolicies
from vmart.orders.disks import own as own_disk
from vmart.orders.snapshots import policies, schedule
from vmart.orders.snapshots.policies import Wanted

UNNAMED = "未命名"  # as published, of a policy for which nothing else is said
_VALUES_MAX = 100
_Id = Annotated[str, Field(max_length=60)]
_PolicyId = Annotated[_Id, Domain("policies")]
_LIMIT = Code("InvalidParameterValue.LimitExceeded")
_PolicyIds = Annotated[list[_Id], Field(max_length=100), _LIMIT, Domain("policies")]
_DiskIds = Annotated[list[_Id], Field(max_length=80), _LIMIT, Domain("disks")]
_Name = Annotated[str, Field(max_length=256), Code("InvalidParameterValue"), Domain("policy.name")]
_Days = Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("policy.retention_days")]
_Hour = Annotated[int, Field(ge=0, le=23), Code("InvalidParameterValue")]
_Weekday = Annotated[int, Field(ge=0, le=6), Code("InvalidParameterValue")]
# Filters -> the member of listings.snapshot_policies.WantedPolicies that they fill.
_FILTERS = {
    "auto-snapshot-policy-id": "named_ids",
    "auto-snapshot-policy-state": "states",
    "auto-snapshot-policy-name": "names",
}


class Policy(Shape):
    """At each of these full hours of each of these days (0 is Sunday), by the clocks of the shop's zone."""

    hour: Annotated[list[_Hour], Field(max_length=24), Code("InvalidParameterValue"), Domain("policy.*.hours")]
    day_of_week: Annotated[
        list[_Weekday], Field(max_length=7), Code("InvalidParameterValue"), Domain("policy.*.weekdays")
    ]
    day_of_month: NotOffered = None
    interval_days: NotOffered = None


_Policies = Annotated[list[Policy], Field(min_length=1, max_length=1), Code("InvalidParameterValue")]


class CreateAutoSnapshotPolicy(Shape):
    """A policy of no disk yet. What it makes is kept for 7 days where nothing else is said."""

    policy: _Policies
    dry_run: bool = False
    is_activated: bool = True
    auto_snapshot_policy_name: _Name = UNNAMED
    is_permanent: bool = False
    retention_days: _Days | None = None


class DescribeAutoSnapshotPolicies(Shape):
    """By ids or filters, a page at a time."""

    auto_snapshot_policy_ids: Annotated[list[_Id], Field(max_length=100), _LIMIT] = []
    filters: Annotated[list[Filter], Field(max_length=10), _LIMIT] = []
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue")] = 0
    limit: Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue")] = 20
    order_field: Literal["CREATE_TIME"] = "CREATE_TIME"
    order: Literal["ASC", "DESC"] = "DESC"


class ModifyAutoSnapshotPolicyAttribute(Shape):
    """What is said is changed. Snapshots that it made are kept as long as was said when they were made."""

    auto_snapshot_policy_id: _PolicyId
    is_activated: bool | None = None
    is_permanent: bool | None = None
    auto_snapshot_policy_name: _Name | None = None
    policy: _Policies | None = None
    retention_days: _Days | None = None


class DeleteAutoSnapshotPolicies(Shape):
    """All or none, also with disks bound to them. Snapshots that they made end when they were to end."""

    auto_snapshot_policy_ids: _PolicyIds


class BindAutoSnapshotPolicy(Shape):
    """Disks of any kind, all or none; each has one policy at most."""

    auto_snapshot_policy_id: _PolicyId
    disk_ids: _DiskIds


class UnbindAutoSnapshotPolicy(Shape):
    """Disks, all or none."""

    auto_snapshot_policy_id: _PolicyId
    disk_ids: _DiskIds
    instance_ids: NotOffered = None


class DescribeDiskAssociatedAutoSnapshotPolicy(Shape):
    """Of one disk."""

    disk_id: Annotated[_Id, Domain("disks")]


class CreateAutoSnapshotPolicyAnswer(TypedDict):
    """Its id ("" of a DryRun), and when it is due first."""

    AutoSnapshotPolicyId: str
    NextTriggerTime: str


class PolicyAnswer(TypedDict):
    """When."""

    Hour: list[int]
    DayOfWeek: list[int]


class AutoSnapshotPolicyAnswer(TypedDict):
    """One policy."""

    DiskIdSet: list[str]
    IsActivated: bool
    AutoSnapshotPolicyState: str
    IsCopyToRemote: int
    IsPermanent: bool
    NextTriggerTime: str
    AutoSnapshotPolicyName: str
    AutoSnapshotPolicyId: str
    Policy: list[PolicyAnswer]
    CreateTime: str
    RetentionDays: int
    RetentionMonths: int
    RetentionAmount: int
    AdvancedRetentionPolicy: dict[str, int] | None
    CopyToAccountUin: str | None
    CopyFromAccountUin: str | None
    InstanceIdSet: Empty
    Tags: Empty


class AutoSnapshotPoliciesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    AutoSnapshotPolicySet: list[AutoSnapshotPolicyAnswer]


def create_auto_snapshot_policy(call: Call, asked: CreateAutoSnapshotPolicy) -> CreateAutoSnapshotPolicyAnswer:
    """It costs nothing by itself; each snapshot that it makes is charged."""
    (policy,) = asked.policy
    wanted = Wanted(
        name=asked.auto_snapshot_policy_name, active=asked.is_activated, hours=tuple(policy.hour),
        weekdays=tuple(policy.day_of_week), retention_days=_retention(asked.is_permanent, asked.retention_days),
    )  # fmt: skip
    made = policies.create(call.actor, region_of(call), wanted, dry_run=asked.dry_run)
    return {
        "AutoSnapshotPolicyId": "" if asked.dry_run else made.public_id,
        "NextTriggerTime": _local(schedule.next_at(made)),
    }


def _retention(permanent: bool, days: int | None) -> int:
    _refuse_both(permanent, days)
    return policies.FOR_GOOD if permanent else days or policies.RETENTION_DAYS


def _refuse_both(permanent: bool | None, days: int | None) -> None:
    if permanent and days is not None:
        raise InvalidParameter("What is kept for good has no days.", field="policy.retention_days")


def describe_auto_snapshot_policies(call: Call, asked: DescribeAutoSnapshotPolicies) -> AutoSnapshotPoliciesAnswer:
    """Policies of the account in the region of the call (all regions where it names none)."""
    not_both(asked.auto_snapshot_policy_ids, asked.filters, "AutoSnapshotPolicyIds")
    chosen = conditions(asked.filters, _FILTERS, _VALUES_MAX)
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {_FILTERS[name]: values for name, values in chosen.items()}
    met |= {"public_ids": asked.auto_snapshot_policy_ids or None, "region": region.code if region else None}
    total, found = listed.page(
        call.account_id, WantedPolicies(**met), newest_first=asked.order == "DESC", offset=asked.offset,
        limit=asked.limit,
    )  # fmt: skip
    return {"TotalCount": total, "AutoSnapshotPolicySet": [_policy(view, view.disks) for view in found]}


def _policy(view: PolicyView, disks: list[str]) -> AutoSnapshotPolicyAnswer:
    return {
        "AutoSnapshotPolicyId": view.public_id,
        "AutoSnapshotPolicyName": view.name,
        "AutoSnapshotPolicyState": "NORMAL",
        "IsActivated": view.active,
        "IsPermanent": view.retention_days == policies.FOR_GOOD,
        "RetentionDays": view.retention_days,
        "RetentionMonths": 0,
        "RetentionAmount": 0,
        "AdvancedRetentionPolicy": None,
        "Policy": [{"Hour": view.hours, "DayOfWeek": view.weekdays}],
        "NextTriggerTime": _local(view.next_at),
        "CreateTime": _local(view.created_at),
        "DiskIdSet": disks,
        "InstanceIdSet": [],
        "IsCopyToRemote": 0,
        "CopyToAccountUin": None,
        "CopyFromAccountUin": None,
        "Tags": [],
    }


def _local(instant: dt.datetime | None) -> str:
    return local_text(instant, shop.snapshot().billing_zone)


def modify_auto_snapshot_policy_attribute(call: Call, asked: ModifyAutoSnapshotPolicyAttribute) -> Done:
    """At once, for the snapshots that are made from now on."""
    policy = asked.policy[0] if asked.policy else None
    _refuse_both(asked.is_permanent, asked.retention_days)
    wanted = Wanted(
        name=asked.auto_snapshot_policy_name,
        active=asked.is_activated,
        hours=tuple(policy.hour) if policy else None,
        weekdays=tuple(policy.day_of_week) if policy else None,
        retention_days=asked.retention_days,
        permanent=asked.is_permanent,
    )
    policies.modify(call.actor, asked.auto_snapshot_policy_id, wanted)
    return {}


def delete_auto_snapshot_policies(call: Call, asked: DeleteAutoSnapshotPolicies) -> Done:
    """At once."""
    policies.delete(call.actor, asked.auto_snapshot_policy_ids)
    return {}


def bind_auto_snapshot_policy(call: Call, asked: BindAutoSnapshotPolicy) -> Done:
    """From the policy's next time on. A disk that is not used then is left out, and an event says why."""
    policies.bind(call.actor, asked.auto_snapshot_policy_id, asked.disk_ids)
    return {}


def unbind_auto_snapshot_policy(call: Call, asked: UnbindAutoSnapshotPolicy) -> Done:
    """At once; snapshots that were made stay as long as they were to stay."""
    policies.unbind(call.actor, asked.auto_snapshot_policy_id, asked.disk_ids)
    return {}


def describe_disk_associated_auto_snapshot_policy(
    call: Call, asked: DescribeDiskAssociatedAutoSnapshotPolicy
) -> AutoSnapshotPoliciesAnswer:
    """The policy that a disk is bound to; DiskIdSet is empty here, as published."""
    if snapshots.disk(call.account_id, asked.disk_id) is None:
        raise own_disk.unknown(asked.disk_id)
    total, found = listed.page(call.account_id, WantedPolicies(disk=asked.disk_id))
    return {"TotalCount": total, "AutoSnapshotPolicySet": [_policy(view, []) for view in found]}


_ONE, _SEVERAL = {Resource.SNAPSHOT_POLICY: "auto_snapshot_policy_id"}, {
    Resource.SNAPSHOT_POLICY: "auto_snapshot_policy_ids"
}  # fmt: skip
_DISKS = {Resource.DISK: "disk_ids"}
ACTIONS = (
    declared(CreateAutoSnapshotPolicy, CreateAutoSnapshotPolicyAnswer, create_auto_snapshot_policy, writes=True),
    declared(
        DescribeAutoSnapshotPolicies, AutoSnapshotPoliciesAnswer, describe_auto_snapshot_policies, touches=_SEVERAL,
        writes=False,
    ),
    declared(ModifyAutoSnapshotPolicyAttribute, Done, modify_auto_snapshot_policy_attribute, touches=_ONE, writes=True),
    declared(DeleteAutoSnapshotPolicies, Done, delete_auto_snapshot_policies, touches=_SEVERAL, writes=True),
    declared(BindAutoSnapshotPolicy, Done, bind_auto_snapshot_policy, touches=_ONE | _DISKS, writes=True),
    declared(UnbindAutoSnapshotPolicy, Done, unbind_auto_snapshot_policy, touches=_ONE | _DISKS, writes=True),
    declared(
        DescribeDiskAssociatedAutoSnapshotPolicy, AutoSnapshotPoliciesAnswer,
        describe_disk_associated_auto_snapshot_policy, touches={Resource.DISK: "disk_id"}, writes=False,
    ),
)  # fmt: skip
