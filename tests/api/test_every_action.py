"""Given every action of both APIs, then it needs few queries, and does what it declares."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import NoneType
from typing import Any

import pytest
from django.db import connection

from tests.api.calling import Client
from tests.api.customer import client_of, nothing_written, open_customer
from tests.api.signing import SECRET_ID
from tests.api.test_cvm_purchase import HOURLY
from tests.api.test_legacy import HOURLY as LEGACY_HOURLY
from tests.api.test_legacy import MONTHLY as LEGACY_MONTHLY
from tests.api.test_legacy import SIZE
from tests.instances.test_key_pairs import ED25519
from tests.support.published_members import inner_shape
from tests.support.shopper import work
from tests.support.statements import statements
from vmart.api import services
from vmart.api.declarations import AnyShape
from vmart.api.registry import Action
from vmart.customers.models import Account
from vmart.customers.quotas import LEAST
from vmart.events.models import Event
from vmart.kernel import clock
from vmart.policy import policy

pytestmark = pytest.mark.usefixtures("shop")


@dataclass(frozen=True)
class Things:
    """What a customer has."""

    running: str
    prepaid: str
    stopped: str
    key: str
    disk: str
    vpc: str
    bound: str  # a key pair of the stopped machine
    template: str
    group: str  # an empty placement group
    grouped: str  # one that has the stopped machine
    own_vpc: str  # without a subnet
    subnet: str  # without a machine, of the vpc
    route_table: str  # of the vpc
    security: str  # a security group that no machine has
    joined: str  # one that the prepaid machine is in, beside the first
    own: str  # a disk with a life of its own, that no machine has
    attached: str  # and one that the running machine has
    paid_ahead: str  # one that is prepaid, and no machine has
    monthly: str  # a bought public address that is paid by the month, and no machine has
    free: str  # one that no machine has
    bare: str  # a machine without one
    at_machine: str  # and an address that another such has
    task: str  # of its binding
    image: str  # of the running machine
    snapshot: str  # of the disk that no machine has
    policy: str  # of snapshots, of the disk that is attached
    rescued: str  # a machine in rescue mode
    package: str  # a bandwidth package with an address in it
    empty_package: str
    in_package: str  # that address, which no machine has


# Of cvm, cbs and vpc, which share a version: action -> (members, statements at most). BEGIN and COMMIT of an act are
# not counted.
Asked = Callable[[Things], dict[str, Any]]
OF_INSTANCES = {"ServiceType": "cvm", "ResourcePrefix": "instance", "ResourceRegion": "ap-guangzhou"}
TAG = {"TagKey": "team", "TagValue": "b"}
ENDS = {"ActionTime": "2026-12-01T00:00:00Z"}

FRIEND = "987654321"  # another account

BARE = {name: value for name, value in HOURLY.items() if name != "InternetAccessible"}
OWN_DISK = {
    "Placement": {"Zone": "ap-guangzhou-4"}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_SSD",
    "DiskSize": 20,
}  # fmt: skip
PREPAID_DISK = {**OWN_DISK, "DiskChargeType": "PREPAID", "DiskChargePrepaid": {"Period": 1}}
MONTHLY_ADDRESS = {
    "InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH", "InternetMaxBandwidthOut": 5,
    "AddressChargePrepaid": {"Period": 1, "AutoRenewFlag": 0},
}  # fmt: skip
PACKAGE = {"ChargeType": "BANDWIDTH_POSTPAID_BY_DAY", "InternetMaxBandwidth": 10}
ASKED_DISK = {name: OWN_DISK[name] for name in ("DiskChargeType", "DiskType", "DiskSize")}


def _rules(has: Things, **members: object) -> dict[str, Any]:
    rule = {"Protocol": "TCP", "Port": "22", "SecurityGroupId": has.security, "Action": "ACCEPT", **members}
    return {"SecurityGroupPolicySet": {"Ingress": [rule]}}


def _login(has: Things) -> dict[str, Any]:
    return {"LoginSettings": {"KeyIds": [has.key]}}


COMPUTE: dict[str, tuple[Asked, int]] = {
    "DescribeRegions": (lambda _: {}, 1),
    "DescribeZones": (lambda _: {}, 1),
    "DescribeZoneInstanceConfigInfos": (lambda _: {}, 2),
    "DescribeInstanceTypeConfigs": (lambda _: {}, 1),
    "DescribeImages": (lambda _: {}, 2),
    "InquiryPriceRunInstances": (lambda _: HOURLY, 0),
    "RunInstances": (lambda has: {**HOURLY, "LoginSettings": {"KeyIds": [has.key]}, "ClientToken": "t"}, 2),
    "CreateLaunchTemplate": (lambda has: {**HOURLY, **_login(has), "LaunchTemplateName": "nn", "ClientToken": "t"}, 13),
    "CreateLaunchTemplateVersion": (lambda has: {"LaunchTemplateId": has.template, "ClientToken": "t"}, 12),
    "DescribeLaunchTemplates": (lambda has: {"LaunchTemplateIds": [has.template]}, 1),
    "DescribeLaunchTemplateVersions": (lambda has: {"LaunchTemplateId": has.template}, 2),
    "ModifyLaunchTemplateDefaultVersion": (lambda has: {"LaunchTemplateId": has.template, "DefaultVersion": 2}, 5),
    "DeleteLaunchTemplateVersions": (lambda has: {"LaunchTemplateId": has.template, "LaunchTemplateVersions": [2]}, 5),
    "DeleteLaunchTemplate": (lambda has: {"LaunchTemplateId": has.template}, 6),
    "DescribeInstances": (lambda has: {"InstanceIds": [has.running]}, 1),
    "DescribeInstancesStatus": (lambda has: {"InstanceIds": [has.running]}, 1),
    "StopInstances": (lambda has: {"InstanceIds": [has.running]}, 7),
    "StartInstances": (lambda has: {"InstanceIds": [has.stopped]}, 6),
    "RebootInstances": (lambda has: {"InstanceIds": [has.running]}, 6),
    "ResetInstancesPassword": (lambda has: {"InstanceIds": [has.stopped], "Password": "New-pass-1"}, 6),
    "ResetInstance": (lambda has: {"InstanceId": has.running, **_login(has), "UserData": "IyEvYmluL3No"}, 12),
    "EnterRescueMode": (lambda has: {"InstanceId": has.running, "Password": "Rescue-pass-1"}, 10),
    "ExitRescueMode": (lambda has: {"InstanceId": has.rescued}, 6),
    "DescribeInstanceVncUrl": (lambda has: {"InstanceId": has.running}, 8),
    "ModifyInstancesVpcAttribute": (
        lambda has: {
            "InstanceIds": [has.running],
            "VirtualPrivateCloud": {"VpcId": has.vpc, "SubnetId": has.subnet, "PrivateIpAddresses": ["10.0.1.9"]},
        },
        12,
    ),
    "InquiryPriceResetInstance": (lambda has: {"InstanceId": has.running, **_login(has)}, 6),
    "TerminateInstances": (lambda has: {"InstanceIds": [has.running]}, 17),
    "RenewInstances": (lambda has: {"InstanceIds": [has.prepaid]}, 19),
    "InquiryPriceRenewInstances": (
        lambda has: {"InstanceIds": [has.prepaid], "InstanceChargePrepaid": {"Period": 1}},
        5,
    ),
    "ModifyInstancesRenewFlag": (
        lambda has: {"InstanceIds": [has.prepaid], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        5,
    ),
    "ImportInstancesActionTimer": (lambda has: {"InstanceIds": [has.running], "ActionTimer": ENDS}, 6),
    "DescribeInstancesActionTimer": (lambda has: {"InstanceIds": [has.running]}, 1),
    "DeleteInstancesActionTimer": (lambda has: {"ActionTimerIds": [has.stopped.replace("ins-", "timer-")]}, 6),
    "ModifyInstancesChargeType": (
        lambda has: {
            "InstanceIds": [has.running],
            "InstanceChargeType": "PREPAID",
            "InstanceChargePrepaid": {"Period": 1},
        },
        34,
    ),
    "InquiryPriceModifyInstancesChargeType": (
        lambda has: {
            "InstanceIds": [has.running],
            "InstanceChargeType": "PREPAID",
            "InstanceChargePrepaid": {"Period": 1},
        },
        6,
    ),
    "ResetInstancesInternetMaxBandwidth": (
        lambda has: {"InstanceIds": [has.running], "InternetAccessible": {"InternetMaxBandwidthOut": 9}},
        6,
    ),
    "InquiryPriceResetInstancesInternetMaxBandwidth": (
        lambda has: {"InstanceIds": [has.running], "InternetAccessible": {"InternetMaxBandwidthOut": 9}},
        4,
    ),
    "ResetInstancesType": (
        lambda has: {"InstanceIds": [has.running], "InstanceType": "S5.LARGE8", "ForceStop": True},
        13,
    ),
    "InquiryPriceResetInstancesType": (
        lambda has: {"InstanceIds": [has.running], "InstanceType": "S5.LARGE8"},
        5,
    ),
    "ResizeInstanceDisks": (
        lambda has: {"InstanceId": has.running, "SystemDisk": {"DiskSize": 60}, "ResizeOnline": True},
        15,
    ),
    "InquiryPriceResizeInstanceDisks": (
        lambda has: {"InstanceId": has.running, "SystemDisk": {"DiskSize": 60}},
        9,
    ),
    "InquiryPriceTerminateInstances": (lambda has: {"InstanceIds": [has.prepaid]}, 8),
    "CreateKeyPair": (lambda _: {"KeyName": "n", "ProjectId": 0}, 7),
    "ImportKeyPair": (lambda _: {"KeyName": "n", "ProjectId": 0, "PublicKey": ED25519}, 6),
    "DescribeInstancesAttributes": (lambda has: {"InstanceIds": [has.running], "Attributes": ["UserData"]}, 1),
    "ModifyInstancesAttribute": (
        lambda has: {
            "InstanceIds": [has.running],
            "InstanceName": "n",
            "HostName": "web-2",
            "DisableApiTermination": True,
        },
        10,
    ),
    "ModifyInstancesProject": (lambda has: {"InstanceIds": [has.running], "ProjectId": 0}, 4),
    "DescribeAccountQuota": (lambda _: {}, 4),
    "CreateDisasterRecoverGroup": (lambda _: {"Name": "n", "Type": "HOST", "ClientToken": "t"}, 13),
    "DescribeDisasterRecoverGroups": (lambda has: {"DisasterRecoverGroupIds": [has.group]}, 1),
    "DescribeDisasterRecoverGroupQuota": (lambda _: {}, 2),
    "ModifyDisasterRecoverGroupAttribute": (lambda has: {"DisasterRecoverGroupId": has.group, "Name": "other"}, 4),
    "DeleteDisasterRecoverGroups": (lambda has: {"DisasterRecoverGroupIds": [has.group]}, 9),
    "ModifyInstancesDisasterRecoverGroup": (
        lambda has: {"InstanceIds": [has.running], "DisasterRecoverGroupId": has.group},
        5,
    ),
    "DeleteInstancesDisasterRecoverGroups": (
        lambda has: {"InstanceIds": [has.stopped], "DisasterRecoverGroupIds": [has.grouped]},
        6,
    ),
    "DescribeDisks": (lambda has: {"DiskIds": [has.disk]}, 2),
    "CreateDisks": (lambda _: {**OWN_DISK, "ClientToken": "t"}, 25),
    "InquiryPriceCreateDisks": (lambda _: ASKED_DISK, 0),
    "AttachDisks": (lambda has: {"InstanceId": has.stopped, "DiskIds": [has.own]}, 16),
    "DetachDisks": (lambda has: {"InstanceId": has.running, "DiskIds": [has.attached]}, 8),
    "CreateSnapshot": (lambda has: {"DiskId": has.own, "SnapshotName": "before"}, 24),
    "DescribeSnapshots": (lambda has: {"SnapshotIds": [has.snapshot]}, 2),
    "DescribeSnapshotOverview": (lambda _: {}, 1),
    "DeleteSnapshots": (lambda has: {"SnapshotIds": [has.snapshot]}, 20),
    "ModifySnapshotAttribute": (lambda has: {"SnapshotId": has.snapshot, "SnapshotName": "other"}, 6),
    "ApplySnapshot": (lambda has: {"SnapshotId": has.snapshot, "DiskId": has.own}, 14),
    "CreateAutoSnapshotPolicy": (lambda _: {"Policy": [{"Hour": [3], "DayOfWeek": [0]}]}, 9),
    "DescribeAutoSnapshotPolicies": (lambda has: {"AutoSnapshotPolicyIds": [has.policy]}, 2),
    "ModifyAutoSnapshotPolicyAttribute": (
        lambda has: {"AutoSnapshotPolicyId": has.policy, "AutoSnapshotPolicyName": "other"},
        8,
    ),
    "DeleteAutoSnapshotPolicies": (lambda has: {"AutoSnapshotPolicyIds": [has.policy]}, 9),
    "BindAutoSnapshotPolicy": (lambda has: {"AutoSnapshotPolicyId": has.policy, "DiskIds": [has.own]}, 9),
    "UnbindAutoSnapshotPolicy": (lambda has: {"AutoSnapshotPolicyId": has.policy, "DiskIds": [has.attached]}, 9),
    "DescribeDiskAssociatedAutoSnapshotPolicy": (lambda has: {"DiskId": has.attached}, 4),
    "TerminateDisks": (lambda has: {"DiskIds": [has.own]}, 17),
    "ModifyDiskAttributes": (lambda has: {"DiskIds": [has.own], "DiskName": "n", "DeleteWithInstance": True}, 9),
    "ResizeDisk": (lambda has: {"DiskId": has.attached, "DiskSize": 30}, 20),
    "InquiryPriceResizeDisk": (lambda has: {"DiskId": has.own, "DiskSize": 30}, 8),
    "RenewDisk": (lambda has: {"DiskId": has.paid_ahead, "DiskChargePrepaid": {"Period": 1}}, 25),
    "InquiryPriceRenewDisks": (
        lambda has: {"DiskIds": [has.paid_ahead], "DiskChargePrepaids": [{"Period": 1}]},
        8,
    ),
    "ModifyDisksRenewFlag": (
        lambda has: {"DiskIds": [has.paid_ahead], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        10,
    ),
    "ModifyDisksChargeType": (lambda has: {"DiskIds": [has.own], "DiskChargePrepaid": {"Period": 1}}, 40),
    "RenewAddresses": (lambda has: {"AddressIds": [has.monthly], "AddressChargePrepaid": {"Period": 1}}, 30),
    "InquiryPriceRenewAddresses": (
        lambda has: {"AddressIds": [has.monthly], "AddressChargePrepaid": {"Period": 1}},
        12,
    ),
    "InquiryPriceModifyAddressesBandwidth": (
        lambda has: {"AddressIds": [has.monthly], "InternetMaxBandwidthOut": 9},
        14,
    ),
    "ModifyAddressInternetChargeType": (
        lambda has: {
            "AddressId": has.free,
            "InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH",
            "InternetMaxBandwidthOut": 5,
            "AddressChargePrepaid": {"Period": 1},
        },
        45,
    ),
    "ModifyAddressesRenewFlag": (
        lambda has: {"AddressIds": [has.monthly], "RenewFlag": "NOTIFY_AND_AUTO_RENEW"},
        10,
    ),
    "AllocateAddresses": (lambda _: {"AddressCount": 2, "AddressName": "a", "ClientToken": "t"}, 25),
    "InquiryPriceAllocateAddresses": (lambda _: {"InternetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR"}, 0),
    "AssociateAddress": (lambda has: {"AddressId": has.free, "InstanceId": has.bare}, 20),
    "DisassociateAddress": (lambda has: {"AddressId": has.at_machine}, 15),
    "ReleaseAddresses": (lambda has: {"AddressIds": [has.free]}, 20),
    "DescribeAddresses": (lambda has: {"AddressIds": [has.at_machine]}, 2),
    "ModifyAddressAttribute": (lambda has: {"AddressId": has.free, "AddressName": "other"}, 6),
    "ModifyAddressesBandwidth": (
        lambda has: {"AddressIds": [has.free, has.at_machine], "InternetMaxBandwidthOut": 9},
        20,
    ),
    "DescribeAddressQuota": (lambda _: {}, 2),
    "DescribeTaskResult": (lambda has: {"TaskId": has.task}, 1),
    "CreateBandwidthPackage": (lambda _: {**PACKAGE, "BandwidthPackageCount": 2, "BandwidthPackageName": "p"}, 25),
    "ModifyBandwidthPackageAttribute": (
        lambda has: {"BandwidthPackageId": has.package, "BandwidthPackageName": "other"},
        6,
    ),
    "ModifyBandwidthPackageBandwidth": (
        lambda has: {"BandwidthPackageId": has.package, "InternetMaxBandwidth": 20},
        30,
    ),
    "DeleteBandwidthPackage": (lambda has: {"BandwidthPackageId": has.empty_package}, 25),
    "AddBandwidthPackageResources": (
        lambda has: {"BandwidthPackageId": has.empty_package, "ResourceIds": [has.free, has.at_machine]},
        40,
    ),
    "RemoveBandwidthPackageResources": (
        lambda has: {"BandwidthPackageId": has.package, "ResourceIds": [has.in_package]},
        25,
    ),
    "DescribeBandwidthPackages": (
        lambda has: {"Filters": [{"Name": "resource.resource-id", "Values": [has.in_package]}]},
        2,
    ),
    "DescribeBandwidthPackageResources": (lambda has: {"BandwidthPackageId": has.package}, 2),
    "DescribeBandwidthPackageQuota": (lambda _: {}, 2),
    "DescribeBandwidthPackageBandwidthRange": (lambda has: {"BandwidthPackageIds": [has.package]}, 2),
    "CreateImage": (lambda has: {"InstanceId": has.running, "ImageName": "n", "ForcePoweroff": "TRUE"}, 34),
    "ModifyImageAttribute": (lambda has: {"ImageId": has.image, "ImageName": "n"}, 10),
    "ModifyImageSharePermission": (
        lambda has: {"ImageId": has.image, "AccountIds": [FRIEND], "Permission": "SHARE"},
        10,
    ),
    "DescribeImageSharePermission": (lambda has: {"ImageId": has.image}, 3),
    "DescribeImageQuota": (lambda _: {}, 1),
    "ImportImage": (
        lambda _: {
            "Architecture": "x86_64",
            "OsType": "Debian",
            "OsVersion": "12",
            "ImageName": "n",
            "ImageUrl": f"https://files.example.com/web.tar.xz#sha256={'0' * 64}",
        },
        16,
    ),
    "DescribeImportImageOs": (lambda _: {}, 1),
    "DeleteImages": (lambda has: {"ImageIds": [has.image]}, 20),
    "DescribeVpcs": (lambda has: {"VpcIds": [has.vpc]}, 1),
    "DescribeSubnets": (lambda has: {"Filters": [{"Name": "vpc-id", "Values": [has.vpc]}]}, 1),
    "DescribeUsedIpAddress": (lambda has: {"VpcId": has.vpc}, 1),
    "CreateVpc": (lambda _: {"VpcName": "n", "CidrBlock": "10.1.0.0/16"}, 4),
    "CreateDefaultVpc": (lambda _: {"Zone": "ap-guangzhou-6"}, 6),
    "ModifyVpcAttribute": (lambda has: {"VpcId": has.vpc, "VpcName": "n"}, 4),
    "DeleteVpc": (lambda has: {"VpcId": has.own_vpc}, 5),
    "CreateSubnet": (
        lambda has: {"VpcId": has.vpc, "SubnetName": "n", "Zone": "ap-guangzhou-4", "CidrBlock": "10.2.1.0/24"},
        7,
    ),
    "CreateSubnets": (
        lambda has: {
            "VpcId": has.vpc,
            "Subnets": [{"SubnetName": "n", "Zone": "ap-guangzhou-4", "CidrBlock": f"10.2.{n}.0/24"} for n in (1, 2)],
        },
        9,
    ),
    "ModifySubnetAttribute": (lambda has: {"SubnetId": has.subnet, "SubnetName": "n", "EnableBroadcast": "true"}, 4),
    "DeleteSubnet": (lambda has: {"SubnetId": has.subnet}, 5),
    "DescribeRouteTables": (lambda has: {"RouteTableIds": [has.route_table]}, 1),
    "ReplaceRouteTableAssociation": (
        lambda has: {"RouteTableId": has.route_table, "SubnetId": has.subnet},
        1,
    ),
    "DescribeSecurityGroups": (lambda has: {"SecurityGroupIds": [has.security]}, 3),
    "DescribeSecurityGroupPolicies": (lambda has: {"SecurityGroupId": has.security}, 3),
    "DescribeSecurityGroupAssociationStatistics": (lambda has: {"SecurityGroupIds": [has.security]}, 6),
    "CreateSecurityGroup": (lambda _: {"GroupName": "n", "GroupDescription": ""}, 5),
    "CreateSecurityGroupWithPolicies": (lambda has: {"GroupName": "n", "GroupDescription": "", **_rules(has)}, 7),
    "ModifySecurityGroupAttribute": (lambda has: {"SecurityGroupId": has.security, "GroupName": "n"}, 6),
    "DeleteSecurityGroup": (lambda has: {"SecurityGroupId": has.security}, 9),
    "CreateSecurityGroupPolicies": (lambda has: {"SecurityGroupId": has.security, **_rules(has)}, 10),
    "ModifySecurityGroupPolicies": (lambda has: {"SecurityGroupId": has.security, **_rules(has)}, 10),
    "DeleteSecurityGroupPolicies": (lambda has: {"SecurityGroupId": has.security, **_rules(has, PolicyIndex=0)}, 10),
    "ReplaceSecurityGroupPolicy": (lambda has: {"SecurityGroupId": has.security, **_rules(has, PolicyIndex=0)}, 10),
    "ReplaceSecurityGroupPolicies": (lambda has: {"SecurityGroupId": has.security, **_rules(has, PolicyIndex=0)}, 10),
    "AssociateSecurityGroups": (lambda has: {"InstanceIds": [has.running], "SecurityGroupIds": [has.security]}, 10),
    "DisassociateSecurityGroups": (lambda has: {"InstanceIds": [has.prepaid], "SecurityGroupIds": [has.joined]}, 10),
    "DescribeKeyPairs": (lambda has: {"KeyIds": [has.key]}, 1),
    "DeleteKeyPairs": (lambda has: {"KeyIds": [has.key]}, 7),
    "AssociateInstancesKeyPairs": (lambda has: {"InstanceIds": [has.stopped], "KeyIds": [has.key]}, 7),
    "DisassociateInstancesKeyPairs": (lambda has: {"InstanceIds": [has.stopped], "KeyIds": [has.bound]}, 6),
}


def _packages(client: Client) -> tuple[str, str, str]:
    """A bandwidth package with an address in it, one without, and that address."""
    used, empty = client.call("CreateBandwidthPackage", {**PACKAGE, "BandwidthPackageCount": 2}).response[
        "BandwidthPackageIds"
    ]
    inside = {"InternetChargeType": "BANDWIDTH_PACKAGE", "BandwidthPackageId": used}
    (address,) = client.call("AllocateAddresses", inside).response["AddressSet"]
    return used, empty, address


def _named(has: Things) -> str:
    return f"qcs::cvm:ap-guangzhou:uin/:instance/{has.running}"


# Of tag: the running machine has the tag ``team``.
TAGGING: dict[str, tuple[Asked, int]] = {
    "ModifyResourceTags": (lambda has: {"Resource": _named(has), "ReplaceTags": [TAG]}, 7),
    "TagResources": (lambda has: {"ResourceList": [_named(has)], "Tags": [TAG]}, 7),
    "UnTagResources": (lambda has: {"ResourceList": [_named(has)], "TagKeys": ["team"]}, 7),
    "AddResourceTag": (lambda has: {"Resource": _named(has), "TagKey": "new", "TagValue": "b"}, 7),
    "UpdateResourceTagValue": (lambda has: {"Resource": _named(has), **TAG}, 7),
    "DeleteResourceTag": (lambda has: {"Resource": _named(has), "TagKey": "team"}, 7),
    "GetResources": (lambda has: {"ResourceList": [_named(has)]}, 3),
    "DescribeResourceTagsByResourceIds": (lambda has: {**OF_INSTANCES, "ResourceIds": [has.running]}, 1),
    "DescribeTags": (lambda _: {}, 1),
    "GetTags": (lambda _: {"TagKeys": ["team"]}, 1),
    "CreateTag": (lambda _: {"TagKey": "stage", "TagValue": "test"}, 6),
    "DeleteTag": (lambda _: {"TagKey": "kept", "TagValue": "1"}, 5),
    "DescribeTagKeys": (lambda _: {}, 1),
    "DescribeTagValues": (lambda _: {"TagKeys": ["team"]}, 1),
}
_ONE = {"Namespace": "QCE/CVM", "MetricName": "CPUUsage"}
MONITORING: dict[str, tuple[Asked, int]] = {
    "GetMonitorData": (
        lambda has: {**_ONE, "Instances": [{"Dimensions": [{"Name": "InstanceId", "Value": has.running}]}]}, 2,
    ),
    "DescribeBaseMetrics": (lambda _: {"Namespace": "QCE/CVM"}, 0),
}  # fmt: skip
WITH_THINGS = COMPUTE | TAGGING | MONITORING
OTHERS = {
    ("DescribeAccountBalance", "2018-07-09"): ({}, 2),
    ("DescribeRegions", "2022-06-27"): ({"Product": "cvm"}, 1),
    ("DescribeZones", "2022-06-27"): ({"Product": "cvm"}, 1),
    ("DescribeZones", "2020-11-06"): ({"Product": "cvm"}, 1),
    ("GetCallerIdentity", "2018-08-13"): ({}, 0),
}
LEGACY: dict[str, tuple[Asked, int]] = {
    "RunInstances": (lambda has: {**LEGACY_MONTHLY, "keyId": has.key}, 2),
    "RunInstancesHour": (lambda has: {**LEGACY_HOURLY, "keyId": has.key}, 2),
    "DescribeInstances": (lambda has: {"instanceIds": [has.running]}, 2),
    "InquiryInstancePrice": (lambda _: {**SIZE, "period": 1}, 0),
    "InquiryInstancePriceHour": (lambda _: {**SIZE, "bandwidthType": "PayByTraffic"}, 0),
    "StopInstances": (lambda has: {"instanceIds": [has.running]}, 7),
    "StartInstances": (lambda has: {"instanceIds": [has.stopped]}, 6),
    "ResetInstancePassword": (lambda has: {"instanceIds": [has.running], "password": "New-pass-1"}, 6),
    "ReturnInstance": (lambda has: {"instanceId": has.running}, 17),
    "RenewInstance": (lambda has: {"instanceId": has.prepaid, "period": 1}, 19),
    "SetAutoRenew": (lambda has: {"instanceId": has.prepaid, "autoRenew": 1}, 5),
    "DescribeAvailabilityZones": (lambda _: {}, 1),
}


def _version(action: str) -> str:
    if action in MONITORING:
        return "2018-07-24"
    return "2018-08-13" if action in TAGGING else "2017-03-12"


def test_every_action_is_here() -> None:
    offered = {(action.name, action.version) for action in services.API}
    assert {*((name, _version(name)) for name in WITH_THINGS), *OTHERS} == offered
    assert set(LEGACY) == {action.name for action in services.LEGACY}


@pytest.fixture
def owner(scene: Callable[[str, Callable[[], Any]], Any]) -> tuple[Client, Things]:
    """A customer with a running, a prepaid and a stopped machine, a key pair, and one that is the stopped machine's."""
    account_id, has = scene("owner", _open_owner)
    client = client_of(account_id)
    for _ in range(2):  # reads catalog and prices, then looks whether they are still in force: once a second
        assert "Error" not in client.call("InquiryPriceRunInstances", HOURLY).response
    policy.dated()
    return client, has


def _open_owner() -> tuple[int, Things]:
    client, account_id = open_customer("owner")
    key, bound = (
        client.call("CreateKeyPair", {"KeyName": name, "ProjectId": 0}).response["KeyPair"]["KeyId"]
        for name in ("k", "bound")
    )
    running, stopped = client.call("RunInstances", {**HOURLY, "InstanceCount": 2}).response["InstanceIdSet"]
    (prepaid,) = next(iter(client.legacy("RunInstances", LEGACY_MONTHLY)["unInstanceIds"].values()))
    work()
    client.call("StopInstances", {"InstanceIds": [stopped]})
    work()
    client.call("AssociateInstancesKeyPairs", {"InstanceIds": [stopped], "KeyIds": [bound]})
    work()
    client.call("ImportInstancesActionTimer", {"InstanceIds": [stopped], "ActionTimer": ENDS})
    (machine,) = client.call("DescribeInstances", {"InstanceIds": [running]}).response["InstanceSet"]
    disk, vpc = machine["SystemDisk"]["DiskId"], machine["VirtualPrivateCloud"]["VpcId"]
    named = {"LaunchTemplateName": "kept", **HOURLY}
    template = client.call("CreateLaunchTemplate", named).response["LaunchTemplateId"]
    client.call("CreateLaunchTemplateVersion", {"LaunchTemplateId": template})
    group, grouped = (
        client.call("CreateDisasterRecoverGroup", {"Name": name, "Type": "HOST"}).response["DisasterRecoverGroupId"]
        for name in ("g", "grouped")
    )
    client.call("ModifyInstancesDisasterRecoverGroup", {"InstanceIds": [stopped], "DisasterRecoverGroupId": grouped})
    own, attached = client.call("CreateDisks", {**OWN_DISK, "DiskCount": 2}).response["DiskIdSet"]
    (paid_ahead,) = client.call("CreateDisks", PREPAID_DISK).response["DiskIdSet"]
    work()
    client.call("AttachDisks", {"InstanceId": running, "DiskIds": [attached]})
    snapshot = client.call("CreateSnapshot", {"DiskId": own}).response["SnapshotId"]
    work()
    asked = {"Policy": [{"Hour": [3], "DayOfWeek": [0]}]}
    policy = client.call("CreateAutoSnapshotPolicy", asked).response["AutoSnapshotPolicyId"]
    client.call("BindAutoSnapshotPolicy", {"AutoSnapshotPolicyId": policy, "DiskIds": [attached]})
    (monthly,) = client.call("AllocateAddresses", MONTHLY_ADDRESS).response["AddressSet"]
    free, at_machine = client.call("AllocateAddresses", {"AddressCount": 2}).response["AddressSet"]
    bare, other, rescued = client.call("RunInstances", {**BARE, "InstanceCount": 3}).response["InstanceIdSet"]
    work()
    client.call("EnterRescueMode", {"InstanceId": rescued, "Password": "Rescue-pass-1"})
    asked = {"AddressId": at_machine, "InstanceId": other}
    task = client.call("AssociateAddress", asked).response["TaskId"]
    work()
    client.call("CreateTag", {"TagKey": "kept", "TagValue": "1"}, version="2018-08-13")
    own_vpc = client.call("CreateVpc", {"VpcName": "own", "CidrBlock": "10.1.0.0/16"}).response["Vpc"]["VpcId"]
    asked = {"VpcId": vpc, "SubnetName": "own", "Zone": "ap-guangzhou-4", "CidrBlock": "10.0.1.0/24"}
    subnet = client.call("CreateSubnet", asked).response["Subnet"]
    security, joined = (
        client.call(
            "CreateSecurityGroupWithPolicies",
            {
                "GroupName": name, "GroupDescription": "",
                "SecurityGroupPolicySet": {"Ingress": [{"CidrBlock": "10.0.0.0/8", "Action": "ACCEPT"}]},
            },
        ).response["SecurityGroup"]["SecurityGroupId"]
        for name in ("free", "joined")
    )  # fmt: skip
    client.call("AssociateSecurityGroups", {"InstanceIds": [prepaid], "SecurityGroupIds": [joined]})
    work()
    asked = {"InstanceId": running, "ImageName": "kept"}
    image = client.call("CreateImage", asked).response["ImageId"]
    Account.objects.create(id=int(FRIEND), name="friend", created_at=clock.now())
    work()
    has = Things(
        running, prepaid, stopped, key, disk, vpc, bound, template, group, grouped, own_vpc,
        subnet["SubnetId"], subnet["RouteTableId"], security, joined, own, attached, paid_ahead, monthly, free, bare,
        at_machine, task, image, snapshot, policy, rescued, *_packages(client),
    )  # fmt: skip
    tagged = {"Resource": _named(has), "ReplaceTags": [{**TAG, "TagValue": "a"}]}
    assert "Error" not in client.call("ModifyResourceTags", tagged, version="2018-08-13").response
    return account_id, has


@pytest.mark.parametrize("action", WITH_THINGS)
def test_queries_of_an_action(owner: tuple[Client, Things], action: str) -> None:
    client, has = owner
    asked, budget = WITH_THINGS[action]
    with statements() as made:
        assert "Error" not in client.call(action, asked(has), version=_version(action)).response
    assert len(made) <= budget, made


@pytest.mark.parametrize(("action", "budget"), [("InquiryPriceRunInstances", 1), ("RunInstances", 3)])
def test_a_launch_template_is_one_statement_more(owner: tuple[Client, Things], action: str, budget: int) -> None:
    client, has = owner
    asked = {"LaunchTemplate": {"LaunchTemplateId": has.template}, "LoginSettings": {"KeyIds": [has.key]}}
    with statements() as made:
        assert "Error" not in client.call(action, asked).response
    assert len(made) == budget, made


@pytest.mark.parametrize(("action", "version"), OTHERS)
def test_queries_of_an_action_of_another_service(action: str, version: str) -> None:
    client, _ = open_customer()
    asked, budget = OTHERS[action, version]
    client.call(action, asked, version=version)  # reads the catalog
    with statements() as made:
        assert "Error" not in client.call(action, asked, version=version).response
    assert len(made) <= budget, made


@pytest.mark.parametrize("action", LEGACY)
def test_queries_of_a_legacy_action(owner: tuple[Client, Things], action: str) -> None:
    client, has = owner
    asked, budget = LEGACY[action]
    with statements() as made:
        assert client.legacy(action, asked(has))["code"] == 0
    assert len(made) <= budget, made


# What an action declares ---------------------------------------------------------------------------------------------


# They ask the act itself what it would charge, under its locks: a price that no act at the same moment makes untrue.
LOCKING = {
    "InquiryPriceRenewInstances", "InquiryPriceTerminateInstances", "InquiryPriceResetInstancesInternetMaxBandwidth",
    "InquiryPriceResetInstancesType", "InquiryPriceResizeInstanceDisks", "InquiryPriceResetInstance",
    "InquiryPriceModifyInstancesChargeType", "InquiryPriceResizeDisk", "InquiryPriceRenewDisks",
    "InquiryPriceRenewAddresses", "InquiryPriceModifyAddressesBandwidth",
}  # fmt: skip
_WRITING = "InternalError"  # a fault of this test alone: no such database serves a shop


@contextmanager
def read_only() -> Iterator[None]:
    """PostgreSQL refuses what would write, lock a row or take a number, on this process's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        connection.close()


@pytest.mark.parametrize("action", WITH_THINGS)
def test_an_action_writes_as_it_declares(owner: tuple[Client, Things], action: str) -> None:
    """Given a database that takes no write, then what declares to read is answered, and all else fails."""
    client, has = owner
    asked, _budget = WITH_THINGS[action]
    with nothing_written(), read_only():
        answer = client.call(action, asked(has), version=_version(action)).response
    writes = services.API.find(action, _version(action)).writes
    assert answer.get("Error", {}).get("Code") == (_WRITING if writes or action in LOCKING else None)


@pytest.mark.parametrize("action", sorted(LOCKING))
def test_a_question_about_an_act_that_locks_as_the_act_writes_nothing(
    owner: tuple[Client, Things], action: str
) -> None:
    client, has = owner
    asked, _budget = COMPUTE[action]
    assert (services.API.find(action, _version(action)).writes, action in LOCKING) == (False, True)
    with nothing_written():
        assert "Error" not in client.call(action, asked(has)).response


@pytest.mark.parametrize(("action", "version"), OTHERS)
def test_an_action_of_another_service_writes_nothing(action: str, version: str) -> None:
    client, _ = open_customer()
    asked, _budget = OTHERS[action, version]
    with nothing_written(), read_only():
        answer = client.call(action, asked, version=version).response
    assert (services.API.find(action, version).writes, "Error" in answer) == (False, False)


@pytest.mark.parametrize("action", LEGACY)
def test_a_legacy_action_writes_as_it_declares(owner: tuple[Client, Things], action: str) -> None:
    client, has = owner
    asked, _budget = LEGACY[action]
    with nothing_written(), read_only():
        answer = client.legacy(action, asked(has))
    assert answer["code"] == (6000 if services.LEGACY.find(action, "").writes else 0)


@pytest.mark.parametrize("action", [name for name in WITH_THINGS if services.API.find(name, _version(name)).writes])
def test_an_action_that_writes_says_who_asked(owner: tuple[Client, Things], action: str) -> None:
    """Given a request that changed something, then events of it name the key that signed it, and the request."""
    client, has = owner
    asked, _budget = WITH_THINGS[action]
    number = client.call(action, asked(has), version=_version(action)).response["RequestId"]
    told = Event.objects.filter(actor__request=number).values_list("actor__via", "actor__key").distinct()
    assert list(told) == [("api", SECRET_ID)]


@pytest.mark.parametrize("action", [name for name in LEGACY if services.LEGACY.find(name, "").writes])
def test_a_legacy_action_that_writes_says_who_asked(owner: tuple[Client, Things], action: str) -> None:
    client, has = owner
    asked, _budget = LEGACY[action]
    number = client.legacy(action, asked(has))["requestId"]
    told = Event.objects.filter(actor__request=number).values_list("actor__via", "actor__key").distinct()
    assert list(told) == [("api", SECRET_ID)]


def _at(shape: type[AnyShape], path: str) -> type[AnyShape] | None:
    """The structure that has the last member of ``path``; None where there is no such member."""
    first, _, rest = path.partition(".")
    member = shape.model_fields.get(first)
    if member is None or not rest:
        return shape if member else None
    inner = inner_shape(member.annotation)
    return _at(inner, rest) if inner else None


ALL = [*services.API, *services.LEGACY]
_NAMING = ("_id", "_ids", "resource", "resource_list")
_NAMED_OTHERWISE = ("instances.dimensions.value",)
# Members that hold ids of what is the shop's, not the customer's.
_OF_THE_SHOP = {"zone_id", "project_id", "account_ids"}


@pytest.mark.parametrize("action", ALL, ids=lambda action: f"{action.service}-{action.name}-{action.version}")
def test_an_action_touches_what_its_ids_name(action: Action) -> None:
    """Given the members of a request that hold ids, then each is declared with the kind of thing that it names."""

    def ids(shape: type[AnyShape], path: str = "") -> Iterator[str]:
        for name, member in shape.model_fields.items():
            offered = member.annotation is not NoneType
            names = name.endswith(_NAMING) or name == "security_groups" or path + name in _NAMED_OTHERWISE
            if offered and names and name not in _OF_THE_SHOP:
                yield path + name
            elif offered and (inner := inner_shape(member.annotation)):
                yield from ids(inner, f"{path}{name}.")

    assert [path for path in action.members_touched if _at(action.asks, path) is None] == []
    assert set(action.members_touched) == set(ids(action.asks))


def test_what_spends_writes_and_what_is_limited_names_a_quota() -> None:
    assert {action.name for action in ALL if action.buys} == {
        "RunInstances", "RunInstancesHour", "RenewInstances", "RenewInstance", "ResetInstancesType",
        "ResetInstancesInternetMaxBandwidth", "ResizeInstanceDisks", "ModifyInstancesChargeType", "CreateDisks",
        "ResizeDisk", "RenewDisk", "ModifyDisksChargeType", "CreateSnapshot", "CreateImage", "ImportImage",
        "AllocateAddresses", "RenewAddresses", "ModifyAddressInternetChargeType", "ModifyAddressesBandwidth",
        "CreateBandwidthPackage", "ModifyBandwidthPackageBandwidth", "AddBandwidthPackageResources",
        "RemoveBandwidthPackageResources",
    }  # fmt: skip
    assert [action.name for action in ALL if action.buys and not action.writes] == []
    assert {action.rate for action in ALL} == {"", "run_per_s"} <= {"", *LEAST}
