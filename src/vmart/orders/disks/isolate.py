"""A disk in the recycle bin, or stopped for arrears, is taken off the machine that has it."""

import datetime as dt
import uuid
from collections.abc import Sequence

from vmart.kernel import clock, db
from vmart.orders import hourly, things
from vmart.orders.disks import detach, own, release
from vmart.policy import policy
from vmart.storage.models import Disk, State
from vmart.subscriptions.models import Source
from vmart.worker.queue import Claimed

KIND = "isolate_disk"
TERMINATE = "TerminateDisks"


def send(disks: Sequence[Disk], release_at: dt.datetime) -> None:
    """Have them taken off now, and erased then. Belongs into the act."""
    things.send_all(disks, KIND)
    things.send_all(disks, release.KIND, due_at=release_at)


def to_bin(disks: Sequence[Disk], request_id: str) -> None:
    """Ended by their owner, charged until now, for the hours of what is postpaid. Belongs into the act."""
    accepted = db.call("metering_instant", clock.now())
    things.end_usage(disks, accepted)
    hourly.hold_what_was_used(disks, accepted)
    release_at = accepted + dt.timedelta(hours=policy.at(accepted).bin_postpaid_hours)
    into_bin(disks, TERMINATE, request_id, source=Source.MANMADE, at=accepted, release_at=release_at)
    things.events(disks, "terminated")


def into_bin(
    disks: Sequence[Disk], act: str, request_id: str, *, source: Source, at: dt.datetime,
    release_at: dt.datetime, **agreed: object,
) -> None:  # fmt: skip
    """Off their machines, in the recycle bin from ``at`` on, and erased at ``release_at``. Belongs into the act."""
    things.begin_all(disks, act, request_id, state=State.TORECYCLE)
    things.isolate_all(disks, source, at, release_at, **agreed)
    send(disks, release_at)


def run(batch: Sequence[Claimed], owner: uuid.UUID) -> None:
    """Operation ``isolate_disk``."""
    for operation in batch:
        disk = own.read(operation.subject_id)
        if disk.instance_id:
            own.engine(operation.lane).ensure_detached(own.machine_of(disk), disk.public_id)
        with own.outcome(operation, owner, disk, State.TORECYCLE, State.DETACHING) as off:
            if off and off.state == State.DETACHING:  # a top-up has ended the arrears meanwhile
                detach.taken_off(off)
            elif off:
                own.succeed(off, State.TORECYCLE, instance_id=None, position=0)
