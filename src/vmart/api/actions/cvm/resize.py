"""cvm: another instance type of a machine: what it costs, and the change."""

from typing import Annotated, TypedDict

from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.actions.prices import SteppedPriceAnswer, amounts, type_price
from vmart.api.declarations import Code, Domain, Done, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.orders import resize
from vmart.orders.downgrade import Downgrade
from vmart.orders.resize import Resize
from vmart.pricing.configuration import POSTPAID_BY_HOUR
from vmart.pricing.priced import Priced


class InquiryPriceResetInstancesType(Shape):
    """What the type costs; of one machine at a time."""

    instance_ids: InstanceIds
    instance_type: Annotated[str, Code("InvalidParameterValue.InstanceTypeNotFound"), Domain("instance_type")]


class ResetInstancesType(InquiryPriceResetInstancesType):
    """A running machine needs ForceStop, though it is turned off only where its engine has to."""

    force_stop: Annotated[bool, Domain("while_running")] = False


class TypePriceAnswer(TypedDict):
    """The type alone: disks and network cost what they did."""

    InstancePrice: SteppedPriceAnswer


class InquiryPriceResetInstancesTypeAnswer(TypedDict):
    """The price of the new type."""

    Price: TypePriceAnswer


def reset_instances_type(call: Call, asked: ResetInstancesType) -> Done:
    """Accepted; in force soon, which LatestOperationState tells."""
    resize.change(call.actor, asked.instance_ids, asked.instance_type, while_running=asked.force_stop)
    return {}


def inquiry_price_reset_instances_type(
    call: Call, asked: InquiryPriceResetInstancesType
) -> InquiryPriceResetInstancesTypeAnswer:
    """Postpaid an hour of the type at each age; prepaid what the rest of the term costs more: below 0 it comes back."""
    cost = resize.reckon(call.account_id, Resize(asked.instance_ids, asked.instance_type))
    if isinstance(cost, Priced):
        return {"Price": {"InstancePrice": amounts(cost.list_minor, cost.due_minor, cost.currency)}}
    if isinstance(cost, Downgrade):
        return {"Price": {"InstancePrice": amounts(-cost.back_minor, -cost.back_minor, cost.priced.currency)}}
    return {"Price": {"InstancePrice": type_price(cost.unit, POSTPAID_BY_HOUR)}}


ACTIONS = (
    Action(
        "ResetInstancesType",
        ResetInstancesType,
        Done,
        reset_instances_type,
        writes=True,
        buys=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "InquiryPriceResetInstancesType",
        InquiryPriceResetInstancesType,
        InquiryPriceResetInstancesTypeAnswer,
        inquiry_price_reset_instances_type,
        writes=False,
        touches={Resource.MACHINE: "instance_ids"},
    ),
)
