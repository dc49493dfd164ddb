"""Given the API of vpc, when the bandwidth of addresses is paid by the month, then their terms are bought and told."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_every_action import MONTHLY_ADDRESS
from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses, work
from tests.support.written import nothing_written

pytestmark = pytest.mark.usefixtures("shop", "delivering")

TERM = ("RenewFlag", "DeadlineDate", "IsArrears", "AddressStatus")


def told(client: Client, eip: str, *members: str) -> tuple[Any, ...]:
    (seen,) = client.call("DescribeAddresses", {"AddressIds": [eip]}).response["AddressSet"]
    return tuple(seen[member] for member in members)


def bought(client: Client, **more: object) -> str:
    (eip,) = client.call("AllocateAddresses", {**MONTHLY_ADDRESS, **more}).response["AddressSet"]
    return str(eip)


def test_the_life_of_an_address_by_the_month(test_clock: BusinessClock) -> None:
    """As Terraform's provider ends it: given back, off, given back again, gone. 10 Mbps: 565.00 a month."""
    client, account = open_customer()
    asked = {**MONTHLY_ADDRESS, "InternetMaxBandwidthOut": 10}
    assert client.call("InquiryPriceAllocateAddresses", asked).response["Price"] == {
        "AddressPrice": {"DiscountPrice": 565.0, "OriginalPrice": 565.0, "ChargeUnit": "MONTH"},
        "OriginalPrice": 565.0, "DiscountPrice": 565.0,
    }  # fmt: skip
    before = purses(account)["available"]
    eip = bought(client, InternetMaxBandwidthOut=10, AddressChargePrepaid={"Period": 1, "AutoRenewFlag": 2})
    assert before - purses(account)["available"] == 56_500
    assert told(client, eip, *TERM, "InternetChargeType", "Bandwidth") == (
        "DISABLE_NOTIFY_AND_MANUAL_RENEW", "2026-04-10T02:00:00Z", False, "UNBIND", "BANDWIDTH_PREPAID_BY_MONTH", 10,
    )  # fmt: skip
    further = {"AddressIds": [eip], "AddressChargePrepaid": {"Period": 2}}
    assert client.call("InquiryPriceRenewAddresses", further).response["Price"] == {
        "AddressPrice": {"DiscountPrice": 1130.0, "OriginalPrice": 1130.0, "ChargeUnit": "MONTH"},
        "OriginalPrice": 1130.0, "DiscountPrice": 1130.0,
    }  # fmt: skip
    before = purses(account)["available"]
    client.call("RenewAddresses", further)
    assert before - purses(account)["available"] == 113_000
    assert told(client, eip, *TERM[:2]) == ("DISABLE_NOTIFY_AND_MANUAL_RENEW", "2026-06-10T02:00:00Z")
    client.call("ModifyAddressesRenewFlag", {"AddressIds": [eip], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"})
    assert told(client, eip, "RenewFlag") == ("NOTIFY_AND_AUTO_RENEW",)
    task = client.call("ReleaseAddresses", {"AddressIds": [eip]}).response["TaskId"]
    assert client.call("DescribeTaskResult", {"TaskId": task}).response["Result"] == "RUNNING"
    work()
    assert client.call("DescribeTaskResult", {"TaskId": task}).response["Result"] == "SUCCESS"
    assert told(client, eip, *TERM[2:]) == (True, "UNBIND")
    off = {"Filters": [{"Name": "is-arrears", "Values": ["TRUE"]}]}
    assert client.call("DescribeAddresses", off).response["TotalCount"] == 1
    client.call("ReleaseAddresses", {"AddressIds": [eip]})
    work()
    assert client.call("DescribeAddresses", {"AddressIds": [eip]}).response["TotalCount"] == 0


def test_a_first_term_renews_itself_unless_it_says_otherwise_and_a_renewal_leaves_that() -> None:
    client, _ = open_customer()
    eip = bought(client, AddressChargePrepaid={"Period": 1})
    assert told(client, eip, "RenewFlag") == ("NOTIFY_AND_AUTO_RENEW",)
    other = bought(client)
    assert told(client, other, "RenewFlag") == ("NOTIFY_AND_MANUAL_RENEW",)
    term = {"Period": 1, "AutoRenewFlag": 0}
    client.call("RenewAddresses", {"AddressIds": [eip, other], "AddressChargePrepaid": term})
    assert told(client, eip, *TERM[:2]) == ("NOTIFY_AND_MANUAL_RENEW", "2026-05-10T02:00:00Z")


def test_what_is_postpaid_has_no_term() -> None:
    client, _ = open_customer()
    (eip,) = client.call("AllocateAddresses", {}).response["AddressSet"]
    assert told(client, eip, *TERM[:2]) == ("", "")


def test_what_more_and_less_bandwidth_costs(test_clock: BusinessClock) -> None:
    """Up 31 days: 450.00 × 1.02. Down at once: 565.00 − 115.00 × 1.02. Postpaid: the new speed's price."""
    client, account = open_customer()
    eip = bought(client)
    asked = {"AddressIds": [eip], "InternetMaxBandwidthOut": 10}
    assert client.call("InquiryPriceModifyAddressesBandwidth", asked).response["Price"] == {
        "AddressPrice": {"DiscountPrice": 459.0, "OriginalPrice": 459.0, "ChargeUnit": "MONTH"},
        "OriginalPrice": 459.0, "DiscountPrice": 459.0,
    }  # fmt: skip
    before = purses(account)["available"]
    client.call("ModifyAddressesBandwidth", asked)
    assert (before - purses(account)["available"], told(client, eip, "Bandwidth")) == (45_900, (10,))
    fast, before = bought(client, InternetMaxBandwidthOut=10), purses(account)["available"]
    asked = {"AddressIds": [fast], "InternetMaxBandwidthOut": 5}
    price = client.call("InquiryPriceModifyAddressesBandwidth", asked).response["Price"]
    assert price["DiscountPrice"] == -447.7
    client.call("ModifyAddressesBandwidth", asked)
    assert (purses(account)["available"] - before, told(client, fast, "Bandwidth")) == (44_770, (5,))
    hourly = {"InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "AddressCount": 2}
    postpaid = client.call("AllocateAddresses", hourly).response["AddressSet"]
    asked = {"AddressIds": postpaid, "InternetMaxBandwidthOut": 6}
    assert client.call("InquiryPriceModifyAddressesBandwidth", asked).response["Price"] == {
        "AddressPrice": {"UnitPrice": 0.565, "DiscountPrice": 0.565, "OriginalPrice": 0.565, "ChargeUnit": "HOUR"},
    }  # fmt: skip
    (traffic,) = client.call("AllocateAddresses", {}).response["AddressSet"]
    for mixed in ([eip, traffic], [*postpaid, traffic]):
        code = client.call("InquiryPriceModifyAddressesBandwidth", asked | {"AddressIds": mixed}).error[0]
        assert code == "InvalidParameterValue.AddressInternetChargeTypeConflict"


def test_an_address_is_charged_otherwise(test_clock: BusinessClock) -> None:
    """As Terraform's provider asks: by traffic, by the month, by the hour; a third time is refused."""
    client, account = open_customer()
    (eip,) = client.call("AllocateAddresses", {"InternetMaxBandwidthOut": 5}).response["AddressSet"]
    before, asked = purses(account)["available"], {"AddressId": eip, "InternetMaxBandwidthOut": 5}
    to_month = asked | BY_MONTH | {"AddressChargePrepaid": {"Period": 1, "AutoRenewFlag": 0}}
    assert "Error" not in client.call("ModifyAddressInternetChargeType", to_month).response
    assert before - purses(account)["available"] == 11_500 - 20  # what was held idle is free again
    assert told(client, eip, *TERM[:2], "InternetChargeType") == (
        "NOTIFY_AND_MANUAL_RENEW", "2026-04-10T02:00:00Z", "BANDWIDTH_PREPAID_BY_MONTH",
    )  # fmt: skip
    code = client.call("ModifyAddressInternetChargeType", to_month).error[0]
    assert code == "InvalidParameterValue.InternetChargeTypeNotChanged"
    to_hour = asked | {"InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR", "AddressChargePrepaid": {"Period": 1}}
    client.call("ModifyAddressInternetChargeType", to_hour)
    assert (told(client, eip, *TERM[:2]), before - purses(account)["available"]) == (("", ""), 0)
    code = client.call("ModifyAddressInternetChargeType", to_month).error[0]
    assert code == "LimitExceeded.ModifyAddressInternetChargeTypeQuota"


TERM_OF_ONE = {"AddressChargePrepaid": {"Period": 1}}
BY_MONTH = {"InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH"}
CHARGED = "UnsupportedOperation.InvalidAddressInternetChargeType"


@pytest.mark.parametrize(
    ("action", "asked", "code", "named"),
    [
        ("AllocateAddresses", BY_MONTH, "MissingParameter", "AddressChargePrepaid.Period"),
        ("AllocateAddresses", BY_MONTH | {"AddressChargePrepaid": {}}, "MissingParameter", "Period"),
        ("AllocateAddresses", BY_MONTH | {"AddressChargePrepaid": {"Period": 0}}, "InvalidParameterValue", "Period"),
        ("AllocateAddresses", BY_MONTH | {"AddressChargePrepaid": {"Period": 13}}, "InvalidPeriod", "Period"),
        ("AllocateAddresses", BY_MONTH | {"AddressChargePrepaid": {"Period": 1, "AutoRenewFlag": 3}},
         "InvalidParameterValue", "AutoRenewFlag"),
        ("AllocateAddresses", TERM_OF_ONE, "InvalidParameter", "AddressChargePrepaid.Period"),
        ("AllocateAddresses", BY_MONTH | TERM_OF_ONE | {"InternetMaxBandwidthOut": 201},
         "InvalidParameterValue.BandwidthOutOfRange", "InternetMaxBandwidthOut"),
        ("InquiryPriceAllocateAddresses", BY_MONTH, "MissingParameter", "AddressChargePrepaid.Period"),
        ("RenewAddresses", {"AddressIds": ["eip-none"]} | TERM_OF_ONE, "InvalidAddressId.NotFound", "AddressIds"),
        ("RenewAddresses", {"AddressIds": []} | TERM_OF_ONE, "MissingParameter", "AddressIds"),
        ("RenewAddresses", {"AddressIds": ["postpaid"]}, "MissingParameter", "AddressChargePrepaid"),
        ("RenewAddresses", {"AddressIds": ["postpaid"]} | TERM_OF_ONE, CHARGED, "AddressIds"),
        ("InquiryPriceRenewAddresses", {"AddressIds": ["postpaid"]} | TERM_OF_ONE, CHARGED, "AddressIds"),
        ("InquiryPriceRenewAddresses",
         {"AddressIds": ["postpaid"], "AddressChargePrepaid": {"Period": 1, "AutoRenewFlag": 3}},
         "InvalidParameterValue", "AddressChargePrepaid.AutoRenewFlag"),
        ("ModifyAddressesRenewFlag", {"AddressIds": ["postpaid"], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}, CHARGED,
         "AddressIds"),
        ("ModifyAddressInternetChargeType", {"AddressId": "eip-none", "InternetMaxBandwidthOut": 5} | BY_MONTH,
         "InvalidAddressId.NotFound", "AddressId"),
        ("ModifyAddressInternetChargeType", {"AddressId": "postpaid", "InternetMaxBandwidthOut": 5} | BY_MONTH,
         "MissingParameter", "AddressChargePrepaid.Period"),
        ("ModifyAddressInternetChargeType", {"AddressId": "postpaid"} | BY_MONTH, "MissingParameter",
         "InternetMaxBandwidthOut"),
        ("ModifyAddressInternetChargeType",
         {"AddressId": "postpaid", "InternetMaxBandwidthOut": 201} | BY_MONTH | TERM_OF_ONE,
         "InvalidParameterValue.BandwidthOutOfRange", "InternetMaxBandwidthOut"),
        ("InquiryPriceModifyAddressesBandwidth", {"AddressIds": ["eip-none"], "InternetMaxBandwidthOut": 5},
         "InvalidAddressId.NotFound", "AddressIds"),
        ("ModifyAddressesRenewFlag", {"AddressIds": ["postpaid"], "RenewFlag": "ALWAYS"}, "InvalidParameterValue",
         "RenewFlag"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_code(action: str, asked: dict[str, Any], code: str, named: str) -> None:
    client, _ = open_customer()
    (postpaid,) = client.call("AllocateAddresses", {}).response["AddressSet"]
    if asked.get("AddressIds") == ["postpaid"]:
        asked = asked | {"AddressIds": [postpaid]}
    if asked.get("AddressId") == "postpaid":
        asked = asked | {"AddressId": postpaid}
    with nothing_written():
        said = client.call(action, asked).error
    assert (said[0], named in said[1]) == (code, True), said
