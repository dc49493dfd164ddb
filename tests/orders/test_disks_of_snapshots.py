"""Given snapshots of data disks, when machines are bought with disks of them, then those hold what these hold."""

from dataclasses import replace

import pytest

from tests.orders.test_own_disks import new_disk
from tests.orders.test_snapshots import account, of, system_disk
from tests.support.actors import by
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, purses, wanted, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.errors import Refused
from vmart.orders import actions, errors
from vmart.orders.disks import of_snapshot
from vmart.orders.place import place
from vmart.orders.purchase import purchase
from vmart.orders.snapshots import delete
from vmart.placement.models import Allocation
from vmart.pricing.configuration import Configuration, DiskChoice
from vmart.pricing.errors import OutOfRange
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot

__all__ = ["account"]

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def snapshot(account: int, world: World) -> Snapshot:
    disk = new_disk(account)
    world.write(disk.public_id, "kept")
    return of(account, disk)


def holding(*disks: DiskChoice, configuration: Configuration = HOURLY) -> Configuration:
    return replace(configuration, data_disks=disks)


def bought(account: int, configuration: Configuration) -> list[Instance]:
    """Asked for; nothing is delivered yet."""
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    names = purchase(wanted(account, configuration)).instance_ids
    return list(Instance.objects.filter(public_id__in=names).order_by("id"))


def data_disks(machine: Instance) -> list[Disk]:
    return list(Disk.objects.filter(instance_id=machine.id, usage="DATA_DISK").order_by("position"))


def test_each_machines_disk_holds_it_and_its_other_disks_are_empty(
    account: int, snapshot: Snapshot, world: World
) -> None:
    asked = holding(DiskChoice("CLOUD_SSD", 20), DiskChoice("CLOUD_SSD", 150, snapshot_id=snapshot.public_id))
    machines = bought(account, replace(asked, count=2))
    work()
    for machine in machines:
        machine.refresh_from_db()
        empty, filled = data_disks(machine)
        assert (machine.state, world.read(empty.public_id), world.read(filled.public_id)) == ("RUNNING", "", "kept")
        assert (empty.snapshot_id, empty.restorations, filled.snapshot_id, filled.restorations) == (
            "", 0, snapshot.public_id, 1,
        )  # fmt: skip
        assert filled.size_gib == 150
    assert list(reconcile()) == []


def test_an_answer_that_is_lost_erases_nothing_that_the_guest_wrote_since(
    account: int, snapshot: Snapshot, world: World
) -> None:
    world.lose_answer("ensure_present")
    (machine,) = bought(account, holding(DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id)))
    work()
    machine.refresh_from_db()
    (disk,) = data_disks(machine)
    assert (machine.state, world.read(disk.public_id), world.armed_count()) == ("RUNNING", "kept", 0)


def test_a_disk_that_cannot_be_made_gives_the_money_back_and_the_other_machine_runs(
    account: int, snapshot: Snapshot, world: World
) -> None:
    held = purses(account)["held"]
    world.fail("ensure_volume_restored", transient=False, sentence="The host's storage is full.")
    asked = holding(DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id))
    machines = bought(account, asked) + bought(account, HOURLY)
    work()
    states = [Instance.objects.get(pk=machine.pk).state for machine in machines]
    assert states == ["LAUNCH_FAILED", "RUNNING"]
    failed = Instance.objects.get(pk=machines[0].pk)
    assert "The host's storage is full." in failed.latest_operation_error
    assert not Allocation.objects.filter(instance_id=failed.id).exists()
    assert (world.armed_count(), purses(account)["held"] > held) == (0, True)
    assert list(reconcile()) == []


def test_it_is_not_deleted_before_the_disk_is_there(account: int, snapshot: Snapshot) -> None:
    (machine,) = bought(account, holding(DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id)))
    with refused(errors.SnapshotInUse, field="snapshots"):
        delete.delete(by(account), [snapshot.public_id])
    work()
    delete.delete(by(account), [snapshot.public_id])
    work()
    snapshot.refresh_from_db()
    machine.refresh_from_db()
    assert (snapshot.state, machine.state) == ("GONE", "RUNNING")
    assert list(reconcile()) == []


def test_what_cannot_be_made_of_it_is_refused_by_the_disks_own_name(account: int, snapshot: Snapshot) -> None:
    """Refused before anything is written; of the second data disk, so that its place is named."""
    other = open_purse("other", cash_minor=100_000)
    of_system = of(account, system_disk(buy_running(account)))
    plain = DiskChoice("CLOUD_SSD", 20)

    def second(**said: object) -> Configuration:
        return holding(plain, replace(DiskChoice("CLOUD_SSD", 100), **said))  # type: ignore[arg-type]

    cases: list[tuple[int, Configuration, type[Refused], str]] = [
        (other, second(snapshot_id=snapshot.public_id), errors.UnknownSnapshot, "data_disks.1.snapshot_id"),
        (account, second(snapshot_id="snap-none"), errors.UnknownSnapshot, "data_disks.1.snapshot_id"),
        (account, second(snapshot_id="a\0b"), errors.UnknownSnapshot, "data_disks.1.snapshot_id"),
        (account, second(snapshot_id=of_system.public_id), errors.NotOfDataDisk, "data_disks.1.snapshot_id"),
        (account, second(snapshot_id=snapshot.public_id, size_gib=90), OutOfRange, "data_disks.1.size_gib"),
        (
            account, replace(second(snapshot_id=snapshot.public_id), zone="ap-guangzhou-6"), errors.OtherZone, "zone",
        ),
    ]  # fmt: skip
    for who, asked, error, field in cases:
        with refused(error, field=field):
            purchase(wanted(who, asked))
    delete.delete(by(account), [snapshot.public_id])
    with refused(errors.UnknownSnapshot, field="data_disks.1.snapshot_id"):
        purchase(wanted(account, second(snapshot_id=snapshot.public_id)))


def test_one_that_goes_between_the_look_and_the_purchase_is_refused_by_its_statement(
    account: int, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the account's lock, by which it is deleted; a control without the look shows that the statement looks."""
    disk = DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id)
    monkeypatch.setattr(of_snapshot, "check", lambda *_: None)
    assert len(bought(account, holding(disk))) == 1
    work()
    before = Instance.objects.count(), purses(account)
    others = (open_purse("other", cash_minor=100_000), disk), (account, replace(disk, size_gib=90))
    for who, choice in others:
        with refused(errors.UnknownSnapshot, field="data_disks"):
            purchase(wanted(who, holding(choice)))
    delete.delete(by(account), [snapshot.public_id])
    with refused(errors.UnknownSnapshot, field="data_disks"):
        purchase(wanted(account, holding(disk)))
    assert (Instance.objects.count(), purses(account)["cash"]) == (before[0], before[1]["cash"])


def test_an_order_that_is_paid_later_looks_again(account: int, snapshot: Snapshot, world: World) -> None:
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    disk = DiskChoice("CLOUD_SSD", 100, snapshot_id=snapshot.public_id)
    first, second = (place(wanted(account, holding(disk, configuration=MONTHLY))) for _ in range(2))
    actions.pay(by(account), first)
    work()
    made = Disk.objects.get(snapshot_id=snapshot.public_id)
    assert world.read(made.public_id) == "kept"
    delete.delete(by(account), [snapshot.public_id])
    with refused(errors.UnknownSnapshot, field="data_disks.0.snapshot_id"):
        actions.pay(by(account), second)
