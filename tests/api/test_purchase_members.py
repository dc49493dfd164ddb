"""Given members that clients name beside the configuration, when machines are bought, then they are kept and told."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support.actors import by
from tests.support.shopper import work
from tests.support.statements import statements
from vmart.catalog import shop as catalog
from vmart.catalog.models import Offer, Zone
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel.models import Deployment
from vmart.orders import actions, place
from vmart.orders.models import Order
from vmart.orders.wanted import Machine, Purchase
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.storage.models import Disk

pytestmark = pytest.mark.usefixtures("shop")
UNTYPED = {name: value for name, value in HOURLY.items() if name != "InstanceType"}
SHANGHAI = {"Placement": {"Zone": "ap-shanghai-2"}}
DISKS = [{"DiskType": "CLOUD_SSD", "DiskSize": 20}, {"DiskType": "CLOUD_PREMIUM", "DiskSize": 40}]


def _bought(client: Client, asked: dict[str, Any], **how: Any) -> dict[str, Any]:
    """The machine of a purchase, as DescribeInstances tells it."""
    (public_id,) = client.call("RunInstances", asked, **how).response["InstanceIdSet"]
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}, **how).response["InstanceSet"]
    return machine


def _sell_no(*types: str) -> None:
    """Mark these types as sold out everywhere."""
    Offer.objects.filter(instance_type_id__in=types).update(sold_out=True)
    Deployment.objects.update(generation=catalog.current().generation + 1)
    catalog.refresh()


@pytest.mark.parametrize("named", [{}, {"InstanceType": ""}])
def test_without_a_type_the_smallest_on_sale(named: dict[str, Any]) -> None:
    """1 vCPU and 1 GB, the cheaper of two; sold out, the other. The price is told and charged: rate + 50 × 0.0005."""
    client, _ = open_customer()
    asked = {**UNTYPED, **named}
    for kind, price, hold_minor in [("S5.SMALL1", 0.165, 17), ("S1.SMALL1", 0.445, 45), ("S5.SMALL2", 0.205, 21)]:
        told = client.call("InquiryPriceRunInstances", asked).response["Price"]["InstancePrice"]
        assert (told["UnitPrice"], _bought(client, asked)["InstanceType"]) == (price, kind)
        assert Order.objects.order_by("-id")[0].hold_minor == hold_minor
        _sell_no(kind)


def test_a_repeat_without_a_type_is_the_same_purchase_after_the_smallest_was_sold_out() -> None:
    client, _ = open_customer()
    asked = {**UNTYPED, "ClientToken": "t"}
    first = client.call("RunInstances", asked).response["InstanceIdSet"]
    _sell_no("S5.SMALL1")
    assert client.call("RunInstances", asked).response["InstanceIdSet"] == first
    assert Order.objects.count() == 1


def test_without_a_type_where_nothing_is_on_sale() -> None:
    client, _ = open_customer()
    Offer.objects.filter(zone_id="ap-guangzhou-4").update(sold_out=True)
    Deployment.objects.update(generation=catalog.current().generation + 1)
    catalog.refresh()
    with nothing_written():
        code, sentence = client.call("RunInstances", UNTYPED).error
    assert (code, sentence) == (
        "ResourcesSoldOut.SpecifiedInstanceType", "InstanceType: No instance type is on sale in ap-guangzhou-4."
    )  # fmt: skip
    elsewhere = {**UNTYPED, "Placement": {"Zone": "ap-nowhere-1"}}
    assert client.call("RunInstances", elsewhere).error[0] == "InvalidParameterValue.ZoneNotSupported"


@pytest.mark.parametrize(
    "flag", ["NOTIFY_AND_MANUAL_RENEW", "NOTIFY_AND_AUTO_RENEW", "DISABLE_NOTIFY_AND_MANUAL_RENEW", None]
)
def test_what_a_purchase_says_of_renewal_is_kept(flag: str | None) -> None:
    client, _ = open_customer()
    term = {"Period": 1} if flag is None else {"Period": 1, "RenewFlag": flag}
    machine = _bought(client, {**MONTHLY, "InstanceChargePrepaid": term})
    assert machine["RenewFlag"] == (flag or "NOTIFY_AND_MANUAL_RENEW")
    (disk,) = client.call("DescribeDisks").response["DiskSet"]
    assert disk["RenewFlag"] == machine["RenewFlag"]


def test_own_network_ids_are_the_default_network() -> None:
    client, _ = open_customer()
    network = _bought(client, HOURLY)["VirtualPrivateCloud"]
    for vpc_id, subnet_id in [
        (network["VpcId"], network["SubnetId"]), (network["VpcId"], "default"), ("DEFAULT", network["SubnetId"]),
    ]:  # fmt: skip
        asked = {**HOURLY, "VirtualPrivateCloud": {"VpcId": vpc_id, "SubnetId": subnet_id}}
        with statements() as made:
            machine = _bought(client, asked)
        assert len(made) <= 3, made  # the network, the purchase; and DescribeInstances
        told = machine["VirtualPrivateCloud"]
        assert (told["VpcId"], told["SubnetId"]) == (network["VpcId"], network["SubnetId"])


def test_network_ids_of_another_place_or_customer() -> None:
    client, _ = open_customer()
    here = _bought(client, HOURLY)["VirtualPrivateCloud"]
    there = _bought(client, {**HOURLY, **SHANGHAI}, region="ap-shanghai")["VirtualPrivateCloud"]
    stranger, _ = open_customer("stranger")
    theirs = _bought(stranger, HOURLY)["VirtualPrivateCloud"]
    own_vpc, own_subnet = f"possible here are DEFAULT, {here['VpcId']}.", f"DEFAULT, {here['SubnetId']}."
    for vpc_id, subnet_id, code, possible in [
        (there["VpcId"], "DEFAULT", "InvalidParameterValue.VpcIdZoneIdNotMatch", own_vpc),
        (theirs["VpcId"], theirs["SubnetId"], "InvalidParameterValue.VpcIdNotExist", own_vpc),
        (here["VpcId"], there["SubnetId"], "InvalidParameterValue.SubnetIdZoneIdNotMatch", own_subnet),
        (here["VpcId"], theirs["SubnetId"], "InvalidParameterValue.SubnetNotExist", own_subnet),
    ]:
        asked = {**HOURLY, "VirtualPrivateCloud": {"VpcId": vpc_id, "SubnetId": subnet_id}}
        with nothing_written():
            given, sentence = client.call("RunInstances", asked).error
        assert (given, sentence.endswith(possible)) == (code, True), sentence


def test_data_disks_of_terraform() -> None:
    """Given DeleteWithInstance false, the only value it sends for prepaid disks, then it is told as it was asked."""
    client, _ = open_customer()
    always = {"ThroughputPerformance": 0, "Encrypt": False}
    prepaid = [{**disk, **always, "DeleteWithInstance": False} for disk in DISKS]
    machine = _bought(client, {**MONTHLY, "DataDisks": prepaid})
    told = [
        (disk["DiskSize"], disk["DeleteWithInstance"], disk["ThroughputPerformance"]) for disk in machine["DataDisks"]
    ]
    assert told == [(20, False, 0), (40, False, 0)]
    postpaid = [{**DISKS[0], **always, "DeleteWithInstance": True}, {**DISKS[1], **always}]
    machine = _bought(client, {**HOURLY, "DataDisks": postpaid})
    assert [disk["DeleteWithInstance"] for disk in machine["DataDisks"]] == [True, True]
    assert sorted(Disk.objects.values_list("usage", "delete_with_instance")) == [
        ("DATA_DISK", False), ("DATA_DISK", False), ("DATA_DISK", True), ("DATA_DISK", True),
        ("SYSTEM_DISK", True), ("SYSTEM_DISK", True),
    ]  # fmt: skip


@pytest.mark.usefixtures("delivering")
def test_a_data_disk_stays_when_its_postpaid_machine_ends() -> None:
    client, _ = open_customer()
    machine = _bought(client, {**HOURLY, "DataDisks": [{**DISKS[0], "DeleteWithInstance": False}, DISKS[1]]})
    assert [disk["DeleteWithInstance"] for disk in machine["DataDisks"]] == [False, True]
    (stays, goes), ids = [disk["DiskId"] for disk in machine["DataDisks"]], [machine["InstanceId"]]
    work()
    for state in ("TORECYCLE", "UNATTACHED"):
        client.call("TerminateInstances", {"InstanceIds": ids})
        work()
        (told,) = client.call("DescribeDisks", {"DiskIds": [stays]}).response["DiskSet"]
        assert (told["DiskState"], told["Portable"]) == (state, state == "UNATTACHED")
    listed = client.call("DescribeDisks").response["DiskSet"]
    assert [(disk["DiskId"], disk["DiskSize"], disk["InstanceId"]) for disk in listed] == [(stays, 20, "")]
    assert goes not in str(listed)


def test_where_the_zone_keeps_no_disks_none_stays() -> None:
    client, _ = open_customer()
    for zone in Zone.objects.all():
        Zone.objects.filter(pk=zone.pk).update(capabilities=zone.capabilities | {"disks": False})
    asked = {**HOURLY, "DataDisks": [DISKS[1], {**DISKS[0], "DeleteWithInstance": False}]}
    with nothing_written():
        code, sentence = client.call("RunInstances", asked).error
    assert (code, "DataDisks.1.DeleteWithInstance" in sentence) == ("InvalidParameterCombination", True)


@pytest.mark.parametrize(
    "change",
    [
        {"InstanceChargePrepaid": {"Period": 12, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}},
        {"DisableApiTermination": True},
        {"DataDisks": [{**DISKS[0], "DeleteWithInstance": False}]},
        {"DataDisks": [{**DISKS[0], "DiskName": "a"}]},
    ],
)
def test_a_token_is_of_these_members_too(change: dict[str, Any]) -> None:
    client, _ = open_customer()
    asked = {**MONTHLY, "DataDisks": DISKS[:1], "ClientToken": "t"}
    client.call("RunInstances", asked)
    with nothing_written():
        code, sentence = client.call("RunInstances", {**asked, **change}).error
    assert (code, "ClientToken" in sentence) == ("InvalidParameterValue", True)


def test_an_order_that_is_paid_later_keeps_them() -> None:
    _, account_id = open_customer()
    configuration = Configuration(
        region="ap-guangzhou", zone="ap-guangzhou-4", instance_type="", charge_type="PREPAID", period_months=1,
        system_disk=DiskChoice("CLOUD_PREMIUM", 50), data_disks=(DiskChoice("CLOUD_SSD", 20, False),),
    )  # fmt: skip
    machine = Machine(
        "img-db12k7x4", renew_flag="NOTIFY_AND_AUTO_RENEW", attributes=Attributes(termination_protected=True)
    )
    actions.pay(by(account_id), place.place(Purchase(by(account_id), configuration, machine)))
    bought = Instance.objects.get()
    assert (bought.instance_type_id, bought.subscription.renew_flag, bought.termination_protected) == (
        "S5.SMALL1", "NOTIFY_AND_AUTO_RENEW", True
    )  # fmt: skip
    assert list(Disk.objects.order_by("position").values_list("delete_with_instance", flat=True)) == [True, False]
