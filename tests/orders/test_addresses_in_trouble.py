"""Given bought public addresses, when arrears, an engine or a host is in their way, then each is charged once."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from tests.orders.addressing import (
    GIB,
    UTC8,
    again,
    bound,
    by_bandwidth,
    by_traffic,
    latest,
    new_address,
    of_machine,
    seen,
    segments,
)
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import MONTHLY, ZONE, buy_running, go_to, open_purse, owe, pay, purses, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.listings import activity, attention, charges
from vmart.metering.models import Sample
from vmart.network.models import Eip, PublicAddress
from vmart.orders import errors, lost, sample
from vmart.orders import sweep as zone_sweep
from vmart.orders.addresses import bandwidth
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.disassociate import disassociate
from vmart.orders.models import EngineDrift
from vmart.provisioning.zone_engines import engine_of
from vmart.subscriptions.models import Item, Subscription
from vmart.worker import queue
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


def test_arrears_switch_a_bound_one_off_and_a_top_up_on(account: int, world: World, test_clock: BusinessClock) -> None:
    machine = buy_running(account, MONTHLY)  # runs on
    eip = bound(account, machine, by_bandwidth())
    test_clock.advance(minutes=30)
    owe(account)
    work()
    agreed = again(eip).subscription
    assert (latest(eip)[0], seen(machine), of_machine(machine)[0]) == ("BIND", "", "RUNNING")
    assert (agreed.standing, agreed.isolated_source, agreed.release_at, agreed.hold_id) == (
        "isolated", "ARREAR", test_clock.at + dt.timedelta(days=15), None,
    )  # fmt: skip
    assert zone_sweep.sweep(ZONE) == []
    for act in (
        lambda: disassociate(by(account), eip.public_id),
        lambda: bandwidth.change(by(account), [eip.public_id], 1),
    ):
        with refused(errors.EipInArrears, field="addresses", code="InvalidAddressIdState.InArrears"):
            act()
    assert list(reconcile()) == []
    test_clock.advance(minutes=10)
    pay(account, 10_000)
    work()
    assert (seen(machine), purses(account)["held"], again(eip).subscription.standing) == (eip.ip, 157, "active")
    hour = test_clock.at.replace(minute=0)
    test_clock.set(hour + HOUR)
    work()
    assert Charge.objects.get(subscription_id=eip.id).duration_s == 3600 - 600
    assert list(reconcile()) == []


def test_the_last_bytes_before_arrears_are_charged_and_none_after(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """At most 5 Mbps for the 20 s since the last count; what is sent until it is off is nobody's."""
    machine = buy_running(account, MONTHLY)
    bound(account, machine)
    sample.sample_zone(ZONE)
    test_clock.advance(seconds=20)
    world.send_bytes(machine.public_id, GIB)
    owe(account)
    work()
    assert [(one.out_bytes, one.at) for one in Sample.objects.all()] == [(20 * 5 * 125_000, test_clock.at)]
    pay(account, 10_000)
    work()
    assert sample.sample_zone(ZONE) == 0


@pytest.mark.parametrize("at_machine", [False, True], ids=["idle", "bound"])
def test_arrears_that_nobody_ends_take_it(account: int, test_clock: BusinessClock, at_machine: bool) -> None:
    """One that no machine has after 24 hours of arrears, of which 2 are over; one at a machine after 15 days."""
    machine = buy_running(account, MONTHLY)
    eip = bound(account, machine) if at_machine else new_address(account)
    owe(account)
    work()
    begun = test_clock.at
    go_to(test_clock, begun + (dt.timedelta(days=15) if at_machine else 22 * HOUR) - dt.timedelta(seconds=1))
    assert latest(eip)[0] == ("BIND" if at_machine else "UNBIND")
    test_clock.advance(seconds=1)
    work()
    assert (latest(eip)[0], again(eip).subscription.standing) == ("GONE", "ended")
    assert not PublicAddress.objects.filter(instance_id=eip.id).exists()
    assert (of_machine(machine)[0], seen(machine)) == ("RUNNING", "")
    pay(account, 10_000)
    assert latest(eip)[0] == "GONE"
    assert list(reconcile()) == []


def test_arrears_wait_for_one_that_is_being_bound(account: int, test_clock: BusinessClock) -> None:
    machine, eip = buy_running(account, MONTHLY), new_address(account)
    associate(by(account), eip.public_id, machine.public_id)
    owe(account)
    run_until_idle(STEPS, lambda: [""])  # the lane of money alone
    assert (latest(eip)[0], again(eip).subscription.isolated_at) == ("BINDING", None)
    assert Operation.objects.get(kind="arrears").last_error == "an operation on one of its things is under way"
    run_until_idle(STEPS, lanes, wait=True)
    assert (latest(eip)[0], seen(machine), again(eip).subscription.isolated_at) == ("BIND", "", test_clock.at)


def test_the_sweep_leads_it_where_it_was_sold(account: int, world: World) -> None:
    machine, other = buy_running(account), buy_running(account)
    eip = bound(account, machine)
    engine_of(ZONE).ensure_address(machine.public_id, machine.private_ip, None)
    assert [(drift.kind, drift.name, drift.repaired) for drift in zone_sweep.sweep(ZONE)] == [
        ("address", machine.public_id, True)
    ]
    assert [line for line in reconcile() if "leads no address" in line] == []  # it is being told
    work()
    assert (seen(machine), seen(other)) == (eip.ip, "")
    engine_of(ZONE).ensure_address(machine.public_id, machine.private_ip, None)
    assert [line.split(" to ")[0] for line in reconcile()] == [f"the engine of {ZONE} leads no address"]


def test_a_lost_machine_that_is_delivered_again_has_it(
    account: int, world: World, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    world.remove_machine(machine.public_id)
    EngineDrift.objects.create(
        zone_id=ZONE, name=machine.public_id, kind="lost", since_wall_at=test_clock.at, missed_at=test_clock.at
    )
    lost.redeliver(machine.public_id, by(account))
    work()
    assert (of_machine(machine)[0], seen(machine)) == ("RUNNING", eip.ip)


def test_the_database_keeps_one_address_a_machine_and_one_machine_an_address(account: int) -> None:
    machine = buy_running(account)
    eip, free = bound(account, machine), new_address(account)
    broken: list[Callable[[], object]] = [
        lambda: Eip.objects.filter(pk=free.pk).update(instance_id=machine.id, state="BIND"),
        lambda: Eip.objects.filter(pk=free.pk).update(state="BIND"),
        lambda: Eip.objects.filter(pk=eip.pk).update(state="UNBIND"),
        lambda: Eip.objects.filter(pk=free.pk).update(ip=eip.ip),
        lambda: Eip.objects.filter(pk=free.pk).update(ip=None),
        lambda: Eip.objects.filter(pk=free.pk).update(bandwidth_mbps=0),
        lambda: PublicAddress.objects.filter(ip=eip.ip).update(instance_id=free.id),
    ]
    for breaking in broken:
        with pytest.raises(IntegrityError), transaction.atomic():
            breaking()


def test_reconcile_sees_what_is_wrong_of_an_address(account: int, test_clock: BusinessClock) -> None:
    machine, eip = buy_running(account), new_address(account)
    test_clock.advance(seconds=1)
    associate(by(account), eip.public_id, machine.public_id)
    work()
    Subscription.objects.filter(pk=eip.pk).update(standing="ended")
    Eip.objects.filter(pk=eip.pk).update(latest_operation_state="OPERATING")
    Item.objects.filter(subscription_id=eip.id, to_at=None).update(component="idle")
    Instance.objects.filter(pk=machine.pk).update(public_ip_wanted=True)
    PublicAddress.objects.filter(ip=eip.ip).update(account_id=account + 1)
    told = {line.split(":")[0] for line in reconcile()}
    assert told >= {
        "a subscription stands otherwise than its public address",
        "a bought public address is charged otherwise than it is bound",
        "a bought public address is not held in its zone's pool, or one is held for nothing",
        "a machine has two public addresses, or one of another account or zone",
        "a bought public address is being worked on and nothing works on it",
    }


def test_a_switch_off_that_is_given_up_is_told_by_its_address(account: int, world: World) -> None:
    machine = buy_running(account, MONTHLY)
    eip = bound(account, machine)
    world.fail("ensure_address", times=100)
    owe(account)
    work()
    (need,) = attention.page().rows
    assert (need.cause.tag, need.subject_kind, need.subject, need.account) == (
        "operation_given_up", "address", eip.public_id, account,
    )  # fmt: skip
    world.clear_faults()
    for operation in Operation.objects.filter(attention=True):
        assert queue.retry(operation.id)
    work()
    assert (seen(machine), list(reconcile())) == ("", [])


@pytest.mark.parametrize("act", ["bind", "unbind"])
def test_the_sweep_has_what_was_given_up_tried_again(account: int, world: World, act: str) -> None:
    """Given an engine that was away for long, then its machine and the address are not busy for ever."""
    machine, eip = buy_running(account), new_address(account)
    if act == "unbind":
        associate(by(account), eip.public_id, machine.public_id)
        work()
    world.fail("ensure_address", times=100)
    {"bind": lambda: associate(by(account), eip.public_id, machine.public_id),
     "unbind": lambda: disassociate(by(account), eip.public_id)}[act]()  # fmt: skip
    work()
    assert (latest(eip)[2], Operation.objects.filter(attention=True).count()) == ("OPERATING", 1)
    zone_sweep.sweep(ZONE)
    work()
    assert Operation.objects.filter(attention=True).count() == 1  # the control: it does not answer yet
    world.clear_faults()
    zone_sweep.sweep(ZONE)
    work()
    assert (latest(eip)[0], of_machine(machine)[2], Operation.objects.filter(attention=True).count()) == (
        "BIND" if act == "bind" else "UNBIND", "SUCCESS", 0,
    )  # fmt: skip
    assert list(reconcile()) == []


def test_it_leaves_a_machine_that_its_engine_has_lost(account: int, world: World) -> None:
    machine = buy_running(account)
    eip = bound(account, machine)
    world.remove_machine(machine.public_id)
    disassociate(by(account), eip.public_id)
    work()
    assert latest(eip) == ("UNBIND", "DisassociateAddress", "SUCCESS")
    assert [component for component, *_, end in segments(eip) if end is None] == ["idle"]


def test_a_bandwidth_that_a_lost_machine_cannot_get_keeps_nobody_busy(account: int, world: World) -> None:
    """Else neither the seller could end the machine nor arrears the address."""
    machine = buy_running(account)
    eip = bound(account, machine, by_bandwidth())
    world.remove_machine(machine.public_id)
    bandwidth.change(by(account), [eip.public_id], 20)
    work()
    assert (latest(eip), again(eip).bandwidth_mbps) == (("BIND", "ModifyAddressesBandwidth", "FAILED"), 10)
    assert of_machine(machine)[2] == "SUCCESS"


def test_charges_and_events_are_told_by_its_id_and_name(account: int, test_clock: BusinessClock) -> None:
    eip = new_address(account, by_traffic(name="front"))
    test_clock.set(test_clock.at + HOUR)
    work()
    (row,) = charges.of_day(account, test_clock.at.astimezone(UTC8).date(), UTC8).rows
    assert (row.public_id, row.resource_id, row.name, row.component, row.exact) == (
        eip.public_id, eip.public_id, "front", "idle", Decimal("0.20"),
    )  # fmt: skip
    told = [(one.subject_kind, one.subject, one.kind) for one in activity.of_account(account).rows]
    assert ("address", eip.public_id, "AllocateAddresses") in told
