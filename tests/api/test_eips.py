"""Given the API of vpc, when public addresses are bought, bound and told of, then as Terraform's provider needs it."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support.quotas import one as quota
from tests.support.shopper import work
from vmart.network.models import Eip

pytestmark = pytest.mark.usefixtures("shop", "delivering")

BARE = {name: value for name, value in HOURLY.items() if name != "InternetAccessible"}


@pytest.fixture
def client() -> Client:
    return open_customer("owner")[0]


def told(client: Client, **asked: Any) -> list[dict[str, Any]]:
    found = client.call("DescribeAddresses", asked).response
    assert found["TotalCount"] == len(found["AddressSet"])
    return found["AddressSet"]


def _ids(client: Client, *conditions: tuple[str, str]) -> list[str]:
    filters = [{"Name": name, "Values": [value]} for name, value in conditions]
    return [one["AddressId"] for one in told(client, Filters=filters)]


def _code(client: Client, action: str, asked: dict[str, Any]) -> str:
    return str(client.call(action, asked).response["Error"]["Code"])


def test_what_a_provider_does_from_the_first_to_the_last_call(client: Client) -> None:
    (machine,) = client.call("RunInstances", BARE).response["InstanceIdSet"]
    work()
    made = client.call(
        "AllocateAddresses",
        {
            "AddressCount": 1, "AddressType": "EIP", "InternetServiceProvider": "BGP", "InternetMaxBandwidthOut": 7,
            "InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "AddressName": "front",
            "Tags": [{"Key": "env", "Value": "prod"}],
        },
    ).response  # fmt: skip
    (eip,) = made["AddressSet"]
    task = client.call("DescribeTaskResult", {"TaskId": int(made["TaskId"])}).response
    assert (task["TaskId"], task["Result"]) == (int(made["TaskId"]), "SUCCESS")
    (idle,) = told(client, AddressIds=[eip])
    row = Eip.objects.get()
    assert idle == {
        "AddressId": eip, "AddressName": "front", "AddressIp": row.ip, "AddressStatus": "UNBIND", "InstanceId": "",
        "InstanceType": "", "AddressType": "EIP", "InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "Bandwidth": 7,
        "IsArrears": False, "Egress": "center_egress1", "TagSet": [{"Key": "env", "Value": "prod"}],
        "NetworkInterfaceId": None, "PrivateAddressIp": None, "CreatedTime": f"{row.created_at:%Y-%m-%dT%H:%M:%SZ}",
        "BandwidthPackageId": "", "RenewFlag": "", "DeadlineDate": "", "IsBlocked": False, "CascadeRelease": False,
        "IsEipDirectConnection": False, "EipVisibleOnEni": False, "InternetServiceProvider": "BGP", "LocalBgp": False,
        "EipAlgType": {"Ftp": False, "Sip": False}, "AntiDDoSPackageId": "", "UnVpcId": "", "DedicatedClusterId": "",
    }  # fmt: skip
    packages = {"Filters": [{"Name": "resource.resource-id", "Values": [eip]}]}
    assert client.call("DescribeBandwidthPackages", packages).response["BandwidthPackageSet"] == []
    task = client.call("AssociateAddress", {"AddressId": eip, "InstanceId": machine}).response["TaskId"]
    assert client.call("DescribeTaskResult", {"TaskId": int(task)}).response["Result"] == "RUNNING"
    assert told(client)[0]["AddressStatus"] == "BINDING"
    work()
    (bound,) = told(client)
    (shown,) = client.call("DescribeInstances", {"InstanceIds": [machine]}).response["InstanceSet"]
    assert (bound["AddressStatus"], bound["InstanceId"], bound["InstanceType"]) == ("BIND", machine, "CVM")
    assert [bound["PrivateAddressIp"]] == shown["PrivateIpAddresses"]
    assert (shown["PublicIpAddresses"], shown["InternetAccessible"]["PublicIpAssigned"]) == ([row.ip], False)
    by_ip = {"Filters": [{"Name": "public-ip-address", "Values": [row.ip]}]}
    assert client.call("DescribeInstances", by_ip).response["TotalCount"] == 1
    assert "Error" not in client.call("ModifyAddressAttribute", {"AddressId": eip, "AddressName": "back"}).response
    client.call("ModifyAddressesBandwidth", {"AddressIds": [eip], "InternetMaxBandwidthOut": 12})
    work()
    assert [(one["AddressName"], one["Bandwidth"]) for one in told(client)] == [("back", 12)]
    assert _code(client, "ReleaseAddresses", {"AddressIds": [eip]}) == "InvalidAddressIdStatus.NotPermit"
    client.call("DisassociateAddress", {"AddressId": eip})
    work()
    task = client.call("ReleaseAddresses", {"AddressIds": [eip]}).response["TaskId"]
    assert told(client)[0]["AddressStatus"] == "OFFLINING"
    work()
    assert client.call("DescribeTaskResult", {"TaskId": int(task)}).response["Result"] == "SUCCESS"
    assert told(client, AddressIds=[eip]) == []
    assert told(client, Filters=[{"Name": "business-type", "Values": ["CDC"]}]) == []


def test_addresses_are_found_by_what_they_are(client: Client) -> None:
    (machine,) = client.call("RunInstances", BARE).response["InstanceIdSet"]
    work()
    first, second = client.call("AllocateAddresses", {"AddressCount": 2}).response["AddressSet"]
    client.call("ModifyAddressAttribute", {"AddressId": first, "AddressName": "one"})
    client.call("AssociateAddress", {"AddressId": first, "InstanceId": machine})
    work()
    ip = Eip.objects.get(public_id=first).ip or ""
    private = client.call("DescribeInstances", {}).response["InstanceSet"][0]["PrivateIpAddresses"][0]
    for name, value in (
        ("address-id", first), ("address-name", "one"), ("address-ip", ip), ("address-status", "BIND"),
        ("instance-id", machine), ("private-ip-address", private), ("instance-type", "CVM"),
    ):  # fmt: skip
        assert _ids(client, (name, value)) == [first], name
    for name, value in (("is-arrears", "FALSE"), ("address-type", "EIP"), ("address-isp", "BGP")):
        assert sorted(_ids(client, (name, value))) == sorted([first, second]), name
    for name, value in (
        ("is-arrears", "TRUE"), ("address-type", "WanIP"), ("instance-type", "NAT"), ("address-ip", "x"),
        ("network-interface-id", "eni-1"), ("tag:env", "prod"),
    ):  # fmt: skip
        assert _ids(client, (name, value)) == [], name
    assert _ids(client, ("address-status", "UNBIND"), ("address-name", "one")) == []
    newest = [one["AddressId"] for one in told(client)]
    for part, found in (({"Offset": 1}, newest[1:]), ({"Limit": 1}, newest[:1])):
        page = client.call("DescribeAddresses", part).response
        assert (page["TotalCount"], [one["AddressId"] for one in page["AddressSet"]]) == (2, found)
    assert _code(client, "DescribeAddresses", {"Filters": [{"Name": "x", "Values": ["y"]}]}) == "InvalidFilter"
    for name, value, found in (("business-type", "CDC", []), ("address-status", "BIND", [first])):
        asked = {"AddressIds": [first, second], "Filters": [{"Name": name, "Values": [value]}]}
        assert [one["AddressId"] for one in told(client, **asked)] == found
    both = {"AddressIds": [first], "Filters": [{"Name": "address-id", "Values": [first]}]}
    assert _code(client, "DescribeAddresses", both) == "InvalidParameter"


def test_quota_and_price() -> None:
    client, account = open_customer("owner")
    quota(account, addresses_per_region=3)
    client.call("AllocateAddresses", {"AddressCount": 2})
    assert client.call("DescribeAddressQuota", {}).response["QuotaSet"] == [
        {"QuotaId": "TOTAL_EIP_QUOTA", "QuotaCurrent": 2, "QuotaLimit": 3, "QuotaGroup": "BGP"}
    ]
    assert _code(client, "AllocateAddresses", {"AddressCount": 2}) == "AddressQuotaLimitExceeded"
    for mode, price in (("TRAFFIC_POSTPAID_BY_HOUR", 0.8), ("BANDWIDTH_POSTPAID_BY_HOUR", 0.565)):  # 5 × 0.063 + 0.25
        asked = {"InternetChargeType": mode, "InternetMaxBandwidthOut": 6}
        assert client.call("InquiryPriceAllocateAddresses", asked).response["Price"]["AddressPrice"] == {
            "UnitPrice": price, "DiscountPrice": price, "ChargeUnit": "HOUR", "OriginalPrice": price,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "asked", "code"),
    [
        ("AllocateAddresses", {"InternetChargeType": "BANDWIDTH_PACKAGE"}, "MissingParameter"),
        ("AllocateAddresses", {"InternetMaxBandwidthOut": 101}, "InvalidParameterValue.BandwidthOutOfRange"),
        ("AllocateAddresses", {"AddressCount": 0}, "InvalidParameterValue.LimitExceeded"),
        ("AllocateAddresses", {"AddressName": "a b"}, "InvalidParameterValue"),
        ("AllocateAddresses", {"AddressType": "AnycastEIP"}, "UnsupportedOperation"),
        ("AllocateAddresses", {"Tags": [{"Key": "qcloud", "Value": "v"}]}, "InvalidParameterValue.ReservedTagKey"),
        ("AssociateAddress", {"AddressId": "eip-none", "InstanceId": "ins-none"}, "InvalidInstanceId.NotFound"),
        ("AssociateAddress", {"AddressId": "eip-none"}, "MissingParameter"),
        ("DisassociateAddress", {"AddressId": "eip-none"}, "InvalidAddressId.NotFound"),
        ("ReleaseAddresses", {"AddressIds": []}, "MissingParameter"),
        ("ModifyAddressAttribute", {"AddressId": "eip-none"}, "MissingParameter"),
        ("DescribeTaskResult", {"TaskId": 9}, "ResourceNotFound"),
        ("DescribeTaskResult", {"TaskId": "x"}, "InvalidParameter"),
        ("DescribeTaskResult", {"TaskId": -1}, "InvalidParameterValue"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_code(client: Client, action: str, asked: dict[str, Any], code: str) -> None:
    assert _code(client, action, asked) == code
    assert Eip.objects.count() == 0
