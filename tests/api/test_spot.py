"""Given a customer, when a program asks for spot machines, then it is told what they cost and gets what it is told."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written, open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.support import quotas
from tests.support.shopper import purses, work
from vmart.instances.models import Instance

pytestmark = pytest.mark.usefixtures("delivering")
SPOT = {**HOURLY, "InstanceChargeType": "SPOTPAID", "InstanceType": "S5.SMALL1"}


def _bid(price: object, **more: object) -> dict[str, Any]:
    return {"InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"MaxPrice": price, **more}}}


def test_one_is_bought_and_told_as_what_it_is() -> None:
    client, account_id = open_customer()
    bought = client.call("RunInstances", {**SPOT, **_bid("0.05", SpotInstanceType="one-time"), "InstanceCount": 2})
    assert purses(account_id)["held"] == 10  # 0.028 + 50 × 0.0005 each, half-up
    work()
    ids = bought.response["InstanceIdSet"]
    asked = {"Filters": [{"Name": "instance-charge-type", "Values": ["SPOTPAID"]}]}
    told = client.call("DescribeInstances", asked).response
    assert (told["TotalCount"], {machine["InstanceId"] for machine in told["InstanceSet"]}) == (2, set(ids))
    assert {(one["InstanceChargeType"], one["RestrictState"], one["ExpiredTime"]) for one in told["InstanceSet"]} == {
        ("SPOTPAID", "NORMAL", None)
    }
    assert {str(price) for price in Instance.objects.values_list("max_price", flat=True)} == {"0.05000000"}
    client.call("TerminateInstances", {"InstanceIds": ids})
    work()
    assert client.call("DescribeInstances").response["TotalCount"] == 0


@pytest.mark.parametrize(("count", "listed", "amount"), [(1, 0.165, 0.053), (3, 0.495, 0.159)])
def test_its_price_beside_what_it_would_cost_postpaid(count: int, listed: float, amount: float) -> None:
    client, _ = open_customer()
    price = client.call("InquiryPriceRunInstances", {**SPOT, "InstanceCount": count}).response["Price"]
    assert price["InstancePrice"] == {
        "ChargeUnit": "HOUR", "UnitPrice": listed, "UnitPriceDiscount": amount, "Discount": 32.12,
    }  # fmt: skip
    assert price["BandwidthPrice"]["UnitPrice"] == 0.8
    with nothing_written():
        low = client.call("InquiryPriceRunInstances", {**SPOT, **_bid("0.02")}).error
    assert (low[0], "MaxPrice" in low[1], "costs 0.028 now" in low[1]) == ("InvalidParameterValue", True, True)


def test_types_that_are_sold_so() -> None:
    client, _ = open_customer()
    filters = [
        {"Name": "zone", "Values": ["ap-guangzhou-4"]}, {"Name": "instance-charge-type", "Values": ["SPOTPAID"]}
    ]  # fmt: skip
    found = client.call("DescribeZoneInstanceConfigInfos", {"Filters": filters}).response["InstanceTypeQuotaSet"]
    assert {(one["InstanceType"], one["InstanceChargeType"], one["Status"]) for one in found} == {
        ("S5.SMALL1", "SPOTPAID", "SELL"), ("S5.SMALL2", "SPOTPAID", "SELL"),
    }  # fmt: skip
    prices = {one["InstanceType"]: one["Price"] for one in found}
    assert prices["S5.SMALL1"] == {
        "ChargeUnit": "HOUR", "UnitPrice": 0.14, "UnitPriceDiscount": 0.028, "Discount": 20.0,
    }  # fmt: skip


def test_without_a_type_it_is_the_smallest_that_is_sold_so() -> None:
    client, _ = open_customer()
    asked = {key: value for key, value in SPOT.items() if key != "InstanceType"}
    client.call("RunInstances", asked)
    assert Instance.objects.get().instance_type_id == "S5.SMALL1"


def test_its_quota() -> None:
    client, account_id = open_customer()
    quotas.one(account_id, spot_per_zone=1)
    client.call("RunInstances", SPOT)
    filters = [{"Name": "zone", "Values": ["ap-guangzhou-4"]}, {"Name": "quota-type", "Values": ["SpotPaidQuotaSet"]}]
    told = client.call("DescribeAccountQuota", {"Filters": filters}).response["AccountQuotaOverview"]["AccountQuota"]
    assert told["SpotPaidQuotaSet"] == [
        {"UsedQuota": 1, "RemainingQuota": 0, "TotalQuota": 1, "Zone": "ap-guangzhou-4"}
    ]
    assert told["PostPaidQuotaSet"] == []
    with nothing_written():
        assert client.call("RunInstances", SPOT).error[0] == "LimitExceeded.UserSpotQuota"


BAD: list[tuple[dict[str, Any], str, str]] = [
    (_bid("0.027"), "InvalidParameterValue", "InstanceMarketOptions.SpotOptions.MaxPrice"),
    (_bid("-1"), "InvalidParameterValue", "InstanceMarketOptions.SpotOptions.MaxPrice"),
    (_bid("1e3"), "InvalidParameterValue", "InstanceMarketOptions.SpotOptions.MaxPrice"),
    (_bid("0.123456789"), "InvalidParameterValue", "InstanceMarketOptions.SpotOptions.MaxPrice"),
    (_bid(1), "InvalidParameter", "InstanceMarketOptions.SpotOptions.MaxPrice"),
    (_bid("1", SpotInstanceType="persistent"), "InvalidParameterValue", "SpotInstanceType"),
    ({"InstanceMarketOptions": {"MarketType": "block"}}, "InvalidParameterValue", "MarketType"),
    ({"InstanceChargeType": "POSTPAID_BY_HOUR", **_bid("1")}, "InvalidParameterCombination", "MaxPrice"),
    ({"InstanceType": "S5.MEDIUM4"}, "UnsupportedOperation.NoInstanceTypeSupportSpot", "InstanceType"),
    ({"InstanceChargePrepaid": {"Period": 1}}, "InvalidParameterCombination", "InstanceChargePrepaid"),
]


@pytest.mark.parametrize(("change", "code", "said"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_what_is_wrong_writes_nothing(change: dict[str, Any], code: str, said: str) -> None:
    client, _ = open_customer()
    with nothing_written():
        given, sentence = client.call("RunInstances", {**SPOT, **change}).error
    assert (given, said in sentence) == (code, True), sentence


def _refusal(client: Client, action: str, members: dict[str, Any]) -> str:
    with nothing_written():
        return str(client.call(action, members).error[0])


def test_what_is_not_done_with_one() -> None:
    client, _ = open_customer()
    ids = client.call("RunInstances", SPOT).response["InstanceIdSet"]
    work()
    of = {"InstanceIds": ids}
    assert _refusal(client, "ResetInstancesType", {**of, "InstanceType": "S5.SMALL2", "ForceStop": True}) == (
        "UnsupportedOperation.InstanceChargeType"
    )
    paid = {**of, "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1}}
    assert _refusal(client, "ModifyInstancesChargeType", paid) == "UnsupportedOperation.InstanceChargeType"
    assert _refusal(client, "StopInstances", {**of, "StoppedMode": "STOP_CHARGING"}) == (
        "UnsupportedOperation.StoppedModeStopCharging"
    )


def test_a_launch_template_keeps_the_bid() -> None:
    client, _ = open_customer()
    kept = client.call("CreateLaunchTemplate", {"LaunchTemplateName": "cheap", **SPOT, **_bid("0.04")}).response
    of = {"LaunchTemplateId": kept["LaunchTemplateId"]}
    told = client.call("DescribeLaunchTemplateVersions", of).response["LaunchTemplateVersionSet"][0]
    assert told["LaunchTemplateVersionData"]["InstanceMarketOptions"] == {
        "MarketType": "spot", "SpotOptions": {"MaxPrice": "0.04", "SpotInstanceType": "one-time"},
    }  # fmt: skip
    client.call("RunInstances", {"LaunchTemplate": of})
    (machine,) = Instance.objects.all()
    assert (machine.charge_type, str(machine.max_price)) == ("SPOTPAID", "0.04000000")
