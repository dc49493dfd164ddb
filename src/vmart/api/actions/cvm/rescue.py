"""cvm: a machine's rescue mode: EnterRescueMode, ExitRescueMode."""

from typing import Annotated

from pydantic import Field

from vmart.api.actions.cvm.instances import StopType, how_to_stop
from vmart.api.declarations import Domain, Done, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.orders import rescue


class EnterRescueMode(Shape):
    """A rescue system with a password of its own at the machine's addresses; its own system disk is a folder there."""

    instance_id: Annotated[str, Field(max_length=60), Domain("machines")]
    password: Annotated[str, Field(max_length=64)]
    username: Annotated[str, Field(max_length=64), Domain("user")] = ""
    force_stop: bool | None = None  # the older spelling of StopType
    stop_type: StopType | None = None


class ExitRescueMode(Shape):
    """Back to the machine's own system; it runs then."""

    instance_id: Annotated[str, Field(max_length=60), Domain("machines")]


def enter_rescue_mode(call: Call, asked: EnterRescueMode) -> Done:
    """Accepted; ENTER_RESCUE_MODE until the rescue system runs."""
    stop_type = how_to_stop(asked.stop_type, asked.force_stop, "ForceStop")
    rescue.enter(call.actor, asked.instance_id, asked.password, user=asked.username, stop_type=stop_type)
    return {}


def exit_rescue_mode(call: Call, asked: ExitRescueMode) -> Done:
    """Accepted; EXIT_RESCUE_MODE until its own system runs."""
    rescue.leave(call.actor, asked.instance_id)
    return {}


_TOUCHES = {Resource.MACHINE: "instance_id"}
ACTIONS = (
    Action("EnterRescueMode", EnterRescueMode, Done, enter_rescue_mode, writes=True, touches=_TOUCHES),
    Action("ExitRescueMode", ExitRescueMode, Done, exit_rescue_mode, writes=True, touches=_TOUCHES),
)
