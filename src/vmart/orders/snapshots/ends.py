"""When a snapshot is deleted by itself: its owner says it, or the policy that has it made; ``scheduled`` does it."""

import datetime as dt

from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue
from vmart.orders import things
from vmart.storage.models import Snapshot
from vmart.worker import queue

KIND = "snapshot_retention"
LEAST = dt.timedelta(days=1)  # API of cbs, CreateSnapshot
MOST = dt.timedelta(days=10 * 366)


def check(delete_at: dt.datetime | None) -> None:
    """Raise InvalidValue for an instant too soon, or too far away; None is no end."""
    if delete_at is None:
        return
    now = clock.now()
    if delete_at < now + LEAST:
        raise InvalidValue("A snapshot is kept for a day at least.", field="delete_at")
    if delete_at > now + MOST:
        raise InvalidValue("The end may be at most {years} years from now.", field="delete_at", years=10)


def decide(snapshot: Snapshot, delete_at: dt.datetime | None) -> None:
    """It is deleted then, and at no other instant; None: it is kept until somebody deletes it. Belongs into the act."""
    things.forget_work(KIND, [snapshot])
    Snapshot.objects.filter(pk=snapshot.pk).update(delete_at=delete_at)
    if delete_at is not None:
        queue.enqueue(KIND, Snapshot.KIND, snapshot.id, account_id=snapshot.account_id, due_at=delete_at)


def to_the_second(instant: dt.datetime | None) -> dt.datetime | None:
    """As people and programs say it."""
    return instant.replace(microsecond=0) if instant else None
