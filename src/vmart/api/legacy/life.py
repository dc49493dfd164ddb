"""Legacy: StartInstances, StopInstances, ResetInstancePassword, ReturnInstance."""

from collections.abc import Callable
from typing import Annotated, NotRequired, TypedDict

from pydantic import Field

from vmart.api.declarations import Domain, Done, LegacyShape, one_of
from vmart.api.fields import member_of
from vmart.api.legacy.members import InstanceId, InstanceIds
from vmart.api.legacy.words import legacy_code
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import said_of
from vmart.kernel.errors import Refused
from vmart.orders import login, reset_password, start, stop, terminate


class StartInstances(LegacyShape):
    """Stopped machines, each by itself."""

    instance_ids: InstanceIds


class StopInstances(LegacyShape):
    """Running machines, each by itself."""

    instance_ids: InstanceIds
    force_stop: Annotated[int, one_of(0, 1), Domain("stop_type")] = 0


class ResetInstancePassword(LegacyShape):
    """Running or stopped machines, each by itself."""

    instance_ids: InstanceIds
    password: Annotated[str, Field(max_length=200)]


class ReturnInstance(LegacyShape):
    """One machine back to the shop."""

    instance_id: InstanceId


class EachAnswer(TypedDict):
    """How it went with one machine."""

    code: int
    message: str
    codeDesc: str
    requestId: str


class DetailAnswer(TypedDict):
    """Each machine by its id; a code of its own (instead of the envelope's) where some or all failed."""

    code: NotRequired[int]
    message: NotRequired[str]
    codeDesc: NotRequired[str]
    detail: dict[str, EachAnswer]


def _each(
    call: Call, asked: StartInstances | StopInstances | ResetInstancePassword, act: Callable[[str], None]
) -> DetailAnswer:
    """``act`` on each machine by itself; ``detail`` says how each went, 5400 that some did not."""
    detail: dict[str, EachAnswer] = {}
    for public_id in asked.instance_ids:
        try:
            act(public_id)
            code, message, said = 0, "", "Success"
        except Refused as refusal:
            member = member_of(type(asked), refusal.field)
            code, message, said = legacy_code(refusal), said_of(refusal, member, call.language), refusal.code
        detail[public_id] = {"code": code, "message": message, "codeDesc": said, "requestId": call.request_id}
    failed = [told for told in detail.values() if told["code"]]
    if not failed:
        return {"detail": detail}
    if len(failed) < len(detail):
        return {"code": 5400, "message": failed[0]["message"], "codeDesc": "OperationPartlyFailed", "detail": detail}
    first = failed[0]
    return {"code": first["code"], "message": first["message"], "codeDesc": first["codeDesc"], "detail": detail}


def start_instances(call: Call, asked: StartInstances) -> DetailAnswer:
    """Start each."""
    return _each(
        call,
        asked,
        lambda public_id: start.start(call.actor, [public_id]),
    )


def stop_instances(call: Call, asked: StopInstances) -> DetailAnswer:
    """Stop each, charged on as before."""
    stop_type = stop.SOFT_FIRST if asked.force_stop else stop.SOFT
    return _each(
        call,
        asked,
        lambda public_id: stop.stop(call.actor, [public_id], stop_type=stop_type),
    )


def reset_instance_password(call: Call, asked: ResetInstancePassword) -> DetailAnswer:
    """The same password for the user of each; a running one stays on."""
    login.check_new_password(asked.password)  # once: it is the request's fault, not a machine's
    return _each(
        call,
        asked,
        lambda public_id: reset_password.reset(call.actor, [public_id], asked.password),
    )


def return_instance(call: Call, asked: ReturnInstance) -> Done:
    """Into the recycle bin, a prepaid one with its refund."""
    terminate.terminate(call.actor, [asked.instance_id])
    return {}


_MACHINES = {Resource.MACHINE: "instance_ids"}
ACTIONS = (
    Action("StartInstances", StartInstances, DetailAnswer, start_instances, version="", writes=True, touches=_MACHINES),
    Action("StopInstances", StopInstances, DetailAnswer, stop_instances, version="", writes=True, touches=_MACHINES),
    Action(
        "ResetInstancePassword",
        ResetInstancePassword,
        DetailAnswer,
        reset_instance_password,
        version="",
        writes=True,
        touches=_MACHINES,
    ),
    Action(
        "ReturnInstance",
        ReturnInstance,
        Done,
        return_instance,
        version="",
        writes=True,
        touches={Resource.MACHINE: "instance_id"},
    ),
)
