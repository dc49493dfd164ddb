"""vpc: DescribeSecurityGroups. One default group an account, open both ways: nothing enforces groups here yet."""

from typing import Literal, TypedDict

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, meets, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, told
from vmart.api.actions.vpc.vpcs import Filters
from vmart.api.declarations import PublicIds, Shape, TextLimit, TextOffset
from vmart.api.registry import VPC, Action, Call, Resource
from vmart.api.words import local_text, localized
from vmart.catalog import shop
from vmart.listings import security_groups
from vmart.listings.views import SecurityGroupView

NAME = "default (not enforced)"
_FILTERS = ("security-group-id", "project-id", "security-group-name")
DESCRIPTION = "Open in both directions and not enforced: machines here belong to no security group."


class DescribeSecurityGroups(Shape):
    """By ids or filters, a page at a time."""

    security_group_ids: PublicIds = []
    filters: Filters = []
    offset: TextOffset = 0
    limit: TextLimit = 20
    order_field: Literal["CreatedTime", "UpdateTime"] | None = None
    order_direction: Literal["ASC", "DESC"] = "ASC"


class SecurityGroupAnswer(TypedDict):
    """One group."""

    SecurityGroupId: str
    SecurityGroupName: str
    SecurityGroupDesc: str
    ProjectId: str
    IsDefault: bool
    CreatedTime: str
    TagSet: list[TagAnswer]
    UpdateTime: str


class DescribeSecurityGroupsAnswer(TypedDict):
    """A page of them, and how many there are."""

    SecurityGroupSet: list[SecurityGroupAnswer]
    TotalCount: int


def describe_security_groups(call: Call, asked: DescribeSecurityGroups) -> DescribeSecurityGroupsAnswer:
    """The account's one group, the same in every region, where it is asked for."""
    not_both(asked.security_group_ids, asked.filters, "SecurityGroupIds")
    in_region(shop.snapshot(), call.region)
    chosen = conditions(asked.filters, (*_FILTERS, *TAG_FILTERS), VALUES_MAX)
    group, is_wanted = security_groups.of_account(call.account_id, tagged(chosen))
    alike = {"security-group-id": group.public_id, "project-id": "0", "security-group-name": NAME}
    if asked.security_group_ids:
        chosen["security-group-id"] = asked.security_group_ids
    found = [group] if is_wanted and meets(chosen, alike) else []
    page = found[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(found), "SecurityGroupSet": [security_group(view, call.language) for view in page]}


def security_group(view: SecurityGroupView, language: str) -> SecurityGroupAnswer:
    """One group."""
    return {
        "SecurityGroupId": view.public_id,
        "SecurityGroupName": NAME,
        "SecurityGroupDesc": localized(DESCRIPTION, language, {}),
        "ProjectId": "0",
        "IsDefault": True,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "UpdateTime": "",
        "TagSet": told(view.tags),
    }


ACTIONS = (
    Action(
        "DescribeSecurityGroups",
        DescribeSecurityGroups,
        DescribeSecurityGroupsAnswer,
        describe_security_groups,
        "vpc",
        VPC,
        writes=False,
        touches={Resource.SECURITY_GROUP: "security_group_ids"},
    ),
)
