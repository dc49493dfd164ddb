"""Given what another customer has, then every action of both APIs answers as if it were unknown."""

import json
from dataclasses import fields
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_every_action import LEGACY, WITH_THINGS, Asked, Things, _version, owner

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")


UNKNOWN = Things(
    "ins-unknown0",
    "ins-unknown1",
    "ins-unknown2",
    "skey-unknown0",
    "disk-unknown0",
    "vpc-unknown0",
    "skey-unknown1",
    "lt-unknown0",
    "ps-unknown0",
    "ps-unknown1",
    "vpc-unknown1",
    "subnet-unknown0",
    "rtb-unknown0",
    "sg-unknown0",
    "sg-unknown1",
    "disk-unknown1",
    "disk-unknown2",
    "disk-unknown3",
    "eip-unknown3",
    "eip-unknown1",
    "ins-unknown9",
    "eip-unknown2",
    "1",
    "img-unknown0",
    "snap-unknown0",
    "asp-unknown0",
    "ins-unknown8",
    "bwp-unknown0",
    "bwp-unknown1",
    "eip-unknown4",
)


def _swapped(answer: Any, has: Things) -> Any:
    """``answer`` with the owner's ids replaced by the unknown ones, and without what differs each time."""
    text = json.dumps(answer)
    for member in fields(Things):
        text = text.replace(getattr(has, member.name), getattr(UNKNOWN, member.name))
    members = json.loads(text)
    for told in (members, *members.get("detail", {}).values()):
        told.pop("RequestId", None)
        told.pop("requestId", None)
    return members


def _names_things(asked: Asked) -> bool:
    return asked(UNKNOWN) != asked(Things(*(field.name for field in fields(Things))))


@pytest.mark.parametrize("action", [name for name, (asked, _) in WITH_THINGS.items() if _names_things(asked)])
def test_another_customers_things_are_unknown(owner: tuple[Client, Things], action: str) -> None:
    _, has = owner
    stranger, _ = open_customer("stranger")
    asked, _budget = WITH_THINGS[action]
    with nothing_written():
        theirs = stranger.call(action, asked(has), version=_version(action)).response
        unknown = stranger.call(action, asked(UNKNOWN), version=_version(action)).response
    assert _swapped(theirs, has) == _swapped(unknown, has)
    lists = ("ResourceTagMappingList", "SecurityGroupAssociationStatisticsSet", "ActionTimers")
    listed = [theirs.get(name) for name in lists]
    assert "Error" in theirs or theirs.get("TotalCount") == 0 or [] in listed


@pytest.mark.parametrize("action", [name for name, (asked, _) in LEGACY.items() if _names_things(asked)])
def test_another_customers_things_are_unknown_to_the_legacy_api(owner: tuple[Client, Things], action: str) -> None:
    _, has = owner
    stranger, _ = open_customer("stranger")
    asked, _budget = LEGACY[action]
    with nothing_written():
        theirs, unknown = stranger.legacy(action, asked(has)), stranger.legacy(action, asked(UNKNOWN))
    assert _swapped(theirs, has) == _swapped(unknown, has)
    assert theirs["code"] == 5000 or theirs["totalCount"] == 0


def test_a_list_shows_nothing_of_others(owner: tuple[Client, Things]) -> None:
    stranger, _ = open_customer("stranger", credit_minor=0)
    assert stranger.call("DescribeInstances").response["InstanceSet"] == []
    assert stranger.call("DescribeInstancesStatus").response["InstanceStatusSet"] == []
    assert stranger.call("DescribeKeyPairs").response["KeyPairSet"] == []
    assert stranger.call("DescribeDisks").response["DiskSet"] == []
    assert stranger.call("DescribeAutoSnapshotPolicies").response["AutoSnapshotPolicySet"] == []
    assert stranger.call("DescribeLaunchTemplates").response["LaunchTemplateSet"] == []
    assert stranger.call("DescribeVpcs").response["VpcSet"] == []
    assert stranger.call("DescribeSubnets").response["SubnetSet"] == []
    assert stranger.call("DescribeTags", version="2018-08-13").response["Tags"] == []
    assert stranger.call("GetResources", version="2018-08-13").response["ResourceTagMappingList"] == []
    assert stranger.legacy("DescribeInstances")["instanceSet"] == []
    assert stranger.call("DescribeAccountBalance", version="2018-07-09").response["Balance"] == 0


def test_an_act_on_mine_and_anothers_does_neither(owner: tuple[Client, Things]) -> None:
    client, has = owner
    stranger, _ = open_customer("stranger")
    (theirs,) = stranger.call("RunInstances", HOURLY).response["InstanceIdSet"]
    for action in ("StopInstances", "RebootInstances", "TerminateInstances"):
        with nothing_written():
            code, sentence = client.call(action, {"InstanceIds": [has.running, theirs]}).error
        assert (code, theirs in sentence) == ("InvalidInstanceId.NotFound", True)
