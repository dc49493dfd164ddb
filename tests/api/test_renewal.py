"""Given prepaid machines, when a program renews them, then it is told and charged what the published API says."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import nothing_written
from tests.api.test_every_action import Things, owner
from tests.support.statements import statements
from vmart.instances.models import Instance
from vmart.orders.models import Order

__all__ = ["owner"]
pytestmark = pytest.mark.usefixtures("shop")


def _expired(client: Client, public_id: str) -> tuple[str, str]:
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [public_id]}).response["InstanceSet"]
    return machine["ExpiredTime"][:7], machine["RenewFlag"]


def test_its_price_is_asked_and_then_charged(owner: tuple[Client, Things]) -> None:
    """Two months of 115 and 50 GiB at 0.35, and of two Mbps."""
    client, has = owner
    asked = {"InstanceIds": [has.prepaid], "InstanceChargePrepaid": {"Period": 2}}
    price = client.call("InquiryPriceRenewInstances", asked).response["Price"]
    assert price == {
        "InstancePrice": {"OriginalPrice": 265.0, "DiscountPrice": 265.0, "Discount": 100.0},
        "BandwidthPrice": {"OriginalPrice": 80.0, "DiscountPrice": 80.0, "Discount": 100.0},
    }
    due = price["InstancePrice"]["DiscountPrice"] + price["BandwidthPrice"]["DiscountPrice"]
    assert set(client.call("RenewInstances", asked).response) == {"RequestId"}
    order = Order.objects.get(action="renew")
    assert (order.total_minor, order.status) == (round(due * 100), 4)


def test_a_dry_run_tells_no_price(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.prepaid], "InstanceChargePrepaid": {"Period": 1}, "DryRun": True}
    assert set(client.call("InquiryPriceRenewInstances", asked).response) == {"RequestId"}


def test_without_a_term_it_is_renewed_for_a_month(owner: tuple[Client, Things]) -> None:
    client, has = owner
    client.call("RenewInstances", {"InstanceIds": [has.prepaid]})
    assert Order.objects.get(action="renew").quote["lines"][0]["months"] == 1


def test_the_flag_is_set_with_a_renewal_and_alone(owner: tuple[Client, Things]) -> None:
    client, has = owner
    term = {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}
    client.call("RenewInstances", {"InstanceIds": [has.prepaid], "InstanceChargePrepaid": term})
    assert _expired(client, has.prepaid)[1] == "NOTIFY_AND_AUTO_RENEW"
    flag = "DISABLE_NOTIFY_AND_MANUAL_RENEW"
    client.call("ModifyInstancesRenewFlag", {"InstanceIds": [has.prepaid], "RenewFlag": flag})
    assert _expired(client, has.prepaid)[1] == flag


@pytest.mark.parametrize(
    ("action", "members", "code"),
    [
        ("RenewInstances", {"InstanceIds": []}, "MissingParameter"),
        ("RenewInstances", {"InstanceChargePrepaid": {"Period": 13}}, "InvalidPeriod"),
        ("RenewInstances", {"InstanceChargePrepaid": {"Period": 0}}, "InvalidPeriod"),
        ("RenewInstances", {"RenewPortableDataDisk": "of course"}, "InvalidParameter"),
        ("InquiryPriceRenewInstances", {}, "MissingParameter"),
        ("InquiryPriceRenewInstances", {"InstanceChargePrepaid": {"Period": 1, "RenewFlag": "ALWAYS"}},
         "InvalidParameterValue"),
        ("ModifyInstancesRenewFlag", {"RenewFlag": "ALWAYS"}, "InvalidParameterValue"),
        ("ModifyInstancesRenewFlag", {}, "MissingParameter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_written(
    owner: tuple[Client, Things], action: str, members: dict[str, Any], code: str
) -> None:
    client, has = owner
    with nothing_written():
        assert client.call(action, {"InstanceIds": [has.prepaid], **members}).error[0] == code


@pytest.mark.parametrize("action", ["RenewInstances", "ModifyInstancesRenewFlag"])
def test_a_postpaid_machine_has_no_term(owner: tuple[Client, Things], action: str) -> None:
    client, has = owner
    members = {"InstanceIds": [has.running]} | (
        {"RenewFlag": "NOTIFY_AND_AUTO_RENEW"} if action == "ModifyInstancesRenewFlag" else {}
    )
    with nothing_written():
        told = client.call(action, members).error[1]
    assert told.endswith(f"{has.running} is postpaid: it has no term to renew.")


def test_the_legacy_actions_do_the_same(owner: tuple[Client, Things]) -> None:
    client, has = owner
    answer = client.legacy("RenewInstance", {"instanceId": has.prepaid, "period": 1})
    order = Order.objects.get(action="renew")
    assert (answer["code"], answer["dealIds"]) == (0, [str(order.id)])
    assert client.legacy("SetAutoRenew", {"instanceId": has.prepaid, "autoRenew": 1})["code"] == 0
    (machine,) = client.legacy("DescribeInstances", {"instanceIds": [has.prepaid]})["instanceSet"]
    assert machine["autoRenew"] == 1


def test_a_refused_price_reads_little(owner: tuple[Client, Things]) -> None:
    client, has = owner
    asked = {"InstanceIds": [has.running], "InstanceChargePrepaid": {"Period": 1}}
    with statements() as made:
        client.call("InquiryPriceRenewInstances", asked)
    assert len(made) == 2
    assert Instance.objects.get(public_id=has.running).state == "RUNNING"
