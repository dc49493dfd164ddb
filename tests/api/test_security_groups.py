"""Security groups by the API: groups, their rules, and machines that are in them, until an engine holds them."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.shopper import ZONE, work
from vmart.catalog.models import Zone
from vmart.engines.rules import TCP, UDP, Packet
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import public_ids
from vmart.provisioning import zone_engines

pytestmark = pytest.mark.usefixtures("delivering")
Rule = dict[str, Any]
SSH: Rule = {"Protocol": "TCP", "Port": "22", "CidrBlock": "198.51.100.0/24", "Action": "ACCEPT"}
WEB: Rule = {"Protocol": "tcp", "Port": "80, 443", "CidrBlock": "0.0.0.0/0", "Action": "accept"}
OUT: Rule = {"CidrBlock": "0.0.0.0/0", "Action": "ACCEPT"}
NEAR, FAR = "198.51.100.9", "203.0.113.9"


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


def _create(client: Client, name: str = "web", ingress: list[Rule] | None = None, **how: Any) -> str:
    asked = {
        "GroupName": name, "GroupDescription": "of tests",
        "SecurityGroupPolicySet": {"Ingress": ingress or [], "Egress": [OUT]},
    }  # fmt: skip
    made = client.call("CreateSecurityGroupWithPolicies", asked, **how).response["SecurityGroup"]
    assert (made["SecurityGroupName"], made["SecurityGroupDesc"]) == (name, "of tests")
    assert (made["IsDefault"], made["ProjectId"]) == (False, "0")
    return str(made["SecurityGroupId"])


def _buy(client: Client, *groups: str, count: int = 1) -> list[str]:
    asked = {**HOURLY, "InstanceCount": count, "SecurityGroupIds": list(groups)}
    bought: list[str] = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()
    return bought


def _rules(client: Client, group: str, way: str = "Ingress") -> list[tuple[str, str, str]]:
    told = client.call("DescribeSecurityGroupPolicies", {"SecurityGroupId": group}).response["SecurityGroupPolicySet"]
    return [
        (rule["Protocol"], rule["Port"], rule["CidrBlock"] or rule["Ipv6CidrBlock"] or rule["SecurityGroupId"])
        for rule in told[way]
    ]


def _version(client: Client, group: str) -> str:
    told = client.call("DescribeSecurityGroupPolicies", {"SecurityGroupId": group}).response
    return str(told["SecurityGroupPolicySet"]["Version"])


def _policies(client: Client, act: str, group: str, version: str = "", **ways: list[Rule]) -> tuple[str, str]:
    """What an act on rules is answered: error code and message, ("", "") where it is done."""
    asked = {"SecurityGroupId": group, "SecurityGroupPolicySet": {"Version": version, **ways}}
    answer = client.call(act, asked)
    return answer.error if "Error" in answer.response else ("", "")


def _groups_of(client: Client, machine: str) -> list[str]:
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    return list(told["SecurityGroupIds"])


def _world() -> World:
    engine: Any = zone_engines.engine_of(ZONE)
    return World(engine._file.path)


def test_the_default_group_is_open_and_every_machine_is_in_it(client: Client) -> None:
    (group,) = client.call("DescribeSecurityGroups").response["SecurityGroupSet"]
    own = group["SecurityGroupId"]
    assert own == public_ids.of("sg", open_customer_id(client))
    assert (group["SecurityGroupName"], group["IsDefault"]) == ("default", True)
    assert _rules(client, own) == _rules(client, own, "Egress") == [
        ("ALL", "ALL", "0.0.0.0/0"), ("ALL", "ALL", "::/0"),
    ]  # fmt: skip
    (machine,) = _buy(client)
    assert _groups_of(client, machine) == [own]
    found = {"Filters": [{"Name": "security-group-id", "Values": [own]}]}
    assert client.call("DescribeInstances", found).response["TotalCount"] == 1
    assert _world().lets_in(machine, Packet(UDP, FAR, 53))
    assert client.call("DeleteSecurityGroup", {"SecurityGroupId": own}).error[0] == "UnsupportedOperation"


def open_customer_id(client: Client) -> int:
    return int(client.call("GetCallerIdentity", version="2018-08-13").response["AccountId"])


def test_a_machine_bought_into_a_group_lets_in_what_its_rules_say(client: Client) -> None:
    group = _create(client, ingress=[SSH, WEB])
    (machine,) = _buy(client, group)
    assert _groups_of(client, machine) == [group]
    assert Instance.objects.get(public_id=machine).security_groups == [group]
    assert _rules(client, group) == [("TCP", "22", "198.51.100.0/24"), ("TCP", "80,443", "0.0.0.0/0")]
    world = _world()
    packets = [Packet(TCP, NEAR, 22), Packet(TCP, FAR, 22), Packet(TCP, FAR, 443), Packet(UDP, FAR, 443)]
    assert [world.lets_in(machine, packet) for packet in packets] == [True, False, True, False]
    assert world.lets_out(machine, Packet(UDP, FAR, 53))
    for wanted, total in [(group, 1), ("sg-unknown0", 0)]:
        found = {"Filters": [{"Name": "security-group-id", "Values": [wanted]}]}
        assert client.call("DescribeInstances", found).response["TotalCount"] == total


def test_a_change_of_rules_reaches_every_machine_of_the_group(client: Client) -> None:
    group = _create(client)
    machines, world = _buy(client, group, count=3), _world()
    assert [world.lets_in(machine, Packet(TCP, NEAR, 22)) for machine in machines] == [False] * 3
    assert _policies(client, "CreateSecurityGroupPolicies", group, Ingress=[SSH]) == ("", "")
    work()
    assert [world.lets_in(machine, Packet(TCP, NEAR, 22)) for machine in machines] == [True] * 3
    assert _policies(client, "DeleteSecurityGroupPolicies", group, Ingress=[SSH]) == ("", "")
    work()
    assert [world.lets_in(machine, Packet(TCP, NEAR, 22)) for machine in machines] == [False] * 3


def test_a_rule_that_names_a_group_follows_its_members(client: Client) -> None:
    front = _create(client, "front")
    back = _create(client, "back", [{"Protocol": "TCP", "Port": "5432", "SecurityGroupId": front, "Action": "ACCEPT"}])
    (database,) = _buy(client, back)
    (web,) = _buy(client, front)
    address = Instance.objects.get(public_id=web).private_ip
    world = _world()
    assert world.lets_in(database, Packet(TCP, address, 5432))
    assert not world.lets_in(database, Packet(TCP, address, 5433))
    other = _create(client, "other")
    client.call("ModifyInstancesAttribute", {"InstanceIds": [web], "SecurityGroups": [other]})
    work()
    assert not world.lets_in(database, Packet(TCP, address, 5432))
    client.call("AssociateSecurityGroups", {"InstanceIds": [web], "SecurityGroupIds": [front]})
    work()
    assert world.lets_in(database, Packet(TCP, address, 5432))
    client.call("TerminateInstances", {"InstanceIds": [web]})
    work()
    client.call("TerminateInstances", {"InstanceIds": [web]})
    work()
    assert not world.lets_in(database, Packet(TCP, address, 5432))


def test_groups_of_a_machine_are_asked_one_after_the_other(client: Client) -> None:
    deny: Rule = {"Protocol": "ALL", "CidrBlock": NEAR, "Action": "DROP"}
    one, other = _create(client, "one", [deny]), _create(client, "other", [SSH])
    (machine,) = _buy(client, one, other)
    world = _world()
    packets = [Packet(TCP, NEAR, 22), Packet(TCP, "198.51.100.10", 22)]
    assert [world.lets_in(machine, packet) for packet in packets] == [False, True]
    client.call("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": [other, one]})
    work()
    assert [world.lets_in(machine, packet) for packet in packets] == [True, True]
    client.call("DisassociateSecurityGroups", {"InstanceIds": [machine], "SecurityGroupIds": [other]})
    work()
    assert (_groups_of(client, machine), world.lets_in(machine, packets[1])) == ([one], False)


def test_rules_are_put_in_replaced_and_taken_out_by_index_or_by_what_they_say(client: Client) -> None:
    group = _create(client, ingress=[SSH, WEB])
    assert _version(client, group) == "0"
    udp: Rule = {"Protocol": "UDP", "Port": "5000-5100", "CidrBlock": "10.1.2.3/8", "Action": "DROP"}
    _policies(client, "CreateSecurityGroupPolicies", group, "0", Ingress=[udp | {"PolicyIndex": 1}])
    ssh, web, new = ("TCP", "22", "198.51.100.0/24"), ("TCP", "80,443", "0.0.0.0/0"), ("UDP", "5000-5100", "10.0.0.0/8")
    assert (_rules(client, group), _version(client, group)) == ([ssh, new, web], "1")
    _policies(client, "CreateSecurityGroupPolicies", group, Ingress=[{**OUT, "Protocol": "ICMP"}])
    assert _rules(client, group) == [("ICMP", "ALL", "0.0.0.0/0"), ssh, new, web]
    _policies(client, "DeleteSecurityGroupPolicies", group, Ingress=[{"PolicyIndex": 0}, udp])
    assert _rules(client, group) == [ssh, web]
    _policies(client, "ReplaceSecurityGroupPolicy", group, Ingress=[udp | {"PolicyIndex": 1}])
    assert _rules(client, group) == [ssh, new]
    original = {"OriginalSecurityGroupPolicySet": {"Ingress": [SSH]}}
    client.call(
        "ReplaceSecurityGroupPolicy",
        {"SecurityGroupId": group, "SecurityGroupPolicySet": {"Ingress": [WEB]}, **original},
    )
    assert (_rules(client, group), _version(client, group)) == ([web, new], "5")
    _policies(client, "ModifySecurityGroupPolicies", group, "5", Egress=[SSH])
    assert (_rules(client, group), _rules(client, group, "Egress")) == ([web, new], [ssh])
    _policies(client, "ModifySecurityGroupPolicies", group, Ingress=[WEB], Egress=[])
    assert (_rules(client, group), _rules(client, group, "Egress")) == ([web], [ssh])
    _policies(client, "ModifySecurityGroupPolicies", group, "0")
    assert (_rules(client, group), _rules(client, group, "Egress"), _version(client, group)) == ([], [], "8")


def test_several_rules_are_replaced_at_once_by_index_or_in_the_place_of_others(client: Client) -> None:
    group, act = _create(client, ingress=[SSH, WEB, OUT]), "ReplaceSecurityGroupPolicies"
    dns, ping = {**SSH, "Protocol": "UDP", "Port": "53"}, {**OUT, "Protocol": "ICMP"}
    anybody, web = ("ALL", "ALL", "0.0.0.0/0"), ("TCP", "80,443", "0.0.0.0/0")
    _policies(client, act, group, "0", Ingress=[dns | {"PolicyIndex": 2}, ping | {"PolicyIndex": 0}])
    now = [("ICMP", "ALL", "0.0.0.0/0"), web, ("UDP", "53", "198.51.100.0/24")]
    assert (_rules(client, group), _version(client, group)) == (now, "1")
    rules = {"SecurityGroupPolicySet": {"Ingress": [OUT, SSH]}, "UpdateType": "Policy"}
    before = {"OriginalSecurityGroupPolicySet": {"Ingress": [dns, WEB]}}
    assert "Error" not in client.call(act, {"SecurityGroupId": group, **rules, **before}).response
    assert _rules(client, group) == [now[0], ("TCP", "22", "198.51.100.0/24"), anybody]
    twice = {"Ingress": [dns | {"PolicyIndex": 1}, ping | {"PolicyIndex": 1}]}
    stale = {"Version": "1", "Ingress": [SSH, OUT]}
    for wrong, code, member in (
        ({"SecurityGroupPolicySet": {"Ingress": [OUT]}}, "MissingParameter", "Ingress.0.PolicyIndex"),
        (
            {"SecurityGroupPolicySet": {"Ingress": [OUT | {"PolicyIndex": 3}]}},
            "ResourceNotFound",
            "Ingress.0.PolicyIndex",
        ),
        ({"SecurityGroupPolicySet": {}}, "MissingParameter", "SecurityGroupPolicySet"),
        ({"SecurityGroupPolicySet": twice}, "InvalidParameter", "SecurityGroupPolicySet.Ingress"),
        ({**rules, "OriginalSecurityGroupPolicySet": {"Ingress": [SSH]}}, "InvalidParameter", "SecurityGroupPolicySet"),
        ({**rules, "OriginalSecurityGroupPolicySet": {"Egress": [SSH, OUT]}}, "InvalidParameter", "PolicySet"),
        ({**rules, **before}, "ResourceNotFound", "OriginalSecurityGroupPolicySet.Ingress.0"),
        (
            {**rules, "OriginalSecurityGroupPolicySet": {"Ingress": [WEB, SSH | {"CidrBlock": "::/0"}]}},
            "InvalidParameterValue.Malformed",
            "OriginalSecurityGroupPolicySet.Ingress.1.CidrBlock",
        ),
        ({**rules, "OriginalSecurityGroupPolicySet": stale}, "UnsupportedOperation.VersionMismatch", "Original"),
        ({**rules, "UpdateType": "Priority"}, "UnsupportedOperation", "UpdateType"),
    ):
        with nothing_written():
            given, sentence = client.call(act, {"SecurityGroupId": group, **wrong}).error
        assert (given, member in sentence) == (code, True), sentence
    assert _version(client, group) == "2"


BAD: list[tuple[Rule, str, str]] = [
    ({"Action": "ALLOW"}, "InvalidParameterValue.Malformed", "Action"),
    ({"Action": ""}, "InvalidParameterValue.Malformed", "Action"),
    ({"Protocol": "GRE"}, "InvalidParameterValue.Malformed", "Protocol"),
    ({"Port": "0"}, "InvalidParameterValue.Malformed", "Port"),
    ({"Port": "65536"}, "InvalidParameterValue.Malformed", "Port"),
    ({"Port": "90-80"}, "InvalidParameterValue.Malformed", "Port"),
    ({"Port": "80,,81"}, "InvalidParameterValue.Malformed", "Port"),
    ({"Port": "٨٠"}, "InvalidParameterValue.Malformed", "Port"),
    ({"Port": ",".join(str(port) for port in range(1, 22))},
     "InvalidParameterValue.Malformed", "Port"),
    ({"Protocol": "ICMP"}, "InvalidParameterValue.Malformed", "Port"),
    ({"CidrBlock": "10.0.0.0/33"}, "InvalidParameterValue.Malformed", "CidrBlock"),
    ({"CidrBlock": "::/0"}, "InvalidParameterValue.Malformed", "CidrBlock"),
    ({"CidrBlock": ""}, "InvalidParameterValue.Malformed", "CidrBlock"),
    ({"SecurityGroupId": "sg-unknown0"}, "InvalidParameterValue.Malformed", "CidrBlock"),
    ({"SecurityGroupId": "sg-unknown0", "CidrBlock": ""}, "ResourceNotFound", "SecurityGroupId"),
    ({"PolicyDescription": "x" * 101}, "InvalidParameterValue.Malformed", "PolicyDescription"),
    ({"PolicyDescription": "a\nb"}, "InvalidParameterValue.Malformed", "PolicyDescription"),
    ({"Ipv6CidrBlock": "::/0"}, "InvalidParameterValue.Malformed", "Ipv6CidrBlock"),
    ({"CidrBlock": "", "Ipv6CidrBlock": "10.0.0.0/8"}, "InvalidParameterValue.Malformed", "Ipv6CidrBlock"),
    ({"CidrBlock": "2001:db8::/32"}, "InvalidParameterValue.Malformed", "CidrBlock"),
    ({"CidrBlock": "", "Ipv6CidrBlock": "2001:db8::/129"}, "InvalidParameterValue.Malformed", "Ipv6CidrBlock"),
    ({"Protocol": "ICMPv6", "Port": "ALL"}, "InvalidParameterValue.Malformed", "Protocol"),
    ({"PolicyIndex": 9}, "ResourceNotFound", "PolicyIndex"),
    ({"PolicyIndex": -1}, "InvalidParameterValue.Range", "PolicyIndex"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "member"), BAD)
def test_a_rule_that_is_none_is_refused_by_its_member(client: Client, wrong: Rule, code: str, member: str) -> None:
    group = _create(client)
    with nothing_written():
        found = _policies(client, "CreateSecurityGroupPolicies", group, Ingress=[SSH | wrong])
    assert found[0] == code
    assert f"SecurityGroupPolicySet.Ingress.0.{member}" in found[1]


def test_rules_that_cannot_be_asked_for_together_are_refused(client: Client) -> None:
    group = _create(client, ingress=[SSH])
    many = [SSH | {"Port": str(port)} for port in range(1, 102)]
    apart = [SSH | {"PolicyIndex": 0}, WEB | {"PolicyIndex": 1}]
    ways: list[tuple[str, str, dict[str, list[Rule]], str]] = [
        ("CreateSecurityGroupPolicies", "", {}, "MissingParameter"),
        ("CreateSecurityGroupPolicies", "", {"Ingress": [SSH], "Egress": [SSH]}, "InvalidParameter"),
        ("CreateSecurityGroupPolicies", "", {"Ingress": apart}, "InvalidParameter"),
        ("CreateSecurityGroupPolicies", "", {"Ingress": many}, "LimitExceeded.SecurityGroupPolicySet"),
        ("CreateSecurityGroupPolicies", "", {"Ingress": many[:100]}, "LimitExceeded.SecurityGroupPolicySet"),
        ("CreateSecurityGroupPolicies", "7", {"Ingress": [WEB]}, "UnsupportedOperation.VersionMismatch"),
        ("ModifySecurityGroupPolicies", "", {"Egress": many}, "LimitExceeded.SecurityGroupPolicySet"),
        ("DeleteSecurityGroupPolicies", "", {"Ingress": [WEB]}, "ResourceNotFound"),
        ("DeleteSecurityGroupPolicies", "", {"Egress": [{"PolicyIndex": 1}]}, "ResourceNotFound"),
        ("ReplaceSecurityGroupPolicy", "", {"Ingress": [WEB]}, "MissingParameter"),
        ("ReplaceSecurityGroupPolicy", "", {"Ingress": [WEB, SSH]}, "InvalidParameter"),
    ]
    with nothing_written():
        assert [_policies(client, act, group, version, **rules)[0] for act, version, rules, _ in ways] == [
            code for *_, code in ways
        ]


def test_a_group_in_use_stays_and_says_by_what(client: Client) -> None:
    group = _create(client)
    (machine,) = _buy(client, group)
    asked = {"SecurityGroupId": group}
    with nothing_written():
        refused = client.call("DeleteSecurityGroup", asked).error
    assert (refused[0], machine in refused[1]) == ("ResourceInUse", True)
    default = client.call("DescribeSecurityGroups").response["SecurityGroupSet"][-1]["SecurityGroupId"]
    client.call("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": [default]})
    other = _create(client, "other", [{"SecurityGroupId": group, "Action": "ACCEPT"}])
    told = client.call("DescribeSecurityGroupAssociationStatistics", {"SecurityGroupIds": [group, other, default]})
    assert [
        (found["CVM"], found["SG"], found["TotalCount"])
        for found in told.response["SecurityGroupAssociationStatisticsSet"]
    ] == [(0, 1, 0), (0, 0, 0), (1, 0, 1)]
    assert other in client.call("DeleteSecurityGroup", asked).error[1]
    assert "Error" not in client.call("DeleteSecurityGroup", {"SecurityGroupId": other}).response
    assert "Error" not in client.call("DeleteSecurityGroup", asked).response
    assert client.call("DeleteSecurityGroup", asked).error[0] == "ResourceNotFound"


def test_machines_are_in_one_to_five_groups_of_their_region(client: Client) -> None:
    groups = [_create(client, f"n{number}") for number in range(6)]
    far = _create(client, region="ap-shanghai")
    (machine,) = _buy(client, *groups[:4])
    foreign = _create(open_customer("stranger")[0])
    gone, many = "InvalidSecurityGroupId.NotFound", "LimitExceeded.AssociateUSGLimitExceeded"
    with nothing_written():
        for wanted, code in [
            (groups, many), ([far], gone), ([foreign], gone), (["sg-\0"], "InvalidParameterValue"),
            ([groups[0]] * 2, "InvalidParameter"),
        ]:  # fmt: skip
            for action, asked in [
                ("RunInstances", {**HOURLY, "SecurityGroupIds": wanted}),
                ("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": wanted}),
            ]:
                assert client.call(action, asked).error[0] == code, (action, wanted)
        for action, wanted, code in [
            ("AssociateSecurityGroups", groups[4:], many),
            ("AssociateSecurityGroups", [], "MissingParameter"),
            ("DisassociateSecurityGroups", groups[:4], "InvalidParameter"),
            ("DisassociateSecurityGroups", groups[4:5], gone),
        ]:
            asked = {"InstanceIds": [machine], "SecurityGroupIds": wanted}
            assert client.call(action, asked).error[0] == code, (action, wanted)
        empty = {"InstanceIds": [machine], "SecurityGroups": []}
        assert client.call("ModifyInstancesAttribute", empty).error[0] == "MissingParameter.AtLeastOne"
    assert _groups_of(client, machine) == groups[:4]


def test_a_zone_that_enforces_no_groups_takes_none_but_the_default_one(client: Client) -> None:
    group = _create(client)
    (machine,) = _buy(client)
    (default,) = _groups_of(client, machine)
    Zone.objects.filter(code=ZONE).update(capabilities={"security_groups": False})
    with nothing_written():
        for action, asked in [
            ("RunInstances", {**HOURLY, "SecurityGroupIds": [group]}),
            ("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": [group]}),
            ("AssociateSecurityGroups", {"InstanceIds": [machine], "SecurityGroupIds": [group]}),
        ]:
            code, sentence = client.call(action, asked).error
            assert (code, ZONE in sentence) == ("UnsupportedOperation", True), action
    client.call("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": [default]})
    assert Instance.objects.get(public_id=machine).security_groups == [default]


def test_a_machine_that_was_never_delivered_is_put_into_no_group(client: Client) -> None:
    group = _create(client)
    _world().fail("ensure_present", times=1, transient=False, sentence="The host refused.")
    (machine,) = _buy(client)
    assert Instance.objects.get().state == "LAUNCH_FAILED"
    with nothing_written():
        for action, asked in [
            ("ModifyInstancesAttribute", {"InstanceIds": [machine], "SecurityGroups": [group]}),
            ("AssociateSecurityGroups", {"InstanceIds": [machine], "SecurityGroupIds": [group]}),
        ]:
            code, sentence = client.call(action, asked).error
            assert code == "UnsupportedOperation.InstanceStateLaunchFailed"
            assert f"The instance {machine} was never delivered." in sentence
    assert Instance.objects.get().security_groups == []


def test_groups_are_named_listed_and_at_most_fifty_a_region(client: Client) -> None:
    first = _create(client, "a")
    for name, code in [("", "InvalidParameterValue.TooLong"), ("x" * 61, "InvalidParameterValue.TooLong")]:
        asked = {"GroupName": name, "GroupDescription": ""}
        assert client.call("CreateSecurityGroup", asked).error[0] == code
        assert (
            client.call("ModifySecurityGroupAttribute", {"SecurityGroupId": first, "GroupName": name}).error[0] == code
        )
    long = {"GroupName": "a", "GroupDescription": "x" * 101}
    assert client.call("CreateSecurityGroup", long).error[0] == "InvalidParameterValue.TooLong"
    assert client.call("CreateSecurityGroup", long, region="").error[0] == "MissingParameter"
    assert client.call("ModifySecurityGroupAttribute", {"SecurityGroupId": first}).error[0] == "MissingParameter"
    client.call("ModifySecurityGroupAttribute", {"SecurityGroupId": first, "GroupName": "renamed"})
    by_name = {"Filters": [{"Name": "security-group-name", "Values": ["renamed"]}]}
    (found,) = client.call("DescribeSecurityGroups", by_name).response["SecurityGroupSet"]
    assert (found["SecurityGroupId"], found["SecurityGroupDesc"]) == (first, "of tests")
    assert client.call("DescribeSecurityGroups", region="ap-shanghai").response["TotalCount"] == 1
    for number in range(49):
        _create(client, str(number))
    full = {"GroupName": "a", "GroupDescription": ""}
    with nothing_written():
        assert client.call("CreateSecurityGroup", full).error[0] == "LimitExceeded"
    page = client.call("DescribeSecurityGroups", {"Offset": "50", "Limit": "2", "OrderDirection": "DESC"}).response
    assert (page["TotalCount"], [group["IsDefault"] for group in page["SecurityGroupSet"]]) == (51, [True])
    _create(client, region="ap-shanghai")
