"""vpc: VPCs. Create-, Describe-, DeleteVpc(s), CreateDefaultVpc, ModifyVpcAttribute.

The default one of a region is there from the account's first purchase or CreateDefaultVpc on; others are made and
deleted by it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region, region_of
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, Tags, told, wanted
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.declarations import (
    Code,
    Domain,
    Done,
    Empty,
    FalseOnly,
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
from vmart.listings.networks import WantedVpcs
from vmart.listings.views import VpcView
from vmart.network import vpcs
from vmart.network.vpcs import NewVpc
from vmart.orders import default_network
from vmart.tags import new
from vmart.tags.things import VPC as VPC_KIND

# The act checks its length and what is in it.
NetworkName = Annotated[str, Field(max_length=256), Code("InvalidParameterValue.TooLong")]
CidrBlock = Annotated[str, Field(max_length=60), Code("InvalidParameterValue.Malformed")]
_FILTERS = {"vpc-id": "public_ids", "cidr-block": "cidrs"}
IN_SMALL_LETTERS = {"is-default": "defaults", "vpc-name": "name_parts"}
FIND_NOTHING = ("ipv6-cidr-block", "isp-type", "address-type")


class CreateVpc(Shape):
    """A network of the account's own in the region of the call."""

    vpc_name: Annotated[NetworkName, Domain("name")]
    cidr_block: Annotated[CidrBlock, Domain("cidr")]
    enable_multicast: TextBool = False
    stack_type: NotOffered = None
    ipv6_cidr_block: NotOffered = None
    address_type: NotOffered = None
    dns_servers: NotOffered = None
    domain_name: NotOffered = None
    tags: Tags = []
    enable_route_vpc_publish: FalseOnly = None
    enable_route_vpc_publish_ipv6: FalseOnly = None


class CreateDefaultVpc(Shape):
    """The default networks of the region of the call, before a purchase makes them."""

    zone: PublicId = ""
    force: bool = False


class ModifyVpcAttribute(Shape):
    """What is given of it."""

    vpc_id: PublicId
    vpc_name: Annotated[NetworkName | None, Domain("name")] = None
    enable_multicast: TextBool | None = None
    dns_servers: NotOffered = None
    domain_name: NotOffered = None
    enable_route_vpc_publish: FalseOnly = None
    enable_cdc_publish: FalseOnly = None
    enable_route_vpc_publish_ipv6: FalseOnly = None


class DeleteVpc(Shape):
    """One that has no subnet."""

    vpc_id: PublicId


class DescribeVpcs(Shape):
    """By ids or filters, a page at a time."""

    vpc_ids: PublicIds = []
    filters: Filters = []
    offset: TextOffset = 0
    limit: TextLimit = 20


class VpcAnswer(TypedDict):
    """One network."""

    VpcName: str
    VpcId: str
    CidrBlock: str
    IsDefault: bool
    EnableMulticast: bool
    CreatedTime: str
    DnsServerSet: Empty
    DomainName: str
    DhcpOptionsId: str
    EnableDhcp: bool
    Ipv6CidrBlock: str
    TagSet: list[TagAnswer]
    AssistantCidrSet: Empty
    EnableRouteVpcPublish: bool
    Ipv6CidrBlockSet: Empty


class DescribeVpcsAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    VpcSet: list[VpcAnswer]


def describe_vpcs(call: Call, asked: DescribeVpcs) -> DescribeVpcsAnswer:
    """Networks of the account in the region of the call (all regions where it names none)."""
    not_both(asked.vpc_ids, asked.filters, "VpcIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "VpcSet": []}
    total, found = networks.vpcs(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "VpcSet": [vpc(view) for view in found]}


def _wanted(call: Call, asked: DescribeVpcs) -> WantedVpcs | None:
    """The conditions of the request; None where one of them is met by no network."""
    chosen = conditions(asked.filters, (*_FILTERS, *IN_SMALL_LETTERS, *FIND_NOTHING, *TAG_FILTERS), VALUES_MAX)
    if any(name in FIND_NOTHING for name in chosen):
        return None
    return WantedVpcs(**wanted_members(call, asked.vpc_ids, chosen, _FILTERS, in_small_letters=IN_SMALL_LETTERS))


def wanted_members(
    call: Call, public_ids: list[str], chosen: dict[str, list[str]], as_told: Mapping[str, str], *,
    in_small_letters: Mapping[str, str],
) -> dict[str, Any]:  # fmt: skip
    """Values by the member of what is wanted; those of some filters are looked for in small letters."""
    region = in_region(shop.snapshot(), call.region)
    met = {"public_ids": public_ids or None, "region": region.code if region else None, "tags": tagged(chosen)}
    plain = met | {as_told[name]: values for name, values in chosen.items() if name in as_told}
    small = {name: values for name, values in chosen.items() if name in in_small_letters}
    return plain | {in_small_letters[name]: [value.lower() for value in values] for name, values in small.items()}


def vpc(view: VpcView) -> VpcAnswer:
    """One network."""
    return {
        "VpcId": view.public_id,
        "VpcName": view.name,
        "CidrBlock": view.cidr,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "IsDefault": view.is_default,
        "EnableMulticast": view.multicast,
        "DnsServerSet": [],
        "DomainName": "",
        "DhcpOptionsId": "",
        "EnableDhcp": True,
        "Ipv6CidrBlock": "",
        "Ipv6CidrBlockSet": [],
        "AssistantCidrSet": [],
        "EnableRouteVpcPublish": False,
        "TagSet": told(view.tags),
    }


class CreateVpcAnswer(TypedDict):
    """The new network."""

    Vpc: VpcAnswer


def create_vpc(call: Call, asked: CreateVpc) -> CreateVpcAnswer:
    """A network in the region of the call."""
    region, tags = region_of(call), wanted(asked.tags)
    with new.tagging(call.actor, VPC_KIND, tags) as tag:
        made = vpcs.create(call.actor, region, NewVpc(asked.vpc_name, asked.cidr_block, asked.enable_multicast))
        tag(made.public_id)
    return {"Vpc": vpc(networks.vpc_view(made, tags))}


class DefaultVpcSubnetAnswer(TypedDict):
    """The default VPC of a region, and its subnet in a zone."""

    VpcId: str
    SubnetId: str
    VpcName: str
    SubnetName: str
    CidrBlock: str


class CreateDefaultVpcAnswer(TypedDict):
    """The default networks."""

    Vpc: DefaultVpcSubnetAnswer


def create_default_vpc(call: Call, asked: CreateDefaultVpc) -> CreateDefaultVpcAnswer:
    """Those that are there, or new ones; in the zone that is named, else in one of the region."""
    made = default_network.create(call.actor, region_of(call), asked.zone)
    return {
        "Vpc": {
            "VpcId": made.vpc.public_id,
            "SubnetId": made.public_id,
            "VpcName": made.vpc.name,
            "SubnetName": made.name,
            "CidrBlock": str(made.block),
        }
    }


def modify_vpc_attribute(call: Call, asked: ModifyVpcAttribute) -> Done:
    """Its name, and whether it says that it has multicast."""
    vpcs.modify(call.actor, asked.vpc_id, name=asked.vpc_name, multicast=asked.enable_multicast)
    return {}


def delete_vpc(call: Call, asked: DeleteVpc) -> Done:
    """Its subnets go first."""
    vpcs.delete(call.actor, asked.vpc_id)
    return {}


_VPC = {Resource.VPC: "vpc_id"}
ACTIONS = (
    declared(DescribeVpcs, DescribeVpcsAnswer, describe_vpcs, writes=False, touches={Resource.VPC: "vpc_ids"}),
    declared(CreateVpc, CreateVpcAnswer, create_vpc, writes=True),
    declared(CreateDefaultVpc, CreateDefaultVpcAnswer, create_default_vpc, writes=True),
    declared(ModifyVpcAttribute, Done, modify_vpc_attribute, writes=True, touches=_VPC),
    declared(DeleteVpc, Done, delete_vpc, writes=True, touches=_VPC),
)
