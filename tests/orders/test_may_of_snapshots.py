"""Given a snapshot in any state, then what the page offers is just what the act does not refuse."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from django.db import transaction

from tests.orders.test_own_disks import SSD, new_disk
from tests.orders.test_snapshots import of, system_disk
from tests.support.actors import by
from tests.support.shopper import ZONE, buy_running, open_purse
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.orders.disks import create
from vmart.orders.snapshots import may
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.delete import delete
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot, SnapshotState, State

pytestmark = pytest.mark.usefixtures("in_business")

OPERATIONS = ("SUCCESS", "OPERATING", "FAILED")
Verb = Callable[[Actor, Snapshot], object]
VERBS: dict[str, Verb] = {
    "apply": lambda who, snapshot: apply(who, snapshot.public_id, snapshot.disk.public_id),
    "new_disk": lambda who, snapshot: create.create(
        who, replace(SSD, disk=replace(SSD.disk, snapshot_id=snapshot.public_id))
    ),
    "delete": lambda who, snapshot: delete(who, [snapshot.public_id]),
}
Refusal = tuple[type[Refused], str] | None


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def _asked(verb: Verb, snapshot: Snapshot) -> Refusal:
    """What asking for it comes to; nothing of it stays."""
    try:
        verb(by(snapshot.account_id), snapshot)
    except Refused as why:
        return type(why), why.code
    return None


def _agree(snapshot: Snapshot, machine: Instance | None) -> set[str]:
    now = Snapshot.objects.select_related("subscription", "disk__subscription").get(pk=snapshot.pk)
    why_not = {act: may.why_not(act, now, machine) for act in VERBS}
    offered = {act: None if why is None else (type(why), why.code) for act, why in why_not.items()}
    assert offered == {act: _asked(verb, now) for act, verb in VERBS.items()}, (now.state, now.disk.state)
    return may.possible(now, machine)


def test_every_act_is_here() -> None:
    assert set(VERBS) == set(may.ACTS)


def test_a_snapshot_of_a_disk_of_its_own(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of its states, of a disk that no machine has, idle and busy."""
    disk = new_disk(account)
    snapshot = of(account, disk)
    monkeypatch.setattr(db, "act", _taken_back)
    seen = set()
    for state, doing, at, busy in itertools.product(
        [one for one in SnapshotState if one not in (SnapshotState.GONE, SnapshotState.FAILED, SnapshotState.ERASING)],
        OPERATIONS, (State.UNATTACHED, State.TORECYCLE), OPERATIONS,
    ):  # fmt: skip
        Snapshot.objects.filter(pk=snapshot.pk).update(state=state, latest_operation_state=doing)
        Disk.objects.filter(pk=disk.pk).update(state=at, latest_operation_state=busy)
        seen.add(frozenset(_agree(snapshot, None)))
    assert frozenset({"apply", "new_disk", "delete"}) in seen
    assert frozenset() in seen


def test_a_snapshot_of_a_system_disk(account: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine in each of its states, idle and busy."""
    machine = buy_running(account)
    snapshot = of(account, system_disk(machine))
    monkeypatch.setattr(db, "act", _taken_back)
    seen = {}
    for state, doing in itertools.product(MachineState, OPERATIONS):
        if state in (MachineState.GONE, MachineState.LAUNCH_FAILED):
            continue  # its disk is no more
        Instance.objects.filter(pk=machine.pk).update(state=state, latest_operation_state=doing)
        now = Instance.objects.select_related("subscription").get(pk=machine.pk)
        seen[state, doing] = _agree(snapshot, now)
    assert seen[MachineState.STOPPED, "SUCCESS"] == {"apply", "delete"}
    assert seen[MachineState.RUNNING, "SUCCESS"] == {"delete"}
