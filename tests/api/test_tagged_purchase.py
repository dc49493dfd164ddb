"""Given a purchase with tags, then machines and disks have them from its commit on, and are found by them."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.api.test_tags import done, named, tags_of
from tests.orders.test_purchase import _room_for
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import work
from tests.support.statements import statements
from tests.tags.tagging import rows
from vmart.instances.models import Instance
from vmart.orders.errors import TokenReused
from vmart.orders.release import _tagged
from vmart.storage.models import Disk
from vmart.tags.models import Tag as Row
from vmart.tags.things import INSTANCE, Thing

pytestmark = pytest.mark.usefixtures("shop")
TEAM = [{"Key": "team", "Value": "a"}]
OF_BOTH = [{"ResourceType": "instance", "Tags": [*TEAM, {"Key": "env", "Value": "测试"}]},
           {"ResourceType": "volume", "Tags": TEAM}]  # fmt: skip
DISKS = [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]


@pytest.mark.parametrize("asked", [HOURLY, MONTHLY])
def test_machines_and_all_of_their_disks_have_the_tags(delivering: None, asked: dict[str, Any]) -> None:
    client, _ = open_customer()
    bought = {**asked, "InstanceCount": 2, "DataDisks": DISKS, "TagSpecification": OF_BOTH}
    ids = client.call("RunInstances", bought).response["InstanceIdSet"]
    assert [tags_of(client, public_id) for public_id in ids] == [{"env": "测试", "team": "a"}] * 2
    work()
    machines = client.call("DescribeInstances", {"InstanceIds": ids}).response["InstanceSet"]
    assert [machine["Tags"] for machine in machines] == [[{"Key": "env", "Value": "测试"}, *TEAM]] * 2
    disks = client.call("DescribeDisks").response["DiskSet"]
    assert [disk["Tags"] for disk in disks] == [TEAM] * 4
    assert rows(Thing(INSTANCE, ids[0])) == [("env", "测试", START, None), ("team", "a", START, None)]


def test_without_tags_a_purchase_writes_none() -> None:
    client, _ = open_customer()
    assert "Error" not in client.call("RunInstances", {**HOURLY, "TagSpecification": []}).response
    assert Row.objects.count() == 0


@pytest.mark.parametrize("specification", [[], OF_BOTH])
def test_a_purchase_is_one_statement_with_tags_as_without(specification: list[Any]) -> None:
    client, _ = open_customer()
    client.call("RunInstances", HOURLY)
    with statements() as made:
        client.call("RunInstances", {**HOURLY, "TagSpecification": specification})
    assert len(made) <= 2, made


def test_a_purchase_that_is_granted_in_part_tags_what_is_bought() -> None:
    client, _ = open_customer()
    asked = {
        **HOURLY, "InstanceCount": 2, "MinCount": 1, "DataDisks": DISKS, "TagSpecification": OF_BOTH,
    }  # fmt: skip
    _room_for(1)
    (machine,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    disks = Disk.objects.filter(instance_id=Instance.objects.get().pk).values_list("public_id", flat=True)
    assert set(Row.objects.values_list("resource_id", flat=True)) == {machine, *disks}
    assert len(disks) == 2


@pytest.mark.parametrize(
    ("specification", "code", "member"),
    [
        ([{"ResourceType": "host", "Tags": TEAM}], "InvalidParameterValue", "TagSpecification.0.ResourceType"),
        ([OF_BOTH[1], OF_BOTH[1]], "InvalidParameterValue", "TagSpecification.1.ResourceType"),
        ([{"ResourceType": "volume", "Tags": [{"Key": "", "Value": "v"}]}], "FailedOperation.IllegalTagKey",
         "TagSpecification.0.Tags.0.Key"),
        ([{"ResourceType": "volume", "Tags": [{"Key": "k", "Value": "<"}]}], "FailedOperation.IllegalTagValue",
         "TagSpecification.0.Tags.0.Value"),
        ([{"ResourceType": "volume", "Tags": TEAM * 2}], "InvalidParameterValue.DuplicateTags",
         "TagSpecification.0.Tags.1.Key"),
        ([{"ResourceType": "volume", "Tags": [{"Key": "project", "Value": "v"}]}], "FailedOperation.TagKeyReserved",
         "TagSpecification.0.Tags.0.Key"),
        ([{"ResourceType": "volume", "Tags": [{"Key": f"k{n}", "Value": "v"} for n in range(51)]}],
         "LimitExceeded.TagResourceQuota", "TagSpecification.0.Tags"),
    ],
)  # fmt: skip
def test_what_is_refused(specification: list[Any], code: str, member: str) -> None:
    client, _ = open_customer()
    for dry in (False, True):
        with nothing_written():
            asked = {**HOURLY, "TagSpecification": specification, "DryRun": dry}
            given, sentence = client.call("RunInstances", asked).error
        assert (given, sentence.partition(": ")[0]) == (code, member)


def test_a_repeat_with_other_tags_is_another_request() -> None:
    client, _ = open_customer()
    asked = {**HOURLY, "ClientToken": "t", "TagSpecification": OF_BOTH}
    first = client.call("RunInstances", asked).response["InstanceIdSet"]
    assert client.call("RunInstances", asked).response["InstanceIdSet"] == first
    with nothing_written():
        code, _ = client.call("RunInstances", {**asked, "TagSpecification": []}).error
    assert code == TokenReused.code


def test_a_launch_template_keeps_tags(delivering: None) -> None:
    client, _ = open_customer()
    kept = {**HOURLY, "TagSpecification": OF_BOTH, "LaunchTemplateName": "nn"}
    template = client.call("CreateLaunchTemplate", kept).response["LaunchTemplateId"]
    (version,) = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template}).response[
        "LaunchTemplateVersionSet"
    ]
    assert version["LaunchTemplateVersionData"]["TagSpecification"] == OF_BOTH
    asked = {"LaunchTemplate": {"LaunchTemplateId": template}}
    (machine,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    assert tags_of(client, machine) == {"env": "测试", "team": "a"}


def test_tags_end_with_the_machine(delivering: None, test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    (machine,) = client.call("RunInstances", {**HOURLY, "TagSpecification": OF_BOTH}).response["InstanceIdSet"]
    work()
    things = _tagged(Instance.objects.get(public_id=machine))
    ended = test_clock.advance(minutes=30)
    for _ in range(2):
        assert "Error" not in client.call("TerminateInstances", {"InstanceIds": [machine]}).response
        work()
    assert [rows(thing) for thing in things] == [
        [("env", "测试", START, ended), ("team", "a", START, ended)], [("team", "a", START, ended)],
    ]  # fmt: skip
    assert done(client, "DescribeTagKeys")["Tags"] == []


def _filter(client: Client, action: str, **filters: list[str]) -> list[str]:
    """Ids of what these filters find; ``tag_team`` is ``tag:team``."""
    names = {"tag_key": "tag-key", "tag_value": "tag-value"}
    told = [{"Name": names.get(name, name.replace("_", ":", 1)), "Values": values} for name, values in filters.items()]
    answer = client.call(action, {"Filters": told}).response
    (found,) = (value for name, value in answer.items() if name.endswith("Set"))
    assert answer["TotalCount"] == len(found)
    return [next(each[name] for name in _IDS if name in each) for each in found]


_IDS = ("InstanceId", "KeyId", "SubnetId", "VpcId", "SecurityGroupId", "DisasterRecoverGroupId")


@pytest.mark.parametrize(
    ("action", "kind", "service"),
    [("DescribeInstances", "instance", "cvm"), ("DescribeKeyPairs", "keypair", "cvm"), ("DescribeVpcs", "vpc", "vpc"),
     ("DescribeSubnets", "subnet", "vpc"), ("DescribeSecurityGroups", "sg", "cvm"),
     ("DescribeDisasterRecoverGroups", "ps", "cvm")],
)  # fmt: skip
def test_things_are_found_by_their_tags(delivering: None, action: str, kind: str, service: str) -> None:
    client, _ = open_customer()
    client.call("RunInstances", {**HOURLY, "InstanceCount": 2})
    for name in ("a", "b"):
        client.call("CreateKeyPair", {"KeyName": name, "ProjectId": 0})
        client.call("CreateDisasterRecoverGroup", {"Name": name, "Type": "HOST"})
    work()
    first = _filter(client, action)[0]
    tags = [{"TagKey": "team", "TagValue": "a"}, {"TagKey": "env", "TagValue": "b"}]
    done(client, "ModifyResourceTags", Resource=named(kind, first, service=service), ReplaceTags=tags)
    for filters, finds in [
        ({"tag_team": ["a"]}, True), ({"tag_team": ["x", "a"]}, True), ({"tag_team": ["b"]}, False),
        ({"tag_Team": ["a"]}, False), ({"tag_none": ["a"]}, False),
        ({"tag_key": ["team", "x"]}, True), ({"tag_key": ["x"]}, False), ({"tag_value": ["b"]}, True),
        ({"tag_value": ["c"]}, False), ({"tag_team": ["a"], "tag_env": ["b"]}, True),
        ({"tag_team": ["a"], "tag_env": ["a"]}, False), ({"tag_key": ["team"], "tag_value": ["b"]}, True),
    ]:  # fmt: skip
        assert (filters, _filter(client, action, **filters)) == (filters, [first] if finds else [])


def test_disks_are_found_by_their_tags(delivering: None) -> None:
    client, _ = open_customer()
    client.call("RunInstances", {**HOURLY, "TagSpecification": OF_BOTH[1:]})
    client.call("RunInstances", HOURLY)
    work()
    for name, values, count in [("tag:team", ["a"], 1), ("tag-key", ["team"], 1), ("tag:team", ["b"], 0)]:
        asked = {"Filters": [{"Name": name, "Values": values}]}
        assert client.call("DescribeDisks", asked).response["TotalCount"] == count


def test_another_customers_tags_find_nothing() -> None:
    client, _ = open_customer()
    done(client, "ModifyResourceTags", Resource=named("sg", _filter(client, "DescribeSecurityGroups")[0]),
         ReplaceTags=[{"TagKey": "team", "TagValue": "a"}])  # fmt: skip
    stranger, _ = open_customer("stranger")
    assert _filter(stranger, "DescribeSecurityGroups", tag_team=["a"]) == []
