"""Given a machine that its engine has lost, then it is charged until it was first missed, and the seller decides."""

import datetime as dt

import pytest

from tests.support import quotas
from tests.support.actors import SELLER
from tests.support.business_clock import BusinessClock
from tests.support.happened import kinds_of
from tests.support.missed import an_interval_ago
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    parts,
    purses,
    work,
)
from tests.support.written import nothing_written, refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.engines.contract import EngineError, Power
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.clock import HOUR
from vmart.kernel.errors import NotFound
from vmart.metering.models import Segment
from vmart.orders import errors, lost, sweep
from vmart.orders.models import EngineDrift, Line
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def machine(in_business: None) -> Instance:
    return buy_running(open_purse(cash_minor=10_000))


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _lose(machine: Instance, world: World, test_clock: BusinessClock) -> dt.datetime:
    """Gone from its engine, missed now and, five minutes later, again; the instant of the first miss."""
    world.remove_machine(machine.public_id)
    sweep.sweep(ZONE)
    first = test_clock.at
    test_clock.advance(minutes=5)
    an_interval_ago()
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["lost"]
    return first


def _differences() -> list[str]:
    """What reconcile finds beside the machine that is not there."""
    return [line for line in reconcile() if "its engine in" not in line]


# -- its charging ------------------------------------------------------------------------------------


def test_all_components_end_at_the_first_miss(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    test_clock.advance(minutes=20)
    first = _lose(machine, world, test_clock)
    ended = Segment.objects.filter(subscription_id__in=parts(machine))
    assert {(segment.component, segment.ended_at) for segment in ended} == {
        ("cpu", first), ("disk", first),
    }  # fmt: skip
    assert kinds_of(machine) == ["delivered", "seen_missing", "lost"]
    assert _differences() == []
    with nothing_written():
        sweep.sweep(ZONE)


def test_what_was_closed_since_the_first_miss_is_credited(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    """Given the first miss ten minutes before an hour's end, and the second after its close."""
    hour = test_clock.at
    test_clock.set(hour + dt.timedelta(minutes=50))
    world.remove_machine(machine.public_id)
    sweep.sweep(ZONE)
    test_clock.set(hour + HOUR)
    close.close(hour)
    paid = purses(machine.account_id)["cash"]
    test_clock.advance(minutes=1)
    an_interval_ago()
    sweep.sweep(ZONE)
    test_clock.set(hour + 2 * HOUR)
    close.close(hour + HOUR)
    seconds = Charge.objects.filter(component="cpu").values_list("duration_s", flat=True)
    assert sum(seconds) == 3000
    assert purses(machine.account_id)["cash"] > paid
    assert _differences() == []


def test_two_misses_that_are_not_an_interval_apart_are_one(
    machine: Instance, world: World, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given an event line that is lost again and again, then sweeps seconds apart end no charging."""
    assert dt.timedelta(minutes=5) == sweep.MISSES_APART
    started, first = clock.wall(), test_clock.at
    # Told to the seller as something else before: what has become missing has a time of its own.
    EngineDrift.objects.create(
        zone_id=ZONE, name=machine.public_id, kind="moved", since_wall_at=started - dt.timedelta(days=1)
    )
    world.remove_machine(machine.public_id)
    kinds = []
    for seconds in (0, 10, 299, 300):
        monkeypatch.setattr(clock, "wall", lambda at=started + dt.timedelta(seconds=seconds): at)
        test_clock.set(first + dt.timedelta(seconds=seconds))
        kinds += [drift.kind for drift in sweep.sweep(ZONE)]
    assert kinds == ["missing", "missing", "missing", "lost"]
    ended = Segment.objects.filter(subscription_id__in=parts(machine))
    assert {segment.ended_at for segment in ended} == {first}


def test_one_miss_and_then_found_is_nothing(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    from vmart.provisioning import specs

    spec = specs.load([machine.id])[machine.id].spec
    world.remove_machine(machine.public_id)
    sweep.sweep(ZONE)
    engine_of(ZONE).ensure_present(spec)
    assert sweep.sweep(ZONE) == []
    assert not EngineDrift.objects.exists()
    world.remove_machine(machine.public_id)  # the count begins anew
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["missing"]
    assert Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).count() == 2


def test_an_engine_or_a_member_that_does_not_answer_is_no_miss(machine: Instance, world: World) -> None:
    member = engine_of(ZONE).observe(machine.public_id).member
    world.set_member_online(member, False)
    for _ in range(2):
        assert [drift.kind for drift in sweep.sweep(ZONE) if drift.kind in ("missing", "lost")] == []
    world.stop_engine()
    for _ in range(2):
        with nothing_written(), pytest.raises(EngineError):
            sweep.sweep(ZONE)
    assert Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).count() == 2


# -- what the seller does ----------------------------------------------------------------------------


def test_it_is_delivered_again_and_charged_from_then(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    first = _lose(machine, world, test_clock)
    test_clock.advance(minutes=30)
    lost.redeliver(machine.public_id, SELLER)
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["lost"]  # while it is under way
    work()
    assert engine_of(ZONE).observe(machine.public_id).power == Power.RUNNING
    assert (_now(machine).state, _now(machine).latest_operation_state) == ("RUNNING", "SUCCESS")
    spans = Segment.objects.filter(subscription_id=machine.id, component="cpu").order_by("started_at")
    assert [(span.started_at, span.ended_at) for span in spans] == [
        (spans[0].started_at, first), (test_clock.at, None),
    ]  # fmt: skip
    assert kinds_of(machine) == ["delivered", "seen_missing", "lost", "to_be_redelivered", "redelivered"]
    assert sweep.sweep(ZONE) == []
    assert not EngineDrift.objects.exists()
    assert list(reconcile()) == []


def test_one_that_cannot_be_made_again_is_lost_as_before(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lose(machine, world, test_clock)
    world.fail("ensure_present", times=20)
    lost.redeliver(machine.public_id, SELLER)
    work()
    assert (_now(machine).state, _now(machine).latest_operation_state) == ("RUNNING", "FAILED")
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["lost"]
    assert not Segment.objects.filter(subscription_id__in=parts(machine), ended_at=None).exists()
    world.clear_faults()
    lost.redeliver(machine.public_id, SELLER)
    work()
    assert _now(machine).latest_operation_state == "SUCCESS"


def test_a_prepaid_one_is_refunded_what_was_not_used_when_it_was_lost(world: World, test_clock: BusinessClock) -> None:
    """Given the first free return is used up already, then the rest of the month comes back, and no quota is asked."""
    from vmart.customers.models import Account

    machine = buy_running(open_purse("monthly", cash_minor=MONTHLY_MINOR), MONTHLY)
    Account.objects.filter(id=machine.account_id).update(free_return_used_at=test_clock.at)
    quotas.one(machine.account_id, returns_per_year=0)
    test_clock.advance(days=10)
    _lose(machine, world, test_clock)
    at_first_miss = Line.objects.get().refund_minor
    test_clock.advance(days=5)
    lost.refund(machine.public_id, SELLER)
    line = Line.objects.get()
    assert (line.state, at_first_miss) == ("returned", 0)
    assert purses(machine.account_id)["cash"] == line.refund_minor > 0
    work()
    assert _now(machine).state == "GONE"
    assert kinds_of(machine)[-3:] == ["returned", "ended_as_lost", "released"]
    assert list(reconcile()) == []


def test_a_postpaid_one_has_nothing_to_refund(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    _lose(machine, world, test_clock)
    with refused(errors.WrongMode, field="machines", match="nothing was paid ahead"):
        lost.refund(machine.public_id, SELLER)


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["postpaid", "prepaid"])
def test_it_is_ended_and_leaves_no_room_address_or_hold(
    world: World, test_clock: BusinessClock, configuration: object
) -> None:
    machine = buy_running(open_purse(cash_minor=MONTHLY_MINOR), configuration)  # type: ignore[arg-type]
    before = purses(machine.account_id)["cash"]
    _lose(machine, world, test_clock)
    lost.end(machine.public_id, SELLER)
    work()
    assert _now(machine).state == "GONE"
    assert purses(machine.account_id)["cash"] == before
    assert purses(machine.account_id)["held"] <= HOURLY_HOLD_MINOR
    assert not EngineDrift.objects.exists()
    assert list(reconcile()) == []


def test_a_machine_that_is_there_or_was_missed_once_is_not_touched(machine: Instance, world: World) -> None:
    for act in (lost.redeliver, lost.refund, lost.end):
        with refused(errors.WrongState, field="machines", match="is not lost"):
            act(machine.public_id, SELLER)
        with refused(NotFound, field="machines"):
            act("ins-00000000", SELLER)
    world.remove_machine(machine.public_id)
    sweep.sweep(ZONE)
    with refused(errors.WrongState, match="asked only once"):
        lost.end(machine.public_id, SELLER)


def test_while_it_is_delivered_again_nothing_else_is_begun(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _lose(machine, world, test_clock)
    lost.redeliver(machine.public_id, SELLER)
    for act in (lost.redeliver, lost.refund, lost.end):
        with refused(errors.WrongState, field="machines"):
            act(machine.public_id, SELLER)
