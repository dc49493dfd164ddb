"""cbs: snapshots of disks: made, told of, given back to their disk, renamed, kept until an instant and deleted."""

import datetime as dt
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, conditions, meets, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, Tags, told
from vmart.api.actions.tagged import wanted as wanted_tags
from vmart.api.declarations import (
    INT32_MAX,
    Code,
    Domain,
    Done,
    Empty,
    FalseOnly,
    Filter,
    NotOffered,
    Shape,
)
from vmart.api.registry import Call, Resource
from vmart.api.words import local_text, utc_text
from vmart.catalog import shop
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, MissingParameter
from vmart.listings import snapshots
from vmart.listings.snapshots import WantedSnapshots
from vmart.listings.views import SnapshotView
from vmart.orders.snapshots import apply, attributes, create, delete
from vmart.orders.snapshots.create import NewSnapshot

_Id = Annotated[str, Field(max_length=60)]
_SnapshotId = Annotated[_Id, Domain("snapshots")]
_SnapshotIds = Annotated[
    list[_Id], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded"), Domain("snapshots")
]
# The act checks its length and what is in it.
_Name = Annotated[str, Field(max_length=256), Code("InvalidParameterValue"), Domain("name")]
_VALUES_MAX = 100
# Filters -> the member of listings.snapshots.WantedSnapshots that they fill.
_FILTERS = {
    "snapshot-id": "public_ids",
    "snapshot-name": "names",
    "snapshot-state": "states",
    "disk-usage": "usages",
    "disk-id": "disk_ids",
    "zone": "zones",
}
_ALIKE = {"project-id": "0", "encrypt": "false", "snapshot-type": "private_snapshot"}


# ISO 8601, in UTC where it names no zone.
_Deadline = Annotated[str, Field(max_length=40), Code("InvalidParameterValue"), Domain("delete_at")]


class CreateSnapshot(Shape):
    """Of a disk as it is, at a machine or not; SnapshotState is CREATING until it is there."""

    disk_id: Annotated[_Id, Domain("disks")]
    snapshot_name: _Name = ""
    tags: Tags = []
    deadline: _Deadline = ""
    disk_backup_id: NotOffered = None
    local_snap: FalseOnly = None
    disk_usage: NotOffered = None


class DescribeSnapshots(Shape):
    """By ids or filters, a page at a time."""

    snapshot_ids: Annotated[list[_Id], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")] = []
    filters: Annotated[list[Filter], Field(max_length=10), Code("InvalidParameterValue.LimitExceeded")] = []
    offset: Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue")] = 0
    limit: Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue")] = 20
    order_field: Literal["CREATE_TIME"] = "CREATE_TIME"
    order: Literal["ASC", "DESC"] = "DESC"


class DescribeSnapshotOverview(Shape):
    """Of the region of the call."""


class DeleteSnapshots(Shape):
    """All or none. Disks that were made of them stay."""

    snapshot_ids: _SnapshotIds
    delete_bind_images: FalseOnly = None


class ModifySnapshotAttribute(Shape):
    """A snapshot's name; and until when it is kept: until Deadline, or with IsPermanent until it is deleted."""

    snapshot_id: _SnapshotId
    snapshot_name: _Name | None = None
    is_permanent: bool | None = None
    deadline: _Deadline = ""


class ApplySnapshot(Shape):
    """Back to its disk, which is at no machine; of a disk that goes with its machine, that is off."""

    snapshot_id: _SnapshotId
    disk_id: Annotated[_Id, Domain("disks")]
    auto_stop_instance: FalseOnly = None
    auto_start_instance: FalseOnly = None


class CreateSnapshotAnswer(TypedDict):
    """Its id."""

    SnapshotId: str


class SnapshotPlacementAnswer(TypedDict):
    """Where it is."""

    Zone: str
    CageId: str | None
    CdcId: str | None
    CdcName: str | None
    DedicatedClusterId: str
    ProjectId: int
    ProjectName: str | None


class AlikeAnswer(TypedDict):
    """What every snapshot here has alike."""

    CopyFromRemote: bool
    Images: Empty
    ImageCount: int
    ShareReference: int
    SnapshotType: str
    CopyingToRegions: Empty
    Encrypt: bool
    TimeStartShare: str
    IsLocked: bool | None
    SnapshotMode: str


class SnapshotAnswer(AlikeAnswer):
    """One snapshot."""

    Placement: SnapshotPlacementAnswer
    SnapshotState: str
    SnapshotName: str
    Percent: int
    DiskSize: int
    DiskId: str
    CreateTime: str
    DiskUsage: str
    SnapshotId: str
    IsPermanent: bool
    DeadlineTime: str
    AutoSnapshotPolicyId: str
    Tags: list[TagAnswer]


class DescribeSnapshotsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    SnapshotSet: list[SnapshotAnswer]


class DescribeSnapshotOverviewAnswer(TypedDict):
    """How many there are, and of how many GiB, all of which are charged."""

    TotalNums: int
    TotalSize: float
    FreeQuota: float
    RealTradeSize: float


def create_snapshot(call: Call, asked: CreateSnapshot) -> CreateSnapshotAnswer:
    """Accepted; SnapshotState tells when it is there."""
    new = NewSnapshot(asked.disk_id, asked.snapshot_name, wanted_tags(asked.tags), delete_at=_instant(asked.deadline))
    return {"SnapshotId": create.create(call.actor, new)}


def describe_snapshots(call: Call, asked: DescribeSnapshots) -> DescribeSnapshotsAnswer:
    """Snapshots of the account in the region of the call (all regions where it names none)."""
    not_both(asked.snapshot_ids, asked.filters, "SnapshotIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "SnapshotSet": []}
    total, found = snapshots.page(
        call.account_id, wanted, newest_first=asked.order == "DESC", offset=asked.offset, limit=asked.limit
    )
    return {"TotalCount": total, "SnapshotSet": [snapshot(view) for view in found]}


def _wanted(call: Call, asked: DescribeSnapshots) -> WantedSnapshots | None:
    """The conditions of the request; None where one of them is met by no snapshot."""
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, *TAG_FILTERS), _VALUES_MAX)
    if not meets(chosen, _ALIKE):
        return None
    met: dict[str, Any] = {"public_ids": asked.snapshot_ids or None, "region": _region(call), "tags": tagged(chosen)}
    return WantedSnapshots(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def _region(call: Call) -> str | None:
    named = in_region(shop.snapshot(), call.region)
    return named.code if named else None


def snapshot(view: SnapshotView) -> SnapshotAnswer:
    """One snapshot."""
    return {
        **_ALIKE_ANSWER,
        "SnapshotId": view.public_id,
        "SnapshotName": view.name,
        "SnapshotState": view.state,
        "Percent": 0 if view.state == "CREATING" else 100,
        "DiskId": view.disk,
        "DiskSize": view.size_gib,
        "DiskUsage": view.usage,
        "CreateTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "IsPermanent": view.delete_at is None,
        "DeadlineTime": local_text(view.delete_at, shop.snapshot().billing_zone) if view.delete_at else "",
        "AutoSnapshotPolicyId": view.policy,
        "Placement": {
            "Zone": view.zone,
            "CageId": None,
            "CdcId": None,
            "CdcName": None,
            "DedicatedClusterId": "",
            "ProjectId": 0,
            "ProjectName": None,
        },
        "Tags": told(view.tags),
    }


_ALIKE_ANSWER: AlikeAnswer = {
    "CopyFromRemote": False,
    "Images": [],
    "ImageCount": 0,
    "ShareReference": 0,
    "SnapshotType": "PRIVATE_SNAPSHOT",
    "CopyingToRegions": [],
    "Encrypt": False,
    "TimeStartShare": "",
    "IsLocked": False,
    "SnapshotMode": "STANDARD_SNAPSHOT",
}


def describe_snapshot_overview(call: Call, asked: DescribeSnapshotOverview) -> DescribeSnapshotOverviewAnswer:
    """All of it is charged: nothing is free."""
    found = snapshots.overview(call.account_id, _region(call))
    gib = float(found.size_gib)
    return {"TotalNums": found.count, "TotalSize": gib, "FreeQuota": 0.0, "RealTradeSize": gib}


def delete_snapshots(call: Call, asked: DeleteSnapshots) -> Done:
    """Charging ends now."""
    delete.delete(call.actor, asked.snapshot_ids)
    return {}


def modify_snapshot_attribute(call: Call, asked: ModifySnapshotAttribute) -> Done:
    """Done at once."""
    if asked.is_permanent is False and not asked.deadline:
        raise MissingParameter("Deadline says until when the snapshot is kept.", field="delete_at")
    attributes.modify(
        call.actor, asked.snapshot_id, name=asked.snapshot_name, delete_at=_instant(asked.deadline),
        for_good=bool(asked.is_permanent),
    )  # fmt: skip
    return {}


def _instant(text: str) -> dt.datetime | None:
    """Of a Deadline; None for "". Raises InvalidValue."""
    if not text:
        return None
    try:
        said = dt.datetime.fromisoformat(text).replace(microsecond=0)
        return (said if said.tzinfo else said.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(
            "The end is said in UTC, as {example}.", field="delete_at", example=utc_text(clock.now())
        ) from None


def apply_snapshot(call: Call, asked: ApplySnapshot) -> Done:
    """Accepted; SnapshotState is ROLLBACKING until the disk holds what the snapshot holds."""
    apply.apply(call.actor, asked.snapshot_id, asked.disk_id)
    return {}


_ONE, _SEVERAL = {Resource.SNAPSHOT: "snapshot_id"}, {Resource.SNAPSHOT: "snapshot_ids"}
ACTIONS = (
    declared(
        CreateSnapshot,
        CreateSnapshotAnswer,
        create_snapshot,
        writes=True,
        buys=True,
        touches={Resource.DISK: "disk_id"},
    ),
    declared(DescribeSnapshots, DescribeSnapshotsAnswer, describe_snapshots, writes=False, touches=_SEVERAL),
    declared(DescribeSnapshotOverview, DescribeSnapshotOverviewAnswer, describe_snapshot_overview, writes=False),
    declared(DeleteSnapshots, Done, delete_snapshots, writes=True, touches=_SEVERAL),
    declared(ModifySnapshotAttribute, Done, modify_snapshot_attribute, writes=True, touches=_ONE),
    declared(ApplySnapshot, Done, apply_snapshot, writes=True, touches=_ONE | {Resource.DISK: "disk_id"}),
)
