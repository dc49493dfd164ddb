"""cvm: placement groups (DisasterRecoverGroup). Machines of one lie on different hosts, or in different racks."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, tagged
from vmart.api.actions.tagged import TagAnswer, TagSpecifications, specified, told
from vmart.api.declarations import (
    INT32_MAX,
    ClientToken,
    Code,
    Domain,
    Done,
    Filters,
    Limit,
    NotOffered,
    Offset,
    PublicId,
    PublicIds,
    Shape,
    not_offered,
)
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import utc_text
from vmart.kernel.errors import MissingParameter
from vmart.listings import placement_groups as listed
from vmart.listings.placement_groups import GroupView
from vmart.orders import placement_groups, tagging
from vmart.placement.models import Group
from vmart.tags.things import PLACEMENT_GROUP

_Name = Annotated[str, Field(max_length=1000), Code("InvalidParameterValue"), Domain("group.name")]
_Affinity = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue"), Domain("group.affinity")]
_Group = Annotated[PublicId, Code("InvalidParameterValue.DisasterRecoverGroupIdMalformed"), Domain("group.id")]
_Groups = Annotated[
    list[Annotated[str, Field(max_length=60), Code("InvalidParameterValue.DisasterRecoverGroupIdMalformed")]],
    Field(max_length=10),
    Code("InvalidParameterValue.LimitExceeded"),
    Domain("group.ids"),
]
_Machines = Annotated[PublicIds, Domain("machines")]
SPREAD = "SPREAD"


class CreateDisasterRecoverGroup(Shape):
    """A new group: HOST or RACK, and how many of its machines may lie on one host or in one rack."""

    name: _Name
    type: Annotated[Literal["HOST", "SW", "RACK"], Code("InvalidParameterValue"), Domain("group.apart")]
    client_token: ClientToken | None = None
    affinity: _Affinity = 1
    strategy: Annotated[None, not_offered("spread")] = None
    partition_count: NotOffered = None
    tag_specification: TagSpecifications = []


class DescribeDisasterRecoverGroups(Shape):
    """By ids and a part of the name, a page at a time."""

    disaster_recover_group_ids: _Groups = []
    name: Annotated[str, Field(max_length=60)] = ""
    offset: Offset = 0
    limit: Limit = 20
    filters: Filters = []


class DescribeDisasterRecoverGroupQuota(Shape):
    """Nothing is asked."""


class ModifyDisasterRecoverGroupAttribute(Shape):
    """Another name; an affinity that is not smaller."""

    disaster_recover_group_id: _Group
    name: _Name
    affinity: _Affinity | None = None


class DeleteDisasterRecoverGroups(Shape):
    """Groups without machines, all or none."""

    disaster_recover_group_ids: _Groups


class ModifyInstancesDisasterRecoverGroup(Shape):
    """Machines into one group. Force changes nothing: a machine stays on its host, or is refused."""

    instance_ids: _Machines
    disaster_recover_group_id: _Group | None = None
    force: bool = False
    disaster_recover_group_ids: Annotated[
        list[PublicId], Field(max_length=1), Code("InvalidParameterValue.LimitExceeded"), Domain("group.named")
    ] = []
    partition_number: NotOffered = None


class DeleteInstancesDisasterRecoverGroups(Shape):
    """Machines out of groups."""

    instance_ids: _Machines
    disaster_recover_group_ids: _Groups


class CreateDisasterRecoverGroupAnswer(TypedDict):
    """The new group."""

    DisasterRecoverGroupId: str
    Type: str
    Name: str
    CvmQuotaTotal: int
    CurrentNum: int
    CreateTime: str
    Strategy: str
    PartitionCount: int


class DisasterRecoverGroupAnswer(TypedDict):
    """A group and the machines in it."""

    DisasterRecoverGroupId: str
    Name: str
    Type: str
    CvmQuotaTotal: int
    CurrentNum: int
    InstanceIds: list[str]
    CreateTime: str
    Affinity: int
    Strategy: str
    PartitionCount: int
    Tags: list[TagAnswer]


class DescribeDisasterRecoverGroupsAnswer(TypedDict):
    """A page of them, and how many there are."""

    DisasterRecoverGroupSet: list[DisasterRecoverGroupAnswer]
    TotalCount: int


class DescribeDisasterRecoverGroupQuotaAnswer(TypedDict):
    """Groups of the account, and machines of a group of each kind; of those that are not offered 0."""

    GroupQuota: int
    CurrentNum: int
    CvmInHostGroupQuota: int
    CvmInSwGroupQuota: int
    CvmInRackGroupQuota: int
    CvmInSwitchGroupQuota: int


def create_disaster_recover_group(
    call: Call, asked: CreateDisasterRecoverGroup
) -> CreateDisasterRecoverGroupAnswer:  # fmt: skip
    """An empty group."""
    tags = tagging.of_kind(specified(asked.tag_specification), PLACEMENT_GROUP)
    wanted = placement_groups.Wanted(asked.name, asked.type, asked.affinity, tags)
    made = placement_groups.create(call.actor, wanted, client_token=asked.client_token or "")
    return {**_known(made, listed.used(call.account_id)[2]), "CurrentNum": 0}


def _known(group: Group | GroupView, most: int) -> "_Known":
    return {
        "DisasterRecoverGroupId": group.public_id, "Type": group.apart, "Name": group.name, "CvmQuotaTotal": most,
        "CreateTime": utc_text(group.created_at), "Strategy": SPREAD, "PartitionCount": 0,
    }  # fmt: skip


class _Known(TypedDict):
    DisasterRecoverGroupId: str
    Type: str
    Name: str
    CvmQuotaTotal: int
    CreateTime: str
    Strategy: str
    PartitionCount: int


def describe_disaster_recover_groups(
    call: Call, asked: DescribeDisasterRecoverGroups
) -> DescribeDisasterRecoverGroupsAnswer:
    """Groups of the account, newest first."""
    total, views = listed.some(
        call.account_id, public_ids=asked.disaster_recover_group_ids or None, word=asked.name,
        tags=tagged(conditions(asked.filters, TAG_FILTERS, VALUES_MAX)), offset=asked.offset, limit=asked.limit,
    )  # fmt: skip
    return {"TotalCount": total, "DisasterRecoverGroupSet": [_group(view) for view in views]}


def _group(view: GroupView) -> DisasterRecoverGroupAnswer:
    return {
        **_known(view, view.most),
        "CurrentNum": len(view.machines),
        "InstanceIds": list(view.machines),
        "Affinity": view.affinity,
        "Tags": told(view.tags),
    }


def describe_disaster_recover_group_quota(
    call: Call, _asked: DescribeDisasterRecoverGroupQuota
) -> DescribeDisasterRecoverGroupQuotaAnswer:
    """Of this account."""
    count, most, machines = listed.used(call.account_id)
    return {
        "GroupQuota": most,
        "CurrentNum": count,
        "CvmInHostGroupQuota": machines,
        "CvmInSwGroupQuota": 0,
        "CvmInRackGroupQuota": machines,
        "CvmInSwitchGroupQuota": 0,
    }


def modify_disaster_recover_group_attribute(call: Call, asked: ModifyDisasterRecoverGroupAttribute) -> Done:
    """At once; machines stay where they are."""
    placement_groups.modify(call.actor, asked.disaster_recover_group_id, name=asked.name, affinity=asked.affinity)
    return {}


def delete_disaster_recover_groups(call: Call, asked: DeleteDisasterRecoverGroups) -> Done:
    """All or none."""
    placement_groups.delete(call.actor, asked.disaster_recover_group_ids)
    return {}


def modify_instances_disaster_recover_group(call: Call, asked: ModifyInstancesDisasterRecoverGroup) -> Done:
    """All or none; each leaves the group that it was in."""
    named = {*asked.disaster_recover_group_ids, *filter(None, [asked.disaster_recover_group_id])}
    if len(named) != 1:
        raise MissingParameter(
            "One placement group must be named, by DisasterRecoverGroupId or DisasterRecoverGroupIds.",
            field="group.id",
        )  # fmt: skip
    placement_groups.join(call.actor, asked.instance_ids, named.pop())
    return {}


def delete_instances_disaster_recover_groups(call: Call, asked: DeleteInstancesDisasterRecoverGroups) -> Done:
    """All or none; they stay where they are."""
    placement_groups.leave(call.actor, asked.instance_ids, asked.disaster_recover_group_ids)
    return {}


_IDS = {Resource.PLACEMENT_GROUP: "disaster_recover_group_ids"}
ACTIONS = (
    Action(
        "CreateDisasterRecoverGroup",
        CreateDisasterRecoverGroup,
        CreateDisasterRecoverGroupAnswer,
        create_disaster_recover_group,
        writes=True,
    ),
    Action(
        "DescribeDisasterRecoverGroups",
        DescribeDisasterRecoverGroups,
        DescribeDisasterRecoverGroupsAnswer,
        describe_disaster_recover_groups,
        writes=False,
        touches=_IDS,
    ),
    Action(
        "DescribeDisasterRecoverGroupQuota",
        DescribeDisasterRecoverGroupQuota,
        DescribeDisasterRecoverGroupQuotaAnswer,
        describe_disaster_recover_group_quota,
        writes=False,
    ),
    Action(
        "ModifyDisasterRecoverGroupAttribute",
        ModifyDisasterRecoverGroupAttribute,
        Done,
        modify_disaster_recover_group_attribute,
        writes=True,
        touches={Resource.PLACEMENT_GROUP: "disaster_recover_group_id"},
    ),
    Action(
        "DeleteDisasterRecoverGroups",
        DeleteDisasterRecoverGroups,
        Done,
        delete_disaster_recover_groups,
        writes=True,
        touches=_IDS,
    ),
    Action(
        "ModifyInstancesDisasterRecoverGroup",
        ModifyInstancesDisasterRecoverGroup,
        Done,
        modify_instances_disaster_recover_group,
        writes=True,
        touches={
            Resource.MACHINE: "instance_ids",
            Resource.PLACEMENT_GROUP: ("disaster_recover_group_id", "disaster_recover_group_ids"),
        },
    ),
    Action(
        "DeleteInstancesDisasterRecoverGroups",
        DeleteInstancesDisasterRecoverGroups,
        Done,
        delete_instances_disaster_recover_groups,
        writes=True,
        touches={Resource.MACHINE: "instance_ids", **_IDS},
    ),
)
