"""Given the API, when a program buys, attaches, detaches and ends disks, then it is told of each as it waits for it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.api.test_every_action import ASKED_DISK, OWN_DISK
from tests.support.shopper import purses, work
from tests.support.written import nothing_written

pytestmark = pytest.mark.usefixtures("delivering")


def _disk(client: Client, disk_id: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = client.call("DescribeDisks", {"DiskIds": [disk_id]}).response["DiskSet"]
    return found[0] if found else None


def _state(client: Client, disk_id: str) -> tuple[str, bool, str]:
    found = _disk(client, disk_id)
    assert found is not None
    return found["DiskState"], found["Attached"], found["InstanceId"]


def test_the_life_of_a_disk() -> None:
    client, account = open_customer()
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    work()
    held = purses(account)["held"]
    (disk,) = client.call("CreateDisks", {**OWN_DISK, "DiskName": "data"}).response["DiskIdSet"]
    assert (_disk(client, disk), purses(account)["held"] - held) == (None, 3)  # 20 × 0.0014
    work()
    seen = _disk(client, disk)
    assert seen is not None
    assert (seen["DiskName"], seen["DiskSize"], seen["DiskType"], seen["DiskUsage"]) == (
        "data", 20, "CLOUD_SSD", "DATA_DISK",
    )  # fmt: skip
    assert (seen["Portable"], seen["DeleteWithInstance"], seen["DiskChargeType"], seen["LastAttachInsId"]) == (
        True, False, "POSTPAID_BY_HOUR", "",
    )  # fmt: skip
    assert _state(client, disk) == ("UNATTACHED", False, "")
    client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [disk]})
    assert _state(client, disk) == ("ATTACHING", False, machine)
    work()
    assert _state(client, disk) == ("ATTACHED", True, machine)
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    assert [one["DiskId"] for one in told["DataDisks"]] == [disk]
    client.call("DetachDisks", {"InstanceId": machine, "DiskIds": [disk]})
    assert _state(client, disk) == ("DETACHING", True, machine)
    work()
    for state in ("TORECYCLE", None):
        client.call("TerminateDisks", {"DiskIds": [disk]})
        work()
        found = _disk(client, disk)
        assert (found and found["DiskState"]) == state


def test_what_it_costs_is_what_is_held() -> None:
    client, account = open_customer()
    asked = {**ASKED_DISK, "DiskSize": 100, "DiskCount": 2}
    price = client.call("InquiryPriceCreateDisks", asked).response["DiskPrice"]
    assert (price["UnitPrice"], price["UnitPriceHigh"], price["ChargeUnit"], price["OriginalPrice"]) == (
        0.28, "0.28", "HOUR", None,
    )  # fmt: skip
    client.call("CreateDisks", {**OWN_DISK, **asked})
    assert purses(account)["held"] == 28
    code, sentence = client.call("InquiryPriceCreateDisks", asked, region="").error
    assert (code, "region" in sentence) == ("MissingParameter", True)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"DiskSize": 5}, "InvalidParameterValue.Range"),
        ({"DiskType": "CLOUD_TAPE"}, "InvalidParameterValue"),
        ({"DiskChargeType": "PREPAID"}, "MissingParameter"),
        ({"DiskChargeType": "PREPAID", "DiskChargePrepaid": {"Period": 13}}, "InvalidPeriod"),
        ({"DiskChargePrepaid": {"Period": 1}}, "InvalidParameter"),
        ({"DiskCount": 51}, "InvalidParameterValue.LimitExceeded"),
        ({"DiskChargeType": "x"}, "InvalidParameterValue"),
        ({"Placement": {"Zone": "ap-nowhere-1"}}, "InvalidParameterValue.ZoneNotSupported"),
        ({"DiskName": "a\nb"}, "InvalidParameterValue"),
    ],
)
def test_what_is_not_sold_is_refused(asked: dict[str, Any], code: str) -> None:
    client, _ = open_customer()
    with nothing_written():
        assert client.call("CreateDisks", {**OWN_DISK, **asked}).error[0] == code


def test_disks_are_found_by_whether_they_have_a_life_of_their_own() -> None:
    client, _ = open_customer()
    client.call("RunInstances", HOURLY)
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()

    def found(portable: str) -> list[str]:
        asked = {"Filters": [{"Name": "portable", "Values": [portable]}]}
        return [one["DiskId"] for one in client.call("DescribeDisks", asked).response["DiskSet"]]

    assert (found("TRUE"), len(found("false")), own in found("false")) == ([own], 1, False)


def _told(client: Client, disk_id: str, *members: str) -> list[Any]:
    seen = _disk(client, disk_id)
    assert seen is not None
    return [seen[member] for member in members]


def test_a_disk_gets_a_name_and_may_end_with_its_machine() -> None:
    client, _ = open_customer()
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    system = told["SystemDisk"]["DiskId"]
    client.call("ModifyDiskAttributes", {"DiskIds": [own, system], "DiskName": "both", "ProjectId": 0})
    assert [_told(client, disk, "DiskName", "DeleteWithInstance") for disk in (own, system)] == [
        ["both", False], ["both", True],
    ]  # fmt: skip
    client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [own], "DeleteWithInstance": True})
    work()
    assert _told(client, own, "DeleteWithInstance", "DiskState") == [True, "ATTACHED"]
    client.call("ModifyDiskAttributes", {"DiskIds": [own], "DeleteWithInstance": False})
    assert _told(client, own, "DiskName", "DeleteWithInstance") == ["both", False]


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        ({}, "MissingParameter", "possible are DiskName and DeleteWithInstance"),
        ({"DiskName": "x" * 129}, "InvalidParameterValue", "DiskName"),
        ({"DiskName": "a\nb"}, "InvalidParameterValue", "DiskName"),
        ({"DiskName": "n", "DiskIds": []}, "MissingParameter", "DiskIds"),
        ({"DiskName": "n", "DiskIds": ["disk-unknown0"]}, "InvalidDiskId.NotFound", "disk-unknown0"),
        ({"DiskName": "n", "ProjectId": 1}, "InvalidParameter.ProjectIdNotExist", "ProjectId"),
        ({"DiskType": "CLOUD_SSD"}, "UnsupportedOperation", "DiskType"),
        ({"Portable": True}, "UnsupportedOperation", "Portable"),
    ],
)
def test_bad_changes_write_nothing(asked: dict[str, Any], code: str, names: str) -> None:
    client, _ = open_customer()
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    with nothing_written():
        given, sentence = client.call("ModifyDiskAttributes", {"DiskIds": [own], **asked}).error
    assert (given, names in sentence) == (code, True), sentence


def test_a_disk_of_a_machine_neither_stays_nor_goes_otherwise() -> None:
    client, _ = open_customer()
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    work()
    (told,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    asked = {"DiskIds": [told["SystemDisk"]["DiskId"]], "DeleteWithInstance": False}
    with nothing_written():
        assert client.call("ModifyDiskAttributes", asked).error[0] == "InvalidDisk.NotPortable"


def test_a_disk_grows_at_its_machine() -> None:
    client, account = open_customer()
    (machine,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    first, second = client.call("CreateDisks", {**OWN_DISK, "DiskCount": 2}).response["DiskIdSet"]
    work()
    client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [first]})
    work()
    held = purses(account)["held"]
    price = client.call("InquiryPriceResizeDisk", {"DiskIds": [first, second], "DiskSize": 100}).response["DiskPrice"]
    assert (price["UnitPriceHigh"], price["ChargeUnit"]) == ("0.28", "HOUR")
    for disk, attached in ((first, True), (second, False)):
        client.call("ResizeDisk", {"DiskId": disk, "DiskSize": 100})
        assert _state(client, disk) == ("EXPANDING", attached, machine if attached else "")
        work()
        assert _state(client, disk) == (
            "ATTACHED" if attached else "UNATTACHED", attached, machine if attached else "",
        )  # fmt: skip
        assert _told(client, disk, "DiskSize") == [100]
    assert purses(account)["held"] - held == 2 * (14 - 3)


def test_a_disk_that_goes_with_its_machine_grows_by_its_id() -> None:
    client, account = open_customer()
    bought = {**HOURLY, "DataDisks": [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]}
    (machine,) = client.call("RunInstances", bought).response["InstanceIdSet"]
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    (seen,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    data, held = seen["DataDisks"][0]["DiskId"], purses(account)["held"]
    price = client.call("InquiryPriceResizeDisk", {"DiskIds": [data, own], "DiskSize": 100}).response["DiskPrice"]
    assert (price["UnitPriceHigh"], price["OriginalPrice"]) == ("0.28", None)
    client.call("ResizeDisk", {"DiskId": data, "DiskSize": 100})
    assert _state(client, data) == ("EXPANDING", True, machine)
    work()
    assert (_state(client, data), _told(client, data, "DiskSize")) == (("ATTACHED", True, machine), [100])
    assert purses(account)["held"] - held == 12  # from 0.403 to 0.515, each half-up
    with nothing_written():
        code, sentence = client.call("ResizeDisk", {"DiskId": data, "DiskSize": 90}).error
    assert (code, "DiskSize" in sentence) == ("InvalidParameterValue", True)


def test_in_a_term_its_rest_is_what_a_larger_disk_costs() -> None:
    """A year: 40 × 1.00 × 12."""
    client, account = open_customer()
    bought = {**MONTHLY, "DataDisks": [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]}
    (machine,) = client.call("RunInstances", bought).response["InstanceIdSet"]
    work()
    (seen,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    data, before = seen["DataDisks"][0]["DiskId"], purses(account)["available"]
    price = client.call("InquiryPriceResizeDisk", {"DiskId": data, "DiskSize": 60}).response["DiskPrice"]
    assert (price["UnitPrice"], price["OriginalPrice"], price["DiscountPrice"], price["DiscountPriceHigh"]) == (
        None, 480.0, 480.0, "480",
    )  # fmt: skip
    client.call("ResizeDisk", {"DiskId": data, "DiskSize": 60})
    work()
    assert (before - purses(account)["available"], _told(client, data, "DiskSize")) == (48_000, [60])


@pytest.mark.parametrize(
    ("asked", "code", "names"),
    [
        ({"DiskSize": 20}, "InvalidParameterValue", "has 20 GiB, and a disk only grows"),
        ({"DiskSize": 25}, "InvalidParameterValue.Range", "DiskSize"),
        ({"DiskSize": -1}, "InvalidParameterValue", "DiskSize"),
        ({"DiskId": "disk-unknown0"}, "InvalidDiskId.NotFound", "DiskId"),
        ({"DiskId": 7}, "InvalidParameter", "DiskId"),
    ],
)
def test_what_does_not_grow_is_refused(asked: dict[str, Any], code: str, names: str) -> None:
    client, _ = open_customer()
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    with nothing_written():
        for action in ("ResizeDisk", "InquiryPriceResizeDisk"):
            given, sentence = client.call(action, {"DiskId": own, "DiskSize": 30, **asked}).error
            assert (given, names in sentence) == (code, True), sentence


def test_a_price_is_of_one_disk_or_of_several() -> None:
    client, _ = open_customer()
    (own,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    for asked, code in (
        ({"DiskId": own, "DiskIds": [own]}, "InvalidParameter"), ({}, "InvalidDiskId.NotFound"),
        ({"DiskId": own, "ProjectId": 1}, "InvalidParameter.ProjectIdNotExist"),
    ):  # fmt: skip
        assert client.call("InquiryPriceResizeDisk", {"DiskSize": 30, **asked}).error[0] == code


def test_expanding_disks_are_found() -> None:
    client, _ = open_customer()
    own, _other = client.call("CreateDisks", {**OWN_DISK, "DiskCount": 2}).response["DiskIdSet"]
    work()
    client.call("ResizeDisk", {"DiskId": own, "DiskSize": 30})
    asked = {"Filters": [{"Name": "disk-state", "Values": ["EXPANDING"]}]}
    assert [one["DiskId"] for one in client.call("DescribeDisks", asked).response["DiskSet"]] == [own]
