"""The frames of acts on machines: how one is accepted, how what became of it is written, how an engine is told.

The first two are one commit under the account's lock. A reader goes through an act from top to bottom: what is refused,
what changes at once, what is queued; then, in the worker, what the engine is told and what follows from its answer.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from vmart.events.actor import Actor
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import db
from vmart.orders import machines as m
from vmart.worker import queue
from vmart.worker.queue import Claimed

Refuse = Callable[[Sequence[Instance]], None]
W = TypeVar("W")
THERE = tuple(state for state in State if state != State.GONE)


@contextmanager
def accepting(
    actor: Actor, act: str, public_ids: Sequence[str], *, refuse: Refuse | None = None, uses: bool = False
) -> Iterator[list[Instance]]:
    """An act that ``actor`` asks for, all or none: its machines, locked, in the order asked for.

    ``act`` is the event that says who asked, one a machine, in the act's own commit: a refusal writes nothing. ""
    where the act's own event says it. ``refuse``: what the act refuses of machines as they stand; pages ask the same
    (``may.py``). ``uses``: for acts on what machines do, none may be about to be stopped for arrears.

    Raises UnknownInstance for a machine that is not the actor's account's, and what ``refuse`` raises.
    """
    with db.act():
        machines = m.lock(actor.account, public_ids)
        if refuse:
            refuse(machines)
        if uses:
            m.refuse_in_arrears(machines)
        if act:
            m.events(machines, act, actor=actor)
        yield machines


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, *expect: State) -> Iterator[Instance | None]:
    """What became of an operation, which ends here: its machine, locked.

    None where the operation is another owner's by now, and where the machine is in no state of ``expect`` any more
    (any will do where none is named): then there is nothing to write.
    """
    with ending(operation, owner) as ours:
        machine = m.locked(operation.subject_id) if ours else None
        yield machine if machine and (not expect or machine.state in expect) else None


@contextmanager
def ending(operation: Claimed, owner: uuid.UUID) -> Iterator[bool]:
    """The commit in which an operation ends, under its account's lock; False where it is another owner's by now."""
    with db.act():
        db.call("ledger_lock", operation.account_id)
        yield queue.finish(owner, operation)


@contextmanager
def holding(operation: Claimed, owner: uuid.UUID) -> Iterator[bool]:
    """A commit within an operation, under its account's lock; False where it is another owner's by now."""
    with db.act():
        db.call("ledger_lock", operation.account_id)
        yield queue.holds(owner, operation)


def when_idle(
    batch: Sequence[Claimed], owner: uuid.UUID, due: Callable[[Instance], None], *, waits_in: Sequence[State] = THERE
) -> None:
    """Timers of machines, each its own commit: ``due`` gets the machine, locked, once nothing is under way on it.

    ``waits_in``: the states in which what is under way is waited for; in others it is the timer's to end.
    """
    for operation in batch:
        with db.act():
            db.call("ledger_lock", operation.account_id)
            machine = m.locked(operation.subject_id)
            busy = machine.state in waits_in and machine.latest_operation_state == "OPERATING"
            if not busy and queue.finish(owner, operation):
                due(machine)
        if busy:
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)


def tell(
    batch: Sequence[Claimed], owner: uuid.UUID, wanted: Callable[[Instance], W], say: Callable[[Instance, W], None]
) -> None:
    """Operations by which the engine is told what the row says of a machine now, not what was asked when queued.

    Each waits for an act that is under way, which tells the engine too. ``say`` is for a machine that is there. What
    changed meanwhile is told again.
    """
    for operation in batch:
        machine = m.read(operation.subject_id)
        if machine.state in ALIVE and machine.latest_operation_state == "OPERATING":
            queue.put_off(owner, [operation], 1.0, "an operation on the machine is under way", waiting=True)
            continue
        told = wanted(machine)
        if machine.state in (*ALIVE, State.SHUTDOWN):
            say(machine, told)
        with db.act():
            db.call("ledger_lock", machine.account_id)
            changed = wanted(m.read(machine.id)) != told
            if not changed:
                queue.finish(owner, operation)
        if changed:
            queue.put_off(owner, [operation], 0.0, "the machine changed meanwhile", waiting=True)
