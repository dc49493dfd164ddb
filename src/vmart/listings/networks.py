"""Private networks of an account, their subnets, and which of their addresses machines have; a page at a time."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmart.listings.paging import by_offset
from vmart.listings.views import SubnetView, TakenAddress, VpcView

# Of a subnet: its own address, the gateway and those that are kept (network.models.Subnet), and broadcast.
_KEPT = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedVpcs:
    """Which networks: those that meet every condition given. ``cidrs``: whole, or without the prefix."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    cidrs: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSubnets:
    """Which subnets, in the same way."""

    public_ids: Sequence[str] | None = None
    region: str | None = None
    zones: Sequence[str] | None = None
    vpc_ids: Sequence[str] | None = None
    cidrs: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedAddresses:
    """Which addresses of a network, in the same way."""

    vpc_id: str
    subnet_id: str | None = None
    ips: Sequence[str] | None = None
    instance_ids: Sequence[str] | None = None


_VPCS = {
    "public_ids": "v.public_id = ANY (%(public_ids)s)",
    "region": "v.region_id = %(region)s",
    "cidrs": "(v.cidr = ANY (%(cidrs)s) OR split_part(v.cidr, '/', 1) = ANY (%(cidrs)s))",
}
_SUBNETS = {
    "public_ids": "s.public_id = ANY (%(public_ids)s)",
    "region": "v.region_id = %(region)s",
    "zones": "s.zone_id = ANY (%(zones)s)",
    "vpc_ids": "v.public_id = ANY (%(vpc_ids)s)",
    "cidrs": "(host(s.cidr) = ANY (%(cidrs)s) OR host(s.cidr) || '/' || s.prefix = ANY (%(cidrs)s))",
}
_ADDRESSES = {
    "vpc_id": "v.public_id = %(vpc_id)s",
    "subnet_id": "s.public_id = %(subnet_id)s",
    "ips": "host(p.ip) = ANY (%(ips)s)",
    "instance_ids": "i.public_id = ANY (%(instance_ids)s)",
}
_VPC = """
SELECT v.public_id, v.cidr, v.created_at {matching} ORDER BY v.id DESC OFFSET %(offset)s LIMIT %(limit)s
"""
_SUBNET = """
SELECT s.public_id, v.public_id AS vpc_id, s.zone_id AS zone, host(s.cidr) AS network, s.prefix, s.created_at,
  (SELECT count(*) FROM network_private_address p WHERE p.subnet_id = s.id) AS taken
{matching} ORDER BY s.id DESC OFFSET %(offset)s LIMIT %(limit)s
"""
_ADDRESS = """
SELECT v.public_id AS vpc_id, s.public_id AS subnet_id, host(p.ip) AS ip, i.public_id AS instance_id
{matching} ORDER BY p.ip OFFSET %(offset)s LIMIT %(limit)s
"""
_OF_SUBNETS = "FROM network_subnet s JOIN network_vpc v ON v.id = s.vpc_id WHERE s.account_id = %(account)s"
_OF_ADDRESSES = (
    "FROM network_private_address p JOIN network_subnet s ON s.id = p.subnet_id JOIN network_vpc v ON v.id = s.vpc_id"
    " JOIN instances_instance i ON i.id = p.instance_id WHERE s.account_id = %(account)s"
)


def vpcs(account_id: int, wanted: WantedVpcs, *, offset: int = 0, limit: int = 20) -> tuple[int, list[VpcView]]:
    """How many of the account's networks are wanted, and a page of them, newest first."""
    source = "FROM network_vpc v WHERE v.account_id = %(account)s"
    total, rows = by_offset(_VPC, source, _VPCS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [VpcView(**row) for row in rows]


def subnets(
    account_id: int, wanted: WantedSubnets, *, offset: int = 0, limit: int = 20
) -> tuple[int, list[SubnetView]]:
    """How many of the account's subnets are wanted, and a page of them, newest first."""
    total, rows = by_offset(_SUBNET, _OF_SUBNETS, _SUBNETS, wanted, account_id=account_id, offset=offset, limit=limit)
    return total, [_subnet(row) for row in rows]


def _subnet(row: dict[str, Any]) -> SubnetView:
    network = ipaddress.ip_network(f"{row.pop('network')}/{row.pop('prefix')}")
    return SubnetView(cidr=str(network), addresses=network.num_addresses - _KEPT, **row)


def addresses(
    account_id: int, wanted: WantedAddresses, *, offset: int = 0, limit: int = 20
) -> tuple[int, list[TakenAddress]]:
    """How many addresses of one of the account's networks machines have, and a page of them, lowest first."""
    total, rows = by_offset(
        _ADDRESS, _OF_ADDRESSES, _ADDRESSES, wanted, account_id=account_id, offset=offset, limit=limit
    )
    return total, [TakenAddress(**row) for row in rows]
