"""Given bought machines, when a program looks at them and acts on them, then it sees them as they are."""

import re
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support.shopper import work
from vmart.instances.models import Instance

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


def _buy(client: Client, **changes: Any) -> list[str]:
    ids: list[str] = client.call("RunInstances", {**HOURLY, **changes}).response["InstanceIdSet"]
    return ids


def _listed(client: Client, **asked: Any) -> list[str]:
    answer = client.call("DescribeInstances", asked).response
    ids = [machine["InstanceId"] for machine in answer["InstanceSet"]]
    assert answer["TotalCount"] >= len(ids)
    return ids


def test_a_new_machine_is_pending_with_its_configuration(client: Client) -> None:
    (public_id,) = _buy(client, InstanceName="web", DataDisks=[{"DiskType": "CLOUD_SSD", "DiskSize": 100}])
    answer = client.call("DescribeInstances").response
    (machine,) = answer["InstanceSet"]
    assert answer["TotalCount"] == 1
    assert (machine["InstanceId"], machine["InstanceName"], machine["InstanceState"]) == (public_id, "web", "PENDING")
    assert (machine["LatestOperation"], machine["LatestOperationState"]) == ("RunInstances", "OPERATING")
    assert machine["Placement"] == {"Zone": "ap-guangzhou-4", "ProjectId": 0}
    assert (machine["CPU"], machine["Memory"], machine["ImageId"]) == (2, 4, "img-db12k7x4")
    assert (machine["SystemDisk"]["DiskSize"], machine["DataDisks"][0]["DiskSize"]) == (50, 100)
    assert machine["InternetAccessible"] == {
        "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 10, "PublicIpAssigned": True,
    }  # fmt: skip
    assert len(machine["PrivateIpAddresses"]) == len(machine["PublicIpAddresses"]) == 1
    assert machine["CreatedTime"] == "2026-03-10T02:00:00Z"
    assert re.fullmatch(r"[0-9a-f-]{36}", machine["Uuid"])
    assert machine["LoginSettings"] == {}


def test_a_failed_launch_says_why_in_the_language_of_the_call(client: Client) -> None:
    (public_id,) = _buy(client)
    Instance.objects.update(
        state="LAUNCH_FAILED",
        latest_operation_state="FAILED",
        public_ip=None,
        latest_operation_error="No room is left.",
    )
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    assert (machine["InstanceState"], machine["LatestOperationState"]) == ("LAUNCH_FAILED", "FAILED")
    assert machine["LatestOperationErrorMsg"] == "No room is left."
    assert machine["PublicIpAddresses"] == []


def test_unknown_ids_are_an_empty_answer(client: Client) -> None:
    (known,) = _buy(client)
    assert _listed(client, InstanceIds=["ins-unknown0"]) == []
    assert _listed(client, InstanceIds=["ins-unknown0", known]) == [known]
    assert _listed(client, InstanceIds=["", "'--", "ins-" + "x" * 50]) == []
    states = client.call("DescribeInstancesStatus", {"InstanceIds": ["ins-unknown0", known]}).response
    assert states["InstanceStatusSet"] == [{"InstanceId": known, "InstanceState": "PENDING"}]
    assert states["TotalCount"] == 1


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_client_that_pages_sees_each_machine_once(client: Client, method: str) -> None:
    bought = _buy(client, InstanceCount=7)
    for action, members, name in [
        ("DescribeInstances", "InstanceSet", "InstanceId"),
        ("DescribeInstancesStatus", "InstanceStatusSet", "InstanceId"),
    ]:
        seen: list[str] = []
        for offset, length in ((0, 3), (3, 3), (6, 1)):
            page = client.call(action, {"Offset": offset, "Limit": 3}, method=method).response
            assert (page["TotalCount"], len(page[members])) == (7, length)
            seen += [machine[name] for machine in page[members]]
        assert sorted(seen) == sorted(bought)


def test_the_region_of_the_call_limits_what_is_seen(client: Client) -> None:
    (south,) = _buy(client)
    east = {"Placement": {"Zone": "ap-shanghai-2"}}
    (there,) = client.call("RunInstances", {**HOURLY, **east}, region="ap-shanghai").response["InstanceIdSet"]
    for region, expected in [("ap-guangzhou", [south]), ("sh", [there]), ("", [there, south])]:
        for action, members in [("DescribeInstances", "InstanceSet"), ("DescribeInstancesStatus", "InstanceStatusSet")]:
            answer = client.call(action, region=region).response
            assert [machine["InstanceId"] for machine in answer[members]] == expected, region
    assert client.call("DescribeInstances", region="ap-nowhere").error[0] == "InvalidParameterValue.InvalidRegion"


@pytest.mark.parametrize(
    ("name", "values", "finds"),
    [
        ("zone", ["ap-guangzhou-4"], True),
        ("zone", ["ap-guangzhou-3"], False),
        ("project-id", ["0"], True),
        ("project-id", ["5"], False),
        ("instance-name", ["web", "other"], True),
        ("instance-charge-type", ["PREPAID"], False),
        ("instance-state", ["PENDING"], True),
        ("instance-state", ["RUNNING"], False),
        ("creation-start-time", ["2026-03-10 10:00:00"], True),  # Shanghai
        ("creation-start-time", ["2026-03-10 10:00:01"], False),
        ("creation-end-time", ["2026-03-10T02:00:00Z"], True),
        ("creation-end-time", ["2026-03-10 09:59:59"], False),
        ("security-group-id", ["sg-1"], False),
        ("tag-key", ["team"], False),
        ("tag:team", ["blue"], False),
        ("host-id", ["host-1"], False),
    ],
)
def test_filters(client: Client, name: str, values: list[str], finds: bool) -> None:
    bought = _buy(client, InstanceName="web")
    for method in ("POST", "GET"):
        answer = client.call("DescribeInstances", {"Filters": [{"Name": name, "Values": values}]}, method=method)
        assert [machine["InstanceId"] for machine in answer.response["InstanceSet"]] == (bought if finds else [])
        assert answer.response["TotalCount"] == int(finds)


def test_filters_by_what_the_answer_told(client: Client) -> None:
    (mine, _other) = _buy(client, InstanceCount=2)
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [mine]}).response["InstanceSet"]
    for name, value in [
        ("instance-id", mine),
        ("uuid", machine["Uuid"]),
        ("private-ip-address", machine["PrivateIpAddresses"][0]),
        ("public-ip-address", machine["PublicIpAddresses"][0]),
    ]:
        assert _listed(client, Filters=[{"Name": name, "Values": [value]}]) == [mine], name
    network = machine["VirtualPrivateCloud"]
    for name, value in [("vpc-id", network["VpcId"]), ("subnet-id", network["SubnetId"])]:
        assert len(_listed(client, Filters=[{"Name": name, "Values": [value]}])) == 2


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        ({"Limit": 0}, "InvalidParameterValueLimit", "Limit"),
        ({"Limit": 101}, "InvalidParameterValueLimit", "Limit"),
        ({"Limit": "20"}, "InvalidParameter", "Limit"),
        ({"Offset": -1}, "InvalidParameterValueOffset", "Offset"),
        ({"Offset": 2**31}, "InvalidParameterValueOffset", "Offset"),
        ({"InstanceIds": ["ins-a"] * 101}, "InvalidParameterValue.LimitExceeded", "InstanceIds"),
        ({"InstanceIds": "ins-a"}, "InvalidParameter", "InstanceIds"),
        ({"InstanceIds": ["ins-a"], "Filters": [{"Name": "zone", "Values": ["z"]}]}, "InvalidParameter", "Filters"),
        ({"Filters": [{"Name": "colour", "Values": ["red"]}]}, "InvalidFilter", "Filters.0.Name"),
        ({"Filters": [{"Name": "zone", "Values": ["z"]}] * 2}, "InvalidFilter", "Filters.1.Name"),
        ({"Filters": [{"Name": "zone", "Values": list("abcdef")}]}, "InvalidFilterValue.LimitExceeded", "Filters.0"),
        ({"Filters": [{"Name": "zone", "Values": ["z"]}] * 11}, "InvalidFilterValue.LimitExceeded", "Filters"),
        ({"Filters": [{"Name": "creation-end-time", "Values": ["soon"]}]}, "InvalidParameterValue", "Filters"),
        ({"Filters": [{"Name": "creation-end-time", "Values": []}]}, "MissingParameter", "Values"),
    ],
)
def test_bad_requests(client: Client, asked: dict[str, Any], code: str, names: str) -> None:
    given, sentence = client.call("DescribeInstances", asked).error
    assert (given, names in sentence) == (code, True), sentence


def _state(client: Client) -> tuple[str, str, str]:
    (machine,) = client.call("DescribeInstances").response["InstanceSet"]
    (status,) = client.call("DescribeInstancesStatus").response["InstanceStatusSet"]
    assert status == {"InstanceId": machine["InstanceId"], "InstanceState": machine["InstanceState"]}
    return machine["InstanceState"], machine["LatestOperation"], machine["LatestOperationState"]


@pytest.mark.usefixtures("delivering")
def test_the_life_of_a_machine(client: Client) -> None:
    """Each act shows at once, is busy until the worker has done it, and then shows its end."""
    (public_id,) = _buy(client)
    work()
    assert _state(client) == ("RUNNING", "RunInstances", "SUCCESS")
    for action, members, meanwhile, after in [
        ("StopInstances", {"StopType": "HARD"}, "STOPPING", "STOPPED"),
        ("StopInstances", {"StoppedMode": "STOP_CHARGING"}, "STOPPING", "STOPPED"),
        ("StartInstances", {}, "STARTING", "RUNNING"),
        ("RebootInstances", {"StopType": "SOFT_FIRST"}, "REBOOTING", "RUNNING"),
        ("StopInstances", {"StoppedMode": "STOP_CHARGING", "ForceStop": True}, "STOPPING", "STOPPED"),
    ]:
        asked = {"InstanceIds": [public_id], **members}
        request_id = client.call(action, asked).response["RequestId"]
        assert _state(client) == (meanwhile, action, "OPERATING")
        with nothing_written():
            assert client.call(action, asked).error[0] == "OperationDenied.InstanceOperationInProgress"
        work()
        assert _state(client) == (after, action, "SUCCESS")
        (machine,) = client.call("DescribeInstances").response["InstanceSet"]
        assert machine["LatestOperationRequestId"] == request_id
    assert machine["StopChargingMode"] == "STOP_CHARGING"
    assert machine["PublicIpAddresses"] == []
    client.call("TerminateInstances", {"InstanceIds": [public_id]})
    (machine,) = client.call("DescribeInstances").response["InstanceSet"]
    assert (machine["InstanceState"], machine["IsolatedSource"]) == ("SHUTDOWN", "MANMADE")
    again = client.call("TerminateInstances", {"InstanceIds": [public_id]})
    assert again.error[0] == "OperationDenied.InstanceOperationInProgress"
    work()
    assert set(client.call("TerminateInstances", {"InstanceIds": [public_id]}).response) == {"RequestId"}
    again = client.call("TerminateInstances", {"InstanceIds": [public_id]})
    assert again.error[0] == "InvalidInstanceState.Terminating"
    work()
    assert client.call("DescribeInstances").response["TotalCount"] == 0


@pytest.mark.usefixtures("delivering")
def test_the_refund_of_a_prepaid_machine_is_told_before(client: Client) -> None:
    """The first return within five days gives back all: 1,362.60, of the gift that paid it."""
    (public_id,) = client.call("RunInstances", MONTHLY).response["InstanceIdSet"]
    work()
    with nothing_written():
        (refund,) = client.call("InquiryPriceTerminateInstances", {"InstanceIds": [public_id]}).response[
            "InstanceRefundsSet"
        ]
        unknown = {"InstanceIds": [public_id, "ins-unknown0"]}
        assert client.call("InquiryPriceTerminateInstances", unknown).error[0] == "InvalidInstanceId.NotFound"
        assert client.call("InquiryPriceTerminateInstances", {"InstanceIds": []}).error[0] == "MissingParameter"
    assert refund == {
        "InstanceId": public_id, "Refunds": 1362.6,
        "PriceDetail": "Refund ¥1,362.60 of ¥1,362.60 paid: ¥0.00 in cash, ¥1,362.60 as gift.",
    }  # fmt: skip
    before = client.call("DescribeAccountBalance", version="2018-07-09").response["Balance"]
    client.call("TerminateInstances", {"InstanceIds": [public_id]})
    assert client.call("DescribeAccountBalance", version="2018-07-09").response["Balance"] == before + 136_260
