"""Given a running shop, when the unmodified tencentcloud-sdk-python is pointed at it, then it buys machines there."""

import json
import time
import uuid
from typing import Any

import pytest
from tencentcloud.billing.v20180709 import billing_client
from tencentcloud.billing.v20180709 import models as billing_models
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import cvm_client, models
from tencentcloud.monitor.v20180724 import models as monitor_models
from tencentcloud.monitor.v20180724 import monitor_client

from tests.clients.conftest import Access, wait_for

WIRES = [
    ("TC3-HMAC-SHA256", "POST"),
    ("TC3-HMAC-SHA256", "GET"),
    ("HmacSHA256", "POST"),
    ("HmacSHA256", "GET"),
    ("HmacSHA1", "POST"),
    ("HmacSHA1", "GET"),
]
ORDER = {
    "Placement": {"Zone": "ap-guangzhou-4"},
    "InstanceType": "S5.SMALL1",
    "ImageId": "img-db12k7x4",
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
    "LoginSettings": {"Password": "Str0ng-pass"},
    "InternetAccessible": {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5},
}
POSTPAID = {**ORDER, "InstanceChargeType": "POSTPAID_BY_HOUR"}
PREPAID = {**ORDER, "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1}}


def _profile(access: Access, sign_method: str, method: str) -> ClientProfile:
    http = HttpProfile(protocol="http", endpoint=access.endpoint, reqMethod=method)
    profile = ClientProfile(signMethod=sign_method, httpProfile=http)
    profile.language = "en-US"
    return profile


class Cvm:
    """``cvm.RunInstances({...})``: the SDK's own client and request classes, answers as plain members."""

    def __init__(
        self, access: Access, sign_method: str = "TC3-HMAC-SHA256", method: str = "POST", region: str = "ap-guangzhou"
    ) -> None:
        self._client = cvm_client.CvmClient(Credential(*access.secret), region, _profile(access, sign_method, method))

    def __getattr__(self, action: str) -> Any:
        def call(members: dict[str, Any] | None = None) -> dict[str, Any]:
            request = getattr(models, f"{action}Request")()
            request.from_json_string(json.dumps(members or {}))
            answer: dict[str, Any] = json.loads(getattr(self._client, action)(request).to_json_string())
            return answer

        return call

    def ids(self) -> set[str]:
        return {machine["InstanceId"] for machine in self.DescribeInstances({"Limit": 100})["InstanceSet"]}

    def states(self, public_ids: list[str]) -> set[str]:
        answer = self.DescribeInstancesStatus({"InstanceIds": public_ids})
        return {status["InstanceState"] for status in answer["InstanceStatusSet"]}

    def settle(self, public_ids: list[str]) -> None:
        """Wait until nothing is under way on the machines."""
        asked = {"InstanceIds": public_ids, "Limit": 100}
        wait_for(
            lambda: {machine["LatestOperationState"] for machine in self.DescribeInstances(asked)["InstanceSet"]},
            {"SUCCESS"},
        )

    def end(self, public_ids: list[str]) -> None:
        """Into the bin, and once they are there, out of it."""
        self.TerminateInstances({"InstanceIds": public_ids})
        self.settle(public_ids)
        self.TerminateInstances({"InstanceIds": public_ids})
        wait_for(lambda: self.states(public_ids), set())


def _balance(access: Access) -> int:
    client = billing_client.BillingClient(
        Credential(*access.secret), "ap-guangzhou", _profile(access, "TC3-HMAC-SHA256", "POST")
    )
    balance: int = client.DescribeAccountBalance(billing_models.DescribeAccountBalanceRequest()).Balance
    return balance


@pytest.mark.parametrize(("sign_method", "method"), WIRES)
def test_looking_around_by_every_signature(access: Access, sign_method: str, method: str) -> None:
    cvm = Cvm(access, sign_method, method)
    assert {region["Region"] for region in cvm.DescribeRegions()["RegionSet"]} == {"ap-guangzhou", "ap-shanghai"}
    assert cvm.DescribeZones()["TotalCount"] == 3
    asked = {"Filters": [{"Name": "zone", "Values": ["ap-guangzhou-4"]}]}
    assert len(cvm.DescribeZoneInstanceConfigInfos(asked)["InstanceTypeQuotaSet"]) == 26
    assert cvm.DescribeImages({"Limit": 1})["ImageSet"][0]["ImageId"] == "img-db12k7x4"


@pytest.mark.parametrize(("sign_method", "method"), [WIRES[0], WIRES[3], WIRES[4]])
def test_a_machine_bought_by_a_launch_template(access: Access, sign_method: str, method: str) -> None:
    """Versions, the default one, the price with a member of the request's own, the purchase, and the end of it all."""
    cvm, name = Cvm(access, sign_method, method), f"sdk-{uuid.uuid4().hex[:8]}"
    kept = {key: value for key, value in POSTPAID.items() if key != "LoginSettings"}
    template = cvm.CreateLaunchTemplate({**kept, "LaunchTemplateName": name, "InstanceName": name})["LaunchTemplateId"]
    smaller = {"Placement": POSTPAID["Placement"], "LaunchTemplateId": template, "InstanceType": "S5.MEDIUM4"}
    assert cvm.CreateLaunchTemplateVersion(smaller)["LaunchTemplateVersionNumber"] == 2
    cvm.ModifyLaunchTemplateDefaultVersion({"LaunchTemplateId": template, "DefaultVersion": 2})
    (told,) = cvm.DescribeLaunchTemplates({"LaunchTemplateIds": [template]})["LaunchTemplateSet"]
    assert (told["LaunchTemplateName"], told["DefaultVersionNumber"], told["LatestVersionNumber"]) == (name, 2, 2)
    held = cvm.DescribeLaunchTemplateVersions({"LaunchTemplateId": template})["LaunchTemplateVersionSet"]
    assert [version["LaunchTemplateVersionData"]["InstanceType"] for version in held] == ["S5.MEDIUM4", "S5.SMALL1"]

    named = {"LaunchTemplateId": template}
    asked = {"Placement": POSTPAID["Placement"], "ImageId": POSTPAID["ImageId"], "LaunchTemplate": named}
    price = cvm.InquiryPriceRunInstances(asked)["Price"]["InstancePrice"]["UnitPrice"]
    own = cvm.InquiryPriceRunInstances({**asked, "InstanceType": "S5.SMALL1"})["Price"]["InstancePrice"]["UnitPrice"]
    assert (price, own) == (0.375, 0.165)
    first = {"LaunchTemplate": {**named, "LaunchTemplateVersion": 1}}
    bought = cvm.RunInstances(first)["InstanceIdSet"] + cvm.RunInstances({"LaunchTemplate": named})["InstanceIdSet"]
    cvm.settle(bought)
    machines = cvm.DescribeInstances({"InstanceIds": bought})["InstanceSet"]
    types = {machine["InstanceId"]: (machine["InstanceType"], machine["InstanceName"]) for machine in machines}
    assert types == {bought[0]: ("S5.SMALL1", name), bought[1]: ("S5.MEDIUM4", name)}

    cvm.DeleteLaunchTemplateVersions({"LaunchTemplateId": template, "LaunchTemplateVersions": [1]})
    with pytest.raises(TencentCloudSDKException) as refused:
        cvm.RunInstances(first)
    assert refused.value.code == "InvalidParameterValue.LaunchTemplateIdVerNotExisted"
    cvm.DeleteLaunchTemplate({"LaunchTemplateId": template})
    assert cvm.DescribeLaunchTemplates({"LaunchTemplateIds": [template]})["TotalCount"] == 0
    cvm.end(bought)


@pytest.mark.parametrize(("sign_method", "method"), [WIRES[0], WIRES[3], WIRES[4]])
def test_a_postpaid_machine_from_price_to_release(access: Access, sign_method: str, method: str) -> None:
    """0.18 + 50 × 0.0005 an hour; the hold of one hour is 0.21, and comes back with the machine's end."""
    cvm = Cvm(access, sign_method, method)
    price = cvm.InquiryPriceRunInstances(POSTPAID)["Price"]
    hold_minor = round(price["InstancePrice"]["UnitPrice"] * 100 + 1e-9)
    assert price["InstancePrice"]["ChargeUnit"] == "HOUR"
    before = _balance(access)
    asked = {**POSTPAID, "ClientToken": str(uuid.uuid4()), "InstanceName": "sdk", "UserData": "IyEvYmluL3NoCg=="}
    cvm.RunInstances({**asked, "DryRun": True})
    (public_id,) = cvm.RunInstances(asked)["InstanceIdSet"]
    assert cvm.RunInstances(asked)["InstanceIdSet"] == [public_id]
    assert abs(before - _balance(access) - hold_minor) <= 1

    wait_for(lambda: cvm.states([public_id]), {"RUNNING"})
    (machine,) = cvm.DescribeInstances({"InstanceIds": [public_id]})["InstanceSet"]
    assert (machine["InstanceName"], machine["InstanceType"], machine["CPU"]) == ("sdk", "S5.SMALL1", 1)
    assert machine["LatestOperationState"] == "SUCCESS"
    assert len(machine["PublicIpAddresses"]) == 1

    cvm.StopInstances({"InstanceIds": [public_id], "StopType": "SOFT_FIRST", "StoppedMode": "STOP_CHARGING"})
    wait_for(lambda: cvm.states([public_id]), {"STOPPED"})
    cvm.StartInstances({"InstanceIds": [public_id]})
    wait_for(lambda: cvm.states([public_id]), {"RUNNING"})
    cvm.RebootInstances({"InstanceIds": [public_id], "StopType": "HARD"})
    wait_for(lambda: cvm.states([public_id]), {"RUNNING"})
    cvm.TerminateInstances({"InstanceIds": [public_id]})
    assert cvm.states([public_id]) == {"SHUTDOWN"}
    cvm.settle([public_id])
    cvm.TerminateInstances({"InstanceIds": [public_id]})
    wait_for(lambda: cvm.states([public_id]), set())
    assert cvm.DescribeInstances({"InstanceIds": [public_id]})["TotalCount"] == 0


def test_prepaid_machines_at_the_price_that_was_told_and_their_return(access: Access) -> None:
    cvm = Cvm(access)
    price = cvm.InquiryPriceRunInstances({**PREPAID, "InstanceCount": 2})["Price"]["InstancePrice"]
    before = _balance(access)
    public_ids = cvm.RunInstances({**PREPAID, "InstanceCount": 2})["InstanceIdSet"]
    assert len(public_ids) == 2
    assert before - _balance(access) == round(price["DiscountPrice"] * 100)
    wait_for(lambda: cvm.states(public_ids), {"RUNNING"})
    machines = cvm.DescribeInstances({"Filters": [{"Name": "instance-charge-type", "Values": ["PREPAID"]}]})
    mine = [machine for machine in machines["InstanceSet"] if machine["InstanceId"] in public_ids]
    assert {machine["RenewFlag"] for machine in mine} == {"NOTIFY_AND_MANUAL_RENEW"}
    assert all(machine["ExpiredTime"] for machine in mine)
    paid = _balance(access)
    refunds = cvm.InquiryPriceTerminateInstances({"InstanceIds": public_ids})["InstanceRefundsSet"]
    assert {refund["InstanceId"] for refund in refunds} == set(public_ids)
    cvm.TerminateInstances({"InstanceIds": public_ids})
    assert cvm.states(public_ids) == {"SHUTDOWN"}
    assert _balance(access) > paid
    cvm.settle(public_ids)
    cvm.TerminateInstances({"InstanceIds": public_ids})
    wait_for(lambda: cvm.states(public_ids), set())


def test_key_pairs(access: Access) -> None:
    cvm = Cvm(access)
    name = f"k_{uuid.uuid4().hex[:12]}"
    pair = cvm.CreateKeyPair({"KeyName": name, "ProjectId": 0})["KeyPair"]
    assert pair["PrivateKey"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert cvm.DescribeKeyPairs({"KeyIds": [pair["KeyId"]]})["KeyPairSet"][0]["PublicKey"] == pair["PublicKey"]
    cvm.DeleteKeyPairs({"KeyIds": [pair["KeyId"]]})
    again = cvm.ImportKeyPair({"KeyName": name, "ProjectId": 0, "PublicKey": pair["PublicKey"]})["KeyId"]
    cvm.DeleteKeyPairs({"KeyIds": [again]})
    assert cvm.DescribeKeyPairs({"KeyIds": [again]})["TotalCount"] == 0


def test_key_pairs_are_bound_to_a_machine_and_taken_away(access: Access) -> None:
    cvm = Cvm(access)
    pair = cvm.CreateKeyPair({"KeyName": f"k_{uuid.uuid4().hex[:12]}", "ProjectId": 0})["KeyPair"]["KeyId"]
    public_ids = cvm.RunInstances(POSTPAID)["InstanceIdSet"]
    cvm.settle(public_ids)
    asked = {"InstanceIds": public_ids, "KeyIds": [pair]}

    def bound() -> list[str]:
        told: list[str] = cvm.DescribeKeyPairs({"KeyIds": [pair]})["KeyPairSet"][0]["AssociatedInstanceIds"]
        return told

    with pytest.raises(TencentCloudSDKException) as refused:
        cvm.AssociateInstancesKeyPairs(asked)
    assert refused.value.get_code() == "UnsupportedOperation.InstanceStateRunning"
    cvm.AssociateInstancesKeyPairs({**asked, "ForceStop": True})
    wait_for(bound, public_ids)
    cvm.DisassociateInstancesKeyPairs({**asked, "ForceStop": True})
    wait_for(bound, [])
    cvm.DeleteKeyPairs({"KeyIds": [pair]})
    cvm.end(public_ids)


def test_a_client_that_pages_ends(access: Access) -> None:
    cvm = Cvm(access)
    public_ids = cvm.RunInstances({**POSTPAID, "InstanceCount": 5})["InstanceIdSet"]
    seen: list[str] = []
    while page := cvm.DescribeInstances({"Offset": len(seen), "Limit": 2})["InstanceSet"]:
        seen += [machine["InstanceId"] for machine in page]
    assert len(seen) == len(set(seen))
    assert set(public_ids) <= set(seen)
    wait_for(lambda: cvm.states(public_ids), {"RUNNING"})
    cvm.end(public_ids)


@pytest.mark.parametrize(("sign_method", "method"), [WIRES[0], WIRES[3]])
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Placement": {"Zone": "ap-nowhere-1"}}, "InvalidParameterValue.ZoneNotSupported"),
        ({"InstanceType": "C3.2XLARGE16"}, "ResourcesSoldOut.SpecifiedInstanceType"),
        ({"LoginSettings": {"Password": "weak"}}, "InvalidParameterValue.InvalidPassword"),
        ({"ImageId": "img-unknown0"}, "InvalidImageId.NotFound"),
        ({"InstanceCount": 101}, "InvalidParameterValue.Range"),
        ({"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 60}, "InstanceCount": 20},
         "InvalidAccount.InsufficientBalance"),
    ],
)  # fmt: skip
def test_refusals_reach_the_client_as_its_exceptions(
    access: Access, sign_method: str, method: str, change: dict[str, Any], code: str
) -> None:
    cvm = Cvm(access, sign_method, method)
    before = cvm.ids()
    with pytest.raises(TencentCloudSDKException) as refused:
        cvm.RunInstances({**POSTPAID, **change})
    assert refused.value.get_code() == code
    assert refused.value.get_request_id()
    assert cvm.ids() <= before


def test_what_is_not_offered_and_what_is_not_there(access: Access) -> None:
    cvm = Cvm(access)
    for act, code in [
        (lambda: cvm.SyncImages({"DestinationRegions": ["ap-beijing"]}), "UnsupportedOperation"),
        (lambda: cvm.StopInstances({"InstanceIds": ["ins-unknown0"]}), "InvalidInstanceId.NotFound"),
        (lambda: Cvm(access, region="ap-nowhere").DescribeZones(), "InvalidParameterValue.InvalidRegion"),
    ]:
        with pytest.raises(TencentCloudSDKException) as refused:
            act()
        assert refused.value.get_code() == code


@pytest.mark.parametrize(("sign_method", "method"), WIRES)
def test_wrong_keys_and_late_clocks(
    access: Access, monkeypatch: pytest.MonkeyPatch, sign_method: str, method: str
) -> None:
    for key, code in [
        ((access.secret_id, "x" * 32), "AuthFailure.SignatureFailure"),
        (("AKID" + "x" * 32, access.secret_key), "AuthFailure.SecretIdNotFound"),
    ]:
        stranger = Access(access.endpoint, access.tls_endpoint, access.ca_file, *key)
        with pytest.raises(TencentCloudSDKException) as refused:
            Cvm(stranger, sign_method, method).DescribeInstances()
        assert refused.value.get_code() == code
    clock = time.time
    for offset_s in (-310, 310):
        monkeypatch.setattr(time, "time", lambda offset_s=offset_s: clock() + offset_s)
        with pytest.raises(TencentCloudSDKException) as refused:
            Cvm(access, sign_method, method).DescribeInstances()
        monkeypatch.undo()
        assert refused.value.get_code() == "AuthFailure.SignatureExpire"


def test_messages_in_the_language_of_the_profile(access: Access) -> None:
    """The SDK asks for Chinese unless it is told otherwise."""
    profile = _profile(access, "TC3-HMAC-SHA256", "POST")
    profile.language = "zh-CN"
    client = cvm_client.CvmClient(Credential(*access.secret), "ap-guangzhou", profile)
    assert client.DescribeRegions(models.DescribeRegionsRequest()).RegionSet[0].RegionName == "华南地区(广州)"


def test_what_a_machine_uses_is_asked_for_as_programs_do(access: Access) -> None:
    """Its first value comes with the worker's next minute; the memory of a machine is known from that one on."""
    cvm = Cvm(access)
    bought = cvm.RunInstances(POSTPAID)["InstanceIdSet"]
    cvm.settle(bought)
    monitor = monitor_client.MonitorClient(
        Credential(*access.secret), "ap-guangzhou", _profile(access, "TC3-HMAC-SHA256", "POST")
    )
    known = monitor.DescribeBaseMetrics(_request("DescribeBaseMetrics", {"Namespace": "QCE/CVM"})).MetricSet
    assert {"CPUUsage", "MemUsage", "LanOuttraffic", "WanOuttraffic"} <= {one.MetricName for one in known}
    asked = {
        "Namespace": "QCE/CVM", "MetricName": "MemUsage", "Period": 60,
        "Instances": [{"Dimensions": [{"Name": "InstanceId", "Value": bought[0]}]}],
    }  # fmt: skip

    def values() -> bool:
        (points,) = monitor.GetMonitorData(_request("GetMonitorData", asked)).DataPoints
        assert len(points.Values) == len(points.Timestamps)
        assert all(0 < value < 100 for value in points.Values)
        return bool(points.Values)

    wait_for(values, True, limit_s=100)
    with pytest.raises(TencentCloudSDKException) as refused:
        monitor.GetMonitorData(_request("GetMonitorData", asked | {"Period": 7}))
    assert refused.value.code == "InvalidParameterValue"
    cvm.end(bought)


def _request(action: str, members: dict[str, Any]) -> Any:
    request = getattr(monitor_models, f"{action}Request")()
    request.from_json_string(json.dumps(members))
    return request
