"""An address in the recycle bin, or that arrears have switched off, leads to its machine no more.

The machine keeps it for a renewal, or for a top-up.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.instances.models import ALIVE
from vmart.kernel import db
from vmart.network.models import Eip, EipState
from vmart.orders import address, sample, things
from vmart.orders.addresses import own, release
from vmart.subscriptions.models import Source
from vmart.worker import queue
from vmart.worker.queue import Claimed

KIND = "isolate_address"
_OFF = (own.ISOLATE, own.RELEASE)


def send(eip: Eip) -> None:
    """Queue it. Belongs into the act."""
    things.send(eip, KIND)


def into_bin(eips: Sequence[Eip], source: Source, at: dt.datetime, release_at: dt.datetime, **agreed: object) -> None:
    """In the recycle bin from ``at`` on, and gone at ``release_at``; what is under way on them ends with that.

    Belongs into the act.
    """
    things.isolate_all(eips, source, at, release_at, **agreed)
    things.send_all(eips, KIND)
    things.send_all(eips, release.KIND, due_at=release_at)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``isolate_address``: off, and what left before the stop counted a last time.

    A start that was accepted before the arrears may lead it again: it is taken off once more when that has ended.
    """
    for operation in batch:
        eip = own.read(operation.subject_id)
        if eip.state == EipState.BIND and eip.subscription.isolated_at is not None:
            machine = own.machine_of(eip)
            address.take_off(machine)
            sample.count_last_of(eip, machine.public_id)
            if machine.latest_operation_state == "OPERATING":
                _can_be_renewed(eip)
                queue.put_off(owner, [operation], 1.0, "an operation on its machine is under way", waiting=True)
                continue
        with own.outcome(operation, owner, eip, EipState.BIND, EipState.UNBIND) as off:
            if off and off.latest_operation in _OFF:
                own.succeed(off)
            if off and off.state == EipState.BIND and off.subscription.isolated_at is None:
                lead_again(off)  # a top-up has ended the arrears meanwhile


def _can_be_renewed(eip: Eip) -> None:
    """It leads nowhere already and only waits for its machine: a renewal is not kept waiting with it."""
    with db.act():
        db.call("ledger_lock", eip.account_id)
        waiting = Eip.objects.filter(pk=eip.pk, latest_operation__in=_OFF, latest_operation_state="OPERATING")
        waiting.update(latest_operation_state="SUCCESS")


def lead_again(eip: Eip) -> None:
    """The engine is told of it again, where its machine can have it. Belongs into the act."""
    machine = own.machine_of(eip)
    if machine.state in ALIVE:
        address.send(machine)
