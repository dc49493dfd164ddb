"""One rule, refused at each edge: the API, its price, the legacy API and the page each name it as they call it."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.signing import SECRET_ID
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_legacy import HOURLY as LEGACY_HOURLY
from tests.api.test_legacy import MONTHLY as LEGACY_MONTHLY
from tests.support.written import nothing_written
from tests.web.test_refused_forms import _summaries
from tests.web.visiting import Visitor, customer
from vmart.api import services
from vmart.pricing.errors import TooMany
from vmart.web import fields

MANY = 21


@dataclass(frozen=True)
class Rule:
    """What breaks it at each edge, and what is named: nothing where the edge cannot break it, "" where it may."""

    says: str
    asked: dict[str, Any]
    member: str
    priced: str = ""
    legacy: dict[str, Any] = field(default_factory=dict)
    legacy_member: str = ""
    form: dict[str, Any] = field(default_factory=dict)
    place: str = ""


def _disks(*sizes: int, disk_type: str = "CLOUD_PREMIUM") -> list[dict[str, Any]]:
    return [{"DiskType": disk_type, "DiskSize": size} for size in sizes]


RULES = {
    "size of the second data disk": Rule(
        "A CLOUD_PREMIUM disk of 25 GiB is not sold here; possible are 10 to 32000 GiB in steps of 10.",
        {"DataDisks": _disks(20, 25)}, "DataDisks.1.DiskSize", "DataDisks.1.DiskSize",
        {"storageSize": 25}, "storageSize",
        {"data_disk": ["CLOUD_PREMIUM"] * 2, "data_gib": ["20", "25"]}, "data_gib-2",
    ),
    "number of data disks": Rule(
        "A machine has at most 20 data disks.", {"DataDisks": _disks(*[20] * MANY)}, "DataDisks", "DataDisks",
        form={"data_disk": ["CLOUD_PREMIUM"] * MANY, "data_gib": ["20"] * MANY}, place="data_disk-1",
    ),
    "type of the second data disk": Rule(
        "The disk type CLOUD_TAPE is not sold; possible are CLOUD_PREMIUM, CLOUD_BSSD, CLOUD_SSD.",
        {"DataDisks": _disks(20) + _disks(20, disk_type="CLOUD_TAPE")}, "DataDisks.1.DiskType", "DataDisks.1.DiskType",
    ),
    "size of the system disk": Rule(
        "A CLOUD_PREMIUM disk of 7 GiB is not sold here; possible are 20 to 2048 GiB in steps of 1.",
        {"SystemDisk": {"DiskSize": 7}}, "SystemDisk.DiskSize", "SystemDisk.DiskSize", {"rootSize": 7}, "rootSize",
    ),
    "an address without bandwidth": Rule(
        "A public address needs a bandwidth of at least 1 Mbps.",
        {"InternetAccessible": {"PublicIpAssigned": True}}, *["InternetAccessible.PublicIpAssigned"] * 2,
        {"wanIp": 1, "bandwidth": 0}, "wanIp",
    ),
    "a type that is sold out": Rule(
        "The instance type C3.2XLARGE16 is sold out in ap-guangzhou-4.",
        {"InstanceType": "C3.2XLARGE16"}, "InstanceType", "InstanceType",
        {"cpu": 8, "mem": 16, "instanceType": "C3"}, "instanceType",
    ),
    "a term of a postpaid machine": Rule(
        "A machine that is charged by the hour has no term.",
        {"InstanceChargePrepaid": {"Period": 1}}, "InstanceChargePrepaid", "InstanceChargePrepaid",
    ),
    "a prepaid machine without a term": Rule(
        "A prepaid machine needs the number of months: InstanceChargePrepaid.Period.",
        {"InstanceChargeType": "PREPAID"}, *["InstanceChargePrepaid.Period"] * 2,
    ),
    "a weak password": Rule(
        "A password has 8 to 30 characters; this one has 4.", {"LoginSettings": {"Password": "weak"}},
        "LoginSettings.Password", "", {"password": "weak"}, "password",
        {"login": "password", "password": "weak"}, "password",
    ),
    "a key pair that is not there": Rule(
        "The key pair skey-unknown0 does not exist.", {"LoginSettings": {"KeyIds": ["skey-unknown0"]}},
        "LoginSettings.KeyIds", "", {"keyId": "skey-unknown0"}, "keyId",
        {"login": "key", "key": "skey-unknown0"}, "login-key",
    ),
    "a password and a key pair": Rule(
        "Give a password or key pairs, not both.",
        {"LoginSettings": {"Password": "Str0ng-pass", "KeyIds": ["skey-1"]}}, "LoginSettings", "",
        {"password": "Str0ng-pass", "keyId": "skey-1"}, "password",
    ),
    "names that become too long": Rule(
        "A name has at most 128 characters, with its pattern and with each number in it; this has 129.",
        {"InstanceName": "n" * 127, "InstanceCount": 20}, "InstanceName", "",
        {"instanceName": "n" * 127, "goodsNum": 20}, "instanceName", {"name": "n" * 129}, "name",
    ),
    "an image that is not there": Rule(
        "The image img-unknown0 does not exist.", {"ImageId": "img-unknown0"}, "ImageId", "",
        {"imageId": "img-unknown0"}, "imageId",
    ),
    "a subnet that is not there": Rule(
        "The subnet subnet-1 does not exist; possible here are DEFAULT.",
        {"VirtualPrivateCloud": {"VpcId": "DEFAULT", "SubnetId": "subnet-1"}}, "VirtualPrivateCloud.SubnetId",
    ),
    "a host name that is none": Rule(
        "A host name has 2 to 60 characters, with each number and address in it; this has 1.",
        {"HostName": "a"}, "HostName",
    ),
    "more at least than in all": Rule("MinCount is above InstanceCount.", {"MinCount": 2}, "MinCount"),
}  # fmt: skip


@pytest.fixture
def visitor() -> Visitor:
    return customer(gift_minor=1_000_000)


@pytest.fixture
def client(visitor: Visitor) -> Client:
    keys = Ring({SECRET_ID: TestKey(account_id=visitor.account_id)})
    return Client(application(services.API, services.LEGACY, keys=keys))


def _said(member: str, sentence: str) -> str:
    """A sentence that does not name the member has it before it."""
    return sentence if member in sentence else f"{member}: {sentence}"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_purchase_and_its_price_name_their_members(client: Client, rule: Rule) -> None:
    with nothing_written():
        assert client.call("RunInstances", HOURLY | rule.asked).error[1] == _said(rule.member, rule.says)
    only_bought = {name: rule.asked[name] for name in rule.asked if name != "MinCount"}
    priced = client.call("InquiryPriceRunInstances", HOURLY | only_bought)
    if rule.priced:
        assert priced.error[1] == _said(rule.priced, rule.says)
    else:
        assert priced.response["Price"].keys() == {"InstancePrice", "BandwidthPrice"}


@pytest.mark.parametrize(("name", "whole"), [("RunInstances", LEGACY_MONTHLY), ("RunInstancesHour", LEGACY_HOURLY)])
@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.legacy], ids=lambda rule: rule.legacy_member)
def test_the_legacy_purchases_name_theirs(client: Client, name: str, whole: dict[str, Any], rule: Rule) -> None:
    with nothing_written():
        body = client.legacy(name, {**whole, **rule.legacy})
    assert (body["code"] != 0, body["message"]) == (True, _said(rule.legacy_member, rule.says))


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.form], ids=lambda rule: rule.place)
def test_the_page_says_it_beside_the_field(visitor: Visitor, rule: Rule) -> None:
    form = visitor.buy_form() | {"act": "buy"} | rule.form
    with nothing_written():
        answer = visitor.post("/buy/", form)
    assert _summaries(answer) == [[(rule.place, rule.says)]] * 2


def test_a_form_names_the_field_around_what_it_has_none_for() -> None:
    assert fields.at_fault(fields.PURCHASE, TooMany("x", field="data_disks.0.delete_with_instance")) == "data_disks"
    assert fields.at_fault(fields.PURCHASE, TooMany("x", field="data_disks.9.size_gib")) == "data_gib-10"
    assert fields.at_fault(fields.PURCHASE, TooMany("x", field="hostname")) == ""
    assert fields.at_fault(fields.PAYMENT, TooMany("x", field="method")) == "card"
    assert fields.at_fault(fields.PAYMENT, TooMany("x")) == ""
