"""Given a customer with money, when a program asks for machines, then what it is told is what it is charged."""

from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.customer import nothing_written
from tests.api.signing import SECRET_ID
from tests.support import quotas
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.discounts import pays
from tests.support.shopper import purses, work
from vmart.api import services
from vmart.catalog import shop as catalog
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.kernel import clock, db, unix_password
from vmart.kernel.models import Deployment
from vmart.ledger.models import Hold
from vmart.orders import open_account, passwords
from vmart.orders.models import Line, Order
from vmart.placement.models import Host
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.storage.models import Disk

ZONE = {"Placement": {"Zone": "ap-guangzhou-4"}}
HOURLY = {
    **ZONE,
    "InstanceChargeType": "POSTPAID_BY_HOUR",
    "InstanceType": "S5.MEDIUM4",
    "ImageId": "img-db12k7x4",
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
    "InternetAccessible": {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 10},
}
MONTHLY = {
    **ZONE,
    "InstanceChargeType": "PREPAID",
    "InstanceChargePrepaid": {"Period": 12},
    "InstanceType": "S5.SMALL1",
    "ImageId": "img-db12k7x4",
    "InternetAccessible": {"InternetMaxBandwidthOut": 3},
}


@pytest.fixture
def account_id(shop: object) -> int:
    owner = User.objects.create_user("buyer@example.com", date_joined=clock.now())
    account = open_account.open_account(owner, "Buyer")
    open_account.grant(account.id, 1_000_000, "first")
    return account.id


@pytest.fixture
def client(account_id: int) -> Client:
    keys = Ring({SECRET_ID: TestKey(account_id=account_id)})
    return Client(application(services.API, services.LEGACY, keys=keys))


def _nothing_written(account_id: int) -> None:
    assert not Order.objects.exists()
    assert not Instance.objects.exists()
    assert not Hold.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_idempotency")
        assert cursor.fetchone() == (0,)


def test_price_of_a_postpaid_machine(client: Client) -> None:
    """0.35 + 50 × 0.0005 an hour, 0.80 a GB; for three of them three times the hour."""
    price = client.call("InquiryPriceRunInstances", {**HOURLY, "InstanceCount": 3}).response["Price"]
    assert price["InstancePrice"] == {
        "ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 1.125, "UnitPriceDiscount": 1.125,
    }  # fmt: skip
    assert price["BandwidthPrice"] == {
        "ChargeUnit": "GB", "Discount": 100.0, "UnitPrice": 0.8, "UnitPriceDiscount": 0.8,
    }  # fmt: skip


def test_price_of_a_prepaid_machine(client: Client) -> None:
    """A year: 45 × 12 × 0.69 + 50 × 0.35 × 12; 3 Mbps: (2 × 20 + 25) × 12, not discounted."""
    price = client.call("InquiryPriceRunInstances", MONTHLY).response["Price"]
    assert price["InstancePrice"]["OriginalPrice"] == 750.0
    assert price["InstancePrice"]["DiscountPrice"] == 582.6
    assert price["BandwidthPrice"]["OriginalPrice"] == price["BandwidthPrice"]["DiscountPrice"] == 780.0


def test_an_account_with_a_discount_is_told_its_own_prices(client: Client, account_id: int) -> None:
    pays(account_id, "0.8")
    price = client.call("InquiryPriceRunInstances", {**HOURLY, "InstanceCount": 3}).response["Price"]
    assert price["InstancePrice"] == {
        "ChargeUnit": "HOUR", "Discount": 100.0, "UnitPrice": 0.9, "UnitPriceDiscount": 0.9,
    }  # fmt: skip
    assert price["BandwidthPrice"]["UnitPrice"] == 0.64
    asked = {"Filters": [{"Name": "instance-type", "Values": ["S5.MEDIUM4"]}]}
    sold = client.call("DescribeZoneInstanceConfigInfos", asked).response["InstanceTypeQuotaSet"]
    told = {one["InstanceChargeType"]: one["Price"] for one in sold if one["Zone"] == "ap-guangzhou-4"}
    assert (told["PREPAID"]["OriginalPrice"], told["POSTPAID_BY_HOUR"]["UnitPrice"]) == (92.0, 0.28)
    client.call("RunInstances", HOURLY)
    assert Order.objects.get().hold_minor == 30


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_buying_machines(client: Client, account_id: int, method: str) -> None:
    answer = client.call("RunInstances", {**HOURLY, "InstanceCount": 2, "InstanceName": "名字"}, method=method).response
    machines = Instance.objects.filter(account_id=account_id).order_by("id")
    assert answer["InstanceIdSet"] == [machine.public_id for machine in machines]
    assert {machine.state for machine in machines} == {"PENDING"}
    assert {machine.latest_operation_request_id for machine in machines} == {answer["RequestId"]}
    assert [machine.name for machine in machines] == ["名字1", "名字2"]
    assert Order.objects.get().hold_minor == 76  # 0.375 an hour, half-up to 0.38, twice


@pytest.mark.usefixtures("delivering")
def test_a_hundred_machines_are_one_purchase(client: Client, account_id: int) -> None:
    """As many as a request may name: each with disks, addresses and room of its own, each held for and delivered."""
    quotas.everyone(postpaid_per_zone=100)
    asked = {**HOURLY, "InstanceCount": 100, "InstanceName": "web", "ClientToken": "t"}
    asked["DataDisks"] = [{"DiskType": "CLOUD_SSD", "DiskSize": 20}]
    told = client.call("RunInstances", asked).response["InstanceIdSet"]
    assert len(set(told)) == 100
    assert client.call("RunInstances", asked).response["InstanceIdSet"] == told
    assert purses(account_id)["held"] == 100 * 40  # 0.35 + 50 × 0.0005 + 20 × 0.0014, half-up
    work()
    machines = list(Instance.objects.order_by("id"))
    assert [machine.public_id for machine in machines] == told
    assert [machine.name for machine in machines] == [f"web{n}" for n in range(1, 101)]
    assert {machine.state for machine in machines} == {"RUNNING"}
    assert len({machine.private_ip for machine in machines} | {machine.public_ip for machine in machines}) == 200
    assert Disk.objects.count() == 200 and Line.objects.filter(state="delivered").count() == 100
    assert Host.objects.aggregate(vcpu=Sum("vcpu_used"), disk=Sum("disk_used_gib")) == {"vcpu": 200, "disk": 7000}
    with nothing_written():
        assert client.call("RunInstances", {**HOURLY}).error[0] == "LimitExceeded.InstanceQuota"


def test_a_repeated_client_token_is_one_purchase(client: Client) -> None:
    asked = {**MONTHLY, "ClientToken": "token-1"}
    first = client.call("RunInstances", asked).response["InstanceIdSet"]
    assert client.call("RunInstances", asked).response["InstanceIdSet"] == first
    assert client.call("RunInstances", asked, method="GET").response["InstanceIdSet"] == first
    assert Order.objects.count() == 1
    code, sentence = client.call("RunInstances", {**asked, "InstanceCount": 2}).error
    assert code == "InvalidParameterValue"
    assert "ClientToken" in sentence
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    "asked", [{}, {"LoginSettings": {}}, {"LoginSettings": {"KeepImageLogin": "FALSE"}},
              {"LoginSettings": {"Password": "", "KeyIds": []}}]
)  # fmt: skip
def test_without_a_login_each_machine_has_a_password_that_its_owner_can_have_shown(
    client: Client, account_id: int, asked: dict[str, Any]
) -> None:
    wanted = {**HOURLY, **asked, "InstanceCount": 2, "ClientToken": "t"}
    bought = client.call("RunInstances", wanted).response["InstanceIdSet"]
    shown = passwords.show(by(account_id), bought)
    assert len(set(shown.values())) == 2
    with nothing_written():
        assert client.call("RunInstances", wanted).response["InstanceIdSet"] == bought
    answer = client.call("DescribeInstances").response
    assert [machine["LoginSettings"] for machine in answer["InstanceSet"]] == [{}, {}]
    for machine in Instance.objects.all():
        assert unix_password.matches(shown[machine.public_id], machine.password_hash)
        assert shown[machine.public_id] not in str(answer)


def test_the_image_s_own_login_is_not_offered(client: Client, account_id: int) -> None:
    with nothing_written():
        error = client.call("RunInstances", {**HOURLY, "LoginSettings": {"KeepImageLogin": "TRUE"}}).error
    assert error == ("UnsupportedOperation", "LoginSettings.KeepImageLogin is not offered here; leave it away.")


def test_a_dry_run_writes_nothing(client: Client) -> None:
    with nothing_written():
        answer = client.call("RunInstances", {**HOURLY, "DryRun": True}).response
    assert set(answer) == {"RequestId"}


UNDER_THE_LOCK = [
    ("UPDATE placement_host SET memory_used_mib = memory_capacity_mib", {}, "ResourcesSoldOut.SpecifiedInstanceType"),
    ("DELETE FROM network_public_address", {}, "ResourcesSoldOut.EipInsufficient"),
    (
        "UPDATE customers_quota_default SET value = 0",
        {},
        "LimitExceeded.InstanceQuota",
    ),
    (
        "UPDATE customers_quota_default SET value = 0",
        MONTHLY,
        "LimitExceeded.PrepayQuota",
    ),
    ("UPDATE customers_account SET frozen_reason = 'chargeback'", {}, "OperationDenied.AccountNotSupported"),
    ("UPDATE ledger_purses SET owed_debits_posted = 2000000", {}, "InvalidAccount.InsufficientBalance"),
    ("UPDATE ledger_purses SET floating_pending = 1000000", {}, "InvalidAccount.InsufficientBalance"),
]


@pytest.mark.parametrize(("fault", "asked", "code"), UNDER_THE_LOCK, ids=[line[2] for line in UNDER_THE_LOCK])
def test_a_dry_run_is_refused_as_the_purchase_would_be(
    client: Client, account_id: int, fault: str, asked: dict[str, Any], code: str
) -> None:
    """Given no room, address, quota, right or money, which the statement alone can tell, then both say so."""
    with connection.cursor() as cursor:
        cursor.execute(fault)
    with nothing_written():
        dry = client.call("RunInstances", {**HOURLY, **asked, "DryRun": True}).error
        assert dry == client.call("RunInstances", {**HOURLY, **asked}).error
    assert dry[0] == code


def test_a_dry_run_uses_up_no_client_token(client: Client) -> None:
    asked = {**HOURLY, "LoginSettings": {"Password": "Str0ng-pass"}, "ClientToken": "token-1"}
    with nothing_written():
        client.call("RunInstances", {**asked, "DryRun": True})
    assert len(client.call("RunInstances", asked).response["InstanceIdSet"]) == 1
    with nothing_written():
        assert set(client.call("RunInstances", {**asked, "DryRun": True}).response) == {"RequestId"}
        assert "ClientToken" in client.call("RunInstances", {**asked, "InstanceCount": 2, "DryRun": True}).error[1]


def test_what_clients_send_unasked_is_harmless(client: Client) -> None:
    """Given the empty and default structures of SDKs and Terraform, then the purchase is as without them."""
    asked = {
        **HOURLY,
        "Placement": {"Zone": "ap-guangzhou-4", "ProjectId": 0},
        "LoginSettings": {},
        "DataDisks": [],
        "VirtualPrivateCloud": {"VpcId": "DEFAULT", "SubnetId": "DEFAULT"},
        "EnhancedService": {"SecurityService": {"Enabled": True}, "MonitorService": {"Enabled": True}},
        "SecurityGroupIds": [],
        "DisableApiTermination": False,
        "UserData": "",
        "DryRun": False,
        "MinCount": 1,
    }
    assert len(client.call("RunInstances", asked).response["InstanceIdSet"]) == 1


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"Placement": {}}, "MissingParameter", "Placement"),
    ({"Placement": {"Zone": "ap-nowhere-1"}}, "InvalidParameterValue.ZoneNotSupported", "Placement.Zone"),
    ({"Placement": {"Zone": "ap-shanghai-2"}}, "InvalidZone.MismatchRegion", "Placement.Zone"),
    ({"Placement": {"Zone": 4}}, "InvalidParameter", "Placement.Zone"),
    ({"Placement": {"Zone": "ap-guangzhou-4", "ProjectId": 5}}, "InvalidProjectId.NotFound", "Placement.ProjectId"),
    ({"InstanceType": "S9.HUGE"}, "InvalidParameterValue.InstanceTypeNotFound", "S9.HUGE"),
    ({"ImageId": "img-unknown0"}, "InvalidImageId.NotFound", "ImageId"),
    ({"ImageId": "img-ub24n5t8"}, "InvalidImageId.IncorrectState", "ImageId"),
    ({"InstanceChargeType": "CDHPAID"}, "UnsupportedOperation.InstanceChargeType", "CDHPAID"),
    ({"InstanceChargeType": "FREE"}, "InvalidParameterValue", "InstanceChargeType"),
    ({"InstanceChargeType": "PREPAID"}, "MissingParameter", "InstanceChargePrepaid.Period"),
    (
        {"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 13}, "InternetAccessible": {}},
        "InvalidPeriod",
        "InstanceChargePrepaid.Period",
    ),
    (
        {"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1, "RenewFlag": "SOMETIMES"}},
        "InvalidParameterValue",
        "NOTIFY_AND_MANUAL_RENEW, NOTIFY_AND_AUTO_RENEW, DISABLE_NOTIFY_AND_MANUAL_RENEW",
    ),
    ({"InstanceCount": 0}, "InvalidParameterValue.Range", "InstanceCount"),
    ({"InstanceCount": -1}, "InvalidParameterValue.Range", "InstanceCount"),
    ({"InstanceCount": 101}, "InvalidParameterValue.Range", "InstanceCount"),
    ({"InstanceCount": "2"}, "InvalidParameter", "InstanceCount"),
    ({"InstanceCount": 31}, "LimitExceeded.InstanceQuota", "InstanceCount"),
    ({"MinCount": 2}, "InvalidParameter", "MinCount"),
    ({"SystemDisk": {"DiskSize": 5}}, "InvalidParameterValue.Range", "SystemDisk.DiskSize"),
    ({"SystemDisk": {"DiskType": "LOCAL_SSD"}}, "InvalidParameterValue", "SystemDisk.DiskType"),
    ({"SystemDisk": {"Encrypt": True}}, "UnsupportedOperation", "SystemDisk.Encrypt"),
    ({"DataDisks": [{"DiskType": "CLOUD_SSD"}]}, "MissingParameter", "DataDisks.0.DiskSize"),
    ({"DataDisks": [{"DiskSize": 15}]}, "InvalidParameterValue.Range", "DataDisks.0.DiskSize"),
    ({"InternetAccessible": {"InternetMaxBandwidthOut": 101}}, "InvalidParameterValue.Range", "MaxBandwidthOut"),
    ({"InternetAccessible": {"InternetChargeType": "BANDWIDTH_PREPAID", "InternetMaxBandwidthOut": 1}},
     "InvalidParameterCombination", "InternetChargeType"),
    ({"LoginSettings": {"Password": "weak"}}, "InvalidParameterValue.InvalidPassword", "LoginSettings.Password"),
    ({"LoginSettings": {"KeyIds": ["skey-unknown0"]}}, "InvalidKeyPairId.NotFound", "LoginSettings.KeyIds"),
    ({"LoginSettings": {"KeyIds": ["skey-a"], "Password": "Str0ng-pass"}}, "InvalidParameter", "LoginSettings"),
    ({"SecurityGroupIds": ["sg-1"]}, "InvalidSecurityGroupId.NotFound", "SecurityGroupIds.0"),
    ({"TagSpecification": [{"ResourceType": "instance", "Tags": []}]}, "MissingParameter", "TagSpecification.0.Tags"),
    ({"VirtualPrivateCloud": {"VpcId": "vpc-1", "SubnetId": "s"}}, "InvalidParameterValue.VpcIdNotExist", "DEFAULT"),
    ({"VirtualPrivateCloud": {"SubnetId": "s"}}, "InvalidParameterValue.SubnetNotExist", "SubnetId"),
    ({"DataDisks": [{"DiskSize": 20, "DeleteWithInstance": "no"}]}, "InvalidParameter", "DeleteWithInstance"),
    ({"DataDisks": [{"DiskSize": 20, "ThroughputPerformance": 1}]}, "UnsupportedOperation", "ThroughputPerformance"),
    ({"DisableApiTermination": "yes"}, "InvalidParameter", "DisableApiTermination"),
    ({"LaunchTemplate": {"LaunchTemplateId": "lt-1"}}, "InvalidParameterValue.LaunchTemplateIdMalformed",
     "LaunchTemplate"),
    ({"UserData": "not base64!"}, "InvalidParameterValue.InvalidUserDataFormat", "UserData"),
    ({"HostName": "-x-"}, "InvalidParameterValue.IllegalHostName", "HostName"),
    ({"InstanceName": "x" * 129}, "InvalidInstanceName.TooLong", "InstanceName"),
    ({"ClientToken": "x" * 65}, "InvalidClientToken.TooLong", "ClientToken"),
    ({"ClientToken": "token ü"}, "InvalidClientToken.TooLong", "ClientToken"),
    ({"Colour": "red"}, "UnknownParameter", "Colour"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "names"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_bad_requests_write_nothing(
    client: Client, account_id: int, change: dict[str, Any], code: str, names: str
) -> None:
    for dry_run in (False, True):
        given, sentence = client.call("RunInstances", {**HOURLY, **change, "DryRun": dry_run}).error
        assert given == code, sentence
        assert names in sentence
    _nothing_written(account_id)


def test_a_process_that_missed_a_price_change_charges_the_new_price(client: Client, test_clock: BusinessClock) -> None:
    """Given a web process with yesterday's catalog, when it sells, then at the price in force: 0.70 + 0.025 an hour."""
    old = catalog.current()
    client.call("InquiryPriceRunInstances", HOURLY)  # this process has read the book
    dear = Book.objects.get().document
    dear["version"], dear["effective_at"] = dear["version"] + 1, test_clock.advance(minutes=1).isoformat()
    dear["instance_types"]["S5.MEDIUM4"]["hour"] = "0.70"
    with db.act():
        assert books.publish(parse_book(dear), test_clock.at)
    Deployment.objects.update(generation=old.generation + 1)
    assert catalog.snapshot() is old
    client.call("RunInstances", HOURLY)
    order = Order.objects.get()
    assert (order.book_version, order.hold_minor) == (dear["version"], 73)


def test_too_little_money(shop: object) -> None:
    owner = User.objects.create_user("poor@example.com", date_joined=clock.now())
    account = open_account.open_account(owner, "Poor")
    client = Client(application(services.API, keys=Ring({SECRET_ID: TestKey(account_id=account.id)})))
    code, sentence = client.call("RunInstances", MONTHLY).error
    assert code == "InvalidAccount.InsufficientBalance"
    assert "¥1,362.60" in sentence
    _nothing_written(account.id)


def test_an_unknown_region(client: Client) -> None:
    code, sentence = client.call("DescribeZones", region="ap-nowhere").error
    assert code == "InvalidParameterValue.InvalidRegion"
    assert "ap-guangzhou" in sentence


def test_acts_on_a_machine_of_nobody(client: Client) -> None:
    for action in ("StartInstances", "StopInstances", "RebootInstances", "TerminateInstances"):
        code, sentence = client.call(action, {"InstanceIds": ["ins-unknown0"]}).error
        assert code == "InvalidInstanceId.NotFound"
        assert "InstanceIds" in sentence
    assert client.call("StopInstances", {"InstanceIds": ["ins-a"], "StoppedMode": "FREE"}).error[0] == (
        "InvalidParameterValue"
    )
    assert client.call("StopInstances", {}).error[0] == "MissingParameter"


def test_another_customers_machine_answers_as_if_unknown(client: Client) -> None:
    (theirs,) = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    owner = User.objects.create_user("stranger@example.com", date_joined=clock.now())
    other = open_account.open_account(owner, "Stranger")
    stranger = Client(application(services.API, keys=Ring({SECRET_ID: TestKey(account_id=other.id)})))
    for action in ("StartInstances", "TerminateInstances", "InquiryPriceTerminateInstances"):
        unknown = stranger.call(action, {"InstanceIds": ["ins-unknown0"]}).error
        assert stranger.call(action, {"InstanceIds": [theirs]}).error == (
            unknown[0],
            unknown[1].replace("ins-unknown0", theirs),
        )


def test_an_act_on_a_machine_in_flight(client: Client) -> None:
    ids = client.call("RunInstances", HOURLY).response["InstanceIdSet"]
    assert client.call("StopInstances", {"InstanceIds": ids}).error[0] == "OperationDenied.InstanceOperationInProgress"
