"""Given a program that asks for placement groups, then it is told what the published API tells."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support import quotas
from tests.support.shopper import work
from vmart.placement.models import Host

pytestmark = pytest.mark.usefixtures("delivering")
CREATE, DESCRIBE, MODIFY = (
    "CreateDisasterRecoverGroup", "DescribeDisasterRecoverGroups", "ModifyDisasterRecoverGroupAttribute",
)  # fmt: skip
JOIN, LEAVE, DELETE = (
    "ModifyInstancesDisasterRecoverGroup", "DeleteInstancesDisasterRecoverGroups", "DeleteDisasterRecoverGroups",
)  # fmt: skip


def _created(client: Client, **more: Any) -> str:
    made = client.call(CREATE, {"Name": "apart", "Type": "HOST", **more}).response
    return str(made["DisasterRecoverGroupId"])


def _told(client: Client, **asked: Any) -> list[dict[str, Any]]:
    answer = client.call(DESCRIBE, asked).response
    assert answer["TotalCount"] == len(answer["DisasterRecoverGroupSet"])
    return list(answer["DisasterRecoverGroupSet"])


def test_a_group_from_its_creation_to_its_end() -> None:
    client, account = open_customer(credit_minor=1_000_000)
    quotas.one(account, placement_groups=5, machines_per_group=7)
    made = client.call(CREATE, {"Name": "databases", "Type": "HOST", "Affinity": 2, "Strategy": "SPREAD"}).response
    group = made["DisasterRecoverGroupId"]
    alike = {"Name": "databases", "Type": "HOST", "CvmQuotaTotal": 7, "Strategy": "SPREAD", "PartitionCount": 0}
    assert {name: made[name] for name in alike} == alike
    assert made["CurrentNum"] == 0
    bought = client.call("RunInstances", {**HOURLY, "InstanceCount": 2, "DisasterRecoverGroupIds": [group]}).response[
        "InstanceIdSet"
    ]
    work()
    assert _told(client) == [
        {
            **alike, "DisasterRecoverGroupId": group, "CreateTime": made["CreateTime"], "CurrentNum": 2,
            "InstanceIds": bought, "Affinity": 2, "Tags": [],
        }
    ]  # fmt: skip
    machines = client.call("DescribeInstances", {"InstanceIds": bought}).response["InstanceSet"]
    assert [(each["DisasterRecoverGroupId"], each["DisasterRecoverGroupIds"]) for each in machines] == [
        (group, [group])
    ] * 2
    assert client.call(DELETE, {"DisasterRecoverGroupIds": [group]}).error[0] == "ResourceInUse"
    client.call(LEAVE, {"InstanceIds": bought, "DisasterRecoverGroupIds": [group]})
    (machine,) = client.call("DescribeInstances", {"InstanceIds": bought[:1]}).response["InstanceSet"]
    assert (machine["DisasterRecoverGroupId"], machine["DisasterRecoverGroupIds"]) == ("", [])
    client.call(MODIFY, {"DisasterRecoverGroupId": group, "Name": "web", "Affinity": 3})
    (told,) = _told(client)
    assert (told["Name"], told["Affinity"], told["CurrentNum"]) == ("web", 3, 0)
    assert set(client.call(DELETE, {"DisasterRecoverGroupIds": [group]}).response) == {"RequestId"}
    assert _told(client) == []


def test_they_are_found_by_id_and_by_a_part_of_the_name() -> None:
    client, _ = open_customer()
    web, databases = _created(client, Name="Web servers"), _created(client, Name="databases", Type="RACK")
    assert [one["DisasterRecoverGroupId"] for one in _told(client)] == [databases, web]
    assert [one["Type"] for one in _told(client, DisasterRecoverGroupIds=[databases])] == ["RACK"]
    assert [one["DisasterRecoverGroupId"] for one in _told(client, Name="web")] == [web]
    assert _told(client, Name="%") == _told(client, DisasterRecoverGroupIds=["ps-00000000"]) == []
    assert _told(client, Filters=[{"Name": "tag-key", "Values": ["a"]}]) == []
    for part, found in (({"Offset": 1}, "Web servers"), ({"Limit": 1}, "databases")):
        page = client.call(DESCRIBE, part).response
        assert (page["TotalCount"], [one["Name"] for one in page["DisasterRecoverGroupSet"]]) == (2, [found])


def test_the_quota_is_told_and_kept() -> None:
    client, account = open_customer()
    quotas.one(account, placement_groups=1, machines_per_group=9)
    _created(client)
    told = client.call("DescribeDisasterRecoverGroupQuota", {}).response
    assert {name: value for name, value in told.items() if name != "RequestId"} == {
        "GroupQuota": 1, "CurrentNum": 1, "CvmInHostGroupQuota": 9, "CvmInRackGroupQuota": 9, "CvmInSwGroupQuota": 0,
        "CvmInSwitchGroupQuota": 0,
    }  # fmt: skip
    with nothing_written():
        error = client.call(CREATE, {"Name": "second", "Type": "HOST"}).error
    assert error[0] == "LimitExceeded.DisasterRecoverGroup"


def test_no_room_apart_is_said_before_money_moves() -> None:
    client, _ = open_customer(credit_minor=1_000_000)
    Host.objects.filter(zone_id=HOURLY["Placement"]["Zone"]).exclude(name="gz4-a").update(enabled=False)
    group = _created(client)
    asked = {**HOURLY, "DisasterRecoverGroupIds": [group]}
    (first,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    (second,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    work()
    with nothing_written():
        code, sentence = client.call("RunInstances", asked).error
    assert (code, group in sentence) == ("ResourceInsufficient.DisasterRecoverGroupCvmQuota", True)
    for asked in (
        {"InstanceIds": [second], "DisasterRecoverGroupId": group, "Force": True},
        {"InstanceIds": [second], "DisasterRecoverGroupIds": [group]},
    ):
        with nothing_written():
            code, sentence = client.call(JOIN, asked).error
        assert (code, second in sentence) == ("ResourceInsufficient.DisasterRecoverGroupCvmQuota", True)
    client.call(LEAVE, {"InstanceIds": [first], "DisasterRecoverGroupIds": [group]})
    assert set(client.call(JOIN, {"InstanceIds": [second], "DisasterRecoverGroupIds": [group]}).response) == {
        "RequestId"
    }


def test_a_launch_template_keeps_the_group() -> None:
    client, _ = open_customer(credit_minor=1_000_000)
    group = _created(client)
    kept = {**HOURLY, "DisasterRecoverGroupIds": [group], "LaunchTemplateName": "apart"}
    template = client.call("CreateLaunchTemplate", kept).response["LaunchTemplateId"]
    (version,) = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template}).response[
        "LaunchTemplateVersionSet"
    ]
    assert version["LaunchTemplateVersionData"]["DisasterRecoverGroupIds"] == [group]
    bought = client.call("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": template}}).response["InstanceIdSet"]
    assert [one["InstanceIds"] for one in _told(client)] == [bought]


MALFORMED = "InvalidParameterValue.DisasterRecoverGroupIdMalformed"
WRONG: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "no kind": (CREATE, {"Name": "n"}, "MissingParameter", "Type"),
    "a kind that is none": (CREATE, {"Name": "n", "Type": "ROOM"}, "InvalidParameterValue", "Type"),
    "by switch": (CREATE, {"Name": "n", "Type": "SW"}, "UnsupportedOperation", "HOST and RACK"),
    "no name": (CREATE, {"Name": "", "Type": "HOST"}, "InvalidParameterValue", "1 to 60"),
    "a long name": (CREATE, {"Name": "n" * 61, "Type": "HOST"}, "InvalidParameterValue", "1 to 60"),
    "affinity 0": (CREATE, {"Name": "n", "Type": "HOST", "Affinity": 0}, "InvalidParameterValue", "1 to 10"),
    "affinity 11": (CREATE, {"Name": "n", "Type": "HOST", "Affinity": 11}, "InvalidParameterValue", "1 to 10"),
    "partitions": (CREATE, {"Name": "n", "Type": "HOST", "Strategy": "PARTITION"}, "UnsupportedOperation", "Strategy"),
    "no id": (MODIFY, {"DisasterRecoverGroupId": "x", "Name": "n"}, MALFORMED, "ps-"),
    "unknown": (
        MODIFY, {"DisasterRecoverGroupId": "ps-00000000", "Name": "n"}, "FailedOperation.DisasterRecoverGroupNotFound",
        "ps-00000000",
    ),
    "none named": (DELETE, {"DisasterRecoverGroupIds": []}, "MissingParameter", "DisasterRecoverGroupIds"),
    "more than ten": (
        DELETE, {"DisasterRecoverGroupIds": ["ps-00000000"] * 11}, "InvalidParameterValue.LimitExceeded", "10",
    ),
    "two groups": (
        JOIN, {"InstanceIds": ["ins-00000000"], "DisasterRecoverGroupId": "ps-00000000",
               "DisasterRecoverGroupIds": ["ps-00000001"]},
        "MissingParameter", "One placement group must be named",
    ),
    "no group": (JOIN, {"InstanceIds": ["ins-00000000"]}, "MissingParameter", "One placement group must be named"),
    "bought into two": (
        "RunInstances", {**HOURLY, "DisasterRecoverGroupIds": ["ps-00000000", "ps-00000001"]},
        "InvalidParameterValue.LimitExceeded", "DisasterRecoverGroupIds",
    ),
    "bought into none": (
        "RunInstances", {**HOURLY, "DisasterRecoverGroupIds": ["x"]}, MALFORMED, "ps-",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_is_named_and_changes_nothing(name: str) -> None:
    action, asked, code, said = WRONG[name]
    client, _ = open_customer(credit_minor=1_000_000)
    with nothing_written():
        answered, sentence = client.call(action, asked).error
    assert (answered, said in sentence) == (code, True), sentence


def test_who_is_told_what_in_chinese() -> None:
    client, _ = open_customer()
    asked = {"DisasterRecoverGroupId": "ps-00000000", "Name": "n"}
    _, sentence = client.call(MODIFY, asked, language="zh-CN").error
    assert sentence == "DisasterRecoverGroupId: 置放群组 ps-00000000 不存在。"
