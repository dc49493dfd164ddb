"""Given an account in arrears for two hours, then its postpaid machines stop, each as soon as it can be."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    ZONE,
    buy_running,
    open_purse,
    owe,
    pay,
    purses,
    wanted,
    work,
)
from tests.support.written import refused
from vmart.catalog.models import ZoneImage
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.contract import Power
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.metering.models import Segment
from vmart.orders import errors, reboot, start, stop, terminate
from vmart.orders.purchase import purchase
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

OTHER_ZONE = "ap-guangzhou-6"


def _now(machine: Instance) -> Instance:
    return Instance.objects.get(pk=machine.pk)


def _work_again() -> None:
    """What was put off for a moment is due again."""
    Operation.objects.update(not_before=None)
    work()


# -- which machines, and when ----------------------------------------------------------------------


def test_one_busy_machine_holds_up_no_other(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    idle, busy = buy_running(account), buy_running(account)
    stop.stop(by(account), [busy.public_id])
    Operation.objects.filter(kind="stop").update(due_at=test_clock.at + dt.timedelta(minutes=1))
    due = test_clock.at
    owe(account)
    work()
    assert (_now(idle).state, _now(idle).subscription.isolated_at) == ("SHUTDOWN", due)
    assert engine_of(ZONE).observe(idle.public_id).power == Power.STOPPED
    assert (_now(busy).state, purses(account)["held"]) == ("STOPPING", HOURLY_HOLD_MINOR)
    waiting = Operation.objects.get(kind="arrears")
    assert (waiting.attempt, waiting.last_error) == (0, "an operation on one of its things is under way")
    test_clock.advance(minutes=1)
    _work_again()
    _work_again()
    assert (_now(busy).state, _now(busy).subscription.isolated_at) == ("SHUTDOWN", test_clock.at)
    assert purses(account)["held"] == 0
    assert not Segment.objects.filter(ended_at=None).exists()
    assert not Operation.objects.filter(kind="arrears").exists()
    assert list(reconcile()) == []


def test_a_machine_that_is_being_delivered_is_stopped_when_it_is_there(test_clock: BusinessClock) -> None:
    """Given an order that waits for its image, then it keeps no other machine running, and is caught later."""
    account = open_purse(cash_minor=1000)
    here = buy_running(account)
    zones.check(OTHER_ZONE)
    zones.prepare_images(OTHER_ZONE)
    ZoneImage.objects.filter(zone_id=OTHER_ZONE).update(status="preparing")
    (name,) = purchase(wanted(account, replace(HOURLY, zone=OTHER_ZONE, instance_type="S5.SMALL1"))).instance_ids
    owe(account)
    work()
    assert (_now(here).state, Instance.objects.get(public_id=name).state) == ("SHUTDOWN", "PENDING")
    ZoneImage.objects.filter(zone_id=OTHER_ZONE).update(status="ready")
    _work_again()
    _work_again()
    late = Instance.objects.get(public_id=name)
    assert (late.state, late.subscription.isolated_source) == ("SHUTDOWN", "ARREAR")
    assert engine_of(OTHER_ZONE).observe(name).power == Power.STOPPED
    assert purses(account)["held"] == 0
    assert list(reconcile()) == []


def test_arrears_that_come_again_before_the_power_off_has_ended(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    world.fail("ensure_power", times=11)
    for _ in range(2):
        owe(account)
        owner = uuid.uuid4()
        for operation in queue.claim(owner, [""], 30, 10):  # timers and money; the zone's lane comes later
            loop.work(STEPS, [operation], owner)
        assert (_now(machine).state, _now(machine).latest_operation_state) == ("SHUTDOWN", "OPERATING")
        pay(account, purses(account)["owed"] + 100)
        assert (_now(machine).state, _now(machine).latest_operation_state) == ("STOPPED", "OPERATING")
    work()
    assert (_now(machine).state, _now(machine).latest_operation_state) == ("STOPPED", "SUCCESS")
    assert engine_of(ZONE).observe(machine.public_id).power == Power.STOPPED
    assert list(reconcile()) == []


ACTS: dict[str, Callable[[int, list[str]], None]] = {"stop": stop.stop, "start": start.start, "reboot": reboot.reboot}


@pytest.mark.parametrize("name", ACTS)
def test_nothing_new_begins_on_a_machine_whose_stop_is_due(name: str) -> None:
    """Given machines that are rebooted in turn, as if to be busy whenever the stop comes, then they are refused."""
    account = open_purse(cash_minor=20000)
    machine, prepaid = buy_running(account), buy_running(account, MONTHLY)
    if name == "start":
        stop.stop(by(account), [machine.public_id, prepaid.public_id])
        work()
    owe(account)
    sentence = f"The account is in arrears, and {machine.public_id} is about to be stopped. Top up to zero or more."
    with refused(errors.InArrears, match=sentence, field="machines"):
        ACTS[name](by(account), [machine.public_id])
    ACTS[name](by(account), [prepaid.public_id])  # it runs on
    terminate.terminate(by(account), [machine.public_id])
    assert _now(machine).subscription.isolated_source == "MANMADE"


def test_within_the_two_hours_machines_obey(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    owe(account)
    Operation.objects.filter(kind="arrears").update(due_at=test_clock.at + dt.timedelta(seconds=1))
    reboot.reboot(by(account), [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"


def test_after_a_top_up_machines_obey_again() -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    owe(account)
    with refused(errors.InArrears):
        reboot.reboot(by(account), [machine.public_id])
    pay(account, 100)
    reboot.reboot(by(account), [machine.public_id])
    work()
    assert _now(machine).state == "RUNNING"
