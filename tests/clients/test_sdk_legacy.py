"""Given the TLS twin, when the unmodified qcloudapi-sdk-python is pointed at it, then programs of the v2 API work."""

import json
import time
import uuid
from typing import Any

import pytest
from QcloudApi.modules.cvm import Cvm as LegacyCvm

from tests.clients.conftest import Access, wait_for

ZONE = {"zoneId": 100004, "cpu": 1, "mem": 1, "imageId": "img-db12k7x4"}
LOGIN = {"password": "Str0ng-pass"}
HOURLY = {**ZONE, **LOGIN, "bandwidthType": "PayByTraffic", "bandwidth": 5}
MONTHLY = {**ZONE, **LOGIN, "period": 1}


class Cvm:
    """The SDK's module with its host, a class attribute, set to the shop."""

    def __init__(self, access: Access, method: str = "GET", sign_method: str = "HmacSHA1", **secret: str) -> None:
        config = {"Region": "gz", "method": method, "SignatureMethod": sign_method, "secretId": access.secret_id}
        self._module = LegacyCvm({**config, "secretKey": access.secret_key, **secret})

    def call(self, action: str, members: dict[str, Any] | None = None) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self._module.call(action, members or {}))
        return body

    def done(self, action: str, members: dict[str, Any] | None = None) -> dict[str, Any]:
        body = self.call(action, members)
        assert (body["code"], body["codeDesc"]) == (0, "Success"), body
        return body

    def ids(self) -> set[str]:
        return {machine["unInstanceId"] for machine in self.done("DescribeInstances", {"limit": 100})["instanceSet"]}

    def end(self, public_id: str) -> None:
        """Into the bin, and once it is there, out of it."""
        self.done("ReturnInstance", {"instanceId": public_id})
        assert self.status(public_id) == [5]
        wait_for(lambda: self.call("ReturnInstance", {"instanceId": public_id})["code"], 0)

    def status(self, public_id: str) -> list[int]:
        return [each["status"] for each in self.done("DescribeInstances", {"instanceIds": [public_id]})["instanceSet"]]


@pytest.fixture(autouse=True)
def host(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LegacyCvm, "requestHost", access.tls_endpoint)
    monkeypatch.setenv("SSL_CERT_FILE", access.ca_file)
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("HTTPS_PROXY", raising=False)


WIRES = [("GET", "HmacSHA1"), ("POST", "HmacSHA256"), ("GET", "HmacSHA256"), ("POST", "HmacSHA1")]


@pytest.mark.parametrize(("method", "sign_method"), WIRES)
def test_a_postpaid_machine_from_price_to_return(access: Access, method: str, sign_method: str) -> None:
    cvm = Cvm(access, method, sign_method)
    price = cvm.done("InquiryInstancePriceHour", {k: HOURLY[k] for k in HOURLY if k != "password"})["data"]
    assert price["bandwidth"] == {"price": "0.8000", "price_unit": "GB"}
    asked = {**HOURLY, "instanceName": "旧版", "clientToken": str(uuid.uuid4())}
    (public_id,) = cvm.done("RunInstancesHour", asked)["unInstanceIds"]
    assert cvm.done("RunInstancesHour", asked)["unInstanceIds"] == [public_id]
    wait_for(lambda: cvm.status(public_id), [2])
    (machine,) = cvm.done("DescribeInstances", {"searchWord": "旧版", "instanceIds": [public_id]})["instanceSet"]
    assert (machine["instanceName"], machine["cvmPayMode"], machine["zoneId"]) == ("旧版", 2, 100004)
    assert len(machine["wanIpSet"]) == 1
    assert cvm.done("StopInstances", {"instanceIds": [public_id]})["detail"][public_id]["code"] == 0
    wait_for(lambda: cvm.status(public_id), [4])
    cvm.done("StartInstances", {"instanceIds": [public_id]})
    wait_for(lambda: cvm.status(public_id), [2])
    cvm.end(public_id)
    wait_for(lambda: cvm.status(public_id), [])


def test_prepaid_machines_at_the_price_that_was_told(access: Access) -> None:
    cvm = Cvm(access, "POST")
    price = cvm.done("InquiryInstancePrice", {k: MONTHLY[k] for k in MONTHLY if k != "password"})["price"]
    assert price > 0
    bought = cvm.done("RunInstances", {**MONTHLY, "goodsNum": 2})
    (deal,) = bought["dealIds"]
    public_ids = bought["unInstanceIds"][str(deal)]
    assert len(public_ids) == 2
    for public_id in public_ids:
        wait_for(lambda public_id=public_id: cvm.status(public_id), [2])
        (machine,) = cvm.done("DescribeInstances", {"instanceIds": [public_id]})["instanceSet"]
        assert machine["cvmPayMode"] == 1
        assert machine["deadlineTime"] > time.strftime("%Y-%m-%d")
        cvm.end(public_id)


def test_zones(access: Access) -> None:
    zones = Cvm(access).done("DescribeAvailabilityZones")["zoneSet"]
    assert [zone["zoneId"] for zone in zones] == [100003, 100004, 100006]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"zoneId": 999}, 4000),
        ({"password": "weak"}, 4000),
        ({"cpu": 8, "mem": 16, "instanceType": "C3"}, 5200),
        ({"imageId": "img-unknown0"}, 5000),
        ({"bandwidth": 101}, 4000),
    ],
)
def test_refusals(access: Access, method: str, change: dict[str, Any], code: int) -> None:
    cvm = Cvm(access, method)
    before = cvm.ids()
    body = cvm.call("RunInstancesHour", {**HOURLY, **change})
    assert body["code"] == code, body
    assert body["message"]
    assert cvm.ids() <= before


def test_too_little_money(access: Access) -> None:
    cvm = Cvm(access)
    before = cvm.ids()
    large = {**MONTHLY, "cpu": 8, "mem": 16, "instanceType": "S5", "period": 36, "goodsNum": 50}
    assert cvm.call("RunInstances", large)["code"] == 5300
    assert cvm.ids() <= before


@pytest.mark.parametrize(("method", "sign_method"), WIRES)
def test_wrong_keys_late_clocks_and_replays(access: Access, method: str, sign_method: str) -> None:
    assert Cvm(access, method, sign_method, secretKey="x" * 32).call("DescribeInstances")["code"] == 4100
    assert Cvm(access, method, sign_method, secretId="AKID" + "x" * 32).call("DescribeInstances")["code"] == 4104
    cvm = Cvm(access, method, sign_method)
    late = {"Timestamp": int(time.time()) - 310}
    assert cvm.call("DescribeInstances", late)["code"] == 4200
    once = {"Nonce": uuid.uuid4().int >> 66, "Timestamp": int(time.time())}
    assert cvm.call("DescribeInstances", once)["code"] == 0
    assert cvm.call("DescribeInstances", once)["code"] == 4500
