"""Given a customer, when a program keeps purchases as launch templates, then it buys from them what they say."""

import base64
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.instances.test_key_pairs import ED25519
from tests.support import quotas
from tests.support.shopper import purses, work
from vmart.catalog.models import InstanceType
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.launch_templates.models import Template, Version
from vmart.orders.models import Order

pytestmark = pytest.mark.usefixtures("shop")
DATA = base64.b64encode(b"#!/bin/sh\ntrue\n").decode()
FULL = {
    **HOURLY,
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 60, "DiskName": "root"},
    "DataDisks": [{"DiskType": "CLOUD_SSD", "DiskSize": 100, "DiskName": "db"}, {"DiskSize": 20}],
    "VirtualPrivateCloud": {"VpcId": "DEFAULT", "SubnetId": "DEFAULT"},
    "InstanceName": "web{R:1}",
    "HostName": "web{R:1}",
    "InstanceCount": 2,
    "UserData": DATA,
    "DisableApiTermination": True,
    "EnhancedService": {"MonitorService": {"Enabled": False}, "AutomationService": {"Enabled": True}},
}
ONE_MONTH = 62.5  # 45 + 50 × 0.35, of MONTHLY
NOT_PRICED = {"UserData", "DisableApiTermination"}  # members that the inquiry does not have
_PLAIN_DISK = {"Encrypt": False, "KmsKeyId": ""}
_DATA_DISK = {**_PLAIN_DISK, "SnapshotId": ""}
TOLD = {
    **FULL,
    "Placement": {"Zone": "ap-guangzhou-4", "ProjectId": 0},
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 60, "DiskName": "root", **_PLAIN_DISK},
    "DataDisks": [
        {"DiskType": "CLOUD_SSD", "DiskSize": 100, "DiskName": "db", "DeleteWithInstance": True, **_DATA_DISK},
        {"DiskType": "CLOUD_PREMIUM", "DiskSize": 20, "DiskName": "", "DeleteWithInstance": True, **_DATA_DISK},
    ],
    "VirtualPrivateCloud": {
        "VpcId": "DEFAULT",
        "SubnetId": "DEFAULT",
        "AsVpcGateway": False,
        "PrivateIpAddresses": [],
        "Ipv6AddressCount": 0,
    },
    "SecurityGroupIds": [],
    "EnhancedService": {
        "SecurityService": {"Enabled": False},
        "MonitorService": {"Enabled": False},
        "AutomationService": {"Enabled": True},
    },
}


@pytest.fixture
def client() -> Client:
    return open_customer()[0]


def _create(client: Client, members: dict[str, Any] = HOURLY, name: str = "web", **more: Any) -> str:
    answer = client.call("CreateLaunchTemplate", {"LaunchTemplateName": name, **members, **more}).response
    return str(answer["LaunchTemplateId"])


def _version(client: Client, template: str, members: dict[str, Any], **more: Any) -> int:
    asked = {"LaunchTemplateId": template, **members, **more}
    return int(client.call("CreateLaunchTemplateVersion", asked).response["LaunchTemplateVersionNumber"])


def _held(client: Client, template: str, **which: Any) -> list[dict[str, Any]]:
    answer = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template, **which}).response
    return list(answer["LaunchTemplateVersionSet"])


def _named(template: str, version: int | None = None) -> dict[str, Any]:
    named: dict[str, Any] = {"LaunchTemplateId": template}
    return {"LaunchTemplate": named | ({"LaunchTemplateVersion": version} if version else {})}


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_what_is_kept_is_told_as_it_was_said(client: Client, method: str) -> None:
    asked = {"LaunchTemplateName": "网站", "LaunchTemplateVersionDescription": "first", **FULL}
    template = client.call("CreateLaunchTemplate", asked, method=method).response["LaunchTemplateId"]
    assert template.startswith("lt-")
    assert len(template) == 11
    (told,) = client.call("DescribeLaunchTemplates", method=method).response["LaunchTemplateSet"]
    assert told == {
        "LatestVersionNumber": 1, "LaunchTemplateId": template, "LaunchTemplateName": "网站",
        "DefaultVersionNumber": 1, "LaunchTemplateVersionCount": 1, "CreatedBy": str(User.objects.earliest("id").pk),
        "CreationTime": "2026-03-10T02:00:00Z",
    }  # fmt: skip
    (version,) = _held(client, template)
    assert version == {
        "LaunchTemplateVersion": 1, "LaunchTemplateVersionData": TOLD, "CreationTime": "2026-03-10T02:00:00Z",
        "LaunchTemplateId": template, "IsDefaultVersion": True, "LaunchTemplateVersionDescription": "first",
        "CreatedBy": str(User.objects.earliest("id").pk),
    }  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_purchase_by_a_template_is_the_purchase_that_it_says(client: Client, method: str) -> None:
    template = _create(client, FULL)
    bought = client.call("RunInstances", _named(template), method=method).response["InstanceIdSet"]
    assert len(bought) == 2
    machines = client.call("DescribeInstances", {"InstanceIds": bought}).response["InstanceSet"]
    assert sorted(machine["InstanceName"] for machine in machines) == ["web1", "web2"]
    for machine in machines:
        assert machine["Placement"]["Zone"] == "ap-guangzhou-4"
        assert machine["DisableApiTermination"] is True
        assert [disk["DiskSize"] for disk in machine["DataDisks"]] == [100, 20]
        assert (machine["SystemDisk"]["DiskSize"], machine["SystemDisk"]["DiskName"]) == (60, "root")
        assert machine["InternetAccessible"]["InternetChargeType"] == "TRAFFIC_POSTPAID_BY_HOUR"
    assert [bytes(held.user_data) for held in Instance.objects.all()] == [b"#!/bin/sh\ntrue\n"] * 2


def test_the_same_is_bought_with_the_template_as_without() -> None:
    """Given two customers, one with a template and one with its members, then order and price are the same."""
    plain, _ = open_customer("plain")
    kept, _ = open_customer("kept")
    template = _create(kept, FULL)
    plain.call("RunInstances", FULL)
    kept.call("RunInstances", _named(template))
    one, other = Order.objects.order_by("id").values("charge_type", "count", "total_minor", "hold_minor", "quote")
    assert one == other
    price = plain.call("InquiryPriceRunInstances", {n: v for n, v in FULL.items() if n not in NOT_PRICED}).response
    assert kept.call("InquiryPriceRunInstances", _named(template)).response["Price"] == price["Price"]


@pytest.mark.parametrize(
    ("own", "paths"),
    [
        ({"InstanceName": "mine"}, {"name": "mine"}),
        ({"InstanceType": "S5.SMALL1"}, {"instance_type_id": "S5.SMALL1"}),
        ({"InternetAccessible": {"InternetMaxBandwidthOut": 3}},
         {"bandwidth_mbps": 3, "internet_charge_type": "TRAFFIC_POSTPAID_BY_HOUR"}),
        ({"DisableApiTermination": False}, {"termination_protected": False}),
        ({"HostName": "other"}, {"hostname": "other"}),
        ({"UserData": base64.b64encode(b"x").decode()}, {"user_data": b"x"}),
    ],
)  # fmt: skip
def test_what_the_request_says_wins(client: Client, own: dict[str, Any], paths: dict[str, Any]) -> None:
    template = _create(client, FULL)
    client.call("RunInstances", {**_named(template), "InstanceCount": 1, **own})
    machine = Instance.objects.get()
    held = {
        "name": "web1", "instance_type_id": "S5.MEDIUM4", "bandwidth_mbps": 10, "termination_protected": True,
        "internet_charge_type": "TRAFFIC_POSTPAID_BY_HOUR", "hostname": "web1", "user_data": b"#!/bin/sh\ntrue\n",
    } | paths  # fmt: skip
    assert {name: getattr(machine, name) for name in held} == held


def test_another_charge_type_takes_the_templates_term_away(client: Client) -> None:
    template = _create(client, MONTHLY)
    hourly = {
        "InstanceChargeType": "POSTPAID_BY_HOUR",
        "InternetAccessible": {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR"},
    }
    client.call("RunInstances", {**_named(template), **hourly})
    assert Instance.objects.get().charge_type == "POSTPAID_BY_HOUR"
    price = client.call("InquiryPriceRunInstances", {**_named(template), **hourly}).response["Price"]
    assert price["InstancePrice"]["ChargeUnit"] == "HOUR"


def test_a_further_term_of_the_request_wins(client: Client) -> None:
    template = _create(client, MONTHLY)
    year = client.call("InquiryPriceRunInstances", _named(template)).response["Price"]["InstancePrice"]
    asked = {**_named(template), "InstanceChargePrepaid": {"Period": 1}}
    month = client.call("InquiryPriceRunInstances", asked).response["Price"]["InstancePrice"]
    assert (month["OriginalPrice"], year["OriginalPrice"]) == (ONE_MONTH, ONE_MONTH * 12)


def test_a_password_of_the_request_takes_the_place_of_the_templates_keys(client: Client) -> None:
    key = client.call("ImportKeyPair", {"KeyName": "k", "ProjectId": 0, "PublicKey": ED25519}).response["KeyId"]
    template = _create(client, {**HOURLY, "LoginSettings": {"KeyIds": [key]}})
    client.call("RunInstances", _named(template))
    assert Instance.objects.get().key_ids == [key]
    client.call("RunInstances", {**_named(template), "LoginSettings": {"Password": "Secret-1-word"}})
    assert [held.key_ids for held in Instance.objects.order_by("id")] == [[key], []]


def test_a_key_that_is_gone_by_now_is_refused_at_the_purchase(client: Client) -> None:
    key = client.call("ImportKeyPair", {"KeyName": "k", "ProjectId": 0, "PublicKey": ED25519}).response["KeyId"]
    template = _create(client, {**HOURLY, "LoginSettings": {"KeyIds": [key]}})
    client.call("DeleteKeyPairs", {"KeyIds": [key]})
    with nothing_written():
        code, sentence = client.call("RunInstances", _named(template)).error
    assert (code, sentence) == (
        "InvalidKeyPairId.NotFound", f"LoginSettings.KeyIds: The key pair {key} does not exist.",
    )  # fmt: skip


def test_what_is_no_longer_sold_is_refused_at_the_purchase(client: Client) -> None:
    template = _create(client)
    with nothing_written():
        code, sentence = client.call("RunInstances", {**_named(template), "ImageId": "img-unknown0"}).error
    assert (code, "img-unknown0" in sentence) == ("InvalidImageId.NotFound", True)
    assert InstanceType.objects.filter(code="S5.MEDIUM4").exists()


def test_a_price_is_the_one_of_the_day_of_the_purchase(client: Client) -> None:
    """A template without a type: the smallest on sale is chosen anew each time."""
    template = _create(client, {name: value for name, value in HOURLY.items() if name != "InstanceType"})
    assert _held(client, template)[0]["LaunchTemplateVersionData"]["InstanceType"] == ""
    client.call("RunInstances", _named(template))
    assert Instance.objects.get().instance_type_id == "S5.SMALL1"


# Versions -------------------------------------------------------------------------------------------------------------


def test_a_new_version_takes_what_it_does_not_say_from_its_base(client: Client) -> None:
    template = _create(client, FULL)
    assert _version(client, template, {}, InstanceType="S5.SMALL1", LaunchTemplateVersionDescription="smaller") == 2
    assert _version(client, template, {"LaunchTemplateVersion": 2, "InstanceCount": 1}) == 3
    third, second, first = _held(client, template)
    assert first["LaunchTemplateVersionData"] == TOLD
    assert second["LaunchTemplateVersionData"] == {**TOLD, "InstanceType": "S5.SMALL1"}
    assert third["LaunchTemplateVersionData"] == {**TOLD, "InstanceType": "S5.SMALL1", "InstanceCount": 1}
    told = [(held["LaunchTemplateVersionDescription"], held["IsDefaultVersion"]) for held in (first, second, third)]
    assert told == [("", True), ("smaller", False), ("", False)]


def test_a_new_version_says_another_zone_and_another_image(client: Client) -> None:
    template = _create(client, FULL)
    placement = {"Placement": {"Zone": "ap-guangzhou-3", "ProjectId": 0}}
    _version(client, template, placement)
    _version(client, template, {"ImageId": "img-db13q2m9"})
    third, second, first = [held["LaunchTemplateVersionData"] for held in _held(client, template)]
    assert (first, second, third) == (TOLD, TOLD | placement, TOLD | {"ImageId": "img-db13q2m9"})


def test_the_default_version_holds_where_none_is_named(client: Client) -> None:
    template = _create(client)
    _version(client, template, {}, InstanceName="second")
    client.call("RunInstances", _named(template))
    client.call("RunInstances", _named(template, 2))
    asked = {"LaunchTemplateId": template, "DefaultVersion": 2}
    assert set(client.call("ModifyLaunchTemplateDefaultVersion", asked).response) == {"RequestId"}
    client.call("RunInstances", _named(template))
    assert [held.name for held in Instance.objects.order_by("id")] == ["Unnamed", "second", "second"]
    assert [held["IsDefaultVersion"] for held in _held(client, template)] == [True, False]


def test_numbers_of_deleted_versions_are_not_given_again(client: Client) -> None:
    template = _create(client)
    assert [_version(client, template, {}) for _ in range(2)] == [2, 3]
    asked = {"LaunchTemplateId": template, "LaunchTemplateVersions": [2, 3]}
    assert set(client.call("DeleteLaunchTemplateVersions", asked).response) == {"RequestId"}
    (told,) = client.call("DescribeLaunchTemplates").response["LaunchTemplateSet"]
    assert (told["LatestVersionNumber"], told["LaunchTemplateVersionCount"]) == (1, 1)
    assert _version(client, template, {}) == 4
    with nothing_written():
        code, sentence = client.call("RunInstances", _named(template, 3)).error
    assert (code, sentence) == (
        "InvalidParameterValue.LaunchTemplateIdVerNotExisted",
        f"LaunchTemplate.LaunchTemplateVersion: The launch template {template} has no version 3.",
    )


def test_deleting_a_template_leaves_its_machines(client: Client) -> None:
    template = _create(client)
    _version(client, template, {})
    (machine,) = client.call("RunInstances", _named(template)).response["InstanceIdSet"]
    assert set(client.call("DeleteLaunchTemplate", {"LaunchTemplateId": template}).response) == {"RequestId"}
    assert (Template.objects.count(), Version.objects.count()) == (0, 0)
    assert client.call("DescribeLaunchTemplates").response["TotalCount"] == 0
    assert client.call("DescribeInstances", {"InstanceIds": [machine]}).response["TotalCount"] == 1
    for action, asked in (
        ("RunInstances", _named(template)),
        ("InquiryPriceRunInstances", _named(template)),
        ("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template}),
        ("DeleteLaunchTemplate", {"LaunchTemplateId": template}),
    ):
        with nothing_written():
            code, sentence = client.call(action, asked).error
        assert code == "InvalidParameterValue.LaunchTemplateIdNotExisted"
        assert sentence.endswith(f"LaunchTemplateId: The launch template {template} does not exist.")


# Lists ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found", "total"),
    [
        ({}, ["b", "c", "a"], 3),
        ({"Limit": 1}, ["b"], 3),
        ({"Limit": 1, "Offset": 1}, ["c"], 3),
        ({"Offset": 2}, ["a"], 3),
        ({"Offset": 3}, [], 3),
        ({"LaunchTemplateIds": ["lt-unknown0"]}, [], 0),
        ({"Filters": [{"Name": "LaunchTemplateName", "Values": ["aa", "bb"]}]}, ["b", "a"], 2),
        ({"Filters": [{"Name": "LaunchTemplateName", "Values": ["a"]}]}, [], 0),
        ({"Filters": [{"Name": "tag:team", "Values": ["x"]}]}, [], 0),
    ],
)
def test_templates_by_filter_and_page(client: Client, asked: dict[str, Any], found: list[str], total: int) -> None:
    for name in ("aa", "cc", "bb"):
        _create(client, name=name)
    for method in ("POST", "GET"):
        answer = client.call("DescribeLaunchTemplates", asked, method=method).response
        assert [told["LaunchTemplateName"][0] for told in answer["LaunchTemplateSet"]] == found
        assert answer["TotalCount"] == total


def test_templates_by_id(client: Client) -> None:
    first, _second, third = (_create(client, name=name) for name in ("aa", "bb", "cc"))
    answer = client.call("DescribeLaunchTemplates", {"LaunchTemplateIds": [first, third]}).response
    assert [told["LaunchTemplateId"] for told in answer["LaunchTemplateSet"]] == [third, first]


@pytest.mark.parametrize(
    ("asked", "found", "total"),
    [
        ({}, [4, 3, 1], 3),
        ({"LaunchTemplateVersions": [1, 2, 4]}, [4, 1], 2),
        ({"MinVersion": 2}, [4, 3], 2),
        ({"MaxVersion": 3}, [3, 1], 2),
        ({"MinVersion": 2, "MaxVersion": 3}, [3], 1),
        ({"MinVersion": 0, "MaxVersion": 30}, [4, 3, 1], 3),
        ({"DefaultVersion": True}, [3], 1),
        ({"DefaultVersion": False}, [4, 3, 1], 3),
        ({"DefaultVersion": True, "MaxVersion": 2}, [], 0),
        ({"Limit": 1, "Offset": 1}, [3], 3),
        ({"Offset": 3}, [], 3),
    ],
)
def test_versions_by_number_and_page(client: Client, asked: dict[str, Any], found: list[int], total: int) -> None:
    template = _create(client)
    for _ in range(3):
        _version(client, template, {})
    client.call("ModifyLaunchTemplateDefaultVersion", {"LaunchTemplateId": template, "DefaultVersion": 3})
    client.call("DeleteLaunchTemplateVersions", {"LaunchTemplateId": template, "LaunchTemplateVersions": [2]})
    for method in ("POST", "GET"):
        answer = client.call("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template, **asked}, method=method)
        told = answer.response["LaunchTemplateVersionSet"]
        assert [version["LaunchTemplateVersion"] for version in told] == found
        assert answer.response["TotalCount"] == total


# Bad input ------------------------------------------------------------------------------------------------------------

NEW = {"LaunchTemplateName": "web", **HOURLY}
WRONG = "InvalidParameterValue"
NO_VERSION = f"{WRONG}.LaunchTemplateIdVerNotExisted"
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("CreateLaunchTemplate", HOURLY, "MissingParameter", "LaunchTemplateName"),
    ("CreateLaunchTemplate", {"LaunchTemplateName": "web"}, "MissingParameter", "Placement"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": "w"}, f"{WRONG}.InvalidLaunchTemplateName", "TemplateName"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": ""}, f"{WRONG}.InvalidLaunchTemplateName", "TemplateName"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": "w" * 129}, f"{WRONG}.InvalidLaunchTemplateName", "128"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": "w" * 1001}, f"{WRONG}.InvalidLaunchTemplateName", "Name"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": "a\nb"}, f"{WRONG}.InvalidLaunchTemplateName", "one line"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": 5}, "InvalidParameter", "LaunchTemplateName"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateVersionDescription": "d"},
     f"{WRONG}.InvalidLaunchTemplateVersionDescription", "LaunchTemplateVersionDescription"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateVersionDescription": "d" * 257},
     f"{WRONG}.InvalidLaunchTemplateVersionDescription", "256"),
    ("CreateLaunchTemplate", {**NEW, "InstanceType": "S5.NONE"}, f"{WRONG}.InstanceTypeNotFound", "InstanceType"),
    ("CreateLaunchTemplate", {**NEW, "ImageId": "img-unknown0"}, "InvalidImageId.NotFound", "img-unknown0"),
    ("CreateLaunchTemplate", {**NEW, "Placement": {"Zone": "nowhere"}}, f"{WRONG}.ZoneNotSupported", "Placement.Zone"),
    ("CreateLaunchTemplate", {**NEW, "SystemDisk": {"DiskSize": 10**6}}, f"{WRONG}.Range", "SystemDisk.DiskSize"),
    ("CreateLaunchTemplate", {**NEW, "DataDisks": [{"DiskSize": 20}, {"DiskSize": 10**6}]}, f"{WRONG}.Range",
     "DataDisks.1.DiskSize"),
    ("CreateLaunchTemplate", {**NEW, "InstanceCount": 1000}, f"{WRONG}.Range", "InstanceCount"),
    ("CreateLaunchTemplate", {**NEW, "UserData": "*"}, f"{WRONG}.InvalidUserDataFormat", "UserData"),
    ("CreateLaunchTemplate", {**NEW, "LoginSettings": {"Password": "Secret-1-word"}}, "UnsupportedOperation",
     "LoginSettings.Password: A launch template keeps no password"),
    ("CreateLaunchTemplate", {**NEW, "LoginSettings": {"KeyIds": ["skey-unknown0"]}}, "InvalidKeyPairId.NotFound",
     "skey-unknown0"),
    ("CreateLaunchTemplate", {**NEW, "VirtualPrivateCloud": {"VpcId": "vpc-unknown0"}}, f"{WRONG}.VpcIdNotExist",
     "VirtualPrivateCloud.VpcId"),
    ("CreateLaunchTemplate", {**NEW, "MinCount": 1}, "UnknownParameter", "MinCount"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplate": {"LaunchTemplateId": "lt-unknown0"}}, "UnknownParameter",
     "LaunchTemplate"),
    ("CreateLaunchTemplate", {**NEW, "TemplateDataModifyAction": "Update"}, "UnsupportedOperation", "ModifyAction"),
    ("CreateLaunchTemplate", {**NEW, "LaunchTemplateTagSpecification": [{"ResourceType": "x"}]},
     "UnsupportedOperation", "LaunchTemplateTagSpecification"),
    ("CreateLaunchTemplateVersion", HOURLY, "MissingParameter", "LaunchTemplateId"),
    ("CreateLaunchTemplateVersion", {**HOURLY, "LaunchTemplateId": "lt-unknown0"},
     f"{WRONG}.LaunchTemplateIdNotExisted", "LaunchTemplateId"),
    ("CreateLaunchTemplateVersion", {**HOURLY, "LaunchTemplateId": "x"}, f"{WRONG}.LaunchTemplateIdMalformed",
     "LaunchTemplateId"),
    ("CreateLaunchTemplateVersion", {**HOURLY, "LaunchTemplateId": "lt-UNKNOWN0"}, f"{WRONG}.LaunchTemplateIdMalformed",
     "lt-UNKNOWN0"),
    ("CreateLaunchTemplateVersion", {**HOURLY, "LaunchTemplateId": "x" * 61}, f"{WRONG}.LaunchTemplateIdMalformed",
     "LaunchTemplateId"),
    ("CreateLaunchTemplateVersion", {**HOURLY, "LaunchTemplateId": "lt-unknown0", "LaunchTemplateVersion": 0},
     f"{WRONG}.LaunchTemplateVersion", "LaunchTemplateVersion"),
    ("RunInstances", _named("lt-unknown0"), f"{WRONG}.LaunchTemplateIdNotExisted", "LaunchTemplate.LaunchTemplateId"),
    ("RunInstances", {"LaunchTemplate": {"LaunchTemplateVersion": 1}}, "MissingParameter",
     "LaunchTemplate.LaunchTemplateId"),
    ("RunInstances", {"LaunchTemplate": "lt-unknown0"}, "InvalidParameter", "LaunchTemplate"),
    ("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": 5}}, "InvalidParameter", "LaunchTemplate"),
    ("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": "lt-unknown0", "LaunchTemplateVersion": -1}},
     f"{WRONG}.LaunchTemplateVersion", "LaunchTemplate.LaunchTemplateVersion"),
    ("RunInstances", {"LaunchTemplate": {"LaunchTemplateId": "lt-unknown0", "Name": "x"}}, "UnknownParameter",
     "LaunchTemplate.Name"),
    ("InquiryPriceRunInstances", _named("lt-unknown0", 2), f"{WRONG}.LaunchTemplateIdNotExisted", "lt-unknown0"),
    ("DescribeLaunchTemplates", {"LaunchTemplateIds": ["a"], "Filters": [{"Name": "tag-key", "Values": ["a"]}]},
     "InvalidParameter", "Filters"),
    ("DescribeLaunchTemplates", {"Filters": [{"Name": "colour", "Values": ["a"]}]}, "InvalidFilter", "Filters.0.Name"),
    ("DescribeLaunchTemplates", {"Limit": 0}, "InvalidParameterValueLimit", "Limit"),
    ("DescribeLaunchTemplateVersions", {}, "MissingParameter", "LaunchTemplateId"),
    ("DescribeLaunchTemplateVersions", {"LaunchTemplateId": "lt-unknown0", "MinVersion": -1}, f"{WRONG}.Range",
     "MinVersion"),
    ("DescribeLaunchTemplateVersions",
     {"LaunchTemplateId": "lt-unknown0", "LaunchTemplateVersions": [1], "Limit": 20}, "InvalidParameter",
     "LaunchTemplateVersions excludes"),
    ("ModifyLaunchTemplateDefaultVersion", {"LaunchTemplateId": "lt-unknown0", "DefaultVersion": 1},
     f"{WRONG}.LaunchTemplateIdNotExisted", "LaunchTemplateId"),
    ("DeleteLaunchTemplate", {"LaunchTemplateId": "lt-unknown0"}, f"{WRONG}.LaunchTemplateIdNotExisted", "lt-unknown0"),
    ("DeleteLaunchTemplateVersions", {"LaunchTemplateId": "lt-unknown0"}, "MissingParameter", "LaunchTemplateVersions"),
    ("DeleteLaunchTemplateVersions", {"LaunchTemplateId": "lt-unknown0", "LaunchTemplateVersions": [0]},
     f"{WRONG}.LaunchTemplateVersion", "LaunchTemplateVersions.0"),
    ("DeleteLaunchTemplateVersions", {"LaunchTemplateId": "lt-unknown0", "LaunchTemplateVersions": [1, 1]},
     "InvalidParameter", "LaunchTemplateVersions"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "asked", "code", "names"), BAD)
def test_bad_requests_write_nothing(client: Client, action: str, asked: dict[str, Any], code: str, names: str) -> None:
    with nothing_written():
        given, sentence = client.call(action, asked).error
    assert (given, names in sentence) == (code, True), sentence


@pytest.mark.parametrize(
    ("action", "asked", "code", "names"),
    [
        ("CreateLaunchTemplateVersion", {"LaunchTemplateVersion": 3}, NO_VERSION, "LaunchTemplateVersion: "),
        ("CreateLaunchTemplateVersion", {"InstanceType": "S5.NONE"}, f"{WRONG}.InstanceTypeNotFound",
         "InstanceType"),
        ("CreateLaunchTemplateVersion", {"LoginSettings": {"Password": "Secret-1-word"}}, "UnsupportedOperation",
         "LoginSettings.Password: A launch template keeps no password"),
        ("CreateLaunchTemplateVersion", {"DataDisks": [{"DiskSize": 20, "SnapshotId": "snap-unknown0"}]},
         "InvalidSnapshotId.NotFound", "DataDisks.0.SnapshotId"),
        ("ModifyLaunchTemplateDefaultVersion", {"DefaultVersion": 3}, NO_VERSION, "DefaultVersion: "),
        ("DeleteLaunchTemplateVersions", {"LaunchTemplateVersions": [2, 3]}, NO_VERSION, "LaunchTemplateVersions.1: "),
        ("DeleteLaunchTemplateVersions", {"LaunchTemplateVersions": [2, 1]}, f"{WRONG}.LaunchTemplateDefaultVersion",
         "LaunchTemplateVersions.1: "),
    ],
)  # fmt: skip
def test_bad_requests_of_a_template_that_is_there(
    client: Client, action: str, asked: dict[str, Any], code: str, names: str
) -> None:
    template = _create(client)
    _version(client, template, {})
    with nothing_written():
        given, sentence = client.call(action, {"LaunchTemplateId": template, **asked}).error
    assert (given, sentence.startswith(names)) == (code, True), sentence


def test_another_customers_template_is_unknown(client: Client) -> None:
    template = _create(client)
    stranger, _ = open_customer("stranger")
    for action, asked in (
        ("RunInstances", _named(template)),
        ("InquiryPriceRunInstances", _named(template, 1)),
        ("CreateLaunchTemplateVersion", {"LaunchTemplateId": template}),
        ("DescribeLaunchTemplateVersions", {"LaunchTemplateId": template}),
        ("ModifyLaunchTemplateDefaultVersion", {"LaunchTemplateId": template, "DefaultVersion": 1}),
        ("DeleteLaunchTemplateVersions", {"LaunchTemplateId": template, "LaunchTemplateVersions": [1]}),
        ("DeleteLaunchTemplate", {"LaunchTemplateId": template}),
    ):
        with nothing_written():
            assert stranger.call(action, asked).error[0] == f"{WRONG}.LaunchTemplateIdNotExisted"
    assert stranger.call("DescribeLaunchTemplates").response["LaunchTemplateSet"] == []


def test_no_more_templates_than_the_quota() -> None:
    client, account_id = open_customer()
    quotas.one(account_id, launch_templates=2)
    first = _create(client, name="aa")
    _create(client, name="aa")
    with nothing_written():
        code, sentence = client.call("CreateLaunchTemplate", NEW).error
    assert (code, sentence) == (
        "LimitExceeded.LaunchTemplateQuota", "An account has at most 2 launch templates; delete one first.",
    )  # fmt: skip
    client.call("DeleteLaunchTemplate", {"LaunchTemplateId": first})
    _create(client)
    assert Template.objects.count() == 2


def test_no_more_versions_than_there_may_be(client: Client) -> None:
    template = _create(client)
    assert [_version(client, template, {}) for _ in range(29)] == list(range(2, 31))
    with nothing_written():
        code, sentence = client.call("CreateLaunchTemplateVersion", {"LaunchTemplateId": template}).error
    assert code == "LimitExceeded.LaunchTemplateVersionQuota"
    assert sentence == f"The launch template {template} has 30 versions, the most there are; delete one first."
    client.call("DeleteLaunchTemplateVersions", {"LaunchTemplateId": template, "LaunchTemplateVersions": [7]})
    assert _version(client, template, {}) == 31
    assert [held["LaunchTemplateVersion"] for held in _held(client, template, Limit=2)] == [31, 30]


def test_a_dry_run_keeps_nothing_and_refuses_the_same(client: Client) -> None:
    template = _create(client)
    with nothing_written():
        assert set(client.call("CreateLaunchTemplate", {**NEW, "DryRun": True}).response) == {"RequestId"}
        asked = {"LaunchTemplateId": template, "DryRun": True}
        assert set(client.call("CreateLaunchTemplateVersion", asked).response) == {"RequestId"}
        assert client.call("CreateLaunchTemplate", {**NEW, "ImageId": "img-x", "DryRun": True}).error[0] == (
            "InvalidImageId.NotFound"
        )
        assert set(client.call("RunInstances", {**_named(template), "DryRun": True}).response) == {"RequestId"}


# Client tokens --------------------------------------------------------------------------------------------------------


def test_a_repeated_token_gets_the_first_template_and_version(client: Client) -> None:
    first = _create(client, ClientToken="one")
    number = _version(client, first, {}, ClientToken="two")
    with nothing_written():
        assert _create(client, ClientToken="one") == first
        assert _version(client, first, {}, ClientToken="two") == number
        for action, asked in (
            ("CreateLaunchTemplate", {**NEW, "LaunchTemplateName": "other", "ClientToken": "one"}),
            ("CreateLaunchTemplate", {**NEW, "InstanceCount": 2, "ClientToken": "one"}),
            ("CreateLaunchTemplateVersion", {"LaunchTemplateId": first, "ClientToken": "one"}),
            ("RunInstances", {**HOURLY, "ClientToken": "one"}),
        ):
            code, sentence = client.call(action, asked).error
            assert (code, "ClientToken" in sentence) == ("InvalidParameterValue", True)


def test_a_repeated_purchase_by_a_template_buys_once() -> None:
    client, account_id = open_customer()
    template = _create(client, MONTHLY)
    asked = {**_named(template, 1), "ClientToken": "once"}
    (bought,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    before = purses(account_id)
    work()
    with nothing_written():
        assert client.call("RunInstances", asked).response["InstanceIdSet"] == [bought]
    assert (Instance.objects.count(), purses(account_id)["gift"] <= before["gift"]) == (1, True)
