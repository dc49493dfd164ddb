"""The frames of acts on machines: how one is accepted, and how what became of it is written.

Both are one commit under the account's lock. A reader goes through an act from top to bottom: what is refused, what
changes at once, what is queued; then, in the worker, what the engine is told and what follows from its answer.
"""

import uuid
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from vmart.events.actor import Actor
from vmart.instances.models import Instance, State
from vmart.kernel import db
from vmart.orders import machines as m
from vmart.worker import queue
from vmart.worker.queue import Claimed


@contextmanager
def accepting(
    actor: Actor, act: str, public_ids: Sequence[str], *, usable: bool = False, takes: Collection[State] = (),
    code: str = "",
) -> Iterator[list[Instance]]:  # fmt: skip
    """An act that ``actor`` asks for, all or none: its machines, locked, in the order asked for.

    ``act`` is the event that says who asked, one a machine, in the act's own commit: a refusal writes nothing. ""
    where the act's own event says it. ``usable``: for acts on what machines do, none may be busy, expired, isolated or
    about to be stopped. ``takes``: the states it takes, else WrongState with ``code``.

    Raises UnknownInstance for a machine that is not the actor's account's, and the refusals of ``machines``.
    """
    with db.act():
        machines = m.lock(actor.account, public_ids)
        if usable:
            m.refuse_unusable(machines)
        if takes:
            for machine in machines:
                m.refuse_state(machine, takes, code)
        if act:
            m.events(machines, act, actor=actor)
        yield machines


@contextmanager
def outcome(operation: Claimed, owner: uuid.UUID, *expect: State) -> Iterator[Instance | None]:
    """What became of an operation, which ends here: its machine, locked.

    None where the operation is another owner's by now, and where the machine is in no state of ``expect`` any more
    (any will do where none is named): then there is nothing to write.
    """
    with db.act():
        db.call("ledger_lock", operation.account_id)
        if not queue.finish(owner, operation):
            yield None
            return
        machine = m.locked(operation.subject_id)
        yield machine if not expect or machine.state in expect else None
