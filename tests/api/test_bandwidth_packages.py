"""Given the API of vpc, when addresses share a bandwidth package, then as Terraform's provider needs it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.quotas import one as quota
from tests.support.shopper import work
from vmart.network.models import Package
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("shop", "delivering")

BARE = {name: value for name, value in HOURLY.items() if name != "InternetAccessible"}
TEN = {"ChargeType": "BANDWIDTH_POSTPAID_BY_DAY", "InternetMaxBandwidth": 10}


@pytest.fixture
def client() -> Client:
    zones.check("ap-guangzhou-4")
    return open_customer("owner")[0]


def _told(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found = client.call("DescribeBandwidthPackages", asked).response
    assert found["TotalCount"] == len(found["BandwidthPackageSet"])
    return found["BandwidthPackageSet"]


def _ids(client: Client, *conditions: tuple[str, str]) -> list[str]:
    filters = [{"Name": name, "Values": [value]} for name, value in conditions]
    return [one["BandwidthPackageId"] for one in _told(client, Filters=filters)]


def _refusal(client: Client, action: str, asked: dict[str, Any]) -> tuple[str, str]:
    error = client.call(action, asked).response["Error"]
    return error["Code"], error["Message"]


def _made(client: Client, **what: Any) -> str:
    return str(client.call("CreateBandwidthPackage", {**TEN, **what}).response["BandwidthPackageId"])


def test_what_a_provider_does_from_the_first_to_the_last_call(client: Client) -> None:
    (machine,) = client.call("RunInstances", BARE).response["InstanceIdSet"]
    work()
    made = client.call(
        "CreateBandwidthPackage",
        {
            **TEN, "NetworkType": "BGP", "BandwidthPackageName": "front", "Egress": "center_egress1",
            "Tags": [{"Key": "env", "Value": "prod"}],
        },
    ).response  # fmt: skip
    package = made["BandwidthPackageId"]
    assert made["BandwidthPackageIds"] == [package]
    tagged = {"Filters": [{"Name": "tag:env", "Values": ["prod"]}]}
    assert client.call("DescribeBandwidthPackages", tagged).response["TotalCount"] == 1
    name = f"qcs::vpc:ap-guangzhou:uin/:bwp/{package}"
    again = {"Resource": name, "ReplaceTags": [{"TagKey": "env", "TagValue": "prod"}]}
    assert "Error" not in client.call("ModifyResourceTags", again, version="2018-08-13").response
    (told,) = _told(client, BandwidthPackageIds=[package])
    row = Package.objects.get()
    assert told == {
        "BandwidthPackageId": package, "NetworkType": "BGP", "ChargeType": "BANDWIDTH_POSTPAID_BY_DAY",
        "BandwidthPackageName": "front", "CreatedTime": row.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "Status": "CREATED", "ResourceSet": [], "Bandwidth": 10, "Egress": "center_egress1", "Deadline": None,
    }  # fmt: skip
    asked = {"ServiceType": "vpc", "ResourceRegion": "ap-guangzhou", "ResourceIds": [package]}
    for prefix, tags in (("bandwidthPackage", []), ("bwp", [("env", "prod")])):
        held = client.call(
            "DescribeResourceTagsByResourceIds", {**asked, "ResourcePrefix": prefix}, version="2018-08-13"
        ).response
        assert [(tag["TagKey"], tag["TagValue"]) for tag in held["Tags"]] == tags
    (eip,) = client.call("AllocateAddresses", {"InternetMaxBandwidthOut": 7}).response["AddressSet"]
    client.call("AssociateAddress", {"AddressId": eip, "InstanceId": machine})
    work()
    joining = {"ResourceIds": [eip], "BandwidthPackageId": package, "NetworkType": "BGP", "ResourceType": "Address",
               "Protocol": "ipv4"}  # fmt: skip
    assert set(client.call("AddBandwidthPackageResources", joining).response) == {"RequestId"}
    # The provider looks at once, and takes what it does not find for gone.
    inside = {"BandwidthPackageId": package, "Filters": [{"Name": "resource-id", "Values": [eip]}]}
    (resource,) = client.call("DescribeBandwidthPackageResources", inside).response["ResourceSet"]
    assert (resource["ResourceId"], resource["ResourceType"]) == (eip, "Address")
    assert _ids(client, ("resource.resource-id", eip)) == [package]
    work()
    (address,) = client.call("DescribeAddresses", {"AddressIds": [eip]}).response["AddressSet"]
    assert (address["InternetChargeType"], address["BandwidthPackageId"], address["Bandwidth"]) == (
        "BANDWIDTH_PACKAGE", package, 7
    )  # fmt: skip
    client.call("ModifyBandwidthPackageAttribute", {"BandwidthPackageId": package, "BandwidthPackageName": "back"})
    client.call("ModifyBandwidthPackageBandwidth", {"BandwidthPackageId": package, "InternetMaxBandwidth": 20})
    work()
    (told,) = _told(client)
    assert (told["BandwidthPackageName"], told["Bandwidth"], told["ResourceSet"]) == ("back", 20, [resource])
    code, says = _refusal(client, "DeleteBandwidthPackage", {"BandwidthPackageId": package})
    assert (code, eip in says) == ("InvalidParameterValue.BandwidthPackageInUse", True)
    leaving = {"ResourceIds": [eip], "BandwidthPackageId": package, "ResourceType": "Address"}
    assert set(client.call("RemoveBandwidthPackageResources", leaving).response) == {"RequestId"}
    assert set(client.call("DeleteBandwidthPackage", {"BandwidthPackageId": package}).response) == {"RequestId"}
    assert _told(client, BandwidthPackageIds=[package]) == []
    work()
    (address,) = client.call("DescribeAddresses", {"AddressIds": [eip]}).response["AddressSet"]
    assert (address["InternetChargeType"], address["BandwidthPackageId"]) == ("TRAFFIC_POSTPAID_BY_HOUR", "")


def test_packages_are_found_by_what_they_are(client: Client) -> None:
    first, second = _made(client, BandwidthPackageName="one"), _made(client)
    inside = {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": first}
    eip, other = client.call("AllocateAddresses", {**inside, "AddressCount": 2}).response["AddressSet"]
    (told,) = client.call("DescribeAddresses", {"AddressIds": [eip]}).response["AddressSet"]
    for name, value in (
        ("bandwidth-package-id", first), ("bandwidth-package-name", "one"), ("resource.resource-id", eip),
        ("resource.address-ip", told["AddressIp"]), ("resource.resource-type", "Address"),
    ):  # fmt: skip
        assert _ids(client, (name, value)) == [first], name
    for name, value in (("network-type", "BGP"), ("charge-type", "BANDWIDTH_POSTPAID_BY_DAY")):
        assert _ids(client, (name, value)) == [second, first], name
    for name, value in (
        ("network-type", "ANYCAST"), ("charge-type", "FIXED_PREPAID_BY_MONTH"), ("resource.address-ip", "x"),
        ("resource.resource-type", "LoadBalance"), ("tag:env", "prod"), ("bandwidth-package-name", "on"),
    ):  # fmt: skip
        assert _ids(client, (name, value)) == [], name
    assert [one["ResourceId"] for one in _told(client)[1]["ResourceSet"]] == [eip, other]
    for part, package, member in (({"Offset": 1}, first, other), ({"Limit": 1}, second, eip)):
        page = client.call("DescribeBandwidthPackages", part).response
        found = [one["BandwidthPackageId"] for one in page["BandwidthPackageSet"]]
        assert (page["TotalCount"], found) == (2, [package])
        page = client.call("DescribeBandwidthPackageResources", {"BandwidthPackageId": first, **part}).response
        assert (page["TotalCount"], [one["ResourceId"] for one in page["ResourceSet"]]) == (2, [member])
    none = {"BandwidthPackageId": first, "Filters": [{"Name": "resource-type", "Values": ["LoadBalance"]}]}
    assert client.call("DescribeBandwidthPackageResources", none).response["TotalCount"] == 0
    both = {"BandwidthPackageIds": [first], "Filters": [{"Name": "network-type", "Values": ["BGP"]}]}
    assert _refusal(client, "DescribeBandwidthPackages", both)[0] == "InvalidParameter"
    stranger, _ = open_customer("stranger")
    assert _told(stranger) == []
    for action, asked in (
        ("DeleteBandwidthPackage", {}), ("DescribeBandwidthPackageResources", {}),
        ("ModifyBandwidthPackageBandwidth", {"InternetMaxBandwidth": 5}),
        ("ModifyBandwidthPackageAttribute", {"BandwidthPackageName": "n"}),
        ("ModifyBandwidthPackageAttribute", {"ChargeType": "BANDWIDTH_POSTPAID_BY_DAY"}),
    ):  # fmt: skip
        code, _ = _refusal(stranger, action, {"BandwidthPackageId": first, **asked})
        assert code == "InvalidParameterValue.BandwidthPackageNotFound"
    code, _ = _refusal(stranger, "DescribeBandwidthPackageBandwidthRange", {"BandwidthPackageIds": [first]})
    assert code == "InvalidParameterValue.BandwidthPackageNotFound"


def test_quota_and_range() -> None:
    zones.check("ap-guangzhou-4")
    client, account = open_customer("owner")
    quota(account, packages_per_region=2)
    package = _made(client)
    assert client.call("DescribeBandwidthPackageQuota", {}).response["QuotaSet"] == [
        {"QuotaId": "TOTAL_BANDWIDTHPKG_QUOTA", "QuotaCurrent": 1, "QuotaLimit": 2, "QuotaGroup": "ap-guangzhou"}
    ]
    code, _ = _refusal(client, "CreateBandwidthPackage", {**TEN, "BandwidthPackageCount": 2})
    assert code == "LimitExceeded.BandwidthPackageQuota"
    asked = {"BandwidthPackageIds": [package]}
    assert client.call("DescribeBandwidthPackageBandwidthRange", asked).response["BandwidthRangeSet"] == [
        {"ResourceId": package, "BandwidthLowerLimit": 1, "BandwidthUpperLimit": 100}
    ]


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"ChargeType": None}, "InvalidParameterValue.InvalidBandwidthPackageChargeType",
         "ENHANCED95_POSTPAID_BY_MONTH is not sold here; sold are packages by the speed that is set: "
         "ChargeType BANDWIDTH_POSTPAID_BY_DAY."),
        ({"ChargeType": "FIXED_PREPAID_BY_MONTH"}, "InvalidParameterValue.InvalidBandwidthPackageChargeType",
         "FIXED_PREPAID_BY_MONTH is not sold"),
        ({"ChargeType": "X"}, "InvalidParameterValue.InvalidBandwidthPackageChargeType", "X does not exist"),
        ({"InternetMaxBandwidth": None}, "InvalidParameterValue.BandwidthOutOfRange", "is -1 Mbps; 1 to 100"),
        ({"InternetMaxBandwidth": 101}, "InvalidParameterValue.BandwidthOutOfRange", "is 101 Mbps; 1 to 100"),
        ({"BandwidthPackageCount": 21}, "InvalidParameterValue.LimitExceeded", "1 to 20"),
        ({"BandwidthPackageName": "a b"}, "InvalidParameterValue", "1 to 60 characters"),
        ({"DesignatedZone": "ap-nowhere-1"}, "InvalidParameterValue.ZoneNotSupported", "ap-nowhere-1 does not exist"),
        ({"NetworkType": "ANYCAST"}, "UnsupportedOperation", "NetworkType"),
        ({"TimeSpan": 1}, "UnsupportedOperation", "TimeSpan"),
    ],
)  # fmt: skip
def test_what_is_not_sold_is_refused(client: Client, asked: dict[str, Any], code: str, says: str) -> None:
    sent = {name: value for name, value in {**TEN, **asked}.items() if value is not None}
    told = _refusal(client, "CreateBandwidthPackage", sent)
    assert (told[0], says in told[1]) == (code, True), told
    assert not Package.objects.exists()


def test_a_package_is_charged_as_it_is(client: Client) -> None:
    package = {"BandwidthPackageId": _made(client)}
    assert (
        "Error"
        not in client.call(
            "ModifyBandwidthPackageAttribute", {**package, "ChargeType": "BANDWIDTH_POSTPAID_BY_DAY"}
        ).response
    )
    asked = {**package, "ChargeType": "TOP5_POSTPAID_BY_MONTH", "BandwidthPackageName": "n"}
    code, _ = _refusal(client, "ModifyBandwidthPackageAttribute", asked)
    assert (code, Package.objects.get().name) == ("InvalidParameterValue.InvalidBandwidthPackageChargeType", "")
    assert _refusal(client, "ModifyBandwidthPackageAttribute", package)[0] == "MissingParameter"
