"""A snapshot made, given back or deleted while something else is asked for: the guard lets one go first; and, without
it, the race does happen.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.crash.gate import GATE, Edit, at_the_gate, without_locks
from tests.support.actors import by
from tests.support.database import Databases
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, wanted, work
from vmart.config.reconcile import reconcile
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.orders import stop
from vmart.orders import terminate as of_machines
from vmart.orders.disks import own as own_disk
from vmart.orders.disks.create import NewDisks
from vmart.orders.disks.create import create as new_disks
from vmart.orders.disks.terminate import terminate
from vmart.orders.errors import DiskBusy, SnapshotBusy, SnapshotInUse, UnknownSnapshot
from vmart.orders.purchase import purchase
from vmart.orders.snapshots import own
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.orders.snapshots.delete import delete
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

NEW = NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100))
Act = Callable[[int, str, str], Any]


def _make(account: int, disk: str, snapshot: str) -> None:
    create(by(account), NewSnapshot(disk))


def _restore(account: int, disk: str, snapshot: str) -> None:
    apply(by(account), snapshot, disk)


def _delete(account: int, disk: str, snapshot: str) -> None:
    delete(by(account), [snapshot])


def _end(account: int, disk: str, snapshot: str) -> None:
    terminate(by(account), [disk])


def _disk_of_it(account: int, disk: str, snapshot: str) -> None:
    new_disks(by(account), NewDisks(NEW.region, ZONE, NEW.charge_type, replace(NEW.disk, snapshot_id=snapshot)))


def _machine_of_it(account: int, disk: str, snapshot: str) -> None:
    disks = (replace(NEW.disk, snapshot_id=snapshot),)
    purchase(wanted(account, replace(HOURLY, data_disks=disks)))


def _two(shop: Databases, edit: Edit, first: Act, other: Act) -> tuple[list[str], list[Any]]:
    """Of a disk with one snapshot."""
    account = open_purse(cash_minor=100_000)
    zones.check(ZONE)
    (disk,) = new_disks(by(account), NEW)
    work()
    snapshot = create(by(account), NewSnapshot(disk))
    work()
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(shop.url(), lambda: first(account, disk, snapshot), lambda: other(account, disk, snapshot))


@pytest.mark.parametrize(
    ("first", "other", "refusal"),
    [
        (_make, _end, DiskBusy),
        (_make, _restore, DiskBusy),
        (_restore, _end, DiskBusy),
        (_restore, _restore, SnapshotBusy),
        (_restore, _delete, SnapshotBusy),
        (_disk_of_it, _delete, SnapshotInUse),
        (_machine_of_it, _delete, SnapshotInUse),
        (_delete, _machine_of_it, UnknownSnapshot),
        (_delete, _delete, UnknownSnapshot),
        (_delete, _disk_of_it, UnknownSnapshot),
    ],
)
def test_one_goes_first(open_shop: Databases, edit: Edit, first: Act, other: Act, refusal: type[Exception]) -> None:
    waited, results = _two(open_shop, edit, first, other)
    assert (waited, type(results[1])) == (["advisory", "transactionid"], refusal)
    assert not isinstance(results[0], Exception)
    work()
    assert list(reconcile()) == []


def _unlocked(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own, "locking", lambda: Snapshot.objects.select_related("subscription"))
    monkeypatch.setattr(own_disk, "locking", lambda: Disk.objects.select_related("subscription"))


@pytest.mark.parametrize(
    ("race", "accepted"),
    [
        ((_make, _end), {"CreateSnapshot": 2, "TerminateDisks": 1}),
        ((_restore, _delete), {"ApplySnapshot": 1, "DeleteSnapshots": 1}),
        ((_disk_of_it, _delete), {"CreateDisks": 2, "DeleteSnapshots": 1}),
        ((_machine_of_it, _delete), {"CreateDisks": 1, "DeleteSnapshots": 1}),
    ],
)
def test_control_without_locks_both_are_accepted(
    open_shop: Databases,
    edit: Edit,
    monkeypatch: pytest.MonkeyPatch,
    race: tuple[Act, Act],
    accepted: dict[str, int],
) -> None:
    """Beside the first disk and the first snapshot."""
    _unlocked(edit, monkeypatch)
    _, results = _two(open_shop, edit, *race)
    assert [isinstance(result, Exception) for result in results] == [False, False]
    assert {kind: Event.objects.filter(kind=kind).count() for kind in accepted} == accepted


def test_a_machine_that_is_ended_while_it_is_restored_stays_ended(open_shop: Databases) -> None:
    """Its disk may hold either; the snapshot is whole, and the machine is made no more."""
    account = open_purse(cash_minor=100_000)
    zones.check(ZONE)
    machine = buy_running(account)
    disk = Disk.objects.get(instance_id=machine.id)
    snapshot = create(by(account), NewSnapshot(disk.public_id))
    work()
    stop.stop(by(account), [machine.public_id])
    work()
    apply(by(account), snapshot, disk.public_id)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert Instance.objects.get().state == "SHUTDOWN"
    found = Snapshot.objects.get()
    assert (found.state, found.latest_operation_state) == ("NORMAL", "SUCCESS")
    assert list(reconcile()) == []
