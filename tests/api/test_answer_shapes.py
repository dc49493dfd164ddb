"""Given plain values, when they are told on the wire, then they are what api.json publishes."""

import dataclasses
import datetime as dt
from typing import Any

import pytest

from tests.api import oracle
from vmart.api.actions.billing import balance
from vmart.api.actions.cvm import instances, key_pairs
from vmart.api.legacy.words import legacy_code
from vmart.api.wire import envelope
from vmart.instances.attributes import Attributes
from vmart.kernel.errors import InvalidValue, NotFound, Refused
from vmart.listings.views import BalanceView, DiskView, InstanceView, KeyPairView

REQUEST_ID = "3554eb5b-1cfa-471a-ae76-dc436c9d43e8"
AT = dt.datetime(2026, 3, 10, 2, 43, 51, tzinfo=dt.UTC)
POSTPAID = InstanceView(
    public_id="ins-9bxebleo",
    name="测试",
    hostname="vm-1",
    zone="ap-guangzhou-3",
    legacy_zone_id=100003,
    instance_type="S5.MEDIUM4",
    vcpu=2,
    memory_mib=4096,
    image_id="img-db12k7x4",
    os_name="Debian 12 64-bit",
    login_user="root",
    key_ids=("skey-0lqrhzz1",),
    disks=(DiskView("disk-a", "SYSTEM_DISK", "CLOUD_PREMIUM", 50), DiskView("disk-b", "DATA_DISK", "CLOUD_SSD", 100)),
    vpc_id="vpc-g7wzcv7n",
    subnet_id="subnet-a2676p0e",
    placement_group="ps-4s2k9d1f",
    private_ip="10.0.0.10",
    public_ip="203.0.113.10",
    ipv6="2001:db8:4::a",
    eip_id="",
    internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR",
    bandwidth_mbps=10,
    charge_type="POSTPAID_BY_HOUR",
    renew_flag="NOTIFY_AND_MANUAL_RENEW",
    state="RUNNING",
    restrict_state="NORMAL",
    isolated_source="NOTISOLATED",
    stop_charging_mode="NOT_APPLICABLE",
    latest_operation="RunInstances",
    latest_operation_state="SUCCESS",
    latest_operation_request_id=REQUEST_ID,
    latest_operation_error="",
    attributes=Attributes(),
    created_at=AT,
    expires_at=None,
    changed_at=AT + dt.timedelta(minutes=1),
)
PREPAID = dataclasses.replace(
    POSTPAID, charge_type="PREPAID", expires_at=AT + dt.timedelta(days=31), key_ids=(), public_ip=None, disks=()
)
# What clients read without a guard (trap 9).
ALWAYS = {
    "Placement", "InternetAccessible", "VirtualPrivateCloud", "SystemDisk", "InstanceState", "InstanceChargeType",
    "LatestOperationState",
}  # fmt: skip


def _checked(action: str, members: dict[str, Any], version: str = "2017-03-12") -> dict[str, Any]:
    oracle.check(action, version, {**members, "RequestId": REQUEST_ID})
    return members


def _instances(total: int, *views: InstanceView) -> dict[str, Any]:
    return {"TotalCount": total, "InstanceSet": [instances.instance(view) for view in views]}


def test_instances() -> None:
    failed = dataclasses.replace(
        POSTPAID, state="LAUNCH_FAILED", latest_operation_state="FAILED", latest_operation_error="No room."
    )
    system = dataclasses.replace(PREPAID, disks=POSTPAID.disks[:1])
    page = _checked("DescribeInstances", _instances(205, POSTPAID, system, failed))
    assert page["TotalCount"] == 205
    postpaid, prepaid, broken = page["InstanceSet"]
    assert all(postpaid.keys() >= ALWAYS for postpaid in page["InstanceSet"])
    assert (postpaid["CPU"], postpaid["Memory"]) == (2, 4)
    assert (postpaid["RenewFlag"], postpaid["ExpiredTime"]) == (None, None)
    assert (prepaid["RenewFlag"], prepaid["ExpiredTime"]) == ("NOTIFY_AND_MANUAL_RENEW", "2026-04-10T02:43:51Z")
    assert postpaid["CreatedTime"] == "2026-03-10T02:43:51Z"
    assert postpaid["PublicIpAddresses"] == ["203.0.113.10"]
    assert prepaid["PublicIpAddresses"] == []
    assert [disk["DiskId"] for disk in postpaid["DataDisks"]] == ["disk-b"]
    assert postpaid["SystemDisk"]["DiskSize"] == 50
    assert broken["LatestOperationErrorMsg"] == "No room."


def test_key_pairs() -> None:
    view = KeyPairView("skey-a", "my_key", "ssh-ed25519 AAAA my_key", ("ins-a",), AT)
    page = _checked("DescribeKeyPairs", {"TotalCount": 1, "KeyPairSet": [key_pairs.key_pair(view)]})
    assert "PrivateKey" not in page["KeyPairSet"][0]
    _checked("CreateKeyPair", {"KeyPair": {**key_pairs.key_pair(view), "PrivateKey": "-----BEGIN"}})


def test_balance() -> None:
    """Given 100.00 cash, 20.00 gift, 0 owed, 30.00 held, then 90.00 is available, in cents."""
    view = BalanceView(7, 10000, 2000, 0, 3000, 500)
    told = _checked("DescribeAccountBalance", balance.account_balance(view), "2018-07-09")
    assert (told["Balance"], told["RealBalance"], told["FreezeAmount"], told["OweAmount"]) == (
        9000,
        9000.0,
        3000.0,
        0.0,
    )
    assert (told["CreditBalance"], told["RealCreditBalance"]) == (12500.0, 9500.0)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"TotalCount": "1", "InstanceSet": []}, "TotalCount is '1', not int"),
        ({"TotalCount": True, "InstanceSet": []}, "TotalCount is True, not int"),
        ({"TotalCount": 1}, "InstanceSet is missing"),
        ({"TotalCount": None, "InstanceSet": []}, "TotalCount is null"),
        ({"TotalCount": 1, "InstanceSet": [], "Colour": 1}, "Colour is not described"),
        ({"TotalCount": 1, "InstanceSet": [{}]}, "InstanceSet.0.InstanceId is missing"),
        ({"Error": {"Code": "NoSuchCode", "Message": "x"}}, "NoSuchCode is not documented"),
        ({"Error": {"Code": "InternalError", "Message": ""}}, "has no sentence"),
    ],
)
def test_the_oracle_sees_what_is_wrong(answer: dict[str, Any], problem: str) -> None:
    with pytest.raises(AssertionError, match=problem):
        _checked("DescribeInstances", answer)
    with pytest.raises(AssertionError, match="RequestId is not a UUID"):
        oracle.check("DescribeInstances", "2017-03-12", {"TotalCount": 0, "InstanceSet": []})


def _refused(code: str) -> Refused:
    return Refused("A sentence.", code=code)


@pytest.mark.parametrize(
    ("refusal", "number"),
    [
        (_refused("AuthFailure.SignatureFailure"), 4100),
        (_refused("AuthFailure.SecretIdNotFound"), 4104),
        (_refused("AuthFailure.SignatureExpire"), 4200),
        (_refused("RequestLimitExceeded"), 4400),
        (_refused("InvalidInstanceId.NotFound"), 5000),
        (_refused("InvalidParameterValue.Range"), 4000),
        (_refused("MissingParameter"), 4000),
        (_refused("ResourcesSoldOut.SpecifiedInstanceType"), 5200),
        (_refused("LimitExceeded.InstanceQuota"), 5200),
        (_refused("InvalidAccount.InsufficientBalance"), 5300),
        (_refused("UnsupportedOperation.InstanceStateStopped"), 5100),
        (_refused("InternalError"), 6000),
        (_refused("NoSuchVersion"), 6100),
    ],
)
def test_legacy_numbers(refusal: Refused, number: int) -> None:
    assert legacy_code(refusal) == number


def test_a_sentence_names_the_member_once() -> None:
    plain = NotFound("The zone {zone} does not exist.", field="Placement.Zone", zone="x")
    naming = InvalidValue(
        "{parameter} is {value}; it must be at least {ge}.", field="Limit", parameter="Limit", value=0, ge=1
    )
    assert envelope.sentence(plain, "en") == "Placement.Zone: The zone x does not exist."
    assert envelope.sentence(naming, "en") == "Limit is 0; it must be at least 1."
