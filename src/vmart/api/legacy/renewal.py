"""Legacy: RenewInstance, SetAutoRenew."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.declarations import Domain, Done, LegacyShape, one_of
from vmart.api.legacy.members import InstanceId
from vmart.api.registry import Action, Call, Resource
from vmart.customers.roles import Permission
from vmart.orders import renew, renew_flag
from vmart.orders.renew import Renewal


class RenewInstance(LegacyShape):
    """A further term of one prepaid machine, in months."""

    instance_id: InstanceId
    period: Annotated[int, Field(ge=1, le=36), Domain("months")]


class SetAutoRenew(LegacyShape):
    """Whether a prepaid machine renews itself."""

    instance_id: InstanceId
    auto_renew: Annotated[int, one_of(0, 1), Domain("renew_flag")]


class RenewInstanceAnswer(TypedDict):
    """One deal."""

    dealIds: list[str]


def renew_instance(call: Call, asked: RenewInstance) -> RenewInstanceAnswer:
    """Paid from the balance at once; the order's number as text."""
    order = renew.renew(call.actor, Renewal([asked.instance_id], asked.period))
    return {"dealIds": [str(order)]}


def set_auto_renew(call: Call, asked: SetAutoRenew) -> Done:
    """0 is renewed by hand, with reminders."""
    flag = renew_flag.AUTO if asked.auto_renew else renew_flag.MANUAL
    renew_flag.set_flag(call.actor, [asked.instance_id], flag)
    return {}


_MACHINE = {Resource.MACHINE: "instance_id"}
ACTIONS = (
    Action(
        "RenewInstance",
        RenewInstance,
        RenewInstanceAnswer,
        renew_instance,
        version="",
        writes=True,
        buys=True,
        touches=_MACHINE,
    ),
    Action(
        "SetAutoRenew",
        SetAutoRenew,
        Done,
        set_auto_renew,
        version="",
        writes=True,
        needs=Permission.SPEND,
        touches=_MACHINE,
    ),
)
