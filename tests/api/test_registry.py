"""Given the published lists, then every action of them is offered, or said to be not offered."""

import json

import pytest

from tests.api import oracle
from tests.api.calling import Client, application
from tests.support.published_actions import published
from tests.support.published_members import inner_shape
from vmart.api import services
from vmart.api.declarations import Done, Shape
from vmart.api.legacy import offered as legacy
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
StartInstances ReturnInstance DescribeAvailabilityZones RenewInstance SetAutoRenew ResetInstancePassword
"""


def test_the_published_actions_are_those_of_the_pinned_tccli() -> None:
    """Where not: ``python -m tests.support.published_actions``."""
    assert json.loads(services.PUBLISHED_FILE.read_text()) == published()


@pytest.mark.parametrize("action", FIRST.split())
def test_the_main_job_is_offered(action: str) -> None:
    assert services.API.find(action, "2017-03-12").name == action


def test_the_balance_and_the_legacy_actions_are_offered() -> None:
    assert services.API.find("DescribeAccountBalance", "2018-07-09").service == "billing"
    assert {action.name for action in services.LEGACY} == set(LEGACY.split())


OFFERED = {(action.service, action.name, action.version) for action in services.API}
PUBLISHED = [
    (service, version, name)
    for service, versions in published().items()
    for version, names in versions.items()
    for name in names
]


def test_what_is_offered_is_published() -> None:
    assert {(service, name, version) for service, version, name in PUBLISHED} >= OFFERED
    assert len(PUBLISHED) > 1000


def test_what_is_published_and_not_offered_says_so() -> None:
    """Given each in its service's scope, and in the scope of a client that takes it from an address."""
    client = Client(application(services.API, services.LEGACY))
    for service, version, name in PUBLISHED:
        if (service, name, version) in OFFERED:
            continue
        for scope in (service, "127"):
            code, sentence = client.call(name, version=version, service=scope).error
            assert (code, name in sentence) == ("UnsupportedOperation", True), (service, name)
    for name in legacy.PUBLISHED["cvm"][""]:
        assert client.legacy(name)["code"] == 5100


CVM, BILLING, TAG = "2017-03-12", "2018-07-09", "2018-08-13"


@pytest.mark.parametrize(
    ("scope", "host", "action", "version", "code"),
    [
        ("127", "127.0.0.1:8000", "CreateTags", TAG, "UnsupportedOperation"),
        ("localhost", "localhost", "CreateTags", TAG, "UnsupportedOperation"),
        ("shop", "shop.example.com", "PayDeals", BILLING, "UnsupportedOperation"),
        ("tag", "shop.example.com", "CreateTags", TAG, "UnsupportedOperation"),
        ("sts", "shop.example.com", "CreateTags", TAG, "InvalidAction"),
        ("vpc", "127.0.0.1:8000", "RunInstances", CVM, "InvalidAction"),
        ("cvm", "127.0.0.1:8000", "DescribeVpcs", CVM, "InvalidAction"),
        ("shop", "vpc.example.com", "RunInstances", CVM, "InvalidAction"),
        ("cvm", "vpc.example.com", "SyncImages", CVM, "UnsupportedOperation"),  # before the host
        ("region", "127.0.0.1:8000", "DescribeZones", CVM, "NoSuchVersion"),
        ("api", "api.example.com", "SyncImages", CVM, "UnsupportedOperation"),  # a name of many shops' hosts
        ("api", "api.example.com", "DescribeProducts", "2020-11-06", "UnsupportedOperation"),
        ("api", "api.example.com", "DescribeZones", CVM, "NoSuchVersion"),
        ("127", "127.0.0.1:8000", "Nothing", CVM, "InvalidAction"),
    ],
)
def test_whose_action_it_is(scope: str, host: str, action: str, version: str, code: str) -> None:
    client = Client(application(services.API))
    answered = client.call(action, version=version, service=scope, endpoint=host)
    assert answered.error[0] == code


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:8000", "UnsupportedOperation"),
        ("cvm.example.com", "UnsupportedOperation"),
        ("api.example.com", "UnsupportedOperation"),
        ("VPC.example.com", "InvalidAction"),
        ("http://vpc.example.com:80", "InvalidAction"),
    ],
)
def test_the_older_signature_has_no_scope_so_the_host_says_whose_it_is(host: str, code: str) -> None:
    client = Client(application(services.API))
    assert client.call("SyncImages", endpoint=host, sign_method="HmacSHA256").error[0] == code


def test_every_declared_member_is_a_published_one() -> None:
    """Given each request's declaration, then its members, to the last structure, are those of api.json."""
    for action in services.API:
        described = oracle.api(action.service, action.version)
        published = described["actions"][action.name]["input"]
        _same_members(described["objects"], published, action.asks, action.name)


def _same_members(objects: dict, published: str, shape: type, path: str) -> None:
    theirs = {member["name"]: member for member in objects[published]["members"]}
    ours = {member.alias: member for member in shape.model_fields.values()}
    assert set(ours) == set(theirs), path
    for name, member in ours.items():
        inner = inner_shape(member.annotation)
        if inner is not None:
            _same_members(objects, theirs[name]["member"], inner, f"{path}.{name}")
        if theirs[name].get("required") and (path, name) not in _NOT_NEEDED:
            assert member.is_required(), f"{path}.{name} is required"


# Required as published, where the one thing there is can be left out, or a bid, which is the price of now then.
_OF_A_PURCHASE = ("RunInstances", "InquiryPriceRunInstances", "CreateLaunchTemplate", "CreateLaunchTemplateVersion")
_NOT_NEEDED = {
    (f"{action}.{member}", name)
    for action in _OF_A_PURCHASE
    for member, name in (
        ("VirtualPrivateCloud", "VpcId"),
        ("VirtualPrivateCloud", "SubnetId"),
        ("InstanceMarketOptions", "SpotOptions"),
        ("InstanceMarketOptions.SpotOptions", "MaxPrice"),
    )
}


def test_two_actions_of_one_name_are_refused() -> None:
    action = Action("A", Shape, Done, lambda *_: {}, writes=False)
    with pytest.raises(ValueError, match="two actions are called A"):
        Registry([action, action])
