"""Given disks that are paid ahead, when a program renews, switches and converts them, then it is told each term."""

from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_every_action import ASKED_DISK, OWN_DISK, PREPAID_DISK
from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses, work
from tests.support.written import nothing_written

pytestmark = pytest.mark.usefixtures("delivering")

TERM = ("DiskChargeType", "DeadlineTime", "DifferDaysOfDeadline", "RenewFlag", "IsReturnable", "ReturnFailCode")
CREATE = {**PREPAID_DISK, "DiskSize": 100}


def _told(client: Client, disk_id: str, *members: str) -> tuple[Any, ...]:
    (seen,) = client.call("DescribeDisks", {"DiskIds": [disk_id]}).response["DiskSet"]
    return tuple(seen[member] for member in members)


def _bought(client: Client, **more: object) -> str:
    (disk,) = client.call("CreateDisks", {**CREATE, **more}).response["DiskIdSet"]
    work()
    return str(disk)


def test_the_life_of_a_prepaid_disk(test_clock: BusinessClock) -> None:
    client, account = open_customer()
    asked = {**ASKED_DISK, "DiskSize": 100, "DiskChargeType": "PREPAID", "DiskChargePrepaid": {"Period": 12}}
    price = client.call("InquiryPriceCreateDisks", asked).response["DiskPrice"]
    assert (price["OriginalPrice"], price["DiscountPrice"], price["UnitPrice"], price["ChargeUnit"]) == (
        1200.0, 1200.0, None, None,
    )  # fmt: skip
    before = purses(account)["available"]
    term = {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}
    disk = _bought(client, DiskChargePrepaid=term)
    assert before - purses(account)["available"] == 10_000
    assert _told(client, disk, *TERM) == (
        "PREPAID", "2026-04-10 10:00:00", 31, "NOTIFY_AND_AUTO_RENEW", True, 0,
    )  # fmt: skip
    further = {"DiskIds": [disk], "DiskChargePrepaids": [{"Period": 2}]}
    price = client.call("InquiryPriceRenewDisks", further).response["DiskPrice"]
    assert (price["DiscountPrice"], price["DetailPrices"][0]["OriginalPriceHigh"]) == (200.0, "200")
    before = purses(account)["available"]
    client.call("RenewDisk", {"DiskId": disk, "DiskChargePrepaid": {"Period": 2}})
    assert (before - purses(account)["available"], _told(client, disk, "DeadlineTime", "RenewFlag")) == (
        20_000, ("2026-06-10 10:00:00", "NOTIFY_AND_AUTO_RENEW"),
    )  # fmt: skip
    client.call("ModifyDisksRenewFlag", {"DiskIds": [disk], "RenewFlag": "NOTIFY_AND_MANUAL_RENEW"})
    assert _told(client, disk, "RenewFlag") == ("NOTIFY_AND_MANUAL_RENEW",)
    client.call("TerminateDisks", {"DiskIds": [disk]})
    work()
    assert _told(client, disk, "DiskState", "IsReturnable", "ReturnFailCode") == ("TORECYCLE", False, 1)
    client.call("RenewDisk", {"DiskId": disk, "DiskChargePrepaid": {"Period": 1}})
    assert _told(client, disk, "DiskState", "IsReturnable") == ("UNATTACHED", True)


def test_the_price_of_a_term_is_the_same_whatever_happens_at_its_end() -> None:
    client, _ = open_customer()
    asked = {**ASKED_DISK, "DiskSize": 100, "DiskChargeType": "PREPAID"}
    for flag in ("NOTIFY_AND_AUTO_RENEW", "NOTIFY_AND_MANUAL_RENEW", "DISABLE_NOTIFY_AND_MANUAL_RENEW"):
        term = {"Period": 12, "RenewFlag": flag}
        told = client.call("InquiryPriceCreateDisks", {**asked, "DiskChargePrepaid": term}).response
        assert told["DiskPrice"]["DiscountPrice"] == 1200.0
    term = {"Period": 12, "RenewFlag": "ALWAYS"}
    code, sentence = client.call("InquiryPriceCreateDisks", {**asked, "DiskChargePrepaid": term}).error
    assert (code, sentence.partition(" ")[0]) == ("InvalidParameterValue", "DiskChargePrepaid.RenewFlag")


def test_its_term_is_compared_with_that_of_its_machine() -> None:
    client, _ = open_customer()
    term = {"Period": 2, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"}
    bought = {**HOURLY, "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": term}
    (machine,) = client.call("RunInstances", bought).response["InstanceIdSet"]
    disk = _bought(client)
    assert _told(client, disk, "DeadlineError", "AutoRenewFlagError") == (False, False)
    client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [disk]})
    work()
    assert _told(client, disk, "DeadlineError", "AutoRenewFlagError") == (True, True)
    client.call("RenewDisk", {"DiskId": disk, "DiskChargePrepaid": term})
    assert _told(client, disk, "DeadlineError", "AutoRenewFlagError") == (False, False)


def test_an_expired_one_says_so(test_clock: BusinessClock) -> None:
    client, _ = open_customer()
    disk = _bought(client)
    test_clock.advance(days=31)
    assert _told(client, disk, "DifferDaysOfDeadline", "IsReturnable", "ReturnFailCode") == (0, False, 2)
    with nothing_written():
        code, sentence = client.call("TerminateDisks", {"DiskIds": [disk]}).error
    assert (code, disk in sentence) == ("InvalidDisk.Expire", True)


def test_one_by_the_hour_is_paid_ahead() -> None:
    client, account = open_customer()
    (disk,) = client.call("CreateDisks", OWN_DISK).response["DiskIdSet"]
    work()
    assert _told(client, disk, *TERM) == (
        "POSTPAID_BY_HOUR", "0000-00-00 00:00:00", None, "NOTIFY_AND_MANUAL_RENEW", False, 10,
    )  # fmt: skip
    before = purses(account)["available"]
    term = {"Period": 1, "RenewFlag": "DISABLE_NOTIFY_AND_MANUAL_RENEW"}
    client.call("ModifyDisksChargeType", {"DiskIds": [disk], "DiskChargePrepaid": term})
    assert before - purses(account)["available"] == 2_000 - 3
    assert _told(client, disk, "DiskChargeType", "RenewFlag", "DeadlineTime") == (
        "PREPAID", "DISABLE_NOTIFY_AND_MANUAL_RENEW", "2026-04-10 10:00:00",
    )  # fmt: skip


def test_several_terms_are_priced_together() -> None:
    client, _ = open_customer()
    first, second = _bought(client), _bought(client, DiskSize=20)
    asked = {"DiskIds": [first, second], "DiskChargePrepaids": [{"Period": 1}, {"Period": 3}]}
    assert client.call("InquiryPriceRenewDisks", asked).response["DiskPrice"]["DiscountPrice"] == 160.0
    asked = {"DiskIds": [first, second], "DiskChargePrepaids": [{"Period": 2}]}
    assert client.call("InquiryPriceRenewDisks", asked).response["DiskPrice"]["DiscountPrice"] == 240.0


@pytest.mark.parametrize(
    ("action", "members", "code", "said"),
    [
        ("RenewDisk", {"DiskChargePrepaid": {"Period": 13}}, "InvalidPeriod", "DiskChargePrepaid.Period"),
        ("RenewDisk", {"DiskChargePrepaid": {"Period": 0}}, "InvalidParameterValue", "DiskChargePrepaid.Period"),
        ("RenewDisk", {"DiskId": "disk-unknown0"}, "InvalidDiskId.NotFound", "DiskId"),
        ("RenewDisk", {"DiskId": "{postpaid}"}, "InvalidDisk.NotSupported", "DiskId"),
        ("InquiryPriceRenewDisks", {"DiskChargePrepaids": []}, "MissingParameter", "DiskChargePrepaids"),
        (
            "InquiryPriceRenewDisks",
            {"DiskChargePrepaids": [{"Period": 1}] * 2},
            "InvalidParameter",
            "DiskChargePrepaids",
        ),
        ("InquiryPriceRenewDisks", {"DiskIds": ["{disk}", "{disk}"]}, "InvalidParameter", "DiskIds"),
        ("InquiryPriceRenewDisks", {"DiskIds": []}, "MissingParameter", "DiskIds"),
        ("InquiryPriceRenewDisks", {"NewDeadline": "2027-01-01 00:00:00"}, "UnsupportedOperation", "NewDeadline"),
        ("ModifyDisksRenewFlag", {"RenewFlag": "ALWAYS"}, "InvalidParameterValue", "RenewFlag"),
        ("ModifyDisksRenewFlag", {"DiskIds": ["{postpaid}"]}, "InvalidDisk.NotSupported", "DiskIds"),
        ("ModifyDisksRenewFlag", {"AutoRenewPeriod": 2}, "InvalidParameterValue", "AutoRenewPeriod"),
        ("ModifyDisksChargeType", {"DiskIds": ["{disk}"]}, "InvalidDisk.NotSupported", "DiskIds"),
        ("ModifyDisksChargeType", {"DiskChargePrepaid": None}, "MissingParameter", "DiskChargePrepaid"),
        ("ModifyDisksChargeType", {"DiskChargePostpaid": True}, "UnsupportedOperation", "DiskChargePostpaid"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    action: str, members: dict[str, Any], code: str, said: str
) -> None:
    client, _ = open_customer()
    names = {"disk": _bought(client), "postpaid": client.call("CreateDisks", OWN_DISK).response["DiskIdSet"][0]}
    work()
    asked: dict[str, dict[str, Any]] = {
        "RenewDisk": {"DiskId": "{disk}", "DiskChargePrepaid": {"Period": 1}},
        "InquiryPriceRenewDisks": {"DiskIds": ["{disk}"], "DiskChargePrepaids": [{"Period": 1}]},
        "ModifyDisksRenewFlag": {"DiskIds": ["{disk}"], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        "ModifyDisksChargeType": {"DiskIds": ["{postpaid}"], "DiskChargePrepaid": {"Period": 1}},
    }
    sent = {name: _filled(value, names) for name, value in {**asked[action], **members}.items()}
    with nothing_written():
        given, sentence = client.call(action, sent).error
    assert (given, said in sentence) == (code, True), sentence


def _filled(value: Any, names: dict[str, str]) -> Any:
    """With the ids in the place of ``{name}``."""
    if isinstance(value, str):
        return names.get(value.strip("{}"), value)
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return [_filled(one, names) for one in value]
    return value


def _attached(client: Client) -> tuple[str, str]:
    """A machine for a month, and a prepaid disk that it has, both until 2026-04-10 10:00:00."""
    asked = {**HOURLY, "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1}}
    asked["InternetAccessible"] = {"InternetMaxBandwidthOut": 0}
    (machine,) = client.call("RunInstances", asked).response["InstanceIdSet"]
    work()
    disk = _bought(client)
    assert "Error" not in client.call("AttachDisks", {"InstanceId": machine, "DiskIds": [disk]}).response
    work()
    return str(machine), disk


def test_a_disk_goes_on_as_long_as_its_machine() -> None:
    client, account = open_customer()
    machine, disk = _attached(client)
    term = {"Period": 2, "CurInstanceDeadline": "2026-04-10 10:00:00"}
    price = client.call("InquiryPriceRenewDisks", {"DiskIds": [disk], "DiskChargePrepaids": [term]}).response
    assert price["DiskPrice"]["DiscountPrice"] == 200.0
    for wrong in ("2026-04-11 10:00:00", "tomorrow"):
        refused = client.call(
            "RenewDisk", {"DiskId": disk, "DiskChargePrepaid": {**term, "CurInstanceDeadline": wrong}}
        )
        assert refused.response["Error"]["Code"] == "InvalidParameter"
        assert _told(client, disk, "DeadlineTime") == ("2026-04-10 10:00:00",)
        each = [{"Period": 1}, {**term, "CurInstanceDeadline": wrong}]
        both = {"DiskIds": [_bought(client), disk], "DiskChargePrepaids": each}
        _code, sentence = client.call("InquiryPriceRenewDisks", both).error
        assert sentence.startswith("DiskChargePrepaids.1.CurInstanceDeadline: "), sentence
    asked = {"InstanceIds": [machine], "InstanceChargePrepaid": {"Period": 2}, "RenewPortableDataDisk": False}
    assert "Error" not in client.call("RenewInstances", asked).response
    assert _told(client, disk, "DeadlineTime") == ("2026-04-10 10:00:00",)
    before = purses(account)["available"]
    assert "Error" not in client.call("RenewDisk", {"DiskId": disk, "DiskChargePrepaid": term}).response
    assert (before - purses(account)["available"], _told(client, disk, "DeadlineTime")) == (
        20_000, ("2026-06-10 10:00:00",),
    )  # fmt: skip
    refused = client.call("RenewDisk", {"DiskId": _bought(client), "DiskChargePrepaid": term}).response["Error"]
    assert "is attached to no machine that is paid ahead" in refused["Message"]


def test_a_machine_is_renewed_with_the_disks_that_it_has_unless_it_is_said_otherwise() -> None:
    client, account = open_customer()
    machine, disk = _attached(client)
    asked = {"InstanceIds": [machine], "InstanceChargePrepaid": {"Period": 1}}

    def price(**more: object) -> float:
        told = client.call("InquiryPriceRenewInstances", {**asked, **more}).response["Price"]
        return float(told["InstancePrice"]["DiscountPrice"])

    assert price() - price(RenewPortableDataDisk=False) == 100.0
    before, due = purses(account)["available"], round(100 * price())
    assert "Error" not in client.call("RenewInstances", asked).response
    assert (before - purses(account)["available"], _told(client, disk, "DeadlineTime")) == (
        due, ("2026-05-10 10:00:00",),
    )  # fmt: skip
