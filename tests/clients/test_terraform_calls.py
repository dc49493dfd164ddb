"""Given the calls of terraform-provider-tencentcloud, in its order and with its parameters, then each is answered.

The SDK replays what the provider does for ``tencentcloud_instance`` and ``tencentcloud_key_pair``. ``needed`` stands
for the members that the provider reads without looking whether they are there: a null would end it.
"""

import base64
import json
import secrets
import uuid
from collections.abc import Callable
from functools import partial
from importlib import import_module
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from tests.clients.conftest import Access, wait_for

REGION, ZONE, IMAGE = "ap-guangzhou", "ap-guangzhou-4", "img-db12k7x4"
VERSIONS = {
    "cvm": "v20170312", "cbs": "v20170312", "vpc": "v20170312", "tag": "v20180813", "sts": "v20180813",
    "api": "v20201106",
}  # fmt: skip
AGENTS = {f"{name}Service": {"Enabled": True} for name in ("Security", "Monitor", "Automation")}
POSTPAID = {
    "ImageId": IMAGE,
    "Placement": {"Zone": ZONE, "ProjectId": 0},
    "InstanceName": "tf",
    "InstanceChargeType": "POSTPAID_BY_HOUR",
    "InternetAccessible": {"PublicIpAssigned": False},
    "SystemDisk": {"DiskType": "CLOUD_PREMIUM", "DiskSize": 50},
    "EnhancedService": AGENTS,
    "UserData": base64.b64encode(b"#!/bin/sh\n").decode(),
    "DisableApiTermination": False,
}
PREPAID = {
    **POSTPAID,
    "InstanceType": "S5.SMALL1",
    "InstanceChargeType": "PREPAID",
    "InstanceChargePrepaid": {"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
}
DISK = {"DiskType": "CLOUD_SSD", "ThroughputPerformance": 0, "DeleteWithInstance": False, "Encrypt": False}
DISKS = [{**DISK, "DiskSize": 20}, {**DISK, "DiskSize": 40}]
OF_MACHINE = (
    "Placement.Zone", "InternetAccessible.InternetChargeType", "InternetAccessible.InternetMaxBandwidthOut",
    "VirtualPrivateCloud.VpcId", "VirtualPrivateCloud.SubnetId", "SystemDisk.DiskType", "SystemDisk.DiskSize",
    "SystemDisk.DiskId", "SystemDisk.Encrypt", "InstanceChargeType", "InstanceState", "LoginSettings",
)  # fmt: skip
OF_DISK = (
    "DiskState", "DiskId", "DiskName", "DiskSize", "DiskType", "Encrypt", "ThroughputPerformance", "DeleteWithInstance",
)  # fmt: skip
NO_FAMILY = {"ImageFamily": ""}  # said with each change of an image
OF_DATA_DISK = ("DiskId", "DiskType", "DiskSize", "Encrypt", "DeleteWithInstance", "ThroughputPerformance")
Members = dict[str, Any]


class Provider:
    """``provider("cvm", "RunInstances", {...})``: one call by the SDK of that service, in English as it asks."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def __call__(self, service: str, action: str, members: Members | None = None) -> Members:
        package = f"tencentcloud.{service}.{VERSIONS[service]}"
        models = import_module(f"{package}.models")
        client = getattr(import_module(f"{package}.{service}_client"), f"{service.capitalize()}Client")
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=self._access.endpoint))
        profile.language = "en-US"
        request = getattr(models, f"{action}Request")()
        request.from_json_string(json.dumps(members or {}))
        answer = getattr(client(Credential(*self._access.secret), REGION, profile), action)(request)
        told: Members = json.loads(answer.to_json_string())
        return told

    def machine(self, public_id: str) -> Members | None:
        """What every step looks at first; None once it is erased."""
        found = self("cvm", "DescribeInstances", {"InstanceIds": [public_id]})["InstanceSet"]
        return found[0] if found else None

    def tags(self, kind: str, public_id: str) -> list[Members]:
        asked = {
            "ServiceType": "cvm", "ResourcePrefix": kind, "ResourceRegion": REGION, "ResourceIds": [public_id],
            "Limit": 20, "Offset": 0,
        }  # fmt: skip
        tags: list[Members] = self("tag", "DescribeResourceTagsByResourceIds", asked)["Tags"]
        return tags

    def tag(self, kind: str, public_id: str, tags: Members, *gone: str) -> None:
        """``M``: some in the place of others, some away; whichever there are none of is not sent."""
        changes = {
            "ReplaceTags": [{"TagKey": key, "TagValue": value} for key, value in tags.items()],
            "DeleteTags": [{"TagKey": key} for key in gone],
        }
        asked = {name: each for name, each in changes.items() if each}
        self("tag", "ModifyResourceTags", {"Resource": f"qcs::cvm:{REGION}:uin/:{kind}/{public_id}", **asked})

    def create(self, asked: Members) -> str:
        token = base64.b64encode(secrets.token_bytes(16)).decode()
        public_id: str = self("cvm", "RunInstances", {**asked, "ClientToken": token})["InstanceIdSet"][0]
        wait_for(lambda: needed(self.machine(public_id), "InstanceState"), ["RUNNING"])
        return public_id

    def settle(self, public_id: str) -> None:
        """What it waits for behind each change of a machine."""
        wait_for(lambda: needed(self.machine(public_id), "LatestOperationState"), ["SUCCESS"])

    def read(self, public_id: str) -> tuple[Members, list[Members], str]:
        """All of a refresh: the machine, its data disks as cbs tells them, its user data."""
        machine = self.machine(public_id)
        needed(machine, *OF_MACHINE)
        assert machine is not None
        images = self("cvm", "DescribeImages")
        assert needed(images, "TotalCount") == [len(images["ImageSet"])]
        assert IMAGE in {needed(image, "ImageId", "CreatedTime")[0] for image in images["ImageSet"]}
        assert self.tags("instance", public_id) == []
        (system,) = self.disks([machine["SystemDisk"]["DiskId"]])
        assert (system["DiskState"], system["DiskId"]) == ("ATTACHED", machine["SystemDisk"]["DiskId"])
        for disk in machine["DataDisks"]:
            needed(disk, *OF_DATA_DISK)
        data = self.disks([disk["DiskId"] for disk in machine["DataDisks"]]) if machine["DataDisks"] else []
        asked = {"InstanceIds": [public_id], "Attributes": ["UserData"]}
        attributes = self("cvm", "DescribeInstancesAttributes", asked)["InstanceSet"][0]["Attributes"]
        return machine, data, attributes["UserData"]

    def disks(self, disk_ids: list[str]) -> list[Members]:
        found: list[Members] = self("cbs", "DescribeDisks", {"DiskIds": disk_ids, "Limit": 100})["DiskSet"]
        for disk in found:
            needed(disk, *OF_DISK)
        return found

    def delete(self, public_id: str) -> Members:
        """Into the recycle bin; the machine as it was before."""
        machine = self.machine(public_id)
        assert machine is not None
        self("cvm", "TerminateInstances", {"InstanceIds": [public_id]})
        wait_for(
            lambda: needed(self.machine(public_id), "InstanceState", "LatestOperationState"), ["SHUTDOWN", "SUCCESS"]
        )
        return machine

    def force_delete(self, public_id: str) -> None:
        """Out of it, until its address is free again."""
        machine = self.delete(public_id)
        self("cvm", "TerminateInstances", {"InstanceIds": [public_id]})
        wait_for(lambda: self.machine(public_id), None)
        network = machine["VirtualPrivateCloud"]
        asked = {
            "VpcId": network["VpcId"], "SubnetId": network["SubnetId"], "IpAddresses": machine["PrivateIpAddresses"],
            "Offset": 0, "Limit": 20,
        }  # fmt: skip
        wait_for(lambda: self("vpc", "DescribeUsedIpAddress", asked)["IpAddressStates"], [])


def needed(structure: Members | None, *paths: str) -> list[Any]:
    """The members at these paths; AssertionError, naming the path, for one that is null or not there."""
    values = []
    for path in paths:
        value: Any = structure
        for step in path.split("."):
            assert value is not None and value.get(step) is not None, path
            value = value[step]
        values.append(value)
    return values


@pytest.fixture
def provider(access: Access) -> Provider:
    return Provider(access)


def _code(act: Callable[[], object]) -> str:
    with pytest.raises(TencentCloudSDKException) as refused:
        act()
    return str(refused.value.get_code())


def test_where_and_who_the_provider_is(provider: Provider) -> None:
    identity = provider("sts", "GetCallerIdentity")
    account_id, user_id, arn = needed(identity, "AccountId", "UserId", "Arn")
    assert arn == f"qcs::cam:{account_id}:uin/{user_id}"
    zones = provider("api", "DescribeZones", {"Product": "cvm"})["ZoneSet"]
    assert ZONE in [needed(zone, "Zone", "ZoneState", "ZoneId", "ZoneName")[0] for zone in zones]


def test_a_key_pair(provider: Provider) -> None:
    name = f"tf_{uuid.uuid4().hex[:12]}"
    made = provider("cvm", "CreateKeyPair", {"KeyName": name, "ProjectId": 0})["KeyPair"]
    (key_id, _private) = needed(made, "KeyId", "PrivateKey")
    (pair,) = provider("cvm", "DescribeKeyPairs", {"KeyIds": [key_id]})["KeyPairSet"]
    assert needed(pair, "KeyName", "ProjectId", "PublicKey", "CreatedTime")[:3] == [name, 0, made["PublicKey"]]
    assert provider.tags("keypair", key_id) == []
    provider.tag("keypair", key_id, {"team": "a", "env": "b"})
    provider.tag("keypair", key_id, {"team": "c"}, "env")
    (tag,) = provider.tags("keypair", key_id)
    assert needed(tag, "ResourceId", "TagKey", "TagValue") == [key_id, "team", "c"]
    assert pair["AssociatedInstanceIds"] == []
    provider("cvm", "DeleteKeyPairs", {"KeyIds": [key_id]})
    assert provider("cvm", "DescribeKeyPairs", {"KeyIds": [key_id]})["KeyPairSet"] == []


def test_a_machine_with_tags_is_bought_changed_and_found(provider: Provider) -> None:
    """As ``apply`` with tags, then with others: the machine's first, then those of each of its disks."""
    team = [{"Key": "team", "Value": "a"}]
    kinds = [{"ResourceType": kind, "Tags": team} for kind in ("instance", "volume")]
    public_id = provider.create({**POSTPAID, "TagSpecification": kinds})
    assert [(tag["TagKey"], tag["TagValue"]) for tag in provider.tags("instance", public_id)] == [("team", "a")]
    machine = provider.machine(public_id)
    assert machine is not None
    disk = machine["SystemDisk"]["DiskId"]
    for kind, thing in (("instance", public_id), ("volume", disk)):
        provider.tag(kind, thing, {"owner": "b"}, "team")
        assert [(tag["TagKey"], tag["TagValue"]) for tag in provider.tags(kind, thing)] == [("owner", "b")]
    found = provider("cvm", "DescribeInstances", {"Filters": [{"Name": "tag:owner", "Values": ["b"]}]})
    assert [(each["InstanceId"], each["Tags"]) for each in found["InstanceSet"]] == [
        (public_id, [{"Key": "owner", "Value": "b"}])
    ]
    provider.force_delete(public_id)
    assert provider.tags("instance", public_id) == []


def test_a_postpaid_machine_from_apply_to_forced_destroy(provider: Provider) -> None:
    """Without a type, with a key: read twice alike, renamed, protected, freed, given another key and none, erased."""
    name = f"tf_{uuid.uuid4().hex[:12]}"
    key_id = provider("cvm", "CreateKeyPair", {"KeyName": name, "ProjectId": 0})["KeyPair"]["KeyId"]
    public_id = provider.create({**POSTPAID, "LoginSettings": {"KeyIds": [key_id]}})
    machine, data, user_data = provider.read(public_id)
    assert (machine["LoginSettings"]["KeyIds"], machine["InstanceName"], data) == ([key_id], "tf", [])
    assert (user_data, machine["DisableApiTermination"]) == (POSTPAID["UserData"], False)
    assert provider.read(public_id) == (machine, data, user_data)

    asked = {"InstanceIds": [public_id]}
    provider("cvm", "ModifyInstancesAttribute", {**asked, "InstanceName": "renamed"})
    provider("cvm", "ModifyInstancesAttribute", {**asked, "DisableApiTermination": True})
    assert provider.read(public_id)[0] == {**machine, "InstanceName": "renamed", "DisableApiTermination": True}
    assert _code(lambda: provider.delete(public_id)) == "UnsupportedOperation.InstancesProtected"
    provider("cvm", "ModifyInstancesAttribute", {**asked, "DisableApiTermination": False})
    other = _another_key(provider, public_id, key_id)
    assert provider.read(public_id)[0]["LoginSettings"]["KeyIds"] == [other]
    _destroy_key(provider, other)
    assert not provider.read(public_id)[0]["LoginSettings"]["KeyIds"]

    provider.force_delete(public_id)
    (disk,) = provider.disks([machine["SystemDisk"]["DiskId"]])
    assert (disk["DiskState"], disk["Attached"]) == ("UNATTACHED", False)
    (pair,) = provider("cvm", "DescribeKeyPairs", {"KeyIds": [key_id]})["KeyPairSet"]
    assert pair["AssociatedInstanceIds"] == []
    provider("cvm", "DeleteKeyPairs", {"KeyIds": [key_id]})


def test_another_system_of_a_machine_as_an_update_of_its_image_asks_for_it(provider: Provider) -> None:
    public_id = provider.create(POSTPAID)
    before, _, user_data = provider.read(public_id)
    asked = {
        "InstanceId": public_id, "ImageId": IMAGE, "LoginSettings": {"Password": "Correct-horse-7"},
        "EnhancedService": {"SecurityService": {"Enabled": False}, "MonitorService": {"Enabled": False}},
    }  # fmt: skip
    price = provider("cvm", "InquiryPriceResetInstance", asked)["Price"]["InstancePrice"]
    assert needed(price, "OriginalPrice", "DiscountPrice") == [0, 0]
    provider("cvm", "ResetInstance", asked)
    wait_for(
        lambda: needed(provider.machine(public_id), "InstanceState", "LatestOperation", "LatestOperationState"),
        ["RUNNING", "ResetInstance", "SUCCESS"],
    )
    changed = {"LatestOperation", "LatestOperationRequestId", "LoginSettings"}
    after, _, kept = provider.read(public_id)
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert kept == user_data
    provider.force_delete(public_id)


def test_a_machine_is_moved_to_another_subnet(provider: Provider) -> None:
    """As the provider sends a change of subnet: with the private address where the configuration names one."""
    public_id = provider.create(POSTPAID)
    vpc = provider("vpc", "CreateVpc", {"VpcName": "own", "CidrBlock": "10.7.0.0/16", "EnableMulticast": "false"})
    asked = {"VpcId": vpc["Vpc"]["VpcId"], "SubnetName": "own", "Zone": ZONE, "CidrBlock": "10.7.1.0/24"}
    subnet = provider("vpc", "CreateSubnet", asked)["Subnet"]["SubnetId"]
    network = {"VpcId": vpc["Vpc"]["VpcId"], "SubnetId": subnet}
    there = {"VirtualPrivateCloud": {**network, "PrivateIpAddresses": ["10.7.1.9"]}}
    provider("cvm", "ModifyInstancesVpcAttribute", {"InstanceIds": [public_id], **there})
    provider.settle(public_id)
    machine, _, _ = provider.read(public_id)
    told = machine["VirtualPrivateCloud"]
    assert (told["VpcId"], told["SubnetId"], machine["PrivateIpAddresses"]) == (*network.values(), ["10.7.1.9"])
    provider.force_delete(public_id)


def test_a_machine_is_changed_in_place(provider: Provider) -> None:
    """Updates as the provider sends them, with what it knows already: the way of charging, the disk's type."""
    network = {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": True}
    public_id = provider.create({**POSTPAID, "InstanceType": "S5.SMALL1", "InternetAccessible": network})
    for action, asked in [
        (
            "ResetInstancesInternetMaxBandwidth",
            {"InternetAccessible": {"InternetChargeType": network["InternetChargeType"], "InternetMaxBandwidthOut": 9}},
        ),
        ("ResetInstancesType", {"InstanceType": "S5.MEDIUM4", "ForceStop": True}),
        ("ResetInstancesPassword", {"Password": "New-pass-1", "ForceStop": True}),
    ]:
        provider("cvm", action, {"InstanceIds": [public_id], **asked})
        provider.settle(public_id)
    disk = {"DiskSize": 60, "DiskType": "CLOUD_PREMIUM"}
    provider("cvm", "ResizeInstanceDisks", {"InstanceId": public_id, "SystemDisk": disk, "ForceStop": True})
    provider.settle(public_id)
    system = provider.machine(public_id)
    provider("cbs", "ModifyDiskAttributes", {"DiskIds": needed(system, "SystemDisk.DiskId"), "DiskName": "root"})
    machine, _, _ = provider.read(public_id)
    assert [one["DiskName"] for one in provider.disks([machine["SystemDisk"]["DiskId"]])] == ["root"]
    assert (machine["InternetAccessible"]["InternetMaxBandwidthOut"], machine["InstanceType"]) == (9, "S5.MEDIUM4")
    assert {name: machine["SystemDisk"][name] for name in disk} == disk
    provider.force_delete(public_id)


def test_a_disk_of_its_own_with_its_attachment(provider: Provider) -> None:
    """``cbs_storage`` and ``cbs_storage_attachment``: made, attached, renamed, grown, detached, ended, erased."""
    public_id = provider.create(POSTPAID)
    asked = {"DiskType": "CLOUD_SSD", "DiskSize": 20, "DiskName": "tf", "DiskChargeType": "POSTPAID_BY_HOUR"}
    made = provider("cbs", "CreateDisks", {**asked, "Placement": {"Zone": ZONE}})
    (disk,) = made["DiskIdSet"]

    def told(*members: str) -> list[Any]:
        found = provider.disks([disk])
        return needed(found[0], *members) if found else []

    wait_for(lambda: told("DiskState"), ["UNATTACHED"])
    assert told("Placement.Zone", "Placement.ProjectId", *asked, "Attached", "Encrypt", "ThroughputPerformance") == [
        ZONE, 0, *asked.values(), False, False, 0,
    ]  # fmt: skip
    assert provider.tags("volume", disk) == []
    provider("cbs", "AttachDisks", {"DiskIds": [disk], "InstanceId": public_id})
    wait_for(lambda: told("DiskState", "Attached", "InstanceId"), ["ATTACHED", True, public_id])
    provider("cbs", "ModifyDiskAttributes", {"DiskIds": [disk], "DiskName": "renamed"})
    provider("cbs", "ModifyDiskAttributes", {"DiskIds": [disk], "ProjectId": 0, "DiskName": "renamed"})
    provider("cbs", "ResizeDisk", {"DiskId": disk, "DiskSize": 30})
    wait_for(lambda: told("DiskState", "DiskSize", "DiskName"), ["ATTACHED", 30, "renamed"])
    provider("cbs", "DetachDisks", {"DiskIds": [disk], "InstanceId": public_id})
    wait_for(lambda: told("Attached"), [False])
    provider("cbs", "TerminateDisks", {"DiskIds": [disk]})
    wait_for(lambda: told("DiskState"), ["TORECYCLE"])
    provider("cbs", "TerminateDisks", {"DiskIds": [disk]})
    wait_for(lambda: told("DiskState"), [])
    provider.force_delete(public_id)


def test_an_image_of_a_machine(provider: Provider) -> None:
    """``image``: made, waited for until it is NORMAL with a snapshot, tagged, renamed, listed as data, deleted."""
    public_id = provider.create(POSTPAID)
    asked = {"ImageName": "tf", "ImageDescription": "with nginx", "ForcePoweroff": "TRUE", "InstanceId": public_id}
    image = provider("cvm", "CreateImage", asked)["ImageId"]

    def told(*names: str) -> list[Any]:
        found = provider("cvm", "DescribeImages", {"ImageIds": [image]})["ImageSet"]
        return [one[name] for one in found for name in names]

    wait_for(lambda: told("ImageState"), ["NORMAL"])
    (snapshots,) = told("SnapshotSet")
    (snapshot,) = provider("cbs", "DescribeSnapshots", {"SnapshotIds": [snapshots[0]["SnapshotId"]]})["SnapshotSet"]
    assert (snapshot["SnapshotState"], snapshot["DiskUsage"]) == ("NORMAL", "SYSTEM_DISK")
    assert told("ImageName", "ImageDescription") == ["tf", "with nginx"]
    provider.tag("image", image, {"team": "a"})
    assert provider.tags("image", image)[0]["TagValue"] == "a"
    provider(
        "cvm", "ModifyImageAttribute", {"ImageId": image, "ImageName": "renamed", "ImageDescription": "", **NO_FAMILY}
    )
    assert told("ImageName", "ImageDescription") == ["renamed", ""]
    listed = {"Filters": [{"Name": "image-type", "Values": ["PRIVATE_IMAGE"]}], "Offset": 0, "Limit": 100}
    assert [one["ImageId"] for one in provider("cvm", "DescribeImages", listed)["ImageSet"]] == [image]
    made = provider.create({**POSTPAID, "ImageId": image})
    machine = provider.machine(made)
    assert machine is not None and machine["ImageId"] == image
    provider("cvm", "DeleteImages", {"ImageIds": [image]})
    wait_for(lambda: told("ImageState"), [])
    provider("cbs", "DeleteSnapshots", {"SnapshotIds": [snapshots[0]["SnapshotId"]]})
    provider.force_delete(made)
    provider.force_delete(public_id)


def test_a_snapshot_and_a_disk_of_it(provider: Provider) -> None:
    """``cbs_snapshot``, and ``cbs_storage`` with ``snapshot_id``: made, tagged, renamed, given back, deleted."""
    public_id = provider.create(POSTPAID)
    asked = {"DiskType": "CLOUD_SSD", "DiskSize": 20, "DiskName": "tf", "DiskChargeType": "POSTPAID_BY_HOUR"}
    placed = {**asked, "Placement": {"Zone": ZONE}}
    (disk,) = provider("cbs", "CreateDisks", placed)["DiskIdSet"]
    wait_for(lambda: [one["DiskState"] for one in provider.disks([disk])], ["UNATTACHED"])
    snapshot = provider("cbs", "CreateSnapshot", {"DiskId": disk, "SnapshotName": "before"})["SnapshotId"]

    def told(*names: str) -> list[Any]:
        found = provider("cbs", "DescribeSnapshots", {"SnapshotIds": [snapshot]})["SnapshotSet"]
        return [one[name] for one in found for name in names]

    wait_for(lambda: told("SnapshotState"), ["NORMAL"])
    provider.tag("snapshot", snapshot, {"team": "a"})
    assert provider.tags("snapshot", snapshot)[0]["TagValue"] == "a"
    of_disk = ("DiskId", "SnapshotName", "DiskUsage", "DiskSize", "Percent")
    assert told(*of_disk) == [disk, "before", "DATA_DISK", 20, 100]
    assert [type(text) for text in told("CreateTime")] == [str]
    provider("cbs", "ModifySnapshotAttribute", {"SnapshotId": snapshot, "SnapshotName": "renamed"})
    assert told("SnapshotName") == ["renamed"]
    (new,) = provider("cbs", "CreateDisks", {**placed, "DiskSize": 30, "SnapshotId": snapshot})["DiskIdSet"]
    wait_for(lambda: [one["DiskState"] for one in provider.disks([new])], ["UNATTACHED"])
    provider("cbs", "ApplySnapshot", {"DiskId": disk, "SnapshotId": snapshot})
    wait_for(lambda: [one["Rollbacking"] for one in provider.disks([disk])], [False])
    wait_for(lambda: told("SnapshotState"), ["NORMAL"])
    provider("cbs", "DeleteSnapshots", {"SnapshotIds": [snapshot]})
    assert told("SnapshotState") == []
    for one in (disk, new):
        for state in (["TORECYCLE"], []):
            provider("cbs", "TerminateDisks", {"DiskIds": [one]})
            wait_for(lambda one=one: [found["DiskState"] for found in provider.disks([one])], state)  # type: ignore[misc]
    provider.force_delete(public_id)


def test_data_disks_that_went_with_their_machine_are_ended_twice(provider: Provider) -> None:
    """``force_delete`` of a postpaid machine: each data disk is looked at without a check, ended, and ended again."""
    public_id = provider.create({**POSTPAID, "DataDisks": [{**DISK, "DiskSize": 20, "DeleteWithInstance": True}]})
    machine = provider.machine(public_id)
    assert machine is not None
    (disk,) = (one["DiskId"] for one in machine["DataDisks"])
    provider.force_delete(public_id)
    for _ in range(2):
        assert [one["DiskState"] for one in provider.disks([disk])] == ["UNATTACHED"]
        provider("cbs", "TerminateDisks", {"DiskIds": [disk]})
    assert provider.disks([disk]) == []
    with pytest.raises(TencentCloudSDKException) as refusal:
        provider("cbs", "TerminateDisks", {"DiskIds": [disk]})
    assert refusal.value.get_code() == "InvalidDiskId.NotFound"


def _another_key(provider: Provider, public_id: str, key_id: str) -> str:
    """An update of ``key_ids``: the one of before is unbound, another is bound, each waited for."""
    name = f"tf_{uuid.uuid4().hex[:12]}"
    other: str = provider("cvm", "CreateKeyPair", {"KeyName": name, "ProjectId": 0})["KeyPair"]["KeyId"]
    for action, named in (("DisassociateInstancesKeyPairs", key_id), ("AssociateInstancesKeyPairs", other)):
        provider("cvm", action, {"KeyIds": [named], "InstanceIds": [public_id], "ForceStop": True})
        provider.settle(public_id)
    return other


def _destroy_key(provider: Provider, key_id: str) -> None:
    """A key pair that machines have is unbound from them first, and its deletion tried again while they have it."""
    (pair,) = provider("cvm", "DescribeKeyPairs", {"KeyIds": [key_id]})["KeyPairSet"]
    assert len(pair["AssociatedInstanceIds"]) == 1
    machines = {"KeyIds": [key_id], "InstanceIds": pair["AssociatedInstanceIds"], "ForceStop": True}
    assert _code(lambda: provider("cvm", "DeleteKeyPairs", {"KeyIds": [key_id]})) == (
        "InvalidParameterValue.KeyPairNotSupported"
    )
    provider("cvm", "DisassociateInstancesKeyPairs", machines)
    wait_for(
        lambda: provider("cvm", "DescribeKeyPairs", {"KeyIds": [key_id]})["KeyPairSet"][0]["AssociatedInstanceIds"], []
    )
    provider("cvm", "DeleteKeyPairs", {"KeyIds": [key_id]})


def _filtered(name: str, value: str) -> Members:
    """Limit and Offset are text, as the provider sends them."""
    return {"Filters": [{"Name": name, "Values": [value]}], "Limit": "100", "Offset": "0"}


def test_a_vpc_with_a_subnet_and_a_machine_in_it(provider: Provider) -> None:
    """As tencentcloud_vpc, tencentcloud_subnet and tencentcloud_instance make, read, change and delete them."""
    asked = {
        "VpcName": "tf", "CidrBlock": "10.0.0.0/16", "EnableMulticast": "true", "EnableRouteVpcPublish": False,
    }  # fmt: skip
    vpc_id = needed(provider("vpc", "CreateVpc", asked)["Vpc"], "VpcId", "IsDefault")[0]
    answer = provider("vpc", "DescribeVpcs", _filtered("vpc-id", vpc_id))
    (vpc,) = answer["VpcSet"]
    assert needed(answer, "TotalCount") == [1]
    needed(vpc, "CidrBlock", "CreatedTime", "IsDefault", "EnableMulticast", "DnsServerSet", "VpcName")
    assert (vpc["VpcName"], vpc["CidrBlock"], vpc["EnableMulticast"]) == ("tf", "10.0.0.0/16", True)
    main = _filtered("vpc-id", vpc_id)
    main["Filters"].append({"Name": "association.main", "Values": ["true"]})
    (table,) = provider("vpc", "DescribeRouteTables", main)["RouteTableSet"]
    needed(table, "CreatedTime", "Main", "RouteTableName", "RouteTableId", "VpcId", "AssociationSet", "RouteSet")

    asked = {"VpcId": vpc_id, "SubnetName": "tf", "CidrBlock": "10.0.1.0/24", "Zone": ZONE}
    subnet_id = needed(provider("vpc", "CreateSubnet", asked)["Subnet"], "SubnetId")[0]
    change = {"SubnetId": subnet_id, "SubnetName": "tf", "EnableBroadcast": "true"}
    provider("vpc", "ModifySubnetAttribute", change)
    follow = {"SubnetId": subnet_id, "RouteTableId": table["RouteTableId"]}
    provider("vpc", "ReplaceRouteTableAssociation", follow)
    (subnet,) = provider("vpc", "DescribeSubnets", _filtered("subnet-id", subnet_id))["SubnetSet"]
    needed(subnet, "CidrBlock", "CreatedTime", "VpcId", "CdcId", "SubnetName", "IsDefault", "Zone")
    assert (subnet["RouteTableId"], subnet["EnableBroadcast"]) == (table["RouteTableId"], True)
    assert (subnet["IsDefault"], subnet["AvailableIpAddressCount"]) == (False, 253)

    network = {"VpcId": vpc_id, "SubnetId": subnet_id, "PrivateIpAddresses": ["10.0.1.77"]}
    login = {"Password": "Str0ng-pass"}
    machine_id = provider.create({**POSTPAID, "VirtualPrivateCloud": network, "LoginSettings": login})
    machine = provider.machine(machine_id)
    assert machine is not None
    told = machine["VirtualPrivateCloud"]
    assert {name: told[name] for name in network} == network
    assert _code(lambda: provider("vpc", "DeleteSubnet", {"SubnetId": subnet_id})) == "ResourceInUse"
    assert _code(lambda: provider("vpc", "DeleteVpc", {"VpcId": vpc_id})) == "ResourceInUse"
    provider.force_delete(machine_id)
    provider("vpc", "ModifyVpcAttribute", {"VpcId": vpc_id, "VpcName": "other", "EnableMulticast": "false"})
    for action, asked in (("DeleteSubnet", {"SubnetId": subnet_id}), ("DeleteVpc", {"VpcId": vpc_id})):
        provider("vpc", action, asked)
        assert _code(partial(provider, "vpc", action, asked)) == "ResourceNotFound"


def test_a_prepaid_machine_with_data_disks_in_its_own_network(provider: Provider) -> None:
    """Given the ids that vpc tells, then what is read is what was asked for, so that a plan stays empty."""
    provider.force_delete(provider.create({**POSTPAID, "LoginSettings": {"Password": "Str0ng-pass"}}))
    everything = {"Filters": [], "Limit": "100", "Offset": "0"}
    (vpc,) = [one for one in provider("vpc", "DescribeVpcs", everything)["VpcSet"] if one["IsDefault"]]
    needed(
        vpc, "VpcId", "VpcName", "CidrBlock", "CreatedTime", "IsDefault", "EnableMulticast", "DnsServerSet", "TagSet"
    )
    there = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}, {"Name": "zone", "Values": [ZONE]}]
    (subnet,) = provider("vpc", "DescribeSubnets", {**everything, "Filters": there})["SubnetSet"]
    needed(
        subnet, "CidrBlock", "CreatedTime", "VpcId", "SubnetId", "RouteTableId", "CdcId", "SubnetName", "IsDefault",
        "EnableBroadcast", "Zone", "AvailableIpAddressCount",
    )  # fmt: skip
    groups = provider("vpc", "DescribeSecurityGroups", everything)["SecurityGroupSet"]
    (group,) = [one for one in groups if one["IsDefault"]]
    assert needed(group, "SecurityGroupName", "SecurityGroupDesc", "ProjectId")[2] == "0"

    network = {"VpcId": vpc["VpcId"], "SubnetId": subnet["SubnetId"]}
    login = {"Password": "Str0ng-pass", "KeepImageLogin": "FALSE"}
    asked = {**PREPAID, "VirtualPrivateCloud": network, "DataDisks": DISKS, "LoginSettings": login}
    public_id = provider.create(asked)
    machine, data, _ = provider.read(public_id)
    assert {name: machine["VirtualPrivateCloud"][name] for name in network} == network
    assert (machine["RenewFlag"], machine["SecurityGroupIds"]) == ("NOTIFY_AND_AUTO_RENEW", [group["SecurityGroupId"]])
    for told in (machine["DataDisks"], sorted(data, key=lambda disk: disk["DiskSize"])):
        assert [{name: disk[name] for name in DISKS[0]} for disk in told] == DISKS
    assert {disk["DiskName"] for disk in data} == {""}

    provider.delete(public_id)
    states = {disk["DiskState"] for disk in provider.disks([disk["DiskId"] for disk in data])}
    assert states == {"TORECYCLE"}
    provider("cvm", "TerminateInstances", {"InstanceIds": [public_id]})
    wait_for(lambda: provider.machine(public_id), None)


def test_a_machine_with_an_ipv6_address(provider: Provider) -> None:
    """``ipv6_address_count``: bought with the machine, told with it at each refresh, so that a plan stays empty."""
    vpc = provider("vpc", "CreateVpc", {"VpcName": "own", "CidrBlock": "10.8.0.0/16", "EnableMulticast": "true"})
    asked = {"VpcId": vpc["Vpc"]["VpcId"], "SubnetName": "own", "Zone": ZONE, "CidrBlock": "10.8.1.0/24"}
    network = {"VpcId": vpc["Vpc"]["VpcId"], "SubnetId": provider("vpc", "CreateSubnet", asked)["Subnet"]["SubnetId"]}
    public = {"InternetChargeType": "TRAFFIC_POSTPAID_BY_HOUR", "InternetMaxBandwidthOut": 5, "PublicIpAssigned": True}
    wanted = {"InternetAccessible": public, "VirtualPrivateCloud": {**network, "Ipv6AddressCount": 1}}
    public_id = provider.create({**POSTPAID, "InstanceType": "S5.SMALL1", **wanted})
    machine, _, _ = provider.read(public_id)
    (address,) = machine["IPv6Addresses"]
    assert ip_address(address) in ip_network("2001:db8:4::/64")
    assert machine["VirtualPrivateCloud"]["Ipv6AddressCount"] == 1
    assert provider.read(public_id)[0] == machine
    provider.force_delete(public_id)


def test_an_address_by_the_month(provider: Provider) -> None:
    """``eip`` of ``BANDWIDTH_PREPAID_BY_MONTH``: renewed by another period, given back twice, then looked for twice."""
    term = {"Period": 1, "AutoRenewFlag": 0}
    made = provider("vpc", "AllocateAddresses", {
        "AddressType": "EIP", "InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH", "InternetMaxBandwidthOut": 5,
        "AddressChargePrepaid": term, "AddressName": "tf", "Tags": [{"Key": "team", "Value": "a"}],
    })  # fmt: skip
    (address,) = made["AddressSet"]

    def told(*names: str) -> list[Any]:
        found = provider("vpc", "DescribeAddresses", {"AddressIds": [address]})["AddressSet"]
        return [one[name] for one in found for name in names]

    def done(task: str | None) -> None:
        if task:
            wait_for(lambda: provider("vpc", "DescribeTaskResult", {"TaskId": int(task)})["Result"], "SUCCESS")

    done(made["TaskId"])
    assert told("AddressName", "AddressType", "AddressStatus", "InternetChargeType", "Bandwidth", "RenewFlag") == [
        "tf", "EIP", "UNBIND", "BANDWIDTH_PREPAID_BY_MONTH", 5, "NOTIFY_AND_MANUAL_RENEW",
    ]  # fmt: skip
    tags = {
        "ServiceType": "vpc", "ResourcePrefix": "eip", "ResourceRegion": REGION, "ResourceIds": [address], "Limit": 20,
        "Offset": 0,
    }  # fmt: skip
    (tag,) = provider("tag", "DescribeResourceTagsByResourceIds", tags)["Tags"]
    assert needed(tag, "ResourceId", "TagKey", "TagValue") == [address, "team", "a"]
    packages = {"Filters": [{"Name": "resource.resource-id", "Values": [address]}]}
    assert provider("vpc", "DescribeBandwidthPackages", packages)["BandwidthPackageSet"] == []
    provider("vpc", "ModifyAddressAttribute", {"AddressId": address, "AddressName": "renamed"})
    done(provider("vpc", "ModifyAddressesBandwidth", {"AddressIds": [address], "InternetMaxBandwidthOut": 9})["TaskId"])

    def month() -> int:
        (ends,) = told("DeadlineDate")
        return int(ends[:4]) * 12 + int(ends[5:7])

    before = month()
    renewed = {"AddressIds": [address], "AddressChargePrepaid": {"Period": 2, "AutoRenewFlag": 1}}
    provider("vpc", "RenewAddresses", renewed)
    assert month() == before + 2
    assert told("AddressName", "Bandwidth", "RenewFlag", "IsArrears") == ["renamed", 9, "NOTIFY_AND_AUTO_RENEW", False]

    def given_back() -> bool:
        """False while an earlier call is under way: the provider tries again then."""
        try:
            provider("vpc", "ReleaseAddresses", {"AddressIds": [address]})
        except TencentCloudSDKException as refused:
            assert refused.get_code() == "OperationDenied.MutexTaskRunning"
            return False
        return True

    wait_for(given_back, True)
    wait_for(lambda: told("IsArrears"), [True])
    wait_for(given_back, True)
    wait_for(lambda: told("AddressStatus"), [])
    elsewhere = {"AddressIds": [address], "Filters": [{"Name": "business-type", "Values": ["CDC"]}]}
    assert provider("vpc", "DescribeAddresses", elsewhere)["AddressSet"] == []


def test_a_policy_of_snapshots_with_its_disks(provider: Provider) -> None:
    """``cbs_snapshot_policy`` and its attachment, by one disk and by several."""
    asked = {"DiskType": "CLOUD_SSD", "DiskSize": 20, "DiskName": "tf", "DiskChargeType": "POSTPAID_BY_HOUR"}
    three = {**asked, "DiskCount": 3, "Placement": {"Zone": ZONE}}
    disks = provider("cbs", "CreateDisks", three)["DiskIdSet"]
    wait_for(lambda: [one["DiskState"] for one in provider.disks(disks)], ["UNATTACHED"] * 3)
    times = {"Policy": [{"DayOfWeek": [0, 3], "Hour": [2]}], "RetentionDays": 7}
    policy = provider("cbs", "CreateAutoSnapshotPolicy", {"AutoSnapshotPolicyName": "tf-nightly", **times})
    named = {"AutoSnapshotPolicyId": policy["AutoSnapshotPolicyId"]}

    def told() -> list[Any]:
        listed = {"AutoSnapshotPolicyIds": list(named.values())}
        (one,) = provider("cbs", "DescribeAutoSnapshotPolicies", listed)["AutoSnapshotPolicySet"]
        (when,) = one["Policy"]
        return [
            one["AutoSnapshotPolicyName"], when["DayOfWeek"], when["Hour"], one["RetentionDays"],
            sorted(one["DiskIdSet"]),
        ]  # fmt: skip

    assert told() == ["tf-nightly", [0, 3], [2], 7, []]
    for some in (disks[:1], disks[1:]):
        provider("cbs", "BindAutoSnapshotPolicy", {**named, "DiskIds": some})
    of_disk = provider("cbs", "DescribeDiskAssociatedAutoSnapshotPolicy", {"DiskId": disks[0]})
    assert [needed(one, "AutoSnapshotPolicyId") for one in of_disk["AutoSnapshotPolicySet"]] == [list(named.values())]
    for change in (
        {"AutoSnapshotPolicyName": "renamed"}, {"RetentionDays": 30}, {"Policy": [{"DayOfWeek": [1], "Hour": [4, 16]}]},
    ):  # fmt: skip
        provider("cbs", "ModifyAutoSnapshotPolicyAttribute", {**named, **change})
    assert told() == ["renamed", [1], [4, 16], 30, sorted(disks)]
    for some in (disks[:1], disks[1:]):
        provider("cbs", "UnbindAutoSnapshotPolicy", {**named, "DiskIds": some})
    assert told()[-1] == []
    provider("cbs", "DeleteAutoSnapshotPolicies", {"AutoSnapshotPolicyIds": list(named.values())})
    gone = provider("cbs", "DescribeAutoSnapshotPolicies", {"AutoSnapshotPolicyIds": list(named.values())})
    assert gone["AutoSnapshotPolicySet"] == []
    for state in (["TORECYCLE"] * 3, []):
        provider("cbs", "TerminateDisks", {"DiskIds": disks})
        wait_for(lambda: [found["DiskState"] for found in provider.disks(disks)], state)
