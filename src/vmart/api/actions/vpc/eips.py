"""vpc: public addresses with a life of their own: allocated, bound to machines, moved, told of and given back."""

from typing import Annotated, Any, TypedDict

from pydantic import BeforeValidator, Field

from vmart.api.actions.cvm.places import in_region, region_of
from vmart.api.actions.filters import TAG_FILTERS, conditions, meets, not_both, tagged
from vmart.api.actions.tagged import TagAnswer, Tags, told
from vmart.api.actions.tagged import wanted as wanted_tags
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.actions.vpc.eip_terms import (
    AddressChargePrepaid,
    AddressIds,
    InternetPriceAnswer,
    Mbps,
    first_term,
    of_term,
    of_unit,
    unit_of,
)
from vmart.api.declarations import (
    INT32_MAX,
    ClientToken,
    Code,
    Domain,
    Done,
    FalseOnly,
    NotOffered,
    PublicIds,
    Shape,
    not_offered,
    whole,
)
from vmart.api.registry import Call, Resource
from vmart.api.words import utc_text
from vmart.catalog import shop
from vmart.kernel.errors import MissingParameter
from vmart.listings import eips, quotas
from vmart.listings.eips import WantedEips
from vmart.listings.views import EipView
from vmart.orders.addresses import allocate, associate, bandwidth, disassociate, give_back, rename
from vmart.orders.addresses.allocate import NewAddresses
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import TRAFFIC_POSTPAID_BY_HOUR

_Name = Annotated[str, Field(max_length=60)]
_Mode = Annotated[_Name, Domain("internet_charge_type")]
_AddressId = Annotated[_Name, Domain("addresses")]
# The act checks its length and what is in it.
_AddressName = Annotated[str, Field(max_length=256), Code("InvalidParameterValue"), Domain("name")]
Offset = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]
Limit = Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValue.Range")]
_VALUES_MAX = 100
_TOTAL = "TOTAL_EIP_QUOTA"


class AllocateAddresses(Shape):
    """Addresses alike in the region of the call, all or none, bound to no machine."""

    address_count: Annotated[
        int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue.LimitExceeded"), Domain("count")
    ] = 1
    internet_service_provider: Annotated[None, not_offered("bgp")] = None
    internet_charge_type: _Mode = TRAFFIC_POSTPAID_BY_HOUR
    i_p_charge_type: NotOffered = None
    internet_max_bandwidth_out: Mbps = 1
    address_charge_prepaid: AddressChargePrepaid | None = None
    address_type: Annotated[None, not_offered("eip")] = None
    anycast_zone: NotOffered = None
    vip_cluster: NotOffered = None
    applicable_for_c_l_b: FalseOnly = None
    tags: Tags = []
    bandwidth_package_id: Annotated[_Name, Domain("packages")] = ""
    address_name: _AddressName = ""
    dedicated_cluster_id: NotOffered = None
    is_dedicated_address_pool: FalseOnly = None
    egress: Annotated[None, not_offered("center_egress1")] = None
    anti_d_do_s_package_id: NotOffered = None
    client_token: ClientToken | None = None


class InquiryPriceAllocateAddresses(Shape):
    """What the network of an address at a machine costs, in the region of the call."""

    internet_charge_type: _Mode
    internet_max_bandwidth_out: Mbps = 1
    address_charge_prepaid: AddressChargePrepaid | None = None
    address_type: Annotated[None, not_offered("eip")] = None
    i_p_charge_type: NotOffered = None


class AssociateAddress(Shape):
    """An address that no machine has, to a machine of its zone that was bought without one."""

    address_id: _AddressId
    instance_id: Annotated[_Name, Domain("machines")]
    network_interface_id: NotOffered = None
    private_ip_address: NotOffered = None
    eip_direct_connection: FalseOnly = None
    instance_region: NotOffered = None


class DisassociateAddress(Shape):
    """An address that a machine has."""

    address_id: _AddressId
    reallocate_normal_public_ip: FalseOnly = None


class ReleaseAddresses(Shape):
    """Addresses that no machine has, all or none. One that is paid ahead is refunded and kept for some days first."""

    address_ids: AddressIds


class DescribeAddresses(Shape):
    """By ids or filters, a page at a time, newest first."""

    address_ids: PublicIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class ModifyAddressAttribute(Shape):
    """Its name."""

    address_id: _AddressId
    address_name: _AddressName | None = None
    eip_direct_connection: FalseOnly = None
    eip_visible_on_eni: FalseOnly = None


class ModifyAddressesBandwidth(Shape):
    """How fast they are, all or none; by the month paid or paid back for the rest of the term, from the balance.

    The times of a window are published as of no effect.
    """

    address_ids: AddressIds
    internet_max_bandwidth_out: Mbps
    start_time: Annotated[str, Field(max_length=60)] | None = None
    end_time: Annotated[str, Field(max_length=60)] | None = None


class DescribeAddressQuota(Shape):
    """Of the region of the call."""


class DescribeTaskResult(Shape):
    """By the TaskId that an act on addresses has answered."""

    task_id: Annotated[int, BeforeValidator(whole), Field(ge=0), Code("InvalidParameterValue"), Domain("task")]
    deal_name: NotOffered = None


class TaskAnswer(TypedDict):
    """The number to ask DescribeTaskResult for."""

    TaskId: str


class AllocateAddressesAnswer(TaskAnswer):
    """Ids in no particular order."""

    AddressSet: list[str]


class AlgTypeAnswer(TypedDict):
    """Protocols that are helped through an address."""

    Ftp: bool
    Sip: bool


class UnchangingAddressAnswer(TypedDict):
    """What every address here has alike."""

    NetworkInterfaceId: str | None
    IsBlocked: bool
    IsEipDirectConnection: bool
    AddressType: str
    CascadeRelease: bool
    InternetServiceProvider: str
    LocalBgp: bool
    Egress: str
    AntiDDoSPackageId: str
    UnVpcId: str
    DedicatedClusterId: str
    EipVisibleOnEni: bool
    EipAlgType: AlgTypeAnswer


class AddressAnswer(UnchangingAddressAnswer):
    """One address."""

    AddressId: str
    AddressName: str
    AddressStatus: str
    AddressIp: str
    InstanceId: str
    InstanceType: str
    PrivateAddressIp: str | None
    CreatedTime: str
    IsArrears: bool
    Bandwidth: int
    InternetChargeType: str
    BandwidthPackageId: str
    RenewFlag: str
    DeadlineDate: str
    TagSet: list[TagAnswer]


class DescribeAddressesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    AddressSet: list[AddressAnswer]


class QuotaAnswer(TypedDict):
    """One quota: what there is, and the most there may be."""

    QuotaId: str
    QuotaCurrent: int
    QuotaLimit: int
    QuotaGroup: str


class DescribeAddressQuotaAnswer(TypedDict):
    """Elastic public addresses alone are counted."""

    QuotaSet: list[QuotaAnswer]


class DescribeTaskResultAnswer(TypedDict):
    """RUNNING, SUCCESS or FAILED."""

    TaskId: int
    Result: str


class InquiryPriceAllocateAddressesAnswer(TypedDict):
    """Of one address at a machine; an hour idle has a price of its own."""

    Price: InternetPriceAnswer


def allocate_addresses(call: Call, asked: AllocateAddresses) -> AllocateAddressesAnswer:
    """They are there at once, charged as idle."""
    wanted = NewAddresses(
        region_of(call),
        AddressPart(asked.internet_charge_type, asked.internet_max_bandwidth_out),
        count=asked.address_count,
        name=asked.address_name,
        tags=wanted_tags(asked.tags),
        package=asked.bandwidth_package_id,
        **first_term(asked.address_charge_prepaid),
    )
    done = allocate.allocate(call.actor, wanted, client_token=asked.client_token or "")
    return {"AddressSet": list(done.public_ids), "TaskId": str(done.task)}


def inquiry_price_allocate_addresses(
    call: Call, asked: InquiryPriceAllocateAddresses
) -> InquiryPriceAllocateAddressesAnswer:
    """At a machine: its bandwidth, or what a GiB costs; by the month a term of it."""
    part = AddressPart(asked.internet_charge_type, asked.internet_max_bandwidth_out)
    first = asked.address_charge_prepaid
    cost = allocate.price(call.account_id, region_of(call), part, first.period if first else 0)
    if cost.term_minor is not None:
        return {"Price": of_term(cost.listed_minor, cost.term_minor)}
    return {"Price": of_unit(unit_of(cost))}


def associate_address(call: Call, asked: AssociateAddress) -> TaskAnswer:
    """Accepted; AddressStatus tells when the machine has it."""
    return {"TaskId": str(associate.associate(call.actor, asked.address_id, asked.instance_id))}


def disassociate_address(call: Call, asked: DisassociateAddress) -> TaskAnswer:
    """Accepted; AddressStatus tells when the machine has it no more."""
    return {"TaskId": str(disassociate.disassociate(call.actor, asked.address_id))}


def release_addresses(call: Call, asked: ReleaseAddresses) -> TaskAnswer:
    """Charging ends now; what is paid ahead is returned first, and given back for good by the next call."""
    return {"TaskId": str(give_back.give_back(call.actor, asked.address_ids))}


def modify_address_attribute(call: Call, asked: ModifyAddressAttribute) -> Done:
    """Done at once."""
    if asked.address_name is None:
        raise MissingParameter("Nothing is to be changed; possible is AddressName.", field="name")
    rename.rename(call.actor, asked.address_id, asked.address_name)
    return {}


def modify_addresses_bandwidth(call: Call, asked: ModifyAddressesBandwidth) -> TaskAnswer:
    """In force within seconds; of an address that no machine has, at once."""
    return {"TaskId": str(bandwidth.change(call.actor, asked.address_ids, asked.internet_max_bandwidth_out))}


# Filters -> the member of listings.eips.WantedEips that they fill.
_FILTERS = {
    "address-id": "public_ids",
    "address-name": "names",
    "address-ip": "ips",
    "address-status": "states",
    "instance-id": "instance_ids",
    "private-ip-address": "private_ips",
    "is-arrears": "offs",
}
_ALIKE = {"address-type": "eip", "address-isp": "bgp"}
_FIND_NOTHING = ("network-interface-id", "dedicated-cluster-id", "business-type")
_TYPE = "instance-type"


def describe_addresses(call: Call, asked: DescribeAddresses) -> DescribeAddressesAnswer:
    """Addresses of the account in the region of the call (all regions where it names none)."""
    # Only the filter that says the same excludes ids, as published; Terraform sends both.
    not_both(asked.address_ids, [one for one in asked.filters if one.name == "address-id"], "AddressIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "AddressSet": []}
    total, found = eips.page(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "AddressSet": [address(view) for view in found]}


def _wanted(call: Call, asked: DescribeAddresses) -> WantedEips | None:
    """The conditions of the request; None where one of them is met by no address."""
    known = (*_FILTERS, *_ALIKE, _TYPE, *_FIND_NOTHING, *TAG_FILTERS)
    chosen = conditions(asked.filters, known, _VALUES_MAX)
    if not meets(chosen, _ALIKE) or any(name in _FIND_NOTHING for name in chosen):
        return None
    types = chosen.pop(_TYPE, None)
    if types is not None and "CVM" not in types:
        return None
    if "is-arrears" in chosen:
        chosen["is-arrears"] = [value.lower() for value in chosen["is-arrears"]]
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {"public_ids": asked.address_ids or None, "region": region.code if region else None}
    met |= {"tags": tagged(chosen), "at_machines": types is not None or None}
    return WantedEips(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def address(view: EipView) -> AddressAnswer:
    """One address."""
    return {
        **_UNCHANGING,
        "AddressId": view.public_id,
        "AddressName": view.name,
        "AddressStatus": view.state,
        "AddressIp": view.ip,
        "InstanceId": view.machine,
        "InstanceType": "CVM" if view.machine else "",
        "PrivateAddressIp": view.private_ip,
        "CreatedTime": utc_text(view.created_at),
        "IsArrears": view.off,
        "Bandwidth": view.bandwidth_mbps,
        "InternetChargeType": view.internet_charge_type,
        "BandwidthPackageId": view.package,
        "RenewFlag": view.renew_flag if view.expires_at else "",
        "DeadlineDate": utc_text(view.expires_at) if view.expires_at else "",
        "TagSet": told(view.tags),
    }


# What every address here has alike: one of a pool of the zone, led to a machine and not to an interface.
_UNCHANGING: UnchangingAddressAnswer = {
    "NetworkInterfaceId": None,
    "IsBlocked": False,
    "IsEipDirectConnection": False,
    "AddressType": "EIP",
    "CascadeRelease": False,
    "InternetServiceProvider": "BGP",
    "LocalBgp": False,
    "Egress": "center_egress1",
    "AntiDDoSPackageId": "",
    "UnVpcId": "",
    "DedicatedClusterId": "",
    "EipVisibleOnEni": False,
    "EipAlgType": {"Ftp": False, "Sip": False},
}


def describe_address_quota(call: Call, _asked: DescribeAddressQuota) -> DescribeAddressQuotaAnswer:
    """How many there are in the region, and how many there may be."""
    held = quotas.addresses(call.account_id, region_of(call))
    return {"QuotaSet": [{"QuotaId": _TOTAL, "QuotaCurrent": held.used, "QuotaLimit": held.most, "QuotaGroup": "BGP"}]}


def describe_task_result(call: Call, asked: DescribeTaskResult) -> DescribeTaskResultAnswer:
    """What has become of the latest act on an address."""
    return {"TaskId": asked.task_id, "Result": allocate.task(call.account_id, asked.task_id)}


_ONE, _SEVERAL = {Resource.ADDRESS: "address_id"}, {Resource.ADDRESS: "address_ids"}


ACTIONS = (
    declared(
        AllocateAddresses,
        AllocateAddressesAnswer,
        allocate_addresses,
        writes=True,
        buys=True,
        touches={Resource.BANDWIDTH_PACKAGE: "bandwidth_package_id"},
    ),
    declared(
        InquiryPriceAllocateAddresses,
        InquiryPriceAllocateAddressesAnswer,
        inquiry_price_allocate_addresses,
        writes=False,
    ),
    declared(
        AssociateAddress,
        TaskAnswer,
        associate_address,
        writes=True,
        touches={Resource.ADDRESS: "address_id", Resource.MACHINE: "instance_id"},
    ),
    declared(DisassociateAddress, TaskAnswer, disassociate_address, writes=True, touches=_ONE),
    declared(ReleaseAddresses, TaskAnswer, release_addresses, writes=True, touches=_SEVERAL),
    declared(DescribeAddresses, DescribeAddressesAnswer, describe_addresses, writes=False, touches=_SEVERAL),
    declared(ModifyAddressAttribute, Done, modify_address_attribute, writes=True, touches=_ONE),
    declared(
        ModifyAddressesBandwidth, TaskAnswer, modify_addresses_bandwidth, writes=True, buys=True, touches=_SEVERAL
    ),
    declared(DescribeAddressQuota, DescribeAddressQuotaAnswer, describe_address_quota, writes=False),
    declared(
        DescribeTaskResult,
        DescribeTaskResultAnswer,
        describe_task_result,
        writes=False,
        touches={Resource.TASK: "task_id"},
    ),
)
