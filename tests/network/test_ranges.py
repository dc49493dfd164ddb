"""Given ranges as a customer writes them, then only those of the published rules are taken."""

import random
from ipaddress import IPv4Network

import pytest

from vmart.network import ranges
from vmart.network.errors import BadPrivateAddress, BadRange, PrivateAddressOutside

VPC = IPv4Network("10.0.0.0/16")


@pytest.mark.parametrize(
    "text",
    ["10.0.0.0/12", "10.15.255.240/28", "172.16.0.0/12", "172.31.0.0/16", "192.168.0.0/16", "192.168.255.240/28"],
)
def test_a_range_of_a_vpc(text: str) -> None:
    assert str(ranges.vpc_range(text, "cidr")) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("10.0.0.0/11", "InvalidParameterValue"),
        ("10.16.0.0/16", "InvalidParameterValue"),
        ("10.0.0.0/29", "InvalidParameterValue"),
        ("172.15.0.0/16", "InvalidParameterValue"),
        ("192.168.0.0/15", "InvalidParameterValue"),
        ("8.8.8.0/24", "InvalidParameterValue"),
        ("10.0.0.1/16", "InvalidParameterValue.Malformed"),
        ("10.0.0.0", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/33", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/255.255.0.0", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/٢٠", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/-1", "InvalidParameterValue.Malformed"),
        ("fd00::/16", "InvalidParameterValue.Malformed"),
        ("", "InvalidParameterValue.Malformed"),
        ("\0", "InvalidParameterValue.Malformed"),
        ("10.0.0.0/" + "1" * 9999, "InvalidParameterValue.Malformed"),
    ],
)
def test_no_range_of_a_vpc(text: str, code: str) -> None:
    with pytest.raises(BadRange) as refused:
        ranges.vpc_range(text, "cidr")
    assert (refused.value.code, refused.value.field) == (code, "cidr")


@pytest.mark.parametrize(
    ("text", "vpc", "code"),
    [
        ("10.0.0.0/16", VPC, ""),
        ("10.0.255.240/28", VPC, ""),
        ("10.1.0.0/24", VPC, "InvalidParameterValue.SubnetRange"),
        ("10.0.0.0/29", VPC, "InvalidParameterValue.SubnetRange"),
        ("10.0.0.0/15", IPv4Network("10.0.0.0/12"), "InvalidParameterValue.SubnetRange"),
        ("10.0.0.0/16", IPv4Network("10.0.0.0/17"), "InvalidParameterValue.SubnetRange"),
        ("10.0.1.1/24", VPC, "InvalidParameterValue.Malformed"),
    ],
)
def test_a_range_of_a_subnet_lies_in_its_vpc(text: str, vpc: IPv4Network, code: str) -> None:
    if not code:
        assert str(ranges.subnet_range(text, vpc, "cidr")) == text
        return
    with pytest.raises(BadRange) as refused:
        ranges.subnet_range(text, vpc, "cidr")
    assert (refused.value.code, refused.value.field) == (code, "cidr")


def test_the_first_free_range_is_the_lowest_that_meets_none() -> None:
    """Against the plain search, on ranges drawn at random: all sizes, overlapping each other too."""
    draw = random.Random(20261129)
    within = IPv4Network("10.0.0.0/20")
    for _ in range(300):
        taken = [_drawn(draw, within) for _ in range(draw.randint(0, 12))] + [IPv4Network("10.9.0.0/16")]
        prefix = draw.randint(20, 28)
        plain = next(
            (one for one in within.subnets(new_prefix=prefix) if not any(one.overlaps(other) for other in taken)), None
        )
        assert ranges.first_free(within, prefix, taken) == plain, (prefix, taken)
    assert ranges.first_free(within, 16, []) is None


def _drawn(draw: random.Random, within: IPv4Network) -> IPv4Network:
    prefix = draw.randint(within.prefixlen, 28)
    place = draw.randrange(1 << (prefix - within.prefixlen))
    return IPv4Network((int(within.network_address) + place * (1 << (32 - prefix)), prefix))


def test_addresses_that_a_machine_can_have() -> None:
    block = IPv4Network("10.0.1.0/28")
    assert ranges.usable(block, 2) == 13
    assert ranges.usable(IPv4Network("10.64.0.0/20"), 10) == 4085
    possible = [str(address) for address in block if _possible(str(address), block)]
    assert possible == [f"10.0.1.{host}" for host in range(2, 15)]
    for text in ("", "10.0.1", "10.0.1.2/28", "x", "fd00::1", "\0", "1" * 5000, "10.0.1.02"):
        with pytest.raises(BadPrivateAddress) as malformed:
            ranges.private_ip(text, block, 2, "ip")
        assert (malformed.value.code, malformed.value.field) == ("InvalidParameterValue.IPAddressMalformed", "ip")
    for text in ("10.0.1.0", "10.0.1.1", "10.0.1.15", "10.0.0.255", "10.0.1.16"):
        with pytest.raises(PrivateAddressOutside) as outside:
            ranges.private_ip(text, block, 2, "ip")
        assert (outside.value.code, outside.value.field) == ("VpcAddrNotInSubNet", "ip")


def _possible(text: str, block: IPv4Network) -> bool:
    try:
        ranges.private_ip(text, block, 2, "ip")
    except PrivateAddressOutside:
        return False
    return True
