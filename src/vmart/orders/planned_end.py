"""The planned end of a machine that is charged by the hour: at an instant that its owner named, it is ended by itself.

What is planned stands in the machine's row and in the queue; ``orders/end_as_planned.py`` does it when it is due.
A machine has one planned end at most, which is known by the machine's own id in another form.
"""

import datetime as dt
import re
from collections.abc import Sequence

from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.attributes import Attributes
from vmart.instances.models import ALIVE, Instance
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.errors import AlreadyPlanned, NotPlanned, Protected, WrongMode
from vmart.pricing.configuration import POSTPAID_BY_HOUR
from vmart.subscriptions.models import Source
from vmart.worker import queue

KIND = "planned_end"
LEAST, MOST = dt.timedelta(minutes=5), dt.timedelta(days=5 * 366)
_NOT_POSTPAID = "UnsupportedOperation.NotSupportImportInstancesActionTimer"


def check_purchase(charge_type: str, ends_at: dt.datetime | None, attributes: Attributes) -> None:
    """Raise WrongMode, Protected or InvalidValue where what is bought cannot have this planned end."""
    if ends_at is None:
        return
    if charge_type != POSTPAID_BY_HOUR:
        raise WrongMode("Only a postpaid machine can be ended at a time.", field="ends_at", code=_NOT_POSTPAID)
    if attributes.termination_protected:
        raise Protected("What is protected is not ended by itself: leave out its end, or the protection.",
                        field="ends_at")  # fmt: skip
    check(ends_at)


def check(ends_at: dt.datetime) -> None:
    """Raise InvalidValue for an instant too soon, or too far away."""
    now = clock.now()
    if ends_at <= now + LEAST:
        raise InvalidValue("The end must be more than {minutes} minutes from now.", field="ends_at",
                           minutes=LEAST // dt.timedelta(minutes=1))  # fmt: skip
    if ends_at > now + MOST:
        raise InvalidValue("The end may be at most {years} years from now.", field="ends_at", years=5)


def refuse(machines: Sequence[Instance]) -> None:
    """Raise WrongMode, WrongState or Protected for machines whose end cannot be planned now."""
    for machine in machines:
        if m.is_prepaid(machine):
            raise WrongMode(
                "{id} is prepaid: its end is that of its term.",
                field="machines", code=_NOT_POSTPAID, id=machine.public_id,
            )  # fmt: skip
        if m.is_spot(machine):
            raise WrongMode(
                "{id} is a spot machine; its end cannot be planned.",
                field="machines", code=_NOT_POSTPAID, id=machine.public_id,
            )  # fmt: skip
    m.refuse_isolated(machines)
    for machine in machines:
        m.refuse_state(machine, ALIVE, "UnsupportedOperation.InstanceStateLaunchFailed")
        if machine.termination_protected:
            raise Protected("{id} is protected, so it is not ended by itself.", field="machines", id=machine.public_id)


def plan(actor: Actor, public_ids: Sequence[str], ends_at: dt.datetime, *, instead: bool = False) -> None:
    """End the machines at this instant, all or none; it is no other act's business whether they are busy now.

    ``instead``: also where an end is planned already, which this one takes the place of. Raises the refusals of
    ``check`` and ``refuse``, UnknownInstance, AlreadyPlanned.
    """
    check(ends_at)
    with accepting(actor, "ImportInstancesActionTimer", public_ids, refuse=refuse) as found:
        planned = [machine for machine in found if machine.ends_at]
        if planned and not instead:
            raise AlreadyPlanned("{id} has a planned end already.", field="machines", id=planned[0].public_id)
        m.forget_work(KIND, planned)
        _put(found, ends_at)
        queue.enqueue_all(
            KIND, record.MACHINE, [machine.id for machine in found], account_id=found[0].account_id, due_at=ends_at
        )
        m.events(found, "end_planned", [{"ends_at": ends_at.isoformat()}] * len(found))


def give_up(actor: Actor, public_ids: Sequence[str]) -> None:
    """Do not end the machines by themselves, all or none. Raises UnknownInstance, NotPlanned."""
    with accepting(actor, "DeleteInstancesActionTimer", public_ids) as found:
        for machine in found:
            if machine.ends_at is None or has_come(machine):
                raise NotPlanned("No end of {id} is planned.", field="machines", id=machine.public_id)
        forget(found)
        m.events(found, "end_not_planned")


def has_come(machine: Instance) -> bool:
    """Whether a machine that has a planned end was ended by it: whoever ends it before gives the plan up."""
    return bool(machine.subscription.isolated_source == Source.MANMADE)


def forget(machines: Sequence[Instance]) -> None:
    """Nothing is planned for them any more. Belongs into the act."""
    planned = [machine for machine in machines if machine.ends_at]
    m.forget_work(KIND, planned)
    _put(planned, None)


def resume(machines: Sequence[Instance]) -> None:
    """They are out of the recycle bin again: an end that came up meanwhile is due now. Belongs into the act."""
    due = [(KIND, machine.id, machine.ends_at) for machine in machines if machine.ends_at]
    if due:
        queue.enqueue_each(machines[0].account_id, record.MACHINE, due)


def _put(machines: Sequence[Instance], ends_at: dt.datetime | None) -> None:
    Instance.objects.filter(pk__in=[machine.pk for machine in machines]).update(ends_at=ends_at)


def id_of(public_id: str) -> str:
    """What the planned end of a machine is known by."""
    return f"timer-{public_id.removeprefix('ins-')}"


def machine_of(timer_id: str) -> str:
    """The public id of the machine whose planned end this is; "" for what is no such id."""
    match = re.fullmatch(r"timer-([0-9a-z]{8})", timer_id)
    return f"ins-{match[1]}" if match else ""
