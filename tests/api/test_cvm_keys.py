"""Given a customer, when a program makes, imports and lists key pairs, then machines can be bought with them."""

from typing import Any

import pytest

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.customer import nothing_written, open_customer
from tests.api.signing import SECRET_ID
from tests.api.test_cvm_purchase import HOURLY
from tests.instances.test_key_pairs import ED25519
from vmart.api import services
from vmart.api.wire.rates import CallRates
from vmart.instances.models import Instance, KeyPair

pytestmark = pytest.mark.usefixtures("shop")
NEW = {"KeyName": "work", "ProjectId": 0}


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_pair_is_made_used_shown_and_deleted(client: Client, method: str) -> None:
    pair = client.call("CreateKeyPair", NEW, method=method).response["KeyPair"]
    assert pair["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert pair["PublicKey"].startswith("ssh-rsa ")
    assert (pair["KeyName"], pair["ProjectId"], pair["AssociatedInstanceIds"]) == ("work", 0, [])
    login = {"LoginSettings": {"KeyIds": [pair["KeyId"]]}}
    (public_id,) = client.call("RunInstances", {**HOURLY, **login}).response["InstanceIdSet"]
    assert Instance.objects.get().ssh_keys == [pair["PublicKey"]]
    (machine,) = client.call("DescribeInstances").response["InstanceSet"]
    assert machine["LoginSettings"] == {"KeyIds": [pair["KeyId"]]}

    (shown,) = client.call("DescribeKeyPairs", {"KeyIds": [pair["KeyId"]]}, method=method).response["KeyPairSet"]
    assert shown == {
        **{name: pair[name] for name in pair if name != "PrivateKey"},
        "AssociatedInstanceIds": [public_id],
    }

    with nothing_written():
        code, sentence = client.call("DeleteKeyPairs", {"KeyIds": [pair["KeyId"]]}, method=method).error
    assert code == "InvalidParameterValue.KeyPairNotSupported"
    assert public_id in sentence
    Instance.objects.update(state="GONE", gone_at=Instance.objects.get().created_at)
    assert set(client.call("DeleteKeyPairs", {"KeyIds": [pair["KeyId"]]}, method=method).response) == {"RequestId"}
    assert client.call("DescribeKeyPairs").response["KeyPairSet"] == []


def test_importing(client: Client) -> None:
    public = f"{ED25519} me@laptop"
    key_id = client.call("ImportKeyPair", {**NEW, "PublicKey": public}).response["KeyId"]
    (shown,) = client.call("DescribeKeyPairs").response["KeyPairSet"]
    assert (shown["KeyId"], shown["PublicKey"], shown["KeyName"]) == (key_id, public, "work")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["b", "a"]),
        ({"Limit": 1}, ["b"]),
        ({"Limit": 1, "Offset": 1}, ["a"]),
        ({"Offset": 2}, []),
        ({"KeyIds": ["skey-unknown0"]}, []),
        ({"Filters": [{"Name": "key-name", "Values": ["a", "c"]}]}, ["a"]),
        ({"Filters": [{"Name": "project-id", "Values": ["0"]}]}, ["b", "a"]),
        ({"Filters": [{"Name": "project-id", "Values": ["1"]}]}, []),
        ({"Filters": [{"Name": "tag:team", "Values": ["x"]}]}, []),
    ],
)
def test_pairs_by_filter_and_page(client: Client, asked: dict[str, Any], found: list[str]) -> None:
    client.call("ImportKeyPair", {"KeyName": "a", "ProjectId": 0, "PublicKey": ED25519})
    client.call("CreateKeyPair", {"KeyName": "b", "ProjectId": 0})
    for method in ("POST", "GET"):
        answer = client.call("DescribeKeyPairs", asked, method=method).response
        assert [pair["KeyName"] for pair in answer["KeyPairSet"]] == found
        if "Limit" not in asked and "Offset" not in asked:
            assert answer["TotalCount"] == len(found)
        else:
            assert answer["TotalCount"] == 2


BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("CreateKeyPair", {"ProjectId": 0}, "MissingParameter", "KeyName"),
    ("CreateKeyPair", {"KeyName": "a"}, "MissingParameter", "ProjectId"),
    ("CreateKeyPair", {**NEW, "KeyName": ""}, "InvalidKeyPairNameEmpty", "KeyName"),
    ("CreateKeyPair", {**NEW, "KeyName": "x" * 26}, "InvalidKeyPairNameTooLong", "KeyName"),
    ("CreateKeyPair", {**NEW, "KeyName": "x" * 999}, "InvalidKeyPairNameTooLong", "KeyName"),
    ("CreateKeyPair", {**NEW, "KeyName": "a-b"}, "InvalidKeyPairNameIncludeIllegalChar", "KeyName"),
    ("CreateKeyPair", {**NEW, "KeyName": 5}, "InvalidParameter", "KeyName"),
    ("CreateKeyPair", {**NEW, "ProjectId": 7}, "InvalidProjectId.NotFound", "ProjectId"),
    ("CreateKeyPair", {**NEW, "TagSpecification": [{"ResourceType": "keypair"}]}, "MissingParameter", "Tags"),
    ("ImportKeyPair", NEW, "MissingParameter", "PublicKey"),
    ("ImportKeyPair", {**NEW, "PublicKey": "ssh-rsa AAAA"}, "InvalidPublicKey.Malformed", "PublicKey"),
    ("ImportKeyPair", {**NEW, "PublicKey": "x" * 20_000}, "InvalidPublicKey.Malformed", "PublicKey"),
    ("DescribeKeyPairs", {"KeyIds": ["a"], "Filters": [{"Name": "key-name", "Values": ["a"]}]}, "InvalidParameter",
     "Filters"),
    ("DescribeKeyPairs", {"Filters": [{"Name": "colour", "Values": ["a"]}]}, "InvalidFilter", "Filters.0.Name"),
    ("DescribeKeyPairs", {"Limit": 0}, "InvalidParameterValueLimit", "Limit"),
    ("DeleteKeyPairs", {}, "MissingParameter", "KeyIds"),
    ("DeleteKeyPairs", {"KeyIds": ["skey-unknown0"]}, "InvalidKeyPairId.NotFound", "skey-unknown0"),
    ("DeleteKeyPairs", {"KeyIds": ["skey-a"] * 101}, "InvalidKeyPair.LimitExceeded", "KeyIds"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "asked", "code", "names"), BAD)
def test_bad_requests_write_nothing(client: Client, action: str, asked: dict[str, Any], code: str, names: str) -> None:
    with nothing_written():
        given, sentence = client.call(action, asked).error
    assert (given, names in sentence) == (code, True), sentence


def test_names_and_keys_are_there_once(client: Client) -> None:
    client.call("ImportKeyPair", {**NEW, "PublicKey": ED25519})
    with nothing_written():
        assert client.call("CreateKeyPair", NEW).error[0] == "InvalidKeyPairName.Duplicate"
        again = {"KeyName": "again", "ProjectId": 0, "PublicKey": ED25519}
        assert client.call("ImportKeyPair", again).error[0] == "InvalidPublicKey.Duplicate"
    assert KeyPair.objects.count() == 1


def test_pairs_are_not_made_faster_than_the_account_may_buy() -> None:
    """A key costs CPU to make: RunInstances' rate holds here too."""
    keys = Ring({SECRET_ID: TestKey(rate_run_per_s=1)})
    used_up = CallRates(lambda *_: 0)
    hurried = Client(application(services.API, keys=keys, rates=used_up))
    with nothing_written():
        assert hurried.call("CreateKeyPair", NEW).error[0] == "RequestLimitExceeded"
