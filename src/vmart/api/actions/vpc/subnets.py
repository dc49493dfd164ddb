"""vpc: DescribeSubnets. One subnet an account and zone, there from its first purchase on."""

from typing import Any, TypedDict

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import VALUES_MAX, conditions, is_tag_filter, meets, not_both
from vmart.api.actions.vpc.vpcs import FIND_NOTHING, Filters
from vmart.api.declarations import Empty, NotOffered, PublicIds, Shape, TextLimit, TextOffset
from vmart.api.registry import VPC, Action, Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.listings import networks
from vmart.listings.networks import WantedSubnets
from vmart.listings.views import SubnetView

NAME = "Default-Subnet"
_FILTERS = {"subnet-id": "public_ids", "vpc-id": "vpc_ids", "cidr-block": "cidrs", "zone": "zones"}
_ALIKE = {
    "is-default": "true", "is-remote-vpc-snat": "false", "is-cdc-subnet": "0", "cdc-id": "",
    "subnet-name": NAME.lower(),
}  # fmt: skip


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
    TagSet: Empty
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
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, *FIND_NOTHING), VALUES_MAX)
    if not meets(chosen, _ALIKE) or any(name in FIND_NOTHING or is_tag_filter(name) for name in chosen):
        return None
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {"public_ids": asked.subnet_ids or None, "region": region.code if region else None}
    return WantedSubnets(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def subnet(view: SubnetView) -> SubnetAnswer:
    """One subnet."""
    return {
        "SubnetId": view.public_id,
        "SubnetName": NAME,
        "VpcId": view.vpc_id,
        "Zone": view.zone,
        "CidrBlock": view.cidr,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "TotalIpAddressCount": view.addresses,
        "AvailableIpAddressCount": view.addresses - view.taken,
        "IsDefault": True,
        "EnableBroadcast": False,
        "RouteTableId": "",
        "NetworkAclId": "",
        "IsRemoteVpcSnat": False,
        "CdcId": "",
        "IsCdcSubnet": 0,
        "Ipv6CidrBlock": "",
        "TagSet": [],
    }


ACTIONS = (
    Action(
        "DescribeSubnets",
        DescribeSubnets,
        DescribeSubnetsAnswer,
        describe_subnets,
        "vpc",
        VPC,
        writes=False,
        touches={Resource.SUBNET: "subnet_ids"},
    ),
)
