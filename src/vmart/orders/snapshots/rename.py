"""What a snapshot is called."""

from vmart.events.actor import Actor
from vmart.kernel import db
from vmart.kernel.text import is_one_line
from vmart.orders import errors, things
from vmart.orders.snapshots import own
from vmart.storage.models import Snapshot

ACT = "ModifySnapshotAttribute"
NAME_MAX = 60  # characters (API of cbs, ModifySnapshotAttribute)


def rename(actor: Actor, snapshot_id: str, name: str) -> None:
    """Another name, done at once, whatever is under way. Raises UnknownSnapshot, BadSnapshotName."""
    check_name(name)
    with db.act():
        (snapshot,) = own.lock(actor.account, [snapshot_id])
        if snapshot.name != name:
            things.events([snapshot], ACT, [{"old": snapshot.name, "new": name}], actor)
            Snapshot.objects.filter(pk=snapshot.pk).update(name=name)


def check_name(name: str) -> None:
    """A snapshot's name as it stands; "" for none. Raises BadSnapshotName."""
    if not is_one_line(name) or len(name) > NAME_MAX:
        raise errors.BadSnapshotName(
            "The name of a snapshot is one line of at most {most} characters.", field="name", most=NAME_MAX
        )
