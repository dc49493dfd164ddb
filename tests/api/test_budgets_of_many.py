"""Given what is done with any number of machines, then it needs as few queries for a hundred as for one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.calling import Client
from tests.api.customer import open_customer
from tests.api.test_cvm_purchase import HOURLY, MONTHLY
from tests.api.test_every_action import BARE, MONTHLY_ADDRESS
from tests.instances.test_key_pairs import ED25519
from tests.support import quotas
from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from tests.support.statements import statements
from vmart.instances.models import Instance
from vmart.placement.models import Allocation, Host
from vmart.provisioning import zones

pytestmark = pytest.mark.usefixtures("shop")

Many = Callable[..., tuple[Client, list[str], list[str]]]
BY_TRAFFIC = {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": True}


@pytest.fixture
def many(delivering: None) -> Many:
    """``many(count)``: a customer with so many running postpaid and so many prepaid machines, and their network."""

    def buy(count: int, network: dict[str, Any] | None = None) -> tuple[Client, list[str], list[str]]:
        client, account_id = open_customer("many", credit_minor=100_000_000)
        quotas.one(account_id, postpaid_per_zone=count, prepaid_per_month=count, returns_per_year=count)
        bought = [
            client.call(
                "RunInstances", {**asked, "InstanceCount": count, "InternetAccessible": network or {}}
            ).response["InstanceIdSet"]
            for asked in (HOURLY, MONTHLY)
        ]
        work()
        return client, *bought

    return buy


# Action -> (members, statements at most).
MANY: dict[str, tuple[dict[str, Any], int]] = {
    "StopInstances": ({"StoppedMode": "STOP_CHARGING"}, 8),
    "RebootInstances": ({}, 6),
    "ResetInstancesPassword": ({"Password": "New-pass-1", "ForceStop": True}, 6),
    "AssociateInstancesKeyPairs": ({"ForceStop": True}, 7),
    "DisassociateInstancesKeyPairs": ({"ForceStop": True}, 6),
    "ModifyInstancesAttribute": ({"HostName": "web-2"}, 6),
    "ModifyInstancesProject": ({"ProjectId": 0}, 4),
    "ResetInstancesInternetMaxBandwidth": ({"InternetAccessible": {"InternetMaxBandwidthOut": 9}}, 6),
    "TerminateInstances": ({}, 19),
    "ModifyInstancesDisasterRecoverGroup": ({}, 5),
}


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("action", MANY)
def test_queries_of_an_action_on_many_machines(many: Many, action: str, count: int) -> None:
    asked, budget = MANY[action]
    client, postpaid, _ = many(count, BY_TRAFFIC if "InternetAccessible" in asked else None)
    if action.endswith("KeyPairs"):
        asked = {**asked, "KeyIds": _pair(client, postpaid if action.startswith("Disassociate") else [])}
    if action.endswith("Group"):
        asked = {"DisasterRecoverGroupId": _group_of(client, postpaid)}
    with statements() as made:
        assert "Error" not in client.call(action, {**asked, "InstanceIds": postpaid}).response
    assert len(made) <= budget, made


def _group_of(client: Client, machines: list[str]) -> str:
    """The id of a new group; each of these machines lies on a host of its own."""
    quotas.everyone(machines_per_group=len(machines))
    sold = Instance.objects.filter(public_id__in=machines)
    for number, zone in sold.values_list("id", "zone_id"):
        host = Host.objects.create(
            zone_id=zone, name=f"of {number}", vcpu_capacity=8, memory_capacity_mib=65_536, disk_capacity_gib=100
        )
        Allocation.objects.filter(instance_id=number).update(host=host)
    return str(
        client.call("CreateDisasterRecoverGroup", {"Name": "g", "Type": "HOST"}).response["DisasterRecoverGroupId"]
    )


def _pair(client: Client, bound_to: list[str]) -> list[str]:
    """The id of a new pair, bound to these machines."""
    key_id = client.call("ImportKeyPair", {"KeyName": "n", "ProjectId": 0, "PublicKey": ED25519}).response["KeyId"]
    if bound_to:
        asked = {"InstanceIds": bound_to, "KeyIds": [key_id], "ForceStop": True}
        assert "Error" not in client.call("AssociateInstancesKeyPairs", asked).response
        work()
    return [key_id]


@pytest.mark.parametrize("count", [1, 100])
def test_queries_of_the_life_and_return_of_many_machines(many: Many, count: int) -> None:
    """Stopped, started, what a return would give back, returned, released."""
    client, _, prepaid = many(count)
    for action, budget in [
        ("StopInstances", 6), ("StartInstances", 5), ("RenewInstances", 19), ("InquiryPriceTerminateInstances", 8),
        ("TerminateInstances", 32),
        ("TerminateInstances", 7),
    ]:  # fmt: skip
        with statements() as made:
            answer = client.call(action, {"InstanceIds": prepaid}).response
        assert "Error" not in answer
        assert len(made) <= budget, made
        work()
    assert client.call("DescribeInstances", {"InstanceIds": prepaid}).response["TotalCount"] == 0


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("bound", [False, True], ids=["idle", "bound"])
def test_queries_of_the_life_of_many_addresses_by_the_month(
    delivering: None, test_clock: BusinessClock, count: int, *, bound: bool
) -> None:
    """Faster, slower, what that would be, renewed and given back: as many statements for ten as for one."""
    client, account_id = open_customer("many", credit_minor=100_000_000)
    quotas.one(account_id, returns_per_year=count, eips_per_region=count, postpaid_per_zone=count)
    machines = client.call("RunInstances", {**BARE, "InstanceCount": count}).response["InstanceIdSet"]
    work()
    eips = client.call("AllocateAddresses", {**MONTHLY_ADDRESS, "AddressCount": count}).response["AddressSet"]
    for eip, machine in zip(eips, machines, strict=True) if bound else ():
        answer = client.call("AssociateAddress", {"AddressId": eip, "InstanceId": machine}).response
        assert "Error" not in answer, answer
    work()
    for action, members, idle_budget, bound_budget in [
        ("InquiryPriceModifyAddressesBandwidth", {"InternetMaxBandwidthOut": 20}, 9, 9),
        ("ModifyAddressesBandwidth", {"InternetMaxBandwidthOut": 20}, 28, 21),
        ("InquiryPriceModifyAddressesBandwidth", {"InternetMaxBandwidthOut": 2}, 12, 12),
        ("ModifyAddressesBandwidth", {"InternetMaxBandwidthOut": 2}, 36, 18),
        ("RenewAddresses", {"AddressChargePrepaid": {"Period": 1}}, 30, 30),
        *([] if bound else [("ReleaseAddresses", {}, 28, 0), ("ReleaseAddresses", {}, 10, 0)]),
    ]:
        test_clock.advance(seconds=1)
        with statements() as made:
            answer = client.call(action, {"AddressIds": eips, **members}).response
        assert "Error" not in answer, answer
        assert len(made) <= (bound_budget if bound else idle_budget), (action, len(made), made)
        work()


@pytest.mark.parametrize("count", [1, 10])
@pytest.mark.parametrize("by", ["TRAFFIC_POSTPAID_BY_HOUR", "BANDWIDTH_POSTPAID_BY_HOUR"])
@pytest.mark.parametrize("bound", [False, True], ids=["idle", "bound"])
def test_queries_of_many_addresses_that_come_into_a_package_and_leave_it(
    delivering: None, count: int, by: str, *, bound: bool
) -> None:
    zones.check("ap-guangzhou-4")
    client, account_id = open_customer("many", credit_minor=100_000_000)
    quotas.one(account_id, addresses_per_region=count, postpaid_per_zone=count)
    machines = client.call("RunInstances", {**BARE, "InstanceCount": count}).response["InstanceIdSet"]
    work()
    package = client.call(
        "CreateBandwidthPackage", {"ChargeType": "BANDWIDTH_POSTPAID_BY_DAY", "InternetMaxBandwidth": 10}
    ).response["BandwidthPackageId"]
    asked = {"AddressCount": count, "InternetChargeType": by, "InternetMaxBandwidthOut": 5}
    eips = client.call("AllocateAddresses", asked).response["AddressSet"]
    for eip, machine in zip(eips, machines, strict=True) if bound else ():
        assert "Error" not in client.call("AssociateAddress", {"AddressId": eip, "InstanceId": machine}).response
    work()
    for action, idle_budget, bound_budget in [
        ("AddBandwidthPackageResources", 14, 15),
        ("RemoveBandwidthPackageResources", 11, 18 if by.startswith("BANDWIDTH") else 12),
    ]:  # fmt: skip
        with statements() as made:
            answer = client.call(action, {"BandwidthPackageId": package, "ResourceIds": eips}).response
        assert "Error" not in answer, answer
        assert len(made) <= (bound_budget if bound else idle_budget), (action, len(made), made)
        work()
