"""cbs: terms of disks that are paid ahead: a further one, renewal by itself, a first one of what was postpaid."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cbs.declared import declared
from vmart.api.actions.cbs.own_disks import DetailedPriceAnswer, DiskChargePrepaid, Period, detailed, disk_price
from vmart.api.actions.cvm.renewal import RenewFlag
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, NotOffered, Shape
from vmart.api.registry import Call, Resource
from vmart.catalog import shop
from vmart.customers.roles import Permission
from vmart.kernel.errors import InvalidParameter, MissingParameter, Unsupported
from vmart.orders.convert import Conversion
from vmart.orders.disks import align, convert, renew
from vmart.orders.renew import Renewal

_DiskId = Annotated[str, Field(max_length=60)]
_Deadline = Annotated[str, Field(max_length=40)]
_DiskIds = Annotated[list[_DiskId], Field(max_length=50), Code("InvalidParameterValue.LimitExceeded"), Domain("disks")]


class FurtherTerm(Shape):
    """DiskChargePrepaid of a renewal: the further term in months; without RenewFlag that stays as it is.

    CurInstanceDeadline: when the machine that has the disk expires now, in the shop's time, as 2018-03-30 20:15:03.
    The disk goes on as long as that, once it is renewed by Period too.
    """

    period: Period
    renew_flag: Annotated[RenewFlag | None, Domain("renew_flag")] = None
    cur_instance_deadline: Annotated[_Deadline, Domain("deadline")] = ""


class RenewDisk(Shape):
    """A prepaid disk; the term follows the old expiry, also in the recycle bin."""

    disk_id: Annotated[_DiskId, Domain("disks")]
    disk_charge_prepaid: FurtherTerm


class EachTerm(Shape):
    """DiskChargePrepaid of a list of them; as of a renewal."""

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidParameterValue"), Domain("terms.*.months")]
    renew_flag: Annotated[RenewFlag | None, Domain("terms.*.renew_flag")] = None
    cur_instance_deadline: Annotated[_Deadline, Domain("terms.*.deadline")] = ""


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
    wanted = _wanted(call.account_id, [asked.disk_id], term)
    renew.ACT.order(call.actor, replace(wanted, renew_flag=term.renew_flag or ""))
    return {}


def _wanted(account_id: int, disk_ids: list[str], term: FurtherTerm | EachTerm, *, field: str = "deadline") -> Renewal:
    """Of one disk where it is to go on as long as its machine. ``field``: the path of when that expires."""
    if not term.cur_instance_deadline:
        return Renewal(disk_ids, term.period)
    (disk_id,) = disk_ids
    deadline = _instant(term.cur_instance_deadline, field)
    return align.to_its_machine(account_id, disk_id, deadline, term.period, field=field)


def _instant(text: str, field: str) -> dt.datetime:
    try:
        local = dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=shop.snapshot().billing_zone)
    except ValueError:
        raise InvalidParameter("An expiry is said as 2018-03-30 20:15:03.", field=field) from None
    return local.astimezone(dt.UTC)


def inquiry_price_renew_disks(call: Call, asked: InquiryPriceRenewDisks) -> InquiryPriceRenewDisksAnswer:
    """For all of them together."""
    found = [
        renew.ACT.price(call.account_id, _wanted(call.account_id, disk_ids, term, field=f"terms.{place}.deadline"))
        for place, term, disk_ids in _by_term(asked)
    ]
    return {"DiskPrice": detailed(disk_price([], [(one.list_minor, one.due_minor) for one in found]))}


def _by_term(asked: InquiryPriceRenewDisks) -> Iterator[tuple[int, EachTerm, list[str]]]:
    """Each term by its place in the list, with its disks.

    Raises MissingParameter and InvalidParameter where it is not said of each.
    """
    terms = asked.disk_charge_prepaids
    if not terms:
        raise MissingParameter("Say for how long, by DiskChargePrepaids.", field="terms")
    if len(terms) not in (1, len(asked.disk_ids)):
        raise InvalidParameter("DiskChargePrepaids has a term for each of DiskIds, or one for all.", field="terms")
    if len(set(asked.disk_ids)) != len(asked.disk_ids):
        raise InvalidParameter("DiskIds names a disk twice.", field="disks")
    found: dict[tuple[int, str], tuple[int, EachTerm, list[str]]] = {}
    for number, disk_id in enumerate(asked.disk_ids):
        place = number if len(terms) > 1 else 0
        term = terms[place]
        # What goes on with its machine is reckoned by itself.
        alike = (term.period, disk_id if term.cur_instance_deadline else "")
        found.setdefault(alike, (place, term, []))[2].append(disk_id)
    yield from found.values() or [(0, terms[0], [])]


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
