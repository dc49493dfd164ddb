"""cvm: planned ends of machines. Import-, Describe-, DeleteInstancesActionTimer."""

import datetime as dt
from typing import Annotated, Final, Literal, TypedDict

from pydantic import Field

from vmart.api.actions.cvm.instance_types import ExternalsAnswer
from vmart.api.actions.cvm.instances import InstanceIds
from vmart.api.declarations import Code, Domain, Done, NotOffered, Shape
from vmart.api.registry import Action, Call, Resource
from vmart.api.words import utc_text
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, MissingParameter
from vmart.listings import planned_ends
from vmart.listings.planned_ends import PlannedEnd, Wanted
from vmart.orders import planned_end
from vmart.orders.errors import NotPlanned

TERMINATE: Final = "TerminateInstances"
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_Text = Annotated[str, Field(max_length=60)]
_TimerIds = Annotated[list[_Text], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")]


class ActionTimer(Shape):
    """What is to be done with machines at an instant, in UTC: they are ended. More than five minutes from now."""

    timer_action: Annotated[Literal["TerminateInstances"], Domain()] = TERMINATE
    action_time: Annotated[_Text, Domain("ends_at")]
    externals: NotOffered = None
    action_timer_id: NotOffered = None
    status: NotOffered = None
    instance_id: NotOffered = None


class ImportInstancesActionTimer(Shape):
    """The same end for several machines, all or none."""

    instance_ids: InstanceIds
    action_timer: ActionTimer


class DescribeInstancesActionTimer(Shape):
    """By ids, machines, instants or states; all of them where nothing is said. Both instants are inclusive."""

    action_timer_ids: _TimerIds = []
    instance_ids: InstanceIds = []
    timer_action: Literal["TerminateInstances"] = TERMINATE
    start_action_time: Annotated[_Text, Domain("ends_from")] = ""
    end_action_time: Annotated[_Text, Domain("ends_to")] = ""
    status_list: Annotated[list[Literal["UNDO", "DOING", "DONE"]], Field(max_length=10)] = []


class DeleteInstancesActionTimer(Shape):
    """By ids, all or none; what has been done cannot be taken back."""

    action_timer_ids: Annotated[_TimerIds, Domain("machines")]


class ImportInstancesActionTimerAnswer(TypedDict):
    """Ids in the order of the machines."""

    ActionTimerIds: list[str]


class ActionTimerAnswer(TypedDict):
    """A planned end. Status: UNDO, DOING while an operation that is under way is waited for, DONE."""

    ActionTimerId: str
    InstanceId: str
    TimerAction: str
    ActionTime: str
    Status: str
    Externals: ExternalsAnswer


class DescribeInstancesActionTimerAnswer(TypedDict):
    """The soonest first."""

    ActionTimers: list[ActionTimerAnswer]


def ends_at(timer: ActionTimer) -> dt.datetime:
    """The instant that it says. Raises InvalidValue."""
    try:
        return dt.datetime.strptime(timer.action_time, _FORM).replace(tzinfo=dt.UTC)
    except ValueError:
        raise InvalidValue(
            "The end is said in UTC, as {example}.", field="ends_at", example=utc_text(clock.now())
        ) from None


def import_instances_action_timer(call: Call, asked: ImportInstancesActionTimer) -> ImportInstancesActionTimerAnswer:
    """Of machines that are charged by the hour; one that has a planned end is refused."""
    planned_end.plan(call.actor, asked.instance_ids, ends_at(asked.action_timer))
    return {"ActionTimerIds": [planned_end.id_of(public_id) for public_id in asked.instance_ids]}


def describe_instances_action_timer(
    call: Call, asked: DescribeInstancesActionTimer
) -> DescribeInstancesActionTimerAnswer:
    """Of machines that are not erased yet."""
    wanted = Wanted(
        public_ids=_machines(asked),
        ends_from=_instant(asked.start_action_time, "ends_from"),
        ends_to=_instant(asked.end_action_time, "ends_to"),
    )
    found, status = planned_ends.some(call.account_id, wanted), asked.status_list
    return {"ActionTimers": [told(one.ends_at, one) for one in found if not status or one.status in status]}


def _machines(asked: DescribeInstancesActionTimer) -> list[str] | None:
    """The machines that both lists of ids name; None where neither is given."""
    by_timer = {planned_end.machine_of(timer_id) for timer_id in asked.action_timer_ids}
    if asked.action_timer_ids and asked.instance_ids:
        return sorted(by_timer & set(asked.instance_ids))
    return sorted(by_timer) if asked.action_timer_ids else asked.instance_ids or None


def _instant(text: str, field: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        plain = text.replace("T", " ").removesuffix("Z")
        return dt.datetime.strptime(plain, "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)
    except ValueError:
        raise InvalidValue("A bound is said in UTC, as 2018-05-01 19:00:00.", field=field) from None


def told(at: dt.datetime, one: PlannedEnd | None = None) -> ActionTimerAnswer:
    """A planned end; that of no machine yet has neither id nor status."""
    return {
        "ActionTimerId": one.timer_id if one else "",
        "InstanceId": one.public_id if one else "",
        "TimerAction": TERMINATE,
        "ActionTime": utc_text(at),
        "Status": one.status if one else "",
        "Externals": {},
    }


def delete_instances_action_timer(call: Call, asked: DeleteInstancesActionTimer) -> Done:
    """The machines run on."""
    if not asked.action_timer_ids:
        raise MissingParameter("ActionTimerIds names no timer.", field="machines")
    machines = [planned_end.machine_of(timer_id) for timer_id in asked.action_timer_ids]
    for timer_id, machine in zip(asked.action_timer_ids, machines, strict=True):
        if not machine:
            raise NotPlanned("The timer {id} does not exist.", field="machines", id=timer_id)
    planned_end.give_up(call.actor, machines)
    return {}


ACTIONS = (
    Action(
        "ImportInstancesActionTimer",
        ImportInstancesActionTimer,
        ImportInstancesActionTimerAnswer,
        import_instances_action_timer,
        writes=True,
        touches={Resource.MACHINE: "instance_ids"},
    ),
    Action(
        "DescribeInstancesActionTimer",
        DescribeInstancesActionTimer,
        DescribeInstancesActionTimerAnswer,
        describe_instances_action_timer,
        writes=False,
        touches={Resource.MACHINE: ("action_timer_ids", "instance_ids")},
    ),
    Action(
        "DeleteInstancesActionTimer",
        DeleteInstancesActionTimer,
        Done,
        delete_instances_action_timer,
        writes=True,
        touches={Resource.MACHINE: "action_timer_ids"},
    ),
)
