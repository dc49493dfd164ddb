"""What a snapshot is called, and until when it is kept: done at once, whatever is under way."""

import datetime as dt

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.text import is_one_line
from vmart.orders import errors, things
from vmart.orders.snapshots import ends, own
from vmart.storage.models import Snapshot

ACT = "ModifySnapshotAttribute"
NAME_MAX = 60  # characters (API of cbs, ModifySnapshotAttribute)


def modify(
    actor: Actor,
    snapshot_id: str,
    *,
    name: str | None = None,
    delete_at: dt.datetime | None = None,
    for_good: bool = False,
) -> None:
    """Another name; an instant at which it is deleted by itself, or (``for_good``) none. None: as it is.

    Raises UnknownSnapshot, BadSnapshotName, MissingParameter, InvalidParameter, InvalidValue.
    """
    if name is None and delete_at is None and not for_good:
        raise MissingParameter("Nothing is to be changed; possible are its name and its end.", field="name")
    if delete_at is not None and for_good:
        raise InvalidParameter("What is kept for good has no end.", field="delete_at")
    if name is not None:
        check_name(name)
    with db.act():
        (snapshot,) = own.lock(actor.account, [snapshot_id])
        if name is not None and name != snapshot.name:
            things.events([snapshot], ACT, [{"old": snapshot.name, "new": name}], actor)
            Snapshot.objects.filter(pk=snapshot.pk).update(name=name)
        if (delete_at is not None or for_good) and delete_at != ends.to_the_second(snapshot.delete_at):
            ends.check(delete_at)
            things.events([snapshot], ACT, [{"ends": delete_at.isoformat() if delete_at else ""}], actor)
            ends.decide(snapshot, delete_at)


def check_name(name: str) -> None:
    """A snapshot's name as it stands; "" for none. Raises BadSnapshotName."""
    if not is_one_line(name) or len(name) > NAME_MAX:
        raise errors.BadSnapshotName(
            "The name of a snapshot is one line of at most {most} characters.", field="name", most=NAME_MAX
        )
