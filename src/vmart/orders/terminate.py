"""Terminate: a postpaid machine goes to the bin for some hours, a prepaid one is returned; again: released. A spot
machine is erased at once: its room may be needed, and there is no bin for it (ADR 0054).

Charging of a postpaid machine and what goes with it ends at the second the request is accepted; its
hold shrinks to what the open hour has cost (billing-rules, section 1).
"""

import datetime as dt
from collections.abc import Sequence
from functools import partial

from vmart.events.actor import API, Actor
from vmart.instances.models import ALIVE, AT_REST, Instance, State
from vmart.kernel import clock, db
from vmart.orders import hourly, isolate, planned_end, return_prepaid
from vmart.orders import machines as m
from vmart.orders.acts import accepting
from vmart.orders.errors import Protected, WrongState
from vmart.policy import policy
from vmart.subscriptions.models import Source

IN_BIN = (State.SHUTDOWN, State.TERMINATING, State.LAUNCH_FAILED)
_BUSY = tuple(state for state in ALIVE if state not in AT_REST)


def terminate(actor: Actor, public_ids: Sequence[str], *, erase: bool = True) -> None:
    """Accept the end of machines, all or none; a second call for one that is in the bin releases it at once.

    On its way into the bin it is busy: a call that is merely repeated erases nothing. Without ``erase`` one in the
    bin stays as it is: whoever asked to end a machine did not ask for that. A program may end no protected machine;
    its owner may, on the page. Raises Protected, Busy, WrongState.
    """
    request_id = actor.request_id
    with accepting(actor, "", public_ids, refuse=partial(refuse, erase=erase)) as found:
        if actor.via == API:
            _refuse_protected(found)
        in_bin = [machine for machine in found if machine.state in IN_BIN]
        alive = [machine for machine in found if machine.state not in IN_BIN]
        m.events(found if erase else alive, "TerminateInstances", actor=actor)
        prepaid = [machine for machine in alive if m.is_prepaid(machine)]
        spot = [machine for machine in alive if m.is_spot(machine)]
        postpaid = [machine for machine in alive if not m.is_prepaid(machine) and machine not in spot]
        if in_bin and erase:
            release_now(in_bin, request_id)
        if prepaid:
            return_prepaid.give_back(prepaid, request_id)
        for at, ending in _by_end(postpaid):
            to_bin(ending, request_id, planned_at=at)
        for at, ending in _by_end(spot):
            erase_spot(ending, request_id, reclaimed_at=at)


def _by_end(machines: Sequence[Instance]) -> list[tuple[dt.datetime | None, list[Instance]]]:
    """Those that end now, and each whose end has come already, with when: a late shop charges no longer."""
    overdue = [
        machine
        for machine in machines
        if m.has_to_end(machine) and (m.is_spot(machine) or not machine.termination_protected)
    ]
    others = [machine for machine in machines if machine not in overdue]
    return [*([(None, others)] if others else []), *((m.end_of(machine), [machine]) for machine in overdue)]


def refuse(machines: Sequence[Instance], *, erase: bool = True) -> None:
    """Raise Busy or WrongState for machines that cannot be ended, or (``erase``) erased, now."""
    m.refuse_busy([machine for machine in machines if machine.state in _BUSY])
    return_prepaid.refuse([machine for machine in machines if machine.state not in IN_BIN and m.is_prepaid(machine)])
    if erase:
        _refuse_unerasable(machines)


def _refuse_protected(machines: Sequence[Instance]) -> None:
    for machine in machines:
        if machine.termination_protected:
            raise Protected(
                "The instance {id} is protected: no program may end it until its DisableApiTermination is false again.",
                field="machines", id=machine.public_id,
            )  # fmt: skip


def _refuse_unerasable(machines: Sequence[Instance]) -> None:
    """Raise Busy for those on their way into the bin, WrongState for those that are being erased already."""
    m.refuse_busy([machine for machine in machines if machine.state == State.SHUTDOWN])
    for machine in machines:
        if machine.state == State.TERMINATING:
            raise WrongState(
                "The instance {id} is being erased already.",
                field="machines", code="InvalidInstanceState.Terminating", id=machine.public_id,
            )  # fmt: skip


def release_now(machines: Sequence[Instance], request_id: str) -> None:
    """From the bin: erased at once. Moves no money."""
    m.begin_all(machines, "TerminateInstances", request_id, state=State.TERMINATING)
    m.agree(machines, release_at=clock.now())
    m.forget_work("release", machines)
    m.send_all(machines, "release")


def erase_spot(machines: Sequence[Instance], request_id: str, *, reclaimed_at: dt.datetime | None = None) -> None:
    """Charging ends, at ``reclaimed_at`` where they are taken back then, however late; then all is erased."""
    now = db.call("metering_instant", clock.now())
    ended_at = reclaimed_at or now
    m.end_usage(machines, ended_at)
    hourly.hold_what_was_used(machines, ended_at)
    m.begin_all(machines, "TerminateInstances", request_id, state=State.TERMINATING)
    m.isolate_all(machines, Source.MANMADE, ended_at, now)
    m.events(machines, "terminated")
    m.send_all(machines, "release")


def to_bin(machines: Sequence[Instance], request_id: str, *, planned_at: dt.datetime | None = None) -> None:
    """``planned_at``: the end that was planned is due. They are charged until then, however late it is done."""
    now = db.call("metering_instant", clock.now())
    ended_at = planned_at or now
    m.end_usage(machines, ended_at)
    hourly.hold_what_was_used(machines, ended_at)
    if planned_at is None:
        planned_end.forget(machines)
    release_at = now + dt.timedelta(hours=policy.at(now).bin_postpaid_hours)
    isolate.into_bin(
        machines, "TerminateInstances", request_id, source=Source.MANMADE, at=ended_at, release_at=release_at
    )
    m.events(machines, "terminated")
