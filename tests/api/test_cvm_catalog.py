"""Given the demo shop, when a program asks what is on sale, then it reads the catalog as published."""

import pytest

from tests.api.calling import Client, application
from vmart.api import services
from vmart.catalog.models import Image
from vmart.placement.models import Host


@pytest.fixture
def client(shop: object) -> Client:
    return Client(application(services.API))


def test_regions(client: Client) -> None:
    answer = client.call("DescribeRegions").response
    assert answer["TotalCount"] == 2
    assert answer["RegionSet"][0] == {
        "Region": "ap-guangzhou",
        "RegionName": "South China (Guangzhou)",
        "RegionState": "AVAILABLE",
    }


def test_region_names_follow_the_language(client: Client) -> None:
    answer = client.call("DescribeRegions", language="zh-CN").response
    assert answer["RegionSet"][0]["RegionName"] == "华南地区(广州)"


def test_zones_of_the_region_of_the_call(client: Client) -> None:
    answer = client.call("DescribeZones").response
    assert [zone["Zone"] for zone in answer["ZoneSet"]] == ["ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6"]
    assert answer["TotalCount"] == 3
    assert answer["ZoneSet"][0]["ZoneId"] == "100003"


def test_types_with_price_and_stock(client: Client) -> None:
    zone = {"Name": "zone", "Values": ["ap-guangzhou-3"]}
    kind = {"Name": "instance-type", "Values": ["S1.SMALL1", "S5.SMALL1"]}
    answer = client.call("DescribeZoneInstanceConfigInfos", {"Filters": [zone, kind]}).response
    rows = {(row["InstanceType"], row["InstanceChargeType"]): row for row in answer["InstanceTypeQuotaSet"]}
    assert set(rows) == {(t, c) for t in ("S1.SMALL1", "S5.SMALL1") for c in ("PREPAID", "POSTPAID_BY_HOUR")} | {
        ("S5.SMALL1", "SPOTPAID")
    }
    small = rows["S1.SMALL1", "POSTPAID_BY_HOUR"]
    assert (small["Cpu"], small["Memory"], small["Status"]) == (1, 1, "SELL")
    assert small["Price"] == {  # tiers by age: full, 50 %, 34 % of 0.42 an hour
        "ChargeUnit": "HOUR",
        "Discount": 100.0,
        "UnitPrice": 0.42,
        "UnitPriceDiscount": 0.42,
        "UnitPriceSecondStep": 0.21,
        "UnitPriceDiscountSecondStep": 0.21,
        "UnitPriceThirdStep": 0.1428,
        "UnitPriceDiscountThirdStep": 0.1428,
    }
    prepaid = rows["S5.SMALL1", "PREPAID"]["Price"]
    assert (prepaid["OriginalPrice"], prepaid["Discount"], prepaid["DiscountPrice"]) == (45.0, 87.0, 39.15)
    assert (prepaid["OriginalPriceOneYear"], prepaid["DiscountPriceOneYear"]) == (540.0, 372.6)


@pytest.mark.parametrize(
    ("memory_mib", "category"),
    [(4095, "WithoutStock"), (4096, "UnderStock"), (9 * 4096, "UnderStock"), (10 * 4096, "NormalStock"),
     (99 * 4096, "NormalStock"), (100 * 4096, "EnoughStock")],
)  # fmt: skip
def test_stock_follows_the_room_on_the_hosts(client: Client, memory_mib: int, category: str) -> None:
    Host.objects.filter(zone="ap-guangzhou-6").update(memory_capacity_mib=0)
    Host.objects.filter(name="gz6-b").update(memory_capacity_mib=memory_mib)
    asked = {
        "Filters": [
            {"Name": "zone", "Values": ["ap-guangzhou-6"]},
            {"Name": "instance-type", "Values": ["S5.MEDIUM4"]},
        ]
    }
    for row in client.call("DescribeZoneInstanceConfigInfos", asked).response["InstanceTypeQuotaSet"]:
        sold_out = category == "WithoutStock"
        assert row["StatusCategory"] == category
        assert row["Status"] == ("SOLD_OUT" if sold_out else "SELL")
        assert row["SoldOutReason"] == ("ResourcesSoldOut.SpecifiedInstanceType" if sold_out else "")


def test_a_type_that_the_seller_switched_off_has_no_stock(client: Client) -> None:
    asked = {"Filters": [{"Name": "instance-type", "Values": ["C3.2XLARGE16"]}]}
    rows = client.call("DescribeZoneInstanceConfigInfos", asked).response["InstanceTypeQuotaSet"]
    assert {(row["Zone"], row["StatusCategory"]) for row in rows} == {
        ("ap-guangzhou-3", "WithoutStock"), ("ap-guangzhou-4", "WithoutStock"), ("ap-guangzhou-6", "EnoughStock"),
    }  # fmt: skip


def test_types_are_sorted_by_key(client: Client) -> None:
    keys = {"Name": "sort-keys", "Values": ["cpu:desc", "mem:asc"]}
    mode = {"Name": "instance-charge-type", "Values": ["PREPAID"]}
    rows = client.call("DescribeZoneInstanceConfigInfos", {"Filters": [keys, mode]}).response["InstanceTypeQuotaSet"]
    sizes = [(-row["Cpu"], row["Memory"]) for row in rows]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > 3


def test_instance_type_configs(client: Client) -> None:
    family = {"Name": "instance-family", "Values": ["M5"]}
    zone = {"Name": "zone", "Values": ["ap-guangzhou-4"]}
    rows = client.call("DescribeInstanceTypeConfigs", {"Filters": [family, zone]}).response["InstanceTypeConfigSet"]
    assert [(row["InstanceType"], row["CPU"], row["Memory"]) for row in rows] == [
        ("M5.SMALL8", 1, 8),
        ("M5.MEDIUM16", 2, 16),
    ]


def test_images_on_sale(client: Client) -> None:
    answer = client.call("DescribeImages").response
    assert [image["OsName"] for image in answer["ImageSet"]] == ["Debian 12 64-bit", "Debian 13 64-bit"]
    assert answer["TotalCount"] == 2
    since = [image.created_at for image in Image.objects.filter(unavailable_en="").order_by("position")]
    assert [image["CreatedTime"] for image in answer["ImageSet"]] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in since]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"ImageIds": ["img-db13q2m9"]}, ["img-db13q2m9"]),
        ({"ImageIds": ["img-unknown0"]}, []),
        ({"Filters": [{"Name": "image-type", "Values": ["PRIVATE_IMAGE"]}]}, []),
        ({"Filters": [{"Name": "image-name", "Values": ["debian 12"]}]}, ["img-db12k7x4"]),
        ({"Filters": [{"Name": "platform", "Values": ["deb"]}]}, ["img-db12k7x4", "img-db13q2m9"]),
        ({"Limit": 1}, ["img-db12k7x4"]),
        ({"Limit": 1, "Offset": 1}, ["img-db13q2m9"]),
        ({"Offset": 2}, []),
        ({"InstanceType": "S5.MEDIUM4", "Limit": 1}, ["img-db12k7x4"]),
    ],
)
def test_images_by_id_filter_and_page(client: Client, asked: dict[str, object], found: list[str]) -> None:
    for method in ("POST", "GET"):
        answer = client.call("DescribeImages", asked, method=method).response
        assert [image["ImageId"] for image in answer["ImageSet"]] == found


@pytest.mark.parametrize(
    ("action", "asked", "code", "names"),
    [
        ("DescribeImages", {"Limit": 0}, "InvalidParameterValueLimit", "Limit"),
        ("DescribeImages", {"Limit": 101}, "InvalidParameterValueLimit", "Limit"),
        ("DescribeImages", {"Offset": -1}, "InvalidParameterValueOffset", "Offset"),
        ("DescribeImages", {"Limit": "20"}, "InvalidParameter", "Limit"),
        ("DescribeImages", {"Colour": "red"}, "UnknownParameter", "Colour"),
        (
            "DescribeImages",
            {"ImageIds": ["img-db12k7x4"], "Filters": [{"Name": "platform", "Values": ["Debian"]}]},
            "InvalidParameter",
            "Filters",
        ),
        ("DescribeImages", {"Filters": [{"Values": ["x"]}]}, "MissingParameter", "Filters.0.Name"),
        ("DescribeImages", {"Filters": [{"Name": "colour", "Values": ["x"]}]}, "InvalidFilter", "Filters.0.Name"),
        (
            "DescribeImages",
            {"Filters": [{"Name": "image-id", "Values": list("abcdef")}]},
            "InvalidFilterValue.LimitExceeded",
            "Filters.0.Values",
        ),
        (
            "DescribeZoneInstanceConfigInfos",
            {"Filters": [{"Name": "sort-keys", "Values": ["price:asc"]}]},
            "InvalidParameterValue",
            "price:asc",
        ),
        ("DescribeImages", {"InstanceType": "S9.HUGE"}, "InvalidParameterValue.InstanceTypeNotFound", "InstanceType"),
        ("DescribeZones", {"Zone": "x"}, "UnknownParameter", "Zone"),
    ],
)
def test_bad_requests(client: Client, action: str, asked: dict[str, object], code: str, names: str) -> None:
    given, sentence = client.call(action, asked).error
    assert given == code
    assert names in sentence
