"""Given snapshots of disks, when they are made, given back, deleted and used for new disks, then each second counts."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.test_own_disks import SSD, attached, new_disk
from tests.orders.test_own_disks import again as disk_again
from tests.orders.test_own_disks import latest as latest_of_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import HOURLY, ZONE, buy_running, open_purse, owe, pay, purses, work
from tests.support.written import refused
from vmart.backoffice import change_engine
from vmart.bills.models import Charge
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.orders import errors, stop, sweep, terminate
from vmart.orders.disks import create as disks
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.attributes import modify
from vmart.orders.snapshots.create import NewSnapshot, cost, create
from vmart.orders.snapshots.delete import delete
from vmart.placement.models import Allocation, Host
from vmart.pricing.errors import OutOfRange
from vmart.provisioning import zones
from vmart.storage.models import Disk, Snapshot
from vmart.subscriptions.models import Subscription
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

HOLD_MINOR = 2  # 100 × 0.0002


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def of(account: int, disk: Disk, name: str = "") -> Snapshot:
    """Accepted, and made."""
    public_id = create(by(account), NewSnapshot(disk.public_id, name))
    work()
    return again(Snapshot.objects.get(public_id=public_id))


def again(snapshot: Snapshot) -> Snapshot:
    return Snapshot.objects.select_related("subscription").get(pk=snapshot.pk)


def latest(snapshot: Snapshot) -> tuple[str, str, str]:
    now = again(snapshot)
    return now.state, now.latest_operation, now.latest_operation_state


def of_machine(machine: Instance) -> tuple[str, str, str]:
    now = Instance.objects.get(pk=machine.pk)
    return now.state, now.latest_operation, now.latest_operation_state


def system_disk(machine: Instance) -> Disk:
    return Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK")


def test_a_snapshot_is_held_for_at_the_request_and_charged_from_when_it_is_there(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """100 GiB at 0.0002 for 2,998 s: 0.01665556; with its hold of 0.02 what is deducted with the disk is 0.16."""
    hour = test_clock.at
    disk = new_disk(account)
    world.write(disk.public_id, "first")
    test_clock.advance(minutes=10)
    public_id = create(by(account), NewSnapshot(disk.public_id, "before"))
    snapshot = Snapshot.objects.get(public_id=public_id)
    assert latest(snapshot) == ("CREATING", "CreateSnapshot", "OPERATING")
    assert latest_of_disk(disk) == ("UNATTACHED", "CreateSnapshot", "OPERATING")
    assert (purses(account)["held"], again(snapshot).subscription.standing) == (14 + HOLD_MINOR, "pending")
    assert world.snapshot(public_id) is None
    test_clock.advance(seconds=2)
    work()
    assert latest(snapshot) == ("NORMAL", "CreateSnapshot", "SUCCESS")
    assert latest_of_disk(disk) == ("UNATTACHED", "CreateSnapshot", "SUCCESS")
    room = {one.instance_id: (one.host.name, one.disk_gib) for one in Allocation.objects.select_related("host")}
    assert room == {disk.id: (room[disk.id][0], 100), snapshot.id: (room[disk.id][0], 100)}
    assert world.snapshot(public_id) == (100, room[disk.id][0], "first")
    assert (snapshot.name, snapshot.size_gib, snapshot.usage, snapshot.image_id) == ("before", 100, "DATA_DISK", "")
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get(subscription_id=snapshot.id)
    assert (charge.component, charge.duration_s) == ("snapshot", 2998)
    assert Decimal(charge.exact_e8).scaleb(-8) == Decimal("0.01665556")
    assert purses(account)["cash"] == 100_000 - 16  # 0.14 + 0.01665556
    assert [event.kind for event in Event.objects.filter(subject_kind="snapshot").order_by("id")] == [
        "CreateSnapshot", "snapshot_made",
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_the_price_asked_for_is_the_hold_of_the_request(account: int) -> None:
    due = cost(account, ZONE, 100)
    assert (due.hourly, due.hold_minor) == (Decimal("0.02"), HOLD_MINOR)


def test_a_disk_gets_what_its_snapshot_holds_and_keeps_its_size(account: int, world: World) -> None:
    disk = new_disk(account)
    world.write(disk.public_id, "first")
    snapshot = of(account, disk)
    world.write(disk.public_id, "second")
    apply(by(account), snapshot.public_id, disk.public_id)
    assert latest(snapshot) == ("ROLLBACKING", "ApplySnapshot", "OPERATING")
    assert latest_of_disk(disk) == ("UNATTACHED", "ApplySnapshot", "OPERATING")
    held = purses(account)["held"]
    work()
    assert (latest(snapshot)[0], latest_of_disk(disk)[0::2]) == ("NORMAL", ("UNATTACHED", "SUCCESS"))
    assert (world.read(disk.public_id), disk_again(disk).restorations) == ("first", 1)
    assert purses(account)["held"] == held
    assert list(reconcile()) == []


def test_a_repeated_restoration_changes_nothing(account: int, world: World) -> None:
    """The answer is lost, the guest writes, and the call is made again."""
    disk = new_disk(account)
    world.write(disk.public_id, "first")
    snapshot = of(account, disk)
    apply(by(account), snapshot.public_id, disk.public_id)
    world.lose_answer("ensure_volume_restored")
    work()
    assert (world.armed_count(), latest(snapshot)[0], world.read(disk.public_id)) == (0, "NORMAL", "first")
    apply(by(account), snapshot.public_id, disk.public_id)
    work()
    assert disk_again(disk).restorations == 2


def test_a_machines_system_disk_is_given_back_with_the_image_it_ran(account: int, world: World) -> None:
    machine = buy_running(account, HOURLY)
    disk = system_disk(machine)
    world.write(disk.public_id, "first")
    snapshot = of(account, disk)
    assert (snapshot.usage, snapshot.image_id) == ("SYSTEM_DISK", machine.image_id)
    assert of_machine(machine) == ("RUNNING", "CreateSnapshot", "SUCCESS")
    own = attached(account, machine)
    world.write(disk.public_id, "second")
    with refused(errors.MachineRuns, field="disks", code="UnsupportedOperation.InstanceNotStopped"):
        apply(by(account), snapshot.public_id, disk.public_id)
    stop.stop(by(account), [machine.public_id])
    work()
    seen_before = world.size(machine.public_id)
    apply(by(account), snapshot.public_id, disk.public_id)
    assert of_machine(machine) == ("STOPPED", "ApplySnapshot", "OPERATING")
    work()
    assert of_machine(machine) == ("STOPPED", "ApplySnapshot", "SUCCESS")
    assert (world.read(disk.public_id), world.size(machine.public_id)) == ("first", seen_before)
    held = world.volume(own.public_id)
    assert held is not None and held[2] == machine.public_id
    assert list(reconcile()) == []


def test_a_snapshot_outlives_disk_and_machine_and_makes_new_disks(account: int, world: World) -> None:
    disk = new_disk(account)
    world.write(disk.public_id, "kept")
    snapshot = of(account, disk)
    end_disks(by(account), [disk.public_id])
    work()
    end_disks(by(account), [disk.public_id])
    work()
    assert (disk_again(disk).state, world.volume(disk.public_id)) == ("GONE", None)
    assert latest(snapshot)[0] == "NORMAL"
    asked = replace(SSD, disk=replace(SSD.disk, size_gib=150, snapshot_id=snapshot.public_id), count=2)
    names = disks.create(by(account), asked)
    with refused(errors.SnapshotInUse, field="snapshots", code="ResourceInUse"):
        delete(by(account), [snapshot.public_id])
    work()
    for name in names:
        made = Disk.objects.get(public_id=name)
        volume = world.volume(name)
        assert (made.state, made.size_gib, made.snapshot_id, world.read(name)) == (
            "UNATTACHED", 150, snapshot.public_id, "kept",
        )  # fmt: skip
        assert volume is not None and volume[0] == 150
    delete(by(account), [snapshot.public_id])
    work()
    assert (latest(snapshot)[0], world.snapshot(snapshot.public_id)) == ("GONE", None)
    assert [world.read(name) for name in names] == ["kept", "kept"]
    assert list(reconcile()) == []


def test_a_zone_with_nothing_but_a_snapshot_keeps_its_engine(account: int) -> None:
    disk = new_disk(account)
    snapshot = of(account, disk)
    for _ in range(2):  # into the bin, and out of it
        end_disks(by(account), [disk.public_id])
        work()
    zone = Zone.objects.get(code=ZONE)
    with db.act(), pytest.raises(change_engine.MachinesLiveThere, match="has 1 snapshot on its simulated engine: end"):
        change_engine.leave(zone)
    delete(by(account), [snapshot.public_id])
    work()
    with db.act():
        change_engine.leave(zone)
    assert not Host.objects.filter(zone=zone).exists()


def test_an_engine_that_does_not_answer_is_told_where_only_disks_lie(account: int, world: World) -> None:
    new_disk(account)
    world.stop_engine()
    assert list(reconcile()) == [f"the engine of {ZONE} does not answer: The compute engine does not answer."]


def test_charging_ends_when_a_deletion_is_accepted(account: int, world: World, test_clock: BusinessClock) -> None:
    """Ten minutes of 0.02 an hour: 0.00333333, for which a cent of the hold is kept until the hour closes."""
    snapshot = of(account, new_disk(account))
    test_clock.advance(minutes=10)
    delete(by(account), [snapshot.public_id])
    assert latest(snapshot) == ("ERASING", "DeleteSnapshots", "OPERATING")
    assert purses(account)["held"] == 14 + 1
    with refused(errors.UnknownSnapshot, field="snapshots", code="InvalidSnapshotId.NotFound"):
        delete(by(account), [snapshot.public_id])
    test_clock.advance(minutes=50)
    work()
    charge = Charge.objects.get(subscription_id=snapshot.id)
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (600, Decimal("0.00333333"))
    assert (latest(snapshot)[0], again(snapshot).subscription.standing) == ("GONE", "ended")
    assert (world.snapshot(snapshot.public_id), Allocation.objects.filter(instance_id=snapshot.id).exists()) == (
        None, False,
    )  # fmt: skip
    assert list(reconcile()) == []


def test_what_cannot_be_made_is_not_charged_and_holds_nothing(account: int, world: World) -> None:
    disk = new_disk(account)
    world.fail("ensure_snapshot", times=6, transient=False, sentence="The host's storage is full.")
    snapshot = of(account, disk)
    assert latest(snapshot) == ("FAILED", "CreateSnapshot", "FAILED")
    assert latest_of_disk(disk) == ("UNATTACHED", "CreateSnapshot", "SUCCESS")
    assert "The host's storage is full." in again(snapshot).latest_operation_error
    assert (purses(account)["held"], Allocation.objects.filter(instance_id=snapshot.id).exists()) == (14, False)
    assert list(reconcile()) == []


def test_in_arrears_a_snapshot_is_kept_and_a_top_up_gives_it_back(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    disk = new_disk(account)
    snapshot = of(account, disk)
    owe(account)
    test_clock.advance(hours=2)
    work()
    assert (latest(snapshot)[0], again(snapshot).subscription.standing) == ("TORECYCLE", "isolated")
    with refused(errors.SnapshotWrongState, field="snapshots", code="InvalidSnapshot.NotSupported"):
        apply(by(account), snapshot.public_id, disk.public_id)
    pay(account, 1_000)
    work()
    assert (latest(snapshot)[0], again(snapshot).subscription.standing) == ("NORMAL", "active")
    assert purses(account)["held"] == 14 + HOLD_MINOR
    assert world.snapshot(snapshot.public_id) is not None
    assert list(reconcile()) == []


def test_arrears_that_last_delete_it(account: int, world: World, test_clock: BusinessClock) -> None:
    snapshot = of(account, new_disk(account))
    owe(account)
    test_clock.advance(hours=2)
    work()
    kept_until = again(snapshot).subscription.release_at
    assert kept_until == clock.now() + dt.timedelta(days=15)
    test_clock.set(kept_until)
    work()
    assert (latest(snapshot)[0], world.snapshot(snapshot.public_id)) == ("GONE", None)
    assert list(reconcile()) == []


def test_a_machine_may_be_ended_while_its_disk_is_copied(account: int, world: World) -> None:
    machine = buy_running(account, HOURLY)
    disk = system_disk(machine)
    world.write(disk.public_id, "kept")
    public_id = create(by(account), NewSnapshot(disk.public_id))
    terminate.terminate(by(account), [machine.public_id])
    work()
    snapshot = Snapshot.objects.get(public_id=public_id)
    found = world.snapshot(public_id)
    assert (latest(snapshot)[0], found and found[2]) == ("NORMAL", "kept")
    assert of_machine(machine) == ("SHUTDOWN", "TerminateInstances", "SUCCESS")
    with refused(errors.WrongState, field="machines", code="UnsupportedOperation.InstanceStateIsolating"):
        apply(by(account), public_id, disk.public_id)
    assert list(reconcile()) == []


def test_what_is_refused_changes_nothing(account: int) -> None:
    disk = new_disk(account)
    other = new_disk(account)
    snapshot = of(account, disk)
    stranger = open_purse("stranger", cash_minor=1_000)
    with refused(errors.UnknownOwnDisk, field="disks", code="InvalidDiskId.NotFound"):
        create(by(stranger), NewSnapshot(disk.public_id))
    with refused(errors.UnknownSnapshot, field="snapshots", code="InvalidSnapshotId.NotFound"):
        apply(by(stranger), snapshot.public_id, disk.public_id)
    with refused(errors.NotItsDisk, field="disks", code="InvalidSnapshot.NotSupported"):
        apply(by(account), snapshot.public_id, other.public_id)
    with refused(errors.BadSnapshotName, field="name", code="InvalidParameterValue"):
        create(by(account), NewSnapshot(disk.public_id, "x" * 61))
    with refused(errors.BadSnapshotName, field="name", code="InvalidParameterValue"):
        modify(by(account), snapshot.public_id, name="two\nlines")
    with refused(OutOfRange, field="disk.size_gib"):
        disks.create(by(account), replace(SSD, disk=replace(SSD.disk, size_gib=90, snapshot_id=snapshot.public_id)))
    quota(account, snapshots_per_region=1)
    with refused(errors.QuotaReached, field="disks", code="InsufficientSnapshotQuota"):
        create(by(account), NewSnapshot(disk.public_id))
    assert Snapshot.objects.count() == 1


def test_a_system_disks_snapshot_makes_no_data_disk(account: int) -> None:
    snapshot = of(account, system_disk(buy_running(account, HOURLY)))
    with refused(errors.NotOfDataDisk, field="disk.snapshot_id", code="InvalidSnapshot.NotSupported"):
        disks.create(by(account), replace(SSD, disk=replace(SSD.disk, snapshot_id=snapshot.public_id)))


def test_a_busy_disk_and_a_busy_snapshot_are_refused(account: int) -> None:
    disk = new_disk(account)
    public_id = create(by(account), NewSnapshot(disk.public_id))
    with refused(errors.DiskBusy, field="disks", code="ResourceUnavailable.SnapshotCreating"):
        create(by(account), NewSnapshot(disk.public_id))
    with refused(errors.SnapshotBusy, field="snapshots", code="ResourceUnavailable.SnapshotCreating"):
        delete(by(account), [public_id])
    work()
    apply(by(account), public_id, disk.public_id)
    with refused(errors.SnapshotBusy, field="snapshots", code="ResourceInUse.DiskRollbacking"):
        delete(by(account), [public_id])
    with refused(errors.DiskBusy, field="disks", code="ResourceInUse.DiskRollbacking"):
        end_disks(by(account), [disk.public_id])


def test_an_attached_disk_is_copied_but_not_restored(account: int, world: World) -> None:
    machine = buy_running(account, HOURLY)
    disk = attached(account, machine)
    world.write(disk.public_id, "kept")
    snapshot = of(account, disk)
    assert (latest(snapshot)[0], latest_of_disk(disk)[0]) == ("NORMAL", "ATTACHED")
    with refused(errors.DiskAttached, field="disks", code="ResourceUnavailable.Attached"):
        apply(by(account), snapshot.public_id, disk.public_id)


def test_a_disk_that_is_copied_or_given_back_is_busy_with_its_snapshot(account: int, test_clock: BusinessClock) -> None:
    """Not where nothing works on that, also when the snapshot's own end is waited for, and has come."""
    disk = new_disk(account)
    create(by(account), NewSnapshot(disk.public_id, delete_at=test_clock.at + dt.timedelta(days=1)))
    assert list(reconcile()) == []
    work()
    snapshot = Snapshot.objects.get()
    apply(by(account), snapshot.public_id, disk.public_id)
    assert list(reconcile()) == []
    test_clock.advance(hours=24)
    Operation.objects.filter(kind="apply_snapshot").delete()
    told = [line for line in reconcile() if "is being worked on and nothing works on it" in line]
    assert told == [
        f"a disk is being worked on and nothing works on it: public_id {disk.public_id}, state UNATTACHED,"
        " latest_operation ApplySnapshot",
        f"a snapshot is being worked on and nothing works on it: public_id {snapshot.public_id}, state ROLLBACKING,"
        " latest_operation ApplySnapshot",
    ]


def test_where_the_host_is_full_nothing_is_held(account: int) -> None:
    disk = new_disk(account)
    host = Allocation.objects.get(instance_id=disk.id).host_id
    Host.objects.filter(pk=host).update(disk_capacity_gib=150)
    with refused(errors.DiskSoldOut, field="disks", code="ResourceInsufficient"):
        create(by(account), NewSnapshot(disk.public_id))
    assert (purses(account)["held"], Subscription.objects.filter(kind="snapshot").exists()) == (14, False)


def test_a_zone_that_copies_no_disk_at_one_instant_sells_none(account: int) -> None:
    disk = new_disk(account)
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(code=ZONE).update(capabilities=zone.capabilities | {"snapshots": False})
    with refused(errors.NoSnapshots, field="disks", code="InvalidDisk.NotSupportSnapshot"):
        create(by(account), NewSnapshot(disk.public_id))


def test_the_sweep_tells_of_a_lost_snapshot_and_removes_a_deleted_one(account: int, world: World) -> None:
    disk = new_disk(account)
    lost, kept = of(account, disk), of(account, disk)
    world.remove_snapshot(lost.public_id)
    assert [(found.kind, found.name) for found in sweep.sweep(ZONE)] == [("missing", lost.public_id)]
    Snapshot.objects.filter(pk=kept.pk).update(state="GONE")
    found = {(one.kind, one.name, one.repaired) for one in sweep.sweep(ZONE)}
    assert ("orphan", kept.public_id, True) in found
    assert world.snapshot(kept.public_id) is None


def test_it_is_renamed_at_once(account: int) -> None:
    snapshot = of(account, new_disk(account), "old")
    modify(by(account), snapshot.public_id, name="new")
    assert again(snapshot).name == "new"
    assert Event.objects.get(kind="ModifySnapshotAttribute").detail == {"old": "old", "new": "new"}
