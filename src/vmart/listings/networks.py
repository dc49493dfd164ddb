"""Private networks of an account, their subnets, and which of their addresses machines have; a page at a time."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.kernel.public_ids import of as id_of
from vmart.listings.paging import PAGE, Matching, Page, by_offset, cut, number
from vmart.listings.views import RouteTableView, SubnetView, TakenAddress, VpcView
from vmart.network.models import Subnet, Vpc
from vmart.network.ranges import usable
from vmart.tags import reads
from vmart.tags.things import SUBNET, VPC
from vmart.tags.wanted import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedVpcs:
    """Which networks: those that meet every condition given. ``cidrs``: whole, or without the prefix."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    cidrs: Sequence[str] | None = None
    defaults: Sequence[str] | None = None  # "true", "false"
    name_parts: Sequence[str] | None = None  # in small letters
    tags: str | None = None  # of ``tags.reads.asked``


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSubnets:
    """Which subnets, in the same way."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    vpc_ids: Sequence[str] | None = None
    cidrs: Sequence[str] | None = None
    defaults: Sequence[str] | None = None
    names: Sequence[str] | None = None  # in small letters
    tags: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedRouteTables:
    """Which route tables, in the same way, by what their VPCs are."""

    region: str | None = None
    vpc_ids: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAddresses:
    """Which addresses of a network, in the same way."""

    vpc_id: str
    subnet_id: str | None = None
    ips: Sequence[str] | None = None
    instance_ids: Sequence[str] | None = None


_VPCS = {
    "tags": reads.meeting(VPC, "v.public_id"),
    "public_ids": "v.public_id = ANY (%(public_ids)s)",
    "region": "v.region_id = %(region)s",
    "cidrs": "(v.cidr = ANY (%(cidrs)s) OR split_part(v.cidr, '/', 1) = ANY (%(cidrs)s))",
    "defaults": "(v.owner_id IS NULL)::text = ANY (%(defaults)s)",
    "name_parts": "EXISTS (SELECT FROM unnest(%(name_parts)s::text[]) AS part WHERE strpos(lower(v.name), part) > 0)",
}
_SUBNETS = {
    "tags": reads.meeting(SUBNET, "s.public_id"),
    "public_ids": "s.public_id = ANY (%(public_ids)s)",
    "region": "v.region_id = %(region)s",
    "zones": "s.zone_id = ANY (%(zones)s)",
    "vpc_ids": "v.public_id = ANY (%(vpc_ids)s)",
    "cidrs": "(host(s.cidr) = ANY (%(cidrs)s) OR host(s.cidr) || '/' || s.prefix = ANY (%(cidrs)s))",
    "defaults": "(s.owner_id IS NULL)::text = ANY (%(defaults)s)",
    "names": "lower(s.name) = ANY (%(names)s)",
}
_ADDRESSES = {
    "vpc_id": "v.public_id = %(vpc_id)s",
    "subnet_id": "s.public_id = %(subnet_id)s",
    "ips": "host(p.ip) = ANY (%(ips)s)",
    "instance_ids": "i.public_id = ANY (%(instance_ids)s)",
}
_VPC = """
SELECT v.id, v.public_id, v.region_id AS region, v.name, v.cidr, v.owner_id IS NULL AS is_default, v.multicast,
  v.created_at, (SELECT count(*) FROM network_subnet s WHERE s.vpc_id = v.id AND s.deleted_at IS NULL) AS subnets,
  {tags} AS tags
{matching} ORDER BY v.id DESC OFFSET %(offset)s LIMIT %(limit)s
""".replace("{tags}", reads.held(VPC, "v.public_id"))
_NEWEST = 2**63 - 1  # above every number
_SUBNET_COLUMNS = """
SELECT s.id, s.public_id, v.id AS vpc_number, v.public_id AS vpc_id, v.name AS vpc_name, s.zone_id AS zone, s.name,
  host(s.cidr) AS network, s.prefix, s.first_host, s.owner_id IS NULL AS is_default, s.broadcast, s.created_at,
  (SELECT count(*) FROM network_private_address p WHERE p.subnet_id = s.id) AS taken,
  {tags} AS tags
""".replace("{tags}", reads.held(SUBNET, "s.public_id"))
_SUBNET = _SUBNET_COLUMNS + "{matching} ORDER BY s.id DESC OFFSET %(offset)s LIMIT %(limit)s"
_SUBNET_PAGE = _SUBNET_COLUMNS + "{matching} AND s.id < %(before)s ORDER BY s.id DESC LIMIT %(limit)s"
_ADDRESS = """
SELECT v.public_id AS vpc_id, s.public_id AS subnet_id, host(p.ip) AS ip, i.public_id AS instance_id
{matching} ORDER BY p.ip OFFSET %(offset)s LIMIT %(limit)s
"""
_OF_VPCS = "FROM network_vpc v WHERE v.deleted_at IS NULL AND (v.account_id = %(account)s OR v.owner_id = %(account)s)"
_ROUTE_TABLES = {"region": _VPCS["region"], "vpc_ids": "v.public_id = ANY (%(vpc_ids)s)"}
_ROUTE_TABLE = """
SELECT v.id, v.public_id AS vpc_id, v.created_at, ARRAY(
  SELECT s.public_id FROM network_subnet s WHERE s.vpc_id = v.id AND s.deleted_at IS NULL ORDER BY s.id
) AS subnet_ids {matching} ORDER BY v.id DESC
"""
_OF_SUBNETS = (
    "FROM network_subnet s JOIN network_vpc v ON v.id = s.vpc_id"
    " WHERE s.deleted_at IS NULL AND (s.account_id = %(account)s OR s.owner_id = %(account)s)"
)
_OF_ADDRESSES = (
    "FROM network_private_address p JOIN network_subnet s ON s.id = p.subnet_id JOIN network_vpc v ON v.id = s.vpc_id"
    " JOIN instances_instance i ON i.id = abs(p.instance_id)"
    " WHERE (s.account_id = %(account)s OR s.owner_id = %(account)s)"
)


def vpcs(account_id: int, wanted: WantedVpcs, *, offset: int = 0, limit: int = 20) -> tuple[int, list[VpcView]]:
    """How many of the account's networks are wanted, and a page of them, newest first."""
    total, rows = by_offset(_VPC, _OF_VPCS, _VPCS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [VpcView(tags=reads.of(row.pop("tags")), **row) for row in rows]


def vpc_view(made: Vpc, tags: tuple[Tag, ...] = ()) -> VpcView:
    """One that was made just now."""
    return VpcView(
        made.id, made.public_id, made.region_id, made.name, made.cidr, made.is_default, made.multicast,
        made.created_at, subnets=0, tags=tags,
    )  # fmt: skip


def subnet_view(made: Subnet, tags: tuple[Tag, ...] = ()) -> SubnetView:
    """One that was made just now."""
    return SubnetView(
        made.id, made.public_id, made.vpc.id, made.vpc.public_id, made.vpc.name, made.zone_id, made.name,
        str(made.block), made.is_default, made.broadcast, made.created_at, usable(made.block, made.first_host), taken=0,
        tags=tags,
    )  # fmt: skip


def main_table_id(vpc_number: int) -> str:
    """The id of the one route table of a VPC. It is no row: there is one for each VPC, and nothing in it changes."""
    return id_of("rtb", vpc_number)


def subnets(
    account_id: int, wanted: WantedSubnets, *, offset: int = 0, limit: int = 20
) -> tuple[int, list[SubnetView]]:
    """How many of the account's subnets are wanted, and a page of them, newest first."""
    total, rows = by_offset(_SUBNET, _OF_SUBNETS, _SUBNETS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_subnet(row) for row in rows]


def subnets_by_key(account_id: int, before: str) -> Page[SubnetView]:
    """A page of all the account's subnets, newest first; ``before``: the key of the page before, "" for the first."""
    key = number(before)
    matching = Matching.of(account_id, _OF_SUBNETS, _SUBNETS, WantedSubnets())
    rows = matching.rows(_SUBNET_PAGE, before=_NEWEST if key is None else key, limit=PAGE + 1)
    return cut([_subnet(row) for row in rows], lambda row: row.id, first=key is None)


def _subnet(row: dict[str, Any]) -> SubnetView:
    network = ipaddress.IPv4Network(f"{row.pop('network')}/{row.pop('prefix')}")
    addresses, tags = usable(network, row.pop("first_host")), reads.of(row.pop("tags"))
    return SubnetView(cidr=str(network), addresses=addresses, tags=tags, **row)


def route_tables(
    account_id: int, wanted: WantedRouteTables, public_ids: Sequence[str] | None, *, offset: int = 0, limit: int = 20
) -> tuple[int, list[RouteTableView]]:
    """How many route tables are wanted, and a page of them, newest first; each VPC of the account has one.

    A table's id is made of its VPC's number: those of all the account's VPCs, which are few, are looked through.
    """
    found = Matching.of(account_id, _OF_VPCS, _ROUTE_TABLES, wanted).rows(_ROUTE_TABLE)
    views = [RouteTableView(main_table_id(row.pop("id")), **row) for row in found]
    met = [view for view in views if public_ids is None or view.public_id in public_ids]
    return len(met), met[offset : offset + limit]


def addresses(
    account_id: int, wanted: WantedAddresses, *, offset: int = 0, limit: int = 20
) -> tuple[int, list[TakenAddress]]:
    """How many addresses of one of the account's networks machines have, and a page of them, lowest first."""
    total, rows = by_offset(
        _ADDRESS, _OF_ADDRESSES, _ADDRESSES, wanted, account_id=account_id, offset=offset, limit=limit
    )
    return total, [TakenAddress(**row) for row in rows]
