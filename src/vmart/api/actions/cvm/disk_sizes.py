"""cvm: a larger disk of a machine: what it costs, and the change."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.prices import UnitPriceAnswer, amounts, hour_price
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, Shape, not_offered
from vmart.api.registry import Action, Call, Resource
from vmart.api.stays import refuse_change
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.listings import overview
from vmart.orders import grow_disk
from vmart.orders.grow_disk import Growth
from vmart.pricing.priced import Priced
from vmart.storage.models import Disk

_Size = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]


class GrownSystemDisk(Shape):
    """SystemDisk of a change: its size in GiB; its type may be said where it stays so."""

    disk_size: Annotated[_Size, Domain("system_disk.size_gib")]
    disk_id: NotOffered = None
    disk_type: Annotated[str, Field(max_length=60), Domain("system_disk.disk_type")] | None = None
    disk_name: NotOffered = None
    cdc_id: NotOffered = None
    encrypt: Annotated[None, not_offered()] = None
    kms_key_id: NotOffered = None


class GrownDataDisk(Shape):
    """DataDisks of a change: the size in GiB; a machine with several says which by DiskId."""

    disk_size: Annotated[_Size, Domain("data_disks.*.size_gib")]
    disk_id: Annotated[str, Field(max_length=60), Domain("data_disks.*.id")] = ""
    disk_type: Annotated[str, Field(max_length=60), Domain("data_disks.*.disk_type")] | None = None
    disk_name: NotOffered = None
    cdc_id: NotOffered = None
    encrypt: Annotated[None, not_offered()] = None
    kms_key_id: NotOffered = None
    delete_with_instance: Annotated[None, not_offered()] = None
    snapshot_id: NotOffered = None
    throughput_performance: Annotated[None, not_offered()] = None
    burst_performance: Annotated[None, not_offered()] = None


class ResizeInstanceDisks(Shape):
    """One disk of one machine: its system disk, or a data disk. A running machine needs ResizeOnline or ForceStop."""

    instance_id: Annotated[str, Domain("machines")]
    system_disk: GrownSystemDisk | None = None
    data_disks: Annotated[list[GrownDataDisk], Field(max_length=1), Code("InvalidParameterValue.LimitExceeded")] = []
    force_stop: Annotated[bool, Domain("while_running")] = False
    resize_online: bool = False


class InquiryPriceResizeInstanceDisks(ResizeInstanceDisks):
    """What the larger disk costs."""


class DiskPriceAnswer(TypedDict):
    """The disk alone."""

    InstancePrice: UnitPriceAnswer


class InquiryPriceResizeInstanceDisksAnswer(TypedDict):
    """The price of the larger disk."""

    Price: DiskPriceAnswer


def _asked(call: Call, asked: ResizeInstanceDisks) -> Growth:
    """Which disk, and what is refused of naming it (API 3.0)."""
    if bool(asked.system_disk) == bool(asked.data_disks):
        raise InvalidParameter("Say either SystemDisk or one of DataDisks.", field="data_disks")
    machine = overview.machine(call.account_id, asked.instance_id)
    disks = overview.disks(machine.id) if machine else []
    system, data = next(iter(disks), None), disks[1:]
    if asked.system_disk:
        _refuse_type(system, asked.system_disk.disk_type, "system_disk.disk_type")
        return Growth([asked.instance_id], system.public_id if system else "", asked.system_disk.disk_size)
    (wanted,) = asked.data_disks
    if not wanted.disk_id and len(data) > 1:
        raise MissingParameter("The machine has several data disks; say which by DiskId.", field="data_disks.0.id")
    named = [disk for disk in disks if disk.public_id == wanted.disk_id] if wanted.disk_id else data
    grown = next(iter(named), None)
    _refuse_type(grown, wanted.disk_type, "data_disks.0.disk_type")
    return Growth([asked.instance_id], grown.public_id if grown else wanted.disk_id, wanted.disk_size)


def _refuse_type(disk: Disk | None, said: str | None, field: str) -> None:
    """A disk that is not there is refused by the act."""
    if disk is not None and said is not None:
        refuse_change(said, disk.disk_type, disk.public_id, field)


def resize_instance_disks(call: Call, asked: ResizeInstanceDisks) -> Done:
    """Accepted; LatestOperationState tells when it has its size."""
    grow_disk.grow(call.actor, _asked(call, asked), while_running=asked.force_stop or asked.resize_online)
    return {}


def inquiry_price_resize_instance_disks(
    call: Call, asked: InquiryPriceResizeInstanceDisks
) -> InquiryPriceResizeInstanceDisksAnswer:
    """Postpaid an hour of the larger disk; prepaid what the rest of the term costs more."""
    growth = _asked(call, asked)
    cost = grow_disk.reckon(call.account_id, growth)
    if isinstance(cost, Priced):
        return {"Price": {"InstancePrice": amounts(cost.list_minor, cost.due_minor, cost.currency)}}
    return {"Price": {"InstancePrice": hour_price(cost.disk_hourly)}}


ACTIONS = (
    Action(
        "ResizeInstanceDisks",
        ResizeInstanceDisks,
        Done,
        resize_instance_disks,
        writes=True,
        buys=True,
        touches={Resource.MACHINE: "instance_id", Resource.DISK: "data_disks.disk_id"},
    ),
    Action(
        "InquiryPriceResizeInstanceDisks",
        InquiryPriceResizeInstanceDisks,
        InquiryPriceResizeInstanceDisksAnswer,
        inquiry_price_resize_instance_disks,
        writes=False,
        touches={Resource.MACHINE: "instance_id", Resource.DISK: "data_disks.disk_id"},
    ),
)
