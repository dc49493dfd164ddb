"""Given a disk that goes with its machine, when it is made larger by its own id, then it is the machine's act."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.acting import latest, line_of
from tests.orders.ending import no_closes
from tests.orders.test_own_disks import new_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, ZONE, buy_running, open_purse, purses, work
from tests.support.statements import statements
from tests.support.written import nothing_written, refused
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter
from vmart.listings import disks as listed
from vmart.orders import errors, terminate
from vmart.orders.disks.resize import reckon, resize
from vmart.orders.grow_disk import Reckoned
from vmart.orders.models import Order
from vmart.placement.models import Host
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import OutOfRange
from vmart.pricing.priced import Priced
from vmart.provisioning import zones
from vmart.storage.models import Disk

pytestmark = pytest.mark.usefixtures("in_business")

DATA = (DiskChoice("CLOUD_SSD", 20), DiskChoice("CLOUD_PREMIUM", 100, delete_with_instance=False))
HOURLY_WITH, MONTHLY_WITH = replace(HOURLY, data_disks=DATA), replace(MONTHLY, data_disks=DATA)
HELD_MINOR = 45  # 0.35 + 50 × 0.0005 + 20 × 0.0014 + 100 × 0.0005 = 0.453
AT_60_MINOR = 51  # and 40 × 0.0014 more: 0.509
IN_TERM_MINOR = 3814  # 29 days are left: 40 × 1.00 × 29 × 12 / 365


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=200_000)


def _disk(machine: Instance, position: int = 1) -> Disk:
    return Disk.objects.get(instance_id=machine.id, position=position)


def _told(account: int, disk: Disk) -> tuple[str, int]:
    """State and size, as DescribeDisks has them."""
    _, (seen,) = listed.page(account, listed.Wanted(public_ids=[disk.public_id]))
    return seen.state, seen.bought.size_gib


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_disk_of_a_machine_grows_by_its_own_id(account: int, world: World, position: int) -> None:
    """The system disk, a data disk that goes and one that stays."""
    machine = buy_running(account, HOURLY_WITH)
    disk = _disk(machine, position)
    resize(by(account), disk.public_id, 200)
    assert _told(account, disk) == ("EXPANDING", disk.size_gib)
    assert latest(machine) == ("RUNNING", "ResizeInstanceDisks", "OPERATING")
    work()
    assert _told(account, disk) == ("ATTACHED", 200)
    assert (latest(machine), world.boots(machine.public_id)) == (("RUNNING", "ResizeInstanceDisks", "SUCCESS"), 1)
    assert list(reconcile()) == []


def test_the_hour_held_is_that_of_the_larger_one(account: int) -> None:
    machine = buy_running(account, HOURLY_WITH)
    assert purses(account)["held"] == HELD_MINOR
    (cost,) = reckon(account, [_disk(machine).public_id], 60)
    assert isinstance(cost, Reckoned)
    assert (cost.disk_hourly, cost.hours.hold_minor) == (Decimal("0.084"), AT_60_MINOR)
    resize(by(account), _disk(machine).public_id, 60)
    work()
    assert purses(account)["held"] == AT_60_MINOR


def test_of_a_prepaid_machine_the_rest_of_the_term_is_paid(account: int, test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(account, MONTHLY_WITH)
    test_clock.advance(days=2)
    disk, before = _disk(machine), purses(account)["cash"]
    assert before == 200_000 - MONTHLY_MINOR - 2000 - 3500
    (cost,) = reckon(account, [disk.public_id], 60)
    assert isinstance(cost, Priced)
    assert cost.due_minor == IN_TERM_MINOR
    resize(by(account), disk.public_id, 60)
    assert purses(account)["held"] == IN_TERM_MINOR
    work()
    assert (_told(account, disk), purses(account)["cash"]) == (("ATTACHED", 60), before - IN_TERM_MINOR)
    assert line_of(Order.objects.latest("id").id) == (4, "delivered", IN_TERM_MINOR, IN_TERM_MINOR)
    assert list(reconcile()) == []


def test_one_that_fails_is_as_it_was(account: int, world: World) -> None:
    machine = buy_running(account, HOURLY_WITH)
    resize(by(account), _disk(machine).public_id, 60)
    world.fail("ensure_disk_size", times=6)
    work()
    assert (_told(account, _disk(machine)), purses(account)["held"]) == (("ATTACHED", 20), HELD_MINOR)
    assert _disk(machine).latest_operation_state == "FAILED"
    assert list(reconcile()) == []


def test_what_refuses_it_is_said_in_words_of_disks(account: int) -> None:
    machine = buy_running(account, HOURLY_WITH)
    disk, here, stranger = _disk(machine), by(account), by(open_purse("stranger"))
    for size_gib, code in ((20, "InvalidParameterValue"), (25, "InvalidParameterValue.Range")):
        with refused(OutOfRange, field="disk.size_gib", code=code), nothing_written():
            resize(here, disk.public_id, size_gib)
        with refused(OutOfRange, field="disk.size_gib", code=code):
            reckon(account, [disk.public_id], size_gib)
    with refused(errors.UnknownOwnDisk, field="disks"):
        resize(stranger, disk.public_id, 60)
    with refused(InvalidParameter, field="disks"):
        reckon(account, [disk.public_id, disk.public_id], 60)
    Host.objects.filter(zone_id=ZONE).update(disk_capacity_gib=175)
    with refused(errors.DiskSoldOut, field="disk.size_gib", code="ResourceInsufficient"), nothing_written():
        resize(here, disk.public_id, 60)
    Instance.objects.filter(pk=machine.pk).update(latest_operation_state="OPERATING")
    with refused(errors.Busy, field="disks", code="ResourceBusy"), nothing_written():
        resize(here, disk.public_id, 60)
    Instance.objects.filter(pk=machine.pk).update(latest_operation_state="SUCCESS", kind="virtual-machine")
    with refused(errors.MachineRuns, field="disks", code="UnsupportedOperation.InstanceNotStopped"), nothing_written():
        resize(here, disk.public_id, 60)
    terminate.terminate(here, [machine.public_id])
    work()
    with refused(errors.WrongState, field="disks", code="InvalidInstance.NotSupported"), nothing_written():
        resize(here, disk.public_id, 60)
    terminate.terminate(here, [machine.public_id])
    work()
    with refused(errors.GoesWithMachine, field="disks"):
        resize(here, disk.public_id, 60)


def test_machines_are_locked_together_when_a_price_is_asked(account: int) -> None:
    """However many machines have the disks."""
    machines = [buy_running(account, HOURLY_WITH) for _ in range(3)]
    own = new_disk(account)

    def locks(disks: list[str]) -> int:
        with statements() as made:
            assert len(reckon(account, disks, 200)) == len(disks)
        return sum("FOR UPDATE" in one and "instances_instance" in one for one in made)

    names = [_disk(machine).public_id for machine in machines]
    assert (locks(names[:1]), locks(names), locks([*names, own.public_id])) == (1, 1, 1)
