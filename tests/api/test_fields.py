"""A rule that is refused names the member of the request that broke it, as this action calls it."""

from typing import Annotated

import pytest
from pydantic import Field

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from vmart.api import services
from vmart.api.declarations import Domain, LegacyShape, Shape
from vmart.api.fields import filled, member_of
from vmart.catalog import shop as catalog
from vmart.catalog.models import Offer
from vmart.kernel.models import Deployment

CVM = "2017-03-12"
ACTIONS = [action for registry in (services.API, services.LEGACY) for action in registry]


class Disk(Shape):
    disk_size: Annotated[int, Domain("disks.*.size_gib")]
    disk_type: str = ""


class Place(Shape):
    zone: Annotated[str, Domain("zone")] = ""
    host: str = ""


class Asked(Shape):
    placement: Place
    data_disks: Annotated[list[Disk], Field(max_length=9), Domain("disks")] = []
    old: Annotated[str, Domain()] = ""
    zone_number: Annotated[int, Domain("number", "numbers")] | None = None
    plain_name: str = ""


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("zone", "Placement.Zone"),
        ("placement.host", "Placement.Host"),
        ("plain_name", "PlainName"),
        ("number", "ZoneNumber"),
        ("numbers", "ZoneNumber"),
        ("disks", "DataDisks"),
        ("disks.2", "DataDisks.2"),
        ("disks.2.size_gib", "DataDisks.2.DiskSize"),
        ("disks.10.disk_type", "DataDisks.10.DiskType"),
        ("disks.1.name", "DataDisks.1"),
        ("placement.rack.row", "Placement"),
        ("region", "Region"),
        ("old", None),
        ("zone_number", None),
        ("PlainName", None),
        ("nothing.like.it", None),
        ("", None),
        (None, None),
    ],
)
def test_members_by_paths(path: str | None, member: str | None) -> None:
    assert member_of(Asked, path) == member


def test_two_members_never_fill_one_path() -> None:
    class Doubled(LegacyShape):
        zone: str = ""
        zone_id: Annotated[int, Domain("zone")] = 0

    with pytest.raises(ValueError, match="zone and zoneId both fill zone"):
        filled(Doubled)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: f"{action.service}-{action.name}-{action.version}")
def test_an_index_of_the_member_is_one_of_the_path(action: object) -> None:
    names = filled(action.asks)  # type: ignore[attr-defined]
    assert {path: member for path, member in names.items() if member.count("*") > path.count("*")} == {}


# path -> its member in cvm's RunInstances, InquiryPriceRunInstances, RenewInstances and ResetInstancesPassword
PATHS = {
    "zone": ("Placement.Zone", "Placement.Zone", None, None),
    "system_disk.size_gib": ("SystemDisk.DiskSize", "SystemDisk.DiskSize", None, None),
    "data_disks.3.delete_with_instance": (*["DataDisks.3.DeleteWithInstance"] * 2, None, None),
    "login": ("LoginSettings", "LoginSettings", None, None),
    "user_data": ("UserData", None, None, None),
    "min_count": ("MinCount", None, None, None),
    "term": ("InstanceChargePrepaid", "InstanceChargePrepaid", None, None),
    "period_months": (*["InstanceChargePrepaid.Period"] * 2, None, None),
    "months": (None, None, "InstanceChargePrepaid.Period", None),
    "renew_flag": (*["InstanceChargePrepaid.RenewFlag"] * 3, None),
    "network.subnet_id": (*["VirtualPrivateCloud.SubnetId"] * 2, None, None),
    "machines": (None, None, "InstanceIds", "InstanceIds"),
    "password": (None, None, None, "Password"),
    "while_running": (None, None, None, "ForceStop"),
    "user": (None, None, None, "UserName"),
    "order_id": (None, None, None, None),
}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_called_differently_by_actions_and_by_some_not_at_all(path: str) -> None:
    names = ("RunInstances", "InquiryPriceRunInstances", "RenewInstances", "ResetInstancesPassword")
    assert tuple(member_of(services.API.find(name, CVM).asks, path) for name in names) == PATHS[path]


LEGACY = {
    "machines": {"StartInstances": "instanceIds", "ReturnInstance": "instanceId", "RunInstances": None},
    "instance_type": {
        "RunInstances": "instanceType", "RunInstancesHour": "instanceType", "InquiryInstancePrice": "instanceModel",
        "InquiryInstancePriceHour": None,
    },
    "months": {"RenewInstance": "period", "RunInstances": None},
    "period_months": {"RunInstances": "period", "InquiryInstancePrice": "period", "RunInstancesHour": None},
    "renew_flag": {"SetAutoRenew": "autoRenew"},
    "stop_type": {"StopInstances": "forceStop"},
    "password": {"ResetInstancePassword": "password"},
    "network.vpc_id": {"RunInstances": None},
}  # fmt: skip


@pytest.mark.parametrize("path", LEGACY)
def test_members_of_the_legacy_api_by_paths(path: str) -> None:
    found = {name: member_of(services.LEGACY.find(name, "").asks, path) for name in LEGACY[path]}
    assert found == LEGACY[path]


@pytest.fixture
def client(shop: object) -> Client:
    return open_customer()[0]


def test_a_machine_that_is_not_there_is_named_as_each_action_asks_for_it(client: Client) -> None:
    says = "The instance ins-unknown0 does not exist."
    started = client.call("StartInstances", {"InstanceIds": ["ins-unknown0"]})
    assert started.error == ("InvalidInstanceId.NotFound", f"InstanceIds: {says}")
    each = client.legacy("StartInstances", {"instanceIds": ["ins-unknown0"]})["detail"]["ins-unknown0"]
    assert (each["code"], each["message"]) == (5000, f"instanceIds: {says}")
    for name, further in (("ReturnInstance", {}), ("RenewInstance", {"period": 1}), ("SetAutoRenew", {"autoRenew": 1})):
        body = client.legacy(name, {"instanceId": "ins-unknown0", **further})
        assert (body["code"], body["message"]) == (5000, f"instanceId: {says}"), name


def test_where_the_request_has_no_member_for_it_none_is_named(client: Client) -> None:
    """Given a price by the hour, whose type the shop finds by its size, then nothing that was sent is at fault."""
    Offer.objects.filter(zone_id="ap-guangzhou-4").update(sold_out=True)
    Deployment.objects.update(generation=catalog.current().generation + 1)
    catalog.refresh()
    asked, says = {"cpu": 1, "mem": 2, "zoneId": 100004}, "The instance type S5.SMALL2 is sold out in ap-guangzhou-4."
    with nothing_written():
        by_the_hour = client.legacy("InquiryInstancePriceHour", asked)
        by_the_month = client.legacy("InquiryInstancePrice", {**asked, "instanceModel": "S5", "period": 1})
    assert (by_the_hour["code"], by_the_hour["message"]) == (5200, says)
    assert (by_the_month["code"], by_the_month["message"]) == (5200, f"instanceModel: {says}")


def test_a_filter_is_named_with_its_number(client: Client) -> None:
    filters = [{"Name": "zone", "Values": ["a"]}, {"Name": "colour", "Values": ["red"]}]
    code, message = client.call("DescribeInstances", {"Filters": filters}).error
    assert (code, message.partition("(")[0]) == ("InvalidFilter", "Filters.1.Name: Filters cannot be colour ")


def test_a_region_is_named_as_the_parameter_of_the_call_that_it_is(client: Client) -> None:
    code, message = client.call("DescribeZones", region="ap-nowhere").error
    assert code == "InvalidParameterValue.InvalidRegion"
    assert message.startswith("Region: The region ap-nowhere does not exist; there are ")
