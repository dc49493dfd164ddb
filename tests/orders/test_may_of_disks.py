"""Given a disk in any state, then what the page offers is just what the act does not refuse."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import transaction

from tests.orders.test_own_disks import attached
from tests.support.actors import by
from tests.support.shopper import ZONE, buy_running, open_purse
from vmart.events.actor import Actor
from vmart.instances.models import Instance
from vmart.instances.models import State as MachineState
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.orders.disks import may
from vmart.orders.disks.attach import attach
from vmart.orders.disks.detach import detach
from vmart.orders.disks.grow import grow
from vmart.orders.disks.terminate import terminate
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.provisioning import zones
from vmart.storage.models import Disk, State

pytestmark = pytest.mark.usefixtures("in_business")

OPERATIONS = ("SUCCESS", "OPERATING", "FAILED")
AT_MACHINE = (State.ATTACHING, State.ATTACHED, State.DETACHING)
MACHINES = [(state, kind) for state in MachineState for kind in ("container", "virtual-machine")
            if state not in (MachineState.GONE, MachineState.LAUNCH_FAILED)]  # fmt: skip
Verb = Callable[[Actor, str, str], object]
VERBS: dict[str, Verb] = {
    "attach": lambda who, disk, machine: attach(who, machine, [disk]),
    "detach": lambda who, disk, machine: detach(who, [disk]),
    "grow": lambda who, disk, machine: grow(who, disk, 250),
    "snapshot": lambda who, disk, machine: create(who, NewSnapshot(disk)),
    "end": lambda who, disk, machine: terminate(who, [disk]),
}
Refusal = tuple[type[Refused], str] | None


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[Disk, Instance]:
    """A disk at a machine. What is asked for from then on does not stay."""
    zones.check(ZONE)
    account = open_purse(cash_minor=100_000)
    machine = buy_running(account)
    disk = attached(account, machine)
    monkeypatch.setattr(db, "act", _taken_back)
    return disk, machine


@contextmanager
def _taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _asked(verb: Verb, disk: Disk, machine: str) -> Refusal:
    """What asking for it comes to; nothing of it stays."""
    try:
        verb(by(disk.account_id), disk.public_id, machine)
    except Refused as why:
        return type(why), why.code
    return None


def _offered(act: str, disk: Disk, machine: Instance | None) -> Refusal:
    why = may.why_not(act, disk, machine)
    return None if why is None else (type(why), why.code)


def test_every_act_is_here() -> None:
    assert set(VERBS) == set(may.ACTS)


def test_a_disk_at_a_machine(pair: tuple[Disk, Instance]) -> None:
    """In each of its states, at a machine in each of its own, idle and busy."""
    disk, machine = pair
    tried = 0
    for state, (at, kind), doing in itertools.product(AT_MACHINE, MACHINES, OPERATIONS):
        Instance.objects.filter(pk=machine.pk).update(state=at, kind=kind, latest_operation_state=doing)
        Disk.objects.filter(pk=disk.pk).update(state=state, latest_operation_state=_of(state))
        tried += _agree(disk, Instance.objects.select_related("subscription").get(pk=machine.pk))
    assert tried > 100


def test_a_disk_at_none(pair: tuple[Disk, Instance]) -> None:
    disk, machine = pair
    alone = [state for state in State if state not in (State.WITH_MACHINE, State.GONE, *AT_MACHINE)]
    for state, doing in itertools.product(alone, OPERATIONS):
        columns = {"state": state, "latest_operation_state": doing, "instance_id": None, "position": 0}
        Disk.objects.filter(pk=disk.pk).update(**columns)
        assert _agree(disk, None, machine.public_id) == len(VERBS)


def _of(state: State) -> str:
    return "SUCCESS" if state == State.ATTACHED else "OPERATING"


def _agree(disk: Disk, machine: Instance | None, other: str = "") -> int:
    """How many acts were asked for; what is offered of each is what it comes to."""
    now = Disk.objects.select_related("subscription").get(pk=disk.pk)
    for act, verb in VERBS.items():
        where = (act, now.state, now.latest_operation_state, machine and (machine.state, machine.kind))
        refused = _asked(verb, now, other or (machine.public_id if machine else ""))
        if act == "attach" and machine:  # the machine's own refusals come first
            assert (refused is None, _offered(act, now, machine) is None) == (False, False), where
        else:
            assert _offered(act, now, machine) == refused, where
    return len(VERBS)
