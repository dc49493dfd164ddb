"""Given disks, when their owner renames them or says that they end with their machine, then it is so at once."""

import datetime as dt

import pytest

from tests.orders.test_own_disks import HOLD_MINOR, SSD, again, attached, latest, new_disk
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, buy_running, open_purse, purses, work
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.orders import errors
from vmart.orders import terminate as of_machines
from vmart.orders.disks.attach import attach
from vmart.orders.disks.attributes import modify
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.detach import detach
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.storage.models import Disk

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def _erase(account: int, machine: Instance) -> None:
    for _ in range(2):
        of_machines.terminate(by(account), [machine.public_id])
        work()


def test_any_disk_has_a_name(account: int) -> None:
    machine, own = buy_running(account), new_disk(account)
    system = Disk.objects.get(instance_id=machine.id)
    modify(by(account), [system.public_id, own.public_id], name="数据")
    assert [again(disk).name for disk in (system, own)] == ["数据", "数据"]
    assert list(Event.objects.filter(kind="renamed", subject_id=own.id).values_list("detail", flat=True)) == [
        {"old": "", "new": "数据"},
    ]  # fmt: skip
    assert latest(own)[1:] == ("CreateDisks", "SUCCESS")
    with nothing_written():
        modify(by(account), [own.public_id], name="数据", ends_with_machine=False)
    modify(by(account), [own.public_id], name="")
    assert again(own).name == ""


def test_what_cannot_be_changed_is_refused(account: int) -> None:
    machine, erased = buy_running(account), buy_running(account)
    own, system = new_disk(account), Disk.objects.get(instance_id=machine.id)
    gone = Disk.objects.get(instance_id=erased.id)
    _erase(account, erased)
    here = by(account)
    for ids, what, error, field in (
        ([own.public_id], {}, MissingParameter, "disk.name"),
        ([own.public_id], {"name": "x" * 129}, InvalidParameter, "disk.name"),
        ([own.public_id], {"name": "a\nb"}, InvalidParameter, "disk.name"),
        ([], {"name": "n"}, MissingParameter, "disks"),
        (["disk-nothing"], {"name": "n"}, errors.UnknownOwnDisk, "disks"),
        ([own.public_id, gone.public_id], {"name": "n"}, errors.UnknownOwnDisk, "disks"),
        ([own.public_id, system.public_id], {"name": "n", "ends_with_machine": False}, errors.GoesWithMachine, "disks"),
    ):
        with refused(error, field=field):
            modify(here, ids, **what)  # type: ignore[arg-type]
    assert Disk.objects.exclude(name="").count() == 0
    stranger = by(open_purse("stranger"))
    with refused(errors.UnknownOwnDisk, field="disks"):
        modify(stranger, [own.public_id], name="n")


def test_a_new_disk_has_a_name_of_one_line(account: int) -> None:
    named = DiskChoice("CLOUD_SSD", 100, name="a\nb")
    with refused(InvalidParameter, field="disk.name", code="InvalidParameterValue"):
        create(by(account), NewDisks(SSD.region, ZONE, SSD.charge_type, named))


def test_a_disk_that_ends_with_its_machine_is_binned_when_that_is_erased(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """Attached for 30 minutes at 0.14 an hour until its machine is erased: 0.07; the other is charged on."""
    machine = buy_running(account)
    ends, stays = attached(account, machine), attached(account, machine)
    modify(by(account), [ends.public_id], ends_with_machine=True)
    assert (again(ends).delete_with_instance, again(stays).delete_with_instance) == (True, False)
    test_clock.advance(minutes=30)
    _erase(account, machine)
    assert [latest(disk)[0] for disk in (ends, stays)] == ["TORECYCLE", "UNATTACHED"]
    assert latest(ends)[1:] == ("TerminateDisks", "SUCCESS")
    agreed = again(ends).subscription
    assert (agreed.isolated_source, agreed.release_at) == ("MANMADE", test_clock.at + dt.timedelta(hours=2))
    assert world.volume(ends.public_id) is not None
    assert purses(account)["held"] == 19 + 7 + HOLD_MINOR  # the machine's half hour, the disk's, and of the other
    assert list(reconcile()) == []
    hour = test_clock.at.replace(minute=0) + HOUR
    test_clock.set(hour)
    work()
    assert Charge.objects.get(subscription_id=ends.id).exact_e8 == 7_000_000
    test_clock.advance(hours=2)
    work()
    assert (latest(ends)[0], world.volume(ends.public_id)) == ("GONE", None)
    assert latest(stays)[0] == "UNATTACHED"
    assert list(reconcile()) == []


def test_an_attachment_may_say_so_and_a_later_one_leaves_it_so(account: int) -> None:
    first, second, disk = buy_running(account), buy_running(account), new_disk(account)
    attach(by(account), first.public_id, [disk.public_id], ends_with_machine=True)
    work()
    assert again(disk).delete_with_instance
    detach(by(account), [disk.public_id])
    work()
    attach(by(account), second.public_id, [disk.public_id])
    work()
    _erase(account, first)
    assert (again(disk).delete_with_instance, latest(disk)[0]) == (True, "ATTACHED")
    _erase(account, second)
    assert latest(disk) == ("TORECYCLE", "TerminateDisks", "SUCCESS")
    assert list(reconcile()) == []


def test_one_that_could_not_be_attached_ends_with_no_machine(account: int, world: World) -> None:
    """Given a wish for the machine that did not get it, then it does not hold for the next one."""
    machine, disk = buy_running(account), new_disk(account)
    world.fail("ensure_attached", times=6, transient=False, sentence="No.")
    attach(by(account), machine.public_id, [disk.public_id], ends_with_machine=True)
    work()
    disk.refresh_from_db()
    assert (disk.state, disk.delete_with_instance) == ("UNATTACHED", False)
    world.clear_faults()
    attach(by(account), machine.public_id, [disk.public_id], ends_with_machine=True)
    work()
    disk.refresh_from_db()
    assert (disk.state, disk.delete_with_instance) == ("ATTACHED", True)
