"""Given a machine, when a program changes its type, then it is told what is published."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_every_action import Things, owner
from tests.support.shopper import work

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")

CHANGE, PRICE = "ResetInstancesType", "InquiryPriceResetInstancesType"


def _asked(name: str, to: str = "S5.LARGE8", **others: Any) -> dict[str, Any]:
    return {"InstanceIds": [name], "InstanceType": to, **others}


def _told(client: Client, name: str) -> tuple[str, int, int, str, str, str]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [name]}).response["InstanceSet"]
    size = machine["InstanceType"], machine["CPU"], machine["Memory"]
    return *size, machine["InstanceState"], machine["LatestOperation"], machine["LatestOperationState"]


def test_it_is_changed_and_told(owner: tuple[Client, Things]) -> None:
    client, has = owner
    assert set(client.call(CHANGE, _asked(has.running, ForceStop=True)).response) == {"RequestId"}
    assert _told(client, has.running) == ("S5.MEDIUM4", 2, 4, "RUNNING", CHANGE, "OPERATING")
    error = client.call(CHANGE, _asked(has.running, "S5.SMALL2", ForceStop=True)).error
    assert error[0] == "OperationDenied.InstanceOperationInProgress"
    assert set(client.call(CHANGE, _asked(has.stopped)).response) == {"RequestId"}
    work()
    assert _told(client, has.running) == ("S5.LARGE8", 4, 8, "RUNNING", CHANGE, "SUCCESS")
    assert _told(client, has.stopped) == ("S5.LARGE8", 4, 8, "STOPPED", CHANGE, "SUCCESS")


def test_what_it_would_cost_by_the_hour_at_each_age(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        price = client.call(PRICE, _asked(has.running)).response["Price"]
        aged = client.call(PRICE, _asked(has.running, "S1.SMALL1")).response["Price"]
    assert price == {
        "InstancePrice": {"ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.7, "UnitPriceDiscount": 0.7}
    }
    assert aged["InstancePrice"] == {
        "ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.42, "UnitPriceDiscount": 0.42,
        "UnitPriceSecondStep": 0.21, "UnitPriceDiscountSecondStep": 0.21,
        "UnitPriceThirdStep": 0.1428, "UnitPriceDiscountThirdStep": 0.1428,
    }  # fmt: skip


def test_in_a_term_its_price_is_told_then_charged(owner: tuple[Client, Things]) -> None:
    """A month of which no day has passed, 31 days: 115 more × 31 × 12 / 365."""
    client, has = owner
    before = client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"]
    price = client.call(PRICE, _asked(has.prepaid)).response["Price"]
    assert price == {"InstancePrice": {"OriginalPrice": 117.21, "DiscountPrice": 117.21, "Discount": 100.0}}
    assert set(client.call(CHANGE, _asked(has.prepaid, ForceStop=True)).response) == {"RequestId"}
    work()
    assert _told(client, has.prepaid)[::5] == ("S5.LARGE8", "SUCCESS")
    assert client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"] == before - 11_721


def test_a_cheaper_one_in_a_term_gives_back_what_is_told_below_0(owner: tuple[Client, Things]) -> None:
    """A month just paid: 132.50 are worth it; 60 + 17.50 are paid for the smaller one."""
    client, has = owner
    before = client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"]
    price = client.call(PRICE, _asked(has.prepaid, "S5.SMALL2")).response["Price"]
    assert price == {"InstancePrice": {"OriginalPrice": -55.0, "DiscountPrice": -55.0, "Discount": 100.0}}
    assert set(client.call(CHANGE, _asked(has.prepaid, "S5.SMALL2", ForceStop=True)).response) == {"RequestId"}
    work()
    assert _told(client, has.prepaid)[::5] == ("S5.SMALL2", "SUCCESS")
    assert client.call("DescribeAccountBalance", {}, version="2018-07-09").response["Balance"] == before + 5_500


@pytest.mark.parametrize(
    ("others", "code"),
    [
        ({"InstanceIds": []}, "MissingParameter"),
        ({"InstanceIds": ["ins-00000000"]}, "InvalidInstanceId.NotFound"),
        ({"InstanceType": ""}, "InvalidParameterValue.InstanceTypeNotFound"),
        ({"InstanceType": "S9.HUGE"}, "InvalidParameterValue.InstanceTypeNotFound"),
        ({"InstanceType": "C3.2XLARGE16"}, "ResourcesSoldOut.SpecifiedInstanceType"),
        ({"InstanceType": "S5.MEDIUM4"}, "InvalidParameterValue"),
        ({"InstanceType": 5}, "InvalidParameter"),
        ({"Nothing": 1}, "UnknownParameter"),
    ],
)
@pytest.mark.parametrize("action", [CHANGE, PRICE])
def test_what_is_refused(owner: tuple[Client, Things], action: str, others: dict[str, Any], code: str) -> None:
    client, has = owner
    with nothing_written():
        assert client.call(action, {**_asked(has.stopped), **others}).error[0] == code


def test_a_running_one_needs_force_stop(owner: tuple[Client, Things]) -> None:
    client, has = owner
    with nothing_written():
        assert client.call(CHANGE, _asked(has.running)).error == (
            "UnsupportedOperation.InstanceStateRunning",
            f"The instance {has.running} is running; say ForceStop, or stop it first.",
        )
    with nothing_written():
        two = {"InstanceIds": [has.running, has.stopped], "InstanceType": "S5.LARGE8"}
        assert client.call(CHANGE, two).error[0] == "InvalidParameter"
