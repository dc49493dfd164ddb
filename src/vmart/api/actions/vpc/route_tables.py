"""vpc: DescribeRouteTables, ReplaceRouteTableAssociation. Each VPC has one table, its main one, without routes.

All subnets of a VPC reach each other, and each machine the internet by its own public address: that needs no route.
"""

from typing import TypedDict

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import VALUES_MAX, conditions, is_tag_filter, meets, not_both
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.declarations import Done, Empty, PublicId, PublicIds, Shape, TextLimit, TextOffset
from vmart.api.registry import Call, Resource
from vmart.api.words import local_text
from vmart.catalog import shop
from vmart.kernel.errors import Unsupported
from vmart.listings import networks
from vmart.listings.networks import WantedRouteTables, WantedSubnets
from vmart.listings.views import RouteTableView
from vmart.network import held

NAME = "default"
_FILTERS = ("route-table-id", "vpc-id")
_ALIKE = {"route-table-name": NAME, "association.main": "true"}
_FIND_NOTHING = ("tag-key", "tag-value", "next-hop-type")


class DescribeRouteTables(Shape):
    """By ids or filters, a page at a time."""

    route_table_ids: PublicIds = []
    filters: Filters = []
    offset: TextOffset = 0
    limit: TextLimit = 20
    need_router_info: bool = True


class ReplaceRouteTableAssociation(Shape):
    """The table that a subnet follows: its VPC's, which it follows already."""

    route_table_id: PublicId
    subnet_id: PublicId


class AssociationAnswer(TypedDict):
    """A subnet that follows the table."""

    SubnetId: str
    RouteTableId: str


class RouteTableAnswer(TypedDict):
    """One table."""

    VpcId: str
    RouteTableId: str
    RouteTableName: str
    AssociationSet: list[AssociationAnswer]
    RouteSet: Empty
    Main: bool
    CreatedTime: str
    TagSet: Empty
    LocalCidrForCcn: Empty


class DescribeRouteTablesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    RouteTableSet: list[RouteTableAnswer]


def describe_route_tables(call: Call, asked: DescribeRouteTables) -> DescribeRouteTablesAnswer:
    """Tables of the account in the region of the call (all regions where it names none)."""
    not_both(asked.route_table_ids, asked.filters, "RouteTableIds")
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, *_FIND_NOTHING), VALUES_MAX)
    if not meets(chosen, _ALIKE) or any(name in _FIND_NOTHING or is_tag_filter(name) for name in chosen):
        return {"TotalCount": 0, "RouteTableSet": []}
    region = in_region(shop.snapshot(), call.region)
    wanted = WantedRouteTables(region=region.code if region else None, vpc_ids=chosen.get("vpc-id"))
    public_ids = asked.route_table_ids or chosen.get("route-table-id")
    total, found = networks.route_tables(call.account_id, wanted, public_ids, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "RouteTableSet": [_table(view) for view in found]}


def _table(view: RouteTableView) -> RouteTableAnswer:
    return {
        "VpcId": view.vpc_id,
        "RouteTableId": view.public_id,
        "RouteTableName": NAME,
        "AssociationSet": [{"SubnetId": subnet_id, "RouteTableId": view.public_id} for subnet_id in view.subnet_ids],
        "RouteSet": [],
        "Main": True,
        "CreatedTime": local_text(view.created_at, shop.snapshot().billing_zone),
        "TagSet": [],
        "LocalCidrForCcn": [],
    }


def replace_route_table_association(call: Call, asked: ReplaceRouteTableAssociation) -> Done:
    """Nothing for the table that the subnet follows; no other is possible."""
    _, found = networks.subnets(call.account_id, WantedSubnets(public_ids=[asked.subnet_id]))
    if not found:
        raise held.unknown_subnet(asked.subnet_id)
    main = networks.main_table_id(found[0].vpc_number)
    if asked.route_table_id != main:
        raise Unsupported(
            "The subnet {id} follows the route table {main} of its VPC, and can follow no other.",
            field="route_table_id", id=asked.subnet_id, main=main,
        )  # fmt: skip
    return {}


ACTIONS = (
    declared(
        DescribeRouteTables,
        DescribeRouteTablesAnswer,
        describe_route_tables,
        writes=False,
        touches={Resource.ROUTE_TABLE: "route_table_ids"},
    ),
    declared(
        ReplaceRouteTableAssociation,
        Done,
        replace_route_table_association,
        writes=False,
        touches={Resource.ROUTE_TABLE: "route_table_id", Resource.SUBNET: "subnet_id"},
    ),
)
