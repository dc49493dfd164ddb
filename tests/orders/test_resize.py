"""Given a machine, when its type changes, then each second costs the type that it had, and its host has room for it."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.orders.acting import Given, latest, line_of, one, stopped_without_charge
from tests.orders.ending import no_closes, now
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    go_to,
    open_purse,
    owe,
    purses,
    raise_prices,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.catalog import shop
from vmart.catalog.models import InstanceType, Offer
from vmart.config.reconcile import reconcile
from vmart.customers.models import Account
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance, State
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused
from vmart.metering.models import Segment
from vmart.orders import actions, bandwidth, renew, resize, return_prepaid, size, start, stop, terminate
from vmart.orders.errors import (
    Busy,
    InArrears,
    InsufficientBalance,
    NotSoldHere,
    SoldOut,
    UnknownInstance,
    WrongMode,
    WrongState,
)
from vmart.orders.models import Order
from vmart.orders.renew import Renewal
from vmart.orders.resize import UPGRADE, Resize
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import Configuration
from vmart.pricing.errors import NoPrice, UnknownInstanceType
from vmart.pricing.priced import Priced
from vmart.settlement import close
from vmart.subscriptions.models import Item

pytestmark = pytest.mark.usefixtures("in_business")

ACT = "ResetInstancesType"
MEDIUM, LARGE, SMALL = ("S5.MEDIUM4", 2, 4096), ("S5.LARGE8", 4, 8192), ("S5.SMALL2", 1, 2048)
LARGE_HOLD_MINOR, SMALL_HOLD_MINOR = 73, 21  # 0.70 and 0.18, and 0.025 for the disk, half-up
TIERED = replace(HOURLY, instance_type="S1.SMALL1")
EXPIRES = dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC)
# On 12 March 29 days are left: 115 more a month × 29 × 12 / 365
FEE_MINOR = 10964


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=200_000)


@pytest.fixture
def prepaid(account: int, test_clock: BusinessClock) -> Instance:
    """Bought on 10 March 2026 at 10:00 in Shanghai for a month; today is the 12th."""
    no_closes()
    bought = buy_running(account, MONTHLY)
    test_clock.advance(days=2)
    return bought


def _is(machine: Instance) -> tuple[str, int, int]:
    found = now(machine)
    return found.instance_type_id, found.vcpu, found.memory_mib


def _agreed(machine: Instance) -> list[tuple[str, bool]]:
    """Types in the terms, and whether each holds now."""
    found = Item.objects.filter(subscription_id=machine.id, component="cpu").order_by("from_at")
    return [(one.price_key.rpartition("/")[2], one.to_at is None) for one in found]


def _stretches(machine: Instance) -> list[tuple[str, int, dt.datetime, dt.datetime | None]]:
    """Types that are charged: the age at which each begins, from when, to when."""
    found = Segment.objects.filter(subscription_id=machine.id, component="cpu").order_by("started_at", "id")
    return [(one.price_key.rpartition("/")[2], one.age_s, one.started_at, one.ended_at) for one in found]


def _room(machine: Instance) -> tuple[int, int]:
    """What its host keeps for it, and that the host counts no more and no less."""
    held = Allocation.objects.get(instance_id=machine.id)
    host = Host.objects.get(id=held.host_id)
    assert (host.vcpu_used, host.memory_used_mib) == (held.vcpu, held.memory_mib)
    return held.vcpu, held.memory_mib


def _change(machine: Instance, to: str) -> None:
    resize.change(by(machine.account_id), [machine.public_id], to)
    work()


def test_a_larger_type_is_charged_from_the_second_in_which_it_is_in_force(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """602 s at 0.35 and 2,998 s at 0.70 an hour: 2,309.30 / 3,600 = 0.64147222."""
    machine = buy_running(account)
    hour = test_clock.at
    test_clock.advance(minutes=10)
    resize.change(by(account), [machine.public_id], "S5.LARGE8")
    assert (_is(machine), world.size(machine.public_id)) == (MEDIUM, (2, 4096))
    assert (latest(machine), _room(machine)) == (("RUNNING", ACT, "OPERATING"), (4, 8192))
    assert purses(account)["held"] == LARGE_HOLD_MINOR
    in_force = test_clock.advance(seconds=2)
    work()
    assert (_is(machine), world.size(machine.public_id)) == (LARGE, (4, 8192))
    assert (latest(machine), world.boots(machine.public_id)) == (("RUNNING", ACT, "SUCCESS"), 1)
    assert _stretches(machine) == [("S5.MEDIUM4", 0, hour, in_force), ("S5.LARGE8", 0, in_force, None)]
    assert _agreed(machine) == [("S5.MEDIUM4", False), ("S5.LARGE8", True)]
    test_clock.set(hour + HOUR)
    close.close(hour)
    charge = Charge.objects.get(component="cpu")
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (3600, Decimal("0.64147222"))
    assert purses(account)["held"] == LARGE_HOLD_MINOR
    (asked,) = Event.objects.filter(kind=ACT)
    (told,) = Event.objects.filter(kind="type_changed")
    assert (asked.subject_id, told.subject_id) == (machine.id, machine.id)
    assert told.detail == {"old": "S5.MEDIUM4", "new": "S5.LARGE8"}
    assert list(reconcile()) == []


def test_a_smaller_type_lets_hold_and_room_fall_when_it_is_in_force(account: int, world: World) -> None:
    """Its memory shrinks, so it is turned off for it and on again."""
    machine = buy_running(account)
    resize.change(by(account), [machine.public_id], "S5.SMALL2")
    assert (purses(account)["held"], _room(machine)) == (HOURLY_HOLD_MINOR, (2, 4096))
    work()
    assert (_is(machine), world.size(machine.public_id), _room(machine)) == (SMALL, (1, 2048), (1, 2048))
    assert (latest(machine), world.boots(machine.public_id)) == (("RUNNING", ACT, "SUCCESS"), 2)
    assert purses(account)["held"] == SMALL_HOLD_MINOR
    assert list(reconcile()) == []


def test_of_what_shrinks_and_what_grows_both_have_room_meanwhile(account: int) -> None:
    machine = buy_running(account)
    resize.change(by(account), [machine.public_id], "M5.SMALL8")
    assert _room(machine) == (2, 8192)
    work()
    assert (_is(machine), _room(machine)) == (("M5.SMALL8", 1, 8192), (1, 8192))


def test_one_that_is_off_stays_off(account: int, world: World) -> None:
    machine = buy_running(account)
    stop.stop(by(account), [machine.public_id])
    work()
    _change(machine, "S5.SMALL2")
    assert (latest(machine), world.boots(machine.public_id)) == (("STOPPED", ACT, "SUCCESS"), 1)
    assert (world.size(machine.public_id), purses(account)["held"]) == ((1, 2048), SMALL_HOLD_MINOR)
    start.start(by(account), [machine.public_id])
    work()
    assert latest(machine) == ("RUNNING", "StartInstances", "SUCCESS")
    assert list(reconcile()) == []


def test_the_clock_of_age_begins_anew_and_no_stop_sets_it_back(account: int, test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(account, TIERED)
    begun = test_clock.at
    first = test_clock.advance(hours=100)
    _change(machine, "S5.SMALL1")
    second = test_clock.advance(hours=1)
    _change(machine, "S1.SMALL1")
    off = test_clock.advance(hours=5)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    on = test_clock.advance(hours=3)
    start.start(by(account), [machine.public_id])
    work()
    assert _stretches(machine) == [
        ("S1.SMALL1", 0, begun, first), ("S5.SMALL1", 0, first, second), ("S1.SMALL1", 0, second, off),
        ("S1.SMALL1", 5 * 3600, on, None),
    ]  # fmt: skip


@pytest.mark.parametrize("to", ["S5.SMALL2", "S5.LARGE8"])
@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_a_change_that_fails_leaves_all_as_it_was(account: int, world: World, to: str, *, lost: bool) -> None:
    machine = buy_running(account)
    before = _stretches(machine)
    resize.change(by(account), [machine.public_id], to)
    (world.lose_answer if lost else world.fail)("ensure_size", times=6)
    work()
    assert world.armed_count() == 0
    assert (_is(machine), world.size(machine.public_id), _room(machine)) == (MEDIUM, (2, 4096), (2, 4096))
    assert latest(machine) == ("RUNNING", ACT, "FAILED")
    assert now(machine).latest_operation_error.splitlines()[0] == (
        "The instance type could not be changed; it is as before."
    )
    assert (_stretches(machine), _agreed(machine)) == (before, [("S5.MEDIUM4", True)])
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert list(reconcile()) == []


def _overtaken(account: int, monkeypatch: pytest.MonkeyPatch) -> Instance:
    """The machine is ended while its engine is being told the new size."""
    machine = buy_running(account)
    resize.change(by(account), [machine.public_id], "S5.LARGE8")
    say, told = size.say, list[size.Size]()

    def late(of: Instance, wanted: size.Size) -> None:
        if not told:
            terminate.terminate(by(account), [machine.public_id])
        told.append(wanted)
        say(of, wanted)

    monkeypatch.setattr(size, "say", late)
    work()
    assert told[0] == (4, 8192)
    assert (now(machine).state, _is(machine), _agreed(machine)) == ("SHUTDOWN", MEDIUM, [("S5.MEDIUM4", True)])
    return machine


def test_one_that_was_ended_meanwhile_stays_as_it_was(
    account: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = _overtaken(account, monkeypatch)
    assert (world.size(machine.public_id), _room(machine)) == ((2, 4096), (2, 4096))
    assert list(reconcile()) == []


def test_control_unless_the_engine_is_told_again_it_has_the_new_size(
    account: int, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size, "send", lambda _: None)
    assert world.size(_overtaken(account, monkeypatch).public_id) == (4, 8192)


def test_an_hour_of_it_must_be_there(account: int) -> None:
    poor = open_purse("poor", cash_minor=72)
    machine = buy_running(poor)
    with refused(InsufficientBalance, match="¥0.73 are needed and ¥0.72 are available"), nothing_written():
        resize.change(by(poor), [machine.public_id], "S5.LARGE8")
    _change(machine, "S5.SMALL2")
    assert latest(machine) == ("RUNNING", ACT, "SUCCESS")


def test_where_its_host_has_no_room_no_money_moves(account: int) -> None:
    machine = buy_running(account)
    host = Allocation.objects.get(instance_id=machine.id).host_id
    Host.objects.filter(id=host).update(memory_capacity_mib=8191)
    with refused(SoldOut, field="instance_type", match="no room for a S5.LARGE8"), nothing_written():
        resize.change(by(account), [machine.public_id], "S5.LARGE8")
    Host.objects.filter(id=host).update(memory_capacity_mib=8192)
    _change(machine, "S5.LARGE8")
    assert _room(machine) == (4, 8192)


def test_one_that_is_off_without_charge_is_started_first(account: int, test_clock: BusinessClock) -> None:
    machine = stopped_without_charge(account, test_clock)
    with refused(WrongState, field="machines", match="start it first"), nothing_written():
        resize.change(by(account), [machine.public_id], "S5.LARGE8")


def test_a_program_says_that_it_knows_of_the_running_machine(account: int) -> None:
    machine = buy_running(account)
    with refused(WrongState, field="while_running", match="say ForceStop, or stop it first"), nothing_written():
        resize.change(by(account), [machine.public_id], "S5.LARGE8", while_running=False)
    stop.stop(by(account), [machine.public_id])
    work()
    resize.change(by(account), [machine.public_id], "S5.LARGE8", while_running=False)
    work()
    assert latest(machine) == ("STOPPED", ACT, "SUCCESS")


@pytest.mark.parametrize(
    ("given", "to", "error", "field"),
    [
        (lambda account: [], "S5.LARGE8", MissingParameter, "machines"),
        (lambda account: ["ins-00000000"], "S5.LARGE8", UnknownInstance, "machines"),
        (one(HOURLY), "S5.MEDIUM4", InvalidValue, "instance_type"),
        (one(HOURLY), "S9.HUGE", UnknownInstanceType, "instance_type"),
        (one(HOURLY), "", UnknownInstanceType, "instance_type"),
        (one(HOURLY), "C3.2XLARGE16", SoldOut, "instance_type"),
        (one(HOURLY, latest_operation_state="OPERATING"), "S5.LARGE8", Busy, "machines"),
        (one(HOURLY, state=State.SHUTDOWN), "S5.LARGE8", WrongState, "machines"),
        (one(HOURLY, state=State.STARTING), "S5.LARGE8", WrongState, "machines"),
        (lambda account: [*one(HOURLY)(account), *one(HOURLY)(account)], "S5.LARGE8", InvalidParameter, "machines"),
    ],
)  # fmt: skip
def test_what_cannot_be_changed(account: int, given: Given, to: str, error: type[Refused], field: str) -> None:
    names = given(account)
    with refused(error, field=field):
        resize.change(by(account), names, to)
    with refused(error, field=field):
        resize.reckon(account, Resize(names, to))


def test_a_type_that_its_zone_does_not_sell(account: int) -> None:
    machine = buy_running(account)
    Offer.objects.filter(zone_id=machine.zone_id, instance_type_id="S5.LARGE8").delete()
    shop.forget()
    with refused(NotSoldHere, field="instance_type", match="is not sold in ap-guangzhou-4"):
        resize.change(by(account), [machine.public_id], "S5.LARGE8")


def test_in_arrears_nothing_is_changed(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    owe(account)
    test_clock.advance(hours=2)
    with refused(InArrears, field="machines"):
        resize.change(by(account), [machine.public_id], "S5.SMALL2")


def test_what_it_would_cost(account: int) -> None:
    machine = buy_running(account)
    with nothing_written():
        found = resize.reckon(account, Resize([machine.public_id], "S5.LARGE8"))
    assert isinstance(found, resize.Reckoned)
    assert (found.hours.hourly_now, found.hours.hourly) == (Decimal("0.375"), Decimal("0.725"))
    assert (found.hours.hold_now_minor, found.hours.hold_minor) == (HOURLY_HOLD_MINOR, LARGE_HOLD_MINOR)
    assert found.unit.price_key == "ap-guangzhou/cpu/S5.LARGE8"


def test_a_prepaid_one_pays_for_the_rest_of_its_term_when_it_is_in_force(
    account: int, prepaid: Instance, world: World, test_clock: BusinessClock
) -> None:
    cash = purses(account)["cash"]
    number = UPGRADE.order(by(account), Resize([prepaid.public_id], "S5.LARGE8"))
    assert (_is(prepaid), latest(prepaid), _room(prepaid)) == (MEDIUM, ("RUNNING", ACT, "OPERATING"), (4, 8192))
    assert line_of(number) == (3, "delivering", FEE_MINOR, 0)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash, FEE_MINOR)
    work()
    assert (_is(prepaid), world.size(prepaid.public_id)) == (LARGE, (4, 8192))
    assert (latest(prepaid), world.boots(prepaid.public_id)) == (("RUNNING", ACT, "SUCCESS"), 1)
    assert line_of(number) == (4, "delivered", FEE_MINOR, FEE_MINOR)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash - FEE_MINOR, 0)
    assert _agreed(prepaid) == [("S5.MEDIUM4", False), ("S5.LARGE8", True)]
    assert now(prepaid).subscription.expires_at == EXPIRES
    assert renew.price(account, Renewal([prepaid.public_id])).due_minor == 24750  # 230 and 17.50 for the disk
    assert list(reconcile()) == []


def test_a_program_orders_it_by_the_same_act(account: int, prepaid: Instance) -> None:
    with nothing_written():
        shown = resize.reckon(account, Resize([prepaid.public_id], "S5.LARGE8"))
    assert isinstance(shown, Priced)
    (line,) = shown.lines
    assert (shown.action, shown.due_minor, line.days, line.network_minor) == ("type", FEE_MINOR, 29, 0)
    _change(prepaid, "S5.LARGE8")
    (order,) = Order.objects.filter(action="type")
    assert (line_of(order.id), _is(prepaid)) == ((4, "delivered", FEE_MINOR, FEE_MINOR), LARGE)


@pytest.mark.parametrize("lost", [False, True], ids=["not done", "done"])
def test_a_prepaid_one_that_fails_costs_nothing(account: int, prepaid: Instance, world: World, *, lost: bool) -> None:
    before = purses(account)
    number = UPGRADE.order(by(account), Resize([prepaid.public_id], "S5.LARGE8"))
    (world.lose_answer if lost else world.fail)("ensure_size", times=6)
    work()
    assert (_is(prepaid), world.size(prepaid.public_id), _room(prepaid)) == (MEDIUM, (2, 4096), (2, 4096))
    assert (line_of(number), purses(account)) == ((5, "failed", FEE_MINOR, 0), before)
    assert _agreed(prepaid) == [("S5.MEDIUM4", True)]
    assert list(reconcile()) == []


def test_its_price_is_of_one_type_and_the_machine_as_it_is(account: int, prepaid: Instance) -> None:
    asked = Resize([prepaid.public_id], "S5.LARGE8")
    shown = UPGRADE.price(account, asked)
    with refused(InvalidParameter, field="instance_type", match="of another type"):
        UPGRADE.order(by(account), Resize([prepaid.public_id], "S5.2XLARGE16"), expected=shown)
    _change(prepaid, "M5.SMALL8")
    with refused(InvalidParameter, field="machines", match="was changed meanwhile"):
        UPGRADE.order(by(account), asked, expected=shown)


def test_what_was_shown_is_charged_although_prices_rise(
    account: int, prepaid: Instance, test_clock: BusinessClock
) -> None:
    asked = Resize([prepaid.public_id], "S5.LARGE8")
    shown = UPGRADE.price(account, asked)
    raise_prices(test_clock, "2")
    assert UPGRADE.price(account, asked).due_minor == 2 * FEE_MINOR + 1  # 219.287…
    number = UPGRADE.order(by(account), asked, expected=shown)
    work()
    assert line_of(number) == (4, "delivered", FEE_MINOR, FEE_MINOR)


def test_it_can_be_ordered_and_paid_later(account: int, prepaid: Instance) -> None:
    number = UPGRADE.place(by(account), Resize([prepaid.public_id], "S5.LARGE8"))
    assert (Order.objects.get(id=number).status, _is(prepaid), purses(account)["held"]) == (1, MEDIUM, 0)
    actions.pay(by(account), number)
    work()
    assert (line_of(number), _is(prepaid)) == ((4, "delivered", FEE_MINOR, FEE_MINOR), LARGE)
    assert list(reconcile()) == []


def test_a_return_gives_its_whole_days_left_and_counts_the_term_at_its_own_type(
    account: int, prepaid: Instance, test_clock: BusinessClock
) -> None:
    """Three days at 0.375 an hour are 27.00 of 132.50; of the upgrade 28 of 29 days."""
    Account.objects.update(free_return_used_at=START)
    _change(prepaid, "S5.LARGE8")
    test_clock.advance(days=1)
    (quoted,) = return_prepaid.quote_refund(account, [prepaid.public_id])
    assert (quoted.paid_minor, quoted.refund_minor) == (MONTHLY_MINOR + FEE_MINOR, 10550 + 10586)
    cash = purses(account)["cash"]
    terminate.terminate(by(account), [prepaid.public_id])
    work()
    assert purses(account)["cash"] == cash + 10550 + 10586
    assert list(reconcile()) == []


def test_of_two_changes_under_way_one_is_refused(account: int, prepaid: Instance) -> None:
    """Nobody knows yet what a term costs."""
    UPGRADE.order(by(account), Resize([prepaid.public_id], "S5.LARGE8"))
    with refused(Busy, field="machines"):
        renew.renew(by(account), Renewal([prepaid.public_id]))
    with refused(Busy, field="machines"):
        bandwidth.change(by(account), [prepaid.public_id], 3)


def test_a_postpaid_one_has_no_term_to_pay_for(account: int) -> None:
    machine = buy_running(account)
    with refused(WrongMode, field="machines", match="nothing was paid ahead"):
        UPGRADE.order(by(account), Resize([machine.public_id], "S5.LARGE8"))


def test_on_the_last_day_it_costs_nothing(account: int, prepaid: Instance, test_clock: BusinessClock) -> None:
    go_to(test_clock, EXPIRES - dt.timedelta(hours=1))
    number = UPGRADE.order(by(account), Resize([prepaid.public_id], "S5.LARGE8"))
    assert line_of(number)[2] == 0
    work()
    assert line_of(number) == (4, "delivered", 0, 0)
    assert _is(prepaid) == LARGE


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["by the hour", "by the month"])
def test_one_that_has_no_price_any_more_is_told(account: int, configuration: Configuration) -> None:
    machine = buy_running(account, configuration)
    Item.objects.filter(component="cpu").update(price_key="mars/cpu/X")
    for act in (
        lambda: resize.change(by(account), [machine.public_id], "S5.LARGE8"),
        lambda: resize.reckon(account, Resize([machine.public_id], "S5.LARGE8")),
    ):
        with refused(NoPrice, match="has no price any more for cpu"):
            act()


def test_a_type_of_the_price_book_alone_is_not_sold(account: int) -> None:
    machine = buy_running(account)
    Offer.objects.filter(instance_type_id="C3.LARGE8").delete()
    InstanceType.objects.filter(code="C3.LARGE8").delete()
    shop.forget()
    with refused(NotSoldHere, field="instance_type", match="C3.LARGE8 is not sold in ap-guangzhou-4"):
        resize.change(by(account), [machine.public_id], "C3.LARGE8")
