"""Given the API of cbs, when snapshots are made by policies, then as Terraform's provider and the SDK need it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_every_action import HOURLY, OWN_DISK
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from tests.support.written import nothing_written

pytestmark = pytest.mark.usefixtures("shop", "delivering")

AT_THREE = {"Policy": [{"Hour": [3, 15], "DayOfWeek": [0, 3]}]}
NOT_FOUND = "InvalidAutoSnapshotPolicyId.NotFound"


@pytest.fixture
def client() -> Client:
    return open_customer("owner")[0]


def _policy(client: Client, **more: Any) -> str:
    return str(client.call("CreateAutoSnapshotPolicy", {**AT_THREE, **more}).response["AutoSnapshotPolicyId"])


def _told(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found = client.call("DescribeAutoSnapshotPolicies", asked).response
    assert found["TotalCount"] == len(found["AutoSnapshotPolicySet"])
    return list(found["AutoSnapshotPolicySet"])


def _code(client: Client, action: str, asked: dict[str, Any]) -> str:
    with nothing_written():
        return str(client.call(action, asked).response["Error"]["Code"])


def _disk(client: Client) -> str:
    """A disk at a running machine."""
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    (disk,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [disk]})
    work()
    return str(disk)


def test_what_a_provider_does_from_the_first_to_the_last_call(client: Client, test_clock: BusinessClock) -> None:
    """The clock stands at 10:00 of Tuesday, 10 March 2026, in the shop's zone."""
    disk = _disk(client)
    made = client.call("CreateAutoSnapshotPolicy", {**AT_THREE, "AutoSnapshotPolicyName": "twice"}).response
    policy = made["AutoSnapshotPolicyId"]
    assert made["NextTriggerTime"] == "2026-03-11 03:00:00"
    bound = {"AutoSnapshotPolicyId": policy, "DiskIds": [disk]}
    assert "Error" not in client.call("BindAutoSnapshotPolicy", bound).response
    (there,) = _told(client, AutoSnapshotPolicyIds=[policy])
    assert there == {
        "AutoSnapshotPolicyId": policy, "AutoSnapshotPolicyName": "twice", "AutoSnapshotPolicyState": "NORMAL",
        "IsActivated": True, "IsPermanent": False, "RetentionDays": 7, "RetentionMonths": 0, "RetentionAmount": 0,
        "AdvancedRetentionPolicy": None, "Policy": [{"Hour": [3, 15], "DayOfWeek": [0, 3]}],
        "NextTriggerTime": "2026-03-11 03:00:00", "CreateTime": "2026-03-10 10:00:00", "DiskIdSet": [disk],
        "InstanceIdSet": [], "IsCopyToRemote": 0, "CopyToAccountUin": None, "CopyFromAccountUin": None, "Tags": [],
    }  # fmt: skip
    of_disk = client.call("DescribeDiskAssociatedAutoSnapshotPolicy", {"DiskId": disk}).response
    assert (of_disk["TotalCount"], of_disk["AutoSnapshotPolicySet"]) == (1, [{**there, "DiskIdSet": []}])
    asked = {"DiskIds": [disk], "ReturnBindAutoSnapshotPolicy": True}
    assert client.call("DescribeDisks", asked).response["DiskSet"][0]["AutoSnapshotPolicyIds"] == [policy]
    assert client.call("DescribeDisks", {"DiskIds": [disk]}).response["DiskSet"][0]["AutoSnapshotPolicyIds"] is None
    changed = {"AutoSnapshotPolicyId": policy, "RetentionDays": 2, "Policy": [{"Hour": [11], "DayOfWeek": [2]}]}
    assert "Error" not in client.call("ModifyAutoSnapshotPolicyAttribute", changed).response
    test_clock.set(dt.datetime(2026, 3, 10, 11, tzinfo=ZoneInfo("Asia/Shanghai")))
    work()
    (snapshot,) = client.call("DescribeSnapshots", {}).response["SnapshotSet"]
    assert (
        snapshot["DiskId"], snapshot["SnapshotName"], snapshot["SnapshotState"], snapshot["AutoSnapshotPolicyId"],
        snapshot["IsPermanent"], snapshot["DeadlineTime"],
    ) == (disk, "twice", "NORMAL", policy, False, "2026-03-12 11:00:00")  # fmt: skip
    assert _told(client)[0]["NextTriggerTime"] == "2026-03-17 11:00:00"
    assert "Error" not in client.call("UnbindAutoSnapshotPolicy", bound).response
    assert client.call("DescribeDiskAssociatedAutoSnapshotPolicy", {"DiskId": disk}).response["TotalCount"] == 0
    assert "Error" not in client.call("DeleteAutoSnapshotPolicies", {"AutoSnapshotPolicyIds": [policy]}).response
    assert _told(client) == []


def test_policies_are_found_by_filters_in_both_orders_and_by_the_page(client: Client) -> None:
    one = _policy(client, AutoSnapshotPolicyName="one", IsPermanent=True, IsActivated=False)
    other = _policy(client)

    def ids(**asked: Any) -> list[str]:
        return [found["AutoSnapshotPolicyId"] for found in _told(client, **asked)]

    def met(name: str, *values: str) -> list[str]:
        return ids(Filters=[{"Name": name, "Values": list(values)}])

    first = _told(client, AutoSnapshotPolicyIds=[one])[0]
    assert (first["IsPermanent"], first["RetentionDays"], first["IsActivated"], first["NextTriggerTime"]) == (
        True, 0, False, "0000-00-00 00:00:00",
    )  # fmt: skip
    assert (ids(), ids(Order="ASC")) == ([other, one], [one, other])
    assert (met("auto-snapshot-policy-id", one), met("auto-snapshot-policy-name", "未命名")) == ([one], [other])
    assert (met("auto-snapshot-policy-state", "NORMAL"), met("auto-snapshot-policy-state", "ISOLATED")) == (
        [other, one], [],
    )  # fmt: skip
    page = client.call("DescribeAutoSnapshotPolicies", {"Offset": 1, "Limit": 1}).response
    found = [policy["AutoSnapshotPolicyId"] for policy in page["AutoSnapshotPolicySet"]]
    assert (page["TotalCount"], found) == (2, [one])
    both = {"AutoSnapshotPolicyIds": [one], "Filters": [{"Name": "auto-snapshot-policy-id", "Values": [one]}]}
    assert _code(client, "DescribeAutoSnapshotPolicies", both) == "InvalidParameter"


def test_a_dry_run_says_when_it_would_be_due(client: Client) -> None:
    with nothing_written():
        asked = {**AT_THREE, "DryRun": True}
        answer = client.call("CreateAutoSnapshotPolicy", asked).response
    assert (answer["AutoSnapshotPolicyId"], answer["NextTriggerTime"]) == ("", "2026-03-11 03:00:00")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Policy": []}, "MissingParameter"),
        ({"Policy": [{"Hour": [], "DayOfWeek": [0]}]}, "MissingParameter"),
        ({"Policy": [{"Hour": [24], "DayOfWeek": [0]}]}, "InvalidParameterValue"),
        ({"Policy": [{"Hour": [3], "DayOfWeek": [7]}]}, "InvalidParameterValue"),
        ({"Policy": [{"Hour": [3]}]}, "MissingParameter"),
        ({"Policy": [{"Hour": [3], "DayOfWeek": [0], "DayOfMonth": [1]}]}, "UnsupportedOperation"),
        ({"AutoSnapshotPolicyName": "a" * 61}, "InvalidParameterValue"),
        ({"RetentionDays": 0}, "InvalidParameterValue"),
        ({"RetentionDays": 65_536}, "InvalidParameterValue"),
        ({"RetentionDays": 3, "IsPermanent": True}, "InvalidParameter"),
    ],
)
def test_what_no_policy_may_be_is_refused(client: Client, more: dict[str, Any], code: str) -> None:
    assert _code(client, "CreateAutoSnapshotPolicy", {**AT_THREE, **more}) == code


def test_what_is_asked_for_wrongly_says_where(client: Client) -> None:
    policy, disk = _policy(client), _disk(client)
    unknown = {"AutoSnapshotPolicyId": "asp-unknown0"}
    assert _code(client, "ModifyAutoSnapshotPolicyAttribute", {**unknown, "IsActivated": False}) == NOT_FOUND
    assert _code(client, "ModifyAutoSnapshotPolicyAttribute", {"AutoSnapshotPolicyId": policy}) == "MissingParameter"
    assert _code(client, "BindAutoSnapshotPolicy", {**unknown, "DiskIds": [disk]}) == NOT_FOUND
    mine = {"AutoSnapshotPolicyId": policy, "DiskIds": [disk]}
    assert _code(client, "UnbindAutoSnapshotPolicy", mine) == "InvalidParameterValue"
    missing = {"AutoSnapshotPolicyId": policy, "DiskIds": ["disk-unknown0"]}
    assert _code(client, "BindAutoSnapshotPolicy", missing) == "InvalidDiskId.NotFound"
    many = {"AutoSnapshotPolicyId": policy, "DiskIds": ["disk-a"] * 81}
    assert _code(client, "BindAutoSnapshotPolicy", many) == "InvalidParameterValue.LimitExceeded"
    assert (
        _code(client, "DescribeDiskAssociatedAutoSnapshotPolicy", {"DiskId": "disk-unknown0"})
        == "InvalidDiskId.NotFound"
    )
    (machine,) = client.call("DescribeInstances", {}).response["InstanceSet"]
    by_machine = {**mine, "InstanceIds": [machine["InstanceId"]]}
    assert _code(client, "UnbindAutoSnapshotPolicy", by_machine) == "UnsupportedOperation"


def test_a_policy_is_not_made_without_a_region(client: Client) -> None:
    with nothing_written():
        answer = client.call("CreateAutoSnapshotPolicy", AT_THREE, region="").response
    assert answer["Error"]["Code"] == "MissingParameter"
