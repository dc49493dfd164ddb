"""Given a prepaid machine whose term is over, then it goes into the bin and leaves nothing, whatever its owner does."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.orders.ending import no_closes, nothing_left, now, power
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    go_to,
    open_purse,
    purses,
    work,
)
from tests.support.written import refused
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import UTC
from vmart.metering.models import Segment
from vmart.orders import errors, reboot, return_prepaid, start, stop, terminate
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")


def _kinds() -> list[str]:
    kinds = Event.objects.exclude(kind="expires_soon").order_by("id").values_list("kind", flat=True)
    return list(kinds)


def test_at_its_expiry_it_is_off_and_after_seven_days_it_is_gone(test_clock: BusinessClock, world: World) -> None:
    no_closes()
    account = open_purse(cash_minor=20000)
    machine = buy_running(account, replace(MONTHLY, bandwidth_mbps=5, public_ip=True))
    expiry = dt.datetime(2026, 4, 10, 2, tzinfo=UTC)
    assert machine.subscription.expires_at == expiry
    cash = purses(account)["cash"]
    go_to(test_clock, expiry - dt.timedelta(seconds=1))
    assert now(machine).state == "RUNNING"
    assert Segment.objects.get().ended_at is None  # traffic
    go_to(test_clock, expiry)
    machine = now(machine)
    assert (machine.state, machine.subscription.standing, machine.subscription.isolated_source) == (
        "SHUTDOWN", "isolated", "EXPIRE",
    )  # fmt: skip
    assert (machine.subscription.isolated_at, machine.subscription.release_at) == (
        expiry,
        dt.datetime(2026, 4, 17, 16, tzinfo=UTC),
    )
    assert (machine.latest_operation_state, power(machine)) == ("SUCCESS", Power.STOPPED)
    assert Segment.objects.get().ended_at == expiry
    with pytest.raises(ValueError, match="cannot send"):
        world.send_bytes(machine.public_id, 1)
    with refused(errors.WrongState, match="it has expired"):
        start.start(by(account), [machine.public_id])
    go_to(test_clock, dt.datetime(2026, 4, 17, 15, 59, 59, tzinfo=UTC))
    assert now(machine).state == "SHUTDOWN"
    go_to(test_clock, dt.datetime(2026, 4, 17, 16, tzinfo=UTC))
    assert now(machine).state == "GONE"
    assert purses(account)["cash"] == cash
    assert _kinds() == ["RunInstances", "delivered", "expired", "released"]
    nothing_left(world)


def test_from_its_expiry_on_its_owner_cannot_put_the_isolation_off(test_clock: BusinessClock) -> None:
    """Given an owner who keeps rebooting, then the reboot under way delays the expiry, and no further one is taken."""
    no_closes()
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    assert machine.subscription.expires_at is not None
    test_clock.set(machine.subscription.expires_at - dt.timedelta(seconds=1))
    reboot.reboot(by(account), [machine.public_id])
    test_clock.advance(seconds=1)
    with refused(errors.Busy):
        reboot.reboot(by(account), [machine.public_id])
    Operation.objects.filter(kind="expire").update(
        due_at=machine.subscription.expires_at + dt.timedelta(seconds=5)
    )  # a slow worker
    work()
    assert (now(machine).state, now(machine).subscription.standing) == ("RUNNING", "active")
    expired = "UnsupportedOperation.InstanceStateIsolating"
    acts = {
        "reboot": lambda: reboot.reboot(by(account), [machine.public_id]),
        "stop": lambda: stop.stop(by(account), [machine.public_id]),
    }
    for act in acts.values():
        with refused(errors.WrongState, field="machines", code=expired, match="it has expired"):
            act()
    Instance.objects.filter(pk=machine.pk).update(state="STOPPED")
    with refused(errors.WrongState, field="machines", code=expired, match="it has expired"):
        start.start(by(account), [machine.public_id])
    Instance.objects.filter(pk=machine.pk).update(state="RUNNING")
    test_clock.advance(seconds=5)
    work()
    machine = now(machine)
    assert (machine.state, machine.subscription.isolated_source, machine.subscription.isolated_at) == (
        "SHUTDOWN",
        "EXPIRE",
        machine.subscription.expires_at,
    )


@pytest.mark.parametrize(
    "act",
    [lambda account, ids: terminate.terminate(by(account), ids), return_prepaid.quote_refund],
    ids=["terminate", "quote"],
)
def test_from_its_expiry_on_there_is_nothing_to_return(
    act: Callable[[int, list[str]], object], test_clock: BusinessClock
) -> None:
    """Given an expired machine whose isolation is late, then a return neither moves its end nor uses up the quota."""
    no_closes()
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    assert machine.subscription.expires_at is not None
    test_clock.set(machine.subscription.expires_at)
    expired = "UnsupportedOperation.InstanceStateIsolating"
    with refused(errors.WrongState, field="machines", code=expired, match="it has expired"):
        act(account, [machine.public_id])
    test_clock.advance(seconds=-1)
    act(account, [machine.public_id])  # a second before, there is


def _rebooted_without_end(test_clock: BusinessClock, machine: Instance) -> int:
    """Its owner reboots it just before the timers are worked on, each second from its expiry on; how often he did."""
    assert machine.subscription.expires_at is not None
    test_clock.set(machine.subscription.expires_at - dt.timedelta(seconds=1))
    accepted = 0
    for _ in range(21):
        with contextlib.suppress(errors.WrongState):
            reboot.reboot(by(machine.account_id), [machine.public_id])
            accepted += 1
        for lane in ("", ZONE):  # the timers first: they find it busy
            owner = uuid.uuid4()
            for operation in queue.claim(owner, [lane], 30, 10):
                loop.work(STEPS, [operation], owner)
        test_clock.advance(seconds=1)
        Operation.objects.update(not_before=None)
    return accepted


def test_a_machine_that_is_rebooted_without_end_expires_after_the_reboot_under_way(test_clock: BusinessClock) -> None:
    no_closes()
    machine = buy_running(open_purse(cash_minor=MONTHLY_MINOR), MONTHLY)
    assert _rebooted_without_end(test_clock, machine) == 1
    after = now(machine)
    assert (after.state, after.subscription.isolated_at, power(after)) == (
        "SHUTDOWN",
        machine.subscription.expires_at,
        Power.STOPPED,
    )
    assert _kinds() == ["RunInstances", "delivered", "RebootInstances", "rebooted", "expired"]


def test_control_without_a_look_at_the_expiry_it_outlives_it(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmart.orders.machines.refuse_isolated", lambda machines: None)
    no_closes()
    machine = buy_running(open_purse(cash_minor=MONTHLY_MINOR), MONTHLY)
    assert _rebooted_without_end(test_clock, machine) == 21
    assert (now(machine).state, power(machine)) == ("RUNNING", Power.RUNNING)


def test_an_expiry_waits_for_what_is_under_way(test_clock: BusinessClock) -> None:
    no_closes()
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    assert machine.subscription.expires_at is not None
    test_clock.set(machine.subscription.expires_at - dt.timedelta(seconds=1))
    stop.stop(by(account), [machine.public_id])
    Operation.objects.filter(kind="stop").update(
        due_at=machine.subscription.expires_at + dt.timedelta(seconds=5)
    )  # a slow engine
    test_clock.advance(seconds=1)
    work()
    assert now(machine).state == "STOPPING"
    assert Operation.objects.get(kind="expire").last_error == "an operation on it is under way"
    test_clock.advance(seconds=5)
    Operation.objects.update(not_before=None)
    work()
    Operation.objects.update(not_before=None)
    work()
    machine = now(machine)
    assert (machine.state, machine.subscription.isolated_at) == ("SHUTDOWN", machine.subscription.expires_at)


def test_an_expired_machine_is_released_at_once_when_its_owner_says_so(test_clock: BusinessClock, world: World) -> None:
    no_closes()
    account = open_purse(cash_minor=MONTHLY_MINOR)
    machine = buy_running(account, MONTHLY)
    assert machine.subscription.expires_at is not None
    go_to(test_clock, machine.subscription.expires_at)
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert purses(account)["cash"] == 0
    nothing_left(world)
