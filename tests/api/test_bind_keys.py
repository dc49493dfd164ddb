"""Given a program that binds key pairs and takes them away, then it is told what the published API tells."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_every_action import Things, owner
from tests.instances.test_key_pairs import ED25519
from tests.support.shopper import work

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

BIND, UNBIND = "AssociateInstancesKeyPairs", "DisassociateInstancesKeyPairs"


def _told(client: Client, public_id: str) -> tuple[str, str | None, str | None, dict[str, Any]]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    return (
        machine["InstanceState"], machine["LatestOperation"], machine["LatestOperationState"], machine["LoginSettings"],
    )  # fmt: skip


def _associated(client: Client, key_id: str) -> list[str]:
    (pair,) = client.call("DescribeKeyPairs", {"KeyIds": [key_id]}).response["KeyPairSet"]
    return list(pair["AssociatedInstanceIds"])


def test_machines_running_and_stopped_get_them_and_say_when(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running, has.stopped], "KeyIds": [has.key], "ForceStop": True}
    assert set(client.call(BIND, asked).response) == {"RequestId"}
    assert _told(client, has.running) == ("RUNNING", BIND, "OPERATING", {})
    assert _told(client, has.stopped) == ("STOPPED", BIND, "OPERATING", {"KeyIds": [has.bound]})
    assert (_associated(client, has.key), _associated(client, has.bound)) == ([], [has.stopped])
    work()
    assert _told(client, has.running) == ("RUNNING", BIND, "SUCCESS", {"KeyIds": [has.key]})
    assert _told(client, has.stopped) == ("STOPPED", BIND, "SUCCESS", {"KeyIds": [has.key]})
    assert (_associated(client, has.key), _associated(client, has.bound)) == ([has.running, has.stopped], [])
    assert set(client.call(UNBIND, asked).response) == {"RequestId"}
    assert _told(client, has.stopped) == ("STOPPED", UNBIND, "OPERATING", {"KeyIds": [has.key]})
    work()
    assert _told(client, has.stopped) == ("STOPPED", UNBIND, "SUCCESS", {})
    assert _associated(client, has.key) == []


def test_a_pair_is_deleted_once_no_machine_has_it(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        error = client.call("DeleteKeyPairs", {"KeyIds": [has.bound]}).error
    assert error[0] == "InvalidParameterValue.KeyPairNotSupported"
    client.call(UNBIND, {"InstanceIds": [has.stopped], "KeyIds": [has.bound]})
    work()
    assert set(client.call("DeleteKeyPairs", {"KeyIds": [has.bound]}).response) == {"RequestId"}


@pytest.mark.parametrize("action", [BIND, UNBIND])
@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"KeyIds": []}, "MissingParameter", "KeyIds"),
        ({"KeyIds": None}, "MissingParameter", "KeyIds"),
        ({"KeyIds": ["skey-unknown0"]}, "InvalidKeyPairId.NotFound", "skey-unknown0"),
        ({"KeyIds": ["skey-unknown0"] * 2}, "InvalidParameter", "twice"),
        ({"KeyIds": [f"skey-{number:08d}" for number in range(101)]}, "InvalidParameterValue.LimitExceeded", "KeyIds"),
        ({"KeyIds": "skey-unknown0"}, "InvalidParameter", "KeyIds"),
        ({"KeyIds": ["k" * 61]}, "InvalidParameterValue.LimitExceeded", "KeyIds"),
        ({"InstanceIds": []}, "MissingParameter", "InstanceIds"),
        ({"InstanceIds": ["ins-unknown0"]}, "InvalidInstanceId.NotFound", "ins-unknown0"),
        ({"ForceStop": False}, "UnsupportedOperation.InstanceStateRunning", "say ForceStop, or stop it first"),
        ({"ForceStop": None}, "UnsupportedOperation.InstanceStateRunning", "say ForceStop, or stop it first"),
    ],
)
def test_what_is_refused_writes_nothing(
    owner: tuple[Client, Things], action: str, change: dict[str, Any], code: str, says: str
) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running], "KeyIds": [has.key], "ForceStop": True} | change
    with nothing_written():
        error = client.call(action, {name: value for name, value in asked.items() if value is not None}).error
    assert error[0] == code
    assert says in error[1]


def test_a_pair_that_is_not_the_machines_cannot_be_taken_away(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        error = client.call(UNBIND, {"InstanceIds": [has.stopped], "KeyIds": [has.bound, has.key]}).error
    assert error == (
        "InvalidParameterValue.KeyPairNotSupported",
        f"KeyIds: The key pair {has.key} is not bound to the instance {has.stopped}.",
    )


def test_anothers_pair_is_unknown_and_a_busy_machine_says_so(owner: tuple[Client, Things]) -> None:
    client, has = owner
    stranger, _ = open_customer("stranger")
    theirs = stranger.call("ImportKeyPair", {"KeyName": "n", "ProjectId": 0, "PublicKey": ED25519}).response["KeyId"]
    for action in (BIND, UNBIND):
        with nothing_written():
            code, sentence = client.call(action, {"InstanceIds": [has.stopped], "KeyIds": [theirs]}).error
        assert (code, theirs in sentence) == ("InvalidKeyPairId.NotFound", True)
    client.call(BIND, {"InstanceIds": [has.stopped], "KeyIds": [has.key]})
    with nothing_written():
        error = client.call(UNBIND, {"InstanceIds": [has.stopped], "KeyIds": [has.bound]}).error
    assert error[0] == "OperationDenied.InstanceOperationInProgress"
