"""Given a running shop, when Tencent's MCP server is led there unmodified, then its tools tell, buy, change and end.

A model would call the tools; here the test does, as MCP says: a line of JSON each way. The server knows the published
hosts only (``published_hosts.py``). ``bin/setup --dev`` installs it.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Access, wait_for
from tests.clients.published_hosts import PublishedHosts, trusted_by
from tests.clients.test_other_sdks import BUILT
from vmart.config import os_users

SERVER = BUILT / "mcp"
REGION, ZONE, IMAGE = "ap-guangzhou", "ap-guangzhou-4", "img-db12k7x4"
SMALL = {"Zone": ZONE, "InstanceType": "S5.SMALL1", "ImageId": IMAGE}
PREPAID = {
    "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
    "SystemDisk": {"DiskType": "CLOUD_SSD", "DiskSize": 50},
}  # fmt: skip
pytestmark = pytest.mark.skipif(not os_users.is_root(), reason="authorities of one's own need root")


class Tools:
    """``tools("StopInstances", InstanceIds=[…])``: what the tool answers; its text where that is no JSON."""

    def __init__(self, hosts: PublishedHosts, access: Access) -> None:
        key = {"TENCENTCLOUD_SECRET_ID": access.secret_id, "TENCENTCLOUD_SECRET_KEY": access.secret_key}
        self.process = subprocess.Popen(
            hosts.command([str(SERVER / "run")], trusted_by(SERVER)), env=hosts.environment | key,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._number = 0
        client = {"name": "test", "version": "1"}
        self.ask("initialize", protocolVersion="2024-11-05", capabilities={}, clientInfo=client)
        self._write({"method": "notifications/initialized"})

    def __call__(self, tool: str, **arguments: Any) -> Any:
        answer = self.ask("tools/call", name=tool, arguments={"Region": REGION, **arguments})
        (content,) = answer["content"]
        try:
            told = json.loads(content["text"])
        except ValueError:
            return content["text"]
        return told.get("Response", told)  # some tools hand on the whole of the answer

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._write({"id": self._number, "method": method, "params": params})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self._number:
                result: dict[str, Any] = answer["result"]
                return result
        raise AssertionError(f"the server ended with {self.process.wait(10)}")

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def machine(self, public_id: str, *names: str) -> list[Any]:
        found = self("DescribeInstances", InstanceIds=[public_id])["InstanceSet"]
        return [one[name] for one in found for name in names]

    def settle(self, public_id: str, state: str) -> None:
        wait_for(lambda: self.machine(public_id, "InstanceState", "LatestOperationState"), [state, "SUCCESS"])


@pytest.fixture
def tools(access: Access, tmp_path: Path) -> Iterator[Tools]:
    if not (SERVER / "run").exists():
        pytest.skip((SERVER / "why").read_text().strip())
    with PublishedHosts(access.endpoint, tmp_path) as hosts:
        tools = Tools(hosts, access)
        yield tools
        tools.process.communicate(timeout=20)  # its input ends, and so does it


def _chosen(found: list[dict[str, Any]], *names: str) -> list[list[Any]]:
    return [[one[name] for name in names] for one in found]


def test_what_is_for_sale_where_and_at_which_price(tools: Tools) -> None:
    assert _chosen(tools("DescribeRegions")["RegionSet"], "Region", "RegionState") == [
        ["ap-guangzhou", "AVAILABLE"], ["ap-shanghai", "AVAILABLE"],
    ]  # fmt: skip
    assert _chosen(tools("DescribeZones")["ZoneSet"], "Zone", "ZoneState") == [
        ["ap-guangzhou-3", "AVAILABLE"], ["ap-guangzhou-4", "AVAILABLE"], ["ap-guangzhou-6", "AVAILABLE"],
    ]  # fmt: skip
    types = tools("DescribeInstanceTypeConfigs", InstanceFamily="S5", Zone=ZONE)["InstanceTypeConfigSet"]
    assert _chosen(types, "InstanceType", "CPU", "Memory") == [
        ["S5.SMALL1", 1, 1], ["S5.SMALL2", 1, 2], ["S5.MEDIUM4", 2, 4], ["S5.LARGE8", 4, 8], ["S5.2XLARGE16", 8, 16],
    ]  # fmt: skip
    images = tools("DescribeImages", ImageType="PUBLIC_IMAGE", Platform="Debian", ImageName="12", Limit=20, Offset=0)
    assert _chosen(images["ImageSet"], "ImageId", "ImageState") == [[IMAGE, "NORMAL"]]
    price = tools("InquiryPriceRunInstances", **SMALL)["Price"]["InstancePrice"]
    assert (price["UnitPrice"], price["ChargeUnit"]) == (0.165, "HOUR")
    price = tools("InquiryPriceRunInstances", **SMALL, **PREPAID)["Price"]["InstancePrice"]
    assert (price["OriginalPrice"], price["DiscountPrice"]) == (95.0, 89.15)


def test_a_machine_from_its_purchase_to_its_end(tools: Tools) -> None:
    network = {"VpcId": "DEFAULT", "SubnetId": "DEFAULT"}
    bought = tools("RunInstances", **SMALL, **network, InstanceName="mcp", Password="Str0ng-pass", InstanceCount=1)
    (machine,) = bought["InstanceIdSet"]
    tools.settle(machine, "RUNNING")
    assert tools.machine(machine, "InstanceName", "InstanceType", "ImageId", "InstanceChargeType") == [
        "mcp", "S5.SMALL1", IMAGE, "POSTPAID_BY_HOUR",
    ]  # fmt: skip
    (network,) = tools.machine(machine, "VirtualPrivateCloud")
    (vpc,) = tools("DescribeVpcs", IsDefault=True)["VpcSet"]
    (subnet,) = tools("DescribeSubnets", IsDefault=True, Zone=ZONE)["SubnetSet"]
    assert (network["VpcId"], network["SubnetId"]) == (vpc["VpcId"], subnet["SubnetId"])
    used = tools("GetCpuUsageData", InstanceIds=[machine])
    assert (used["MetricName"], used["Period"], len(used["DataPoints"])) == ("CpuUsage", 60, 1)
    tools("StopInstances", InstanceIds=[machine], StopType="SOFT", StoppedMode="STOP_CHARGING")
    tools.settle(machine, "STOPPED")
    assert tools.machine(machine, "StopChargingMode") == ["STOP_CHARGING"]
    tools("StartInstances", InstanceIds=[machine])
    tools.settle(machine, "RUNNING")
    for tool, asked in (
        ("RebootInstances", {"InstanceIds": [machine], "StopType": "SOFT"}),
        ("ResetInstancesPassword", {"InstanceIds": [machine], "Password": "New-pass-11", "ForceStop": True}),
        ("ResetInstance", {"InstanceId": machine, "ImageId": "img-db13q2m9", "Password": "New-pass-12"}),
    ):
        tools(tool, **asked)
        tools.settle(machine, "RUNNING")
        assert tools.machine(machine, "LatestOperation") == [tool]
    assert tools.machine(machine, "ImageId") == ["img-db13q2m9"]

    quick = tools("QuickRunInstance", Zone=ZONE, InstanceType="S5.SMALL1", ImageId=IMAGE, InstanceName="quick")
    (second,) = quick["InstanceIdSet"]
    tools.settle(second, "RUNNING")
    assert tools.machine(second, "InstanceName", "VirtualPrivateCloud")[1]["SubnetId"] == subnet["SubnetId"]
    for state in ("SHUTDOWN", None):
        tools("TerminateInstances", InstanceIds=[machine, second])
        for one in (machine, second):
            wait_for(
                lambda one=one: tools.machine(one, "InstanceState", "LatestOperationState"),  # type: ignore[misc]
                [state, "SUCCESS"] if state else [],
            )


def test_a_security_group_with_its_rules(tools: Tools) -> None:
    def rule(port: str, **more: Any) -> dict[str, Any]:
        return {"Protocol": "TCP", "Port": port, "CidrBlock": "0.0.0.0/0", "Action": "ACCEPT", **more}

    named = {"GroupName": "mcp", "GroupDescription": "by a model"}
    made = tools("CreateSecurityGroupWithPolicies", **named, SecurityGroupPolicySet={"Ingress": [rule("22")]})
    group = {"SecurityGroupId": made["SecurityGroup"]["SecurityGroupId"]}

    def told() -> list[str]:
        return [
            rule["Port"]
            for rule in tools("DescribeSecurityGroupPolicies", **group)["SecurityGroupPolicySet"]["Ingress"]
        ]

    assert told() == ["22"]
    tools("CreateSecurityGroupPolicies", **group, SecurityGroupPolicySet={"Ingress": [rule("80")]})
    assert told() == ["80", "22"]
    changed = {"Ingress": [rule("443", PolicyIndex=0), rule("2222", PolicyIndex=1)]}
    tools("ReplaceSecurityGroupPolicies", **group, SecurityGroupPolicySet=changed)
    assert told() == ["443", "2222"]
    (seen,) = tools("DescribeSecurityGroups", SecurityGroupIds=list(group.values()))["SecurityGroupSet"]
    assert (seen["SecurityGroupName"], seen["SecurityGroupDesc"]) == ("mcp", "by a model")


def test_what_the_shop_does_not_offer_is_said_to_the_model(tools: Tools) -> None:
    for tool, asked, code in (
        ("GetCpuUsageData", {"InstanceIds": ["ins-1a2b3c4d"]}, "InvalidParameterValue"),  # no such machine
        ("GetCpuLoadavgData", {"InstanceIds": ["ins-1a2b3c4d"]}, "InvalidParameterValue"),  # no such metric
        ("CreateDiagnosticReports", {"InstanceIds": ["ins-1a2b3c4d"]}, "InvalidAction"),
        ("RunInstances", {**SMALL, "Zone": "ap-nowhere-1", "VpcId": "DEFAULT", "SubnetId": "DEFAULT"},
         "InvalidParameterValue.ZoneNotSupported"),
    ):  # fmt: skip
        assert f" code:{code} message:" in tools(tool, **asked)
