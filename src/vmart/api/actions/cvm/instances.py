"""cvm: machines a customer has. Describe-, -Status, Start-, Stop-, Reboot-, Terminate-, ResetInstancesPassword."""

import datetime as dt
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.filters import TAG_FILTERS, VALUES_MAX, conditions, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, told
from vmart.api.declarations import Code, Domain, Done, Filters, Limit, Offset, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import localized, utc_text
from vmart.catalog import shop
from vmart.kernel import ids
from vmart.kernel.errors import InvalidParameter, InvalidValue
from vmart.kernel.money import exponent, from_minor, shown_minor
from vmart.listings import machines
from vmart.listings.machines import Wanted
from vmart.listings.views import DiskView, InstanceView
from vmart.orders import reboot, reset_password, start, stop, terminate
from vmart.orders.return_prepaid import RefundQuote, quote_refund
from vmart.pricing.quote import PREPAID

# Ids of one request: at least one where it acts on machines, none where it only reads.
_InstanceId = Annotated[str, Field(max_length=60)]
InstanceIds = Annotated[
    list[_InstanceId], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded"), Domain("machines")
]
Project = Annotated[int, Field(ge=0, le=0), Code("InvalidProjectId.NotFound")]  # there is one, number 0
StopType = Literal["SOFT", "HARD", "SOFT_FIRST"]

# Filters of DescribeInstances -> the member of listings.machines.Wanted that they fill.
_FILTERS = {
    "zone": "zones",
    "vpc-id": "vpc_ids",
    "subnet-id": "subnet_ids",
    "instance-id": "public_ids",
    "uuid": "uuids",
    "instance-name": "names",
    "instance-charge-type": "charge_types",
    "instance-state": "states",
    "private-ip-address": "private_ips",
    "public-ip-address": "public_ips",
    "ipv6-address": "ipv6s",
    "security-group-id": "security_groups",
}
_TIMES = {"creation-start-time": "created_from", "creation-end-time": "created_to"}
# Known filters on what no machine here has: they find nothing.
_FIND_NOTHING = ("host-id", "dedicated-cluster-id")


class DescribeInstances(Shape):
    """By ids or filters (up to 10, with up to 5 values each), a page at a time."""

    instance_ids: InstanceIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DescribeInstancesStatus(Shape):
    """By ids or all, a page at a time."""

    instance_ids: InstanceIds = []
    offset: Offset = 0
    limit: Limit = 20


class StartInstances(Shape):
    """Stopped machines, all or none."""

    instance_ids: InstanceIds


class StopInstances(Shape):
    """Running machines, all or none; STOP_CHARGING ends the charge for CPU and memory of postpaid ones, on or off."""

    instance_ids: InstanceIds
    force_stop: bool | None = None  # the older spelling of StopType
    stop_type: StopType | None = None
    stopped_mode: Literal["KEEP_CHARGING", "STOP_CHARGING"] = "KEEP_CHARGING"


class RebootInstances(Shape):
    """Running machines, all or none."""

    instance_ids: InstanceIds
    force_reboot: bool | None = None
    stop_type: StopType | None = None


class ResetInstancesPassword(Shape):
    """The same password for a user of machines, all or none; a running one needs ForceStop, and is not stopped."""

    instance_ids: InstanceIds
    password: Annotated[str, Field(max_length=200), Code("InvalidParameterValue.InvalidPassword")]
    user_name: Annotated[str, Field(max_length=64), Domain("user")] = ""
    force_stop: Annotated[bool, Domain("while_running")] = False


class TerminateInstances(Shape):
    """To the recycle bin (prepaid ones with refund); called again once it is there, it is erased."""

    instance_ids: InstanceIds
    release_address: bool = False
    release_prepaid_data_disks: bool = False


class InquiryPriceTerminateInstances(Shape):
    """What the return of these machines would give back now."""

    instance_ids: InstanceIds


class PlacementAnswer(TypedDict):
    """Where it is."""

    Zone: str
    ProjectId: int


class SystemDiskAnswer(TypedDict, total=False):
    """Its system disk."""

    DiskType: str
    DiskId: str
    DiskSize: int
    Encrypt: bool
    KmsKeyId: str
    DiskName: str


class DataDiskAnswer(TypedDict):
    """A data disk of it."""

    DiskSize: int
    DiskType: str
    DiskId: str
    DeleteWithInstance: bool
    SnapshotId: str
    Encrypt: bool
    KmsKeyId: str | None
    ThroughputPerformance: int | None
    DiskName: str


class InternetAccessibleAnswer(TypedDict):
    """Its bandwidth and public address."""

    InternetChargeType: str
    InternetMaxBandwidthOut: int
    PublicIpAssigned: bool


class VirtualPrivateCloudAnswer(TypedDict):
    """Its private network."""

    VpcId: str
    SubnetId: str
    AsVpcGateway: bool
    PrivateIpAddresses: list[str]
    Ipv6AddressCount: int


class LoginSettingsAnswer(TypedDict):
    """Its key pairs."""

    KeyIds: NotRequired[list[str] | None]


class InstanceAnswer(TypedDict):
    """One machine."""

    Placement: PlacementAnswer
    InstanceId: str
    InstanceType: str
    CPU: int
    Memory: int
    RestrictState: str
    InstanceName: str
    InstanceChargeType: str
    SystemDisk: SystemDiskAnswer
    DataDisks: list[DataDiskAnswer]
    PrivateIpAddresses: list[str]
    PublicIpAddresses: list[str] | None
    InternetAccessible: InternetAccessibleAnswer
    VirtualPrivateCloud: VirtualPrivateCloudAnswer
    ImageId: str
    RenewFlag: str | None
    CreatedTime: str
    ExpiredTime: str | None
    OsName: str
    SecurityGroupIds: list[str]
    LoginSettings: LoginSettingsAnswer
    InstanceState: str
    Tags: list[TagAnswer]
    StopChargingMode: str
    Uuid: str
    LatestOperation: str | None
    LatestOperationState: str | None
    LatestOperationRequestId: str | None
    DisasterRecoverGroupId: str
    IPv6Addresses: list[str]
    CamRoleName: str | None
    HpcClusterId: str
    RdmaIpAddresses: list[str] | None
    DedicatedClusterId: str
    IsolatedSource: str
    DisasterRecoverGroupIds: list[str]
    LicenseType: str
    DisableApiTermination: bool
    HostName: str
    DefaultLoginUser: str
    DefaultLoginPort: int
    LatestOperationErrorMsg: str | None


class DescribeInstancesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    InstanceSet: list[InstanceAnswer]


class InstanceStatusAnswer(TypedDict):
    """The state of one machine."""

    InstanceId: str
    InstanceState: str


class DescribeInstancesStatusAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    InstanceStatusSet: list[InstanceStatusAnswer]


class InstanceRefundAnswer(TypedDict):
    """What one machine would give back."""

    InstanceId: str
    Refunds: float
    PriceDetail: str


class InquiryPriceTerminateInstancesAnswer(TypedDict):
    """In the order asked for."""

    InstanceRefundsSet: list[InstanceRefundAnswer]


def instance(view: InstanceView) -> InstanceAnswer:
    """One machine of DescribeInstances; structures that clients read unguarded are always there (trap 9)."""
    prepaid = view.charge_type == PREPAID
    return {
        "Placement": {"Zone": view.zone, "ProjectId": 0},
        "InstanceId": view.public_id,
        "InstanceType": view.instance_type,
        "CPU": view.vcpu,
        "Memory": view.memory_mib // 1024,
        "RestrictState": view.restrict_state,
        "InstanceName": view.name,
        "InstanceChargeType": view.charge_type,
        "SystemDisk": _system_disk(view),
        "DataDisks": [_data_disk(disk) for disk in view.disks if disk.usage == "DATA_DISK"],
        "PrivateIpAddresses": [view.private_ip],
        "PublicIpAddresses": [view.public_ip] if view.public_ip else [],
        "InternetAccessible": {
            "InternetChargeType": view.internet_charge_type,
            "InternetMaxBandwidthOut": view.bandwidth_mbps,
            "PublicIpAssigned": view.public_ip is not None and not view.eip_id,
        },
        "VirtualPrivateCloud": {
            "VpcId": view.vpc_id,
            "SubnetId": view.subnet_id,
            "AsVpcGateway": False,
            "PrivateIpAddresses": [view.private_ip],
            "Ipv6AddressCount": 1 if view.ipv6 else 0,
        },
        "ImageId": view.image_id,
        "RenewFlag": view.renew_flag if prepaid else None,
        "CreatedTime": utc_text(view.created_at),
        "ExpiredTime": utc_text(view.expires_at),
        "OsName": view.os_name,
        "SecurityGroupIds": list(view.attributes.security_groups),
        "LoginSettings": {"KeyIds": list(view.key_ids)} if view.key_ids else {},
        "InstanceState": view.state,
        "Tags": told(view.tags),
        "StopChargingMode": view.stop_charging_mode,
        "Uuid": str(ids.machine_uuid(view.public_id)),
        "LatestOperation": view.latest_operation,
        "LatestOperationState": view.latest_operation_state,
        "LatestOperationRequestId": view.latest_operation_request_id or None,
        "LatestOperationErrorMsg": view.latest_operation_error or None,
        "DisasterRecoverGroupId": view.placement_group,
        "DisasterRecoverGroupIds": [view.placement_group] if view.placement_group else [],
        "IPv6Addresses": [view.ipv6] if view.ipv6 else [],
        "CamRoleName": None,
        "HpcClusterId": "",
        "RdmaIpAddresses": None,
        "DedicatedClusterId": "",
        "IsolatedSource": view.isolated_source,
        "LicenseType": "BYOL",
        "DisableApiTermination": view.attributes.termination_protected,
        "HostName": view.hostname,
        "DefaultLoginUser": view.login_user,
        "DefaultLoginPort": 22,
    }


def _system_disk(view: InstanceView) -> SystemDiskAnswer:
    system = [disk for disk in view.disks if disk.usage == "SYSTEM_DISK"]
    return _disk(system[0]) if system else {}


def _disk(disk: DiskView) -> SystemDiskAnswer:
    return {
        "DiskType": disk.disk_type,
        "DiskId": disk.public_id,
        "DiskSize": disk.size_gib,
        "Encrypt": False,
        "KmsKeyId": "",
        "DiskName": disk.name,
    }


def _data_disk(disk: DiskView) -> DataDiskAnswer:
    return {
        "DiskType": disk.disk_type,
        "DiskId": disk.public_id,
        "DiskSize": disk.size_gib,
        "Encrypt": False,
        "KmsKeyId": "",
        "DeleteWithInstance": disk.delete_with_instance,
        "SnapshotId": disk.snapshot_id,
        "ThroughputPerformance": 0,
        "DiskName": disk.name,
    }


def describe_instances(call: Call, asked: DescribeInstances) -> DescribeInstancesAnswer:
    """Machines of the account in the region of the call (all regions where it names none), newest first."""
    not_both(asked.instance_ids, asked.filters, "InstanceIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "InstanceSet": []}
    total, views = machines.page(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "InstanceSet": [_told(view, call.language) for view in views]}


def _told(view: InstanceView, language: str) -> InstanceAnswer:
    """The machine, with the reason of a failure in the language of the call."""
    members = instance(view)
    if view.latest_operation_error:
        lines = view.latest_operation_error.splitlines()
        members["LatestOperationErrorMsg"] = " ".join(localized(line, language, {}) for line in lines)
    return members


def _wanted(call: Call, asked: DescribeInstances) -> Wanted | None:
    """The conditions of the request; None where one of them is met by no machine."""
    chosen = conditions(asked.filters, (*_FILTERS, *_TIMES, "project-id", *_FIND_NOTHING, *TAG_FILTERS), VALUES_MAX)
    if "0" not in chosen.pop("project-id", ["0"]):
        return None
    if any(name in _FIND_NOTHING for name in chosen):
        return None
    region = in_region(shop.snapshot(), call.region)
    conditions_met: dict[str, Any] = {
        "public_ids": asked.instance_ids or None,
        "region": region.code if region else None,
        "tags": tagged(chosen),
    }
    for name, values in chosen.items():
        if name in _TIMES:
            conditions_met[_TIMES[name]] = _instant(name, values)
        else:
            conditions_met[_FILTERS[name]] = values
    return Wanted(**conditions_met)


def _instant(name: str, values: list[str]) -> dt.datetime:
    """``2023-06-01 00:00:00`` of the shop's billing zone, or a time with an offset."""
    try:
        (text,) = values
        instant = dt.datetime.fromisoformat(text)
        # In UTC: the database takes no offset of 16 hours and more.
        return (instant if instant.tzinfo else instant.replace(tzinfo=shop.snapshot().billing_zone)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        raise InvalidValue(
            "The filter {name} needs one time, as 2023-06-01 00:00:00.", field="filters", name=name
        ) from None


def describe_instances_status(call: Call, asked: DescribeInstancesStatus) -> DescribeInstancesStatusAnswer:
    """States alone, of the same machines in the same order."""
    region = in_region(shop.snapshot(), call.region)
    wanted = Wanted(public_ids=asked.instance_ids or None, region=region.code if region else None)
    total, states = machines.states(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {
        "TotalCount": total,
        "InstanceStatusSet": [{"InstanceId": public_id, "InstanceState": state} for public_id, state in states],
    }


def start_instances(call: Call, asked: StartInstances) -> Done:
    """Accepted; STARTING until they run."""
    start.start(call.actor, asked.instance_ids)
    return {}


def stop_instances(call: Call, asked: StopInstances) -> Done:
    """Accepted; STOPPING until they stand."""
    stop.stop(
        call.actor,
        asked.instance_ids,
        stopped_mode=asked.stopped_mode,
        stop_type=how_to_stop(asked.stop_type, asked.force_stop, "ForceStop"),
    )
    return {}


def reboot_instances(call: Call, asked: RebootInstances) -> Done:
    """Accepted; REBOOTING until they run again."""
    stop_type = how_to_stop(asked.stop_type, asked.force_reboot, "ForceReboot")
    reboot.reboot(call.actor, asked.instance_ids, stop_type=stop_type)
    return {}


def reset_instances_password(call: Call, asked: ResetInstancesPassword) -> Done:
    """Accepted; LatestOperationState says when it is done."""
    reset_password.reset(
        call.actor,
        asked.instance_ids,
        asked.password,
        user=asked.user_name,
        while_running=asked.force_stop,
    )
    return {}


def how_to_stop(stop_type: str | None, force: bool | None, force_name: str) -> str:
    """StopType, or what the older member says."""
    if stop_type is not None and force is not None:
        raise InvalidParameter("{older} and StopType exclude each other.", field="stop_type", older=force_name)
    return stop_type or ("SOFT_FIRST" if force else "SOFT")


def terminate_instances(call: Call, asked: TerminateInstances) -> Done:
    """Into the recycle bin, out of it at once the second time. Public addresses and disks go with them."""
    terminate.terminate(call.actor, asked.instance_ids)
    return {}


def inquiry_price_terminate_instances(
    call: Call, asked: InquiryPriceTerminateInstances
) -> InquiryPriceTerminateInstancesAnswer:
    """The refunds that TerminateInstances would post now."""
    currency = shop.snapshot().currency
    quotes = quote_refund(call.account_id, asked.instance_ids)
    return {"InstanceRefundsSet": [_refund(quoted, currency, call.language) for quoted in quotes]}


def _refund(quoted: RefundQuote, currency: str, language: str) -> InstanceRefundAnswer:
    amounts = {
        "refund": shown_minor(quoted.refund_minor, currency),
        "paid": shown_minor(quoted.paid_minor, currency),
        "cash": shown_minor(quoted.cash_minor, currency),
        "gift": shown_minor(quoted.gift_minor, currency),
    }
    template = "Refund {refund} of {paid} paid: {cash} in cash, {gift} as gift."
    return {
        "InstanceId": quoted.public_id,
        "Refunds": float(from_minor(quoted.refund_minor, exponent(currency))),
        "PriceDetail": localized(template, language, amounts),
    }


_MACHINES = {Resource.MACHINE: "instance_ids"}
ACTIONS = (
    Action(
        "DescribeInstances",
        DescribeInstances,
        DescribeInstancesAnswer,
        describe_instances,
        writes=False,
        touches=_MACHINES,
    ),
    Action(
        "DescribeInstancesStatus",
        DescribeInstancesStatus,
        DescribeInstancesStatusAnswer,
        describe_instances_status,
        writes=False,
        touches=_MACHINES,
    ),
    Action("StartInstances", StartInstances, Done, start_instances, writes=True, touches=_MACHINES),
    Action("StopInstances", StopInstances, Done, stop_instances, writes=True, touches=_MACHINES),
    Action("RebootInstances", RebootInstances, Done, reboot_instances, writes=True, touches=_MACHINES),
    Action(
        "ResetInstancesPassword", ResetInstancesPassword, Done, reset_instances_password, writes=True, touches=_MACHINES
    ),
    Action("TerminateInstances", TerminateInstances, Done, terminate_instances, writes=True, touches=_MACHINES),
    Action(
        "InquiryPriceTerminateInstances",
        InquiryPriceTerminateInstances,
        InquiryPriceTerminateInstancesAnswer,
        inquiry_price_terminate_instances,
        writes=False,
        touches=_MACHINES,
    ),
)
