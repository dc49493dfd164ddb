"""Given a disk with a life of its own, when it is made larger, then each second costs the size that it had."""

import datetime as dt
from decimal import Decimal

import pytest

from tests.orders.acting import stopped_without_charge
from tests.orders.test_own_disks import HOLD_MINOR, again, attached, latest, new_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, buy_running, open_purse, owe, purses, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import MissingParameter
from vmart.metering.models import Segment
from vmart.orders import errors, stop
from vmart.orders import terminate as of_machines
from vmart.orders.disks.attach import attach
from vmart.orders.disks.attributes import modify
from vmart.orders.disks.detach import detach
from vmart.orders.disks.resize import reckon
from vmart.orders.disks.resize import resize as grow
from vmart.orders.disks.terminate import terminate
from vmart.orders.hourly import Hours
from vmart.placement.models import Allocation, Host
from vmart.pricing.errors import OutOfRange
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.subscriptions.models import Item
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

AT_250_MINOR = 35  # 250 × 0.0014


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def _agreed(disk: Disk) -> list[tuple[int, bool]]:
    found = Item.objects.filter(subscription_id=disk.id).order_by("from_at")
    return [(one.quantity, one.to_at is None) for one in found]


def _stretches(disk: Disk) -> list[tuple[int, dt.datetime, dt.datetime | None]]:
    found = Segment.objects.filter(subscription_id=disk.id).order_by("started_at", "id")
    return [(one.quantity, one.started_at, one.ended_at) for one in found]


def _room(disk: Disk) -> tuple[int, int]:
    """What its host keeps for it, and what the hosts of the zone count in all."""
    return Allocation.objects.get(instance_id=disk.id).disk_gib, sum(
        Host.objects.filter(zone_id=ZONE).values_list("disk_used_gib", flat=True)
    )


def _machine(machine: Instance) -> tuple[str, str, str]:
    now = Instance.objects.get(pk=machine.pk)
    return now.state, now.latest_operation, now.latest_operation_state


def test_it_is_charged_at_its_size_from_the_second_in_which_it_has_it(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """602 s at 0.14 and 2,998 s at 0.35 an hour: 1,133.58 / 3,600 = 0.31488333."""
    disk, hour = new_disk(account), test_clock.at
    test_clock.advance(minutes=10)
    grow(by(account), disk.public_id, 250)
    assert (latest(disk), again(disk).size_gib) == (("UNATTACHED", "ResizeDisk", "OPERATING"), 100)
    assert (purses(account)["held"], _room(disk)) == (AT_250_MINOR, (250, 250))
    there = test_clock.advance(seconds=2)
    work()
    assert (latest(disk), again(disk).size_gib) == (("UNATTACHED", "ResizeDisk", "SUCCESS"), 250)
    host = Allocation.objects.get(instance_id=disk.id).host
    assert world.volume(disk.public_id) == (250, host.name, "")
    assert (_stretches(disk), _agreed(disk)) == (
        [(100, hour, there), (250, there, None)], [(100, False), (250, True)],
    )  # fmt: skip
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get(subscription_id=disk.id)
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (3600, Decimal("0.31488333"))
    assert purses(account)["held"] == AT_250_MINOR
    assert list(Event.objects.filter(subject_id=disk.id).order_by("id").values_list("kind", flat=True)) == [
        "CreateDisks", "disk_made", "ResizeDisk", "disk_grown",
    ]  # fmt: skip
    assert Event.objects.get(kind="disk_grown").detail == {"old": 100, "new": 250}
    assert list(reconcile()) == []


def test_the_machine_that_has_it_runs_on_and_is_busy_meanwhile(account: int, world: World) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    grow(by(account), disk.public_id, 250)
    assert (latest(disk), _machine(machine)) == (
        ("ATTACHED", "ResizeDisk", "OPERATING"), ("RUNNING", "ResizeDisk", "OPERATING"),
    )  # fmt: skip
    with refused(errors.Busy, field="machines"):
        stop.stop(by(account), [machine.public_id])
    with refused(errors.DiskBusy, field="disks"):
        detach(by(account), [disk.public_id])
    work()
    assert (latest(disk), _machine(machine)) == (
        ("ATTACHED", "ResizeDisk", "SUCCESS"), ("RUNNING", "ResizeDisk", "SUCCESS"),
    )  # fmt: skip
    member = Allocation.objects.get(instance_id=machine.id).host.name
    assert (world.volume(disk.public_id), world.boots(machine.public_id)) == ((250, member, machine.public_id), 1)
    assert list(reconcile()) == []


def test_also_at_a_machine_that_is_off_without_charge(account: int, test_clock: BusinessClock) -> None:
    machine = stopped_without_charge(account, test_clock)
    disk, held = attached(account, machine), purses(account)["held"]
    grow(by(account), disk.public_id, 250)
    work()
    assert (latest(disk)[2], _machine(machine)) == ("SUCCESS", ("STOPPED", "ResizeDisk", "SUCCESS"))
    assert purses(account)["held"] - held == AT_250_MINOR - HOLD_MINOR
    assert list(reconcile()) == []


def test_what_it_costs_is_told_before(account: int) -> None:
    disk, other = new_disk(account), new_disk(account)
    found = reckon(account, [disk.public_id, other.public_id], 250)
    assert [one.disk_hourly for one in found] == [Decimal("0.35")] * 2
    assert found[0].hours == Hours(Decimal("0.14"), Decimal("0.35"), HOLD_MINOR, AT_250_MINOR)
    assert (latest(disk)[1], purses(account)["held"]) == ("CreateDisks", 2 * HOLD_MINOR)


def test_one_that_fails_is_paid_for_as_before(account: int, world: World) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    grow(by(account), disk.public_id, 250)
    world.fail("ensure_volume", times=6)
    work()
    assert (latest(disk), _machine(machine)) == (
        ("ATTACHED", "ResizeDisk", "FAILED"), ("RUNNING", "ResizeDisk", "SUCCESS"),
    )  # fmt: skip
    assert again(disk).latest_operation_error.splitlines()[0] == (
        "The disk could not be made larger; it is paid for as before."
    )
    assert (again(disk).size_gib, _room(disk), _agreed(disk)) == (100, (100, 150), [(100, True)])
    assert purses(account)["held"] == 38 + HOLD_MINOR
    assert list(reconcile()) == []


def test_one_whose_every_answer_is_lost_is_paid_for_as_before_and_never_made_smaller(
    account: int, world: World
) -> None:
    disk = new_disk(account)
    grow(by(account), disk.public_id, 250)
    world.lose_answer("ensure_volume", times=6)
    work()
    assert (latest(disk)[2], again(disk).size_gib, _room(disk)) == ("FAILED", 100, (100, 100))
    seen = world.volume(disk.public_id)
    assert (seen and seen[0], purses(account)["held"]) == (250, HOLD_MINOR)
    grow(by(account), disk.public_id, 110)
    work()
    seen = world.volume(disk.public_id)
    assert (latest(disk)[2], again(disk).size_gib, seen and seen[0]) == ("SUCCESS", 110, 250)
    assert list(reconcile()) == []


def test_what_cannot_grow_is_refused(account: int) -> None:
    disk, here = new_disk(account), by(account)
    for name, size_gib, error, field, code in (
        ("", 250, errors.UnknownOwnDisk, "disks", "InvalidDiskId.NotFound"),
        ("disk-nothing", 250, errors.UnknownOwnDisk, "disks", "InvalidDiskId.NotFound"),
        (disk.public_id, 100, OutOfRange, "disk.size_gib", "InvalidParameterValue"),
        (disk.public_id, 90, OutOfRange, "disk.size_gib", "InvalidParameterValue"),
        (disk.public_id, 32_010, OutOfRange, "disk.size_gib", "InvalidParameterValue.Range"),
        (disk.public_id, 255, OutOfRange, "disk.size_gib", "InvalidParameterValue.Range"),
    ):
        with refused(error, field=field, code=code):
            grow(here, name, size_gib)
    with refused(MissingParameter, field="disks"):
        reckon(account, [], 250)
    stranger = by(open_purse("stranger"))
    with refused(errors.UnknownOwnDisk, field="disks"):
        grow(stranger, disk.public_id, 250)
    grow(here, disk.public_id, 250)
    with refused(errors.DiskBusy, field="disks", code="InvalidDisk.Busy"):
        grow(here, disk.public_id, 260)
    work()
    terminate(here, [disk.public_id])
    work()
    with refused(errors.DiskState, field="disks", code="UnsupportedOperation.StateError"):
        grow(here, disk.public_id, 260)


def test_a_virtual_machine_is_stopped_first(account: int) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    Instance.objects.filter(pk=machine.pk).update(kind="virtual-machine")
    with refused(errors.MachineRuns, field="disks", code="UnsupportedOperation.InstanceNotStopped"):
        grow(by(account), disk.public_id, 250)
    stop.stop(by(account), [machine.public_id])
    work()
    grow(by(account), disk.public_id, 250)
    work()
    assert again(disk).size_gib == 250


def test_an_hour_of_it_and_its_room_must_be_there(account: int) -> None:
    poor = open_purse("poor", cash_minor=AT_250_MINOR - 1)
    disk = new_disk(poor)
    with refused(
        errors.InsufficientBalance, match=r"at 250 GiB is set aside: .0\.35 are needed and .0\.34 are available"
    ):
        grow(by(poor), disk.public_id, 250)
    other = new_disk(account)
    Host.objects.filter(zone_id=ZONE).update(disk_capacity_gib=249)
    with refused(errors.DiskSoldOut, field="disk.size_gib", code="ResourceInsufficient", match="150 GiB more"):
        grow(by(account), other.public_id, 250)
    owe(poor)
    with refused(errors.InArrears, field="disks"):
        grow(by(poor), disk.public_id, 110)


def test_a_machine_that_is_erased_meanwhile_has_it_no_more(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    stays, ends = attached(account, machine), attached(account, machine)
    modify(by(account), [ends.public_id], ends_with_machine=True)
    for disk in (stays, ends):
        grow(by(account), disk.public_id, 250)
        Operation.objects.filter(kind="resize_disk").update(due_at=test_clock.at + HOUR)
        Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS")
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()
    assert (_machine(machine)[0], latest(stays)) == ("GONE", ("ATTACHED", "ResizeDisk", "OPERATING"))
    Operation.objects.filter(kind="resize_disk").update(due_at=test_clock.at)
    work()
    assert [(again(disk).size_gib, again(disk).instance_id) for disk in (stays, ends)] == [(250, None)] * 2
    assert (latest(stays), latest(ends)) == (
        ("UNATTACHED", "ResizeDisk", "SUCCESS"), ("TORECYCLE", "TerminateDisks", "SUCCESS"),
    )  # fmt: skip
    assert list(reconcile()) == []


def test_its_size_goes_with_it_to_another_machine(account: int, world: World) -> None:
    first, second = buy_running(account), buy_running(account)
    disk = attached(account, first)
    grow(by(account), disk.public_id, 250)
    work()
    detach(by(account), [disk.public_id])
    work()
    attach(by(account), second.public_id, [disk.public_id])
    work()
    member = Allocation.objects.get(instance_id=second.id).host.name
    assert world.volume(disk.public_id) == (250, member, second.public_id)
    assert list(reconcile()) == []
