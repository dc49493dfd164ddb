"""What every act on bought machines begins with: the account lock, then the machines, sorted, if they are its own."""

import datetime as dt
from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from vmart.engines.contract import EngineError, Observation, Power
from vmart.events import record
from vmart.instances.models import IN_RESCUE, Instance, State
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders.errors import Busy, InArrears, UnknownInstance, WrongMode, WrongState
from vmart.orders.things import (
    Thing,
    agree,
    begin,
    begin_all,
    check_ids,
    end_usage,
    event,
    events,
    fail,
    forget_work,
    is_expired,
    is_prepaid,
    is_under_way,
    isolate_all,
    lock_named,
    named_in,
    send,
    send_all,
)
from vmart.orders.without_charge import STOP_CHARGING
from vmart.policy import policy
from vmart.pricing.configuration import BY_USAGE, SPOTPAID
from vmart.worker import queue

__all__ = [
    "agree", "begin", "begin_all", "bin_until", "end_usage", "event", "events", "fail", "forget_work", "is_expired",
    "is_prepaid", "is_spot", "is_under_way", "isolate_all", "lock", "locked", "locking", "not_known", "not_on", "read",
    "refuse_busy", "refuse_in_arrears", "refuse_isolated", "refuse_postpaid", "refuse_running", "refuse_spot",
    "refuse_state", "refuse_unusable", "send", "send_all",
]  # fmt: skip

MACHINES_MAX = 100
_RESCUE_CODES = {
    State.ENTER_RESCUE_MODE: "UnsupportedOperation.InstanceStateEnterRescueMode",
    State.RESCUE_MODE: "UnsupportedOperation.InstanceStateRescueMode",
    State.EXIT_RESCUE_MODE: "UnsupportedOperation.InstanceStateExitRescueMode",
}


def lock(account_id: int, public_ids: Sequence[str]) -> list[Instance]:
    """The account's machines by public id, locked, in the order asked for.

    Raises UnknownInstance for one that is not this account's, MissingParameter for none at all.
    """
    check_ids(
        public_ids, most=MACHINES_MAX,
        none=MissingParameter("InstanceIds names no instance.", field="machines"),
        many=InvalidParameter("At most {most} instances at once.", field="machines", most=MACHINES_MAX),
        twice=InvalidParameter("InstanceIds names an instance twice.", field="machines"),
    )  # fmt: skip
    return lock_named(locking().exclude(state=State.GONE), account_id, public_ids, _unknown)


def _unknown(public_id: str) -> UnknownInstance:
    return UnknownInstance("The instance {id} does not exist.", field="machines", id=public_id)


def locked(instance_id: int) -> Instance:
    """A machine, locked, with its subscription. Belongs under its account's lock."""
    return locking().get(id=instance_id)


def read(instance_id: int) -> Instance:
    """A machine with its subscription, as it is now."""
    return Instance.objects.select_related("subscription").get(id=instance_id)


def locking() -> QuerySet[Instance]:
    """Machines with their subscriptions, both locked."""
    return Instance.objects.select_related("subscription").select_for_update()


def refuse_unusable(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for one that is busy, expired or isolated: made busy it would put off its expiry."""
    refuse_busy(machines)
    refuse_isolated(machines)


def refuse_busy(machines: Iterable[Instance]) -> None:
    """Raise Busy when an operation on one of them is under way."""
    for machine in machines:
        if machine.latest_operation_state == "OPERATING":
            raise Busy(
                "The instance {id} is busy with {operation}; try again when it has ended.",
                field="machines",
                id=machine.public_id,
                operation=machine.latest_operation,
            )


def refuse_isolated(machines: Iterable[Instance]) -> None:
    """Raise WrongState for a machine that expired, whose planned end has come, or that is in the recycle bin.

    What is changed of one that is about to be ended would be charged behind its end.
    """
    for machine in machines:
        in_bin = machine.state in (State.SHUTDOWN, State.TERMINATING)
        is_over = is_expired(machine)
        if in_bin or is_over or has_to_end(machine):
            source = machine.subscription.isolated_source if in_bin else "EXPIRE" if is_over else "PLANNED"
            why = {
                "ARREAR": "it was stopped for arrears", "EXPIRE": "it has expired",
                "PLANNED": "its planned end has come",
            }.get(source, "it is in the recycle bin")  # fmt: skip
            raise WrongState(
                "The instance {id} cannot be used: {why}.",
                field="machines",
                code="UnsupportedOperation.InstanceStateIsolating",
                id=machine.public_id,
                why=why,
            )


def end_of(machine: Instance) -> dt.datetime | None:
    """The end that was planned or announced of it, the earlier one."""
    return min((at for at in (machine.ends_at, machine.reclaim_at) if at is not None), default=None)


def has_to_end(machine: Instance) -> bool:
    """Whether the end that was planned or announced of it is due, if it has not come yet."""
    at = end_of(machine)
    return at is not None and at <= clock.now()


def refuse_in_arrears(things: Sequence[Thing]) -> None:
    """Raise InArrears for postpaid ones that are about to be stopped: one made busy would put that off."""
    postpaid = [thing for thing in things if thing.subscription.charge_type in BY_USAGE]
    if postpaid and queue.is_due("arrears", record.ACCOUNT, postpaid[0].account_id):
        raise InArrears(
            "The account is in arrears, and {id} is about to be stopped. Top up to zero or more.",
            field=named_in(postpaid[0]),
            id=postpaid[0].public_id,
        )


def refuse_state(machine: Instance, allowed: Iterable[str], code: str) -> None:
    """Raise WrongState unless the machine is in an allowed state: with ``code``, in rescue mode with that of it."""
    if machine.state in IN_RESCUE and machine.state not in allowed:
        raise WrongState(
            "The instance {id} is in rescue mode; leave it first.",
            field="machines", code=_RESCUE_CODES[State(machine.state)], id=machine.public_id,
        )  # fmt: skip
    if machine.state not in allowed:
        raise WrongState(
            "The instance {id} is {state}; it must be {allowed}.",
            field="machines",
            code=code,
            id=machine.public_id,
            state=machine.state,
            allowed=" or ".join(sorted(allowed)),
        )


def refuse_neither_on_nor_off(machines: Sequence[Instance]) -> None:
    """Raise Busy or WrongState for machines that do not run and are not off either."""
    refuse_unusable(machines)
    for machine in machines:
        refuse_state(machine, [State.RUNNING, State.STOPPED], "UnsupportedOperation.InstanceStateNotRunning")


def refuse_without_charge(machines: Iterable[Instance]) -> None:
    """Raise WrongState for a machine that is off without charge: it has no room on its host, and pays for none."""
    for machine in machines:
        if machine.stop_charging_mode == STOP_CHARGING:
            raise WrongState(
                "The instance {id} is off without charge; start it first.",
                field="machines",
                code="UnsupportedOperation.StoppedModeStopCharging",
                id=machine.public_id,
            )


def refuse_running(machine: Instance, *, while_running: bool) -> None:
    """Raise WrongState for a running machine, unless who asks says that it may run (ForceStop)."""
    if machine.state == State.RUNNING and not while_running:
        raise WrongState(
            "The instance {id} is running; say ForceStop, or stop it first.",
            field="while_running", code="UnsupportedOperation.InstanceStateRunning", id=machine.public_id,
        )  # fmt: skip


def is_spot(machine: Instance) -> bool:
    """Whether it may be taken back when its room is needed."""
    return machine.subscription.charge_type == SPOTPAID


def refuse_spot(machines: Iterable[Instance]) -> None:
    """Raise WrongMode for a spot machine, which stays as it was bought until it ends."""
    for machine in machines:
        if is_spot(machine):
            raise WrongMode(
                "{id} is a spot machine: its type and its billing stay as they were bought.",
                field="machines", code="UnsupportedOperation.InstanceChargeType", id=machine.public_id,
            )  # fmt: skip


def refuse_postpaid(machine: Instance) -> None:
    """Raise WrongMode for a machine without a term."""
    if not is_prepaid(machine):
        raise WrongMode("{id} is postpaid: nothing was paid ahead.", field="machines", id=machine.public_id)


def bin_until(instant: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """When what was paid ahead is released: the first midnight not before its days in the bin (rules, section 4)."""
    return clock.midnight_not_before(instant + dt.timedelta(days=policy.at(instant).bin_prepaid_days), zone)


def not_on(seen: Observation) -> EngineError:
    """The error of a machine that was started and is not on."""
    if seen.power != Power.STOPPED:
        return not_known(seen)
    return EngineError(
        "The machine did not stay on after its start.", transient=True, detail=seen.name,
        helps="What it runs at its start may have turned it off. Try again, or ask the seller.",
    )  # fmt: skip


def not_known(seen: Observation) -> EngineError:
    """The error of a machine of which nobody can say whether it runs."""
    if seen.power == Power.ABSENT:
        return EngineError("The machine is not found on its host.", transient=True, detail=seen.name)
    return EngineError("Its host does not answer for it.", transient=True, detail=f"{seen.name} is {seen.power}")
