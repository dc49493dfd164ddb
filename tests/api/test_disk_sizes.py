"""Given a machine's disks, when a program makes one larger, then it is told what is published."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_every_action import Things, owner
from tests.support.shopper import work

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

CHANGE, PRICE = "ResizeInstanceDisks", "InquiryPriceResizeInstanceDisks"
DATA = [{"DiskType": "CLOUD_PREMIUM", "DiskSize": 100}, {"DiskType": "CLOUD_SSD", "DiskSize": 20}]


def _system(name: str, size_gib: int = 60, **others: Any) -> dict[str, Any]:
    return {"InstanceId": name, "SystemDisk": {"DiskSize": size_gib}, **others}


def _told(client: Client, name: str) -> tuple[list[int], str, str]:
    """Sizes of its disks, the system disk's first, and its latest operation."""
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [name]}).response["InstanceSet"]
    sizes = [disk["DiskSize"] for disk in (machine["SystemDisk"], *(machine["DataDisks"] or []))]
    return sizes, machine["LatestOperation"], machine["LatestOperationState"]


@pytest.fixture
def several(owner: tuple[Client, Things]) -> str:
    """A running machine with two data disks."""
    client, _ = owner
    (name,) = client.call("RunInstances", {**HOURLY, "DataDisks": DATA}).response["InstanceIdSet"]
    work()
    return str(name)


def test_a_system_disk_grows_and_is_told(owner: tuple[Client, Things]) -> None:
    client, has = owner
    assert set(client.call(CHANGE, _system(has.running, ResizeOnline=True)).response) == {"RequestId"}
    assert _told(client, has.running) == ([50, 20], CHANGE, "OPERATING")  # the other is a disk of its own
    assert client.call(CHANGE, _system(has.running, ForceStop=True)).error[0] == (
        "OperationDenied.InstanceOperationInProgress"
    )
    assert set(client.call(CHANGE, _system(has.stopped)).response) == {"RequestId"}
    work()
    assert _told(client, has.running) == ([60, 20], CHANGE, "SUCCESS")
    assert _told(client, has.stopped) == ([60], CHANGE, "SUCCESS")
    (disk,) = client.call("DescribeDisks", {"DiskIds": [has.disk]}).response["DiskSet"]
    assert disk["DiskSize"] == 60


def test_of_several_data_disks_the_one_that_is_named_grows(owner: tuple[Client, Things], several: str) -> None:
    client, _ = owner
    asked = {"InstanceId": several, "ResizeOnline": True, "DataDisks": [{"DiskSize": 30}]}
    with nothing_written():
        assert client.call(CHANGE, asked).error == (
            "MissingParameter", "DataDisks.0.DiskId: The machine has several data disks; say which by DiskId.",
        )  # fmt: skip
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [several]}).response["InstanceSet"]
    named = {"DiskSize": 30, "DiskId": machine["DataDisks"][1]["DiskId"]}
    assert set(client.call(CHANGE, {**asked, "DataDisks": [named]}).response) == {"RequestId"}
    work()
    assert _told(client, several) == ([50, 100, 30], CHANGE, "SUCCESS")


def test_the_type_that_a_disk_has_may_be_said(owner: tuple[Client, Things], several: str) -> None:
    """As Terraform does; another one is refused by the disk that would be grown."""
    client, has = owner
    asked = {"InstanceId": has.stopped, "SystemDisk": {"DiskSize": 60, "DiskType": "CLOUD_PREMIUM"}}
    assert set(client.call(CHANGE, asked).response) == {"RequestId"}
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [several]}).response["InstanceSet"]
    named = {"DiskSize": 30, "DiskId": machine["DataDisks"][1]["DiskId"]}
    of_data = {"InstanceId": several, "ResizeOnline": True}
    with nothing_written():
        refused = client.call(CHANGE, {**of_data, "DataDisks": [{**named, "DiskType": "CLOUD_PREMIUM"}]}).error
    assert refused == (
        "UnsupportedOperation",
        "DataDisks.0.DiskType: CLOUD_PREMIUM cannot be had by this change: "
        f"{named['DiskId']} has CLOUD_SSD, and keeps it.",
    )
    client.call(CHANGE, {**of_data, "DataDisks": [{**named, "DiskType": "CLOUD_SSD"}]})
    work()
    assert _told(client, has.stopped) == ([60], CHANGE, "SUCCESS")
    assert _told(client, several) == ([50, 100, 30], CHANGE, "SUCCESS")


def test_the_only_data_disk_needs_no_name(owner: tuple[Client, Things]) -> None:
    client, _ = owner
    (name,) = client.call("RunInstances", {**HOURLY, "DataDisks": DATA[:1]}).response["InstanceIdSet"]
    work()
    client.call(CHANGE, {"InstanceId": name, "ForceStop": True, "DataDisks": [{"DiskSize": 200}]})
    work()
    assert _told(client, name) == ([50, 200], CHANGE, "SUCCESS")


def test_what_it_would_cost(owner: tuple[Client, Things]) -> None:
    """An hour of 60 GiB at 0.0005; a month of 31 days: 10 × 0.35 × 31 × 12 / 365."""
    client, has = owner
    with nothing_written():
        hourly = client.call(PRICE, _system(has.running)).response["Price"]
        in_term = client.call(PRICE, _system(has.prepaid)).response["Price"]
    assert hourly == {
        "InstancePrice": {"ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.03, "UnitPriceDiscount": 0.03}
    }
    assert in_term == {"InstancePrice": {"OriginalPrice": 3.57, "DiscountPrice": 3.57, "Discount": 100.0}}


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"InstanceId": "ins-00000000"}, "InvalidInstanceId.NotFound"),
        ({"InstanceId": ""}, "InvalidInstanceId.NotFound"),
        ({"SystemDisk": None}, "InvalidParameter"),
        ({"DataDisks": [{"DiskSize": 20}]}, "InvalidParameter"),
        ({"SystemDisk": {"DiskSize": 50}}, "InvalidParameterValue.Range"),
        ({"SystemDisk": {"DiskSize": 40}}, "InvalidParameterValue.Range"),
        ({"SystemDisk": {"DiskSize": -1}}, "InvalidParameterValue.Range"),
        ({"SystemDisk": {"DiskSize": 2049}}, "InvalidParameterValue.Range"),
        ({"SystemDisk": {"DiskSize": 60, "DiskType": "CLOUD_SSD"}}, "UnsupportedOperation"),
        ({"SystemDisk": {"DiskSize": 60, "DiskType": ""}}, "UnsupportedOperation"),
        ({"SystemDisk": {}}, "InvalidParameter"),
        ({"SystemDisk": None, "DataDisks": [{"DiskSize": 20}] * 2}, "InvalidParameterValue.LimitExceeded"),
        (
            {"SystemDisk": None, "DataDisks": [{"DiskSize": 20, "DiskId": "disk-00000000"}]},
            "InvalidParameter.DataDiskNotBelongSpecifiedInstance",
        ),
        (
            {"SystemDisk": None, "DataDisks": [{"DiskSize": 20}]},
            "InvalidParameter.DataDiskNotBelongSpecifiedInstance",
        ),
    ],
)
@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_what_is_refused(owner: tuple[Client, Things], action: str, others: dict[str, Any], code: str) -> None:
    client, has = owner
    asked = {name: value for name, value in {**_system(has.stopped), **others}.items() if value is not None}
    with nothing_written():
        assert client.call(action, asked).error[0] == code


def test_a_running_one_needs_a_word(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        assert client.call(CHANGE, _system(has.running)).error == (
            "UnsupportedOperation.InstanceStateRunning",
            f"The instance {has.running} is running; say ResizeOnline or ForceStop, or stop it first.",
        )
