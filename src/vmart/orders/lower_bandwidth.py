"""Less bandwidth by the month, which a renewal brings when its term begins (billing-rules, section 2; ADR 0056).

The renewal is paid at the lower bandwidth. A timer at the old expiry has the machine agree to it, whatever its engine
does; the engine is told until it knows.
"""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence

from vmart.events import record
from vmart.instances.models import ALIVE, Instance, State
from vmart.kernel import clock
from vmart.orders import address, agreed, bandwidth, lowering, windows
from vmart.orders import machines as m
from vmart.orders.acts import when_idle
from vmart.orders.models import BandwidthWindow, LowerBandwidth
from vmart.pricing.errors import OutOfRange
from vmart.worker import queue
from vmart.worker.queue import Claimed

_OVER = (State.TERMINATING, State.GONE)


def check(machines: Sequence[Instance], mbps: int) -> None:
    """Raise WrongMode, WrongState or OutOfRange where a renewal of these cannot bring this bandwidth."""
    bandwidth.refuse_no_address(machines)
    bandwidth.refuse_not_by_month(machines)
    lowering.refuse_waiting(machines)
    windows.refuse_open_at(machines, {machine.id: _old_expiry(machine) for machine in machines})
    terms = agreed.paid_ahead([machine.id for machine in machines])
    for machine in machines:
        now = lowering.mbps_of(terms[machine.id])
        if not 1 <= mbps < now:
            raise OutOfRange(
                "The bandwidth of {id} is {now} Mbps. A renewal brings less of it, at least 1 Mbps;"
                " more is had at once by a change of the bandwidth.",
                field="bandwidth_mbps", id=machine.public_id, now=now,
            )  # fmt: skip


def _old_expiry(machine: Instance) -> dt.datetime:
    at = machine.subscription.expires_at
    assert at is not None
    return at


def agree(order_id: int, machines: Sequence[Instance], mbps: int, begins: Mapping[str, dt.datetime]) -> None:
    """A renewal with this bandwidth is paid; ``begins``: when, by machine. Belongs into the act.

    Where that is over already, which is so in the recycle bin, the machine has it at once.
    """
    rows = LowerBandwidth.objects.bulk_create(
        LowerBandwidth(subscription_id=machine.id, order_id=order_id, mbps=mbps, from_at=begins[machine.public_id])
        for machine in machines
    )
    later = [row for row in rows if row.from_at > clock.now()]
    if later:
        due = [(lowering.KIND, row.subscription_id, row.from_at) for row in later]
        queue.enqueue_each(machines[0].account_id, record.MACHINE, due)
    for machine, row in zip(machines, rows, strict=True):
        if row.from_at <= clock.now():
            _in_force(machine, row)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``lower_bandwidth``, due when the renewal begins; waits for an operation that is under way."""
    when_idle(batch, owner, _due)


def _due(machine: Instance) -> None:
    found = lowering.of(machine.id)
    if found is None:
        return
    if machine.state in _OVER:  # nothing of it is left that could be slower
        lowering.withdraw([machine])
    else:
        _in_force(machine, found)


def _in_force(machine: Instance, found: LowerBandwidth) -> None:
    """From now on it is what the machine pays for, and what its engine is told. Belongs into the act."""
    agreed.agree(agreed.at_speed(machine, found.mbps))
    found.state = LowerBandwidth.State.IN_FORCE
    found.save()
    window = windows.of(machine.id)
    if window and window.state == BandwidthWindow.State.IN_FORCE:
        return  # its end, which is due too, brings the machine to what is agreed
    Instance.objects.filter(pk=machine.pk).update(bandwidth_mbps=found.mbps)
    m.event(machine, "bandwidth_changed", old=machine.bandwidth_mbps, new=found.mbps)
    if machine.state in ALIVE:
        address.send(machine)
