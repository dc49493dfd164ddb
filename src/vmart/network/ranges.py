"""The rules of private ranges, pure (API of vpc, 2017-03-12: CreateVpc, CreateSubnet).

A VPC is a part of one of three private ranges; a subnet is a part of its VPC. Of the addresses of a subnet the first is
its own, the second the gateway's and the last the broadcast's.
"""

import ipaddress
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from vmart.network.errors import BadPrivateAddress, BadRange, PrivateAddressOutside

PRIVATE = (IPv4Network("10.0.0.0/12"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))
SMALLEST = 28  # the longest prefix of a VPC and of a subnet
LARGEST_SUBNET = 16  # the shortest prefix of a subnet
FIRST_HOST = 2  # of a subnet that a customer made; a default one keeps some more


def vpc_range(text: str, field: str) -> IPv4Network:
    """The range of a VPC. Raises BadRange."""
    block = _parsed(text, field)
    if block.prefixlen > SMALLEST or not any(block.subnet_of(private) for private in PRIVATE):
        raise BadRange(
            "The range {range} is not possible for a VPC; it must lie in {private}, with a mask of at most {most}.",
            field=field, code="InvalidParameterValue", range=str(block), private=", ".join(map(str, PRIVATE)),
            most=SMALLEST,
        )  # fmt: skip
    return block


def subnet_range(text: str, vpc: IPv4Network, field: str) -> IPv4Network:
    """The range of a subnet of a VPC with this range. Raises BadRange."""
    block = _parsed(text, field)
    if not LARGEST_SUBNET <= block.prefixlen <= SMALLEST:
        raise BadRange(
            "The mask of a subnet is {least} to {most}; {range} has another.",
            field=field, code="InvalidParameterValue.SubnetRange", least=LARGEST_SUBNET, most=SMALLEST,
            range=str(block),
        )  # fmt: skip
    if not block.subnet_of(vpc):
        raise BadRange(
            "The range {range} does not lie in that of the VPC, {vpc}.",
            field=field, code="InvalidParameterValue.SubnetRange", range=str(block), vpc=str(vpc),
        )  # fmt: skip
    return block


def _parsed(text: str, field: str) -> IPv4Network:
    address, _, mask = text.partition("/")
    try:
        if not mask.isascii() or not mask.isdigit():  # 10.0.0.0/255.0.0.0 is known to Python, not to the API
            raise ValueError(text)
        return IPv4Network((ipaddress.IPv4Address(address), int(mask)))
    except ValueError:
        raise BadRange(
            "{range} is no range in CIDR form: its first address, a slash and the length of its mask, as 10.0.0.0/16.",
            field=field, range=text[:40] or "(empty)",
        ) from None  # fmt: skip


def first_free(within: IPv4Network, prefix: int, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The lowest range of this prefix in ``within`` that meets none that is taken; None where there is no room."""
    size, at = 1 << (32 - prefix), int(within.network_address)
    for other in sorted(block for block in taken if block.overlaps(within)):
        if int(other.network_address) >= at + size:
            break
        at = max(at, _rounded_up(int(other.broadcast_address) + 1, size))
    end = int(within.broadcast_address) + 1
    return IPv4Network((at, prefix)) if prefix >= within.prefixlen and at + size <= end else None


def _rounded_up(number: int, size: int) -> int:
    return -(-number // size) * size


def usable(block: IPv4Network, first_host: int) -> int:
    """How many addresses of a subnet machines can have; ``first_host``: the first of them, counted from 0."""
    return block.num_addresses - first_host - 1


def private_ip(text: str, block: IPv4Network, first_host: int, field: str) -> IPv4Address:
    """An address that a customer chose for a machine. Raises BadPrivateAddress, PrivateAddressOutside."""
    try:
        address = IPv4Address(text)
    except ValueError:
        raise BadPrivateAddress(
            "{ip} is no IPv4 address, as {first} would be.",
            field=field, ip=text[:40] or "(empty)", first=str(block[first_host]),
        ) from None  # fmt: skip
    if not block[first_host] <= address <= block[-2]:
        raise PrivateAddressOutside(
            "A machine of the subnet cannot have {ip}; it can have {first} to {last}.",
            field=field, ip=str(address), first=str(block[first_host]), last=str(block[-2]),
        )  # fmt: skip
    return address
