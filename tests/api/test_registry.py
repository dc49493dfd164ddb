"""Given the published lists, then every action of cvm is offered or known as later, and none is both."""

import pytest

from tests.api import oracle
from tests.api.calling import Client, application
from vmart.api import later, services
from vmart.api.declarations import Shape
from vmart.api.registry import Action, Registry

# What the main job names; the rest of the lists is later work.
FIRST = """
DescribeRegions DescribeZones DescribeZoneInstanceConfigInfos DescribeInstanceTypeConfigs DescribeImages
InquiryPriceRunInstances RunInstances StartInstances StopInstances RebootInstances TerminateInstances
InquiryPriceTerminateInstances DescribeInstances DescribeInstancesStatus CreateKeyPair ImportKeyPair
DescribeKeyPairs DeleteKeyPairs
"""
LEGACY = """
RunInstances RunInstancesHour DescribeInstances InquiryInstancePrice InquiryInstancePriceHour StopInstances
StartInstances ReturnInstance DescribeAvailabilityZones
"""


def test_every_action_of_cvm_is_known() -> None:
    known = services.API.names("2017-03-12")
    assert set(oracle.api("2017-03-12")["actions"]) <= known


@pytest.mark.parametrize("action", FIRST.split())
def test_the_main_job_is_offered(action: str) -> None:
    assert services.API.find(action, "2017-03-12").name == action


def test_the_balance_and_the_legacy_actions_are_offered() -> None:
    assert services.API.find("DescribeAccountBalance", "2018-07-09").service == "billing"
    assert {action.name for action in services.LEGACY} == set(LEGACY.split())


def test_what_is_later_says_so() -> None:
    client = Client(application(services.API, services.LEGACY))
    for version, names in later.LATER.items():
        for name in names:
            code, sentence = client.call(name, version=version).error
            assert (code, name in sentence) == ("UnsupportedOperation", True)
    for name in later.LEGACY_LATER[""]:
        assert client.legacy(name)["code"] == 5100


def test_every_declared_member_is_a_published_one() -> None:
    """Given each request's declaration, then its members, to the last structure, are those of api.json."""
    for action in services.API:
        described = oracle.api(action.version)
        published = described["actions"][action.name]["input"]
        _same_members(described["objects"], published, action.shape, action.name)


def _same_members(objects: dict, published: str, shape: type, path: str) -> None:
    theirs = {member["name"]: member for member in objects[published]["members"]}
    ours = {member.alias: member for member in shape.model_fields.values()}
    assert set(ours) == set(theirs), path
    for name, member in ours.items():
        inner = _inner_shape(member.annotation)
        if inner is not None:
            _same_members(objects, theirs[name]["member"], inner, f"{path}.{name}")
        if theirs[name].get("required") and (path, name) not in _NOT_NEEDED:
            assert member.is_required(), f"{path}.{name} is required"


# Required as published, where the one thing there is can be left out.
_NOT_NEEDED = {
    (f"{action}.VirtualPrivateCloud", name)
    for action in ("RunInstances", "InquiryPriceRunInstances")
    for name in ("VpcId", "SubnetId")
}


def _inner_shape(annotation: object) -> type | None:
    from vmart.api.declarations import _alternatives, _item_of, _model_of

    item = next((_item_of(part) for part in _alternatives(annotation) if _item_of(part)), None)
    return _model_of(item or annotation)


def test_two_actions_of_one_name_are_refused() -> None:
    action = Action("A", Shape, lambda *_: {})
    with pytest.raises(ValueError, match="two actions are called A"):
        Registry([action, action])
    with pytest.raises(ValueError, match="offered and said to be later"):
        Registry([action], {"2017-03-12": ["A"]})
