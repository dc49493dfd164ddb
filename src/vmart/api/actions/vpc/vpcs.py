"""vpc: DescribeVpcs. One private network an account and region, there from its first purchase on."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, is_tag_filter, meets, not_both
from vmart.api.declarations import Code, Empty, Filter, PublicIds, Shape, TextLimit, TextOffset
from vmart.api.registry import VPC, Action, Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.listings import networks
from vmart.listings.networks import WantedVpcs
from vmart.listings.views import VpcView

NAME = "Default-VPC"
Filters = Annotated[list[Filter], Field(max_length=10), Code("LimitExceeded.NumberOfFilters")]
_FILTERS = {"vpc-id": "public_ids", "cidr-block": "cidrs"}
_ALIKE = {"is-default": "true"}
FIND_NOTHING = ("ipv6-cidr-block", "isp-type", "address-type", *TAG_FILTERS)


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
    TagSet: Empty
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
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, "vpc-name", *FIND_NOTHING), VALUES_MAX)
    named = any(part.lower() in NAME.lower() for part in chosen.pop("vpc-name", [NAME]))
    if not named or not meets(chosen, _ALIKE) or any(name in FIND_NOTHING or is_tag_filter(name) for name in chosen):
        return None
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {"public_ids": asked.vpc_ids or None, "region": region.code if region else None}
    return WantedVpcs(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def vpc(view: VpcView) -> VpcAnswer:
    """One network."""
    return {
        "VpcId": view.public_id,
        "VpcName": NAME,
        "CidrBlock": view.cidr,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "IsDefault": True,
        "EnableMulticast": False,
        "DnsServerSet": [],
        "DomainName": "",
        "DhcpOptionsId": "",
        "EnableDhcp": True,
        "Ipv6CidrBlock": "",
        "Ipv6CidrBlockSet": [],
        "AssistantCidrSet": [],
        "EnableRouteVpcPublish": False,
        "TagSet": [],
    }


ACTIONS = (
    Action(
        "DescribeVpcs",
        DescribeVpcs,
        DescribeVpcsAnswer,
        describe_vpcs,
        "vpc",
        VPC,
        writes=False,
        touches={Resource.VPC: "vpc_ids"},
    ),
)
