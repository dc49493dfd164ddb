"""The planned end of a machine is due: it is ended by the same act as by hand (``orders/terminate.py``)."""

import uuid
from collections.abc import Sequence

from django.utils.translation import gettext_noop

from vmart.events.actor import timer
from vmart.instances.models import ALIVE, AT_REST, Instance
from vmart.orders import machines as m
from vmart.orders import planned_end, terminate
from vmart.orders.acts import when_idle
from vmart.worker.queue import Claimed

_PROTECTED = gettext_noop("It was protected after its end was planned, so it runs on and is charged.")


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``planned_end``, due at the end that was planned; waits for an operation that is under way."""
    when_idle(batch, owner, _end, waits_in=ALIVE)


def _end(machine: Instance) -> None:
    """What was stopped for arrears stays in the bin: its end is due again when it comes out of it."""
    if machine.ends_at is None or machine.state not in AT_REST:
        return
    if machine.termination_protected:
        planned_end.forget([machine])
        m.event(machine, "not_ended", why=_PROTECTED)
        return
    m.events([machine], "TerminateInstances", actor=timer(machine.account_id))
    terminate.to_bin([machine], "", planned_at=machine.ends_at)
