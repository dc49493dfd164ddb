"""Given disks with a life of their own, when they are bought, attached, detached and ended, then each second counts."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.quotas import one as quota
from tests.support.shopper import ZONE, buy_running, open_purse, owe, pay, purses, work
from tests.support.written import refused
from tests.tags import tagging
from vmart.backoffice import change_engine
from vmart.bills.models import Charge
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.events.actor import Actor
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, MissingParameter, Refused
from vmart.ledger.models import Hold
from vmart.listings import charges
from vmart.listings import disks as listed
from vmart.orders import errors, lost, reinstall, stop
from vmart.orders import sweep as zone_sweep
from vmart.orders import terminate as of_machines
from vmart.orders.disks import own
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create, price
from vmart.orders.disks.detach import detach
from vmart.orders.disks.terminate import terminate
from vmart.orders.models import EngineDrift
from vmart.orders.reinstall import Reinstall
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import DiskChoice
from vmart.pricing.errors import ChargeTypeNotSold, OutOfRange, UnknownChargeType, UnknownDiskType
from vmart.provisioning import zones
from vmart.storage.models import Disk
from vmart.subscriptions.models import Subscription
from vmart.tags.things import VOLUME, Thing
from vmart.tags.wanted import Tag
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

SSD = NewDisks("ap-guangzhou", ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100, delete_with_instance=False))
UTC8 = ZoneInfo("Asia/Shanghai")
HOLD_MINOR = 14  # 100 × 0.0014


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=100_000)


def new_disk(account: int, asked: NewDisks = SSD) -> Disk:
    """Bought and made."""
    (public_id,) = create(by(account), asked)
    work()
    return Disk.objects.get(public_id=public_id)


def attached(account: int, machine: Instance) -> Disk:
    """A new one at the machine."""
    disk = new_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    return again(disk)


def again(disk: Disk) -> Disk:
    """As it is now."""
    return Disk.objects.select_related("subscription").get(pk=disk.pk)


def latest(disk: Disk) -> tuple[str, str, str]:
    """State, and the latest operation with its state."""
    now = again(disk)
    return now.state, now.latest_operation, now.latest_operation_state


def _machine(machine: Instance) -> tuple[str, str, str]:
    now = Instance.objects.get(pk=machine.pk)
    return now.state, now.latest_operation, now.latest_operation_state


def test_a_disk_is_held_for_at_the_order_and_charged_from_when_it_is_there(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """2,998 s at 0.14 an hour: 0.11658889; with its hold of 0.14 what is deducted is 0.12."""
    hour = test_clock.at
    test_clock.advance(minutes=10)
    (public_id,) = create(by(account), SSD)
    disk = Disk.objects.get(public_id=public_id)
    assert latest(disk) == ("CREATING", "CreateDisks", "OPERATING")
    assert (purses(account)["held"], again(disk).subscription.standing) == (HOLD_MINOR, "pending")
    assert world.volume(public_id) is None
    test_clock.advance(seconds=2)
    work()
    assert latest(disk) == ("UNATTACHED", "CreateDisks", "SUCCESS")
    host = Allocation.objects.get(instance_id=disk.id).host
    assert world.volume(public_id) == (100, host.name, "")
    assert (host.disk_used_gib, again(disk).subscription.started_at) == (100, test_clock.at)
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get()
    assert (charge.subscription_id, charge.component, charge.duration_s) == (disk.id, "disk", 2998)
    assert Decimal(charge.exact_e8).scaleb(-8) == Decimal("0.11658889")
    assert (purses(account)["cash"], purses(account)["held"]) == (100_000 - 12, HOLD_MINOR)
    assert [event.kind for event in Event.objects.filter(subject_kind="disk").order_by("id")] == [
        "CreateDisks", "disk_made",
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_the_price_asked_for_is_the_hold_of_the_order(account: int) -> None:
    cost = price(account, SSD)
    assert (cost.hourly, cost.hold_minor) == (Decimal("0.14"), HOLD_MINOR)
    create(by(account), NewDisks(SSD.region, ZONE, SSD.charge_type, SSD.disk, 3))
    assert list(Hold.objects.values_list("floating_minor", flat=True)) == [HOLD_MINOR] * 3


def test_a_repeated_token_gets_the_first_disks_and_other_parameters_are_refused(account: int) -> None:
    first = create(by(account), SSD, client_token="t")
    assert create(by(account), SSD, client_token="t") == first
    assert (Disk.objects.count(), purses(account)["held"]) == (1, HOLD_MINOR)
    other = NewDisks(SSD.region, ZONE, SSD.charge_type, DiskChoice("CLOUD_SSD", 200))
    with refused(errors.TokenReused, field="client_token"):
        create(by(account), other, client_token="t")


def _asked(**what: object) -> NewDisks:
    fields = {"region": SSD.region, "zone": ZONE, "charge_type": SSD.charge_type, "disk": SSD.disk, "count": 1}
    return NewDisks(**(fields | what))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("what", "error", "field"),
    [
        ({"zone": "ap-nowhere-1"}, errors.UnknownZone, "zone"),
        ({"region": "ap-shanghai"}, errors.UnknownZone, "zone"),
        ({"charge_type": "SPOTPAID"}, ChargeTypeNotSold, "charge_type"),
        ({"charge_type": "CDCPAID"}, ChargeTypeNotSold, "charge_type"),
        ({"charge_type": "x"}, UnknownChargeType, "charge_type"),
        ({"disk": DiskChoice("CLOUD_TAPE", 100)}, UnknownDiskType, "disk.disk_type"),
        ({"disk": DiskChoice("CLOUD_SSD", 0)}, OutOfRange, "disk.size_gib"),
        ({"disk": DiskChoice("CLOUD_SSD", 32_010)}, OutOfRange, "disk.size_gib"),
        ({"count": 0}, InvalidParameter, "count"),
        ({"count": 51}, InvalidParameter, "count"),
    ],
)
def test_what_is_not_sold_is_refused(account: int, what: dict[str, object], error: type[Refused], field: str) -> None:
    with refused(error, field=field):
        create(by(account), _asked(**what))


def test_more_than_there_is_room_for_is_refused(account: int) -> None:
    Host.objects.update(disk_capacity_gib=100)
    hosts = Host.objects.filter(zone_id=ZONE).count()
    with refused(errors.DiskSoldOut, field="disk.size_gib", code="ResourceInsufficient", match=f"for {hosts} disks"):
        create(by(account), _asked(count=hosts + 1))
    create(by(account), _asked(count=hosts))
    assert set(Host.objects.filter(zone_id=ZONE).values_list("disk_used_gib", flat=True)) == {100}


def test_too_little_money_too_many_arrears_and_no_such_engine_are_refused(account: int) -> None:
    poor = open_purse("poor", cash_minor=HOLD_MINOR - 1)
    with refused(errors.InsufficientBalance, match=r"0\.14 are needed and .*0\.13 are available"):
        create(by(poor), SSD)
    quota(account, disks_per_zone=2)
    with refused(errors.QuotaReached, field="count", code="ResourceInsufficient.OverQuota"):
        create(by(account), _asked(count=3))
    owe(poor)
    with refused(errors.InArrears):
        create(by(poor), SSD)
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(code=ZONE).update(capabilities=zone.capabilities | {"disks": False})
    with refused(errors.NoOwnDisks, field="zone"):
        create(by(account), SSD)


def test_a_disk_that_cannot_be_made_costs_nothing_and_leaves_nothing(account: int, world: World) -> None:
    world.fail("ensure_volume", times=6, transient=False, sentence="The pool is full.")
    (public_id,) = create(by(account), replace(SSD, tags=(Tag("team", "a"),)))
    disk = Disk.objects.get(public_id=public_id)
    assert tagging.now(account, Thing(VOLUME, public_id)) == {"team": "a"}
    work()
    assert latest(disk) == ("FAILED", "CreateDisks", "FAILED")
    assert tagging.now(account, Thing(VOLUME, public_id)) == {}
    assert "The pool is full." in again(disk).latest_operation_error
    assert (purses(account)["held"], again(disk).subscription.standing) == (0, "failed")
    assert (Allocation.objects.count(), Operation.objects.filter(subject_kind="disk").count()) == (0, 0)
    assert list(reconcile()) == []


def test_a_running_machine_gets_a_disk_and_gives_it_to_another(account: int, world: World) -> None:
    first, second = buy_running(account), buy_running(account)
    disk = new_disk(account)
    attach(by(account), first.public_id, [disk.public_id])
    assert (latest(disk), _machine(first)) == (
        ("ATTACHING", "AttachDisks", "OPERATING"), ("RUNNING", "AttachDisks", "OPERATING"),
    )  # fmt: skip
    with refused(errors.Busy, field="machines"):
        stop.stop(by(account), [first.public_id])
    work()
    assert (latest(disk), _machine(first)) == (
        ("ATTACHED", "AttachDisks", "SUCCESS"), ("RUNNING", "AttachDisks", "SUCCESS"),
    )  # fmt: skip
    member = Allocation.objects.get(instance_id=first.id).host.name
    assert world.volume(disk.public_id) == (100, member, first.public_id)
    detach(by(account), [disk.public_id], machine_id=first.public_id)
    assert latest(disk) == ("DETACHING", "DetachDisks", "OPERATING")
    work()
    assert (latest(disk), again(disk).instance_id) == (("UNATTACHED", "DetachDisks", "SUCCESS"), None)
    assert world.volume(disk.public_id) == (100, member, "")
    attach(by(account), second.public_id, [disk.public_id])
    work()
    member = Allocation.objects.get(instance_id=second.id).host.name
    assert world.volume(disk.public_id) == (100, member, second.public_id)
    assert Allocation.objects.get(instance_id=disk.id).host.name == member
    assert Allocation.objects.filter(left_host__isnull=False).count() == 0
    assert [world.boots(one.public_id) for one in (first, second)] == [1, 1]
    assert list(reconcile()) == []


def test_a_stopped_machine_gets_one_too(account: int, world: World) -> None:
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    work()
    disk = attached(account, machine)
    assert (disk.state, _machine(machine)[0]) == ("ATTACHED", "STOPPED")
    detach(by(account), [disk.public_id])
    work()
    assert (again(disk).state, _machine(machine)[0]) == ("UNATTACHED", "STOPPED")


def test_what_cannot_be_attached_is_refused(account: int) -> None:
    machine, elsewhere = buy_running(account), buy_running(account)
    system, disk, here = Disk.objects.get(instance_id=machine.id), attached(account, machine), by(account)
    free = new_disk(account)
    for wanted, error, code in (
        ([], MissingParameter, "MissingParameter"),
        ([free.public_id] * 2, InvalidParameter, "InvalidParameter"),
        ([f"disk-{n}" for n in range(11)], InvalidParameter, "InvalidParameterValue.LimitExceeded"),
        (["disk-nothing"], errors.UnknownOwnDisk, "InvalidDiskId.NotFound"),
        (["disk-\0"], errors.UnknownOwnDisk, "InvalidDiskId.NotFound"),
        ([system.public_id], errors.GoesWithMachine, "InvalidDisk.NotPortable"),
        ([free.public_id, disk.public_id], errors.DiskAttached, "ResourceUnavailable.Attached"),
    ):
        with refused(error, field="disks", code=code):
            attach(here, elsewhere.public_id, wanted)
    stranger = open_purse("stranger", cash_minor=1000)
    with refused(errors.UnknownInstance, field="machines"):
        attach(by(stranger), machine.public_id, [free.public_id])
    theirs = buy_running(stranger)
    with refused(errors.UnknownOwnDisk, field="disks"):
        attach(by(stranger), theirs.public_id, [free.public_id])
    attach(here, machine.public_id, [free.public_id])
    with refused(errors.DiskBusy, field="disks", code="InvalidDisk.Busy"):
        attach(here, elsewhere.public_id, [free.public_id])
    with refused(errors.Busy, field="machines", code="ResourceBusy"):
        detach(here, [disk.public_id])


def test_a_machine_of_another_zone_or_with_too_many_disks_gets_none(account: int) -> None:
    machine = buy_running(account)
    for _ in range(2):
        create(by(account), _asked(disk=DiskChoice("CLOUD_SSD", 20), count=10))
    work()
    names = list(Disk.objects.exclude(state="").values_list("public_id", flat=True))
    for first in (0, 10):
        attach(by(account), machine.public_id, names[first : first + 10])
        work()
    extra = new_disk(account)
    with refused(errors.TooManyDisks, field="disks", code="LimitExceeded.InstanceAttachedDisk"):
        attach(by(account), machine.public_id, [extra.public_id])
    Subscription.objects.filter(pk=extra.pk).update(zone_id="ap-guangzhou-3")
    with refused(errors.OtherZone, field="disks", code="ResourceUnavailable.ZoneNotMatch"):
        attach(by(account), machine.public_id, [extra.public_id])


def test_no_room_on_the_machines_host_is_refused(account: int) -> None:
    machine, disk = buy_running(account), new_disk(account)
    held = Allocation.objects.get(instance_id=machine.id)
    other = Host.objects.filter(zone_id=ZONE).exclude(pk=held.host_id)[0]
    mine = Allocation.objects.get(instance_id=disk.id)
    Host.objects.filter(pk=mine.host_id).update(disk_used_gib=0 if mine.host_id != held.host_id else 50)
    Host.objects.filter(pk=other.pk).update(disk_used_gib=100)
    Allocation.objects.filter(pk=disk.id).update(host=other)
    Host.objects.filter(pk=held.host_id).update(disk_capacity_gib=149)
    with refused(errors.DiskSoldOut, field="disks", code="ResourceInsufficient"):
        attach(by(account), machine.public_id, [disk.public_id])
    Host.objects.filter(pk=held.host_id).update(disk_capacity_gib=150)
    attach(by(account), machine.public_id, [disk.public_id])
    assert list(Host.objects.filter(pk__in=[held.host_id, other.pk]).values_list("disk_used_gib", flat=True)) in (
        [150, 100], [100, 150],
    )  # fmt: skip
    work()
    assert Host.objects.get(pk=held.host_id).disk_used_gib == 150
    assert Host.objects.get(pk=other.pk).disk_used_gib == 0
    assert list(reconcile()) == []


def test_a_disk_that_cannot_be_attached_is_as_it_was(account: int, world: World) -> None:
    machine, disk = buy_running(account), new_disk(account)
    world.lose_answer("ensure_attached", times=6)
    attach(by(account), machine.public_id, [disk.public_id])
    work()
    assert (latest(disk), again(disk).instance_id) == (("UNATTACHED", "AttachDisks", "FAILED"), None)
    assert _machine(machine) == ("RUNNING", "AttachDisks", "SUCCESS")
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == ""
    assert list(reconcile()) == []


def test_a_disk_that_cannot_be_detached_stays(account: int, world: World) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    world.lose_answer("ensure_detached", times=6)
    detach(by(account), [disk.public_id])
    work()
    assert (latest(disk), again(disk).instance_id) == (("ATTACHED", "DetachDisks", "FAILED"), machine.id)
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == machine.public_id
    assert _machine(machine) == ("RUNNING", "DetachDisks", "SUCCESS")


def test_what_cannot_be_detached_is_refused(account: int) -> None:
    machine, other = buy_running(account), buy_running(account)
    disk, free = attached(account, machine), new_disk(account)
    with refused(errors.DiskState, field="disks"):
        detach(by(account), [free.public_id])
    with refused(errors.GoesWithMachine, field="disks"):
        detach(by(account), [Disk.objects.get(instance_id=machine.id, usage="SYSTEM_DISK").public_id])
    with refused(InvalidParameter, field="machines"):
        detach(by(account), [disk.public_id], machine_id=other.public_id)


def test_the_first_end_stops_charging_and_the_second_erases(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """1,800 s at 0.14 an hour are 0.07."""
    machine, disk = buy_running(account), new_disk(account)
    test_clock.advance(minutes=30)
    terminate(by(account), [disk.public_id])
    assert (latest(disk), purses(account)["held"]) == (("TORECYCLE", "TerminateDisks", "OPERATING"), 38 + 7)
    with refused(errors.DiskBusy, field="disks"):
        terminate(by(account), [disk.public_id])
    work()
    assert latest(disk) == ("TORECYCLE", "TerminateDisks", "SUCCESS")
    with refused(errors.DiskState, field="disks"):
        attach(by(account), machine.public_id, [disk.public_id])
    terminate(by(account), [disk.public_id])
    assert latest(disk)[0] == "ERASING"
    work()
    assert (latest(disk)[0], world.volume(disk.public_id)) == ("GONE", None)
    assert sum(Host.objects.values_list("disk_used_gib", flat=True)) == 50  # the machine's
    test_clock.set(test_clock.at + HOUR)
    work()
    assert Charge.objects.get(subscription_id=disk.id).exact_e8 == 7_000_000
    assert again(disk).subscription.standing == "ended"
    assert list(reconcile()) == []


def test_the_bin_ends_by_itself(account: int, world: World, test_clock: BusinessClock) -> None:
    disk = new_disk(account)
    terminate(by(account), [disk.public_id])
    work()
    test_clock.advance(hours=1, minutes=59)
    work()
    assert latest(disk)[0] == "TORECYCLE"
    test_clock.advance(minutes=1)
    work()
    assert (latest(disk)[0], world.volume(disk.public_id)) == ("GONE", None)


def test_an_attached_disk_is_not_ended(account: int) -> None:
    disk = attached(account, buy_running(account))
    with refused(errors.DiskAttached, field="disks", code="ResourceUnavailable.Attached"):
        terminate(by(account), [disk.public_id])


def test_it_stays_when_its_machine_is_erased(account: int, world: World) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert (_machine(machine)[0], latest(disk)[0]) == ("SHUTDOWN", "ATTACHED")
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert (_machine(machine)[0], latest(disk)) == ("GONE", ("UNATTACHED", "AttachDisks", "SUCCESS"))
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == ""
    assert (again(disk).instance_id, purses(account)["held"]) == (None, HOLD_MINOR)
    assert list(reconcile()) == []


def test_a_machine_that_is_erased_while_a_disk_comes_has_none(account: int, test_clock: BusinessClock) -> None:
    machine, disk = buy_running(account), new_disk(account)
    attach(by(account), machine.public_id, [disk.public_id])
    Operation.objects.filter(kind="attach_disk").update(due_at=test_clock.at + HOUR)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    of_machines.terminate(by(account), [machine.public_id])
    work()
    assert (_machine(machine)[0], latest(disk)[0]) == ("GONE", "ATTACHING")
    Operation.objects.filter(kind="attach_disk").update(due_at=test_clock.at)
    work()
    assert (latest(disk), again(disk).instance_id) == (("UNATTACHED", "AttachDisks", "FAILED"), None)
    assert list(reconcile()) == []


def test_it_is_taken_off_a_machine_in_the_recycle_bin(account: int) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    of_machines.terminate(by(account), [machine.public_id])
    work()
    detach(by(account), [disk.public_id])
    work()
    assert (latest(disk)[0], _machine(machine)[0]) == ("UNATTACHED", "SHUTDOWN")
    assert list(reconcile()) == []


def test_arrears_take_it_off_and_a_top_up_gives_it_back(account: int, world: World, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    test_clock.advance(minutes=30)
    owe(account)
    work()
    assert latest(disk) == ("TORECYCLE", "IsolateDisks", "SUCCESS")
    agreed = again(disk).subscription
    assert (agreed.isolated_source, agreed.release_at, agreed.hold_id) == (
        "ARREAR", test_clock.at + dt.timedelta(days=15), None,
    )  # fmt: skip
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == ""
    assert (purses(account)["held"], again(disk).instance_id) == (0, None)
    test_clock.advance(minutes=10)
    pay(account, 10_000)
    assert latest(disk) == ("UNATTACHED", "IsolateDisks", "SUCCESS")
    assert purses(account)["held"] == HOLD_MINOR + 3  # and 0.025 of the stopped machine's disk
    hour = test_clock.at.replace(minute=0)
    test_clock.set(hour + HOUR)
    work()
    assert Charge.objects.get(subscription_id=disk.id).duration_s == 3600 - 600
    assert list(reconcile()) == []


def test_arrears_that_nobody_ends_erase_it(account: int, world: World, test_clock: BusinessClock) -> None:
    disk = new_disk(account)
    owe(account)
    work()
    test_clock.advance(days=15)
    work()
    assert (latest(disk)[0], world.volume(disk.public_id)) == ("GONE", None)


def test_arrears_wait_for_a_disk_that_is_being_made(account: int) -> None:
    (public_id,) = create(by(account), SSD)
    disk = Disk.objects.get(public_id=public_id)
    owe(account)
    run_until_idle(STEPS, lambda: [""])  # the lane of money alone
    assert Operation.objects.get(kind="arrears").last_error == "an operation on one of its things is under way"
    run_until_idle(STEPS, lambda: [ZONE])
    assert latest(disk)[0] == "UNATTACHED"
    run_until_idle(STEPS, lanes, wait=True)
    assert latest(disk) == ("TORECYCLE", "IsolateDisks", "SUCCESS")
    assert purses(account)["held"] == 0


def test_a_zone_with_disks_keeps_its_engine(account: int) -> None:
    new_disk(account)
    zone = Zone.objects.get(code=ZONE)
    with db.act(), pytest.raises(change_engine.MachinesLiveThere, match="has 1 disk on its simulated engine: end them"):
        change_engine.leave(zone)


def test_a_top_up_while_it_is_taken_off_gives_it_back_afterwards(account: int) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    owe(account)
    run_until_idle(STEPS, lambda: [""])  # the lane of money alone
    assert latest(disk) == ("TORECYCLE", "IsolateDisks", "OPERATING")
    pay(account, 10_000)
    assert latest(disk) == ("DETACHING", "IsolateDisks", "OPERATING")
    work()
    assert (latest(disk), again(disk).instance_id) == (("UNATTACHED", "IsolateDisks", "SUCCESS"), None)
    assert list(reconcile()) == []


def test_a_lost_machine_that_is_made_again_gets_its_disk_again(
    account: int, world: World, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    world.remove_machine(machine.public_id)
    zone_sweep.sweep(ZONE)
    later = clock.wall() + zone_sweep.MISSES_APART
    monkeypatch.setattr(clock, "wall", lambda: later)
    zone_sweep.sweep(ZONE)
    lost.redeliver(machine.public_id, Actor(None, "seller"))
    work()
    seen = world.volume(disk.public_id)
    assert (_machine(machine)[0], seen) == ("RUNNING", (100, own.member(disk), machine.public_id))
    assert list(reconcile()) == []


def test_a_new_system_has_its_disk_again(account: int, world: World) -> None:
    machine = buy_running(account)
    disk = attached(account, machine)
    reinstall.reinstall(by(account), machine.public_id, Reinstall(hostname="anew"))
    work()
    seen = world.volume(disk.public_id)
    assert (world.erased(machine.public_id), seen) == (1, (100, own.member(disk), machine.public_id))
    assert list(reconcile()) == []


def test_the_sweep_mends_what_is_ours_and_tells_the_rest(account: int, world: World) -> None:
    machine = buy_running(account)
    disk, free, moved, ended = attached(account, machine), new_disk(account), new_disk(account), new_disk(account)
    terminate(by(account), [ended.public_id])
    work()
    terminate(by(account), [ended.public_id])
    work()
    engine = own.engine(ZONE)
    engine.ensure_detached(machine.public_id, disk.public_id)
    members = set(Host.objects.filter(zone_id=ZONE).values_list("name", flat=True))
    there = (members - {own.member(moved)}).pop()
    engine.ensure_volume(moved.public_id, 100, there)
    engine.ensure_volume("disk-stranger", 10, there)
    engine.ensure_volume(ended.public_id, 100, there)
    world.remove_volume(free.public_id)
    found = {(one.kind, one.name, one.repaired) for one in zone_sweep.sweep(ZONE)}
    assert found == {
        ("attachment", disk.public_id, True), ("orphan", ended.public_id, True), ("missing", free.public_id, False),
        ("moved", moved.public_id, False), ("unknown", "disk-stranger", False),
    }  # fmt: skip
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == machine.public_id
    assert (world.volume(ended.public_id), world.volume("disk-stranger")) == (None, (10, there, ""))
    since = dict(EngineDrift.objects.values_list("name", "since_wall_at"))
    assert set(since) == {free.public_id, moved.public_id, "disk-stranger"}
    assert {one.kind for one in zone_sweep.sweep(ZONE)} == {"missing", "moved", "unknown"}
    assert dict(EngineDrift.objects.values_list("name", "since_wall_at")) == since
    assert len(list(reconcile())) == 3


def test_a_charge_of_it_is_listed_under_its_own_name(account: int, test_clock: BusinessClock) -> None:
    hour = test_clock.at
    (public_id,) = create(by(account), _asked(disk=DiskChoice("CLOUD_SSD", 100, name="backup")))
    work()
    test_clock.set(hour + HOUR)
    work()
    (row,) = charges.of_day(account, hour.astimezone(UTC8).date(), UTC8).rows
    assert (row.public_id, row.resource_id, row.name, row.exact) == (public_id, public_id, "backup", Decimal("0.14"))


def test_a_disk_on_its_way_into_the_bin_is_not_told_to_be_there(account: int) -> None:
    """Whoever waits until it is in the bin erases it at once, and a disk that is busy cannot be."""
    disk, seen = new_disk(account), []
    terminate(by(account), [disk.public_id])
    for _ in range(2):
        _, (told,) = listed.page(account, listed.Wanted(public_ids=[disk.public_id]))
        seen.append(told.state)
        work()
    assert seen == ["UNATTACHED", "TORECYCLE"]
    terminate(by(account), [disk.public_id])
    work()
    assert latest(disk) == ("GONE", "TerminateDisks", "SUCCESS")


def test_a_disk_of_a_machine_that_is_there_is_not_ended(account: int) -> None:
    machine = buy_running(account)
    disk = Disk.objects.get(instance_id=machine.id)
    with refused(errors.GoesWithMachine, field="disks"):
        terminate(by(account), [disk.public_id])
    of_machines.terminate(by(account), [machine.public_id])
    work()
    with refused(errors.GoesWithMachine, field="disks"):
        terminate(by(account), [disk.public_id])
