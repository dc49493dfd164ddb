"""Given a machine that goes into the rescue mode, then its own disk is as it was, and it is charged on as before."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.orders.ending import no_closes
from tests.orders.test_own_disks import attached
from tests.support.actors import SELLER, by
from tests.support.business_clock import BusinessClock
from tests.support.missed import an_interval_ago
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import refused
from vmart.catalog import shop
from vmart.catalog.models import Image, Zone, ZoneImage
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.optional import Rescues
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock, db, unix_password
from vmart.kernel.errors import InvalidValue
from vmart.metering.models import Segment
from vmart.orders import (
    attributes,
    lost,
    planned_end,
    reboot,
    reclaim,
    redeliver,
    reinstall,
    renew,
    rescue,
    reset_password,
    sample,
    size,
    start,
    stop,
    sweep,
    terminate,
    where_it_is,
)
from vmart.orders import machines as m
from vmart.orders.bandwidth_window import ACT_OF_WINDOW, Window
from vmart.orders.disks.detach import detach
from vmart.orders.errors import Busy, NoRescue, UnknownInstance, WeakPassword, WrongState
from vmart.orders.models import EngineDrift
from vmart.orders.reinstall import Reinstall
from vmart.orders.renew import Renewal
from vmart.orders.snapshots import create as snapshot
from vmart.orders.snapshots.create import NewSnapshot
from vmart.provisioning import specs
from vmart.provisioning.zone_engines import engine_of
from vmart.storage.models import Disk
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

PASSWORD = "Rescue-pass-1"
ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account)


def _now(machine: Instance) -> Instance:
    return Instance.objects.select_related("subscription").get(pk=machine.pk)


def _latest(machine: Instance) -> tuple[str, str, str]:
    row = _now(machine)
    return row.latest_operation, row.latest_operation_state, row.latest_operation_error.split("\n")[0]


def _stands(machine: Instance) -> tuple[str, int]:
    row = _now(machine)
    return row.state, row.rescue


def _enter(machine: Instance, **how: Any) -> None:
    rescue.enter(by(machine.account_id), machine.public_id, PASSWORD, **how)


def _leave(machine: Instance) -> None:
    rescue.leave(by(machine.account_id), machine.public_id)


def _in_rescue(machine: Instance) -> Instance:
    _enter(machine)
    work()
    return _now(machine)


def _work_again() -> None:
    Operation.objects.update(not_before=None)
    work()


def _opens(world: World, machine: Instance) -> bool:
    return unix_password.matches(PASSWORD, world.password_hash(machine.public_id))


def test_a_broken_system_is_mended_and_booted_again(account: int, machine: Instance, world: World) -> None:
    disk = Disk.objects.get(instance_id=machine.id).public_id
    world.write(disk, "broken")
    before = (purses(account), list(Segment.objects.order_by("id").values_list("id", "price_key", "ended_at")))
    system = world.system(machine.public_id)
    rescue.enter(by(account, "r-1"), machine.public_id, PASSWORD)
    row = _now(machine)
    assert (row.state, row.latest_operation, row.latest_operation_state) == (
        "ENTER_RESCUE_MODE", "EnterRescueMode", "OPERATING",
    )  # fmt: skip
    assert row.latest_operation_request_id == "r-1"
    work()
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("EnterRescueMode", "SUCCESS", ""))
    assert (world.rescue(machine.public_id), _opens(world, machine)) == (1, True)
    assert world.read(disk) == "broken"
    world.write(disk, "mended")
    _leave(machine)
    assert _stands(machine) == ("EXIT_RESCUE_MODE", 1)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("ExitRescueMode", "SUCCESS", ""))
    assert (world.rescue(machine.public_id), _opens(world, machine)) == (2, False)
    assert (world.system(machine.public_id), world.read(disk)) == (system, "mended")
    assert (purses(account), list(Segment.objects.order_by("id").values_list("id", "price_key", "ended_at"))) == before
    told = Event.objects.filter(subject_kind="machine", subject_id=machine.id).order_by("id")
    assert list(told.values_list("kind", flat=True))[-4:] == [
        "EnterRescueMode", "rescue_begun", "ExitRescueMode", "rescue_left",
    ]  # fmt: skip
    assert list(reconcile()) == []


def test_one_that_is_off_goes_in_and_runs_when_it_leaves(account: int, machine: Instance) -> None:
    stop.stop(by(account), [machine.public_id])
    work()
    assert _stands(_in_rescue(machine)) == ("RESCUE_MODE", 1)
    assert _now(machine).stop_charging_mode == "NOT_APPLICABLE"
    _leave(machine)
    work()
    assert (*_stands(machine), _now(machine).stop_charging_mode) == ("RUNNING", 2, "NOT_APPLICABLE")
    assert _stands(_in_rescue(machine)) == ("RESCUE_MODE", 3)  # no number is used twice
    assert list(reconcile()) == []


def test_it_waits_for_the_image(machine: Instance) -> None:
    here = ZoneImage.objects.filter(zone_id=ZONE, image_id=machine.image_id)
    here.update(status="preparing")
    _enter(machine)
    work()
    assert _stands(machine) == ("ENTER_RESCUE_MODE", 1)
    here.update(status="failed")
    _work_again()
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("EnterRescueMode", "FAILED", _UNTOUCHED))
    assert list(reconcile()) == []


# -- what fails --------------------------------------------------------------------------------

_UNTOUCHED = "The rescue system was not booted; the machine has its own."
_OPEN = "The rescue system does not run; leave the rescue mode, and the machine has its own system again."
_STAYS = "The machine is still in rescue mode; leave it once more."
_OFF = "The machine has its own system again, and that does not run."
IN, OUT = "ensure_rescue", "ensure_own_system"


@pytest.mark.parametrize("off", [False, True])
def test_an_engine_that_refuses_leaves_its_own_system(
    account: int, machine: Instance, world: World, *, off: bool
) -> None:
    if off:
        stop.stop(by(account), [machine.public_id])
        work()
    held = _now(machine)
    world.fail(IN, times=STEPS[rescue.KIND].attempts)
    _enter(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == (held.state, 2, ("EnterRescueMode", "FAILED", _UNTOUCHED))
    assert (world.rescue(machine.public_id), _now(machine).stop_charging_mode) == (2, held.stop_charging_mode)
    assert list(reconcile()) == []
    assert _stands(_in_rescue(machine)) == ("RESCUE_MODE", 3)


def test_answers_that_are_lost_every_time_are_no_failure(machine: Instance, world: World) -> None:
    world.lose_answer(IN, times=STEPS[rescue.KIND].attempts)
    _enter(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("EnterRescueMode", "SUCCESS", ""))
    world.lose_answer(OUT, times=STEPS[rescue.EXIT_KIND].attempts)
    _leave(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("ExitRescueMode", "SUCCESS", ""))
    assert list(reconcile()) == []


def _given_up(machine: Instance, world: World, verb: str, happens: Callable[[], object]) -> None:
    """Done and its answer lost; then ``happens``, and the engine says no until nobody asks."""
    world.lose_answer(verb)
    world.fail(verb, 2, times=STEPS[rescue.KIND].attempts)
    (operation,) = queue.claim(owner := uuid.uuid4(), [ZONE], 15, 1)
    loop.work(STEPS, [operation], owner)
    happens()
    _work_again()
    world.clear_faults()


def test_a_rescue_system_that_turned_itself_off_is_left(machine: Instance, world: World) -> None:
    _enter(machine)
    _given_up(machine, world, IN, lambda: engine_of(ZONE).ensure_power(machine.public_id, False))
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("EnterRescueMode", "FAILED", _OPEN))
    _leave(machine)
    work()
    assert (_stands(machine), list(reconcile())) == (("RUNNING", 2), [])


def test_where_the_engine_says_nothing_the_way_out_is_open(machine: Instance, world: World) -> None:
    _enter(machine)
    world.stop_engine()
    work()
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("EnterRescueMode", "FAILED", _OPEN))
    _leave(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("ExitRescueMode", "FAILED", _STAYS))
    world.start_engine()
    _leave(machine)
    work()
    assert (_stands(machine), world.rescue(machine.public_id), list(reconcile())) == (("RUNNING", 2), 2, [])


def test_an_engine_that_refuses_the_way_out_is_asked_again(machine: Instance, world: World) -> None:
    _in_rescue(machine)
    world.fail(OUT, times=STEPS[rescue.EXIT_KIND].attempts)
    _leave(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RESCUE_MODE", 1, ("ExitRescueMode", "FAILED", _STAYS))
    _leave(machine)
    work()
    assert (_stands(machine), list(reconcile())) == (("RUNNING", 2), [])


def test_a_system_that_turned_itself_off_after_the_way_out_is_told_as_it_is(machine: Instance, world: World) -> None:
    _in_rescue(machine)
    _leave(machine)
    _given_up(machine, world, OUT, lambda: engine_of(ZONE).ensure_power(machine.public_id, False))
    assert (*_stands(machine), _latest(machine)) == ("STOPPED", 2, ("ExitRescueMode", "FAILED", _OFF))
    assert (_now(machine).stop_charging_mode, list(reconcile())) == ("KEEP_CHARGING", [])


def test_a_call_that_comes_late_changes_nothing(machine: Instance, world: World) -> None:
    _enter(machine)
    late = rescue._system(_now(machine), Operation.objects.get(kind=rescue.KIND).payload)
    work()
    _leave(machine)
    work()
    engine = engine_of(ZONE)
    assert isinstance(engine, Rescues)
    assert engine.ensure_rescue(late).rescue == 2
    assert not _opens(world, machine)


def test_a_call_that_comes_late_after_the_way_in_failed_changes_nothing(
    account: int, machine: Instance, world: World
) -> None:
    disk = attached(account, machine)
    engine = engine_of(ZONE)
    assert isinstance(engine, Rescues)
    booted = engine.observe(machine.public_id).booted_at
    _enter(machine)
    late = rescue._system(_now(machine), Operation.objects.get(kind=rescue.KIND).payload)
    world.fail(IN, times=STEPS[rescue.KIND].attempts)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("EnterRescueMode", "FAILED", _UNTOUCHED))
    assert engine.ensure_rescue(late).rescue == 2
    assert (_opens(world, machine), _has(world, disk)) == (False, machine.public_id)
    assert (engine.observe(machine.public_id).booted_at, list(reconcile())) == (booted, [])


def test_an_engine_that_does_not_note_it_keeps_nobody_from_their_machine(machine: Instance, world: World) -> None:
    world.fail(IN, times=STEPS[rescue.KIND].attempts)
    world.fail(OUT)
    _enter(machine)
    work()
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("EnterRescueMode", "FAILED", _UNTOUCHED))
    assert (world.rescue(machine.public_id), world.armed_count(), list(reconcile())) == (0, 0, [])


def test_a_way_in_that_was_given_up_twice_is_told_once(machine: Instance) -> None:
    """Given a worker that ended after its engine had noted it, and before the outcome, then the next says the same."""
    _enter(machine)
    payload = Operation.objects.get(kind=rescue.KIND).payload
    engine = engine_of(ZONE)
    assert isinstance(engine, Rescues)
    spec = replace(specs.load([machine.id])[machine.id].spec, rescue=payload["rescue"] + 1)
    seen = engine.ensure_own_system(spec, on=True)
    with db.act():
        db.call("ledger_lock", machine.account_id)
        rescue._not_entered(m.locked(machine.pk), payload, seen, RuntimeError("again"))
    assert (*_stands(machine), _latest(machine)) == ("RUNNING", 2, ("EnterRescueMode", "FAILED", _UNTOUCHED))


# -- what is refused ---------------------------------------------------------------------------

NOT_IN = "UnsupportedOperation.InstanceStateRescueMode"


@pytest.mark.parametrize(
    ("error", "field", "how"),
    [
        (WeakPassword, "password", {"password": "short"}),
        (WeakPassword, "password", {"password": "onlyletters"}),
        (InvalidValue, "user", {"user": "nobody"}),
        (InvalidValue, "stop_type", {"stop_type": "NOW"}),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(
    machine: Instance, error: type[Exception], field: str, how: dict[str, str]
) -> None:
    with refused(error, field=field):
        rescue.enter(by(machine.account_id), machine.public_id, **({"password": PASSWORD} | how))


def test_of_a_machine_that_is_not_there_busy_or_without_charge_it_is_refused(account: int, machine: Instance) -> None:
    stranger = open_purse("stranger", cash_minor=1000)
    with refused(UnknownInstance, field="machines"):
        rescue.enter(by(stranger), machine.public_id, PASSWORD)
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateRunning"):
        _leave(machine)
    _enter(machine)
    for act in (_enter, _leave):
        with refused(Busy, field="machines"):
            act(machine)
    work()
    with refused(WrongState, field="machines", code=NOT_IN):
        _enter(machine)
    _leave(machine)
    work()
    stop.stop(by(account), [machine.public_id], stopped_mode="STOP_CHARGING")
    work()
    with refused(WrongState, field="machines", code="UnsupportedOperation.StoppedModeStopCharging"):
        _enter(machine)
    with refused(WrongState, field="machines", code="UnsupportedOperation.InstanceStateStopped"):
        _leave(machine)


def test_where_the_engine_has_no_rescue_mode_it_says_why(machine: Instance, world: World) -> None:
    why = "Virtual machines have no rescue mode: their disk has not been attached to another one yet."
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(pk=ZONE).update(capabilities=zone.capabilities | {"rescue": False, "missing": {"rescue": why}})
    with refused(NoRescue, field="machines", code="UnsupportedOperation", match=why):
        _enter(machine)
    assert world.rescue(machine.public_id) == 0


def test_while_it_is_in_rescue_mode_nothing_else_is_done_with_it(account: int, machine: Instance) -> None:
    system, name = Disk.objects.get(instance_id=machine.id).public_id, machine.public_id
    _in_rescue(machine)
    acts: list[Callable[[], object]] = [
        lambda: stop.stop(by(account), [name]),
        lambda: start.start(by(account), [name]),
        lambda: reboot.reboot(by(account), [name]),
        lambda: reinstall.reinstall(by(account), name, Reinstall()),
        lambda: reset_password.reset(by(account), [name], PASSWORD),
        lambda: attributes.modify(by(account), [name], hostname="other"),
        lambda: snapshot.create(by(account), NewSnapshot(system)),
    ]
    for act in acts:
        with refused(WrongState, field="machines", code=NOT_IN):
            act()


# -- its end, and what happens meanwhile -------------------------------------------------------


def test_one_of_a_customers_image_is_mended_from_the_public_one_below(machine: Instance, world: World) -> None:
    """Given an image that may be what is broken, or deleted, then the rescue system is not made of it."""
    Instance.objects.filter(pk=machine.pk).update(own_image="img-deleted0")
    _in_rescue(machine)
    recipe = Image.objects.get(public_id=machine.image_id).recipe
    assert (_stands(machine), world.system(machine.public_id)[0]) == (("RESCUE_MODE", 1), recipe)


def test_its_planned_end_comes_in_rescue_mode(
    account: int, machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _in_rescue(machine)
    ends = test_clock.at + dt.timedelta(minutes=10)
    planned_end.plan(by(account), [machine.public_id], ends)
    go_to(test_clock, ends)
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("SHUTDOWN", 2, 2)
    assert list(reconcile()) == []


def test_a_spot_machine_is_taken_back_in_rescue_mode(account: int, world: World, test_clock: BusinessClock) -> None:
    machine = buy_running(account, replace(HOURLY, charge_type="SPOTPAID", instance_type="S5.SMALL1"))
    _in_rescue(machine)
    assert reclaim.announce([machine.id], reclaim.BY_SELLER) == 1
    work()
    assert world.spot_notice(machine.public_id) != ""
    go_to(test_clock, test_clock.at + reclaim.NOTICE)
    assert (_now(machine).state, world.count_machines(), list(reconcile())) == ("GONE", 0, [])


def test_a_window_of_bandwidth_begins_in_rescue_mode(account: int, world: World) -> None:
    configuration = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=5, public_ip=True)
    machine = buy_running(account, configuration)
    today = f"{clock.now().astimezone(shop.snapshot().billing_zone):%Y-%m-%d}"
    ACT_OF_WINDOW.order(by(account), Window([machine.public_id], 9, today, today))
    _enter(machine)
    work()
    _work_again()
    assert (_stands(machine), world.cap_mbps(machine.public_id)) == (("RESCUE_MODE", 1), 9)
    assert list(reconcile()) == []


@pytest.mark.parametrize("configuration", [HOURLY, MONTHLY], ids=["postpaid", "prepaid"])
def test_its_end_leaves_nothing_of_either_system(account: int, world: World, configuration: Any) -> None:
    machine = buy_running(account, configuration)
    _in_rescue(machine)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("SHUTDOWN", 2, 2)
    assert engine_of(ZONE).observe(machine.public_id).power == Power.STOPPED
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (_now(machine).state, world.count_machines(), list(reconcile())) == ("GONE", 0, [])


def test_arrears_put_its_own_system_back(account: int, machine: Instance, world: World) -> None:
    _in_rescue(machine)
    owe(account)
    work()
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("SHUTDOWN", 2, 2)
    pay(account, 10_000)
    assert (_stands(machine), list(reconcile())) == (("STOPPED", 2), [])
    start.start(by(account), [machine.public_id])
    work()
    assert (_stands(machine), _opens(world, machine), list(reconcile())) == (("RUNNING", 2), False, [])


def test_its_expiry_puts_its_own_system_back(account: int, world: World, test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(account, MONTHLY)
    _in_rescue(machine)
    assert machine.subscription.expires_at is not None
    go_to(test_clock, machine.subscription.expires_at)
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("SHUTDOWN", 2, 2)
    renew.renew(by(machine.account_id), Renewal([machine.public_id], 1))
    work()
    assert (_stands(machine), _opens(world, machine)) == (("RUNNING", 2), False)


def test_a_machine_that_was_lost_in_rescue_mode_is_delivered_again(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    _in_rescue(machine)
    assert sweep.sweep(ZONE) == []
    world.remove_machine(machine.public_id)
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["missing"]
    test_clock.advance(minutes=5)
    an_interval_ago()
    assert [drift.kind for drift in sweep.sweep(ZONE)] == ["lost"]
    lost.redeliver(machine.public_id, SELLER)
    work()
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("RUNNING", 2, 2)
    assert (sweep.sweep(ZONE), list(reconcile())) == ([], [])


def test_one_that_came_back_by_itself_has_its_own_system_again(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    """Given a host that was away for a while, then what the seller delivers again is what was there."""
    disk = Disk.objects.get(instance_id=machine.id).public_id
    world.write(disk, "owned")
    _in_rescue(machine)
    Instance.objects.filter(pk=machine.pk).update(state="STARTING", latest_operation_state="OPERATING")
    m.send(_now(machine), redeliver.KIND, state="RESCUE_MODE")
    work()
    assert (*_stands(machine), world.rescue(machine.public_id)) == ("RUNNING", 2, 2)
    assert (_opens(world, machine), world.read(disk), list(reconcile())) == (False, "owned", [])


def test_one_whose_own_system_alone_is_there_is_not_lost(
    machine: Instance, world: World, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a way in that failed for good in between: the engine lists no machine, and says of this one that it is off.

    Then no sweep takes it for lost, and nobody is offered to erase it.
    """
    _enter(machine)
    _given_up(machine, world, IN, lambda: engine_of(ZONE).ensure_power(machine.public_id, False))
    with monkeypatch.context() as unlisted:
        unlisted.setattr(SimulatedEngine, "list_ours", lambda _engine: [])
        assert sweep.sweep(ZONE) == []
        test_clock.advance(minutes=5)
        assert (sweep.sweep(ZONE), EngineDrift.objects.count()) == ([], 0)
    assert not Segment.objects.exclude(ended_at=None).exists()
    _leave(machine)
    work()
    assert (_stands(machine), list(reconcile())) == (("RUNNING", 2), [])


def test_one_that_turns_itself_off_stays_in_rescue_mode(machine: Instance) -> None:
    _in_rescue(machine)
    engine_of(ZONE).ensure_power(machine.public_id, False)
    assert (sweep.look(ZONE, [machine.public_id]), sweep.sweep(ZONE)) == (set(), [])
    assert _stands(machine) == ("RESCUE_MODE", 1)
    _leave(machine)
    work()
    assert (_stands(machine), list(reconcile())) == (("RUNNING", 2), [])


def test_its_disks_are_at_both_systems(account: int, machine: Instance, world: World) -> None:
    disk = attached(account, machine)
    _in_rescue(machine)
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == machine.public_id
    with refused(WrongState, field="machines", code=NOT_IN):
        detach(by(account), [disk.public_id])
    _leave(machine)
    work()
    seen = world.volume(disk.public_id)
    assert seen is not None and seen[2] == machine.public_id
    assert list(reconcile()) == []


def _has(world: World, disk: Disk) -> str:
    seen = world.volume(disk.public_id)
    assert seen is not None
    return seen[2]


def test_its_disks_are_at_it_when_its_term_ended_in_rescue_mode(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    no_closes()
    machine = buy_running(account, MONTHLY)
    disk = attached(account, machine)
    _in_rescue(machine)
    assert machine.subscription.expires_at is not None
    go_to(test_clock, machine.subscription.expires_at)
    assert (*_stands(machine), _has(world, disk)) == ("SHUTDOWN", 2, machine.public_id)
    renew.renew(by(machine.account_id), Renewal([machine.public_id], 1))
    work()
    assert (_stands(machine), _has(world, disk)) == (("RUNNING", 2), machine.public_id)
    assert list(reconcile()) == []


def test_its_disks_are_at_it_when_no_answer_of_the_way_in_came(account: int, machine: Instance, world: World) -> None:
    disk = attached(account, machine)
    _enter(machine)
    _given_up(machine, world, IN, lambda: None)
    assert (*_stands(machine), _has(world, disk)) == ("RESCUE_MODE", 1, machine.public_id)
    assert (_latest(machine), list(reconcile())) == (("EnterRescueMode", "SUCCESS", ""), [])


@pytest.mark.parametrize("off", [False, True])
def test_its_disks_are_at_it_when_no_answer_of_the_way_out_came(
    account: int, machine: Instance, world: World, *, off: bool
) -> None:
    disk = attached(account, machine)
    _in_rescue(machine)
    _leave(machine)
    _given_up(machine, world, OUT, lambda: off and engine_of(ZONE).ensure_power(machine.public_id, False))
    assert (*_stands(machine), _has(world, disk)) == ("STOPPED" if off else "RUNNING", 2, machine.public_id)
    assert list(reconcile()) == []


def test_a_disk_that_cannot_be_attached_keeps_nobody_from_the_way_out(
    account: int, machine: Instance, world: World
) -> None:
    disk = attached(account, machine)
    _in_rescue(machine)
    world.fail("ensure_attached", times=STEPS[rescue.EXIT_KIND].attempts + 1)
    _leave(machine)
    work()
    assert (world.armed_count(), *_stands(machine), _has(world, disk)) == (0, "RUNNING", 2, "")
    assert [(drift.kind, drift.repaired) for drift in sweep.sweep(ZONE)] == [("attachment", True)]
    assert (_has(world, disk), list(reconcile())) == (machine.public_id, [])


def test_what_its_engine_lost_of_it_is_told_again_and_it_runs_on(account: int, world: World) -> None:
    machine = buy_running(account, ONLINE)
    _in_rescue(machine)
    size.say(_now(machine), (1, 1024))
    assert engine_of(ZONE).observe(machine.public_id).power == Power.RUNNING
    engine_of(ZONE).ensure_address(machine.public_id, machine.private_ip, None)
    assert [(drift.kind, drift.repaired) for drift in sweep.sweep(ZONE)] == [("address", True)]
    work()
    assert world.cap_mbps(machine.public_id) == 5
    where_it_is.send(_now(machine))
    work()
    waiting = Operation.objects.get(kind=where_it_is.KIND)
    assert waiting.last_error == "an operation on the machine is under way"
    _leave(machine)
    work()
    _work_again()
    assert not Operation.objects.filter(kind=where_it_is.KIND).exists()
    assert list(reconcile()) == []


def test_what_it_sends_is_charged_on(account: int, world: World) -> None:
    machine = buy_running(account, ONLINE)
    world.send_bytes(machine.public_id, 1000)
    _in_rescue(machine)
    world.send_bytes(machine.public_id, 500)
    assert [sender.machine for sender in sample.sending(ZONE)] == [machine.public_id]
    assert engine_of(ZONE).counters([machine.public_id])[machine.public_id].out_bytes == 1500


def test_another_system_than_its_state_says_is_a_difference(machine: Instance) -> None:
    """Given a backup of before, put back while the machine is in rescue mode, then reconcile tells of it."""
    _in_rescue(machine)
    Instance.objects.filter(pk=machine.pk).update(state="RUNNING", rescue=0)
    assert list(reconcile()) == [f"{machine.public_id} is RUNNING and its engine in {ZONE} has it with another system"]
    Instance.objects.filter(pk=machine.pk).update(rescue=1)
    assert next(iter(reconcile())).startswith(
        "a machine's number of ways into the rescue mode and out of it is not that of its state: public_id "
    )
