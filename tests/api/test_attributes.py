"""Given machines, when their name or protection is changed, then it is so at once, and programs heed it."""

import base64
from pathlib import Path
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support.shopper import work
from vmart.engines.simulated.world import World
from vmart.events.actor import PAGE, Actor
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.orders import terminate

pytestmark = pytest.mark.usefixtures("delivering")


def _buy(client: Client, asked: dict[str, Any]) -> list[str]:
    ids: list[str] = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()
    return ids


def _told(client: Client, member: str) -> list[Any]:
    return [machine[member] for machine in client.call("DescribeInstances").response["InstanceSet"]]


def _states(client: Client) -> list[str]:
    return _told(client, "InstanceState")


def test_a_new_name_for_several_as_it_stands() -> None:
    client, _ = open_customer()
    ids = _buy(client, {**HOURLY, "InstanceCount": 2, "InstanceName": "old"})
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "InstanceName": "新 {R:1}"})
    assert _told(client, "InstanceName") == ["新 {R:1}", "新 {R:1}"]
    renamed = Event.objects.filter(kind="renamed").order_by("subject_id")
    assert [event.detail for event in renamed] == [
        {"old": "old1", "new": "新 {R:1}"}, {"old": "old2", "new": "新 {R:1}"}
    ]  # fmt: skip
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "InstanceName": ""})
    assert _told(client, "InstanceName") == ["Unnamed", "Unnamed"]
    assert _told(client, "LatestOperation") == ["RunInstances", "RunInstances"]


def test_what_is_so_already_is_no_event() -> None:
    client, _ = open_customer()
    ids = _buy(client, {**HOURLY, "InstanceName": "same"})
    with nothing_written():
        asked = {"InstanceIds": ids, "InstanceName": "same", "DisableApiTermination": False}
        assert "Error" not in client.call("ModifyInstancesAttribute", asked).response


def test_a_host_name_for_several_without_a_reboot(tmp_path: Path) -> None:
    world = World(tmp_path / "engine.sqlite")
    client, _ = open_customer()
    ids = _buy(client, {**HOURLY, "InstanceCount": 2})
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "HostName": "web-2", "AutoReboot": False})
    assert _told(client, "LatestOperationState") == ["OPERATING", "OPERATING"]
    assert _told(client, "HostName") == ids[::-1]
    work()
    assert (_told(client, "LatestOperation"), _told(client, "LatestOperationState")) == (
        ["ModifyInstancesAttribute"] * 2, ["SUCCESS"] * 2,
    )  # fmt: skip
    assert _told(client, "HostName") == ["web-2", "web-2"]
    assert [(world.system(name)[1], world.boots(name)) for name in ids] == [("web-2", 1), ("web-2", 1)]


def test_there_is_one_project() -> None:
    client, _ = open_customer()
    ids = _buy(client, {**HOURLY, "InstanceCount": 2})
    assert "Error" not in client.call("ModifyInstancesProject", {"InstanceIds": ids, "ProjectId": 0}).response
    assert Event.objects.filter(kind="ModifyInstancesProject").count() == 2
    with nothing_written():
        for asked, code in (
            ({"InstanceIds": ids, "ProjectId": 1}, "InvalidProjectId.NotFound"),
            ({"InstanceIds": ids}, "MissingParameter"),
            ({"InstanceIds": [*ids, "ins-unknown0"], "ProjectId": 0}, "InvalidInstanceId.NotFound"),
            ({"InstanceIds": [], "ProjectId": 0}, "MissingParameter"),
        ):
            assert client.call("ModifyInstancesProject", asked).error[0] == code
    assert [placement["ProjectId"] for placement in _told(client, "Placement")] == [0, 0]


def _documents(client: Client, ids: list[str]) -> list[str]:
    asked = {"InstanceIds": ids, "Attributes": ["UserData"]}
    found = client.call("DescribeInstancesAttributes", asked).response["InstanceSet"]
    return [machine["Attributes"]["UserData"] for machine in found]


def test_user_data_is_that_of_the_next_system() -> None:
    client, _ = open_customer()
    ids = _buy(client, {**HOURLY, "InstanceCount": 2, "UserData": DOCUMENT})
    other = base64.b64encode(b"#!/bin/sh\nsecond\n").decode()
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "UserData": other})
    assert _documents(client, ids) == [other, other]
    assert _told(client, "LatestOperation") == ["RunInstances", "RunInstances"]
    with nothing_written():
        client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "UserData": other})
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids[:1], "UserData": ""})
    assert _documents(client, ids) == ["", other]
    assert Event.objects.filter(kind="user_data_changed").count() == 3
    client.call("ResetInstance", {"InstanceId": ids[1]})
    work()
    assert _documents(client, ids) == ["", other]


LARGE = base64.b64encode(bytes(16385)).decode()
DOCUMENT = base64.b64encode(b"#!/bin/sh\nfirst\n").decode()
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({}, "MissingParameter.AtLeastOne", "InstanceName, HostName, DisableApiTermination, UserData and SecurityGroups"),
    ({"InstanceName": "x" * 129}, "InvalidInstanceName.TooLong", "at most 128 characters; this has 129"),
    ({"InstanceName": "a\nb"}, "InvalidParameter", "InstanceName"),
    ({"InstanceIds": [], "InstanceName": "n"}, "MissingParameter", "InstanceIds"),
    ({"InstanceIds": ["ins-unknown0"], "InstanceName": "n"}, "InvalidInstanceId.NotFound", "ins-unknown0"),
    ({"HostName": "n"}, "InvalidParameterValue.IllegalHostName", "HostName"),
    ({"HostName": "n" * 201}, "InvalidParameterValue.IllegalHostName", "HostName"),
    ({"HostName": "web-2", "AutoReboot": True}, "UnsupportedOperation", "AutoReboot"),
    ({"SecurityGroups": ["sg-1"]}, "InvalidSecurityGroupId.NotFound", "SecurityGroups.0"),
    ({"UserData": "%"}, "InvalidParameterValue.InvalidUserDataFormat", "UserData is not base64"),
    ({"UserData": LARGE}, "InvalidParameterValue.Range", "UserData: User data has at most 16384 bytes"),
]


@pytest.mark.parametrize(("change", "code", "names"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_bad_changes_write_nothing(change: dict[str, Any], code: str, names: str) -> None:
    client, _ = open_customer()
    ids = _buy(client, HOURLY)
    with nothing_written():
        given, sentence = client.call("ModifyInstancesAttribute", {"InstanceIds": ids, **change}).error
    assert (given, names in sentence) == (code, True), sentence


@pytest.mark.parametrize("asked", [HOURLY, MONTHLY])
def test_no_program_ends_a_protected_machine(asked: dict[str, Any]) -> None:
    """Given protection from the purchase on, then neither API ends it, with others or alone, until it is cleared."""
    client, _ = open_customer()
    (protected,) = _buy(client, {**asked, "DisableApiTermination": True})
    (other,) = _buy(client, asked)
    assert _told(client, "DisableApiTermination") == [False, True]
    with nothing_written():
        code, sentence = client.call("TerminateInstances", {"InstanceIds": [other, protected]}).error
        legacy = client.legacy("ReturnInstance", {"instanceId": protected})
    assert (code, protected in sentence) == ("UnsupportedOperation.InstancesProtected", True)
    assert (legacy["code"], legacy["codeDesc"]) == (5100, code)
    client.call("ModifyInstancesAttribute", {"InstanceIds": [protected], "DisableApiTermination": False})
    assert [event.kind for event in Event.objects.filter(kind__contains="protected")] == ["unprotected"]
    client.call("TerminateInstances", {"InstanceIds": [protected]})
    work()
    assert _states(client) == ["RUNNING", "SHUTDOWN"]


def test_protection_in_the_recycle_bin_keeps_programs_from_erasing() -> None:
    client, _ = open_customer()
    ids = _buy(client, HOURLY)
    client.call("TerminateInstances", {"InstanceIds": ids})
    work()
    client.call("ModifyInstancesAttribute", {"InstanceIds": ids, "DisableApiTermination": True})
    with nothing_written():
        assert client.call("TerminateInstances", {"InstanceIds": ids}).error[0] == (
            "UnsupportedOperation.InstancesProtected"
        )
    assert _states(client) == ["SHUTDOWN"]


def test_its_owner_ends_a_protected_machine_on_the_page() -> None:
    client, account_id = open_customer()
    ids = _buy(client, {**HOURLY, "DisableApiTermination": True})
    terminate.terminate(Actor(account_id, PAGE, "its owner"), ids)
    assert _states(client) == ["SHUTDOWN"]


def test_user_data_is_told_as_base64_in_the_order_asked_for() -> None:
    client, _ = open_customer()
    script = b"#!/bin/sh\necho \xe4\xbd\xa0\n"
    (first,) = _buy(client, {**HOURLY, "UserData": base64.b64encode(script).decode()})
    (second,) = _buy(client, HOURLY)
    for ids in ([first, second], [second, first]):
        asked = {"InstanceIds": ids, "Attributes": ["UserData"]}
        told = client.call("DescribeInstancesAttributes", asked).response["InstanceSet"]
        assert [machine["InstanceId"] for machine in told] == ids
        texts = {machine["InstanceId"]: machine["Attributes"]["UserData"] for machine in told}
        assert texts == {first: base64.b64encode(script).decode(), second: ""}


@pytest.mark.parametrize(
    ("ids", "attributes", "code"),
    [
        ([], ["UserData"], "MissingParameter"),
        (["ins-unknown0"], ["UserData"], "InvalidInstanceId.NotFound"),
        (["ins-unknown0"], ["Colour"], "InvalidParameterValue"),
        (["ins-unknown0"], [], "MissingParameter"),
    ],
)
def test_user_data_of_nothing(ids: list[str], attributes: list[str], code: str) -> None:
    client, _ = open_customer()
    assert client.call("DescribeInstancesAttributes", {"InstanceIds": ids, "Attributes": attributes}).error[0] == code


def test_user_data_of_an_erased_machine_is_not_told() -> None:
    client, _ = open_customer()
    ids = _buy(client, HOURLY)
    for _ in range(2):
        client.call("TerminateInstances", {"InstanceIds": ids})
        work()
    assert Instance.objects.get().state == "GONE"
    asked = {"InstanceIds": ids, "Attributes": ["UserData"]}
    assert client.call("DescribeInstancesAttributes", asked).error[0] == "InvalidInstanceId.NotFound"
