"""Given machines on the internet, when a program changes their bandwidth, then it is told what is published."""

import datetime as dt
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.api.test_every_action import Things, owner
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

CHANGE, PRICE = "ResetInstancesInternetMaxBandwidth", "InquiryPriceResetInstancesInternetMaxBandwidth"
BY_HOUR = {"InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 6}


def _asked(*names: str, mbps: int = 9, **others: Any) -> dict[str, Any]:
    return {"InstanceIds": list(names), "InternetAccessible": {"InternetMaxBandwidthOut": mbps}, **others}


def _told(client: Client, name: str) -> tuple[int, str, str]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [name]}).response["InstanceSet"]
    mbps = machine["InternetAccessible"]["InternetMaxBandwidthOut"]
    return mbps, machine["LatestOperation"], machine["LatestOperationState"]


def test_it_is_changed_and_told(owner: tuple[Client, Things]) -> None:
    client, has = owner
    assert set(client.call(CHANGE, _asked(has.running, has.stopped)).response) == {"RequestId"}
    assert _told(client, has.running) == (10, CHANGE, "OPERATING")
    work()
    for name in (has.running, has.stopped):
        assert _told(client, name) == (9, CHANGE, "SUCCESS")


@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_how_it_is_charged_may_be_said_and_not_changed(owner: tuple[Client, Things], action: str) -> None:
    """As Terraform does, which sends both."""
    client, has = owner
    network = {"InternetMaxBandwidthOut": 9, "InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR"}
    asked = _asked(has.running, InternetAccessible=network)
    with nothing_written():
        assert client.call(action, asked).error == (
            "UnsupportedOperation",
            "InternetAccessible.InternetChargeType: BANDWIDTH_POSTPAID_BY_HOUR cannot be had by this change: "
            f"{has.running} has TRAFFIC_POSTPAID_BY_HOUR, and keeps it.",
        )
    network["InternetChargeType"] = "TRAFFIC_POSTPAID_BY_HOUR"
    assert "Error" not in client.call(action, asked).response
    work()
    assert _told(client, has.running)[0] == (9 if action == CHANGE else 10)


def test_what_it_would_cost_by_traffic_and_by_the_hour(owner: tuple[Client, Things]) -> None:
    """0.80 a GB; 9 Mbps by the hour: 5 × 0.063 + 4 × 0.25."""
    client, has = owner
    price = client.call(PRICE, _asked(has.running)).response["Price"]
    assert price == {
        "BandwidthPrice": {"ChargeUnit": "GB", "Discount": 100.0, "UnitPrice": 0.8, "UnitPriceDiscount": 0.8}
    }
    (by_hour,) = client.call("RunInstances", {**HOURLY, "InternetAccessible": BY_HOUR}).response["InstanceIdSet"]
    work()
    price = client.call(PRICE, _asked(by_hour)).response["Price"]
    assert price == {
        "BandwidthPrice": {"ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 1.315, "UnitPriceDiscount": 1.315}
    }


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"InstanceIds": []}, "MissingParameter"),
        ({"InternetAccessible": {}}, "MissingParameter"),
        ({"InternetAccessible": {"InternetMaxBandwidthOut": -1}}, "InvalidParameterValue.Range"),
        ({"InternetAccessible": {"InternetMaxBandwidthOut": 0}}, "InvalidParameterValue.Range"),
        ({"InternetAccessible": {"InternetMaxBandwidthOut": 101}}, "InvalidParameterValue.Range"),
        ({"InternetAccessible": {"InternetMaxBandwidthOut": 9, "PublicIpAssigned": True}}, "UnsupportedOperation"),
        ({"StartTime": "2026-03-10"}, "MissingParameter"),
        ({"EndTime": "2026-03-10"}, "MissingParameter"),
        ({"StartTime": "2026-03-10", "EndTime": "2026-03-12"}, "UnsupportedOperation.InstanceChargeType"),
        ({"InstanceIds": ["ins-00000000"]}, "InvalidInstanceId.NotFound"),
    ],
)
@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_what_is_refused(owner: tuple[Client, Things], action: str, others: dict[str, Any], code: str) -> None:
    client, has = owner
    with nothing_written():
        assert client.call(action, {**_asked(has.running), **others}).error[0] == code


def test_by_the_month_its_price_is_told_then_charged(owner: tuple[Client, Things]) -> None:
    """A year of which no day has passed: 12 months of 2 × 25 more."""
    client, _ = owner
    by_month = {"InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 3, "PublicIpAssigned": True}
    (name,) = client.call("RunInstances", {**MONTHLY, "InternetAccessible": by_month}).response["InstanceIdSet"]
    work()
    before = client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"]
    price = client.call(PRICE, _asked(name, mbps=5)).response["Price"]
    assert price == {"BandwidthPrice": {"OriginalPrice": 600.0, "DiscountPrice": 600.0, "Discount": 100.0}}
    assert set(client.call(CHANGE, _asked(name, mbps=5)).response) == {"RequestId"}
    work()
    assert _told(client, name) == (5, CHANGE, "SUCCESS")
    assert client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"] == before - 60_000
    for action in (CHANGE, PRICE):
        with nothing_written():
            code, said = client.call(action, _asked(name, mbps=4)).error
            assert code == "InvalidParameterValue.Range"
            assert "Less of it comes with a renewal, which the page of renewals sells." in said


def test_what_is_paid_by_the_month_becomes_traffic(owner: tuple[Client, Things]) -> None:
    """2 Mbps for a year are 480.00, of which nothing is used; said again it is the cap of what is by traffic."""
    client, _ = owner
    network = {"InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 2}
    (name,) = client.call("RunInstances", {**MONTHLY, "InternetAccessible": network}).response["InstanceIdSet"]
    work()
    traffic = {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5}
    asked = _asked(name, InternetAccessible=traffic)
    with nothing_written():
        price = client.call(PRICE, asked).response["Price"]
    assert price == {"BandwidthPrice": {"OriginalPrice": -480.0, "DiscountPrice": -480.0, "Discount": 100.0}}
    cash = client.call("DescribeAccountBalance", version="2018-07-09").response["RealBalance"]
    assert set(client.call(CHANGE, asked).response) == {"RequestId"}
    work()
    assert _told(client, name) == (5, CHANGE, "SUCCESS")
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [name]}).response["InstanceSet"]
    assert machine["InternetAccessible"]["InternetChargeType"] == "TRAFFIC_POSTPAID_BY_HOUR"
    assert client.call("DescribeAccountBalance", version="2018-07-09").response["RealBalance"] == cash + 48_000
    assert client.call(PRICE, asked).response["Price"]["BandwidthPrice"]["ChargeUnit"] == "GB"


@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_it_becomes_nothing_else(owner: tuple[Client, Things], action: str) -> None:
    client, _ = owner
    network = {"InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 2}
    (name,) = client.call("RunInstances", {**MONTHLY, "InternetAccessible": network}).response["InstanceIdSet"]
    work()
    for kind, mbps, code in (
        ("BANDWIDTH_POSTPAID_BY_HOUR", 2, "UnsupportedOperation"),
        ("TRAFFIC_POSTPAID_BY_HOUR", 0, "InvalidParameterValue"),
    ):
        asked = _asked(name, InternetAccessible={"InternetChargeType": kind, "InternetMaxBandwidthOut": mbps})
        with nothing_written():
            assert client.call(action, asked).error[0].startswith(code)


def _by_month(client: Client) -> str:
    network = {"InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 2}
    (name,) = client.call("RunInstances", {**MONTHLY, "InternetAccessible": network}).response["InstanceIdSet"]
    work()
    return str(name)


def test_for_some_days_its_price_is_told_then_charged(owner: tuple[Client, Things], test_clock: BusinessClock) -> None:
    """75 more a month for ten days of April: 25.00 (bandwidth-17)."""
    client, _ = owner
    name = _by_month(client)
    days = {"StartTime": "2026-04-01", "EndTime": "2026-04-10"}
    with nothing_written():
        price = client.call(PRICE, _asked(name, mbps=5, **days)).response["Price"]
    assert price == {"BandwidthPrice": {"OriginalPrice": 25.0, "DiscountPrice": 25.0, "Discount": 100.0}}
    cash = client.call("DescribeAccountBalance", version="2018-07-09").response["RealBalance"]
    network = {"InternetMaxBandwidthOut": 5, "InternetChargeType": "BANDWIDTH_PREPAID"}
    assert set(client.call(CHANGE, _asked(name, InternetAccessible=network, **days)).response) == {"RequestId"}
    assert client.call("DescribeAccountBalance", version="2018-07-09").response["RealBalance"] == cash - 2500
    work()
    assert _told(client, name) == (2, "RunInstances", "SUCCESS")
    test_clock.set(dt.datetime(2026, 3, 31, 16, tzinfo=dt.UTC))
    work()
    assert _told(client, name) == (5, CHANGE, "SUCCESS")


@pytest.mark.parametrize(
    ("days", "code", "member"),
    [
        ({"StartTime": "2026-03-09", "EndTime": "2026-03-20"}, "InvalidParameterValue", "StartTime"),
        ({"StartTime": "tomorrow", "EndTime": "2026-03-20"}, "InvalidParameterValue", "StartTime"),
        ({"StartTime": "2026-03-12", "EndTime": "2026-03-11"}, "InvalidParameterValue", "EndTime"),
        ({"StartTime": "2026-03-12", "EndTime": "2027-03-11"}, "InvalidParameterValue", "EndTime"),
        ({"StartTime": "2026-03-12"}, "MissingParameter", "EndTime"),
        ({"EndTime": "2026-03-12"}, "MissingParameter", "StartTime"),
    ],
)
@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_days_that_cannot_be_had(
    owner: tuple[Client, Things], action: str, days: dict[str, str], code: str, member: str
) -> None:
    client, _ = owner
    name = _by_month(client)
    with nothing_written():
        error = client.call(action, _asked(name, mbps=5, **days)).error
    assert (error[0], member in error[1]) == (code, True)
