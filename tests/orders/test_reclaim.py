"""Given spot machines, when their room is needed, their price rises or the seller says so, then they go with notice."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from django.db.models import F

from tests.orders.ending import nothing_left, now
from tests.orders.test_spot import SPOT
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    IMAGE,
    LOGIN,
    MONTHLY,
    ZONE,
    buy_running,
    go_to,
    open_purse,
    owe,
    purses,
    raise_prices,
    wanted,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.events import record
from vmart.events.actor import COMMAND, Actor
from vmart.events.models import Event
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import NotFound
from vmart.network.models import PublicAddress
from vmart.orders import placement_groups, reboot, reclaim, reset_password, resize, start, stop, terminate
from vmart.orders.errors import InsufficientBalance, NoRoom, NoRoomOnHost, RoomIsMade, SoldOut, WrongState
from vmart.orders.place import place
from vmart.orders.placement_groups import Wanted
from vmart.orders.purchase import dry_run, purchase
from vmart.orders.wanted import Machine
from vmart.placement.models import Host, Member
from vmart.pricing.configuration import Configuration
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

SELLER = Actor(None, COMMAND, "seller")
NOTICE = dt.timedelta(minutes=2)
ORDINARY = replace(HOURLY, instance_type="S5.SMALL1")
ORDINARY_HOLD_MINOR = 17


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=20_000)


def _only_room_for(machines: int, zone: str = ZONE) -> None:
    """Room for so many of S5.SMALL1, with what is placed already, on one host of the zone."""
    first = Host.objects.filter(zone_id=zone).order_by("-vcpu_used", "id").first()
    assert first is not None
    Host.objects.filter(zone_id=zone).exclude(pk=first.pk).update(enabled=False)
    Host.objects.filter(pk=first.pk).update(memory_capacity_mib=1024 * machines)


@pytest.mark.parametrize("off", [False, True])
def test_notice_then_nothing_is_left_and_it_is_charged_to_that_second(
    account: int, test_clock: BusinessClock, world: World, *, off: bool
) -> None:
    machine = buy_running(account, SPOT)
    if off:
        Instance.objects.filter(pk=machine.pk).update(state="STOPPED", stop_charging_mode="KEEP_CHARGING")
    go_to(test_clock, START + dt.timedelta(minutes=30))
    assert reclaim.by_seller(SELLER, machine.public_id)
    ends = START + dt.timedelta(minutes=32)
    assert (now(machine).reclaim_at, now(machine).latest_operation_state) == (ends, "SUCCESS")
    (event,) = Event.objects.filter(kind="reclaim_announced")
    assert (event.subject_id, event.detail) == (
        machine.id, {"why": "The seller takes it back.", "reclaim_at": ends.isoformat()},
    )  # fmt: skip
    assert event.actor["user"] == "seller"
    work()
    assert world.spot_notice(machine.public_id) == ("" if off else f"{ends:%Y-%m-%d %H:%M:%S}")
    assert now(machine).state == ("STOPPED" if off else "RUNNING")
    assert not reclaim.by_seller(SELLER, machine.public_id)  # has notice already
    go_to(test_clock, ends)
    assert (now(machine).state, now(machine).latest_operation) == ("GONE", "TerminateInstances")
    nothing_left(world)
    go_to(test_clock, START + 2 * HOUR)
    charged = dict(Charge.objects.filter(account_id=account).values_list("component", "exact_e8"))
    assert charged == {"cpu": 1_493_333, "disk": 1_333_333}  # 32 minutes of 0.028 and 0.025, half-up
    assert (purses(account)["cash"], purses(account)["held"]) == (19_997, 0)
    assert list(reconcile()) == []


def test_late_workers_charge_nothing_behind_the_notice(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, SPOT)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    test_clock.set(START + 3 * HOUR + dt.timedelta(minutes=5))  # nobody works meanwhile
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateIsolating"):
        reboot.reboot(by(account), [machine.public_id])
    work()
    go_to(test_clock, START + 5 * HOUR)
    charged = dict(Charge.objects.filter(account_id=account, exact_e8__gt=0).values_list("component", "exact_e8"))
    assert charged == {"cpu": 93_333, "disk": 83_333}  # two minutes
    assert (now(machine).state, purses(account)["held"]) == ("GONE", 0)
    assert list(reconcile()) == []


def test_an_operation_under_way_is_waited_for_and_not_charged(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, SPOT)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    reset_password.generate(by(account), machine.public_id)
    Operation.objects.filter(kind="password").update(due_at=START + dt.timedelta(minutes=5))
    test_clock.set(START + NOTICE)
    work()
    assert now(machine).state == "RUNNING"
    test_clock.set(START + dt.timedelta(minutes=5))
    Operation.objects.update(not_before=None)
    work()
    Operation.objects.update(not_before=None)
    work()
    assert now(machine).state == "GONE"
    go_to(test_clock, START + 2 * HOUR)
    assert Charge.objects.get(component="cpu").exact_e8 == 93_333


def test_its_owner_may_be_faster(account: int, test_clock: BusinessClock, world: World) -> None:
    machine = buy_running(account, SPOT)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    terminate.terminate(by(account), [machine.public_id])
    go_to(test_clock, START + NOTICE)
    assert Event.objects.filter(kind="TerminateInstances").count() == 1
    nothing_left(world)


def test_one_in_arrears_is_erased_and_charged_nothing(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account, SPOT)
    owe(account)
    work()
    assert now(machine).state == "SHUTDOWN"
    assert reclaim.announce([machine.id], reclaim.FOR_ROOM) == 1
    go_to(test_clock, START + NOTICE)
    assert (now(machine).state, purses(account)["held"]) == ("GONE", 0)
    assert list(reconcile()) == []


def test_a_system_that_cannot_be_told_goes_all_the_same(account: int, test_clock: BusinessClock, world: World) -> None:
    machine = buy_running(account, SPOT)
    world.fail("ensure_spot_notice", times=STEPS["spot_notice"].attempts)
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    work()
    assert (world.spot_notice(machine.public_id), Event.objects.filter(kind="notice_not_told").count()) == ("", 1)
    go_to(test_clock, START + NOTICE)
    assert now(machine).state == "GONE"


def test_only_a_spot_machine_is_taken_back(account: int) -> None:
    ordinary = buy_running(account, HOURLY)
    with nothing_written():
        for name in (ordinary.public_id, "ins-00000000", "\0"):
            with pytest.raises(NotFound):
                reclaim.by_seller(SELLER, name)
        assert reclaim.announce([ordinary.id], reclaim.FOR_ROOM) == 0
    pending = Instance.objects.get(public_id=purchase(wanted(account, SPOT)).instance_ids[0])
    with nothing_written():
        assert not reclaim.by_seller(SELLER, pending.public_id)  # there is no machine yet


def test_a_price_above_the_bid_takes_back_and_at_the_bid_does_not(account: int, test_clock: BusinessClock) -> None:
    def bought(bid: str) -> Instance:
        machine = Machine(IMAGE, LOGIN, attributes=Attributes(max_price=Decimal(bid)))
        return Instance.objects.get(public_id=purchase(wanted(account, SPOT, machine=machine)).instance_ids[0])

    cheap, enough, ample = bought("0.028"), bought("0.056"), bought("1")
    buy_running(account, HOURLY)
    with nothing_written():
        assert reclaim.for_price() == 0
    go_to(test_clock, START + dt.timedelta(minutes=10))
    raise_prices(test_clock, "2")
    assert (reclaim.for_price(), reclaim.for_price()) == (1, 0)
    (event,) = Event.objects.filter(kind="reclaim_announced")
    assert (event.subject_id, event.detail["why"]) == (cheap.id, "An hour of it costs more now than was said it may.")
    go_to(test_clock, test_clock.at + NOTICE)
    assert [now(machine).state for machine in (cheap, enough, ample)] == ["GONE", "RUNNING", "RUNNING"]


def test_a_purchase_without_room_has_the_newest_go_and_finds_room_then(account: int, test_clock: BusinessClock) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    older, newer = buy_running(account, SPOT), buy_running(account, SPOT)
    Instance.objects.filter(pk=older.pk).update(created_at=START - HOUR)
    _only_room_for(2)
    buyer = open_purse("other", cash_minor=20_000)
    for _ in range(2):  # a second look takes no further one
        with pytest.raises(RoomIsMade) as told:
            purchase(wanted(buyer, ORDINARY))
        assert (told.value.code, told.value.field) == ("ResourcesSoldOut.SpecifiedInstanceType", "instance_type")
        assert "2026-03-10 10:02:00" in str(told.value)
        assert [now(machine).reclaim_at for machine in (older, newer)] == [None, START + NOTICE]
    assert (purses(buyer)["available"], Instance.objects.filter(account_id=buyer).count()) == (20_000, 0)
    with refused(SoldOut, field="zone", code="ResourcesSoldOut.SpecifiedInstanceType"):
        purchase(wanted(account, SPOT))  # the room is not for it
    go_to(test_clock, START + NOTICE)
    assert [now(machine).state for machine in (older, newer)] == ["RUNNING", "GONE"]
    with refused(SoldOut, field="zone"):
        purchase(wanted(account, SPOT))
    assert buy_running(buyer, ORDINARY).state == "RUNNING"
    go_to(test_clock, START + NOTICE + dt.timedelta(minutes=11))
    Host.objects.filter(zone_id=ZONE).update(enabled=True)
    assert buy_running(account, SPOT).state == "RUNNING"
    assert list(reconcile()) == []


def test_who_does_not_buy_has_room_made_three_times_an_hour(account: int, test_clock: BusinessClock) -> None:
    """What was bought counts anew; another buyer is not kept from it."""
    zones.check(ZONE)
    _only_room_for(9)
    for _ in range(7):
        buy_running(account, SPOT)
    buyer, other = open_purse("asks", cash_minor=20_000), open_purse("other", cash_minor=20_000)

    def asks(who: int) -> bool:
        """Whether a spot machine goes for ``who``, who finds no room; it has gone then."""
        left = Instance.objects.exclude(state="GONE").count()
        _only_room_for(left)
        try:
            purchase(wanted(who, ORDINARY))
        except RoomIsMade:
            go_to(test_clock, test_clock.at + NOTICE)
        except NoRoom:
            assert not Instance.objects.filter(reclaim_at__gt=test_clock.at).exists()
        return left - Instance.objects.exclude(state="GONE").count() == 1

    assert [asks(buyer) for _ in range(4)] == [True, True, True, False]
    assert asks(other)
    assert buy_running(buyer, ORDINARY).state == "RUNNING"
    assert asks(buyer)
    made = Event.objects.filter(kind="room_made", subject_kind="account")
    assert list(made.order_by("id").values_list("account_id", flat=True)) == [buyer] * 3 + [other, buyer]


def test_an_order_that_waits_for_its_payment_is_no_purchase(account: int, test_clock: BusinessClock) -> None:
    """It costs nothing, so nobody has more room made for it."""
    zones.check(ZONE)
    _only_room_for(9)
    for _ in range(2):
        buy_running(account, SPOT)
    buyer = open_purse("asks", cash_minor=20_000)
    record.write(buyer, record.ACCOUNT, [buyer] * 3, "room_made")
    test_clock.advance(seconds=1)
    place(wanted(buyer, ORDINARY))
    test_clock.advance(seconds=1)
    _only_room_for(2)
    with refused(NoRoom):
        purchase(wanted(buyer, ORDINARY))


def test_in_the_next_hour_room_is_made_once_more(account: int, test_clock: BusinessClock) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    for _ in range(2):
        buy_running(account, SPOT)
    _only_room_for(2)
    buyer = open_purse("asks", cash_minor=20_000)
    record.write(buyer, record.ACCOUNT, [buyer] * 3, "room_made")
    with refused(NoRoom):
        purchase(wanted(buyer, ORDINARY))
    test_clock.advance(seconds=3601)
    with pytest.raises(RoomIsMade):
        purchase(wanted(buyer, ORDINARY))


def test_nobody_goes_for_a_purchase_that_finds_no_address(account: int) -> None:
    buy_running(account, SPOT)
    _only_room_for(1)
    PublicAddress.objects.filter(zone_id=ZONE, instance_id=None).update(withdrawn=True)
    with refused(NoRoom):
        purchase(wanted(account, replace(ORDINARY, public_ip=True, bandwidth_mbps=1)))
    assert not Instance.objects.filter(reclaim_at__isnull=False).exists()


def test_so_many_go_as_the_purchase_needs_at_least(account: int) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    for _ in range(2):
        buy_running(account, SPOT)
    _only_room_for(2)
    buyer = open_purse("other", cash_minor=20_000)
    with pytest.raises(RoomIsMade):
        purchase(replace(wanted(buyer, replace(ORDINARY, count=2)), min_count=1))
    assert Instance.objects.filter(reclaim_at__isnull=False).count() == 1


def _with_spots(account: int, spots: int) -> list[Instance]:
    """The zone's only host, full of so many spot machines and what was placed before."""
    zones.check(ZONE)
    _only_room_for(9)
    return [buy_running(account, SPOT) for _ in range(spots)]


def test_a_start_without_room_has_spot_machines_of_its_host_go(account: int, test_clock: BusinessClock) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    owner = open_purse("other", cash_minor=20_000)
    machine = buy_running(owner, ORDINARY)
    stop.stop(by(owner), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    first, second = _with_spots(account, 2)
    Instance.objects.filter(pk=first.pk).update(created_at=START - HOUR)
    _only_room_for(2)
    with pytest.raises(RoomIsMade, match=f"Room for {machine.public_id} is being made where it is") as told:
        start.start(by(owner), [machine.public_id])
    assert (told.value.code, told.value.field) == ("ResourcesSoldOut.SpecifiedInstanceType", "machines")
    assert [now(one).reclaim_at for one in (first, second)] == [None, START + NOTICE]
    assert (now(machine).state, now(machine).stop_charging_mode) == ("STOPPED", "STOP_CHARGING")
    go_to(test_clock, START + NOTICE)
    start.start(by(owner), [machine.public_id])
    work()
    assert [now(one).state for one in (machine, first, second)] == ["RUNNING", "RUNNING", "GONE"]
    assert list(reconcile()) == []


def _off_without_charge(owner: int, configuration: Configuration) -> Instance:
    """In its zone's only host, with room for nine machines."""
    zones.check(configuration.zone)
    _only_room_for(9, configuration.zone)
    machine = buy_running(owner, configuration)
    stop.stop(by(owner), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    return machine


@pytest.mark.parametrize("other_has_spots", [True, False])
def test_a_start_in_two_zones_has_nobody_go_unless_both_find_room(account: int, *, other_has_spots: bool) -> None:
    owner = open_purse("other", cash_minor=20_000)
    elsewhere = "ap-guangzhou-6"
    machines = [_off_without_charge(owner, replace(ORDINARY, zone=zone)) for zone in (ZONE, elsewhere)]
    spots = [buy_running(account, SPOT)]
    if other_has_spots:
        spots.append(buy_running(account, replace(SPOT, zone=elsewhere)))
    _only_room_for(1)
    _only_room_for(1 if other_has_spots else 0, elsewhere)
    names = [machine.public_id for machine in machines]
    with pytest.raises(RoomIsMade if other_has_spots else NoRoomOnHost):
        start.start(by(owner), names)
    assert [now(spot).reclaim_at for spot in spots] == ([START + NOTICE] * 2 if other_has_spots else [None])
    assert Event.objects.filter(kind="room_made").count() == (1 if other_has_spots else 0)


@pytest.mark.parametrize("spare_minor", [0, -1])
def test_room_is_made_for_a_start_whose_holds_can_all_be_had(account: int, spare_minor: int) -> None:
    """Two machines, of which the first's hour is in the balance in any case."""
    owner = open_purse("other", cash_minor=2 * ORDINARY_HOLD_MINOR + spare_minor)
    machines = [_off_without_charge(owner, ORDINARY) for _ in range(2)]
    spots = [buy_running(account, SPOT) for _ in range(2)]
    _only_room_for(2)
    with pytest.raises(RoomIsMade if spare_minor == 0 else InsufficientBalance):
        start.start(by(owner), [machine.public_id for machine in machines])
    assert [bool(now(spot).reclaim_at) for spot in spots] == [spare_minor == 0] * 2


@pytest.mark.parametrize("free", [2, 1])
def test_nobody_goes_for_a_start_that_finds_no_address(account: int, free: int) -> None:
    """The first of two finds room."""
    owner = open_purse("other", cash_minor=20_000)
    with_address = replace(ORDINARY, public_ip=True, bandwidth_mbps=1)
    machines = [_off_without_charge(owner, with_address) for _ in range(2)]
    spot = buy_running(account, SPOT)
    _only_room_for(2)
    left = PublicAddress.objects.filter(zone_id=ZONE, instance_id=None)
    left.exclude(pk__in=list(left.values_list("pk", flat=True)[:free])).delete()
    with pytest.raises(RoomIsMade if free == 2 else NoRoomOnHost):
        start.start(by(owner), [machine.public_id for machine in machines])
    assert now(spot).reclaim_at == (START + NOTICE if free == 2 else None)


@pytest.mark.parametrize("prepaid", [False, True])
def test_a_larger_type_without_room_has_spot_machines_of_its_host_go(
    account: int, test_clock: BusinessClock, *, prepaid: bool
) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    owner = open_purse("other", cash_minor=200_000)
    machine = buy_running(owner, replace(MONTHLY, instance_type="S5.SMALL1") if prepaid else ORDINARY)
    spots = _with_spots(account, 2)
    _only_room_for(3)
    before = purses(owner)
    with pytest.raises(RoomIsMade, match=f"Room for {machine.public_id} is being made where it is") as told:
        resize.change(by(owner), [machine.public_id], "S5.SMALL2")
    assert (told.value.field, purses(owner)) == ("instance_type", before)
    assert sorted(bool(now(one).reclaim_at) for one in spots) == [False, True]
    go_to(test_clock, START + NOTICE)
    resize.change(by(owner), [machine.public_id], "S5.SMALL2")
    work()
    assert (now(machine).instance_type_id, now(machine).memory_mib) == ("S5.SMALL2", 2048)
    assert list(reconcile()) == []


def test_nobody_goes_for_a_larger_type_that_would_not_fit_all_the_same(account: int) -> None:
    zones.check(ZONE)
    _only_room_for(9)
    machine = buy_running(account, ORDINARY)
    spots = _with_spots(account, 1)
    _only_room_for(2)
    with refused(NoRoomOnHost, field="instance_type"):
        resize.change(by(account), [machine.public_id], "S5.LARGE8")
    assert [now(one).reclaim_at for one in spots] == [None]


@pytest.mark.parametrize("beside", [False, True])
def test_machines_that_lie_apart_have_only_those_go_that_help_them(
    account: int, test_clock: BusinessClock, *, beside: bool
) -> None:
    """Given two hosts full of spot machines, on one of which the group has a machine, then the other's goes."""
    zones.check(ZONE)
    owner = open_purse("other", cash_minor=20_000)
    group = placement_groups.create(by(owner), Wanted(name="apart", apart="HOST")).public_id
    apart = Machine(image_id=IMAGE, login=LOGIN, placement_groups=(group,))
    full = Host.objects.filter(zone_id=ZONE).order_by("id")
    here, there = full[0], full[1]
    Host.objects.filter(zone_id=ZONE).exclude(pk=here.pk).update(enabled=False)
    purchase(replace(wanted(owner, ORDINARY), machine=apart))
    spots = [buy_running(account, SPOT)]
    if not beside:
        Host.objects.filter(pk=here.pk).update(enabled=False)
        Host.objects.filter(pk=there.pk).update(enabled=True)
        spots.append(buy_running(account, SPOT))
        Host.objects.filter(pk=here.pk).update(enabled=True)
    Host.objects.filter(zone_id=ZONE, enabled=True).update(memory_capacity_mib=F("memory_used_mib"))
    if beside:
        with refused(SoldOut):
            purchase(replace(wanted(owner, ORDINARY), machine=apart))
        assert now(spots[0]).reclaim_at is None
        return
    with pytest.raises(RoomIsMade):
        purchase(replace(wanted(owner, ORDINARY), machine=apart))
    assert [now(one).reclaim_at for one in spots] == [None, START + NOTICE]
    go_to(test_clock, START + NOTICE)
    purchase(replace(wanted(owner, ORDINARY), machine=apart))
    work()
    assert Member.objects.filter(group__public_id=group).count() == 2
    assert list(reconcile()) == []


CONTROLS: dict[str, Callable[[int], None]] = {
    "too little money": lambda poor: purchase(wanted(poor, ORDINARY)) and None,
    "only tried": lambda poor: dry_run(wanted(poor, ORDINARY)),
    "spot itself": lambda poor: purchase(wanted(poor, SPOT)) and None,
    "all would not do": lambda poor: purchase(wanted(poor, replace(ORDINARY, count=9))) and None,
}


@pytest.mark.parametrize("control", CONTROLS)
def test_nobody_goes_for_a_purchase_that_would_not_be_made(account: int, control: str) -> None:
    buy_running(account, SPOT)
    _only_room_for(1)
    asks = open_purse("asks", cash_minor=5 if control == "too little money" else 20_000)
    with refused(NoRoom):
        CONTROLS[control](asks)
    assert not Instance.objects.filter(reclaim_at__isnull=False).exists()


@pytest.mark.parametrize("first", ["reclaim", "terminate", "together"])
def test_a_reclaim_against_its_owners_end(account: int, test_clock: BusinessClock, world: World, first: str) -> None:
    """Given the notice ends as the owner ends it, then it ends once, and the money is the same to the cent."""
    machine = buy_running(account, SPOT)
    go_to(test_clock, START + dt.timedelta(minutes=10))
    reclaim.announce([machine.id], reclaim.FOR_ROOM)
    seconds = 719 if first == "terminate" else 720
    test_clock.set(START + dt.timedelta(seconds=seconds))
    if first == "reclaim":
        work()
        with pytest.raises(Exception, match="does not exist"):
            terminate.terminate(by(account), [machine.public_id])
    elif first == "terminate":
        terminate.terminate(by(account), [machine.public_id])
        test_clock.set(START + dt.timedelta(minutes=12))
        work()
    else:
        terminate.terminate(by(account), [machine.public_id])
        work()
    assert Event.objects.filter(kind="terminated").count() == 1
    nothing_left(world)
    go_to(test_clock, START + 2 * HOUR)
    assert Charge.objects.get(component="cpu").exact_e8 == round(2_800_000 * seconds / 3600)
    assert purses(account)["held"] == 0
