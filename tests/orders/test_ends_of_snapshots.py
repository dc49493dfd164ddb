"""Given snapshots whose owner names an instant, when it comes, then they are deleted by themselves, not before."""

import datetime as dt
from typing import Any

import pytest

from tests.orders.test_own_disks import new_disk
from tests.orders.test_snapshots import account, again
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import go_to, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.events.models import Event
from vmart.kernel import clock
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.orders import errors
from vmart.orders.snapshots import delete
from vmart.orders.snapshots.attributes import modify
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.storage.models import Snapshot
from vmart.worker.models import Operation

__all__ = ["account"]

pytestmark = pytest.mark.usefixtures("in_business")

DAY = dt.timedelta(days=1)


def made(account: int, days: int | None) -> Snapshot:
    """Of a new disk, to be deleted after so many days."""
    ends = clock.now() + days * DAY if days else None
    public_id = create(by(account), NewSnapshot(new_disk(account).public_id, delete_at=ends))
    work()
    return again(Snapshot.objects.get(public_id=public_id))


def timers(snapshot: Snapshot) -> list[dt.datetime]:
    there = Operation.objects.filter(kind="snapshot_retention", subject_id=snapshot.id)
    return list(there.values_list("due_at", flat=True))


def test_one_is_deleted_at_its_time_as_by_hand_and_another_is_kept(account: int, test_clock: BusinessClock) -> None:
    begun = clock.now()
    ending, kept = made(account, 2), made(account, None)
    assert (ending.delete_at, timers(ending), kept.delete_at, timers(kept)) == (
        begun + 2 * DAY,
        [begun + 2 * DAY],
        None,
        [],
    )
    assert list(reconcile()) == []
    go_to(test_clock, begun + 2 * DAY - dt.timedelta(seconds=1))
    assert again(ending).state == "NORMAL"
    go_to(test_clock, begun + 2 * DAY)
    work()
    assert (again(ending).state, again(kept).state, timers(ending)) == ("GONE", "NORMAL", [])
    told = Event.objects.get(kind="DeleteSnapshots", subject_id=ending.id)
    assert told.actor == {"via": "timer"}
    assert list(reconcile()) == []


def test_its_end_is_moved_given_up_and_named_anew(account: int, test_clock: BusinessClock) -> None:
    snapshot, begun = made(account, 2), clock.now()
    later = begun + 5 * DAY
    modify(by(account), snapshot.public_id, name="kept longer", delete_at=later)
    assert (again(snapshot).name, again(snapshot).delete_at, timers(snapshot)) == ("kept longer", later, [later])
    modify(by(account), snapshot.public_id, delete_at=later)  # as it is: nothing is told twice
    modify(by(account), snapshot.public_id, for_good=True)
    assert (again(snapshot).delete_at, timers(snapshot)) == (None, [])
    go_to(test_clock, later)
    assert again(snapshot).state == "NORMAL"
    modify(by(account), snapshot.public_id, delete_at=clock.now() + DAY)
    told = Event.objects.filter(kind="ModifySnapshotAttribute").order_by("id").values_list("detail", flat=True)
    assert list(told) == [
        {"old": "", "new": "kept longer"}, {"ends": later.isoformat()}, {"ends": ""},
        {"ends": (later + DAY).isoformat()},
    ]  # fmt: skip
    test_clock.advance(DAY)
    work()
    assert again(snapshot).state == "GONE"
    assert list(reconcile()) == []


def test_near_its_end_it_is_renamed_still(account: int, test_clock: BusinessClock) -> None:
    """A form says the end of before again: nothing of it is asked for."""
    snapshot = made(account, 1)
    test_clock.advance(hours=23)
    modify(by(account), snapshot.public_id, name="web", delete_at=snapshot.delete_at)
    assert (again(snapshot).name, timers(snapshot)) == ("web", [snapshot.delete_at])


def test_what_is_deleted_by_hand_is_not_deleted_once_more(account: int, test_clock: BusinessClock) -> None:
    snapshot = made(account, 1)
    delete.delete(by(account), [snapshot.public_id])
    assert timers(snapshot) == [clock.now() + DAY]
    work()
    assert (again(snapshot).state, timers(snapshot)) == ("GONE", [])
    test_clock.advance(DAY)
    work()
    assert Event.objects.filter(kind="DeleteSnapshots").count() == 1


def test_a_timer_that_is_lost_is_told(account: int) -> None:
    snapshot = made(account, 1)
    Operation.objects.filter(kind="snapshot_retention").delete()
    assert list(reconcile()) == [
        f"a snapshot is to end and nothing waits for that: public_id {snapshot.public_id}, "
        f"delete_at {snapshot.delete_at}"
    ]


@pytest.mark.parametrize(
    ("said", "error", "field"),
    [
        ({}, MissingParameter, "name"),
        ({"delete_at": DAY - dt.timedelta(seconds=1)}, InvalidValue, "delete_at"),
        ({"delete_at": -DAY}, InvalidValue, "delete_at"),
        ({"delete_at": 3661 * DAY}, InvalidValue, "delete_at"),
        ({"delete_at": 2 * DAY, "for_good": True}, InvalidParameter, "delete_at"),
        ({"delete_at": 2 * DAY, "name": "two\nlines"}, errors.BadSnapshotName, "name"),
        ({"name": "new", "delete_at": DAY / 2}, InvalidValue, "delete_at"),
    ],
)
def test_what_cannot_be_said_is_refused_and_changes_nothing(
    account: int, said: dict[str, Any], error: type[Refused], field: str
) -> None:
    snapshot = made(account, 3)
    asked = {name: clock.now() + what if isinstance(what, dt.timedelta) else what for name, what in said.items()}
    with refused(error, field=field):
        modify(by(account), snapshot.public_id, **asked)
    assert (again(snapshot).name, again(snapshot).delete_at, timers(snapshot)) == (
        "", snapshot.delete_at, [snapshot.delete_at],
    )  # fmt: skip


def test_a_new_one_with_a_wrong_end_is_not_made(account: int) -> None:
    disk = new_disk(account)
    with refused(InvalidValue, field="delete_at"):
        create(by(account), NewSnapshot(disk.public_id, delete_at=clock.now()))
    assert not Snapshot.objects.exists()
