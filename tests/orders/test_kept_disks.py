"""Given a machine with a data disk that stays, when it is erased, then the disk is its owner's, by itself."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.orders.ending import no_closes
from tests.orders.test_own_disks import again, latest
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, go_to, open_purse, owe, purses, wanted, work
from tests.support.written import refused
from vmart.bills.models import Charge
from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.clock import HOUR
from vmart.orders import convert, errors, terminate
from vmart.orders.convert import Conversion
from vmart.orders.disks import renew
from vmart.orders.disks.attach import attach
from vmart.orders.machines import bin_until
from vmart.orders.purchase import purchase
from vmart.orders.renew import Renewal
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.storage.models import Disk

pytestmark = pytest.mark.usefixtures("in_business")

STAYS, GOES = DiskChoice("CLOUD_SSD", 100, delete_with_instance=False, name="data"), DiskChoice("CLOUD_PREMIUM", 20)
KEEPING = replace(HOURLY, data_disks=(STAYS, GOES))


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    return open_purse(cash_minor=200_000)


def _bought(account: int) -> tuple[Instance, Disk, Disk]:
    """A machine, its data disk that stays, and the one that goes."""
    machine = buy_running(account, KEEPING)
    stays, goes = Disk.objects.filter(instance_id=machine.id, usage="DATA_DISK").order_by("position")
    return machine, stays, goes


def _end(machine: Instance) -> None:
    terminate.terminate(by(machine.account_id), [machine.public_id])
    work()


def test_it_is_charged_with_its_machine_and_then_by_itself(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    """An hour of 0.375 + 0.14 + 0.01 is 0.525. 1,800 s until the end, 900 s after the erasure: 2,700 × 0.14 / 3,600."""
    machine, stays, goes = _bought(account)
    hour = test_clock.at
    assert purses(account)["held"] == 53
    test_clock.advance(minutes=30)
    _end(machine)
    assert (latest(stays)[0], again(stays).subscription.bundle_id, purses(account)["held"]) == ("", machine.id, 27)
    test_clock.advance(minutes=15)
    _end(machine)
    assert Instance.objects.get(pk=machine.pk).state == "GONE"
    own = again(stays)
    assert (own.state, own.instance_id, own.name, own.subscription.bundle_id) == ("UNATTACHED", None, "data", own.id)
    assert (own.subscription.standing, own.subscription.started_at) == ("active", test_clock.at)
    assert (again(goes).state, again(goes).subscription.bundle_id) == ("", machine.id)
    assert purses(account)["held"] == 27 + 14
    held = Allocation.objects.get()
    assert (held.instance_id, held.disk_gib, held.vcpu) == (own.id, 100, 0)
    assert Host.objects.get(pk=held.host_id).disk_used_gib == 100
    assert world.volume(own.public_id) == (100, held.host.name, "")
    assert list(Event.objects.filter(subject_id=own.id).values_list("kind", "detail")) == [
        ("disk_kept", {"machine": machine.public_id}),
    ]  # fmt: skip
    assert list(reconcile()) == []
    test_clock.set(hour + HOUR)
    work()
    charge = Charge.objects.get(subscription_id=own.id)
    assert (charge.duration_s, Decimal(charge.exact_e8).scaleb(-8)) == (2700, Decimal("0.105"))
    assert Charge.objects.get(subscription_id=goes.id).exact_e8 == 500_000  # 1,800 s at 0.01
    assert purses(account)["held"] == 14
    assert list(reconcile()) == []


def test_another_machine_gets_it(account: int, world: World) -> None:
    machine, stays, _ = _bought(account)
    other = buy_running(account)
    _end(machine)
    _end(machine)
    attach(by(account), other.public_id, [stays.public_id])
    work()
    member = Allocation.objects.get(instance_id=other.id).host.name
    assert (latest(stays), world.volume(stays.public_id)) == (
        ("ATTACHED", "AttachDisks", "SUCCESS"), (100, member, other.public_id),
    )  # fmt: skip
    assert list(reconcile()) == []


def test_nobody_is_kept_from_ending_a_machine_for_want_of_an_hour(test_clock: BusinessClock) -> None:
    """Of 0.60 the machine has used 0.53 when it ends; the 0.07 that are left are held, not 0.14."""
    zones.check(ZONE)
    poor = open_purse("poor", cash_minor=60)
    machine, stays, _ = _bought(poor)
    test_clock.advance(minutes=59, seconds=59)
    _end(machine)
    held = purses(poor)["held"]
    _end(machine)
    assert (again(stays).state, purses(poor)["held"], purses(poor)["available"]) == ("UNATTACHED", 60, 0)
    assert held == 53
    assert list(reconcile()) == []


def test_in_arrears_it_goes_with_its_machine(account: int, world: World, test_clock: BusinessClock) -> None:
    machine, stays, _ = _bought(account)
    owe(account)
    work()
    test_clock.advance(days=15)
    work()
    assert Instance.objects.get(pk=machine.pk).state == "GONE"
    assert (again(stays).state, again(stays).subscription.bundle_id) == ("", machine.id)
    assert (Allocation.objects.count(), world.volume(stays.public_id)) == (0, None)


def _in_its_own_bin(disk: Disk, world: World) -> tuple[object, ...]:
    own = again(disk)
    seen, agreed = world.volume(own.public_id), own.subscription
    return (
        own.state, own.instance_id, agreed.bundle_id == own.id, agreed.charge_type, agreed.standing,
        agreed.isolated_source, seen and seen[2],
    )  # fmt: skip


@pytest.mark.parametrize("source", ["MANMADE", "EXPIRE"])
def test_of_a_prepaid_machine_it_is_in_a_bin_of_its_own_and_a_renewal_keeps_it(
    account: int, world: World, test_clock: BusinessClock, source: str
) -> None:
    """100 GiB at 1.00 a month; until then nothing of it is charged. Nobody renews it: erased after seven days."""
    no_closes()
    machine = buy_running(account, replace(MONTHLY, data_disks=(STAYS, GOES)))
    stays, goes = Disk.objects.filter(instance_id=machine.id, usage="DATA_DISK").order_by("position")
    if source == "MANMADE":
        test_clock.advance(days=6)
        _end(machine)
    else:
        go_to(test_clock, machine.subscription.expires_at or test_clock.at)
    ended, cash = test_clock.at, purses(account)["cash"]
    assert (latest(stays)[0], again(stays).subscription.bundle_id) == ("", machine.id)
    _end(machine)
    assert Instance.objects.get(pk=machine.pk).state == "GONE"
    assert _in_its_own_bin(stays, world) == ("TORECYCLE", None, True, "PREPAID", "isolated", source, "")
    assert (again(stays).subscription.expires_at, world.volume(goes.public_id)) == (ended, None)
    assert (purses(account)["cash"], purses(account)["held"]) == (cash, 0)
    assert [held.instance_id for held in Allocation.objects.all()] == [stays.id]
    assert list(reconcile()) == []
    test_clock.advance(days=1)
    renew.ACT.order(by(account), Renewal([stays.public_id]))
    assert (again(stays).state, cash - purses(account)["cash"]) == ("UNATTACHED", 10_000)
    assert again(stays).subscription.expires_at == ended.replace(month=ended.month + 1)
    assert list(reconcile()) == []
    go_to(test_clock, ended.replace(month=ended.month + 1) + timedelta(days=9))
    assert (again(stays).state, world.volume(stays.public_id)) == ("GONE", None)
    assert list(reconcile()) == []


def test_of_a_prepaid_machine_one_that_nobody_renews_is_erased(
    account: int, world: World, test_clock: BusinessClock
) -> None:
    no_closes()
    machine, stays, _ = _bought(account)
    convert.ACT.order(by(account), Conversion([machine.public_id]))
    _end(machine)
    _end(machine)
    release_at = again(stays).subscription.release_at
    assert release_at == bin_until(test_clock.at, shop.snapshot().billing_zone)
    go_to(test_clock, release_at - timedelta(seconds=1))
    assert again(stays).state == "TORECYCLE"
    go_to(test_clock, release_at)
    assert (again(stays).state, world.volume(stays.public_id), Allocation.objects.count()) == ("GONE", None, 0)
    assert list(reconcile()) == []


def test_a_prepaid_one_is_sold_also_where_the_zone_keeps_none_and_goes_then(account: int, world: World) -> None:
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(code=ZONE).update(capabilities=zone.capabilities | {"disks": False})
    assert len(purchase(wanted(account, replace(MONTHLY, data_disks=(STAYS,)))).instance_ids) == 1


def test_of_one_that_its_engine_has_lost_nothing_is_kept(account: int, world: World) -> None:
    machine, stays, _ = _bought(account)
    world.remove_machine(machine.public_id)
    _end(machine)
    _end(machine)
    assert Instance.objects.get(pk=machine.pk).state == "GONE"
    assert (again(stays).state, again(stays).subscription.bundle_id, Allocation.objects.count()) == (
        "", machine.id, 0,
    )  # fmt: skip
    assert list(reconcile()) == []


def test_where_the_zone_keeps_none_it_is_not_sold(account: int) -> None:
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(code=ZONE).update(capabilities=zone.capabilities | {"disks": False})
    with refused(errors.NoOwnDisks, field="data_disks.0.delete_with_instance", code="InvalidParameterCombination"):
        purchase(wanted(account, KEEPING))
    assert buy_running(account, replace(HOURLY, data_disks=(GOES,))).state == "RUNNING"
