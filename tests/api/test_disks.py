"""Given machines, when a program asks cbs for disks, then it is told theirs, by state, page and condition."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support.shopper import work
from tests.support.statements import statements
from tests.support.written import nothing_written
from vmart.instances.models import Instance

pytestmark = pytest.mark.usefixtures("delivering")
DATA = [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]


def _buy(client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    (public_id,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    return machine


def _disks(client: Client, asked: dict[str, Any] | None = None, **how: Any) -> list[dict[str, Any]]:
    answer = client.call("DescribeDisks", asked or {}, **how).response
    disks: list[dict[str, Any]] = answer["DiskSet"]
    return disks


def _filtered(client: Client, **filters: list[str]) -> list[str]:
    conditions = [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
    return [disk["DiskId"] for disk in _disks(client, {"Filters": conditions})]


def test_a_postpaid_disk() -> None:
    client, _ = open_customer()
    machine = _buy(client, {**HOURLY, "DataDisks": DATA})
    work()
    data, system = _disks(client)
    assert (system["DiskId"], system["DiskUsage"]) == (machine["SystemDisk"]["DiskId"], "SYSTEM_DISK")
    assert (data["DiskId"], data["DiskUsage"]) == (machine["DataDisks"][0]["DiskId"], "DATA_DISK")
    assert (data["DiskType"], data["DiskSize"], data["DiskState"], data["Attached"]) == (
        "CLOUD_SSD", 20, "ATTACHED", True
    )  # fmt: skip
    assert (data["InstanceId"], data["LastAttachInsId"]) == (machine["InstanceId"], machine["InstanceId"])
    assert (data["DeleteWithInstance"], data["Portable"], data["ThroughputPerformance"]) == (True, False, 0)
    assert (data["Placement"]["Zone"], data["DiskChargeType"]) == ("ap-guangzhou-4", "POSTPAID_BY_HOUR")
    assert (data["DeadlineTime"], data["DifferDaysOfDeadline"]) == ("0000-00-00 00:00:00", None)
    assert data["AutoSnapshotPolicyIds"] is None
    (asked,) = _disks(client, {"DiskIds": [data["DiskId"]], "ReturnBindAutoSnapshotPolicy": True})
    assert asked == {**data, "AutoSnapshotPolicyIds": []}


def test_a_disk_has_the_name_that_the_purchase_gave_it() -> None:
    client, _ = open_customer()
    system, data = {"DiskSize": 50, "DiskName": "系统 1"}, {**DATA[0], "DiskName": "x" * 128}
    _buy(client, {**HOURLY, "SystemDisk": system, "DataDisks": [data]})
    _buy(client, {**HOURLY, "DataDisks": DATA})
    assert [(disk["DiskUsage"], disk["DiskName"]) for disk in _disks(client)] == [
        ("DATA_DISK", ""), ("SYSTEM_DISK", ""), ("DATA_DISK", "x" * 128), ("SYSTEM_DISK", "系统 1"),
    ]  # fmt: skip
    _, named = client.call("DescribeInstances", {}).response["InstanceSet"]
    assert (named["SystemDisk"]["DiskName"], named["DataDisks"][0]["DiskName"]) == ("系统 1", "x" * 128)
    everything = [disk["DiskId"] for disk in _disks(client)]
    assert _filtered(client, disk_name=["系统 1"]) == everything[3:]
    assert _filtered(client, disk_name=["", "x" * 128]) == everything[:3]
    assert _filtered(client, disk_name=["x"]) == []


@pytest.mark.parametrize("name", ["x" * 129, "a\nb", "a\0b", "a\u2028b"])
@pytest.mark.parametrize("member", ["SystemDisk.DiskName", "DataDisks.0.DiskName"])
def test_a_name_that_is_too_long_or_of_two_lines_is_refused(name: str, member: str) -> None:
    client, _ = open_customer()
    disks = {"SystemDisk": {"DiskName": name}} if member[0] == "S" else {"DataDisks": [{**DATA[0], "DiskName": name}]}
    with nothing_written():
        code, sentence = client.call("RunInstances", {**HOURLY, **disks}).error
    assert (code, sentence.startswith(member)) == ("InvalidParameterValue", True)


def test_a_prepaid_disk_says_that_it_goes_with_its_machine() -> None:
    client, _ = open_customer()
    term = {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}
    _buy(client, {**MONTHLY, "InstanceChargePrepaid": term, "DataDisks": [{**DATA[0], "DeleteWithInstance": False}]})
    work()
    machine = Instance.objects.get()
    data, system = _disks(client)
    assert (data["DeleteWithInstance"], data["Portable"], data["IsReturnable"], data["ReturnFailCode"]) == (
        False, False, False, 10
    )  # fmt: skip
    assert (system["DeleteWithInstance"], system["DiskChargeType"], system["RenewFlag"]) == (
        True, "PREPAID", "NOTIFY_AND_AUTO_RENEW"
    )  # fmt: skip
    assert machine.subscription.expires_at is not None
    days = (machine.subscription.expires_at - machine.created_at).days
    assert (data["DifferDaysOfDeadline"], data["DeadlineTime"][:4]) == (days, str(machine.subscription.expires_at.year))


def test_a_disk_lives_as_its_machine_does() -> None:
    """Being made, there, in the recycle bin, erased: then it is told by its id alone, and attached to nothing."""
    client, _ = open_customer()
    machine = _buy(client, HOURLY)
    public_id, by_id = machine["InstanceId"], {"DiskIds": [machine["SystemDisk"]["DiskId"]]}

    def told() -> tuple[str, bool, str]:
        (disk,) = _disks(client, by_id)
        return disk["DiskState"], disk["Attached"], disk["InstanceId"]

    assert told() == ("ATTACHING", False, public_id)
    work()
    assert told() == ("ATTACHED", True, public_id)
    client.call("TerminateInstances", {"InstanceIds": [public_id]})
    work()
    assert told() == ("TORECYCLE", False, public_id)
    assert _filtered(client, disk_state=["TORECYCLE"]) == by_id["DiskIds"]
    client.call("TerminateInstances", {"InstanceIds": [public_id]})
    work()
    assert told() == ("UNATTACHED", False, "")
    assert _disks(client, by_id)[0]["LastAttachInsId"] == public_id
    assert _disks(client) == []
    assert _filtered(client, disk_id=by_id["DiskIds"], disk_state=["UNATTACHED"]) == by_id["DiskIds"]


def test_conditions() -> None:
    client, _ = open_customer()
    first = _buy(client, {**HOURLY, "InstanceName": "a", "DataDisks": DATA})
    second = _buy(client, {**MONTHLY, "InstanceName": "b"})
    system, data = first["SystemDisk"]["DiskId"], first["DataDisks"][0]["DiskId"]
    prepaid = second["SystemDisk"]["DiskId"]
    everything = [prepaid, data, system]
    for filters, found in [
        ({"disk_usage": ["DATA_DISK"]}, [data]),
        ({"disk_usage": ["DATA_DISK", "SYSTEM_DISK"]}, everything),
        ({"disk_charge_type": ["PREPAID"]}, [prepaid]),
        ({"disk_type": ["CLOUD_SSD"]}, [data]),
        ({"disk_state": ["ATTACHING"]}, everything),
        ({"disk_state": ["UNATTACHED"]}, []),
        ({"instance_id": [first["InstanceId"]]}, [data, system]),
        ({"instance_name": ["b"]}, [prepaid]),
        ({"instance_ip_address": first["PrivateIpAddresses"]}, [data, system]),
        ({"instance_ip_address": second["PublicIpAddresses"]}, [prepaid]),
        ({"zone": ["ap-guangzhou-3"]}, []),
        ({"zone": ["ap-guangzhou-4"], "portable": ["FALSE"], "project_id": ["0"]}, everything),
        ({"portable": ["TRUE"]}, []),
        ({"project_id": ["1"]}, []),
        ({"disk_name": ["x"]}, []),
        ({"tag:a": ["x"]}, []),
        ({"dedicated_cluster_id": ["x"]}, []),
    ]:
        assert _filtered(client, **filters) == found, filters
    assert _disks(client, region="ap-shanghai") == []
    assert len(_disks(client, region="")) == 3
    assert client.call("DescribeDisks", {"Filters": [{"Name": "colour", "Values": ["x"]}]}).error[0] == "InvalidFilter"
    both = {"DiskIds": [data], "Filters": [{"Name": "zone", "Values": ["x"]}]}
    assert client.call("DescribeDisks", both).error[0] == "InvalidParameter"


def test_pages_and_orders() -> None:
    client, _ = open_customer()
    ids = [_buy(client, asked)["SystemDisk"]["DiskId"] for asked in (HOURLY, MONTHLY, HOURLY)]
    work()
    assert [disk["DiskId"] for disk in _disks(client, {"Order": "ASC"})] == ids
    by_deadline = [disk["DiskId"] for disk in _disks(client, {"OrderField": "DEADLINE"})]
    assert by_deadline == [ids[1], ids[2], ids[0]]
    assert _disks(client, {"OrderField": "DEADLINE", "Order": "ASC"})[0]["DiskId"] == ids[1]
    for offset, found in [(0, ids[2]), (1, ids[1]), (2, ids[0])]:
        answer = client.call("DescribeDisks", {"Offset": offset, "Limit": 1}).response
        assert (answer["TotalCount"], [disk["DiskId"] for disk in answer["DiskSet"]]) == (3, [found])
    assert client.call("DescribeDisks", {"Offset": 3, "Limit": 1}).response["TotalCount"] == 3
    for bad in ({"Limit": 101}, {"Limit": 0}, {"Offset": -1}, {"Order": "UP"}, {"OrderField": "SIZE"}):
        assert client.call("DescribeDisks", bad).error[0] == "InvalidParameterValue"
    many = {"DiskIds": ["disk-a"] * 101}
    assert client.call("DescribeDisks", many).error[0] == "InvalidParameterValue.LimitExceeded"


def test_queries_do_not_grow_with_the_disks() -> None:
    client, _ = open_customer()
    for _ in range(3):
        _buy(client, {**HOURLY, "DataDisks": DATA * 3})
    for asked, budget in [({}, 2), ({"Limit": 1}, 2), ({"DiskIds": ["disk-a"]}, 1)]:
        with statements() as made:
            client.call("DescribeDisks", asked)
        assert len(made) <= budget, made
