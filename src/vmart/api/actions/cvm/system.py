"""cvm: another system for a machine: InquiryPriceResetInstance, ResetInstance."""

from typing import Annotated, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.purchase import EnhancedService, LoginSettings
from vmart.api.actions.prices import TermPriceAnswer, amounts
from vmart.api.declarations import Code, Domain, Done, NotOffered, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.catalog import shop
from vmart.orders import reinstall, user_data
from vmart.orders.login import LoginWanted
from vmart.orders.reinstall import Reinstall


class InquiryPriceResetInstance(Shape):
    """What another system costs; checked as ResetInstance checks it."""

    instance_id: Annotated[str, Field(max_length=60), Domain("machines")]
    image_id: Annotated[str, Field(max_length=60)] = ""
    system_disk: NotOffered = None
    login_settings: Annotated[LoginSettings, Domain("login")] = LoginSettings()
    enhanced_service: EnhancedService | None = None
    user_data: Annotated[
        str | None, Field(max_length=32 * 1024), Code("InvalidParameterValue.InvalidUserDataFormat")
    ] = None


class ResetInstance(InquiryPriceResetInstance):
    """The system disk anew from an image, the machine's own where none is named; its data disks stay."""

    host_name: Annotated[
        str, Field(max_length=200), Code("InvalidParameterValue.IllegalHostName"), Domain("hostname")
    ] = ""


class SystemPriceAnswer(TypedDict):
    """The system alone: type, disks and network cost what they did."""

    InstancePrice: TermPriceAnswer


class InquiryPriceResetInstanceAnswer(TypedDict):
    """The price of the new system."""

    Price: SystemPriceAnswer


def _asked(asked: InquiryPriceResetInstance, hostname: str = "") -> Reinstall:
    return Reinstall(
        image_id=asked.image_id,
        login=LoginWanted(asked.login_settings.password, tuple(asked.login_settings.key_ids)),
        hostname=hostname,
        user_data=None if asked.user_data is None else user_data.decode(asked.user_data),
    )


def inquiry_price_reset_instance(call: Call, asked: InquiryPriceResetInstance) -> InquiryPriceResetInstanceAnswer:
    """Nothing: no image has a price."""
    reinstall.check(call.account_id, asked.instance_id, _asked(asked))
    return {"Price": {"InstancePrice": amounts(0, 0, shop.snapshot().currency)}}


def reset_instance(call: Call, asked: ResetInstance) -> Done:
    """Accepted; STARTING until the new system runs, which LatestOperationState tells."""
    reinstall.reinstall(call.actor, asked.instance_id, _asked(asked, asked.host_name))
    return {}


_TOUCHES = {
    Resource.MACHINE: "instance_id", Resource.IMAGE: "image_id", Resource.KEY_PAIR: "login_settings.key_ids",
}  # fmt: skip
ACTIONS = (
    Action(
        "InquiryPriceResetInstance",
        InquiryPriceResetInstance,
        InquiryPriceResetInstanceAnswer,
        inquiry_price_reset_instance,
        writes=False,
        touches=_TOUCHES,
    ),
    Action("ResetInstance", ResetInstance, Done, reset_instance, writes=True, touches=_TOUCHES),
)
