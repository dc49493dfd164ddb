"""Given members of requests and answers that are seldom said, then each has its effect, and is told as it was said."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_every_action import OWN_DISK
from tests.instances.test_key_pairs import ED25519
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from vmart.engines.contract import Observation
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.kernel import clock

pytestmark = pytest.mark.usefixtures("delivering")
ZONE = "ap-guangzhou-4"
Rule = dict[str, Any]


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


def _network(client: Client, number: int = 8) -> dict[str, str]:
    """A subnet of a VPC of its own."""
    made = client.call("CreateVpc", {"VpcName": "own", "CidrBlock": f"10.{number}.0.0/16"}).response["Vpc"]
    asked = {"VpcId": made["VpcId"], "SubnetName": "own", "Zone": ZONE, "CidrBlock": f"10.{number}.1.0/24"}
    return {"VpcId": made["VpcId"], "SubnetId": client.call("CreateSubnet", asked).response["Subnet"]["SubnetId"]}


def test_machines_have_the_private_addresses_that_the_purchase_chooses(client: Client) -> None:
    chosen = ["10.8.1.40", "10.8.1.20"]
    network = {**_network(client), "PrivateIpAddresses": chosen}
    client.call("RunInstances", {**HOURLY, "InstanceCount": 2, "VirtualPrivateCloud": network})
    told = client.call("DescribeInstances").response["InstanceSet"]
    for each in (told, [one["VirtualPrivateCloud"] for one in told]):
        assert sorted(one["PrivateIpAddresses"] for one in each) == [["10.8.1.20"], ["10.8.1.40"]]


@pytest.mark.parametrize("public", [True, False])
def test_a_machine_has_a_public_address_if_the_purchase_says_so(client: Client, *, public: bool) -> None:
    asked = {**HOURLY, "InternetAccessible": {**HOURLY["InternetAccessible"], "PublicIpAssigned": public}}
    client.call("RunInstances", asked)
    work()
    (told,) = client.call("DescribeInstances").response["InstanceSet"]
    assert (len(told["PublicIpAddresses"]), told["InternetAccessible"]["PublicIpAssigned"]) == (int(public), public)


def test_the_route_table_of_each_vpc_is_told_with_its_subnets(client: Client, test_clock: BusinessClock) -> None:
    first = _network(client)
    test_clock.advance(hours=1)
    second = _network(client, 9)

    def tables(**asked: Any) -> list[dict[str, Any]]:
        answer = client.call("DescribeRouteTables", asked).response
        found: list[dict[str, Any]] = answer["RouteTableSet"]
        return found

    (table,) = tables(Filters=[{"Name": "vpc-id", "Values": [first["VpcId"]]}])
    (subnet,) = client.call("DescribeSubnets", {"SubnetIds": [first["SubnetId"]]}).response["SubnetSet"]
    main = subnet["RouteTableId"]
    assert subnet == {
        **first, "SubnetName": "own", "CidrBlock": "10.8.1.0/24", "IsDefault": False, "EnableBroadcast": False,
        "Zone": ZONE, "RouteTableId": main, "CreatedTime": "2026-03-10 10:00:00", "AvailableIpAddressCount": 253,
        "Ipv6CidrBlock": "", "NetworkAclId": "", "IsRemoteVpcSnat": False, "TotalIpAddressCount": 253, "TagSet": [],
        "CdcId": "", "IsCdcSubnet": 0,
    }  # fmt: skip
    assert table == {
        "VpcId": first["VpcId"], "RouteTableId": main, "RouteTableName": "default",
        "AssociationSet": [{"SubnetId": first["SubnetId"], "RouteTableId": main}], "RouteSet": [], "Main": True,
        "CreatedTime": "2026-03-10 10:00:00", "TagSet": [], "LocalCidrForCcn": [],
    }  # fmt: skip
    both = [one["VpcId"] for one in tables()]
    assert sorted(both) == sorted([first["VpcId"], second["VpcId"]])
    assert [one["VpcId"] for one in tables(Offset="1", Limit="1")] == both[1:]
    assert [one["VpcId"] for one in tables(Limit="1")] == both[:1]
    assert client.call("DescribeRouteTables", {"Limit": "1"}).response["TotalCount"] == 2
    for filters, found in (
        ([{"Name": "route-table-id", "Values": [main]}], [main]),
        ([{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [first["VpcId"]]}], [main]),
        ([{"Name": "association.main", "Values": ["false"]}], []),
        ([{"Name": "route-table-name", "Values": ["other"]}], []),
        ([{"Name": "tag-key", "Values": ["team"]}], []),
    ):
        assert [one["RouteTableId"] for one in tables(Filters=filters)] == found, filters
    assert [one["RouteTableId"] for one in tables(RouteTableIds=[main])] == [main]


def test_new_subnets_are_told_as_they_are_listed(client: Client) -> None:
    vpc = client.call("CreateVpc", {"VpcName": "own", "CidrBlock": "10.8.0.0/16"}).response["Vpc"]["VpcId"]

    def part(number: int) -> dict[str, str]:
        return {"SubnetName": f"part {number}", "Zone": ZONE, "CidrBlock": f"10.8.{number}.0/24"}

    one = client.call("CreateSubnet", {"VpcId": vpc, **part(1)}).response["Subnet"]
    tags = {"Tags": [{"Key": "team", "Value": "a"}]}
    two = client.call("CreateSubnets", {"VpcId": vpc, "Subnets": [part(2), part(3)], **tags}).response["SubnetSet"]
    assert [(made["SubnetName"], len(made["TagSet"])) for made in (one, *two)] == [
        ("part 1", 0), ("part 2", 1), ("part 3", 1),
    ]  # fmt: skip
    for made in (one, *two):
        listed = client.call("DescribeSubnets", {"SubnetIds": [made["SubnetId"]]}).response["SubnetSet"]
        assert listed == [made]


def test_a_subnet_is_renamed_follows_its_own_table_and_is_deleted(client: Client) -> None:
    names, other = _network(client), _network(client, 9)
    only = {"SubnetId": names["SubnetId"]}

    def subnets(**of: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.call("DescribeSubnets", {"SubnetIds": [of["SubnetId"]]}).response[
            "SubnetSet"
        ]
        return found

    for change, told in (
        ({"SubnetName": "web"}, ("web", False)), ({"EnableBroadcast": "true"}, ("web", True)),
        ({"SubnetName": "db", "EnableBroadcast": "false"}, ("db", False)),
    ):  # fmt: skip
        assert set(client.call("ModifySubnetAttribute", {**only, **change}).response) == {"RequestId"}
        assert [(one["SubnetName"], one["EnableBroadcast"]) for one in subnets(**names)] == [told]
    (own,), (foreign,) = subnets(**names), subnets(**other)
    tables = [one["RouteTableId"] for one in (own, foreign)]
    assert set(
        client.call("ReplaceRouteTableAssociation", {**only, "RouteTableId": tables[0]}).response
    ) == {"RequestId"}  # fmt: skip
    with nothing_written():
        refused = [
            client.call("ReplaceRouteTableAssociation", {"SubnetId": subnet, "RouteTableId": table}).error
            for subnet, table in ((names["SubnetId"], tables[1]), ("subnet-none", tables[0]))
        ]
    assert refused == [
        (
            "UnsupportedOperation",
            f"RouteTableId: The subnet {names['SubnetId']} follows the route table {tables[0]} of its VPC, and can "
            "follow no other.",
        ),
        ("ResourceNotFound", "SubnetId: The subnet subnet-none does not exist."),
    ]
    client.call("DeleteSubnet", only)
    assert (subnets(**names), subnets(**other)) == ([], [foreign])


# One rule, and rules that differ from it in one member each.
_RULE: Rule = {"Protocol": "TCP", "Port": "22", "CidrBlock": "10.0.0.0/8", "Action": "ACCEPT"}
_V6: Rule = {"Protocol": "TCP", "Port": "22", "Ipv6CidrBlock": "2001:db8::/32", "Action": "ACCEPT"}


def _alike(other: str) -> list[Rule]:
    by_group = {"Protocol": "TCP", "Port": "22", "SecurityGroupId": other, "Action": "ACCEPT"}
    near = [
        {"Protocol": "UDP"}, {"Port": "23"}, {"CidrBlock": "10.1.0.0/16"}, {"Action": "DROP"},
    ]  # fmt: skip
    rules = [_RULE, *(_RULE | one for one in near), _V6, _V6 | {"Ipv6CidrBlock": "2001:db8:1::/48"}, by_group]
    return [rule | {"PolicyDescription": f"rule {number}"} for number, rule in enumerate(rules)]


@pytest.mark.parametrize("way", ["Ingress", "Egress"])
def test_rules_of_both_directions_are_told_as_they_were_said(client: Client, way: str) -> None:
    def made(name: str, rules: list[Rule]) -> str:
        asked = {"GroupName": name, "GroupDescription": "", "SecurityGroupPolicySet": {way: rules}}
        return str(client.call("CreateSecurityGroupWithPolicies", asked).response["SecurityGroup"]["SecurityGroupId"])

    def act(action: str, *rules: Rule, version: str = "", **more: Any) -> str:
        asked = {"SecurityGroupId": group, "SecurityGroupPolicySet": {way: list(rules), "Version": version}, **more}
        answer = client.call(action, asked)
        return answer.error[0] if "Error" in answer.response else ""

    def told() -> list[Rule]:
        answer = client.call("DescribeSecurityGroupPolicies", {"SecurityGroupId": group}).response
        kept = ("Protocol", "Port", "CidrBlock", "Ipv6CidrBlock", "SecurityGroupId", "Action", "PolicyDescription")
        policies = answer["SecurityGroupPolicySet"]
        assert policies[{"Ingress": "Egress", "Egress": "Ingress"}[way]] == []
        return [{name: rule[name] for name in kept if rule[name]} for rule in policies[way]]

    rules = _alike(made("other", []))
    group = made("web", rules)
    assert told() == rules
    for number, rule in enumerate(rules):
        assert act("DeleteSecurityGroupPolicies", {**rule, "PolicyDescription": "another"}) == ""
        assert told() == rules[number + 1 :], rule
    assert act("CreateSecurityGroupPolicies", rules[0]) == ""
    assert act("DeleteSecurityGroupPolicies", {"PolicyIndex": 0}) == ""
    assert told() == []
    assert act("CreateSecurityGroupPolicies", *rules[:2]) == ""
    assert act("CreateSecurityGroupPolicies", *({**rule, "PolicyIndex": 1} for rule in rules[2:])) == ""
    assert told() == [rules[0], *rules[2:], rules[1]]
    assert act("ModifySecurityGroupPolicies", *rules) == ""
    assert told() == rules
    for action in ("ReplaceSecurityGroupPolicy", "ReplaceSecurityGroupPolicies"):
        for number, new in enumerate(rules):
            other = (number + 3) % len(rules)
            assert act("ModifySecurityGroupPolicies", *rules) == ""
            assert act(action, {**new, "PolicyIndex": other}) == ""
            replaced = {**dict(enumerate(rules)), other: new}
            assert told() == list(replaced.values()), action
            assert act("ModifySecurityGroupPolicies", *rules) == ""
            assert act(action, new, OriginalSecurityGroupPolicySet={way: [rules[other]]}) == ""
            assert told() == list(replaced.values()), action
        by_index = {way: [{"PolicyIndex": 0}]}
        assert act("ModifySecurityGroupPolicies", *rules) == ""
        assert act(action, rules[1], OriginalSecurityGroupPolicySet=by_index) == ""
        assert told() == [rules[1], *rules[1:]]
    for action in (
        "CreateSecurityGroupPolicies", "ModifySecurityGroupPolicies", "DeleteSecurityGroupPolicies",
        "ReplaceSecurityGroupPolicy", "ReplaceSecurityGroupPolicies",
    ):  # fmt: skip
        assert act(action, {**rules[1], "PolicyIndex": 0}, version="1") == "UnsupportedOperation.VersionMismatch"
    for action in ("ReplaceSecurityGroupPolicy", "ReplaceSecurityGroupPolicies"):
        stale = {way: [rules[0]], "Version": "1"}
        refused = act(action, rules[1], OriginalSecurityGroupPolicySet=stale)
        assert refused == "UnsupportedOperation.VersionMismatch", action


def _group(client: Client, way: str, *rules: Rule) -> str:
    asked = {"GroupName": "web", "GroupDescription": "", "SecurityGroupPolicySet": {way: list(rules)}}
    return str(client.call("CreateSecurityGroupWithPolicies", asked).response["SecurityGroup"]["SecurityGroupId"])


@pytest.mark.parametrize("way", ["Ingress", "Egress"])
def test_a_rule_is_told_whole(client: Client, test_clock: BusinessClock, way: str) -> None:
    group = _group(client, way, _RULE, {**_V6, "Protocol": "ICMPv6", "Port": "ALL", "PolicyDescription": "ping"})
    told = client.call("DescribeSecurityGroupPolicies", {"SecurityGroupId": group}).response["SecurityGroupPolicySet"]
    alike = {
        "ServiceTemplate": {"ServiceId": "", "ServiceGroupId": ""}, "ModifyTime": "2026-03-10 10:00:00",
        "AddressTemplate": {"AddressId": "", "AddressGroupId": ""}, "SecurityGroupId": "", "Action": "ACCEPT",
    }  # fmt: skip
    assert told[way] == [
        alike | _RULE | {"PolicyIndex": 0, "Ipv6CidrBlock": "", "PolicyDescription": ""},
        alike | {
            "PolicyIndex": 1, "Protocol": "ICMPv6", "Port": "ALL", "CidrBlock": "", "Ipv6CidrBlock": "2001:db8::/32",
            "PolicyDescription": "ping",
        },
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["Ingress", "Egress"])
def test_what_changes_nothing_of_rules_is_checked_all_the_same(client: Client, way: str) -> None:
    """The order of a new list decides, not PolicyIndex; a description does not say which rule is meant."""

    def refused(action: str, rule: Rule, **more: Any) -> tuple[str, str]:
        policies = {"SecurityGroupPolicySet": {way: [rule]}, **more}
        asked = {"SecurityGroupId": group, **policies} if "Create" not in action else {**new, **policies}
        code, sentence = client.call(action, asked).error
        return code, sentence.partition(" ")[0].rstrip(":")

    group, new = _group(client, way, _RULE), {"GroupName": "web", "GroupDescription": ""}
    long, path = {**_RULE, "PolicyDescription": "x" * 101}, f"SecurityGroupPolicySet.{way}.0"
    with nothing_written():
        for action in ("CreateSecurityGroupWithPolicies", "ModifySecurityGroupPolicies"):
            told = refused(action, {**_RULE, "PolicyIndex": -1})
            assert told == ("InvalidParameterValue.Range", f"{path}.PolicyIndex"), action
        told = refused("DeleteSecurityGroupPolicies", long)
        assert told == ("InvalidParameterValue.Malformed", f"{path}.PolicyDescription")
        for action in ("ReplaceSecurityGroupPolicy", "ReplaceSecurityGroupPolicies"):
            told = refused(action, _RULE, OriginalSecurityGroupPolicySet={way: [long]})
            assert told == ("InvalidParameterValue.Malformed", f"Original{path}.PolicyDescription"), action
        version = {"SecurityGroupPolicySet": {way: [_RULE], "Version": "1" * 21}}
        told = refused("CreateSecurityGroupWithPolicies", _RULE, **version)
        assert told == ("InvalidParameterValue", "SecurityGroupPolicySet.Version")


def _kept(client: Client) -> dict[str, Any]:
    """A purchase that says all that a launch template keeps of a machine that is paid ahead."""
    pair = {"KeyName": "admin", "ProjectId": 0, "PublicKey": ED25519}
    group = {"GroupName": "web", "GroupDescription": ""}
    apart = {"Name": "apart", "Type": "HOST"}
    return {
        "Placement": {"Zone": ZONE, "ProjectId": 0},
        "InstanceType": "S5.SMALL1",
        "ImageId": "img-db12k7x4",
        "InstanceChargeType": "PREPAID",
        "InstanceChargePrepaid": {"Period": 3, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        "SystemDisk": {"DiskType": "CLOUD_SSD", "DiskSize": 60, "DiskName": "root"},
        "DataDisks": [{"DiskType": "CLOUD_SSD", "DiskSize": 30, "DiskName": "db", "DeleteWithInstance": False}],
        "VirtualPrivateCloud": {
            **_network(client), "PrivateIpAddresses": ["10.8.1.40", "10.8.1.20"], "Ipv6AddressCount": 1,
        },
        "InternetAccessible": {
            "InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 3, "PublicIpAssigned": True,
        },
        "InstanceCount": 2,
        "InstanceName": "web",
        "HostName": "web",
        "LoginSettings": {"KeyIds": [client.call("ImportKeyPair", pair).response["KeyId"]]},
        "SecurityGroupIds": [
            client.call("CreateSecurityGroup", group).response["SecurityGroup"]["SecurityGroupId"],
        ],
        "EnhancedService": {
            "SecurityService": {"Enabled": True}, "MonitorService": {"Enabled": False},
            "AutomationService": {"Enabled": True},
        },
        "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
        "TagSpecification": [{"ResourceType": "instance", "Tags": [{"Key": "team", "Value": "a"}]}],
        "DisasterRecoverGroupIds": [
            client.call("CreateDisasterRecoverGroup", apart).response["DisasterRecoverGroupId"],
        ],
        "DisableApiTermination": True,
    }  # fmt: skip


def _told_of(kept: dict[str, Any]) -> dict[str, Any]:
    plain = {"Encrypt": False, "KmsKeyId": ""}
    return {
        **kept,
        "SystemDisk": {**kept["SystemDisk"], **plain},
        "DataDisks": [{**disk, **plain, "SnapshotId": ""} for disk in kept["DataDisks"]],
        "VirtualPrivateCloud": {**kept["VirtualPrivateCloud"], "AsVpcGateway": False},
    }


def _held(client: Client, template: str, number: int) -> dict[str, Any]:
    asked = {"LaunchTemplateId": template, "LaunchTemplateVersions": [number]}
    (version,) = client.call("DescribeLaunchTemplateVersions", asked).response["LaunchTemplateVersionSet"]
    told: dict[str, Any] = version["LaunchTemplateVersionData"]
    return told


def test_a_launch_template_and_its_versions_tell_all_that_they_keep(client: Client) -> None:
    kept = _kept(client)
    made = client.call("CreateLaunchTemplate", {"LaunchTemplateName": "ahead", **kept}).response
    assert _held(client, made["LaunchTemplateId"], 1) == _told_of(kept)
    plain = client.call("CreateLaunchTemplate", {"LaunchTemplateName": "plain", **HOURLY}).response["LaunchTemplateId"]
    named = {"LaunchTemplateId": plain, "LaunchTemplateVersionDescription": "paid ahead"}
    assert client.call("CreateLaunchTemplateVersion", {**named, **kept}).response["LaunchTemplateVersionNumber"] == 2
    assert _held(client, plain, 2) == _told_of(kept)
    listed = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": plain}).response
    assert [one["LaunchTemplateVersionDescription"] for one in listed["LaunchTemplateVersionSet"]] == ["paid ahead", ""]
    bought = client.call("RunInstances", {
        "LaunchTemplate": {"LaunchTemplateId": plain, "LaunchTemplateVersion": 2}, "Placement": {"Zone": ZONE},
    }).response["InstanceIdSet"]  # fmt: skip
    work()
    (first, second) = client.call("DescribeInstances", {"InstanceIds": bought}).response["InstanceSet"]
    assert {first["PrivateIpAddresses"][0], second["PrivateIpAddresses"][0]} == {"10.8.1.40", "10.8.1.20"}
    assert [len(one["IPv6Addresses"]) for one in (first, second)] == [1, 1]
    assert (first["RenewFlag"], first["DataDisks"][0]["DeleteWithInstance"]) == ("NOTIFY_AND_AUTO_RENEW", False)


def test_a_version_tells_a_spot_machines_bid_and_when_a_machine_ends(client: Client) -> None:
    small = {**HOURLY, "InstanceType": "S5.SMALL1"}
    plain = client.call("CreateLaunchTemplate", {"LaunchTemplateName": "plain", **small}).response["LaunchTemplateId"]
    named = {"LaunchTemplateId": plain}
    market = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.2", "SpotInstanceType": "one-time"}}
    spot = {"InstanceChargeType": "SPOTPAID", "InstanceMarketOptions": market}
    ends = {"TimerAction": "TerminateInstances", "ActionTime": f"{clock.now():%Y}-12-01T00:00:00Z"}
    for number, change in enumerate((spot, {"ActionTimer": ends, "InternetAccessible": {"PublicIpAssigned": False}})):
        answer = client.call("CreateLaunchTemplateVersion", {**named, **change})
        assert answer.response["LaunchTemplateVersionNumber"] == 2 + number
    told = _held(client, plain, 2)
    assert (told["InstanceChargeType"], told["InstanceMarketOptions"]) == ("SPOTPAID", market)
    told = _held(client, plain, 3)
    assert {name: told["ActionTimer"][name] for name in ends} == ends
    assert told["InternetAccessible"]["PublicIpAssigned"] is False


def _hour(client: Client, **asked: Any) -> dict[str, Any]:
    answer = client.call("InquiryPriceRunInstances", {**HOURLY, **asked}).response
    told: dict[str, Any] = answer["Price"]["InstancePrice"]
    return told


def test_a_price_has_its_steps_and_is_that_of_the_disks_type_and_the_templates_version(client: Client) -> None:
    """0.42, half of it and 0.34 of it; with 50 GiB at 0.0005, or 50 or 60 at 0.0014 of SSD."""
    assert _hour(client, InstanceType="S1.SMALL1") == {
        "ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.445, "UnitPriceDiscount": 0.445,
        "UnitPriceSecondStep": 0.235, "UnitPriceDiscountSecondStep": 0.235,
        "UnitPriceThirdStep": 0.1678, "UnitPriceDiscountThirdStep": 0.1678,
    }  # fmt: skip
    assert _hour(client)["UnitPrice"] == 0.375
    for size, price in ((50, 0.42), (60, 0.434)):
        assert _hour(client, SystemDisk={"DiskType": "CLOUD_SSD", "DiskSize": size})["UnitPrice"] == price
    template = client.call("CreateLaunchTemplate", {"LaunchTemplateName": "plain", **HOURLY}).response
    named = {"LaunchTemplateId": template["LaunchTemplateId"]}
    client.call("CreateLaunchTemplateVersion", {**named, "InstanceType": "S5.SMALL1"})
    asked = {"Placement": {"Zone": ZONE}, "ImageId": "img-db12k7x4"}
    for version, price in (({}, 0.375), ({"LaunchTemplateVersion": 2}, 0.165)):
        answer = client.call("InquiryPriceRunInstances", {**asked, "LaunchTemplate": {**named, **version}}).response
        assert answer["Price"]["InstancePrice"]["UnitPrice"] == price


def test_names_and_addresses_of_a_purchase_change_no_price(client: Client) -> None:
    """0.375, and 20 GiB at 0.0005."""
    network, disk = HOURLY["InternetAccessible"], {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20}
    for change, price in (
        ({"SystemDisk": {"DiskName": "root"}}, 0.375),
        ({"InternetAccessible": {**network, "PublicIpAssigned": False}}, 0.375),
        ({"DataDisks": [{**disk, "DiskName": "db", "DeleteWithInstance": False, "SnapshotId": ""}]}, 0.385),
    ):
        assert _hour(client, **change)["UnitPrice"] == price, change
    for change, code, path in (
        ({"SystemDisk": {"DiskName": 1}}, "InvalidParameter", "SystemDisk.DiskName"),
        ({"InternetAccessible": {**network, "PublicIpAssigned": "no"}}, "InvalidParameter",
         "InternetAccessible.PublicIpAssigned"),
        ({"DataDisks": [{**disk, "DiskName": 1}]}, "InvalidParameter", "DataDisks.0.DiskName"),
        ({"DataDisks": [{**disk, "DeleteWithInstance": "no"}]}, "InvalidParameter", "DataDisks.0.DeleteWithInstance"),
        ({"DataDisks": [{"DiskSize": 0, "SnapshotId": "snap-1"}]}, "InvalidParameterValue.Range",
         "DataDisks.0.DiskSize"),
    ):  # fmt: skip
        given, sentence = client.call("InquiryPriceRunInstances", {**HOURLY, **change}).error
        assert (given, sentence.partition(" ")[0].rstrip(":")) == (code, path), sentence


def test_a_disk_is_taken_from_the_machine_that_has_it_alone(client: Client) -> None:
    first, second = client.call("RunInstances", {**HOURLY, "InstanceCount": 2}).response["InstanceIdSet"]
    (disk,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    client.call("AttachDisks", {"InstanceId": first, "DiskIds": [disk]})
    work()
    with nothing_written():
        code, sentence = client.call("DetachDisks", {"InstanceId": second, "DiskIds": [disk]}).error
    assert (code, sentence.partition(":")[0]) == ("InvalidParameter", "InstanceId")
    (told,) = client.call("DescribeDisks", {"DiskIds": [disk]}).response["DiskSet"]
    assert (told["InstanceId"], told["DiskState"], told["KmsKeyId"]) == (first, "ATTACHED", "")


def _page(client: Client, action: str, of: str, name: str, **asked: Any) -> list[str]:
    """The ids on it; however many are on it, two are there."""
    answer = client.call(action, asked).response
    assert answer["TotalCount"] == 2
    return [str(one[name]) for one in answer[of]]


def test_pages_of_snapshots_and_of_their_policies_are_as_long_as_asked(client: Client) -> None:
    (disk,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    snapshots, policies = [], []
    for name in ("one", "two"):
        asked = {"DiskId": disk, "SnapshotName": name}
        snapshots.append(client.call("CreateSnapshot", asked).response["SnapshotId"])
        work()
        times = {"Policy": [{"DayOfWeek": [1], "Hour": [2]}], "AutoSnapshotPolicyName": name}
        policies.append(client.call("CreateAutoSnapshotPolicy", times).response["AutoSnapshotPolicyId"])
    for action, of, name, ids in (
        ("DescribeSnapshots", "SnapshotSet", "SnapshotId", snapshots),
        ("DescribeAutoSnapshotPolicies", "AutoSnapshotPolicySet", "AutoSnapshotPolicyId", policies),
    ):
        assert _page(client, action, of, name, Limit=1) == ids[1:]
        assert _page(client, action, of, name, Limit=1, Offset=1) == ids[:1]
        assert _page(client, action, of, name, OrderField="CREATE_TIME", Order="ASC") == ids
        assert client.call(action, {"OrderField": "NAME"}).error[0] == "InvalidParameterValue"
    (told, _) = client.call("DescribeSnapshots").response["SnapshotSet"]
    assert (told["IsLocked"], told["DiskUsage"]) == (False, "DATA_DISK")


def test_a_policy_is_renamed_and_its_snapshots_are_kept_for_good(client: Client) -> None:
    times = {"Policy": [{"DayOfWeek": [1], "Hour": [2]}], "AutoSnapshotPolicyName": "weekly"}
    policy = client.call("CreateAutoSnapshotPolicy", times).response["AutoSnapshotPolicyId"]

    def told(*names: str) -> list[Any]:
        (one,) = client.call("DescribeAutoSnapshotPolicies", {"AutoSnapshotPolicyIds": [policy]}).response[
            "AutoSnapshotPolicySet"
        ]
        return [one[name] for name in names]

    assert told("AutoSnapshotPolicyName", "IsPermanent", "RetentionDays") == ["weekly", False, 7]
    for change in ({"AutoSnapshotPolicyName": "renamed"}, {"IsPermanent": True}, {"IsActivated": False}):
        client.call("ModifyAutoSnapshotPolicyAttribute", {"AutoSnapshotPolicyId": policy, **change})
    assert told("AutoSnapshotPolicyName", "IsPermanent", "IsActivated") == ["renamed", True, False]


def test_a_repeated_token_allocates_an_address_once(client: Client) -> None:
    asked = {"ClientToken": "once", "AddressName": "front"}
    first = client.call("AllocateAddresses", asked).response["AddressSet"]
    assert client.call("AllocateAddresses", asked).response["AddressSet"] == first
    assert client.call("AllocateAddresses", {**asked, "ClientToken": "twice"}).response["AddressSet"] != first
    assert client.call("DescribeAddresses").response["TotalCount"] == 2


def test_what_a_vpc_says_of_itself_and_the_description_of_a_group_are_changed(
    client: Client, test_clock: BusinessClock
) -> None:
    def multicast() -> bool:
        (one,) = client.call("DescribeVpcs", {"VpcIds": [vpc["VpcId"]]}).response["VpcSet"]
        return bool(one["EnableMulticast"])

    asked = {"VpcName": "own", "CidrBlock": "10.8.0.0/16", "EnableMulticast": "true"}
    vpc = client.call("CreateVpc", asked).response["Vpc"]
    assert (vpc["EnableMulticast"], multicast(), vpc["AssistantCidrSet"]) == (True, True, [])
    client.call("ModifyVpcAttribute", {"VpcId": vpc["VpcId"], "EnableMulticast": "false"})
    assert not multicast()
    client.call("ModifyVpcAttribute", {"VpcId": vpc["VpcId"], "VpcName": "renamed"})
    (told,) = client.call("DescribeVpcs", {"VpcIds": [vpc["VpcId"]]}).response["VpcSet"]
    assert (told["VpcName"], told["EnableMulticast"]) == ("renamed", False)
    client.call("DeleteVpc", {"VpcId": vpc["VpcId"]})
    assert client.call("DescribeVpcs", {"VpcIds": [vpc["VpcId"]]}).response["VpcSet"] == []
    groups = []
    for name in ("one", "two"):
        test_clock.advance(minutes=1)
        asked = {"GroupName": name, "GroupDescription": "first"}
        groups.append(client.call("CreateSecurityGroup", asked).response["SecurityGroup"]["SecurityGroupId"])
    test_clock.advance(minutes=1)
    client.call("ModifySecurityGroupAttribute", {"SecurityGroupId": groups[0], "GroupDescription": "second"})
    for order, found in (("UpdateTime", groups), ("CreatedTime", groups[::-1])):
        told = client.call("DescribeSecurityGroups", {"OrderField": order}).response["SecurityGroupSet"]
        assert [one["SecurityGroupId"] for one in told[:2]] == found
        asked = {"OrderField": order, "OrderDirection": "ASC"}
        assert client.call("DescribeSecurityGroups", asked).response["SecurityGroupSet"] == told[::-1]
    (told,) = client.call("DescribeSecurityGroups", {"SecurityGroupIds": groups[:1]}).response["SecurityGroupSet"]
    assert (told["SecurityGroupName"], told["SecurityGroupDesc"]) == ("one", "second")


def test_values_of_tags_by_the_page_and_tags_of_customers_alone(client: Client) -> None:
    groups = []
    for value in "ab":
        asked = {"GroupName": value, "GroupDescription": "", "Tags": [{"Key": "team", "Value": value}]}
        groups.append(client.call("CreateSecurityGroup", asked).response["SecurityGroup"]["SecurityGroupId"])
    where = {"service": "tag", "version": "2018-08-13"}
    for page, values in (({}, ["a", "b"]), ({"Limit": 1}, ["a"]), ({"Limit": 1, "Offset": 1}, ["b"])):
        told = client.call("DescribeTagValues", {"TagKeys": ["team"], **page}, **where).response
        assert (told["TotalCount"], [tag["TagValue"] for tag in told["Tags"]]) == (2, values)
    told = client.call("GetTags", {"TagKeys": ["team"]}, **where).response["Tags"]
    assert told == [{"TagKey": "team", "TagValue": value, "Category": "Custom"} for value in "ab"]
    names = {"ResourceList": [f"qcs::cvm:ap-guangzhou:uin/:sg/{groups[0]}"]}
    tag = {"TagKey": "env", "TagValue": "test"}
    with nothing_written():
        refused = client.call("TagResources", {**names, "Tags": [{**tag, "Category": "System"}]}, **where).error
    assert (refused[0], "Category" in refused[1]) == ("InvalidParameterValue", True)
    assert "Error" not in client.call(
        "TagResources", {**names, "Tags": [{**tag, "Category": "Custom"}]}, **where
    ).response  # fmt: skip


@pytest.mark.parametrize(("action", "older"), [("RebootInstances", "ForceReboot"), ("StopInstances", "ForceStop")])
def test_a_machine_that_goes_off_is_told_once_how(
    client: Client, monkeypatch: pytest.MonkeyPatch, action: str, older: str
) -> None:
    """Turned off like a plug that is pulled with HARD alone; the older member says that it may take its time."""
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    work()
    named, forced = {"InstanceIds": [machine]}, _forced(monkeypatch)
    with nothing_written():
        code, sentence = client.call(action, {**named, older: True, "StopType": "SOFT"}).error
    assert (code, sentence) == ("InvalidParameter", f"{older} and StopType exclude each other.")
    for how, hard in (
        ({}, False), ({"StopType": "HARD"}, True), ({"StopType": "SOFT_FIRST"}, False), ({older: True}, False),
    ):  # fmt: skip
        client.call(action, {**named, **how})
        work()
        assert (forced.pop(), forced) == (hard, []), how
        client.call("StartInstances", named)
        work()


def _forced(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each machine that is turned off from now on is made to."""
    forced: list[bool] = []

    def noting(verb: str) -> Callable[..., Observation]:
        ours = getattr(SimulatedEngine, verb)

        def done(engine: SimulatedEngine, *asked: Any, force: bool = False, on: bool = False) -> Observation:
            if not on:
                forced.append(force)
            turned: Observation = ours(engine, *asked, force=force, **({"on": on} if verb == "ensure_power" else {}))
            return turned

        return done

    for verb in ("ensure_power", "ensure_rebooted"):
        monkeypatch.setattr(SimulatedEngine, verb, noting(verb))
    return forced


def test_the_price_of_a_larger_data_disk_is_of_the_type_that_it_has(client: Client) -> None:
    """All of 40 GiB at 0.0014; a disk keeps its type."""
    asked = {**HOURLY, "DataDisks": [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]}
    (machine,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()

    def larger(**more: Any) -> dict[str, Any]:
        disk = {"DiskSize": 40, **more}
        asked = {"InstanceId": machine, "DataDisks": [disk], "ResizeOnline": True}
        told: dict[str, Any] = client.call("InquiryPriceResizeInstanceDisks", asked).response
        return told

    assert larger()["Price"]["InstancePrice"] == {
        "ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.056, "UnitPriceDiscount": 0.056,
    }  # fmt: skip
    assert larger(DiskType="CLOUD_SSD")["Price"] == larger()["Price"]
    (disk,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"][0]["DataDisks"]
    assert larger(DiskId=disk["DiskId"])["Price"] == larger()["Price"]
    code = larger(DiskId="disk-unknown0")["Error"]["Code"]
    assert code == "InvalidParameter.DataDiskNotBelongSpecifiedInstance"
    error = larger(DiskType="CLOUD_PREMIUM")["Error"]
    assert (error["Code"], error["Message"].partition(":")[0]) == ("UnsupportedOperation", "DataDisks.0.DiskType")


def test_a_type_tells_what_a_month_and_a_year_of_it_cost(client: Client) -> None:
    """45 a month, 0.87 of it with the term of a month, 0.69 with that of a year."""
    wanted = {"zone": ZONE, "instance-charge-type": "PREPAID", "instance-type": "S5.SMALL1"}
    asked = {"Filters": [{"Name": name, "Values": [value]} for name, value in wanted.items()]}
    (told,) = client.call("DescribeZoneInstanceConfigInfos", asked).response["InstanceTypeQuotaSet"]
    assert told["Price"] == {
        "OriginalPrice": 45.0, "DiscountPrice": 39.15, "Discount": 87.0, "OriginalPriceOneYear": 540.0,
        "DiscountPriceOneYear": 372.6, "DiscountOneYear": 69.0,
    }  # fmt: skip
