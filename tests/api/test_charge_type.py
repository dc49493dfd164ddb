"""Given a postpaid machine, when a program has it paid ahead, then it is told and charged what the API says."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_budgets_of_many import Many, many
from tests.api.test_every_action import Things, owner
from tests.support.statements import statements
from vmart.orders.models import Order

__all__ = ["many", "owner"]
pytestmark = pytest.mark.usefixtures("shop")

CHANGE, PRICE = "ModifyInstancesChargeType", "InquiryPriceModifyInstancesChargeType"
MONTHS = {"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 2}}


def test_its_price_is_asked_and_then_charged(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running], **MONTHS, "ModifyPortableDataDisk": False}
    price = client.call(PRICE, asked).response["Price"]
    assert price == {
        "InstancePrice": {"OriginalPrice": 265.0, "DiscountPrice": 265.0, "Discount": 100.0},
        "BandwidthPrice": {"OriginalPrice": 0.0, "DiscountPrice": 0.0, "Discount": 100.0},
    }
    assert set(client.call(CHANGE, asked).response) == {"RequestId"}
    order = Order.objects.get(action="convert")
    assert (order.total_minor, order.status) == (26_500, 4)
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [has.running]}).response["InstanceSet"]
    assert (machine["InstanceChargeType"], machine["RenewFlag"]) == ("PREPAID", "NOTIFY_AND_MANUAL_RENEW")
    assert machine["ExpiredTime"][:7] == "2026-05"


def test_the_flag_is_taken(owner: tuple[Client, Things]) -> None:
    client, has = owner
    term = {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}
    client.call(CHANGE, {"InstanceIds": [has.running], **MONTHS, "InstanceChargePrepaid": term})
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [has.running]}).response["InstanceSet"]
    assert machine["RenewFlag"] == "NOTIFY_AND_AUTO_RENEW"


@pytest.mark.parametrize("action", [CHANGE, PRICE])
@pytest.mark.parametrize(
    ("members", "code", "said"),
    [
        ({"InstanceIds": []}, "MissingParameter", "InstanceIds"),
        ({"InstanceChargeType": "SPOTPAID"}, "InvalidParameterValue", "InstanceChargeType"),
        ({"InstanceChargeType": "POSTPAID_BY_HOUR"}, "UnsupportedOperation", "InstanceChargeType"),
        ({"InstanceChargePrepaid": None}, "MissingParameter", "InstanceChargePrepaid"),
        ({"InstanceChargePrepaid": {"RenewFlag": "NOTIFY_AND_AUTO_RENEW"}}, "MissingParameter", "Period"),
        ({"InstanceChargePrepaid": {"Period": 0}}, "InvalidPeriod", "InstanceChargePrepaid.Period"),
        ({"InstanceChargePrepaid": {"Period": 13}}, "InvalidPeriod", "InstanceChargePrepaid.Period"),
        ({"InstanceChargePrepaid": {"Period": 1, "RenewFlag": "ALWAYS"}}, "InvalidParameterValue", "RenewFlag"),
        ({"ModifyPortableDataDisk": True}, "UnsupportedOperation", "ModifyPortableDataDisk"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    owner: tuple[Client, Things], action: str, members: dict[str, Any], code: str, said: str
) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running], **MONTHS} | members
    with nothing_written():
        error = client.call(action, {name: value for name, value in asked.items() if value is not None}).error
    assert (error[0], said in error[1]) == (code, True)


@pytest.mark.parametrize("count", [1, 20])
def test_many_take_as_few_statements_as_one(many: Many, count: int) -> None:
    client, postpaid, _ = many(count, None)
    with statements() as made:
        assert "Error" not in client.call(CHANGE, {"InstanceIds": postpaid, **MONTHS}).response
    assert len(made) <= 34, made
    assert Order.objects.get(action="convert").count == count


def test_up_to_twenty_are_changed_at_once(owner: tuple[Client, Things]) -> None:
    client, _ = owner
    with nothing_written():
        error = client.call(CHANGE, {"InstanceIds": [f"ins-{number:08}" for number in range(21)], **MONTHS}).error
    assert error[0] == "InvalidParameterValue.LimitExceeded"


def test_a_prepaid_machine_is_refused(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        error = client.call(CHANGE, {"InstanceIds": [has.prepaid], **MONTHS}).error
    assert error == ("UnsupportedOperation.InstanceChargeType", f"InstanceIds: {has.prepaid} is prepaid already.")
