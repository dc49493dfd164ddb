"""Isolate: network off and power off, for machines in the recycle bin; then their last bytes are counted.

The network first: the guest may take its time to shut down, and sends nothing meanwhile.
"""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.engines.contract import Power
from vmart.instances.models import Instance, State
from vmart.kernel import clock, db
from vmart.orders import address, own_system
from vmart.orders import machines as m
from vmart.orders.acts import outcome
from vmart.orders.sample import count_last
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Source
from vmart.worker.queue import Claimed


def into_bin(
    machines: Sequence[Instance], act: str, request_id: str, *, source: Source, at: dt.datetime,
    release_at: dt.datetime, **agreed: object,
) -> None:  # fmt: skip
    """Off from now on, in the recycle bin from ``at`` on, and erased at ``release_at``. Belongs into the act."""
    m.begin_all(machines, act, request_id, state=State.SHUTDOWN)
    m.isolate_all(machines, source, at, release_at, **agreed)
    m.send_all(machines, "isolate")
    m.send_all(machines, "release", due_at=release_at)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``isolate``."""
    for operation in batch:
        machine = m.read(operation.subject_id)
        address.take_off(machine)
        seen = engine_of(operation.lane).ensure_power(machine.public_id, on=False, force=operation.attempt > 2)
        if seen.power not in (Power.STOPPED, Power.ABSENT):
            raise RuntimeError(f"{machine.public_id} was turned off and is {seen.power}")
        own_system.put_back(machine)
        count_last(machine)
        with outcome(operation, owner, State.SHUTDOWN, State.STOPPED) as off:
            if off:
                _turned_off(off)


def _turned_off(machine: Instance) -> None:
    columns: dict[str, object] = {"latest_operation_state": "SUCCESS", "rescue": own_system.number(machine)}
    if machine.state == State.STOPPED:  # a top-up has ended the arrears meanwhile: its address leads nowhere now
        db.call("network_free_public", [machine.id], clock.now())
        columns["public_ip"] = None
    Instance.objects.filter(pk=machine.pk).update(**columns)
