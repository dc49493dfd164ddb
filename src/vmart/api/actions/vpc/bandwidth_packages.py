"""vpc: bandwidth packages, in which public addresses share one speed: bought, filled, changed, told of and deleted."""

from typing import Annotated, Any, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.places import in_region, region_of
from vmart.api.actions.filters import TAG_FILTERS, conditions, meets, not_both, tagged
from vmart.api.actions.tagged import Tags
from vmart.api.actions.tagged import wanted as wanted_tags
from vmart.api.actions.vpc.declared import Filters, declared
from vmart.api.actions.vpc.eips import Limit, Offset, QuotaAnswer
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, PublicIds, Shape, not_offered
from vmart.api.registry import Call, Resource
from vmart.api.words import utc_text
from vmart.catalog import shop
from vmart.kernel.errors import MissingParameter
from vmart.listings import packages, quotas
from vmart.listings.packages import WantedPackages
from vmart.listings.views import MemberView, PackageView
from vmart.orders.packages import bandwidth, create, delete, members, own, rename
from vmart.orders.packages.create import NewPackages
from vmart.pricing import books
from vmart.pricing.package import BY_BANDWIDTH, PackagePart, check_charge_type

_Name = Annotated[str, Field(max_length=60)]
_PackageId = Annotated[_Name, Domain("packages")]
# The act checks its length and what is in it.
_PackageName = Annotated[str, Field(max_length=256), Code("InvalidParameterValue"), Domain("name")]
_ChargeType = Annotated[_Name, Domain("charge_type")]
_Mbps = Annotated[
    int, Field(ge=-1, le=INT32_MAX), Code("InvalidParameterValue.BandwidthOutOfRange"), Domain("bandwidth_mbps")
]
_ResourceIds = Annotated[
    list[_Name], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded"), Domain("addresses")
]
_VALUES_MAX = 100
_TOTAL = "TOTAL_BANDWIDTHPKG_QUOTA"
_AS_PUBLISHED = "ENHANCED95_POSTPAID_BY_MONTH"  # of a request that says none


class CreateBandwidthPackage(Shape):
    """Packages alike in the region of the call, all or none, empty."""

    network_type: Annotated[None, not_offered("bgp")] = None
    charge_type: _ChargeType = _AS_PUBLISHED
    bandwidth_package_name: _PackageName = ""
    bandwidth_package_count: Annotated[
        int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue.LimitExceeded"), Domain("count")
    ] = 1
    internet_max_bandwidth: _Mbps = -1
    tags: Tags = []
    protocol: Annotated[None, not_offered("ipv4")] = None
    time_span: NotOffered = None
    egress: Annotated[None, not_offered("center_egress1")] = None
    designated_zone: Annotated[_Name, Domain("zone")] = ""


class ModifyBandwidthPackageAttribute(Shape):
    """Its name. How it is charged can be named as it is."""

    bandwidth_package_id: _PackageId = ""
    bandwidth_package_name: _PackageName | None = None
    charge_type: _ChargeType | None = None


class ModifyBandwidthPackageBandwidth(Shape):
    """How fast all that is in it is together."""

    internet_max_bandwidth: _Mbps
    bandwidth_package_id: _PackageId


class DeleteBandwidthPackage(Shape):
    """A package that nothing is in."""

    bandwidth_package_id: _PackageId


class AddBandwidthPackageResources(Shape):
    """Public addresses of its zone that are in no package and not paid by the month, all or none."""

    resource_ids: _ResourceIds
    bandwidth_package_id: _PackageId = ""
    network_type: Annotated[None, not_offered("bgp")] = None
    resource_type: Annotated[None, not_offered("address")] = None
    protocol: Annotated[None, not_offered("ipv4")] = None
    internet_max_bandwidth_out: NotOffered = None


class RemoveBandwidthPackageResources(Shape):
    """Addresses that are in it, all or none; charged afterwards as before they came in."""

    bandwidth_package_id: _PackageId = ""
    resource_type: Annotated[None, not_offered("address")] = None
    resource_ids: _ResourceIds = []
    internet_max_bandwidth_out: NotOffered = None
    internet_charge_type: NotOffered = None


class DescribeBandwidthPackages(Shape):
    """By ids or filters, a page at a time, newest first."""

    bandwidth_package_ids: PublicIds = []
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DescribeBandwidthPackageResources(Shape):
    """What is in a package, a page at a time."""

    bandwidth_package_id: _PackageId
    filters: Filters = []
    offset: Offset = 0
    limit: Limit = 20


class DescribeBandwidthPackageQuota(Shape):
    """Of the region of the call."""


class DescribeBandwidthPackageBandwidthRange(Shape):
    """Between which speeds packages may be changed."""

    bandwidth_package_ids: Annotated[PublicIds, Domain("packages")] = []


class CreateBandwidthPackageAnswer(TypedDict):
    """The first one's id, and all."""

    BandwidthPackageId: str
    BandwidthPackageIds: list[str]


class MemberAnswer(TypedDict):
    """An address in a package."""

    ResourceType: str
    ResourceId: str
    AddressIp: str


class PackageAnswer(TypedDict):
    """One package."""

    BandwidthPackageId: str
    NetworkType: str
    ChargeType: str
    BandwidthPackageName: str
    CreatedTime: str
    Status: str
    ResourceSet: list[MemberAnswer]
    Bandwidth: int
    Egress: str
    Deadline: str | None


class DescribeBandwidthPackagesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    BandwidthPackageSet: list[PackageAnswer]


class DescribeBandwidthPackageResourcesAnswer(TypedDict):
    """A page of them, and how many there are."""

    TotalCount: int
    ResourceSet: list[MemberAnswer]


class DescribeBandwidthPackageQuotaAnswer(TypedDict):
    """One quota, of all packages."""

    QuotaSet: list[QuotaAnswer]


class BandwidthRangeAnswer(TypedDict):
    """In Mbps."""

    ResourceId: str
    BandwidthLowerLimit: int
    BandwidthUpperLimit: int


class DescribeBandwidthPackageBandwidthRangeAnswer(TypedDict):
    """Of each package that is named."""

    BandwidthRangeSet: list[BandwidthRangeAnswer]


def create_bandwidth_package(call: Call, asked: CreateBandwidthPackage) -> CreateBandwidthPackageAnswer:
    """They are there at once, and charged from now on."""
    wanted = NewPackages(
        region_of(call), PackagePart(asked.internet_max_bandwidth), asked.charge_type, zone=asked.designated_zone,
        count=asked.bandwidth_package_count, name=asked.bandwidth_package_name, tags=wanted_tags(asked.tags),
    )  # fmt: skip
    made = create.create(call.actor, wanted)
    return {"BandwidthPackageId": made[0], "BandwidthPackageIds": list(made)}


def modify_bandwidth_package_attribute(call: Call, asked: ModifyBandwidthPackageAttribute) -> Done:
    """Done at once."""
    if asked.bandwidth_package_name is None and asked.charge_type is None:
        raise MissingParameter("Nothing is to be changed; possible is BandwidthPackageName.", field="name")
    if asked.charge_type is not None:
        check_charge_type(asked.charge_type)
        _known(call, [asked.bandwidth_package_id])
    if asked.bandwidth_package_name is not None:
        rename.rename(call.actor, asked.bandwidth_package_id, asked.bandwidth_package_name)
    return {}


def modify_bandwidth_package_bandwidth(call: Call, asked: ModifyBandwidthPackageBandwidth) -> Done:
    """In force within seconds; of a package that leads to no machine, at once."""
    bandwidth.change(call.actor, asked.bandwidth_package_id, asked.internet_max_bandwidth)
    return {}


def delete_bandwidth_package(call: Call, asked: DeleteBandwidthPackage) -> Done:
    """Charging ends now."""
    delete.delete(call.actor, asked.bandwidth_package_id)
    return {}


def add_bandwidth_package_resources(call: Call, asked: AddBandwidthPackageResources) -> Done:
    """In it from now on; at a machine charged so within seconds."""
    members.enter(call.actor, asked.bandwidth_package_id, asked.resource_ids)
    return {}


def remove_bandwidth_package_resources(call: Call, asked: RemoveBandwidthPackageResources) -> Done:
    """Out of it from now on; at a machine charged as before within seconds."""
    members.leave(call.actor, asked.bandwidth_package_id, asked.resource_ids)
    return {}


# Filters -> the member of listings.packages.WantedPackages that they fill.
_FILTERS = {
    "bandwidth-package-id": "public_ids",
    "bandwidth-package-name": "names",
    "resource.resource-id": "address_ids",
    "resource.address-ip": "ips",
}
_ALIKE = {"network-type": "bgp", "charge-type": BY_BANDWIDTH.lower()}
_TYPE, _ADDRESS = "resource.resource-type", "Address"


def describe_bandwidth_packages(call: Call, asked: DescribeBandwidthPackages) -> DescribeBandwidthPackagesAnswer:
    """Packages of the account in the region of the call (all regions where it names none)."""
    not_both(asked.bandwidth_package_ids, asked.filters, "BandwidthPackageIds")
    wanted = _wanted(call, asked)
    if wanted is None:
        return {"TotalCount": 0, "BandwidthPackageSet": []}
    total, found = packages.page(call.account_id, wanted, offset=asked.offset, limit=asked.limit)
    return {"TotalCount": total, "BandwidthPackageSet": [_package(view) for view in found]}


def _wanted(call: Call, asked: DescribeBandwidthPackages) -> WantedPackages | None:
    """The conditions of the request; None where one of them is met by no package."""
    chosen = conditions(asked.filters, (*_FILTERS, *_ALIKE, _TYPE, *TAG_FILTERS), _VALUES_MAX)
    if not meets(chosen, _ALIKE):
        return None
    types = chosen.pop(_TYPE, None)
    if types is not None and _ADDRESS not in types:
        return None
    region = in_region(shop.snapshot(), call.region)
    met: dict[str, Any] = {"public_ids": asked.bandwidth_package_ids or None, "region": region.code if region else None}
    met |= {"tags": tagged(chosen), "is_used": types is not None or None}
    return WantedPackages(**met | {_FILTERS[name]: values for name, values in chosen.items()})


def _package(view: PackageView) -> PackageAnswer:
    return {
        "BandwidthPackageId": view.public_id,
        "NetworkType": "BGP",
        "ChargeType": BY_BANDWIDTH,
        "BandwidthPackageName": view.name,
        "CreatedTime": utc_text(view.created_at),
        "Status": "CREATED",
        "ResourceSet": [_member(one) for one in view.members],
        "Bandwidth": view.bandwidth_mbps,
        "Egress": "center_egress1",
        "Deadline": None,
    }


def _member(view: MemberView) -> MemberAnswer:
    return {"ResourceType": _ADDRESS, "ResourceId": view.public_id, "AddressIp": view.ip}


def describe_bandwidth_package_resources(
    call: Call, asked: DescribeBandwidthPackageResources
) -> DescribeBandwidthPackageResourcesAnswer:
    """Addresses alone."""
    (view,) = _known(call, [asked.bandwidth_package_id])
    chosen = conditions(asked.filters, ("resource-id", "resource-type"), _VALUES_MAX)
    ids, types = chosen.get("resource-id"), chosen.get("resource-type", [_ADDRESS])
    found = [one for one in view.members if _ADDRESS in types and (ids is None or one.public_id in ids)]
    page = found[asked.offset : asked.offset + asked.limit]
    return {"TotalCount": len(found), "ResourceSet": [_member(one) for one in page]}


def _known(call: Call, ids: list[str]) -> list[PackageView]:
    """The account's packages by public id, in order. Raises UnknownPackage."""
    _, found = packages.page(call.account_id, WantedPackages(public_ids=ids), limit=100)
    views = {view.public_id: view for view in found}
    for public_id in ids:
        if public_id not in views:
            raise own.unknown(public_id)
    return [views[public_id] for public_id in ids]


def describe_bandwidth_package_quota(
    call: Call, _asked: DescribeBandwidthPackageQuota
) -> DescribeBandwidthPackageQuotaAnswer:
    """How many there are in the region, and how many there may be."""
    region = region_of(call)
    held = quotas.packages(call.account_id, region)
    quota: QuotaAnswer = {
        "QuotaId": _TOTAL,
        "QuotaCurrent": held.used,
        "QuotaLimit": held.most,
        "QuotaGroup": region,
    }
    return {"QuotaSet": [quota]}


def describe_bandwidth_package_bandwidth_range(
    call: Call, asked: DescribeBandwidthPackageBandwidthRange
) -> DescribeBandwidthPackageBandwidthRangeAnswer:
    """What the price book sells now, the same for all."""
    most = books.current_book(shop.snapshot().generation).sales.postpaid_mbps_max
    return {
        "BandwidthRangeSet": [
            {"ResourceId": view.public_id, "BandwidthLowerLimit": 1, "BandwidthUpperLimit": most}
            for view in _known(call, asked.bandwidth_package_ids)
        ]
    }


_ONE = {Resource.BANDWIDTH_PACKAGE: "bandwidth_package_id"}
_SEVERAL = {Resource.BANDWIDTH_PACKAGE: "bandwidth_package_ids"}
_MEMBERS = _ONE | {Resource.ADDRESS: "resource_ids"}

ACTIONS = (
    declared(CreateBandwidthPackage, CreateBandwidthPackageAnswer, create_bandwidth_package, writes=True, buys=True),
    declared(ModifyBandwidthPackageAttribute, Done, modify_bandwidth_package_attribute, writes=True, touches=_ONE),
    declared(
        ModifyBandwidthPackageBandwidth,
        Done,
        modify_bandwidth_package_bandwidth,
        writes=True,
        buys=True,
        touches=_ONE,
    ),
    declared(DeleteBandwidthPackage, Done, delete_bandwidth_package, writes=True, touches=_ONE),
    declared(
        AddBandwidthPackageResources, Done, add_bandwidth_package_resources, writes=True, buys=True, touches=_MEMBERS
    ),
    declared(
        RemoveBandwidthPackageResources,
        Done,
        remove_bandwidth_package_resources,
        writes=True,
        buys=True,
        touches=_MEMBERS,
    ),
    declared(
        DescribeBandwidthPackages,
        DescribeBandwidthPackagesAnswer,
        describe_bandwidth_packages,
        writes=False,
        touches=_SEVERAL,
    ),
    declared(
        DescribeBandwidthPackageResources,
        DescribeBandwidthPackageResourcesAnswer,
        describe_bandwidth_package_resources,
        writes=False,
        touches=_ONE,
    ),
    declared(
        DescribeBandwidthPackageQuota,
        DescribeBandwidthPackageQuotaAnswer,
        describe_bandwidth_package_quota,
        writes=False,
    ),
    declared(
        DescribeBandwidthPackageBandwidthRange,
        DescribeBandwidthPackageBandwidthRangeAnswer,
        describe_bandwidth_package_bandwidth_range,
        writes=False,
        touches=_SEVERAL,
    ),
)
