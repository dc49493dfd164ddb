"""Legacy: StartInstances, StopInstances, ResetInstancePassword, ReturnInstance."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from vmart.api.declarations import LegacyShape, one_of
from vmart.api.legacy.members import InstanceIds, Name
from vmart.api.registry import Action, Call, Members
from vmart.api.wire.envelope import legacy_code, legacy_sentence
from vmart.kernel.errors import Refused
from vmart.orders import login, reset_password, start, stop, terminate


class StartInstances(LegacyShape):
    """Stopped machines, each by itself."""

    instance_ids: InstanceIds


class StopInstances(LegacyShape):
    """Running machines, each by itself."""

    instance_ids: InstanceIds
    force_stop: Annotated[int, one_of(0, 1)] = 0


class ResetInstancePassword(LegacyShape):
    """Running or stopped machines, each by itself."""

    instance_ids: InstanceIds
    password: Annotated[str, Field(max_length=200)]


class ReturnInstance(LegacyShape):
    """One machine back to the shop."""

    instance_id: Name


def _each(call: Call, public_ids: Sequence[str], act: Callable[[str], None]) -> Members:
    """``act`` on each machine by itself; ``detail`` says how each went, 5400 that some did not."""
    detail: dict[str, Members] = {}
    for public_id in public_ids:
        try:
            act(public_id)
            told: Members = {"code": 0, "message": "", "codeDesc": "Success"}
        except Refused as refusal:
            told = {
                "code": legacy_code(refusal),
                "message": legacy_sentence(refusal, call.language),
                "codeDesc": refusal.code,
            }
        detail[public_id] = told
    failed = [told for told in detail.values() if told["code"]]
    detail = {public_id: {**told, "requestId": call.request_id} for public_id, told in detail.items()}
    if not failed:
        return {"detail": detail}
    if len(failed) < len(detail):
        return {"code": 5400, "message": failed[0]["message"], "codeDesc": "OperationPartlyFailed", "detail": detail}
    return {**failed[0], "detail": detail}


def start_instances(call: Call, asked: StartInstances) -> Members:
    """Start each."""
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: start.start(call.actor, [public_id]),
    )


def stop_instances(call: Call, asked: StopInstances) -> Members:
    """Stop each, charged on as before."""
    stop_type = stop.SOFT_FIRST if asked.force_stop else stop.SOFT
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: stop.stop(call.actor, [public_id], stop_type=stop_type),
    )


def reset_instance_password(call: Call, asked: ResetInstancePassword) -> Members:
    """The same password for the user of each; a running one stays on."""
    login.check_new_password(asked.password)  # once: it is the request's fault, not a machine's
    return _each(
        call,
        asked.instance_ids,
        lambda public_id: reset_password.reset(call.actor, [public_id], asked.password),
    )


def return_instance(call: Call, asked: ReturnInstance) -> Members:
    """Into the recycle bin, a prepaid one with its refund."""
    terminate.terminate(call.actor, [asked.instance_id])
    return {}


ACTIONS = (
    Action("StartInstances", StartInstances, start_instances, version=""),
    Action("StopInstances", StopInstances, stop_instances, version=""),
    Action("ResetInstancePassword", ResetInstancePassword, reset_instance_password, version=""),
    Action("ReturnInstance", ReturnInstance, return_instance, version=""),
)
