"""vpc: subnets. CreateSubnet(s), DescribeSubnets, ModifySubnetAttribute, DeleteSubnet.

The default one of a zone is there from the account's first purchase on; others are made and deleted by it.
"""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, meets, not_both
from vmart.api.actions.tagged import TagAnswer, Tags, told, wanted
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.actions.vpc.vpcs import FIND_NOTHING, CidrBlock, NetworkName, wanted_members
from vmart.api.declarations import (
    Code,
    Domain,
    Done,
    NotOffered,
    PublicId,
    PublicIds,
    Shape,
    TextBool,
    TextLimit,
    TextOffset,
)
from vmart.api.registry import Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.listings import networks
from vmart.listings.networks import WantedSubnets, main_table_id
from vmart.listings.views import SubnetView
from vmart.network import subnets
from vmart.network.subnets import NewSubnet
from vmart.tags import new
from vmart.tags.things import SUBNET

_FILTERS = {"subnet-id": "public_ids", "vpc-id": "vpc_ids", "cidr-block": "cidrs", "zone": "zones"}
_IN_SMALL_LETTERS = {"is-default": "defaults", "subnet-name": "names"}
_ALIKE = {"is-remote-vpc-snat": "false", "is-cdc-subnet": "0", "cdc-id": ""}


class CreateSubnet(Shape):
    """A part of a VPC, in a zone of its region."""

    vpc_id: PublicId
    subnet_name: Annotated[NetworkName, Domain("name")]
    zone: PublicId
    cidr_block: Annotated[CidrBlock, Domain("cidr")]
    stack_type: NotOffered = None
    ipv6_cidr_block: NotOffered = None
    tags: Tags = []
    cdc_id: NotOffered = None


class SubnetInput(Shape):
    """One of several."""

    subnet_name: Annotated[NetworkName, Domain("subnets.*.name")]
    zone: Annotated[PublicId, Domain("subnets.*.zone")]
    cidr_block: Annotated[CidrBlock, Domain("subnets.*.cidr")]
    stack_type: NotOffered = None
    ipv6_cidr_block: NotOffered = None
    route_table_id: NotOffered = None


class CreateSubnets(Shape):
    """Several parts of a VPC, all or none."""

    vpc_id: PublicId
    subnets: Annotated[list[SubnetInput], Field(min_length=1, max_length=20), Code("LimitExceeded")]
    tags: Tags = []
    cdc_id: NotOffered = None


class ModifySubnetAttribute(Shape):
    """What is given of it."""

    subnet_id: PublicId
    subnet_name: Annotated[NetworkName | None, Domain("name")] = None
    enable_broadcast: TextBool | None = None


class DeleteSubnet(Shape):
    """One of which no machine has an address."""

    subnet_id: PublicId


class DescribeSubnets(Shape):
    """By ids or filters, a page at a time by offset; pages by token are not offered."""

    subnet_ids: PublicIds = []
    filters: Filters = []
    offset: TextOffset = 0
    limit: TextLimit = 20
    max_results: NotOffered = None
    next_token: NotOffered = None


class SubnetAnswer(TypedDict):
    """One subnet."""

    VpcId: str
    SubnetId: str
    SubnetName: str
    CidrBlock: str
    IsDefault: bool
    EnableBroadcast: bool
    Zone: str
    RouteTableId: str
    CreatedTime: str
    AvailableIpAddressCount: int
    Ipv6CidrBlock: str
    NetworkAclId: str
    IsRemoteVpcSnat: bool
    TotalIpAddressCount: int
    TagSet: list[TagAnswer]
    CdcId: str
    IsCdcSubnet: int


class DescribeSubnetsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    SubnetSet: list[SubnetAnswer]


def describe_subnets(call: Call, asked: DescribeSubnets) -> DescribeSubnetsAnswer:
    """Subnets of the account in the region of the call (all regions where it names none)."""
    not_both(asked.subnet_ids, asked.filters, "SubnetIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "SubnetSet": []}
    total, found = networks.subnets(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "SubnetSet": [subnet(view) for view in found]}


def _wanted(call: Call, asked: DescribeSubnets) -> WantedSubnets | None:
    """The conditions of the request; None where one of them is met by no subnet."""
    chosen = conditions(
        asked.filters, (*_FILTERS, *_IN_SMALL_LETTERS, *_ALIKE, *FIND_NOTHING, *TAG_FILTERS), VALUES_MAX
    )
    if not meets(chosen, _ALIKE) or any(name in FIND_NOTHING for name in chosen):
        return None
    return WantedSubnets(**wanted_members(call, asked.subnet_ids, chosen, _FILTERS, in_small_letters=_IN_SMALL_LETTERS))


def subnet(view: SubnetView) -> SubnetAnswer:
    """One subnet."""
    return {
        "SubnetId": view.public_id,
        "SubnetName": view.name,
        "VpcId": view.vpc_id,
        "Zone": view.zone,
        "CidrBlock": view.cidr,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "TotalIpAddressCount": view.addresses,
        "AvailableIpAddressCount": view.free,
        "IsDefault": view.is_default,
        "EnableBroadcast": view.broadcast,
        "RouteTableId": main_table_id(view.vpc_number),
        "NetworkAclId": "",
        "IsRemoteVpcSnat": False,
        "CdcId": "",
        "IsCdcSubnet": 0,
        "Ipv6CidrBlock": "",
        "TagSet": told(view.tags),
    }


class CreateSubnetAnswer(TypedDict):
    """The new subnet."""

    Subnet: SubnetAnswer


class CreateSubnetsAnswer(TypedDict):
    """The new subnets, in the order in which they were asked for."""

    SubnetSet: list[SubnetAnswer]


def create_subnet(call: Call, asked: CreateSubnet) -> CreateSubnetAnswer:
    """A subnet of a VPC of the account."""
    tags = wanted(asked.tags)
    with new.tagging(call.actor, SUBNET, tags) as tag:
        made = subnets.create(call.actor, asked.vpc_id, NewSubnet(asked.subnet_name, asked.cidr_block, asked.zone))
        tag(made.public_id)
    return {"Subnet": subnet(networks.subnet_view(made, tags))}


def create_subnets(call: Call, asked: CreateSubnets) -> CreateSubnetsAnswer:
    """Several, all or none."""
    several = [NewSubnet(one.subnet_name, one.cidr_block, one.zone) for one in asked.subnets]
    tags = wanted(asked.tags)
    with new.tagging(call.actor, SUBNET, tags) as tag:
        made = subnets.create_many(call.actor, asked.vpc_id, several)
        for one in made:
            tag(one.public_id)
    return {"SubnetSet": [subnet(networks.subnet_view(one, tags)) for one in made]}


def modify_subnet_attribute(call: Call, asked: ModifySubnetAttribute) -> Done:
    """Its name, and whether it says that it has broadcasts."""
    subnets.modify(call.actor, asked.subnet_id, name=asked.subnet_name, broadcast=asked.enable_broadcast)
    return {}


def delete_subnet(call: Call, asked: DeleteSubnet) -> Done:
    """Its machines go first, from the recycle bin too."""
    subnets.delete(call.actor, asked.subnet_id)
    return {}


_VPC, _SUBNET = {Resource.VPC: "vpc_id"}, {Resource.SUBNET: "subnet_id"}
ACTIONS = (
    declared(
        DescribeSubnets, DescribeSubnetsAnswer, describe_subnets, writes=False, touches={Resource.SUBNET: "subnet_ids"}
    ),
    declared(CreateSubnet, CreateSubnetAnswer, create_subnet, writes=True, touches=_VPC),
    declared(CreateSubnets, CreateSubnetsAnswer, create_subnets, writes=True, touches=_VPC),
    declared(ModifySubnetAttribute, Done, modify_subnet_attribute, writes=True, touches=_SUBNET),
    declared(DeleteSubnet, Done, delete_subnet, writes=True, touches=_SUBNET),
)
