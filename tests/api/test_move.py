"""Given machines of a customer, when a program moves them to another network, then as the API documents it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.shopper import work
from tests.support.written import nothing_written
from vmart.network.models import Subnet

pytestmark = pytest.mark.usefixtures("delivering")
MOVE, ZONE = "ModifyInstancesVpcAttribute", "ap-guangzhou-4"


@pytest.fixture
def client() -> Client:
    buyer, _ = open_customer()
    return buyer


def _bought(client: Client, count: int = 1) -> list[str]:
    ids: list[str] = client.call("RunInstances", {**HOURLY, "InstanceCount": count}).response["InstanceIdSet"]
    work()
    return ids


def _subnet(client: Client) -> dict[str, str]:
    vpc = client.call("CreateVpc", {"VpcName": "own", "CidrBlock": "10.7.0.0/16"}, service="vpc").response["Vpc"]
    asked = {"VpcId": vpc["VpcId"], "SubnetName": "own", "Zone": ZONE, "CidrBlock": "10.7.1.0/28"}
    subnet = client.call("CreateSubnet", asked, service="vpc").response["Subnet"]
    return {"VpcId": vpc["VpcId"], "SubnetId": subnet["SubnetId"]}


def _machines(client: Client) -> dict[str, Any]:
    told = client.call("DescribeInstances").response["InstanceSet"]
    return {machine["InstanceId"]: machine for machine in told}


def test_machines_are_moved_and_told_where_they_are(client: Client) -> None:
    ids, network = _bought(client, 2), _subnet(client)
    asked = {"InstanceIds": ids, "VirtualPrivateCloud": {**network, "PrivateIpAddresses": ["10.7.1.9", "10.7.1.8"]}}
    before = _machines(client)
    client.call(MOVE, {**asked, "ReserveHostName": True})
    under_way = _machines(client)[ids[0]]
    assert (under_way["InstanceState"], under_way["LatestOperation"], under_way["LatestOperationState"]) == (
        "RUNNING", MOVE, "OPERATING",
    )  # fmt: skip
    assert under_way["VirtualPrivateCloud"] == before[ids[0]]["VirtualPrivateCloud"]
    used = {"VpcId": network["VpcId"], "SubnetId": network["SubnetId"]}
    taken = client.call("DescribeUsedIpAddress", used, service="vpc").response["IpAddressStates"]
    assert [(one["IpAddress"], one["ResourceId"]) for one in taken] == [("10.7.1.8", ids[1]), ("10.7.1.9", ids[0])]
    work()
    after = _machines(client)
    for public_id, ip in zip(ids, ["10.7.1.9", "10.7.1.8"], strict=True):
        told = after[public_id]
        assert (told["VirtualPrivateCloud"]["VpcId"], told["VirtualPrivateCloud"]["SubnetId"]) == tuple(
            network.values()
        )
        assert (told["PrivateIpAddresses"], told["LatestOperationState"]) == ([ip], "SUCCESS")
        assert told["PublicIpAddresses"] == before[public_id]["PublicIpAddresses"]


@pytest.mark.parametrize(
    ("members", "code", "names"),
    [
        ({"ForceStop": False}, "UnsupportedOperation.InstanceStateRunning", "ForceStop"),
        ({"ReserveHostName": False}, "UnsupportedOperation", "ReserveHostName"),
        ({"VirtualPrivateCloud": {"PrivateIpAddresses": ["10.8.0.1"]}}, "VpcAddrNotInSubNet",
         "VirtualPrivateCloud.PrivateIpAddresses"),
        ({"VirtualPrivateCloud": {"SubnetId": "subnet-none"}}, "InvalidParameterValue.SubnetNotExist",
         "VirtualPrivateCloud.SubnetId"),
        ({"VirtualPrivateCloud": {"VpcId": "vpc-none"}}, "InvalidParameterValue.VpcIdNotExist",
         "VirtualPrivateCloud.VpcId"),
        ({"InstanceIds": ["ins-00000000"]}, "InvalidInstanceId.NotFound", "InstanceIds"),
        ({"InstanceIds": []}, "MissingParameter", "InstanceIds"),
    ],
)  # fmt: skip
def test_what_is_refused_names_its_member(client: Client, members: dict[str, Any], code: str, names: str) -> None:
    ids, network = _bought(client), _subnet(client)
    asked = {"InstanceIds": ids, "VirtualPrivateCloud": network} | members
    if "VirtualPrivateCloud" in members:
        asked["VirtualPrivateCloud"] = network | members["VirtualPrivateCloud"]
    with nothing_written():
        refused = client.call(MOVE, asked).error
    assert refused is not None
    assert refused[0] == code
    assert names in refused[1]


def test_default_networks_are_made_once(client: Client) -> None:
    made = client.call("CreateDefaultVpc", {}, service="vpc").response["Vpc"]
    subnet = Subnet.objects.select_related("vpc").get()
    assert made == {
        "VpcId": subnet.vpc.public_id, "SubnetId": subnet.public_id, "VpcName": "Default-VPC",
        "SubnetName": "Default-Subnet", "CidrBlock": "10.64.0.0/20",
    }  # fmt: skip
    (vpc,) = client.call("DescribeVpcs", {}, service="vpc").response["VpcSet"]
    assert (vpc["VpcId"], vpc["IsDefault"]) == (made["VpcId"], True)
    with nothing_written():
        again = client.call("CreateDefaultVpc", {"Force": True}, service="vpc").response["Vpc"]
        named = client.call("CreateDefaultVpc", {"Zone": subnet.zone_id}, service="vpc").response["Vpc"]
    assert (again, named) == (made, made)
    other = client.call("CreateDefaultVpc", {"Zone": "ap-guangzhou-6"}, service="vpc").response["Vpc"]
    assert (other["VpcId"], other["SubnetId"] != made["SubnetId"]) == (made["VpcId"], True)
    (machine,) = _bought(client)  # a purchase finds them
    assert _machines(client)[machine]["VirtualPrivateCloud"]["VpcId"] == made["VpcId"]
    assert Subnet.objects.filter(zone_id=ZONE).count() == 1


@pytest.mark.parametrize(
    ("asked", "region", "code"),
    [
        ({"Zone": "ap-shanghai-2"}, "ap-guangzhou", "InvalidParameterValue.UnavailableZone"),
        ({}, "", "MissingParameter"),
        ({}, "ap-nowhere", "InvalidParameterValue.InvalidRegion"),
    ],
)
def test_default_networks_of_no_place(client: Client, asked: dict[str, str], region: str, code: str) -> None:
    with nothing_written():
        refused = client.call("CreateDefaultVpc", asked, service="vpc", region=region).error
    assert refused is not None
    assert refused[0] == code
