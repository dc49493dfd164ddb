"""Given two things of a customer that know nothing of each other, when both are done at once, then money is right."""

import datetime as dt
from dataclasses import replace

import pytest

from tests.orders.acting import agree
from tests.orders.prepaying import prepaid_disk
from tests.orders.test_images import buy_running as buy_for_images
from tests.orders.test_own_disks import latest as latest_disk
from tests.orders.test_own_disks import new_disk
from tests.orders.test_spot import SPOT
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import ZONE, buy_running, go_to, open_purse, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.events import record
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR, UTC
from vmart.orders import errors, planned_end, reclaim, stop, sweep, terminate
from vmart.orders.disks import attach, renew
from vmart.orders.images import create as images
from vmart.orders.images.create import NewImage
from vmart.orders.renew import Renewal
from vmart.orders.snapshots.apply import apply
from vmart.orders.snapshots.create import NewSnapshot, create
from vmart.orders.snapshots.delete import delete as delete_snapshots
from vmart.placement.models import Allocation
from vmart.provisioning import zones
from vmart.storage.models import Disk, OwnImage, Snapshot
from vmart.worker import queue
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

EXPIRY = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=400_000)


def _system_disk(machine: Instance) -> str:
    return Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK").public_id


def _charged_s(component: str) -> int:
    return sum(Charge.objects.filter(component=component).values_list("duration_s", flat=True))


def _tried_until_given_up() -> None:
    for _ in range(14):
        work()
        Operation.objects.update(not_before=None)


def test_no_snapshot_puts_the_end_of_a_prepaid_disk_off(account: int, test_clock: BusinessClock) -> None:
    """Its isolation waits for what is under way on it, so nothing may begin."""
    disk = prepaid_disk(account)
    snapshot = create(by(account), NewSnapshot(disk.public_id))
    work()
    test_clock.set(EXPIRY)
    with refused(errors.DiskExpired, field="disks"):
        create(by(account), NewSnapshot(disk.public_id))
    with refused(errors.DiskExpired, field="disks"):
        apply(by(account), snapshot, disk.public_id)


@pytest.mark.parametrize("protected", [False, True])
def test_a_spot_machine_that_its_owner_ends_behind_the_notice_is_charged_until_it(
    account: int, test_clock: BusinessClock, *, protected: bool
) -> None:
    machine = buy_running(account, SPOT)
    Instance.objects.filter(pk=machine.pk).update(termination_protected=protected)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    test_clock.set(START + 30 * MINUTE)
    terminate.terminate(replace(by(account), via="page"), [machine.public_id])
    work()
    go_to(test_clock, START + 2 * HOUR)
    assert (_charged_s("cpu"), _charged_s("disk")) == (120, 120)
    agree()


def test_a_machine_that_its_owner_ends_behind_its_planned_end_is_charged_until_it(
    account: int, test_clock: BusinessClock
) -> None:
    """Given the end waits for a snapshot of the machine's disk."""
    machine, other = buy_running(account), buy_running(account)
    planned_end.plan(by(account), [machine.public_id], START + 10 * MINUTE)
    test_clock.set(START + 9 * MINUTE)
    create(by(account), NewSnapshot(_system_disk(machine)))
    Operation.objects.filter(kind="create_snapshot").update(due_at=START + 50 * MINUTE)
    go_to(test_clock, START + 30 * MINUTE)
    assert Instance.objects.get(pk=machine.pk).state == "RUNNING"
    terminate.terminate(by(account), [machine.public_id, other.public_id])
    go_to(test_clock, START + 2 * HOUR)
    durations = Charge.objects.filter(component="cpu").order_by("subscription_id").values_list("duration_s", flat=True)
    assert list(durations) == [600, 1800]
    agree()


def test_an_image_waits_until_its_snapshot_is_restored(account: int) -> None:
    machine = buy_for_images(account)
    snapshot = create(by(account), NewSnapshot(_system_disk(machine)))
    work()
    stop.stop(by(account), [machine.public_id])
    work()
    images.of_snapshot(by(account), snapshot, NewImage("of it"))
    apply(by(account), snapshot, _system_disk(machine))
    run_until_idle(STEPS, lanes, wait=True)
    assert (OwnImage.objects.get().state, Snapshot.objects.get().state) == ("NORMAL", "NORMAL")


def test_a_snapshot_is_not_given_back_while_arrears_are_due(account: int) -> None:
    """Given a prepaid disk, then it is the snapshot that arrears put away."""
    disk = prepaid_disk(account)
    snapshot = create(by(account), NewSnapshot(disk.public_id))
    work()
    with db.act():
        queue.enqueue("arrears", record.ACCOUNT, account, account_id=account, due_at=clock.now())
    with refused(errors.InArrears, field="snapshots"):
        apply(by(account), snapshot, disk.public_id)


def test_a_disk_whose_host_was_away_is_taken_off_by_the_sweep_and_renewed(
    account: int, test_clock: BusinessClock, world: World
) -> None:
    disk, machine = prepaid_disk(account), buy_running(account)
    attach.attach(by(account), machine.public_id, [disk.public_id])
    work()
    world.fail("ensure_detached", times=12, sentence="The host does not answer.")
    test_clock.set(EXPIRY + MINUTE)
    _tried_until_given_up()
    assert latest_disk(disk)[0] == "TORECYCLE"
    assert Operation.objects.get(kind="isolate_disk").attention is True
    sweep.sweep(ZONE)
    work()
    renew.ACT.order(by(account), Renewal([disk.public_id]))
    assert latest_disk(disk)[0] == "UNATTACHED"
    assert list(reconcile()) == []


def test_a_snapshot_whose_host_was_away_is_deleted_by_the_sweep(account: int, world: World) -> None:
    snapshot = create(by(account), NewSnapshot(new_disk(account).public_id))
    work()
    rooms = Allocation.objects.count()
    world.fail("ensure_snapshot_absent", times=12, sentence="The host does not answer.")
    delete_snapshots(by(account), [snapshot])
    _tried_until_given_up()
    assert Operation.objects.get(kind="release_snapshot").attention is True
    sweep.sweep(ZONE)
    work()
    assert (Snapshot.objects.get().state, Allocation.objects.count()) == ("GONE", rooms - 1)
    assert list(reconcile()) == []
