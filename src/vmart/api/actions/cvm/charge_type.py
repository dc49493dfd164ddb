"""cvm: postpaid machines that are paid ahead from now on: what their first term costs, and the change."""

from typing import Annotated, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.actions.cvm.purchase import InstanceChargePrepaid
from vmart.api.actions.prices import RenewalPriceAnswer, renewal_price
from vmart.api.declarations import INT32_MAX, Code, Domain, Done, FalseOnly, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.kernel.errors import MissingParameter, Unsupported
from vmart.orders import convert
from vmart.orders.convert import Conversion
from vmart.pricing.configuration import PREPAID


class FirstTerm(InstanceChargePrepaid):
    """InstanceChargePrepaid of a change: the first term in months."""

    period: Annotated[int, Field(ge=1, le=INT32_MAX), Code("InvalidPeriod"), Domain("months")]


class InquiryPriceModifyInstancesChargeType(Shape):
    """What the first term costs."""

    instance_ids: InstanceIds
    instance_charge_type: Annotated[Literal["PREPAID", "POSTPAID_BY_HOUR"], Domain("charge_type")]
    instance_charge_prepaid: Annotated[FirstTerm | None, Domain("prepaid")] = None
    modify_portable_data_disk: FalseOnly = None


class ModifyInstancesChargeType(InquiryPriceModifyInstancesChargeType):
    """Up to 20 machines, all or none; paid from the balance at once."""

    instance_ids: Annotated[
        list[Annotated[str, Field(max_length=60)]],
        Field(max_length=20), Code("InvalidParameterValue.LimitExceeded"), Domain("machines"),
    ]  # fmt: skip


class InquiryPriceModifyInstancesChargeTypeAnswer(TypedDict):
    """The price of all machines together."""

    Price: RenewalPriceAnswer


def _asked(asked: InquiryPriceModifyInstancesChargeType) -> Conversion:
    if asked.instance_charge_type != PREPAID:
        raise Unsupported(
            "A prepaid machine is not charged by the hour again here; return it and buy a postpaid one.",
            field="charge_type",
        )
    first = asked.instance_charge_prepaid
    if first is None:
        raise MissingParameter("PREPAID needs InstanceChargePrepaid with its Period.", field="prepaid")
    return Conversion(asked.instance_ids, first.period, first.renew_flag)


def modify_instances_charge_type(call: Call, asked: ModifyInstancesChargeType) -> Done:
    """Done when it is answered: the machine itself is not touched."""
    convert.ACT.order(call.actor, _asked(asked))
    return {}


def inquiry_price_modify_instances_charge_type(
    call: Call, asked: InquiryPriceModifyInstancesChargeType
) -> InquiryPriceModifyInstancesChargeTypeAnswer:
    """Of a term that would begin now; bandwidth by the month is not among it."""
    return {"Price": renewal_price(convert.ACT.price(call.account_id, _asked(asked)))}


ACTIONS = (
    Action(
        "ModifyInstancesChargeType",
        ModifyInstancesChargeType,
        Done,
        modify_instances_charge_type,
        writes=True,
        buys=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "InquiryPriceModifyInstancesChargeType",
        InquiryPriceModifyInstancesChargeType,
        InquiryPriceModifyInstancesChargeTypeAnswer,
        inquiry_price_modify_instances_charge_type,
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
