"""Given machines in two regions, when a program asks vpc for networks, then it is told what the purchases made."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.shopper import work
from tests.support.statements import statements
from vmart.network.models import Subnet, Vpc

pytestmark = pytest.mark.usefixtures("delivering")
SHANGHAI = {**HOURLY, "Placement": {"Zone": "ap-shanghai-2"}}
SETS = {"DescribeVpcs": "VpcSet", "DescribeSubnets": "SubnetSet", "DescribeSecurityGroups": "SecurityGroupSet"}
IDS = {"DescribeVpcs": "VpcId", "DescribeSubnets": "SubnetId", "DescribeSecurityGroups": "SecurityGroupId"}


@pytest.fixture
def client() -> Client:
    """A customer with two machines in Guangzhou and one in Shanghai."""
    buyer, _ = open_customer()
    buyer.call("RunInstances", {**HOURLY, "InstanceCount": 2})
    buyer.call("RunInstances", SHANGHAI, region="ap-shanghai")
    return buyer


def _told(client: Client, action: str, asked: dict[str, Any] | None = None, **how: Any) -> list[dict[str, Any]]:
    answer = client.call(action, asked or {}, **how).response
    told: list[dict[str, Any]] = answer[SETS[action]]
    assert answer["TotalCount"] == len(told)
    return told


def _filtered(client: Client, action: str, **filters: list[str]) -> list[str]:
    conditions = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
    return [thing[IDS[action]] for thing in _told(client, action, {"Filters": conditions}, region="")]


def test_a_network_a_region(client: Client) -> None:
    (here,) = _told(client, "DescribeVpcs")
    machine = client.call("DescribeInstances").response["InstanceSet"][0]
    assert here["VpcId"] == machine["VirtualPrivateCloud"]["VpcId"]
    assert (here["CidrBlock"], here["IsDefault"], here["EnableMulticast"]) == ("10.0.0.0/8", True, False)
    assert (here["VpcName"], here["DnsServerSet"], here["AssistantCidrSet"]) == ("Default-VPC", [], [])
    (there,) = _told(client, "DescribeVpcs", region="ap-shanghai")
    assert [vpc["VpcId"] for vpc in _told(client, "DescribeVpcs", region="")] == [there["VpcId"], here["VpcId"]]
    action = "DescribeVpcs"
    for filters, found in [
        ({"vpc_id": [here["VpcId"]]}, [here["VpcId"]]),
        ({"cidr_block": ["10.0.0.0"], "is_default": ["TRUE"]}, [there["VpcId"], here["VpcId"]]),
        ({"cidr_block": ["10.0.0.0/8"], "vpc_name": ["default"]}, [there["VpcId"], here["VpcId"]]),
        ({"cidr_block": ["10.0.0.0/16"]}, []),
        ({"is_default": ["false"]}, []),
        ({"vpc_name": ["other"]}, []),
        ({"tag:a": ["b"]}, []),
        ({"isp_type": ["BGP"]}, []),
    ]:
        assert _filtered(client, action, **filters) == found, filters


def test_a_subnet_a_zone(client: Client) -> None:
    (here,) = _told(client, "DescribeSubnets")
    network = client.call("DescribeInstances").response["InstanceSet"][0]["VirtualPrivateCloud"]
    assert (here["SubnetId"], here["VpcId"], here["Zone"]) == (network["SubnetId"], network["VpcId"], "ap-guangzhou-4")
    row = Subnet.objects.get(public_id=here["SubnetId"])
    assert here["CidrBlock"] == f"{row.cidr}/20"
    assert (here["TotalIpAddressCount"], here["AvailableIpAddressCount"]) == (4085, 4083)
    (there,) = _told(client, "DescribeSubnets", region="ap-shanghai")
    everything = [there["SubnetId"], here["SubnetId"]]
    for filters, found in [
        ({"subnet_id": [here["SubnetId"]]}, [here["SubnetId"]]),
        ({"vpc_id": [there["VpcId"]]}, [there["SubnetId"]]),
        ({"zone": ["ap-shanghai-2"]}, [there["SubnetId"]]),
        ({"cidr_block": [row.cidr], "vpc_id": [here["VpcId"]]}, [here["SubnetId"]]),
        ({"cidr_block": [f"{row.cidr}/20"], "vpc_id": [here["VpcId"]]}, [here["SubnetId"]]),
        ({"is_default": ["true"], "is_cdc_subnet": ["0"], "subnet_name": ["Default-Subnet"]}, everything),
        ({"is_remote_vpc_snat": ["true"]}, []),
        ({"cdc_id": ["cluster-1"]}, []),
    ]:
        assert _filtered(client, "DescribeSubnets", **filters) == found, filters
    code, sentence = client.call("DescribeSubnets", {"NextToken": "x"}).error
    assert (code, "NextToken" in sentence) == ("UnsupportedOperation", True)


@pytest.mark.parametrize("action", SETS)
def test_offset_and_limit_are_text(client: Client, action: str) -> None:
    ids_told = [thing[IDS[action]] for thing in _told(client, action, region="")]
    for offset, limit in [("0", "1"), ("1", "100"), (1, 1), ("00", "1")]:
        answer = client.call(action, {"Offset": offset, "Limit": limit}, region="").response
        page = ids_told[int(offset) : int(offset) + int(limit)]
        assert (answer["TotalCount"], [thing[IDS[action]] for thing in answer[SETS[action]]]) == (len(ids_told), page)
    for bad, code in [
        ({"Limit": "0"}, "InvalidParameterValue.Range"),
        ({"Limit": "101"}, "InvalidParameterValue.Range"),
        ({"Offset": "9" * 18}, "InvalidParameterValue.Range"),
        ({"Offset": "-1"}, "InvalidParameter"),
        ({"Offset": "١"}, "InvalidParameter"),
        ({"Limit": "ten"}, "InvalidParameter"),
    ]:
        given, sentence = client.call(action, bad).error
        assert (given, next(iter(bad)) in sentence) == (code, True), bad


def test_addresses_in_use_until_their_machine_is_erased(client: Client) -> None:
    first, second = client.call("DescribeInstances").response["InstanceSet"]
    network, ips = first["VirtualPrivateCloud"], first["PrivateIpAddresses"]
    asked = {"VpcId": network["VpcId"], "SubnetId": network["SubnetId"], "IpAddresses": ips}
    told = client.call("DescribeUsedIpAddress", asked).response
    assert told["IpAddressStates"] == [
        {
            "VpcId": network["VpcId"], "SubnetId": network["SubnetId"], "IpAddress": ips[0], "ResourceType": "CVM",
            "ResourceId": first["InstanceId"],
        }
    ]  # fmt: skip
    of_vpc = {"VpcId": network["VpcId"]}
    for change, found in [
        ({}, 2),
        ({"Filters": [{"Name": "resource-id", "Values": [second["InstanceId"]]}]}, 1),
        ({"Filters": [{"Name": "ip-addresses", "Values": ips}]}, 1),
        ({"IpAddresses": ["10.0.0.1", "x"]}, 0),
        ({"SubnetId": "subnet-unknown0"}, 0),
        ({"VpcId": "vpc-unknown0"}, 0),
    ]:
        assert client.call("DescribeUsedIpAddress", {**of_vpc, **change}).response["TotalCount"] == found, change
    both = client.call("DescribeUsedIpAddress", of_vpc).response["IpAddressStates"]
    for part, found in (({"Offset": 1}, both[1:]), ({"Limit": 1}, both[:1])):
        page = client.call("DescribeUsedIpAddress", {**of_vpc, **part}).response
        assert (page["TotalCount"], page["IpAddressStates"]) == (2, found)
    work()
    for _ in range(2):
        client.call("TerminateInstances", {"InstanceIds": [first["InstanceId"]]})
        work()
    assert client.call("DescribeUsedIpAddress", asked).response["TotalCount"] == 0
    assert client.call("DescribeUsedIpAddress").error[0] == "MissingParameter"


def test_ids_and_filters_exclude_each_other(client: Client) -> None:
    condition = {"Filters": [{"Name": "x", "Values": ["y"]}]}
    for action, members in [
        ("DescribeVpcs", {"VpcIds": ["vpc-a"]}),
        ("DescribeSubnets", {"SubnetIds": ["subnet-a"]}),
        ("DescribeSecurityGroups", {"SecurityGroupIds": ["sg-a"]}),
        ("DescribeUsedIpAddress", {"VpcId": "vpc-a", "IpAddresses": ["10.0.0.1"]}),
    ]:
        assert client.call(action, {**members, **condition}).error[0] == "InvalidParameter"
        needed = {"VpcId": "vpc-a"} if action == "DescribeUsedIpAddress" else {}
        assert client.call(action, {**needed, **condition}).error[0] == "InvalidFilter"


def test_queries_do_not_grow_with_the_networks(client: Client) -> None:
    vpc_id = Vpc.objects.values_list("public_id", flat=True)[0]
    for action, asked, budget in [
        ("DescribeVpcs", {}, 1), ("DescribeSubnets", {}, 1), ("DescribeSubnets", {"Limit": "1"}, 2),
        ("DescribeUsedIpAddress", {"VpcId": vpc_id}, 1), ("DescribeSecurityGroups", {}, 3),
    ]:  # fmt: skip
        with statements() as made:
            client.call(action, asked, region="")
        assert len(made) <= budget, made
