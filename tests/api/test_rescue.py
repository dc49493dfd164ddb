"""Given a machine, when a program has it booted from a rescue system, then it is told what the published API tells."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_every_action import Things, owner
from tests.support.shopper import ZONE, work
from vmart.catalog.models import Zone
from vmart.worker.models import Operation

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

PASSWORD = "Rescue-pass-1"
ENTER, EXIT = "EnterRescueMode", "ExitRescueMode"


def _state(client: Client, public_id: str) -> tuple[str, str, str]:
    (told,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    return told["InstanceState"], told["LatestOperation"], told["LatestOperationState"]


def _error(client: Client, action: str, asked: dict[str, Any]) -> tuple[str, str]:
    with nothing_written():
        error = client.call(action, asked).response["Error"]
    return error["Code"], error["Message"]


def test_a_machine_goes_in_and_out_and_says_where_it_is(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceId": has.running, "Password": PASSWORD, "Username": "root", "StopType": "HARD"}
    assert set(client.call(ENTER, asked).response) == {"RequestId"}
    assert _state(client, has.running) == ("ENTER_RESCUE_MODE", ENTER, "OPERATING")
    assert Operation.objects.get(kind="rescue").payload["hard"] is True
    work()
    assert _state(client, has.running) == ("RESCUE_MODE", ENTER, "SUCCESS")
    inside = {"Filters": [{"Name": "instance-state", "Values": ["RESCUE_MODE"]}]}
    listed = client.call("DescribeInstances", inside).response["InstanceSet"]
    assert {one["InstanceId"] for one in listed} == {has.running, has.rescued}
    told = client.call("DescribeInstancesStatus", {"InstanceIds": [has.running]}).response["InstanceStatusSet"]
    assert told == [{"InstanceId": has.running, "InstanceState": "RESCUE_MODE"}]
    assert set(client.call(EXIT, {"InstanceId": has.running}).response) == {"RequestId"}
    assert _state(client, has.running) == ("EXIT_RESCUE_MODE", EXIT, "OPERATING")
    work()
    assert _state(client, has.running) == ("RUNNING", EXIT, "SUCCESS")


@pytest.mark.parametrize("members", [{}, {"ForceStop": True}, {"StopType": "SOFT"}, {"StopType": "SOFT_FIRST"}])
def test_a_guest_is_asked_first_unless_it_is_said_otherwise(
    owner: tuple[Client, Things], members: dict[str, object]
) -> None:
    client, has = owner
    client.call(ENTER, {"InstanceId": has.stopped, "Password": PASSWORD, **members})
    assert Operation.objects.get(kind="rescue").payload["hard"] is False


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"Password": "short"}, "InvalidParameterValue.InvalidPassword", "8 to 30 characters"),
        ({"Username": "nobody"}, "InvalidParameterValue", "The user of the rescue system is root"),
        ({"StopType": "NOW"}, "InvalidParameterValue", "StopType"),
        ({"StopType": "SOFT", "ForceStop": True}, "InvalidParameter", "ForceStop and StopType exclude each other."),
        ({"InstanceId": "ins-unknown0"}, "InvalidInstanceId.NotFound", "does not exist"),
        ({"InstanceId": ""}, "InvalidInstanceId.NotFound", "does not exist"),
        ({"Password": None}, "MissingParameter", "Password"),
    ],
)
def test_what_is_wrong_is_told_by_its_documented_code(
    owner: tuple[Client, Things], members: dict[str, object], code: str, says: str
) -> None:
    client, has = owner
    asked = {"InstanceId": has.running, "Password": PASSWORD} | members
    told = _error(client, ENTER, {name: value for name, value in asked.items() if value is not None})
    assert (told[0], says in told[1]) == (code, True), told


def test_what_cannot_be_done_in_it_or_out_of_it(owner: tuple[Client, Things]) -> None:
    client, has = owner
    inside = "UnsupportedOperation.InstanceStateRescueMode"
    assert _error(client, ENTER, {"InstanceId": has.rescued, "Password": PASSWORD})[0] == inside
    for action, members in (
        ("StopInstances", {}), ("StartInstances", {}), ("RebootInstances", {}),
        ("ResetInstancesType", {"InstanceType": "S5.LARGE8"}),
        ("ResetInstancesPassword", {"Password": PASSWORD, "ForceStop": True}),
    ):  # fmt: skip
        assert _error(client, action, {"InstanceIds": [has.rescued], **members})[0] == inside, action
    assert _error(client, "ResetInstance", {"InstanceId": has.rescued})[0] == inside
    assert _error(client, "CreateImage", {"InstanceId": has.rescued, "ImageName": "n"})[0] == inside
    assert _error(client, "AttachDisks", {"InstanceId": has.rescued, "DiskIds": [has.own]})[0] == inside
    assert _error(client, EXIT, {"InstanceId": has.running})[0] == "UnsupportedOperation.InstanceStateRunning"
    assert _error(client, EXIT, {"InstanceId": has.stopped})[0] == "UnsupportedOperation.InstanceStateStopped"


def test_a_zone_without_it_says_why(owner: tuple[Client, Things]) -> None:
    client, has = owner
    why = "There is no rescue mode on the storage of this zone: it has not been tried there yet."
    zone = Zone.objects.get(pk=ZONE)
    Zone.objects.filter(pk=ZONE).update(capabilities=zone.capabilities | {"rescue": False, "missing": {"rescue": why}})
    told = _error(client, ENTER, {"InstanceId": has.running, "Password": PASSWORD})
    assert told == ("UnsupportedOperation", f"InstanceId: {ZONE}: {why}")
