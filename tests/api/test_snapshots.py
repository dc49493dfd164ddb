"""Given the API of cbs, when snapshots are made, given back and deleted, then as Terraform's provider needs it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_every_action import HOURLY, OWN_DISK
from tests.support.shopper import work
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Snapshot

pytestmark = pytest.mark.usefixtures("shop", "delivering")


@pytest.fixture
def client() -> Client:
    return open_customer("owner")[0]


@pytest.fixture
def world() -> World:
    engine = engine_of("ap-guangzhou-4")
    assert isinstance(engine, SimulatedEngine)
    return World(engine._file.path)


def told(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found = client.call("DescribeSnapshots", asked).response
    assert found["TotalCount"] == len(found["SnapshotSet"])
    return list(found["SnapshotSet"])


def _ids(client: Client, *conditions: tuple[str, str]) -> list[str]:
    filters = [{"Name": name, "Values": [value]} for name, value in conditions]
    return [one["SnapshotId"] for one in told(client, Filters=filters)]


def _code(client: Client, action: str, asked: dict[str, Any]) -> str:
    return str(client.call(action, asked).response["Error"]["Code"])


def _disk(client: Client, **more: Any) -> str:
    (disk,) = client.call("CreateDisks", {**OWN_DISK, **more}).response["DiskIdSet"]
    work()
    return str(disk)


def _shown(client: Client, disk: str) -> dict[str, Any]:
    (shown,) = client.call("DescribeDisks", {"DiskIds": [disk]}).response["DiskSet"]
    return dict(shown)


def test_what_a_provider_does_from_the_first_to_the_last_call(client: Client, world: World) -> None:
    disk = _disk(client)
    world.write(disk, "first")
    before = _shown(client, disk)
    assert (before["SnapshotAbility"], before["SnapshotCount"], before["SnapshotSize"]) == (True, 0, 0)
    tags = [{"Key": "env", "Value": "prod"}]
    made = client.call("CreateSnapshot", {"DiskId": disk, "SnapshotName": "before", "Tags": tags}).response
    snapshot = made["SnapshotId"]
    (being_made,) = told(client, SnapshotIds=[snapshot])
    assert (being_made["SnapshotState"], being_made["Percent"]) == ("CREATING", 0)
    work()
    (there,) = told(client, SnapshotIds=[snapshot])
    assert there | {
        "SnapshotId": snapshot, "SnapshotName": "before", "SnapshotState": "NORMAL", "Percent": 100, "DiskId": disk,
        "DiskSize": 20, "DiskUsage": "DATA_DISK", "IsPermanent": True, "DeadlineTime": "", "Images": [],
        "ImageCount": 0, "SnapshotType": "PRIVATE_SNAPSHOT", "Encrypt": False, "Tags": tags,
    } == there  # fmt: skip
    assert there["Placement"]["Zone"] == "ap-guangzhou-4"
    assert (_shown(client, disk)["SnapshotCount"], _shown(client, disk)["SnapshotSize"]) == (1, 20 * 1024)
    renamed = client.call("ModifySnapshotAttribute", {"SnapshotId": snapshot, "SnapshotName": "old"}).response
    assert "Error" not in renamed
    world.write(disk, "second")
    assert "Error" not in client.call("ApplySnapshot", {"SnapshotId": snapshot, "DiskId": disk}).response
    assert (told(client)[0]["SnapshotState"], _shown(client, disk)["Rollbacking"]) == ("ROLLBACKING", True)
    assert _code(client, "DeleteSnapshots", {"SnapshotIds": [snapshot]}) == "ResourceInUse.DiskRollbacking"
    work()
    assert (told(client)[0]["SnapshotState"], _shown(client, disk)["Rollbacking"]) == ("NORMAL", False)
    assert world.read(disk) == "first"
    new = _disk(client, SnapshotId=snapshot, DiskSize=30)
    assert (world.read(new), _shown(client, new)["DiskSize"]) == ("first", 30)
    overview = client.call("DescribeSnapshotOverview", {}).response
    assert {name: overview[name] for name in ("TotalNums", "TotalSize", "FreeQuota", "RealTradeSize")} == {
        "TotalNums": 1, "TotalSize": 20.0, "FreeQuota": 0.0, "RealTradeSize": 20.0,
    }  # fmt: skip
    assert "Error" not in client.call("DeleteSnapshots", {"SnapshotIds": [snapshot]}).response
    assert told(client) == []
    work()
    assert (world.snapshot(snapshot), Snapshot.objects.get().state) == (None, "GONE")


def test_snapshots_are_found_by_filters_in_both_orders_and_by_the_page(client: Client) -> None:
    one, other = _disk(client), _disk(client)
    first = client.call("CreateSnapshot", {"DiskId": one, "SnapshotName": "a"}).response["SnapshotId"]
    second = client.call("CreateSnapshot", {"DiskId": other, "SnapshotName": "b"}).response["SnapshotId"]
    work()
    assert _ids(client) == [second, first]
    assert [found["SnapshotId"] for found in told(client, Order="ASC")] == [first, second]
    for condition in (
        ("snapshot-id", first), ("snapshot-name", "a"), ("disk-id", one),
    ):  # fmt: skip
        assert _ids(client, condition) == [first]
    for condition in (
        ("snapshot-state", "NORMAL"), ("disk-usage", "DATA_DISK"), ("project-id", "0"), ("encrypt", "false"),
        ("snapshot-type", "PRIVATE_SNAPSHOT"), ("zone", "ap-guangzhou-4"),
    ):  # fmt: skip
        assert _ids(client, condition) == [second, first]
    for condition in (
        ("snapshot-state", "CREATING"), ("disk-usage", "SYSTEM_DISK"), ("snapshot-type", "SHARED_SNAPSHOT"),
        ("encrypt", "true"),
    ):  # fmt: skip
        assert _ids(client, condition) == []
    page = client.call("DescribeSnapshots", {"Offset": 1, "Limit": 1}).response
    assert (page["TotalCount"], [found["SnapshotId"] for found in page["SnapshotSet"]]) == (2, [first])
    both = {"SnapshotIds": [first], "Filters": [{"Name": "snapshot-id", "Values": [first]}]}
    assert _code(client, "DescribeSnapshots", both) == "InvalidParameter"


def test_what_is_asked_for_wrongly_says_where(client: Client) -> None:
    disk = _disk(client, DiskSize=30)
    snapshot = client.call("CreateSnapshot", {"DiskId": disk}).response["SnapshotId"]
    assert _code(client, "DeleteSnapshots", {"SnapshotIds": [snapshot]}) == "ResourceUnavailable.SnapshotCreating"
    work()
    assert _code(client, "CreateSnapshot", {"DiskId": "disk-unknown0"}) == "InvalidDiskId.NotFound"
    assert _code(client, "CreateSnapshot", {}) == "MissingParameter"
    assert _code(client, "CreateSnapshot", {"DiskId": disk, "SnapshotName": "x" * 61}) == "InvalidParameterValue"
    assert _code(client, "ModifySnapshotAttribute", {"SnapshotId": snapshot}) == "MissingParameter"
    other = _disk(client)
    assert _code(client, "ApplySnapshot", {"SnapshotId": snapshot, "DiskId": other}) == "InvalidSnapshot.NotSupported"
    smaller = {**OWN_DISK, "DiskSize": 20, "SnapshotId": snapshot}
    assert _code(client, "CreateDisks", smaller) == "InvalidParameterValue"
    unknown = {**OWN_DISK, "SnapshotId": "snap-unknown0"}
    assert _code(client, "CreateDisks", unknown) == "InvalidSnapshotId.NotFound"


def test_a_machine_is_bought_with_a_disk_that_holds_it_also_from_a_template(client: Client, world: World) -> None:
    size = 30
    source = _disk(client, DiskSize=size)
    world.write(source, "kept")
    snapshot = client.call("CreateSnapshot", {"DiskId": source}, service="cbs").response["SnapshotId"]
    work()
    disks = [{"DiskSize": size, "DiskType": OWN_DISK["DiskType"], "SnapshotId": snapshot}]
    asked = {**HOURLY, "Placement": {"Zone": OWN_DISK["Placement"]["Zone"]}, "DataDisks": disks}
    (name,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    template = {"LaunchTemplateName": "of-it", **asked}
    kept = client.call("CreateLaunchTemplate", template).response["LaunchTemplateId"]
    (version,) = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": kept}).response[
        "LaunchTemplateVersionSet"
    ]
    assert version["LaunchTemplateVersionData"]["DataDisks"][0]["SnapshotId"] == snapshot
    (other,) = client.call("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": kept}}).response["InstanceIdSet"]
    work()
    for machine in (name, other):
        (shown,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
        (disk,) = shown["DataDisks"]
        assert (shown["InstanceState"], disk["SnapshotId"], world.read(disk["DiskId"])) == ("RUNNING", snapshot, "kept")
    small = {**asked, "DataDisks": [{**disks[0], "DiskSize": size - 10}]}
    answer = client.call("RunInstances", small).response["Error"]
    assert (answer["Code"], "DataDisks.0.DiskSize" in answer["Message"]) == ("InvalidParameterValue", True)
    none = {**asked, "DataDisks": [{**disks[0], "SnapshotId": "snap-none"}]}
    assert client.call("RunInstances", none).response["Error"]["Code"] == "InvalidSnapshotId.NotFound"
    # A disk without a size is left away, but not one that is to hold something: its machine would come without it.
    unsized = {**asked, "DataDisks": [{**disks[0], "DiskSize": 0}]}
    with nothing_written():
        code, sentence = client.call("RunInstances", unsized).error
    assert (code, sentence[:22]) == ("InvalidParameterValue.Range", "DataDisks.0.DiskSize: ")


def test_until_when_one_is_kept_is_said_told_and_changed(client: Client) -> None:
    """The published time is in UTC; what is told is in the shop's zone."""
    disk, ends = _disk(client), "2026-03-20T02:00:00+00:00"
    snapshot = client.call("CreateSnapshot", {"DiskId": disk, "Deadline": ends}).response["SnapshotId"]
    work()

    def kept() -> tuple[bool, str]:
        (shown,) = told(client, SnapshotIds=[snapshot])
        return shown["IsPermanent"], shown["DeadlineTime"]

    assert kept() == (False, "2026-03-20 10:00:00")
    change = {"SnapshotId": snapshot, "Deadline": "2026-03-21T04:00:00", "IsPermanent": False}
    assert "Error" not in client.call("ModifySnapshotAttribute", change).response
    assert kept() == (False, "2026-03-21 12:00:00")
    assert "Error" not in client.call("ModifySnapshotAttribute", {"SnapshotId": snapshot, "IsPermanent": True}).response
    assert kept() == (True, "")
    for wrong, code in (
        ({"Deadline": "tomorrow"}, "InvalidParameterValue"),
        ({"Deadline": "2026-03-10T03:00:00"}, "InvalidParameterValue"),
        ({"Deadline": "0001-01-01T00:00:00+23:00"}, "InvalidParameterValue"),
        ({"IsPermanent": False}, "MissingParameter"),
        ({"IsPermanent": True, "Deadline": ends}, "InvalidParameter"),
        ({}, "MissingParameter"),
    ):  # fmt: skip
        assert _code(client, "ModifySnapshotAttribute", {"SnapshotId": snapshot, **wrong}) == code, wrong
    assert kept() == (True, "")
