"""Given a machine whose end is planned, when the time comes, then it is ended once, as if its owner had done it."""

import datetime as dt
from dataclasses import replace

import pytest
from django.db import IntegrityError, transaction

from tests.orders.acting import agree, stopped_without_charge
from tests.orders.ending import now, power
from tests.support.actors import by
from tests.support.business_clock import START, BusinessClock
from tests.support.shopper import (
    HOURLY,
    IMAGE,
    LOGIN,
    MONTHLY,
    buy_running,
    go_to,
    open_purse,
    owe,
    pay,
    purses,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidValue
from vmart.metering.models import Segment
from vmart.orders import actions, attributes, convert, place, planned_end, reboot, resize, stop, terminate
from vmart.orders.convert import Conversion
from vmart.orders.errors import AlreadyPlanned, NotPlanned, Protected, UnknownInstance, WrongMode, WrongState
from vmart.orders.models import Order
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ENDS = START + dt.timedelta(hours=2, minutes=20)
USED_MINOR = 88  # 2 hours and 20 minutes of 0.375, half-up


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=20_000)


def _ending(ends_at: dt.datetime | None = ENDS, *, protected: bool = False) -> Machine:
    return Machine(IMAGE, LOGIN, ends_at=ends_at, attributes=Attributes(termination_protected=protected))


def _bought(account: int, count: int = 1) -> list[Instance]:
    bought = purchase(wanted(account, replace(HOURLY, count=count), machine=_ending()))
    zones.check(HOURLY.zone)
    zones.prepare_images(HOURLY.zone)
    work()
    return list(Instance.objects.filter(public_id__in=bought.instance_ids).order_by("id"))


def _plan(machine: Instance, ends_at: dt.datetime = ENDS, *, instead: bool = False) -> None:
    planned_end.plan(by(machine.account_id), [machine.public_id], ends_at, instead=instead)


def _timers() -> list[tuple[int, dt.datetime]]:
    found = Operation.objects.filter(kind="planned_end").order_by("subject_id")
    return list(found.values_list("subject_id", "due_at"))


def test_the_whole_way_of_the_money(account: int, test_clock: BusinessClock) -> None:
    (machine,) = _bought(account)
    assert (machine.ends_at, _timers()) == (ENDS, [(machine.id, ENDS)])
    go_to(test_clock, ENDS - dt.timedelta(seconds=1))
    assert now(machine).state == "RUNNING"
    go_to(test_clock, ENDS)
    ended = now(machine)
    assert (ended.state, ended.subscription.isolated_source, ended.ends_at) == ("SHUTDOWN", "MANMADE", ENDS)
    assert ended.subscription.isolated_at == ENDS
    assert ended.subscription.release_at == ENDS + dt.timedelta(hours=2)
    assert power(machine) == Power.STOPPED
    go_to(test_clock, ENDS + dt.timedelta(hours=3))
    cash = 20_000 - USED_MINOR
    assert purses(account) == {"cash": cash, "gift": 0, "owed": 0, "held": 0, "available": cash}
    assert now(machine).state == "GONE"
    asked = Event.objects.filter(kind="TerminateInstances")
    assert [event.actor for event in asked] == [{"via": "timer"}]
    assert _timers() == []
    agree()


def test_each_machine_of_a_purchase_is_ended(account: int, test_clock: BusinessClock) -> None:
    machines = _bought(account, 3)
    assert _timers() == [(machine.id, ENDS) for machine in machines]
    go_to(test_clock, ENDS)
    assert [now(machine).state for machine in machines] == ["SHUTDOWN"] * 3


def test_it_is_charged_until_its_time_however_late_the_shop_is(account: int, test_clock: BusinessClock) -> None:
    """Given no worker ran for two closes after it, then the hours behind its end cost nothing."""
    (machine,) = _bought(account)
    test_clock.at = ENDS + dt.timedelta(hours=2)
    work()
    late = now(machine).subscription
    assert (late.isolated_at, late.release_at) == (ENDS, ENDS + dt.timedelta(hours=4))
    go_to(test_clock, ENDS + dt.timedelta(hours=6))
    assert purses(account)["cash"] == 20_000 - USED_MINOR
    agree()


def test_nothing_is_changed_of_one_whose_end_has_come(account: int, test_clock: BusinessClock) -> None:
    """Given a late shop, then no change comes into force behind the end and is charged."""
    (machine,) = _bought(account)
    test_clock.at = ENDS + dt.timedelta(minutes=5)
    with refused(WrongState, match="its planned end has come", field="machines"):
        stop.stop(by(account), [machine.public_id])
    work()
    assert now(machine).subscription.isolated_at == ENDS
    agree()


def test_a_change_under_way_when_its_time_comes_costs_nothing(account: int, test_clock: BusinessClock) -> None:
    """Given it comes into force behind the end, since the shop was late, then the machine is charged until the end."""
    (machine,) = _bought(account)
    test_clock.at = ENDS - dt.timedelta(seconds=10)
    resize.change(by(account), [machine.public_id], "S5.LARGE8")
    test_clock.at = in_force = ENDS + dt.timedelta(hours=1, minutes=1)
    work()
    ended = now(machine)
    assert (ended.state, ended.instance_type_id, ended.subscription.isolated_at) == ("SHUTDOWN", "S5.LARGE8", ENDS)
    segments = Segment.objects.filter(component="cpu").order_by("id")
    assert [(one.started_at, one.ended_at) for one in segments] == [(START, ENDS), (in_force, in_force)]
    go_to(test_clock, ENDS + dt.timedelta(hours=6))
    assert purses(account) == {"cash": 20_000 - USED_MINOR, "gift": 0, "owed": 0, "held": 0,
                               "available": 20_000 - USED_MINOR}  # fmt: skip
    agree()


def test_it_is_planned_later_changed_and_given_up(account: int, test_clock: BusinessClock) -> None:
    machine = buy_running(account)
    _plan(machine)
    assert (now(machine).ends_at, _timers()) == (ENDS, [(machine.id, ENDS)])
    later = ENDS + dt.timedelta(days=1)
    with refused(AlreadyPlanned, field="machines", code="FailedOperation.MutActionTimerExist"):
        _plan(machine, later)
    _plan(machine, later, instead=True)
    assert (now(machine).ends_at, _timers()) == (later, [(machine.id, later)])
    planned_end.give_up(by(account), [machine.public_id])
    assert (now(machine).ends_at, _timers()) == (None, [])
    with refused(NotPlanned, field="machines"):
        planned_end.give_up(by(account), [machine.public_id])
    go_to(test_clock, later + dt.timedelta(hours=1))
    assert now(machine).state == "RUNNING"
    kinds = Event.objects.filter(subject_id=machine.id, kind__in=["end_planned", "end_not_planned"]).order_by("id")
    assert [(event.kind, event.detail) for event in kinds] == [
        ("end_planned", {"ends_at": ENDS.isoformat()}), ("end_planned", {"ends_at": later.isoformat()}),
        ("end_not_planned", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends_at", "said"),
    [
        (START + dt.timedelta(minutes=5), "more than 5 minutes from now"),
        (START - dt.timedelta(days=1), "more than 5 minutes from now"),
        (START + dt.timedelta(days=1831), "at most 5 years from now"),
    ],
)
def test_what_is_too_soon_or_too_far_is_refused(account: int, ends_at: dt.datetime, said: str) -> None:
    machine = buy_running(account)
    with refused(InvalidValue, field="ends_at", match=said):
        _plan(machine, ends_at)
    with refused(InvalidValue, field="ends_at", match=said):
        purchase(wanted(account, HOURLY, machine=_ending(ends_at)))
    _plan(machine, START + dt.timedelta(minutes=5, seconds=1))


def test_a_purchase_that_cannot_have_it_is_refused(account: int) -> None:
    with refused(WrongMode, field="ends_at", code="UnsupportedOperation.NotSupportImportInstancesActionTimer"):
        purchase(wanted(account, MONTHLY, machine=_ending()))
    with refused(Protected, field="ends_at"):
        purchase(wanted(account, HOURLY, machine=_ending(protected=True)))


def test_an_unpaid_order_whose_end_is_near_cannot_be_paid(account: int, test_clock: BusinessClock) -> None:
    soon = START + dt.timedelta(minutes=20)
    number = place.place(wanted(account, HOURLY, machine=_ending(soon)))
    test_clock.advance(minutes=16)
    with refused(InvalidValue, field="ends_at"):
        actions.pay(by(account), number)
    assert (Order.objects.get(id=number).status, Instance.objects.count()) == (1, 0)


def test_machines_that_cannot_have_it(account: int) -> None:
    prepaid = buy_running(account, MONTHLY)
    protected, gone, plain = (buy_running(account) for _ in range(3))
    attributes.modify(by(account), [protected.public_id], protected=True)
    terminate.terminate(by(account), [gone.public_id])
    work()
    for machine, error in ((prepaid, WrongMode), (protected, Protected), (gone, WrongState)):
        with refused(error, field="machines"):
            planned_end.plan(by(account), [plain.public_id, machine.public_id], ENDS)
    stranger = by(open_purse("other", cash_minor=100))
    with refused(UnknownInstance):
        planned_end.plan(stranger, [plain.public_id], ENDS)
    assert _timers() == []


def test_the_database_refuses_it_of_a_prepaid_machine(account: int) -> None:
    machine = buy_running(account, MONTHLY)
    with pytest.raises(IntegrityError, match="instances_planned_end_of_postpaid"), transaction.atomic():
        Instance.objects.filter(pk=machine.pk).update(ends_at=ENDS)


def test_one_that_was_protected_meanwhile_runs_on_and_says_so(account: int, test_clock: BusinessClock) -> None:
    (machine,) = _bought(account)
    attributes.modify(by(account), [machine.public_id], protected=True)
    go_to(test_clock, ENDS)
    assert (now(machine).state, now(machine).ends_at) == ("RUNNING", None)
    assert Event.objects.get(kind="not_ended").detail == {
        "why": "It was protected after its end was planned, so it runs on and is charged."
    }
    agree()


def test_one_that_is_busy_is_ended_when_it_is_not(account: int, test_clock: BusinessClock) -> None:
    (machine,) = _bought(account)
    go_to(test_clock, ENDS - dt.timedelta(seconds=1))
    reboot.reboot(by(account), [machine.public_id])
    test_clock.at = ENDS
    Operation.objects.filter(kind="reboot").update(not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    work()
    assert (now(machine).state, [at for _, at in _timers()]) == ("REBOOTING", [ENDS])
    Operation.objects.update(not_before=None)
    work()
    assert (now(machine).state, now(machine).subscription.isolated_at) == ("SHUTDOWN", ENDS)
    agree()


def test_ended_by_hand_before_it_is_planned_no_more(account: int, test_clock: BusinessClock) -> None:
    (machine,) = _bought(account)
    test_clock.advance(minutes=10)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (now(machine).ends_at, _timers()) == (None, [])
    go_to(test_clock, ENDS)
    assert Event.objects.filter(kind="terminated").count() == 1


def test_one_off_without_charge_is_ended_too(account: int, test_clock: BusinessClock) -> None:
    machine = stopped_without_charge(account, test_clock)
    _plan(machine)
    go_to(test_clock, ENDS)
    assert now(machine).state == "SHUTDOWN"
    go_to(test_clock, ENDS + dt.timedelta(hours=3))
    assert now(machine).state == "GONE"
    agree()


def test_it_cannot_be_paid_ahead_while_its_end_is_planned(account: int) -> None:
    (machine,) = _bought(account)
    with refused(WrongMode, field="machines", match="give that up first"):
        convert.ACT.order(by(account), Conversion([machine.public_id]))
    planned_end.give_up(by(account), [machine.public_id])
    convert.ACT.order(by(account), Conversion([machine.public_id]))
    assert now(machine).charge_type == "PREPAID"


def test_one_that_could_not_be_made_has_no_end(account: int, world: World, test_clock: BusinessClock) -> None:
    world.fail("ensure_present", transient=False, sentence="The host refused.")
    (machine,) = _bought(account)
    assert (machine.state, machine.ends_at) == ("LAUNCH_FAILED", None)
    go_to(test_clock, ENDS)
    assert (now(machine).state, _timers()) == ("LAUNCH_FAILED", [])


def test_stopped_for_arrears_it_is_ended_when_they_end(account: int, test_clock: BusinessClock) -> None:
    """Given its end came up in the recycle bin of arrears, then a top-up does not bring it back to be charged."""
    (machine,) = _bought(account)
    owe(account)
    go_to(test_clock, START + dt.timedelta(hours=3, minutes=30))
    bundle = now(machine).subscription
    assert (now(machine).state, bundle.isolated_source, _timers()) == ("SHUTDOWN", "ARREAR", [])
    pay(account, 10_000)
    work()
    assert (now(machine).state, now(machine).subscription.isolated_source) == ("SHUTDOWN", "MANMADE")
    assert list(reconcile()) == []
