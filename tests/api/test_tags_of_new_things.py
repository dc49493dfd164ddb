"""Given programs that name tags where they make a thing, then it has them from its first moment on, or is not made."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_every_action import OWN_DISK
from tests.api.test_tags import tags_of
from tests.support.shopper import work

pytestmark = pytest.mark.usefixtures("delivering")
TAGS = [{"Key": "team", "Value": "a"}, {"Key": "环境", "Value": "test"}]
RULES = {"Ingress": [{"Action": "ACCEPT", "CidrBlock": "0.0.0.0/0", "Protocol": "TCP", "Port": "22"}]}
VPC, CVM, CBS = "2017-03-12 vpc", "2017-03-12", "2017-03-12 cbs"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2UYX3D1Vg0xx4YWWKUZ9fLFNZmXLFLyAyZAMRGnD0m"
GROUP = {"GroupName": "web", "GroupDescription": ""}


def _vpc(client: Client, **members: Any) -> str:
    made = client.call("CreateVpc", {"VpcName": "own", "CidrBlock": "10.7.0.0/16", **members}, service="vpc")
    return str(made.response["Vpc"]["VpcId"])


def _subnet(client: Client) -> dict[str, Any]:
    return {"VpcId": _vpc(client), "SubnetName": "s", "Zone": "ap-guangzhou-4", "CidrBlock": "10.7.3.0/24"}


def _subnets(client: Client) -> dict[str, Any]:
    asked = _subnet(client)
    return {"VpcId": asked.pop("VpcId"), "Subnets": [asked, {**asked, "CidrBlock": "10.7.4.0/24"}]}


# service, action, what is asked, service and kind of its tags, and the ids that it tells
MADE: dict[str, Any] = {
    "CreateVpc": ("vpc", {"VpcName": "n", "CidrBlock": "10.8.0.0/16"}, "vpc", "vpc", lambda r: [r["Vpc"]["VpcId"]]),
    "CreateSubnet": ("vpc", _subnet, "vpc", "subnet", lambda r: [r["Subnet"]["SubnetId"]]),
    "CreateSubnets": ("vpc", _subnets, "vpc", "subnet", lambda r: [one["SubnetId"] for one in r["SubnetSet"]]),
    "CreateSecurityGroup": ("vpc", GROUP, "cvm", "sg", lambda r: [r["SecurityGroup"]["SecurityGroupId"]]),
    "CreateSecurityGroupWithPolicies": (
        "vpc", {**GROUP, "SecurityGroupPolicySet": RULES}, "cvm", "sg",
        lambda r: [r["SecurityGroup"]["SecurityGroupId"]],
    ),
    "CreateDisks": ("cbs", {**OWN_DISK, "DiskCount": 2}, "cvm", "volume", lambda r: r["DiskIdSet"]),
    "CreateKeyPair": ("cvm", {"KeyName": "k", "ProjectId": 0}, "cvm", "keypair", lambda r: [r["KeyPair"]["KeyId"]]),
    "ImportKeyPair": (
        "cvm", {"KeyName": "k", "ProjectId": 0, "PublicKey": KEY}, "cvm", "keypair", lambda r: [r["KeyId"]]
    ),
    "CreateDisasterRecoverGroup": (
        "cvm", {"Name": "apart", "Type": "HOST"}, "cvm", "ps", lambda r: [r["DisasterRecoverGroupId"]]
    ),
}  # fmt: skip
SPECIFIED = {"CreateKeyPair": "keypair", "ImportKeyPair": "keypair", "CreateDisasterRecoverGroup": "ps"}


def _asked(client: Client, action: str) -> dict[str, Any]:
    asked = MADE[action][1]
    return dict(asked(client) if callable(asked) else asked)


def _with_tags(action: str, tags: list[dict[str, str]]) -> dict[str, Any]:
    if action not in SPECIFIED:
        return {"Tags": tags}
    return {"TagSpecification": [{"ResourceType": SPECIFIED[action], "Tags": tags}]}


@pytest.mark.parametrize("action", MADE)
def test_it_has_them_from_the_beginning(action: str) -> None:
    client, _ = open_customer()
    service, _, tagged_by, kind, ids = MADE[action]
    asked = {**_asked(client, action), **_with_tags(action, TAGS)}
    made = ids(client.call(action, asked, service=service).response)
    work()
    assert len(made) == (2 if action in ("CreateSubnets", "CreateDisks") else 1)
    for public_id in made:
        assert tags_of(client, public_id, kind, tagged_by) == {"team": "a", "环境": "test"}


@pytest.mark.parametrize("action", ["CreateVpc", "CreateSubnet", "CreateSecurityGroup"])
def test_the_answer_tells_them(action: str) -> None:
    client, _ = open_customer()
    asked = {**_asked(client, action), "Tags": TAGS}
    (thing,) = [
        value for value in client.call(action, asked, service="vpc").response.values() if isinstance(value, dict)
    ]
    assert thing["TagSet"] == TAGS


def test_the_answer_of_a_key_pair_tells_them() -> None:
    client, _ = open_customer()
    asked = {"KeyName": "k", "ProjectId": 0, **_with_tags("CreateKeyPair", TAGS)}
    assert client.call("CreateKeyPair", asked).response["KeyPair"]["Tags"] == TAGS


_INVALID = "InvalidParameterValue."
# what is asked, the code of the services vpc and cbs, that of cvm, and the place
BAD = {
    "twice": (
        [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
        _INVALID + "TagKeyDuplicate", _INVALID + "DuplicateTags", "Tags.1.Key",
    ),
    "no key": (
        [{"Key": "", "Value": "1"}], _INVALID + "TagKeyEmpty", "FailedOperation.IllegalTagKey", "Tags.0.Key"
    ),
    "no value": (
        [{"Key": "a", "Value": ""}], _INVALID + "TagValueEmpty", "FailedOperation.IllegalTagValue", "Tags.0.Value"
    ),
    "reserved": (
        [{"Key": "qcloud:a", "Value": "1"}],
        _INVALID + "ReservedTagKey", "FailedOperation.TagKeyReserved", "Tags.0.Key",
    ),
    "too many": (
        [{"Key": f"k{number}", "Value": "1"} for number in range(51)],
        "LimitExceeded.TagResourceQuota", "LimitExceeded.TagResourceQuota", "Tags",
    ),
}  # fmt: skip


@pytest.mark.parametrize("action", MADE)
@pytest.mark.parametrize("why", BAD)
def test_with_a_tag_that_is_none_it_is_not_made(action: str, why: str) -> None:
    client, _ = open_customer()
    tags, code, code_of_cvm, place = BAD[why]
    asked = {**_asked(client, action), **_with_tags(action, tags)}
    with nothing_written():
        error = client.call(action, asked, service=MADE[action][0]).response["Error"]
    assert error["Code"] == (code_of_cvm if action in SPECIFIED else code)
    where = f"TagSpecification.0.{place}" if action in SPECIFIED else place
    assert error["Message"].startswith(f"{where}: "), error["Message"]


@pytest.mark.parametrize("action", SPECIFIED)
def test_a_kind_that_the_request_does_not_make_is_refused(action: str) -> None:
    client, _ = open_customer()
    asked = {**_asked(client, action), "TagSpecification": [{"ResourceType": "instance", "Tags": TAGS}]}
    with nothing_written():
        error = client.call(action, asked).response["Error"]
    assert error["Code"] == "InvalidParameterValue"
    assert f"A request tags what it makes, {SPECIFIED[action]}, each once; instance it does not." in error["Message"]


def test_what_is_not_made_has_no_tags() -> None:
    """Given a name that is taken, when a pair is made with tags, then neither is there."""
    client, _ = open_customer()
    asked = {"KeyName": "k", "ProjectId": 0, **_with_tags("CreateKeyPair", TAGS)}
    client.call("CreateKeyPair", asked)
    with nothing_written():
        assert client.call("CreateKeyPair", asked).response["Error"]["Code"] == "InvalidKeyPairName.Duplicate"


@pytest.mark.parametrize(("action", "service"), [("CreateDisks", "cbs"), ("CreateDisasterRecoverGroup", "cvm")])
def test_a_repeated_token_with_other_tags_is_refused(action: str, service: str) -> None:
    client, _ = open_customer()
    asked = {**_asked(client, action), "ClientToken": "once"}
    first = client.call(action, {**asked, **_with_tags(action, TAGS)}, service=service).response
    again = client.call(action, {**asked, **_with_tags(action, TAGS)}, service=service).response
    ids = MADE[action][4]
    assert ids(first) == ids(again)
    with nothing_written():
        other = client.call(action, {**asked, **_with_tags(action, TAGS[:1])}, service=service).response
    assert other["Error"]["Code"] == "InvalidParameterValue"
