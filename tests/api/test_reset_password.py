"""Given machines of a customer, when a program resets their password, then it is told what the published API tells."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_every_action import Things, owner
from tests.support.shopper import work
from vmart.instances.models import Instance
from vmart.kernel import unix_password

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

NEW = "New-pass-1"
RESET = "ResetInstancesPassword"


def _told(client: Client, public_id: str) -> tuple[str, str, str | None]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    return machine["InstanceState"], machine["LatestOperationState"], machine["LatestOperationErrorMsg"]


def test_machines_running_and_stopped_get_it_and_say_when(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running, has.stopped], "Password": NEW, "UserName": "root", "ForceStop": True}
    assert set(client.call(RESET, asked).response) == {"RequestId"}
    assert _told(client, has.running) == ("RUNNING", "OPERATING", None)
    work()
    assert _told(client, has.running) == ("RUNNING", "SUCCESS", None)
    assert _told(client, has.stopped) == ("STOPPED", "SUCCESS", None)
    for machine in Instance.objects.filter(public_id__in=[has.running, has.stopped]):
        assert unix_password.matches(NEW, machine.password_hash)


def test_a_user_who_is_not_there_is_told_in_the_language_of_the_call(owner: tuple[Client, Things]) -> None:
    client, has = owner
    client.call(RESET, {"InstanceIds": [has.stopped], "Password": NEW, "UserName": "app"})
    work()
    assert _told(client, has.stopped) == (
        "STOPPED",
        "FAILED",
        "The password could not be reset; the one of before holds. The machine has no user of this name. "
        "Name a user that the machine has; leave the name away for the machine's own.",
    )


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"Password": "lower1234"}, "InvalidParameterValue.InvalidPassword", "Password: A password has at least 3"),
        ({"Password": "/Abcd1234"}, "InvalidParameterValue.InvalidPassword", "begin with a slash"),
        ({"Password": "x" * 201}, "InvalidParameterValue.InvalidPassword", "Password is too long"),
        ({"Password": None}, "MissingParameter", "Password"),
        ({"UserName": "a:b"}, "InvalidParameterValue", "UserName"),
        ({"UserName": "a" * 65}, "InvalidParameterValue", "UserName is too long"),
        ({"InstanceIds": []}, "MissingParameter", "InstanceIds"),
        ({"InstanceIds": ["ins-unknown0"]}, "InvalidInstanceId.NotFound", "ins-unknown0"),
        ({"ForceStop": False}, "UnsupportedOperation.InstanceStateRunning", "say ForceStop, or stop it first"),
        ({"ForceStop": None}, "UnsupportedOperation.InstanceStateRunning", "say ForceStop, or stop it first"),
    ],
)
def test_what_is_refused_writes_nothing(
    owner: tuple[Client, Things], change: dict[str, Any], code: str, says: str
) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running], "Password": NEW, "ForceStop": True} | change
    with nothing_written():
        error = client.call(RESET, {name: value for name, value in asked.items() if value is not None}).error
    assert error[0] == code
    assert says in error[1]
    assert str(change.get("Password") or NEW) not in error[1]


def test_the_legacy_api_takes_running_machines_as_they_are_each_by_itself(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"instanceIds": [has.running, "ins-unknown0", has.stopped], "password": NEW}
    body = client.legacy("ResetInstancePassword", asked)
    assert (body["code"], body["codeDesc"]) == (5400, "OperationPartlyFailed")
    assert {name: told["code"] for name, told in body["detail"].items()} == {
        has.running: 0, "ins-unknown0": 5000, has.stopped: 0,
    }  # fmt: skip
    work()
    assert _told(client, has.running) == ("RUNNING", "SUCCESS", None)
    with nothing_written():
        weak = client.legacy("ResetInstancePassword", {"instanceIds": [has.running], "password": "lower1234"})
    assert weak["code"] == 4000
    assert weak["message"].startswith("A password has at least 3 of these: ")
