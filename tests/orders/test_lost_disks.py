"""Given a lost machine with disks made of snapshots, when it is delivered again, then they hold what is still there."""

from collections.abc import Callable

import pytest

from tests.orders.test_disks_of_snapshots import account, bought, data_disks, holding, snapshot
from tests.orders.test_own_disks import attached, new_disk
from tests.orders.test_snapshots import of
from tests.support.actors import SELLER, by
from tests.support.happened import told
from tests.support.missed import an_interval_ago
from tests.support.shopper import ZONE, work
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.orders import errors, lost, reinstall, sweep
from vmart.orders.disks import again, own
from vmart.orders.disks.again import Holds
from vmart.orders.models import EngineDrift
from vmart.orders.reinstall import Reinstall
from vmart.orders.snapshots import delete
from vmart.pricing.configuration import DiskChoice
from vmart.storage.models import Disk, Snapshot
from vmart.storage.models import State as DiskState
from vmart.worker.models import Operation

__all__ = ["account", "snapshot"]

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def machine(account: int, snapshot: Snapshot) -> Instance:
    """With an empty data disk, and one of the snapshot, on which its guest has written since."""
    (made,) = bought(
        account, holding(DiskChoice("CLOUD_SSD", 20), DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id))
    )
    work()
    return made


def _names(machine: Instance) -> list[str]:
    return [disk.public_id for disk in data_disks(machine)]


def _lose(machine: Instance, world: World, *, with_disks: bool = True) -> None:
    for name in _names(machine) if with_disks else []:
        world.lose_disk(name)
    world.remove_machine(machine.public_id)
    for _ in range(2):
        sweep.sweep(ZONE)
        an_interval_ago()


def _redelivered(machine: Instance) -> tuple[str, dict[str, object]]:
    """What its owner is told, when it was delivered again."""
    lost.redeliver(machine.public_id, SELLER)
    work()
    assert Instance.objects.get(pk=machine.pk).state == "RUNNING"
    return told(machine.account_id, "machine")[-1]


def _foretold(machine: Instance) -> list[str]:
    return [one.holds for one in lost.foretold(machine.public_id)]


def test_its_disk_holds_the_snapshot_again(machine: Instance, world: World) -> None:
    empty, filled = _names(machine)
    world.write(filled, "newer")
    _lose(machine, world)
    assert _foretold(machine) == [Holds.A_NEW_SYSTEM, Holds.NOTHING, Holds.ITS_SNAPSHOT]
    kind, detail = _redelivered(machine)
    assert (world.read(empty), world.read(filled)) == ("", "kept")
    assert (kind, detail["why"]) == (
        "redelivered_filled", f"What the snapshot held is on {filled}; what else went with the machine is empty.",
    )  # fmt: skip
    assert list(reconcile()) == []


def test_a_disk_that_is_still_there_keeps_what_the_guest_wrote(machine: Instance, world: World) -> None:
    """Given only the machine itself is gone, and its guest had written, then nothing of that is erased."""
    _, filled = _names(machine)
    world.write(filled, "newer")
    _lose(machine, world, with_disks=False)
    assert _redelivered(machine)[0] == "redelivered_filled"
    assert world.read(filled) == "newer"


def _deleted(account: int, snapshot: Snapshot, world: World) -> None:
    delete.delete(by(account), [snapshot.public_id])
    work()


def _missed(account: int, snapshot: Snapshot, world: World) -> None:
    world.remove_snapshot(snapshot.public_id)


@pytest.mark.parametrize("gone", [_deleted, _missed])
def test_it_is_empty_when_the_snapshot_is_gone_and_both_are_told(
    account: int, machine: Instance, snapshot: Snapshot, world: World, gone: Callable[[int, Snapshot, World], None]
) -> None:
    """Given its owner deleted it, or the engine has lost it with the machine."""
    gone(account, snapshot, world)
    _lose(machine, world)
    assert _foretold(machine) == [Holds.A_NEW_SYSTEM, Holds.NOTHING, Holds.NO_SNAPSHOT]
    kind, detail = _redelivered(machine)
    (_, name) = _names(machine)
    assert (kind, detail["why"]) == ("redelivered", f"Empty since the snapshot is not there any more: {name}.")
    assert world.read(name) == ""


def test_of_two_snapshots_the_one_that_is_there_is_used(account: int, snapshot: Snapshot, world: World) -> None:
    other = of(account, new_disk(account))
    disks = [DiskChoice("CLOUD_SSD", 100, snapshot_id=one.public_id) for one in (snapshot, other)]
    (machine,) = bought(account, holding(*disks))
    work()
    delete.delete(by(account), [other.public_id])
    work()
    _lose(machine, world)
    filled, empty = _names(machine)
    kind, detail = _redelivered(machine)
    assert (kind, detail["why"]) == (
        "redelivered_filled",
        f"What the snapshot held is on {filled}; what else went with the machine is empty. Of {empty} the snapshot is"
        " not there any more.",
    )
    assert (world.read(filled), world.read(empty)) == ("kept", "")


def test_a_machine_without_such_disks_is_told_as_ever(account: int, world: World) -> None:
    (machine,) = bought(account, holding(DiskChoice("CLOUD_SSD", 20)))
    work()
    _lose(machine, world)
    with nothing_written():
        assert _foretold(machine) == [Holds.A_NEW_SYSTEM, Holds.NOTHING]
    assert _redelivered(machine) == ("redelivered", {})


def test_a_disk_with_a_life_of_its_own_is_foretold_to_stay(account: int, machine: Instance, world: World) -> None:
    disk = attached(account, machine)
    Disk.objects.filter(pk=disk.pk, state=DiskState.ATTACHED).update(snapshot_id="snap-any")
    _lose(machine, world)
    assert _foretold(machine)[-1] == Holds.WHAT_IT_HELD


def test_the_snapshot_is_not_deleted_while_the_disk_is_made_of_it_again(
    account: int, machine: Instance, snapshot: Snapshot, world: World
) -> None:
    _lose(machine, world)
    lost.redeliver(machine.public_id, SELLER)
    with refused(errors.SnapshotInUse, field="snapshots"):
        delete.delete(by(account), [snapshot.public_id])
    work()
    delete.delete(by(account), [snapshot.public_id])
    work()
    snapshot.refresh_from_db()
    assert (snapshot.state, list(reconcile())) == ("GONE", [])


@pytest.mark.parametrize("verb", ["ensure_volume_restored", "ensure_present"])
def test_a_fault_or_a_lost_answer_on_the_way_changes_nothing(machine: Instance, world: World, verb: str) -> None:
    _, filled = _names(machine)
    _lose(machine, world)
    world.fail(verb)
    world.lose_answer(verb, nth=2)
    assert _redelivered(machine)[0] == "redelivered_filled"
    assert (world.read(filled), world.armed_count()) == ("kept", 0)


def test_a_disk_that_cannot_be_made_leaves_the_machine_lost(machine: Instance, world: World) -> None:
    """Given a snapshot that is there, and no room on the host, then no empty disk takes its place."""
    _lose(machine, world)
    world.fail("ensure_volume_restored", times=20, transient=False, sentence="The host's storage is full.")
    lost.redeliver(machine.public_id, SELLER)
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert EngineDrift.objects.get(name=machine.public_id).kind == "lost"
    world.clear_faults()
    assert _redelivered(machine)[0] == "redelivered_filled"


def test_an_engine_that_keeps_no_snapshots_makes_it_empty(
    machine: Instance, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the zone has got another engine since, then the machine is delivered all the same."""
    _lose(machine, world)
    monkeypatch.setattr(again, "engine_of", lambda _: object())
    assert (_redelivered(machine)[0], world.read(_names(machine)[1])) == ("redelivered", "")


def _reinstalled(machine: Instance) -> dict[str, object]:
    """What its owner is told when they have it installed anew."""
    reinstall.reinstall(by(machine.account_id), machine.public_id, Reinstall())
    work()
    machine.refresh_from_db()
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "SUCCESS")
    kind, detail = told(machine.account_id, "machine")[-1]
    assert (kind, detail.pop("image")) == ("reinstalled", machine.image.public_id)
    return detail


def test_its_owner_may_have_it_installed_anew_with_what_the_snapshot_held(machine: Instance, world: World) -> None:
    empty, filled = _names(machine)
    world.write(filled, "newer")
    _lose(machine, world)
    detail = _reinstalled(machine)
    assert (world.read(empty), world.read(filled)) == ("", "kept")
    assert detail["why"] == f"What the snapshot held is on {filled}; what else went with the machine is empty."
    assert list(reconcile()) == []


def test_installed_anew_its_disk_is_empty_when_the_snapshot_is_gone(
    account: int, machine: Instance, snapshot: Snapshot, world: World
) -> None:
    _deleted(account, snapshot, world)
    _lose(machine, world)
    (_, name) = _names(machine)
    assert _reinstalled(machine)["why"] == f"Empty since the snapshot is not there any more: {name}."
    assert world.read(name) == ""


@pytest.mark.parametrize("times", [1, STEPS["reinstall"].attempts])
def test_its_owner_is_told_also_where_the_answer_is_lost(
    account: int, machine: Instance, snapshot: Snapshot, world: World, times: int
) -> None:
    """Given the machine is there when the operation is repeated, or given up, then it is known that it was lost."""
    _deleted(account, snapshot, world)
    _lose(machine, world)
    (_, name) = _names(machine)
    world.lose_answer("ensure_reinstalled", times=times)
    assert _reinstalled(machine)["why"] == f"Empty since the snapshot is not there any more: {name}."
    assert world.armed_count() == 0


def test_its_owner_is_told_also_where_the_worker_is_killed(
    account: int, machine: Instance, snapshot: Snapshot, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its machine is there again, before anybody is told."""
    _deleted(account, snapshot, world)
    _lose(machine, world)
    (_, name) = _names(machine)

    class Killed(BaseException):
        """Nothing after it is done."""

    def killed(*_told: object) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(own, "attach_again", killed)
        _reinstalled(machine)
    Operation.objects.update(lease_owner=None, lease_until=None)
    work()
    assert told(account, "machine")[-1][1]["why"] == f"Empty since the snapshot is not there any more: {name}."


def test_a_machine_that_is_there_is_installed_anew_without_a_word_of_disks(machine: Instance, world: World) -> None:
    _, filled = _names(machine)
    world.write(filled, "newer")
    assert _reinstalled(machine) == {}
    assert world.read(filled) == "newer"


@pytest.mark.parametrize("verb", ["ensure_volume_restored", "ensure_reinstalled"])
def test_a_fault_or_a_lost_answer_while_it_is_installed_anew_changes_nothing(
    machine: Instance, world: World, verb: str
) -> None:
    _, filled = _names(machine)
    _lose(machine, world)
    world.fail(verb)
    world.lose_answer(verb, nth=2)
    _reinstalled(machine)
    assert (world.read(filled), world.armed_count()) == ("kept", 0)


def test_the_snapshot_is_not_deleted_while_the_system_is_installed_anew(
    account: int, machine: Instance, snapshot: Snapshot, world: World
) -> None:
    _lose(machine, world)
    reinstall.reinstall(by(account), machine.public_id, Reinstall())
    with refused(errors.SnapshotInUse, field="snapshots"):
        delete.delete(by(account), [snapshot.public_id])
    work()
    delete.delete(by(account), [snapshot.public_id])


def test_what_is_not_lost_is_not_foretold(machine: Instance) -> None:
    with refused(errors.WrongState, field="machines", match="is not lost"):
        lost.foretold(machine.public_id)
