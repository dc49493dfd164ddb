"""Given a running machine, when it is rebooted, then it boots once and no money moves; a failure says why."""

import sqlite3
from pathlib import Path

import pytest

from tests.orders.acting import (
    TRY_AGAIN,
    agree,
)
from tests.orders.ending import now
from tests.support.actors import by
from tests.support.shopper import (
    ZONE,
    buy_running,
    open_purse,
    purses,
    work,
)
from vmart.engines.contract import EngineError
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.metering.models import Segment
from vmart.orders import reboot, start, stop
from vmart.provisioning.zone_engines import engine_of

pytestmark = pytest.mark.usefixtures("in_business")


def test_a_reboot_boots_once_and_moves_no_money(engine: Path, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    before, money = engine_of(ZONE).observe(machine.public_id).booted_at, purses(account)
    segments = list(Segment.objects.values())
    reboot.reboot(by(account), [machine.public_id])
    assert now(machine).state == "REBOOTING"
    world.lose_answer("ensure_rebooted")
    work()
    machine = now(machine)
    after = engine_of(ZONE).observe(machine.public_id).booted_at
    assert before is not None
    assert after is not None
    assert after > before
    with sqlite3.connect(engine) as file:
        assert file.execute("SELECT boots FROM machine").fetchall() == [(2,)]
    file.close()
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "SUCCESS")
    assert list(Event.objects.order_by("id").values_list("kind", flat=True)) == [
        "RunInstances", "delivered", "RebootInstances", "rebooted",
    ]  # fmt: skip
    assert purses(account) == money
    assert list(Segment.objects.values()) == segments
    agree()


def test_a_reboot_that_fails_is_said(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    reboot.reboot(by(account), [machine.public_id])
    world.fail("ensure_rebooted", times=6)
    work()
    machine = now(machine)
    assert (machine.state, machine.latest_operation_state) == ("RUNNING", "FAILED")
    assert machine.latest_operation_error.splitlines() == [
        "The machine could not be rebooted.", "The simulated engine failed, as it was told to.", TRY_AGAIN,
    ]  # fmt: skip


def test_a_machine_that_is_not_there_cannot_be_rebooted_or_started(world: World) -> None:
    account = open_purse(cash_minor=1000)
    rebooted, started = buy_running(account), buy_running(account)
    stop.stop(by(account), [started.public_id])
    work()
    world.remove_machine(rebooted.public_id)
    world.remove_machine(started.public_id)
    reboot.reboot(by(account), [rebooted.public_id])
    start.start(by(account), [started.public_id])
    work()
    assert now(rebooted).latest_operation_state == "FAILED"
    assert (now(started).state, now(started).latest_operation_state) == ("STOPPED", "FAILED")
    assert now(rebooted).latest_operation_error.splitlines() == [
        "The machine could not be rebooted.", "The machine is not found on its host.", TRY_AGAIN,
    ]  # fmt: skip
    assert now(started).latest_operation_error.splitlines() == [
        "The machine could not be started.", "The machine does not exist.", "Ask the seller.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "why", "helps"),
    [
        (
            EngineError("The system disk is full.", transient=False, helps="Delete files."),
            "The system disk is full.", "Delete files.",
        ),
        (EngineError("The host's storage is full.", transient=False), "The host's storage is full.", "Ask the seller."),
        (EngineError("The host does not answer.", transient=True), "The host does not answer.", TRY_AGAIN),
        (ValueError("a secret path"), "Something went wrong in the shop.", TRY_AGAIN),
    ],
)  # fmt: skip
def test_a_failure_says_why_and_what_helps(
    error: Exception, why: str, helps: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = buy_running(open_purse(cash_minor=1000))

    class Failing:
        def ensure_rebooted(self, *_: object, **__: object) -> None:
            raise error

    monkeypatch.setattr(reboot, "engine_of", lambda _zone: Failing())
    reboot.reboot(by(machine.account_id), [machine.public_id])
    work()
    seen = now(machine)
    told = f"The machine could not be rebooted.\n{why}\n{helps}"
    assert (seen.state, seen.latest_operation_error) == ("RUNNING", told)
    event = Event.objects.get(kind="operation_failed")
    assert event.detail == {"operation": "RebootInstances", "why": told}
