"""Given a machine, when a program has its system installed anew, then it is told what the published API tells."""

import base64
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_every_action import Things, owner
from tests.support.shopper import ZONE, work
from vmart.catalog.models import Image, ZoneImage
from vmart.instances.models import Instance
from vmart.kernel import unix_password
from vmart.storage.models import Disk

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

NEW = "New-pass-1"
RESET, INQUIRY = "ResetInstance", "InquiryPriceResetInstance"


def _told(client: Client, public_id: str) -> dict[str, Any]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    assert isinstance(machine, dict)
    return machine


def _state(client: Client, public_id: str) -> tuple[str, str, str]:
    told = _told(client, public_id)
    return told["InstanceState"], told["LatestOperation"], told["LatestOperationState"]


def test_a_machine_gets_another_system_and_says_when(owner: tuple[Client, Things]) -> None:
    client, has = owner
    other = Image.objects.filter(unavailable_en="").exclude(public_id=_told(client, has.running)["ImageId"])[0]
    ZoneImage.objects.update_or_create(zone_id=ZONE, image=other, defaults={"status": "ready"})
    document = base64.b64encode(b"#!/bin/sh\n").decode()
    asked = {
        "InstanceId": has.running, "ImageId": other.public_id, "LoginSettings": {"Password": NEW}, "HostName": "anew",
        "UserData": document, "EnhancedService": {"MonitorService": {"Enabled": True}},
    }  # fmt: skip
    assert set(client.call(RESET, asked).response) == {"RequestId"}
    assert _state(client, has.running) == ("STARTING", RESET, "OPERATING")
    work()
    assert _state(client, has.running) == ("RUNNING", RESET, "SUCCESS")
    told = _told(client, has.running)
    assert (told["ImageId"], told["HostName"], told["OsName"]) == (other.public_id, "anew", other.os_name)
    assert unix_password.matches(NEW, Instance.objects.get(public_id=has.running).password_hash)
    (kept,) = client.call(
        "DescribeInstancesAttributes", {"InstanceIds": [has.running], "Attributes": ["UserData"]}
    ).response["InstanceSet"]
    assert kept["Attributes"] == {"UserData": document}


def test_a_stopped_machine_of_its_own_image_with_a_key_pair(owner: tuple[Client, Things]) -> None:
    client, has = owner
    before = _told(client, has.stopped)
    client.call(RESET, {"InstanceId": has.stopped, "LoginSettings": {"KeyIds": [has.key]}})
    work()
    assert _state(client, has.stopped) == ("RUNNING", RESET, "SUCCESS")
    after = _told(client, has.stopped)
    assert (after["ImageId"], after["HostName"]) == (before["ImageId"], before["HostName"])
    assert (after["LoginSettings"], after["DataDisks"]) == ({"KeyIds": [has.key]}, before["DataDisks"])


def test_user_data_is_taken_away_where_it_is_said_to_be_empty(owner: tuple[Client, Things]) -> None:
    client, has = owner
    Instance.objects.update(user_data=b"kept")
    for said, left in (({}, b"kept"), ({"UserData": ""}, b"")):
        client.call(RESET, {"InstanceId": has.running, **said})
        work()
        assert bytes(Instance.objects.get(public_id=has.running).user_data) == left


@pytest.mark.parametrize("kind", ["running", "prepaid"])
def test_it_costs_nothing(owner: tuple[Client, Things], kind: str) -> None:
    client, has = owner
    with nothing_written():
        answer = client.call(INQUIRY, {"InstanceId": getattr(has, kind)}).response
    price = {"OriginalPrice": 0.0, "DiscountPrice": 0.0, "Discount": 100.0}
    assert answer["Price"] == {"InstancePrice": price}


@pytest.mark.parametrize("action", [RESET, INQUIRY])
@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"InstanceId": "ins-unknown0"}, "InvalidInstanceId.NotFound", "ins-unknown0"),
        ({"InstanceId": None}, "MissingParameter", "InstanceId"),
        ({"ImageId": "img-unknown0"}, "InvalidImageId.NotFound", "ImageId: The image img-unknown0 does not exist"),
        ({"LoginSettings": {"Password": "short"}}, "InvalidParameterValue.InvalidPassword", "LoginSettings.Password"),
        ({"LoginSettings": {"Password": NEW, "KeyIds": ["skey-a"]}}, "InvalidParameter", "LoginSettings"),
        ({"LoginSettings": {"KeyIds": ["skey-unknown0"]}}, "InvalidKeyPairId.NotFound", "skey-unknown0"),
        ({"UserData": "%"}, "InvalidParameterValue.InvalidUserDataFormat", "UserData is not base64"),
        ({"UserData": base64.b64encode(b"x" * 16385).decode()}, "InvalidParameterValue.Range", "16384"),
        ({"SystemDisk": {"DiskSize": 60}}, "UnsupportedOperation", "SystemDisk"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_erased(
    owner: tuple[Client, Things], action: str, change: dict[str, Any], code: str, says: str
) -> None:
    client, has = owner
    with nothing_written():
        refused = client.call(action, {"InstanceId": has.running, **change}).error
    assert (refused[0], says in refused[1]) == (code, True), refused


def test_a_host_name_that_is_none(owner: tuple[Client, Things]) -> None:
    client, has = owner
    for wrong in ("-a", "a", "a..b", "a{R:1}"):
        with nothing_written():
            refused = client.call(RESET, {"InstanceId": has.running, "HostName": wrong}).error
        assert (refused[0], refused[1].startswith("HostName: A host name has")) == (
            "InvalidParameterValue.IllegalHostName",
            True,
        ), refused


def test_an_image_that_needs_a_larger_disk(owner: tuple[Client, Things]) -> None:
    client, has = owner
    Disk.objects.update(size_gib=1)
    with nothing_written():
        refused = client.call(RESET, {"InstanceId": has.running}).error
    assert refused[0] == "InvalidParameterValue.InvalidImageIdForRetsetInstance"
    assert "make it larger first" in refused[1]


def test_a_busy_machine_and_one_in_the_bin(owner: tuple[Client, Things]) -> None:
    client, has = owner
    client.call(RESET, {"InstanceId": has.running})
    for action in (RESET, INQUIRY):
        with nothing_written():
            refused = client.call(action, {"InstanceId": has.running}).error
        assert "is busy with ResetInstance" in refused[1]
    work()
    client.call("TerminateInstances", {"InstanceIds": [has.running]})
    work()
    with nothing_written():
        refused = client.call(RESET, {"InstanceId": has.running}).error
    assert refused[0] == "UnsupportedOperation.InstanceStateIsolating"
