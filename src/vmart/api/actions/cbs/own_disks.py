"""cbs: disks with a life of their own: bought, attached, detached and ended."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cvm.places import in_region
from vmart.api.actions.cvm.purchase import DiskName
from vmart.api.actions.cvm.renewal import RenewFlag
from vmart.api.actions.tagged import Tags
from vmart.api.actions.tagged import wanted as wanted_tags
from vmart.api.declarations import INT32_MAX, ClientToken, Code, Domain, Done, FalseOnly, NotOffered, Shape, not_offered
from vmart.api.registry import Call, Resource
from vmart.catalog import shop
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.money import exponent, from_minor
from vmart.orders.disks import attach, attributes, create, detach, resize, terminate
from vmart.orders.disks.create import NewDisks
from vmart.orders.grow_disk import Reckoned
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.priced import Priced

_Name = Annotated[str, Field(max_length=60)]
_DiskIds = Annotated[list[_Name], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded"), Domain("disks")]
_Size = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue"), Domain("disk.size_gib")]
Period = Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("months")]
_Count = Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("count")]


class DiskPlacement(Shape):
    """Where: the zone. There is one project, number 0."""

    zone: Annotated[_Name, Domain("zone")]
    project_id: Annotated[int, Field(ge=0, le=0), Code("InvalidParameter.ProjectIdNotExist")] = 0
    cage_id: NotOffered = None
    cdc_id: NotOffered = None
    cdc_name: NotOffered = None
    dedicated_cluster_id: NotOffered = None
    project_name: NotOffered = None


class DiskChargePrepaid(Shape):
    """The first term in months. RenewFlag: with NOTIFY_AND_AUTO_RENEW a disk renews itself, a month at a time."""

    period: Period
    renew_flag: Annotated[RenewFlag, Domain("renew_flag")] = "NOTIFY_AND_MANUAL_RENEW"
    cur_instance_deadline: NotOffered = None


class CreateDisks(Shape):
    """Disks alike, all or none, empty or with what a snapshot holds; listed when they are there.

    PREPAID: paid from the balance for a term.
    """

    placement: DiskPlacement
    disk_charge_type: Annotated[_Name, Domain("charge_type")]
    disk_type: Annotated[_Name, Domain("disk.disk_type")]
    disk_size: _Size
    disk_count: _Count = 1
    disk_name: Annotated[DiskName, Domain("disk.name")] = ""
    client_token: ClientToken | None = None
    disk_charge_prepaid: Annotated[DiskChargePrepaid | None, Domain("term")] = None
    tags: Tags = []
    snapshot_id: Annotated[_Name, Domain("disk.snapshot_id", "snapshots")] = ""
    throughput_performance: Annotated[None, not_offered("0")] = None
    kms_key_id: NotOffered = None
    shareable: FalseOnly = None
    encrypt: NotOffered = None
    encrypt_type: NotOffered = None
    delete_snapshot: Annotated[None, not_offered("0")] = None
    auto_mount_configuration: NotOffered = None
    disk_backup_quota: Annotated[None, not_offered("0")] = None
    burst_performance: FalseOnly = None


class InquiryPriceCreateDisks(Shape):
    """What CreateDisks costs in the region of the call: an hour of it, or the term."""

    disk_charge_type: Annotated[_Name, Domain("charge_type")]
    disk_type: Annotated[_Name, Domain("disk.disk_type")]
    disk_size: _Size
    disk_count: _Count = 1
    project_id: Annotated[int, Field(ge=0, le=0), Code("InvalidParameter.ProjectIdNotExist")] = 0
    disk_charge_prepaid: Annotated[DiskChargePrepaid | None, Domain("term")] = None
    throughput_performance: Annotated[None, not_offered("0")] = None
    disk_backup_quota: Annotated[None, not_offered("0")] = None


class AttachDisks(Shape):
    """Disks that no machine has, to one machine of their zone, all or none."""

    instance_id: Annotated[_Name, Domain("machines")]
    disk_ids: _DiskIds
    delete_with_instance: bool = False
    attach_mode: Annotated[None, not_offered("pf")] = None


class DetachDisks(Shape):
    """Disks that machines have, all or none; InstanceId says which machine has them."""

    disk_ids: _DiskIds
    instance_id: Annotated[_Name, Domain("machines")] = ""


class TerminateDisks(Shape):
    """Into the recycle bin; those that are in it are erased. All or none."""

    disk_ids: _DiskIds
    delete_snapshot: Annotated[None, not_offered("0")] = None


class ModifyDiskAttributes(Shape):
    """A name, whether they end with the machine that has them, or both; the same for all, all or none."""

    disk_ids: _DiskIds
    disk_name: Annotated[DiskName | None, Domain("disk.name")] = None
    delete_with_instance: bool | None = None
    project_id: Annotated[int, Field(ge=0, le=0), Code("InvalidParameter.ProjectIdNotExist")] = 0
    portable: NotOffered = None
    disk_type: NotOffered = None
    burst_performance_operation: NotOffered = None


class ResizeDisk(Shape):
    """Any disk is made larger, at a machine or not; DiskState is EXPANDING until it is. Paid from the balance."""

    disk_id: Annotated[_Name, Domain("disks")]
    disk_size: _Size


class InquiryPriceResizeDisk(Shape):
    """What disks cost that are all made so large, DiskId or DiskIds: an hour of them, or the rest of a term more."""

    disk_size: _Size
    disk_id: Annotated[_Name, Domain()] = ""
    disk_ids: _DiskIds = []
    project_id: Annotated[int, Field(ge=0, le=0), Code("InvalidParameter.ProjectIdNotExist")] = 0


class CreateDisksAnswer(TypedDict):
    """Ids in the order of the request."""

    DiskIdSet: list[str]


class DiskPriceAnswer(TypedDict):
    """Postpaid: Unit; prepaid: Original and Discount. High has all decimals, as text."""

    UnitPrice: float | None
    UnitPriceDiscount: float | None
    UnitPriceHigh: str | None
    UnitPriceDiscountHigh: str | None
    ChargeUnit: str | None
    OriginalPrice: float | None
    DiscountPrice: float | None
    OriginalPriceHigh: str | None
    DiscountPriceHigh: str | None


class InquiryPriceCreateDisksAnswer(TypedDict):
    """The price of all of them together."""

    DiskPrice: DiskPriceAnswer


class DetailAnswer(DiskPriceAnswer):
    """What the price is of."""

    PriceName: str
    PriceTitle: str


class DetailedPriceAnswer(DiskPriceAnswer):
    """The size is all that it is of."""

    DetailPrices: list[DetailAnswer]


class InquiryPriceResizeDiskAnswer(TypedDict):
    """The price of all of them together, at their new size."""

    DiskPrice: DetailedPriceAnswer


def _wanted(call: Call, asked: CreateDisks | InquiryPriceCreateDisks, zone: str, name: str = "") -> NewDisks:
    here = shop.snapshot()
    named = in_region(here, call.region)
    region = named.code if named else here.region_of(zone) if zone in here.zones else ""
    disk, term = DiskChoice(asked.disk_type, asked.disk_size, name=name), asked.disk_charge_prepaid
    new = NewDisks(region, zone, asked.disk_charge_type, disk, asked.disk_count)
    return replace(new, months=term.period, renew_flag=term.renew_flag) if term else new


def create_disks(call: Call, asked: CreateDisks) -> CreateDisksAnswer:
    """Accepted; DescribeDisks shows them when they are there."""
    new = _wanted(call, asked, asked.placement.zone, asked.disk_name)
    disk = replace(new.disk, snapshot_id=asked.snapshot_id)
    wanted = replace(new, tags=wanted_tags(asked.tags), disk=disk)
    return {"DiskIdSet": list(create.create(call.actor, wanted, client_token=asked.client_token or ""))}


def inquiry_price_create_disks(call: Call, asked: InquiryPriceCreateDisks) -> InquiryPriceCreateDisksAnswer:
    """An hour of all of them, or their first term."""
    wanted = _wanted(call, asked, "")
    if not wanted.region:
        raise MissingParameter("Name a region: a price is of one.", field="region")
    cost = create.cost(call.account_id, shop.snapshot(), wanted)
    if cost.hourly is not None:
        return {"DiskPrice": hour_price(cost.hourly * asked.disk_count)}
    return {"DiskPrice": disk_price([], [(cost.listed_minor * asked.disk_count, cost.hold_minor * asked.disk_count)])}


def hour_price(amount: Decimal) -> DiskPriceAnswer:
    """An hour of what has no other price."""
    return disk_price([amount], [])


def disk_price(hours: Sequence[Decimal], ahead: Sequence[tuple[int, int]]) -> DiskPriceAnswer:
    """An hour of what is charged by it, and (before discounts, to be paid) of what is paid ahead, in minor units.

    Each is null where nothing is paid so.
    """
    hour = sum(hours, Decimal(0)) if hours else None
    places = exponent(shop.snapshot().currency)
    listed = from_minor(sum(before for before, _ in ahead), places) if ahead else None
    due = from_minor(sum(amount for _, amount in ahead), places) if ahead else None
    return {
        "UnitPrice": _number(hour), "UnitPriceDiscount": _number(hour), "UnitPriceHigh": _text(hour),
        "UnitPriceDiscountHigh": _text(hour), "ChargeUnit": None if hour is None else "HOUR",
        "OriginalPrice": _number(listed), "DiscountPrice": _number(due), "OriginalPriceHigh": _text(listed),
        "DiscountPriceHigh": _text(due),
    }  # fmt: skip


def _number(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def attach_disks(call: Call, asked: AttachDisks) -> Done:
    """Accepted; DiskState tells when the machine has them."""
    ends = asked.delete_with_instance
    attach.attach(call.actor, asked.instance_id, asked.disk_ids, ends_with_machine=ends)
    return {}


def detach_disks(call: Call, asked: DetachDisks) -> Done:
    """Accepted; DiskState tells when the machine has them no more."""
    detach.detach(call.actor, asked.disk_ids, machine_id=asked.instance_id)
    return {}


def terminate_disks(call: Call, asked: TerminateDisks) -> Done:
    """Charging ends now."""
    terminate.terminate(call.actor, asked.disk_ids)
    return {}


def modify_disk_attributes(call: Call, asked: ModifyDiskAttributes) -> Done:
    """Done when it is answered."""
    attributes.modify(
        call.actor, asked.disk_ids, name=asked.disk_name, ends_with_machine=asked.delete_with_instance
    )  # fmt: skip
    return {}


def resize_disk(call: Call, asked: ResizeDisk) -> Done:
    """Accepted; DiskState tells when it has its size."""
    resize.resize(call.actor, asked.disk_id, asked.disk_size)
    return {}


def inquiry_price_resize_disk(call: Call, asked: InquiryPriceResizeDisk) -> InquiryPriceResizeDiskAnswer:
    """An hour of the larger ones that are charged by it, and what the rest of a term costs more of the others."""
    if asked.disk_id and asked.disk_ids:
        raise InvalidParameter("Say either DiskId or DiskIds.", field="disks")
    found = resize.reckon(call.account_id, asked.disk_ids or [asked.disk_id], asked.disk_size)
    hours = [one.disk_hourly for one in found if isinstance(one, Reckoned)]
    ahead = [(one.list_minor, one.due_minor) for one in found if isinstance(one, Priced)]
    return {"DiskPrice": detailed(disk_price(hours, ahead))}


def detailed(price: DiskPriceAnswer) -> DetailedPriceAnswer:
    """A price whose only part is the disk's size."""
    return {**price, "DetailPrices": [{**price, "PriceName": "DiskSize", "PriceTitle": "DiskSize"}]}


ACTIONS = (
    declared(
        CreateDisks, CreateDisksAnswer, create_disks, writes=True, buys=True, touches={Resource.SNAPSHOT: "snapshot_id"}
    ),
    declared(InquiryPriceCreateDisks, InquiryPriceCreateDisksAnswer, inquiry_price_create_disks, writes=False),
    declared(
        AttachDisks,
        Done,
        attach_disks,
        writes=True,
        touches={Resource.MACHINE: "instance_id", Resource.DISK: "disk_ids"},
    ),
    declared(
        DetachDisks,
        Done,
        detach_disks,
        writes=True,
        touches={Resource.MACHINE: "instance_id", Resource.DISK: "disk_ids"},
    ),
    declared(TerminateDisks, Done, terminate_disks, writes=True, touches={Resource.DISK: "disk_ids"}),
    declared(ModifyDiskAttributes, Done, modify_disk_attributes, writes=True, touches={Resource.DISK: "disk_ids"}),
    declared(ResizeDisk, Done, resize_disk, writes=True, buys=True, touches={Resource.DISK: "disk_id"}),
    declared(
        InquiryPriceResizeDisk,
        InquiryPriceResizeDiskAnswer,
        inquiry_price_resize_disk,
        writes=False,
        touches={Resource.DISK: ("disk_id", "disk_ids")},
    ),
)
