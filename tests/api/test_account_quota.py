"""Given an account, when it asks for its quotas, then it is told what a purchase would count."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.support import quotas
from tests.support.business_clock import BusinessClock

pytestmark = pytest.mark.usefixtures("delivering")

ZONE = "ap-guangzhou-4"


def _told(client: Client, **asked: Any) -> dict[str, Any]:
    answer = client.call("DescribeAccountQuota", asked).response
    return {"AppId": answer["AppId"], **answer["AccountQuotaOverview"]}


def _of_zone(told: dict[str, Any], kind: str) -> dict[str, int]:
    (found,) = [one for one in told["AccountQuota"][kind] if one["Zone"] == ZONE]
    return {name: value for name, value in found.items() if name != "Zone"}


def test_what_is_there_and_what_may_be(test_clock: BusinessClock) -> None:
    client, account_id = open_customer("counted", credit_minor=10_000_000)
    quotas.one(account_id, postpaid_per_zone=5, prepaid_per_month=7)
    client.call("RunInstances", {**HOURLY, "InstanceCount": 3})
    client.call("RunInstances", {**MONTHLY, "InstanceCount": 2})
    told = _told(client)
    assert (told["AppId"], told["Region"]) == (account_id, "ap-guangzhou")
    assert [one["Zone"] for one in told["AccountQuota"]["PostPaidQuotaSet"]] == [
        "ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6",
    ]  # fmt: skip
    assert _of_zone(told, "PostPaidQuotaSet") == {"UsedQuota": 3, "RemainingQuota": 2, "TotalQuota": 5}
    assert _of_zone(told, "PrePaidQuotaSet") == {
        "UsedQuota": 2, "RemainingQuota": 5, "TotalQuota": 7, "OnceQuota": 100,
    }  # fmt: skip
    assert _of_zone(told, "SpotPaidQuotaSet") == {"UsedQuota": 0, "RemainingQuota": 100, "TotalQuota": 100}
    assert told["AccountQuota"]["ImageQuotaSet"] == []
    assert told["AccountQuota"]["DisasterRecoverGroupQuotaSet"] == [
        {
            "GroupQuota": 10, "CurrentNum": 0, "CvmInHostGroupQuota": 50, "CvmInSwitchGroupQuota": 0,
            "CvmInRackGroupQuota": 50,
        }
    ]  # fmt: skip
    over = client.call("RunInstances", {**HOURLY, "InstanceCount": 3}).error
    assert over[0] == "LimitExceeded.InstanceQuota"
    quotas.one(account_id, postpaid_per_zone=2)
    assert _of_zone(_told(client), "PostPaidQuotaSet") == {"UsedQuota": 3, "RemainingQuota": 0, "TotalQuota": 2}
    test_clock.advance(days=31)  # another month in Shanghai
    assert _of_zone(_told(client), "PrePaidQuotaSet")["UsedQuota"] == 0


def test_filters_by_zone_and_by_what_it_is_of() -> None:
    client, _ = open_customer("filters")
    filters = [{"Name": "zone", "Values": [ZONE]}, {"Name": "quota-type", "Values": ["PrePaidQuotaSet"]}]
    told = _told(client, Filters=filters)["AccountQuota"]
    assert (told["PostPaidQuotaSet"], [one["Zone"] for one in told["PrePaidQuotaSet"]]) == ([], [ZONE])
    assert told["DisasterRecoverGroupQuotaSet"] == []
    told = _told(client, Filters=[{"Name": "zone", "Values": ["ap-nowhere-1"]}])["AccountQuota"]
    assert (told["PostPaidQuotaSet"], told["PrePaidQuotaSet"]) == ([], [])


def test_a_filter_that_is_none_is_refused() -> None:
    client, _ = open_customer("wrong")
    error = client.call("DescribeAccountQuota", {"Filters": [{"Name": "colour", "Values": ["red"]}]}).error
    assert error == (
        "InvalidFilter", "Filters.0.Name: Filters cannot be colour (or not twice); possible are zone, quota-type.",
    )  # fmt: skip
