"""Given the published members of the actions we offer, then each is offered, or said to be not, with its reason."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, NotRequired, TypedDict

import pytest

from tests.api import oracle
from tests.api.calling import Client, application
from tests.support import api_reference
from tests.support.published_members import _of_answer, check_answer, inner_shape, missing, reads, table, written
from vmart.api import services
from vmart.api.actions.cvm import instances, purchase
from vmart.api.declarations import AnyShape, Empty


def test_every_member_is_offered_or_has_a_reason_why_not() -> None:
    """Where not: ``python -m tests.support.api_tables``, then write the reasons."""
    known = table()
    assert written(known) == known
    reasons = {
        (service, side, structure, member): reason
        for service, sides in known.items()
        for side, structures in sides.items()
        for structure, members in structures.items()
        for member, reason in members.items()
    }
    assert reasons.keys() == missing()
    assert [place for place, reason in reasons.items() if not (reason.endswith(".") and " " in reason)] == []


def test_the_reference_is_what_is_declared() -> None:
    """Where not: ``python -m tests.support.api_tables``."""
    assert api_reference.FILE.read_text() == api_reference.reference()


def _not_offered(
    objects: dict[str, Any], name: str, shape: type[AnyShape], path: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each member that a request cannot have: its path, and what is published of it."""
    ours = {member.alias: member for member in shape.model_fields.values()}
    for published in objects[name]["members"]:
        member = ours.get(published["name"])
        here = f"{path}{published['name']}"
        if member is None or member.annotation is NoneType:
            yield here, published
        elif inner := inner_shape(member.annotation):
            step = "0." if published["type"] == "list" else ""
            yield from _not_offered(objects, published["member"], inner, f"{here}.{step}")


REFUSED = [
    (action.service, action.name, action.version, path, published)
    for action in services.API
    for described in [oracle.api(action.service, action.version)]
    for path, published in _not_offered(
        described["objects"], described["actions"][action.name]["input"], action.asks, ""
    )
]


_SAMPLES: dict[str, Any] = {
    "InstanceChargeType": "PREPAID",
    "GroupName": "n", "GroupDescription": "d", "SecurityGroupId": "sg-unknown0",
    "SecurityGroupPolicySet": {"Version": "0"},
    "OriginalSecurityGroupPolicySet": {"Version": "0"}, "Action": "ACCEPT",
    "SecurityGroupIds": ["sg-unknown0"],
    "Placement": {"Zone": "z"}, "Zone": "z", "ImageId": "img-a", "InstanceIds": ["ins-a"], "InstanceId": "ins-a",
    "KeyName": "k", "ProjectId": 0, "PublicKey": "k", "InstanceChargePrepaid": {"Period": 1}, "DiskSize": 10,
    "InternetAccessible": {"InternetMaxBandwidthOut": 1}, "InternetMaxBandwidthOut": 1, "LaunchTemplateName": "lt",
    "LaunchTemplateId": "lt-unknown0", "Name": "n", "Type": "HOST", "DisasterRecoverGroupIds": ["ps-unknown0"],
    "DisasterRecoverGroupId": "ps-unknown0", "VpcId": "vpc-a", "VpcName": "n", "CidrBlock": "10.0.0.0/16",
    "SubnetId": "subnet-a", "SubnetName": "n", "RouteTableId": "rtb-a",
    "Subnets": [{"SubnetName": "n", "Zone": "z", "CidrBlock": "10.0.0.0/24"}],
    "TagKeys": ["team"], "ActionTime": "2026-12-01T00:00:00Z", "ActionTimer": {"ActionTime": "2026-12-01T00:00:00Z"},
    "ActionTimerIds": ["timer-unknown0"], "VirtualPrivateCloud": {"VpcId": "vpc-a", "SubnetId": "subnet-a"},
    "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_SSD", "DiskIds": ["disk-a"], "DiskId": "disk-a",
    "Period": 1, "DiskChargePrepaid": {"Period": 1}, "RenewFlag": "NOTIFY_AND_AUTO_RENEW",
    "BandwidthPackageId": "bwp-a", "InternetMaxBandwidth": 1, "ResourceIds": ["eip-a"],
    "AddressId": "eip-a", "AddressIds": ["eip-a"], "InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "TaskId": 1,
    "ImageName": "n", "ImageIds": ["img-a"], "AccountIds": ["1"], "Permission": "SHARE",
    "Architecture": "x86_64", "OsType": "Debian", "OsVersion": "12", "ImageUrl": "https://files.example.com/a.tar",
    "SnapshotId": "snap-a", "SnapshotIds": ["snap-a"],
    "Policy": [{"Hour": [3], "DayOfWeek": [0]}], "Hour": [3], "DayOfWeek": [0],
    "AutoSnapshotPolicyId": "asp-a", "AutoSnapshotPolicyIds": ["asp-a"],
}  # fmt: skip


def _asked(shape: type[AnyShape], path: str, value: object) -> dict[str, Any]:
    """A request with ``value`` at ``path`` and what else it must have, so that nothing else is told first."""
    members = {str(member.alias): member for member in shape.model_fields.values()}
    asked = {name: _SAMPLES[name] for name, member in members.items() if member.is_required()}
    first, _, rest = path.partition(".")
    inner = inner_shape(members[first].annotation) if rest else None
    if inner and rest.startswith("0."):
        return asked | {first: [_asked(inner, rest.removeprefix("0."), value)]}
    return asked | {first: _asked(inner, rest, value) if inner else value}


def _values(published: dict[str, Any]) -> list[object]:
    """What a program might send there."""
    plain: dict[str, object] = {"string": "x", "bool": True, "float": 1.5}
    if published["type"] == "object":
        return [{"Member": "x"}]
    value = plain.get(published["type"] if published["type"] != "list" else published["member"], 1)
    return [[value]] if published["type"] == "list" else [value]


def test_there_are_members_that_are_not_offered() -> None:
    """The control: the test below is of some members, also of some that lie in a list."""
    paths = {path for _, _, _, path, _ in REFUSED}
    assert paths >= {
        "Placement.HostIds",
        "DataDisks.0.SnapshotId",
        "NetworkInterfaces",
        "NextToken",
    }


@pytest.mark.parametrize(
    ("service", "name", "version", "path", "published"),
    REFUSED,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_member_that_is_not_offered_is_refused_by_name(
    service: str, name: str, version: str, path: str, published: dict[str, Any]
) -> None:
    """Before anything is looked up or written: this application has no database."""
    client = Client(application(services.API))
    asks = services.API.find(name, version, service).asks
    for value in _values(published):
        code, sentence = client.call(name, _asked(asks, path, value), version=version, service=service).error
        assert (code, sentence) == ("UnsupportedOperation", f"{path} is not offered here; leave it away.")


# The readers themselves -----------------------------------------------------------------------------------------------


class _Inner(TypedDict):
    A: int


class _Told(TypedDict):
    One: _Inner
    Many: list[_Inner]
    ByName: dict[str, _Inner]
    None_: Empty
    Maybe: NotRequired[_Inner | None]


def test_the_reader_of_answers_sees_what_is_wrong() -> None:
    right = {"One": {"A": 1}, "Many": [{"A": 1}, {"A": 2}], "ByName": {"x": {"A": 1}}, "None_": []}
    assert check_answer(_Told, right) == []
    assert check_answer(_Told, {**right, "Maybe": None}) == []
    assert check_answer(_Told, {**right, "Other": 1}) == ["Other is not declared"]
    assert check_answer(_Told, {**right, "One": {}}) == ["One.A is lacking"]
    assert check_answer(_Told, {**right, "Many": [{"A": 1}, {"A": 1, "B": 2}]}) == ["Many.1.B is not declared"]
    assert check_answer(_Told, {**right, "ByName": {"x": {}}}) == ["ByName.x.A is lacking"]
    assert check_answer(_Told, {**right, "None_": 1, "ByName": {}}) == []  # of what kind it is the oracle says
    assert check_answer(_Told, {**right, "Maybe": {"B": 1}}) == ["Maybe.B is not declared", "Maybe.A is lacking"]


def test_the_reader_of_answers_finds_what_is_not_told() -> None:
    objects = {
        "Response": {"members": [{"name": "One", "member": "Inner"}, {"name": "RequestId", "member": "string"}]},
        "Inner": {"members": [{"name": "A", "member": "int64"}, {"name": "B", "member": "int64"}]},
    }
    assert list(_of_answer(objects, "Response", _Told)) == [("Inner", "B")]


def test_the_reader_of_functions_goes_into_those_that_they_name() -> None:
    assert {"instance_ids", "filters", "offset", "limit", "region"} <= reads(instances.describe_instances)
    assert "release_address" not in reads(instances.terminate_instances)
    assert "user_data" in reads(purchase.run_instances)
    assert "user_data" not in reads(purchase.inquiry_price_run_instances)
