"""cbs: terms of disks that are paid ahead: a further one, renewal by itself, a first one of what was postpaid."""

from collections import defaultdict
from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cbs.own_disks import DetailedPriceAnswer, DiskChargePrepaid, Period, detailed, disk_price
from vmart.api.actions.cvm.renewal import RenewFlag
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, Shape
from vmart.api.registry import Call, Resource
from vmart.customers.roles import Permission
from vmart.kernel.errors import InvalidParameter, MissingParameter, Unsupported
from vmart.orders.convert import Conversion
from vmart.orders.disks import convert, renew
from vmart.orders.renew import Renewal

_DiskId = Annotated[str, Field(max_length=60)]
_DiskIds = Annotated[list[_DiskId], Field(max_length=50), Code("InvalidParameterValue.LimitExceeded"), Domain("disks")]


class FurtherTerm(Shape):
    """DiskChargePrepaid of a renewal: the further term in months; without RenewFlag that stays as it is."""

    period: Period
    renew_flag: Annotated[RenewFlag | None, Domain("renew_flag")] = None
    cur_instance_deadline: NotOffered = None


class RenewDisk(Shape):
    """A prepaid disk; the term follows the old expiry, also in the recycle bin."""

    disk_id: Annotated[_DiskId, Domain("disks")]
    disk_charge_prepaid: FurtherTerm


class EachTerm(Shape):
    """DiskChargePrepaid of a list of them."""

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("terms.*.months")]
    renew_flag: Annotated[RenewFlag | None, Domain("terms.*.renew_flag")] = None
    cur_instance_deadline: NotOffered = None


class InquiryPriceRenewDisks(Shape):
    """What RenewDisk would charge now: a term for each disk, in the same order, or one for all."""

    disk_ids: _DiskIds
    disk_charge_prepaids: Annotated[list[EachTerm], Field(max_length=50), Domain("terms")] = []
    new_deadline: NotOffered = None
    project_id: Annotated[int, Field(ge=0, le=0), Code("InvalidParameter.ProjectIdNotExist")] = 0


class ModifyDisksRenewFlag(Shape):
    """Whether prepaid disks renew themselves, a month at a time, and whether their owner is reminded. All or none."""

    disk_ids: _DiskIds
    renew_flag: Annotated[RenewFlag, Domain("renew_flag")]
    auto_renew_period: Annotated[int, Field(ge=1, le=1), Code("InvalidParameterValue")] = 1


class ModifyDisksChargeType(Shape):
    """Postpaid disks that are paid ahead from now on, all or none; paid from the balance at once."""

    disk_ids: _DiskIds
    disk_charge_prepaid: Annotated[DiskChargePrepaid | None, Domain("term")] = None
    disk_charge_postpaid: Annotated[bool, Domain("charge_type")] = False


class InquiryPriceRenewDisksAnswer(TypedDict):
    """The price of all disks together."""

    DiskPrice: DetailedPriceAnswer


def renew_disk(call: Call, asked: RenewDisk) -> Done:
    """Paid from the balance at once."""
    term = asked.disk_charge_prepaid
    renew.ACT.order(call.actor, Renewal([asked.disk_id], term.period, renew_flag=term.renew_flag or ""))
    return {}


def inquiry_price_renew_disks(call: Call, asked: InquiryPriceRenewDisks) -> InquiryPriceRenewDisksAnswer:
    """For all of them together."""
    found = [
        renew.ACT.price(call.account_id, Renewal(disk_ids, months)) for months, disk_ids in _by_term(asked).items()
    ]
    return {"DiskPrice": detailed(disk_price([], [(one.list_minor, one.due_minor) for one in found]))}


def _by_term(asked: InquiryPriceRenewDisks) -> dict[int, list[str]]:
    """The disks of each term. Raises MissingParameter and InvalidParameter where it is not said of each."""
    terms = [term.period for term in asked.disk_charge_prepaids]
    if not terms:
        raise MissingParameter("Say for how long, by DiskChargePrepaids.", field="terms")
    if len(terms) not in (1, len(asked.disk_ids)):
        raise InvalidParameter("DiskChargePrepaids has a term for each of DiskIds, or one for all.", field="terms")
    if len(set(asked.disk_ids)) != len(asked.disk_ids):
        raise InvalidParameter("DiskIds names a disk twice.", field="disks")
    found: dict[int, list[str]] = defaultdict(list)
    for disk_id, months in zip(asked.disk_ids, terms * (len(asked.disk_ids) if len(terms) == 1 else 1), strict=True):
        found[months].append(disk_id)
    return found or {terms[0]: []}


def modify_disks_renew_flag(call: Call, asked: ModifyDisksRenewFlag) -> Done:
    """From now on, for terms that end later."""
    renew.set_flag(call.actor, asked.disk_ids, asked.renew_flag)
    return {}


def modify_disks_charge_type(call: Call, asked: ModifyDisksChargeType) -> Done:
    """Done when it is answered: the disks themselves are not touched."""
    if asked.disk_charge_postpaid:
        raise Unsupported(
            "A prepaid disk is not charged by the hour again here; return it and buy a postpaid one.",
            field="charge_type",
        )
    first = asked.disk_charge_prepaid
    if first is None:
        raise MissingParameter("A prepaid disk needs DiskChargePrepaid with its Period.", field="term")
    convert.ACT.order(call.actor, Conversion(asked.disk_ids, first.period, first.renew_flag))
    return {}


ACTIONS = (
    declared(RenewDisk, Done, renew_disk, writes=True, buys=True, touches={Resource.DISK: "disk_id"}),
    declared(
        InquiryPriceRenewDisks,
        InquiryPriceRenewDisksAnswer,
        inquiry_price_renew_disks,
        writes=False,
        touches={Resource.DISK: "disk_ids"},
    ),
    declared(
        ModifyDisksRenewFlag,
        Done,
        modify_disks_renew_flag,
        writes=True,
        needs=Permission.SPEND,
        touches={Resource.DISK: "disk_ids"},
    ),
    declared(
        ModifyDisksChargeType,
        Done,
        modify_disks_charge_type,
        writes=True,
        buys=True,
        touches={Resource.DISK: "disk_ids"},
    ),
)
