"""vpc: security groups and their rules. Changes are done when they are answered, and in force some seconds later."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, matching, meets, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, Tags, told, wanted
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.declarations import (
    INT32_MAX,
    Code,
    Domain,
    Done,
    Empty,
    NotOffered,
    PublicId,
    PublicIds,
    Shape,
    TextLimit,
    TextOffset,
    not_offered,
)
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.engines.rules import ICMPV6
from vmart.kernel.errors import MissingParameter
from vmart.listings import security_groups
from vmart.listings.views import SecurityGroupView
from vmart.security import change
from vmart.security.change import Named, Policies
from vmart.security.errors import BadPolicy
from vmart.security.models import SecurityGroup
from vmart.security.policies import Policy
from vmart.tags import new
from vmart.tags.things import SECURITY_GROUP

_Text = Annotated[str, Field(max_length=1000)]
_Index = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]
_PROTOCOLS = {ICMPV6: "ICMPv6"}  # as they are written in answers
_LOOKS = {
    "security-group-id": lambda view: view.public_id,
    "security-group-name": lambda view: view.name,
}


class SecurityGroupPolicy(Shape):
    """One rule. ``CidrBlock``, ``Ipv6CidrBlock`` or ``SecurityGroupId`` is the other end."""

    policy_index: _Index | None = None
    protocol: _Text = ""
    port: _Text = ""
    service_template: NotOffered = None
    cidr_block: _Text = ""
    ipv6_cidr_block: Annotated[_Text, Field(alias="Ipv6CidrBlock")] = ""
    security_group_id: PublicId = ""
    address_template: NotOffered = None
    action: _Text = ""
    policy_description: _Text = ""
    modify_time: Annotated[_Text, Domain()] = ""
    priority: NotOffered = None


_Rules = Annotated[list[SecurityGroupPolicy], Field(max_length=1000), Code("LimitExceeded.SecurityGroupPolicySet")]


class SecurityGroupPolicySet(Shape):
    """Rules of both directions, and the version of the group for which they are meant."""

    version: Annotated[str, Field(max_length=20)] = ""
    egress: _Rules = []
    ingress: _Rules = []
    policy_statistics: NotOffered = None


_PolicySet = Annotated[SecurityGroupPolicySet, Domain("policies")]
_GroupId = Annotated[PublicId, Domain("group")]


class DescribeSecurityGroups(Shape):
    """By ids or filters, a page at a time."""

    security_group_ids: PublicIds = []
    filters: Filters = []
    offset: TextOffset = 0
    limit: TextLimit = 20
    order_field: Literal["CreatedTime", "UpdateTime"] = "CreatedTime"
    order_direction: Literal["ASC", "DESC"] = "DESC"


class CreateSecurityGroup(Shape):
    """A group without rules: it lets nothing in and nothing out."""

    group_name: Annotated[_Text, Domain("name")]
    group_description: Annotated[_Text, Domain("description")]
    project_id: Annotated[None, not_offered("0")] = None
    tags: Tags = []


class CreateSecurityGroupWithPolicies(CreateSecurityGroup):
    """A group with its first rules."""

    security_group_policy_set: Annotated[SecurityGroupPolicySet | None, Domain("policies")] = None


class ModifySecurityGroupAttribute(Shape):
    """Another name or description."""

    security_group_id: _GroupId
    group_name: Annotated[_Text | None, Domain("name")] = None
    group_description: Annotated[_Text | None, Domain("description")] = None


class OneGroup(Shape):
    """A group by its id."""

    security_group_id: _GroupId


class DeleteSecurityGroup(OneGroup):
    """A group that nothing uses."""


class DescribeSecurityGroupPolicies(OneGroup):
    """All rules of a group."""

    filters: NotOffered = None


class CreateSecurityGroupPolicies(OneGroup):
    """Further rules of one direction, by default before all others."""

    security_group_policy_set: _PolicySet


class ModifySecurityGroupPolicies(OneGroup):
    """These rules in the place of all."""

    security_group_policy_set: _PolicySet
    sort_policys: bool = False


class DeleteSecurityGroupPolicies(OneGroup):
    """Rules of one direction, by their index or by what they say."""

    security_group_policy_set: _PolicySet


class ReplaceSecurityGroupPolicy(OneGroup):
    """One rule in the place of another."""

    security_group_policy_set: _PolicySet
    original_security_group_policy_set: Annotated[SecurityGroupPolicySet | None, Domain("original")] = None


class ReplaceSecurityGroupPolicies(ReplaceSecurityGroupPolicy):
    """Several rules of one direction, each in the place of another."""

    update_type: Annotated[None, not_offered("policy")] = None


class DescribeSecurityGroupAssociationStatistics(Shape):
    """What uses these groups."""

    security_group_ids: PublicIds


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


class CreateSecurityGroupAnswer(TypedDict):
    """The new group."""

    SecurityGroup: SecurityGroupAnswer


class ServiceTemplateAnswer(TypedDict):
    """Of which there are none here: no ids."""

    ServiceId: str
    ServiceGroupId: str


class AddressTemplateAnswer(TypedDict):
    """Of which there are none here: no ids."""

    AddressId: str
    AddressGroupId: str


class SecurityGroupPolicyAnswer(TypedDict):
    """One rule."""

    PolicyIndex: int
    Protocol: str
    Port: str
    ServiceTemplate: ServiceTemplateAnswer
    CidrBlock: str
    Ipv6CidrBlock: str
    SecurityGroupId: str
    AddressTemplate: AddressTemplateAnswer
    Action: str
    PolicyDescription: str
    ModifyTime: str


class SecurityGroupPolicySetAnswer(TypedDict):
    """All rules, in the order in which they decide."""

    Version: str
    Egress: list[SecurityGroupPolicyAnswer]
    Ingress: list[SecurityGroupPolicyAnswer]


class DescribeSecurityGroupPoliciesAnswer(TypedDict):
    """The group's rules."""

    SecurityGroupPolicySet: SecurityGroupPolicySetAnswer


class AssociationStatisticsAnswer(TypedDict):
    """How many of each kind use a group; other kinds than machines and groups there are none."""

    SecurityGroupId: str
    CVM: int
    CDB: int
    ENI: int
    SG: int
    CLB: int
    InstanceStatistics: Empty
    TotalCount: int


class DescribeSecurityGroupAssociationStatisticsAnswer(TypedDict):
    """In the order asked for."""

    SecurityGroupAssociationStatisticsSet: list[AssociationStatisticsAnswer]


def _region(call: Call) -> str:
    region = in_region(shop.snapshot(), call.region)
    return region.code if region else ""


def describe_security_groups(call: Call, asked: DescribeSecurityGroups) -> DescribeSecurityGroupsAnswer:
    """The account's groups of the region, of all regions where none is named."""
    not_both(asked.security_group_ids, asked.filters, "SecurityGroupIds")
    chosen = conditions(asked.filters, (*_LOOKS, "project-id", *TAG_FILTERS), VALUES_MAX)
    if asked.security_group_ids:
        chosen["security-group-id"] = asked.security_group_ids
    groups = security_groups.of_account(call.account_id, _region(call), tagged(chosen))
    found = matching(groups, chosen, _LOOKS) if meets(chosen, {"project-id": "0"}) else []
    at = (lambda view: view.updated_at) if asked.order_field == "UpdateTime" else (lambda view: view.created_at)
    ordered = sorted([*found[:1], *reversed(found[1:])], key=at)  # of one instant, the default one came first
    if asked.order_direction == "DESC":
        ordered.reverse()
    page = ordered[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(found), "SecurityGroupSet": [security_group(view) for view in page]}


def security_group(view: SecurityGroupView | SecurityGroup) -> SecurityGroupAnswer:
    """One group."""
    zone = shop.snapshot().billing_zone
    return {
        "SecurityGroupId": view.public_id,
        "SecurityGroupName": view.name,
        "SecurityGroupDesc": view.description,
        "ProjectId": "0",
        "IsDefault": view.is_default,
        "CreatedTime": local_text(view.created_at, zone),
        "UpdateTime": local_text(view.updated_at, zone),
        "TagSet": told(view.tags) if isinstance(view, SecurityGroupView) else [],
    }


def create_security_group(call: Call, asked: CreateSecurityGroup) -> CreateSecurityGroupAnswer:
    """A new group in the region of the call, which has to name one."""
    policies = asked.security_group_policy_set if isinstance(asked, CreateSecurityGroupWithPolicies) else None
    region = _region(call)
    if not region:
        raise MissingParameter("A security group is of a region: name one.", field="region")
    first, tags = _policies(policies), wanted(asked.tags)
    with new.tagging(call.actor, SECURITY_GROUP, tags) as tag:
        group = change.create(call.actor, region, asked.group_name, asked.group_description, first)
        tag(group.public_id)
    return {"SecurityGroup": {**security_group(group), "TagSet": told(tags)}}


def modify_security_group_attribute(call: Call, asked: ModifySecurityGroupAttribute) -> Done:
    """Another name or description."""
    change.rename(call.actor, asked.security_group_id, asked.group_name, asked.group_description)
    return {}


def delete_security_group(call: Call, asked: DeleteSecurityGroup) -> Done:
    """A group that something uses stays."""
    change.delete(call.actor, asked.security_group_id)
    return {}


def create_security_group_policies(call: Call, asked: CreateSecurityGroupPolicies) -> Done:
    """Further rules."""
    change.add(call.actor, asked.security_group_id, _policies(asked.security_group_policy_set))
    return {}


def modify_security_group_policies(call: Call, asked: ModifySecurityGroupPolicies) -> Done:
    """All rules anew, of the directions of which some are named; with none at all, no rule is left."""
    change.replace_all(call.actor, asked.security_group_id, _policies(asked.security_group_policy_set))
    return {}


def delete_security_group_policies(call: Call, asked: DeleteSecurityGroupPolicies) -> Done:
    """Fewer rules."""
    change.remove(call.actor, asked.security_group_id, _policies(asked.security_group_policy_set))
    return {}


def replace_security_group_policy(call: Call, asked: ReplaceSecurityGroupPolicy) -> Done:
    """One rule for another."""
    original = _policies(asked.original_security_group_policy_set, "original")
    change.replace_one(call.actor, asked.security_group_id, _policies(asked.security_group_policy_set), original)
    return {}


def replace_security_group_policies(call: Call, asked: ReplaceSecurityGroupPolicies) -> Done:
    """Several rules for others."""
    original = _policies(asked.original_security_group_policy_set, "original")
    change.replace_some(call.actor, asked.security_group_id, _policies(asked.security_group_policy_set), original)
    return {}


def _policies(asked: SecurityGroupPolicySet | None, path: str = "policies") -> Policies:
    if asked is None:
        return change.NOTHING
    version = "" if asked.version == "0" else asked.version  # as published: 0 fits any
    return Policies(_named(f"{path}.ingress", asked.ingress), _named(f"{path}.egress", asked.egress), version)


def _named(path: str, asked: Sequence[SecurityGroupPolicy]) -> tuple[Named, ...]:
    return tuple(
        Named(
            Policy(
                rule.action, rule.protocol, rule.port, _network(rule, f"{path}.{number}"),
                rule.security_group_id, rule.policy_description,
            ),
            rule.policy_index,
        )
        for number, rule in enumerate(asked)
    )  # fmt: skip


def _network(rule: SecurityGroupPolicy, field: str) -> str:
    """The one network that a rule names, each kind in its own member."""
    if rule.cidr_block and rule.ipv6_cidr_block:
        raise BadPolicy("A rule names a network of IPv4 or one of IPv6: make two.", field=f"{field}.ipv6_cidr_block")
    for member, kind, text, fits in (
        ("cidr_block", "IPv4", rule.cidr_block, ":" not in rule.cidr_block),
        ("ipv6_cidr_block", "IPv6", rule.ipv6_cidr_block, not rule.ipv6_cidr_block or ":" in rule.ipv6_cidr_block),
    ):
        if not fits:
            raise BadPolicy("{value} is no network of {kind}.", field=f"{field}.{member}", value=text[:60], kind=kind)
    return rule.cidr_block or rule.ipv6_cidr_block


def describe_security_group_policies(
    call: Call, asked: DescribeSecurityGroupPolicies
) -> DescribeSecurityGroupPoliciesAnswer:
    """The group's rules."""
    view = security_groups.one(call.account_id, asked.security_group_id)
    at = local_text(view.updated_at, shop.snapshot().billing_zone)
    return {
        "SecurityGroupPolicySet": {
            "Version": str(view.version),
            "Egress": _rules(view.egress, at),
            "Ingress": _rules(view.ingress, at),
        }
    }


def _rules(policies: Sequence[Policy], at: str) -> list[SecurityGroupPolicyAnswer]:
    return [
        {
            "PolicyIndex": index,
            "Protocol": _PROTOCOLS.get(policy.protocol, policy.protocol),
            "Port": policy.port,
            "ServiceTemplate": {"ServiceId": "", "ServiceGroupId": ""},
            "CidrBlock": "" if ":" in policy.cidr else policy.cidr,
            "Ipv6CidrBlock": policy.cidr if ":" in policy.cidr else "",
            "SecurityGroupId": policy.group,
            "AddressTemplate": {"AddressId": "", "AddressGroupId": ""},
            "Action": policy.action,
            "PolicyDescription": policy.description,
            "ModifyTime": at,
        }
        for index, policy in enumerate(policies)
    ]


def describe_security_group_association_statistics(
    call: Call, asked: DescribeSecurityGroupAssociationStatistics
) -> DescribeSecurityGroupAssociationStatisticsAnswer:
    """Of each group how many machines are in it, and how many other groups name it."""
    known = {view.public_id for view in security_groups.of_account(call.account_id)}
    machines, referring = security_groups.machines(call.account_id), security_groups.referring(call.account_id)
    told: list[AssociationStatisticsAnswer] = [
        {
            "SecurityGroupId": group,
            "CVM": machines[group],
            "CDB": 0,
            "ENI": 0,
            "SG": referring[group],
            "CLB": 0,
            "InstanceStatistics": [],
            "TotalCount": machines[group],
        }
        for group in asked.security_group_ids
        if group in known
    ]
    return {"SecurityGroupAssociationStatisticsSet": told}


_ONE = "security_group_id"
_IN_RULES = tuple(f"security_group_policy_set.{way}.security_group_id" for way in ("ingress", "egress"))
_IN_ORIGINAL = tuple(f"original_{path}" for path in _IN_RULES)


def _action(shape: type[Shape], answer: type, do: Callable[..., Any], *touches: str, writes: bool = True) -> Action:
    named = {Resource.SECURITY_GROUP: touches} if touches else {}
    return declared(shape, answer, do, writes=writes, touches=named)


ACTIONS = (
    _action(
        DescribeSecurityGroups, DescribeSecurityGroupsAnswer, describe_security_groups, "security_group_ids",
        writes=False,
    ),
    _action(CreateSecurityGroup, CreateSecurityGroupAnswer, create_security_group),
    _action(CreateSecurityGroupWithPolicies, CreateSecurityGroupAnswer, create_security_group, *_IN_RULES),
    _action(ModifySecurityGroupAttribute, Done, modify_security_group_attribute, _ONE),
    _action(DeleteSecurityGroup, Done, delete_security_group, _ONE),
    _action(CreateSecurityGroupPolicies, Done, create_security_group_policies, _ONE, *_IN_RULES),
    _action(ModifySecurityGroupPolicies, Done, modify_security_group_policies, _ONE, *_IN_RULES),
    _action(DeleteSecurityGroupPolicies, Done, delete_security_group_policies, _ONE, *_IN_RULES),
    _action(ReplaceSecurityGroupPolicy, Done, replace_security_group_policy, _ONE, *_IN_RULES, *_IN_ORIGINAL),
    _action(ReplaceSecurityGroupPolicies, Done, replace_security_group_policies, _ONE, *_IN_RULES, *_IN_ORIGINAL),
    _action(
        DescribeSecurityGroupPolicies, DescribeSecurityGroupPoliciesAnswer, describe_security_group_policies, _ONE,
        writes=False,
    ),
    _action(
        DescribeSecurityGroupAssociationStatistics, DescribeSecurityGroupAssociationStatisticsAnswer,
        describe_security_group_association_statistics, "security_group_ids", writes=False,
    ),
)  # fmt: skip
