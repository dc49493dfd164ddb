"""IPv6 by the API: bought, shown, found, kept in a launch template, and let in by a group."""

import ipaddress
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.shopper import ZONE, work
from vmart.engines.rules import ICMPV6, TCP, Packet
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.provisioning import zone_engines

pytestmark = pytest.mark.usefixtures("delivering")
ONLINE = {
    **HOURLY,
    "InternetAccessible": {
        "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": True,
    },
}  # fmt: skip
ONE: dict[str, Any] = {"VirtualPrivateCloud": {"VpcId": "DEFAULT", "SubnetId": "DEFAULT", "Ipv6AddressCount": 1}}


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


def _machine(client: Client, machine: str) -> dict[str, Any]:
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    return dict(told)


def test_one_is_bought_shown_and_found(client: Client) -> None:
    (machine, other) = client.call("RunInstances", {**ONLINE, **ONE, "InstanceCount": 2}).response["InstanceIdSet"]
    (plain,) = client.call("RunInstances", ONLINE).response["InstanceIdSet"]
    work()
    told = _machine(client, machine)
    mine = Instance.objects.get(public_id=machine).ipv6
    assert (told["IPv6Addresses"], told["VirtualPrivateCloud"]["Ipv6AddressCount"]) == ([mine], 1)
    without = _machine(client, plain)
    assert (without["IPv6Addresses"], without["VirtualPrivateCloud"]["Ipv6AddressCount"]) == ([], 0)
    assert mine is not None
    for written in (mine, mine.upper(), ipaddress.IPv6Address(mine).exploded):
        found = {"Filters": [{"Name": "ipv6-address", "Values": [written]}]}
        listed = client.call("DescribeInstances", found).response["InstanceSet"]
        assert [one["InstanceId"] for one in listed] == [machine]
    assert _machine(client, other)["IPv6Addresses"] != [mine]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"VirtualPrivateCloud": {"Ipv6AddressCount": 2}}, "InvalidParameter"),
        ({"VirtualPrivateCloud": {"Ipv6AddressCount": -1}}, "InvalidParameterValue.Range"),
        ({**ONE, "InternetAccessible": {"InternetMaxBandwidthOut": 0, "PublicIpAssigned": False}},
         "InvalidParameterCombination"),
        ({**ONE, "Placement": {"Zone": "ap-guangzhou-6"}}, "UnsupportedOperation"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_its_member(client: Client, asked: dict[str, Any], code: str) -> None:
    client.call("DescribeAccountQuota")
    with nothing_written():
        error, sentence = client.call("RunInstances", {**ONLINE, **asked}).error
    assert (error, "Ipv6AddressCount" in sentence) == (code, True)


def test_a_launch_template_keeps_it(client: Client) -> None:
    asked = {**ONLINE, **ONE, "LaunchTemplateName": "six"}
    made = client.call("CreateLaunchTemplate", asked).response["LaunchTemplateId"]
    (version,) = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": made}).response[
        "LaunchTemplateVersionSet"
    ]
    assert version["LaunchTemplateVersionData"]["VirtualPrivateCloud"]["Ipv6AddressCount"] == 1
    bought = client.call(
        "RunInstances", {"LaunchTemplate": {"LaunchTemplateId": made}, "Placement": ONLINE["Placement"]}
    ).response
    assert Instance.objects.get(public_id=bought["InstanceIdSet"][0]).ipv6 is not None


def test_a_group_lets_in_by_networks_of_ipv6(client: Client) -> None:
    rules = [
        {"Protocol": "TCP", "Port": "22", "Ipv6CidrBlock": "2001:DB8:77::/48", "Action": "ACCEPT"},
        {"Protocol": "ICMPv6", "Ipv6CidrBlock": "::/0", "Action": "ACCEPT"},
    ]
    made = client.call(
        "CreateSecurityGroupWithPolicies",
        {"GroupName": "six", "GroupDescription": "six", "SecurityGroupPolicySet": {"Ingress": rules, "Egress": []}},
    ).response["SecurityGroup"]["SecurityGroupId"]
    told = client.call("DescribeSecurityGroupPolicies", {"SecurityGroupId": made}).response["SecurityGroupPolicySet"]
    assert [(rule["Protocol"], rule["CidrBlock"], rule["Ipv6CidrBlock"]) for rule in told["Ingress"]] == [
        ("TCP", "", "2001:db8:77::/48"), ("ICMPv6", "", "::/0"),
    ]  # fmt: skip
    asked = {**ONLINE, **ONE, "SecurityGroupIds": [made]}
    (machine,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()
    engine: Any = zone_engines.engine_of(ZONE)
    world = World(engine._file.path)
    packets = [
        Packet(TCP, "2001:db8:77::1", 22), Packet(TCP, "2001:db8:78::1", 22), Packet(TCP, "198.51.100.1", 22),
        Packet(ICMPV6, "2001:db8:78::1"),
    ]  # fmt: skip
    assert [world.lets_in(machine, packet) for packet in packets] == [True, False, False, True]


@pytest.mark.parametrize(
    "network",
    ["::%eth0/0", "fe80::%eth0/64", "::%x } accept\nflush ruleset\n# /0", "2001:db8::1%/128", "2001:db8::/129"],
)
def test_no_network_has_a_zone_whose_words_would_come_into_the_packet_filter(client: Client, network: str) -> None:
    made = client.call("CreateSecurityGroup", {"GroupName": "six", "GroupDescription": "six"}).response
    group = made["SecurityGroup"]["SecurityGroupId"]
    rule = {"Protocol": "TCP", "Port": "22", "Ipv6CidrBlock": network, "Action": "ACCEPT"}
    asked = {"SecurityGroupId": group, "SecurityGroupPolicySet": {"Ingress": [rule]}}
    with nothing_written():
        error, sentence = client.call("CreateSecurityGroupPolicies", asked).error
    assert (error, "Ipv6CidrBlock" in sentence) == ("InvalidParameterValue.Malformed", True)
