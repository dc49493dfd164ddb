"""Given a program of the legacy v2 API, when it buys, then it gets the same machines at the same prices."""

import dataclasses
import re
from typing import Any

import pytest

from tests.api.calling import Client, Ring, TestKey, application
from tests.api.signing import SECRET_ID
from tests.api.test_answer_shapes import POSTPAID, PREPAID
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from vmart.api import services
from vmart.api.legacy import instances
from vmart.catalog import shop as catalog
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.kernel import clock, unix_password
from vmart.orders import open_account, passwords
from vmart.orders.models import Order
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription

SIZE = {"cpu": 2, "mem": 4, "zoneId": 100004, "rootSize": 50}
MONTHLY = {**SIZE, "imageId": "img-db12k7x4", "period": 1, "bandwidth": 2}
HOURLY = {**SIZE, "imageId": "img-db12k7x4", "bandwidthType": "PayByTraffic", "bandwidth": 10}


@pytest.fixture
def client(shop: object) -> Client:
    owner = User.objects.create_user("buyer@example.com", date_joined=clock.now())
    account = open_account.open_account(owner, "Buyer")
    open_account.grant(account.id, 1_000_000, "first")
    keys = Ring({SECRET_ID: TestKey(account_id=account.id)})
    return Client(application(services.API, services.LEGACY, keys=keys))


def test_price_of_a_month_in_fen(client: Client) -> None:
    """115 + 50 × 0.35 + 2 × 20 = 172.50, twice."""
    body = client.legacy("InquiryInstancePrice", {**SIZE, "period": 1, "bandwidth": 2, "goodsNum": 2})
    assert (body["code"], body["price"], body["originalPrice"]) == (0, 34500, 34500)


def test_a_year_has_a_discount(client: Client) -> None:
    """115 × 12 × 0.83 + 50 × 0.35 × 12."""
    body = client.legacy("InquiryInstancePrice", {**SIZE, "instanceType": 1, "period": 12})
    assert (body["price"], body["originalPrice"]) == (135540, 159000)


@pytest.mark.parametrize(
    ("members", "code", "says"),
    [
        ({"instanceType": 4, "cpu": 2, "mem": 4}, 5100, "instanceType 4 is not offered here; only 1 is."),
        ({"instanceType": 5, "instanceId": "ins-1", "bandwidth": 5}, 5100, "instanceType 5 is not offered here"),
        ({"instanceType": 1, "instanceId": "ins-1", "period": 1}, 5100, "instanceId is not offered here"),
        ({**SIZE, "instanceType": 2, "period": 1}, 4000, "instanceType is 2; possible are 1, 4, 5."),
        ({**SIZE, "instanceType": "S5", "period": 1}, 4000, "instanceType must be a whole number."),
        ({**SIZE, "instanceModel": "C3", "period": 1}, 4000, "No machine with 2 vCPU"),
        ({**SIZE, "period": 0}, 4000, "period"),
    ],
)
def test_questions_about_prices_that_are_refused(client: Client, members: dict[str, Any], code: int, says: str) -> None:
    body = client.legacy("InquiryInstancePrice", members)
    assert (body["code"], says in body["message"]) == (code, True), body


@pytest.mark.parametrize(("model", "price"), [("S5", 13250), ("CVM.S5", 13250), ("S5.MEDIUM4", 13250), ("SA2", 11550)])
def test_the_machine_type_of_a_price_is_its_model(client: Client, model: str, price: int) -> None:
    asked = {**SIZE, "instanceType": 1, "instanceModel": model, "period": 1}
    assert client.legacy("InquiryInstancePrice", asked)["price"] == price


def test_price_of_an_hour_in_yuan(client: Client) -> None:
    """0.35 + 50 × 0.0005; traffic 0.80 a GB."""
    body = client.legacy("InquiryInstancePriceHour", {**SIZE, "bandwidthType": "PayByTraffic", "bandwidth": 10})
    assert body["data"] == {
        "cvm": {"price": "0.3750", "price_unit": "HOUR"}, "bandwidth": {"price": "0.8000", "price_unit": "GB"},
    }  # fmt: skip


def test_a_price_of_an_hour_needs_no_zone(client: Client) -> None:
    body = client.legacy("InquiryInstancePriceHour", {"cpu": 2, "mem": 4, "rootSize": 50, "bandwidth": 2})
    assert body["data"]["cvm"] == {"price": "0.3750", "price_unit": "HOUR"}
    assert body["data"]["bandwidth"]["price_unit"] == "HOUR"
    assert client.legacy("RunInstancesHour", {"cpu": 2, "mem": 4, "imageId": "img-db12k7x4"})["code"] == 4000
    assert not Order.objects.exists()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_buying_prepaid(client: Client, method: str) -> None:
    body = client.legacy("RunInstances", {**MONTHLY, "goodsNum": 2, "clientToken": "t-1"}, method=method)
    order = Order.objects.get()
    ids = [machine.public_id for machine in Instance.objects.order_by("id")]
    assert body["code"] == 0
    assert body["dealIds"] == [order.id]
    assert body["unInstanceIds"] == {str(order.id): ids}
    assert len(ids) == 2
    assert order.total_minor == 34500
    again = client.legacy("RunInstances", {**MONTHLY, "goodsNum": 2, "clientToken": "t-1"}, method=method)
    assert again["unInstanceIds"] == body["unInstanceIds"]
    assert Order.objects.count() == 1


def test_buying_postpaid(client: Client) -> None:
    body = client.legacy("RunInstancesHour", {**HOURLY, "password": "Str0ng-pass", "instanceName": "web"})
    machine = Instance.objects.get()
    assert body["unInstanceIds"] == [machine.public_id]
    assert (machine.subscription.charge_type, machine.instance_type_id, machine.name) == (
        "POSTPAID_BY_HOUR",
        "S5.MEDIUM4",
        "web",
    )
    assert machine.password_hash.startswith("$6$")


@pytest.mark.parametrize(("action", "asked"), [("RunInstances", MONTHLY), ("RunInstancesHour", HOURLY)])
def test_without_a_login_the_machine_has_a_password_that_its_owner_can_have_shown(
    client: Client, action: str, asked: dict[str, Any]
) -> None:
    client.legacy(action, asked)
    machine = Instance.objects.get()
    (password,) = passwords.show(by(machine.account_id), [machine.public_id]).values()
    assert unix_password.matches(password, machine.password_hash)


def test_a_prepaid_machine_without_a_zone_takes_one_of_the_region(client: Client) -> None:
    body = client.legacy("RunInstances", {"cpu": 1, "mem": 1, "imageId": "img-db12k7x4", "period": 1})
    assert body["code"] == 0
    assert Instance.objects.get().zone.region_id == "ap-guangzhou"


def test_the_instance_type_may_name_the_family(client: Client) -> None:
    assert client.legacy("RunInstancesHour", {**HOURLY, "instanceType": "SA2"})["code"] == 0
    assert Instance.objects.get().instance_type_id == "SA2.MEDIUM4"


@pytest.mark.parametrize(
    ("asked", "disk_type", "told"),
    [
        (None, "CLOUD_PREMIUM", 2),
        (1, "CLOUD_PREMIUM", 2),
        (2, "CLOUD_PREMIUM", 2),
        (3, "CLOUD_SSD", 4),
        (4, "CLOUD_SSD", 4),
    ],
)
def test_disks_by_number(client: Client, asked: int | None, disk_type: str, told: int) -> None:
    number = {} if asked is None else {"storageType": asked}
    assert client.legacy("RunInstancesHour", {**HOURLY, "storageSize": 20, **number})["code"] == 0
    assert list(Disk.objects.values_list("disk_type", flat=True)) == [disk_type] * 2
    (machine,) = client.legacy("DescribeInstances")["instanceSet"]
    assert (machine["diskInfo"]["rootType"], machine["diskInfo"]["storageType"]) == (told, told)


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({"cpu": 3}, 4000, "3 vCPU"),
        ({"zoneId": 1}, 4000, "zoneId"),
        ({"period": 0}, 4000, "period"),
        ({"period": 37}, 4000, "period"),
        ({"storageType": 0}, 4000, "storageType"),
        ({"storageType": 5}, 4000, "storageType"),
        ({"storageSize": 15}, 4000, "storageSize: "),
        ({"rootSize": 7}, 4000, "rootSize: "),
        ({"bandwidth": 100_000}, 4000, "bandwidth"),
        ({"bandwidthType": "PayByHour"}, 4000, "bandwidthType"),
        ({"wanIp": 2}, 4000, "wanIp"),
        ({"goodsNum": 101}, 4000, "goodsNum"),
        ({"password": "weak"}, 4000, "password"),
        ({"keyId": "skey-unknown0"}, 5000, "keyId: "),
        ({"projectId": 5}, 5100, "projectId"),
        ({"vpcId": "vpc-1"}, 5100, "vpcId"),
        ({"imageId": "img-unknown0"}, 5000, "imageId: "),
        ({"goodsNum": 100, "period": 36}, 5300, "balance"),
    ],
)
def test_bad_purchases_write_nothing(client: Client, change: dict[str, Any], code: int, says: str) -> None:
    body = client.legacy("RunInstances", {**MONTHLY, **change})
    assert body["code"] == code, body
    assert says in body["message"]
    assert not re.search(
        r"\b(SystemDisk|DataDisks|InstanceChargePrepaid|InternetAccessible|Placement)\b", body["message"]
    )
    assert not Order.objects.exists()
    assert not Instance.objects.exists()


def test_each_machine_answers_for_itself(client: Client) -> None:
    (public_id,) = client.legacy("RunInstancesHour", HOURLY)["unInstanceIds"]
    Instance.objects.update(state="STOPPED", latest_operation_state="SUCCESS")
    Subscription.objects.filter(public_id=public_id).update(standing="active", started_at=clock.now())
    body = client.legacy("StartInstances", {"instanceIds": [public_id, "ins-unknown0"]})
    assert body["code"] == 5400
    request_id = Instance.objects.get().latest_operation_request_id
    assert body["detail"][public_id] == {"code": 0, "message": "", "codeDesc": "Success", "requestId": request_id}
    assert re.fullmatch(r"[0-9a-f-]{36}", request_id)
    assert body["detail"]["ins-unknown0"]["requestId"] == request_id
    assert body["detail"]["ins-unknown0"]["code"] == 5000
    assert Instance.objects.get().state == "STARTING"
    alone = client.legacy("StopInstances", {"instanceIds": ["ins-unknown0"]})
    assert (alone["code"], alone["codeDesc"]) == (5000, "InvalidInstanceId.NotFound")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_machines_by_status_word_zone_and_page(client: Client, method: str) -> None:
    ids = [client.legacy("RunInstancesHour", {**HOURLY, "instanceName": name})["unInstanceIds"][0] for name in "abc"]
    other = {**HOURLY, "zoneId": 100006, "instanceName": "Web-Server"}
    ids += client.legacy("RunInstancesHour", other)["unInstanceIds"]
    Instance.objects.filter(public_id=ids[0]).update(state="RUNNING")
    told = {each["unInstanceId"]: each for each in client.legacy("DescribeInstances")["instanceSet"]}
    for asked, found in [
        ({}, ids),
        ({"status": 2}, ids[:1]),
        ({"status": 3}, ids[1:]),
        ({"status": 5}, []),
        ({"zoneId": 100006}, ids[3:]),
        ({"zoneId": 1}, []),
        ({"searchWord": "server"}, ids[3:]),
        ({"searchWord": told[ids[1]]["wanIpSet"][0]}, ids[1:2]),
        ({"instanceIds": [ids[2], "ins-unknown0"]}, ids[2:3]),
        ({"limit": 1}, ids[3:]),
        ({"limit": 2, "offset": 3}, ids[:1]),
        ({"Region": "sh"}, []),
        ({"Region": "ap-guangzhou"}, ids),
    ]:
        body = client.legacy("DescribeInstances", asked, method=method)
        assert [each["unInstanceId"] for each in body["instanceSet"]] == found[::-1], asked
        assert body["totalCount"] == (4 if "limit" in asked else len(found)), asked
    assert (told[ids[0]]["status"], told[ids[1]]["status"], told[ids[3]]["zoneId"]) == (2, 3, 100006)
    for wrong in ({"status": 1}, {"limit": 0}, {"limit": 101}, {"offset": -1}):
        assert client.legacy("DescribeInstances", wrong, method=method)["code"] == 4000


@pytest.mark.usefixtures("delivering")
def test_the_time_of_a_status_is_that_of_its_last_change(client: Client, test_clock: BusinessClock) -> None:
    def times() -> tuple[str, str]:
        (machine,) = client.legacy("DescribeInstances")["instanceSet"]
        return machine["createTime"], machine["statusTime"]

    (public_id,) = client.legacy("RunInstancesHour", {**HOURLY, "zoneId": 100004})["unInstanceIds"]
    assert times() == ("2026-03-10 10:00:00", "2026-03-10 10:00:00")
    test_clock.advance(minutes=1)
    work()
    assert times() == ("2026-03-10 10:00:00", "2026-03-10 10:01:00")
    test_clock.advance(minutes=5)
    client.legacy("StopInstances", {"instanceIds": [public_id]})
    work()
    assert times() == ("2026-03-10 10:00:00", "2026-03-10 10:06:00")


def test_zones(client: Client) -> None:
    body = client.legacy("DescribeAvailabilityZones")
    assert [zone["zoneId"] for zone in body["zoneSet"]] == [100003, 100004, 100006]
    assert body["totalCount"] == 3


def test_a_machine_as_the_legacy_api_tells_it(client: Client) -> None:
    here = catalog.current()
    told = instances.instance(POSTPAID, here)
    assert (told["createTime"], told["statusTime"]) == ("2026-03-10 10:43:51", "2026-03-10 10:44:51")  # UTC+8
    assert told["deadlineTime"] == "0000-00-00 00:00:00"
    assert (told["status"], told["cvmPayMode"], told["networkPayMode"], told["zoneId"]) == (2, 2, 2, 100003)
    assert told["diskInfo"] == {
        "rootType": 2, "rootId": "disk-a", "rootSize": 50, "storageType": 4, "storageId": "disk-b", "storageSize": 100,
    }  # fmt: skip
    assert instances.instance(PREPAID, here)["deadlineTime"] == "2026-04-10 10:43:51"
    numbers = {
        state: instances.instance(dataclasses.replace(POSTPAID, state=state), here)["status"]
        for state in ("PENDING", "LAUNCH_FAILED", "STOPPED", "SHUTDOWN", "REBOOTING", "STARTING", "STOPPING")
    }
    assert list(numbers.values()) == [3, -1, 4, 5, 7, 8, 9]
