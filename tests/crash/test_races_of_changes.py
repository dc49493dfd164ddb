"""Two changes of one machine or disk at once: the guard lets one go first; and, without it, the race does happen."""

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError

from tests.crash.gate import GATE, Edit, at_the_gate, of, without_locks
from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.support.shopper import (
    HOURLY,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    work,
)
from tests.web.test_keys_and_money import PUBLIC
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.errors import KeyPairInUse
from vmart.instances.models import ALIVE, Instance, KeyPair, State
from vmart.kernel import clock, db, unix_password
from vmart.metering.models import Segment
from vmart.network.models import Eip
from vmart.orders import bind_keys, convert, forget_keys, reinstall, rescue, start, stop, terminate
from vmart.orders.addresses import associate as binding
from vmart.orders.addresses import own as own_address
from vmart.orders.addresses import renew as renew_address
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.addresses.give_back import give_back
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.convert import Conversion
from vmart.orders.disks import own, renew
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.grow import grow
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.errors import Busy, DiskBusy, EipBusy
from vmart.orders.models import Line, Order
from vmart.orders.reinstall import Reinstall
from vmart.orders.renew import Renewal
from vmart.pricing.address import AddressPart
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import zones
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close
from vmart.storage.models import Disk
from vmart.worker import loop
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


# -- more bandwidth, twice and against a return -----------------------------------------------------

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=3, public_ip=True)
IN_CASH_MINOR = 100_000


def _by_month() -> Instance:
    return buy_running(open_purse(cash_minor=IN_CASH_MINOR), BY_MONTH)


def _ordered_twice(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    machine = _by_month()
    edit("ledger_hold", ("  purses := fn.ledger_lock(_account);", f"  purses := fn.ledger_lock(_account);\n  {GATE}"))

    def order() -> int:
        return UPGRADE.order(by(machine.account_id), Upgrade([machine.public_id], 6))

    return at_the_gate(shop.url(), order, order)


def test_a_speed_is_ordered_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _ordered_twice(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert (of(int, results), of(Busy, results)) == (1, 1)
    assert Order.objects.filter(action="bandwidth").count() == 1


def test_control_without_locks_only_the_number_of_its_hold_is_in_the_way(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    waited, results = _ordered_twice(open_shop, edit)
    assert (waited, of(int, results), of(Busy, results)) == (["advisory", "advisory"], 1, 0)
    assert "ledger_hold_pkey" in str(next(one for one in results if isinstance(one, IntegrityError)))


def _in_force_against_a_return(shop: Databases, edit: Edit) -> int:
    """The speed is in force and being paid; meanwhile the machine is returned, for free. The cash that is left."""
    machine = _by_month()
    UPGRADE.order(by(machine.account_id), Upgrade([machine.public_id], 6))
    edit("ledger_post", ("  SELECT * INTO hold", f"  {GATE}\n  SELECT * INTO hold"))
    at_the_gate(
        shop.url(), lambda: loop.run_until_idle({"bandwidth": STEPS["bandwidth"]}, lanes),
        lambda: terminate.terminate(by(machine.account_id), [machine.public_id]),
    )  # fmt: skip
    work()
    assert Instance.objects.get().state == "SHUTDOWN"
    return purses(machine.account_id)["cash"]


def test_a_return_gives_back_a_speed_that_was_in_force_just_now(open_shop: Databases, edit: Edit) -> None:
    assert _in_force_against_a_return(open_shop, edit) == IN_CASH_MINOR
    assert list(reconcile()) == []


def test_control_without_locks_it_does_not(open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """31 days are 1.02 months of 140 more."""
    without_locks(edit, monkeypatch)
    assert _in_force_against_a_return(open_shop, edit) == IN_CASH_MINOR - 14280


# -- keys bound twice, and against the deletion of their pair ---------------------------------------


def _keys_and(shop: Databases, edit: Edit, other: Callable[[Instance, list[str]], None]) -> tuple[list[str], list[Any]]:
    """The first of two pairs is being bound to a machine; meanwhile something else is asked for."""
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    who = by(machine.account_id)
    pairs = [key_pairs.import_(who, f"k{number}", key).public_id for number, key in enumerate((ED25519, PUBLIC))]
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(
        shop.url(), lambda: bind_keys.bind(who, [machine.public_id], pairs[:1]), lambda: other(machine, pairs)
    )


def _bind_the_other(machine: Instance, pairs: list[str]) -> None:
    bind_keys.bind(by(machine.account_id), [machine.public_id], pairs[1:])


def _delete_the_pair(machine: Instance, pairs: list[str]) -> None:
    forget_keys.forget(by(machine.account_id), pairs[:1])


def _bound_and_there() -> tuple[list[str], bool]:
    """The names of the pairs that the machine has when all is done, and whether they are all still pairs."""
    work()
    machine = Instance.objects.get()
    pairs = KeyPair.objects.filter(public_id__in=machine.key_ids)
    return [pair.name for pair in pairs], len(pairs) == len(machine.key_ids)


def test_keys_are_bound_once_at_a_time(open_shop: Databases, edit: Edit) -> None:
    waited, results = _keys_and(open_shop, edit, _bind_the_other)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, Busy)
    assert Operation.objects.filter(kind="ssh_keys").count() == 1
    assert _bound_and_there() == (["k0"], True)


def test_control_without_locks_both_are_accepted_and_one_is_lost(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _keys_and(open_shop, edit, _bind_the_other)
    assert results == [None, None]
    assert Event.objects.filter(kind=bind_keys.BIND).count() == 2
    assert _bound_and_there() == (["k0"], True)


def test_a_pair_that_is_being_bound_stays(open_shop: Databases, edit: Edit) -> None:
    waited, results = _keys_and(open_shop, edit, _delete_the_pair)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, KeyPairInUse)
    assert _bound_and_there() == (["k0"], True)


def test_control_without_locks_it_is_gone(open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(edit, monkeypatch)
    waited, results = _keys_and(open_shop, edit, _delete_the_pair)
    assert (waited, results) == (["advisory"], [None, None])
    assert _bound_and_there() == ([], False)


# -- a new system against another, and against the machine's end -----------------------------------


def _reinstalled_and(shop: Databases, edit: Edit, other: Callable[[Instance], None]) -> tuple[list[str], list[Any]]:
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(shop.url(), lambda: _reinstall(machine, "first"), lambda: other(machine))


def _reinstall(machine: Instance, hostname: str) -> None:
    reinstall.reinstall(by(machine.account_id), machine.public_id, Reinstall(hostname=hostname))


def _the_second(machine: Instance) -> None:
    _reinstall(machine, "second")


def _end(machine: Instance) -> None:
    terminate.terminate(by(machine.account_id), [machine.public_id])


def _installed(world: World) -> tuple[str, str, int, int]:
    work()
    machine = Instance.objects.get()
    return machine.state, machine.hostname, machine.installation, world.erased(machine.public_id)


@pytest.mark.parametrize("other", [_the_second, _end])
def test_a_system_is_installed_once_at_a_time_and_not_in_an_ended_machine(
    open_shop: Databases, edit: Edit, world: World, other: Callable[[Instance], None]
) -> None:
    waited, results = _reinstalled_and(open_shop, edit, other)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, Busy)
    assert _installed(world) == ("RUNNING", "first", 1, 1)


def test_control_without_locks_two_are_accepted_and_one_is_lost(
    open_shop: Databases, edit: Edit, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _reinstalled_and(open_shop, edit, _the_second)
    assert results == [None, None]
    assert _installed(world) == ("RUNNING", "first", 2, 1)


def test_control_without_locks_a_machine_that_was_ended_is_installed(
    open_shop: Databases, edit: Edit, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _reinstalled_and(open_shop, edit, _end)
    assert results == [None, None]
    assert Event.objects.filter(kind__in=["ResetInstance", "terminated"]).count() == 2


# -- into the rescue mode twice, and while the machine is ended ---------------------------------------


def _rescued_and(shop: Databases, edit: Edit, other: Callable[[Instance], None]) -> tuple[list[str], list[Any]]:
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    zones.check(ZONE)
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(shop.url(), lambda: _rescue(machine, "First-horse-1"), lambda: other(machine))


def _rescue(machine: Instance, password: str) -> None:
    rescue.enter(by(machine.account_id), machine.public_id, password)


def _with_another_password(machine: Instance) -> None:
    _rescue(machine, "Second-horse-2")


def _rescued(world: World) -> tuple[str, int, bool]:
    """State and number of the machine, and whether the first password opens it."""
    work()
    machine = Instance.objects.get()
    opens = unix_password.matches("First-horse-1", world.password_hash(machine.public_id))
    return machine.state, world.rescue(machine.public_id), opens


@pytest.mark.parametrize("other", [_with_another_password, _end])
def test_a_machine_goes_into_rescue_once_at_a_time_and_not_when_it_ends(
    open_shop: Databases, edit: Edit, world: World, other: Callable[[Instance], None]
) -> None:
    waited, results = _rescued_and(open_shop, edit, other)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, Busy)
    assert _rescued(world) == ("RESCUE_MODE", 1, True)


def test_control_without_locks_two_ways_in_are_accepted(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _rescued_and(open_shop, edit, _with_another_password)
    assert results == [None, None]
    assert Event.objects.filter(kind=rescue.ENTER).count() == 2


def test_control_without_locks_a_machine_that_was_ended_goes_in(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    _, results = _rescued_and(open_shop, edit, _end)
    assert results == [None, None]
    assert Event.objects.filter(kind__in=[rescue.ENTER, "terminated"]).count() == 2


# -- a disk with a life of its own, attached twice and while it is ended -----------------------------


def _disk_and(shop: Databases, edit: Edit, other: Callable[[int, str, str], Any]) -> tuple[list[str], list[Any]]:
    """A disk is being attached to the first of two machines; meanwhile something else is asked for."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    first, second = buy_running(account), buy_running(account)
    zones.check(ZONE)
    (disk,) = create(by(account), NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100)))
    work()
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(
        shop.url(), lambda: attach(by(account), first.public_id, [disk]),
        lambda: other(account, second.public_id, disk),
    )  # fmt: skip


def _attach_elsewhere(account: int, machine: str, disk: str) -> None:
    attach(by(account), machine, [disk])


def _end_it(account: int, machine: str, disk: str) -> None:
    end_disks(by(account), [disk])


def _accepted(*kinds: str) -> list[int]:
    return [Event.objects.filter(subject_kind="disk", kind=kind).count() for kind in kinds]


@pytest.mark.parametrize("other", [_attach_elsewhere, _end_it])
def test_a_disk_gets_to_one_machine_and_is_not_ended_on_the_way(
    open_shop: Databases, edit: Edit, other: Callable[[int, str, str], None]
) -> None:
    waited, results = _disk_and(open_shop, edit, other)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, DiskBusy)
    work()
    assert _accepted("AttachDisks", "TerminateDisks", "disk_attached") == [1, 0, 1]
    assert list(reconcile()) == []


def test_control_without_locks_it_is_ended_on_the_way_to_its_machine(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own, "locking", lambda: Disk.objects.select_related("subscription"))
    _, results = _disk_and(open_shop, edit, _end_it)
    assert results == [None, None]
    assert _accepted("AttachDisks", "TerminateDisks") == [1, 1]


def _grown_and(shop: Databases, edit: Edit, other: Callable[[int, str], Any]) -> tuple[list[str], list[Any]]:
    """A disk is being made larger; meanwhile something else is asked for."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    zones.check(ZONE)
    (disk,) = create(by(account), NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100)))
    work()
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(shop.url(), lambda: grow(by(account), disk, 250), lambda: other(account, disk))


def _renewed_at_its_expiry(shop: Databases, edit: Edit, test_clock: BusinessClock) -> tuple[list[str], list[Any]]:
    """The renewal of a disk has taken the account's lock; its expiry, due this second, is worked on meanwhile."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    zones.check(ZONE)
    (disk,) = create(by(account), NewDisks(HOURLY.region, ZONE, "PREPAID", DiskChoice("CLOUD_SSD", 100), months=1))
    work()
    Operation.objects.exclude(kind="expire").delete()
    test_clock.set(Operation.objects.get(kind="expire").due_at)
    edit("ledger_hold", ("  purses := fn.ledger_lock(_account);", f"  purses := fn.ledger_lock(_account);\n  {GATE}"))
    return at_the_gate(
        shop.url(), lambda: renew.ACT.order(by(account), Renewal([disk])),
        lambda: loop.run_until_idle({"expire": STEPS["expire"]}, lanes),
    )  # fmt: skip


def test_a_disk_that_is_renewed_at_its_expiry_does_not_expire(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock
) -> None:
    waited, results = _renewed_at_its_expiry(open_shop, edit, test_clock)
    assert (waited, of(int, results)) == (["advisory", "transactionid"], 2)
    disk = Disk.objects.select_related("subscription").get()
    assert (disk.state, disk.subscription.standing) == ("UNATTACHED", "active")
    assert Order.objects.filter(action="renew_disk", status=4).count() == 1
    assert list(reconcile()) == []


def test_control_without_locks_it_is_paid_for_and_in_the_bin(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own, "locking", lambda: Disk.objects.select_related("subscription"))
    _, results = _renewed_at_its_expiry(open_shop, edit, test_clock)
    assert of(int, results) == 2
    disk = Disk.objects.select_related("subscription").get()
    assert (disk.state, disk.subscription.standing) == ("TORECYCLE", "isolated")
    assert Order.objects.filter(action="renew_disk", status=4).count() == 1


def _grow_further(account: int, disk: str) -> None:
    grow(by(account), disk, 300)


@pytest.mark.parametrize("other", [_grow_further, lambda account, disk: end_disks(by(account), [disk])])
def test_a_disk_grows_once_at_a_time_and_is_not_ended_meanwhile(
    open_shop: Databases, edit: Edit, other: Callable[[int, str], None]
) -> None:
    waited, results = _grown_and(open_shop, edit, other)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, DiskBusy)
    work()
    assert _accepted("ResizeDisk", "TerminateDisks", "disk_grown") == [1, 0, 1]
    assert Disk.objects.get().size_gib == 250
    assert list(reconcile()) == []


def test_control_without_locks_it_is_ended_while_it_grows(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own, "locking", lambda: Disk.objects.select_related("subscription"))
    _, results = _grown_and(open_shop, edit, lambda account, disk: end_disks(by(account), [disk]))
    assert results == [None, None]
    assert _accepted("ResizeDisk", "TerminateDisks") == [1, 1]


# -- a public address by the month, renewed at the second of its expiry -----


def _address_renewed_at_its_expiry(shop: Databases, edit: Edit, test_clock: BusinessClock) -> list[Any]:
    """As of a disk: the renewal has taken the account's lock, and the expiry is worked on meanwhile."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    asked = NewAddresses(HOURLY.region, AddressPart("BANDWIDTH_PREPAID_BY_MONTH", 5), ZONE, months=1)
    (eip,) = allocate(by(account), asked).public_ids
    Operation.objects.exclude(kind="expire").delete()
    test_clock.set(Operation.objects.get(kind="expire").due_at)
    edit("ledger_hold", ("  purses := fn.ledger_lock(_account);", f"  purses := fn.ledger_lock(_account);\n  {GATE}"))
    _, results = at_the_gate(
        shop.url(), lambda: renew_address.ACT.order(by(account), Renewal([eip])),
        lambda: loop.run_until_idle({"expire": STEPS["expire"]}, lanes),
    )  # fmt: skip
    return results


def test_an_address_that_is_renewed_at_its_expiry_does_not_expire(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock
) -> None:
    assert of(int, _address_renewed_at_its_expiry(open_shop, edit, test_clock)) == 2
    assert Eip.objects.select_related("subscription").get().subscription.standing == "active"
    assert Order.objects.filter(action="renew_address", status=4).count() == 1
    assert list(reconcile()) == []


def test_control_without_locks_the_address_is_paid_for_and_in_the_bin(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own_address, "locking", lambda: Eip.objects.select_related("subscription"))
    assert of(int, _address_renewed_at_its_expiry(open_shop, edit, test_clock)) == 2
    assert Eip.objects.select_related("subscription").get().subscription.standing == "isolated"
    assert Order.objects.filter(action="renew_address", status=4).count() == 1


# -- a public address with a life of its own, bound while its machine is ended or it is given back -----


def _address_and(shop: Databases, edit: Edit, other: Callable[[int, str, str], Any]) -> tuple[list[str], list[Any]]:
    """A public address is being bound to a machine; meanwhile something else is asked for."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    machine, part = buy_running(account), AddressPart("BANDWIDTH_POSTPAID_BY_HOUR", 10)
    (eip,) = allocate(by(account), NewAddresses(HOURLY.region, part, ZONE)).public_ids
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return at_the_gate(
        shop.url(), lambda: associate(by(account), eip, machine.public_id),
        lambda: other(account, machine.public_id, eip),
    )  # fmt: skip


def _end_its_machine(account: int, machine: str, eip: str) -> None:
    terminate.terminate(by(account), [machine])


def _give_it_back(account: int, machine: str, eip: str) -> None:
    give_back(by(account), [eip])


def test_an_address_is_not_given_back_on_the_way_to_its_machine(open_shop: Databases, edit: Edit) -> None:
    waited, results = _address_and(open_shop, edit, _give_it_back)
    assert (waited, type(results[1])) == (["advisory", "transactionid"], EipBusy)
    work()
    assert Eip.objects.get().state == "BIND"
    assert list(reconcile()) == []


def test_control_without_locks_it_is_given_back_on_the_way(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_locks(edit, monkeypatch)
    monkeypatch.setattr(own_address, "locking", lambda: Eip.objects.select_related("subscription"))
    _, results = _address_and(open_shop, edit, _give_it_back)
    assert (type(results[0]), results[1]) == (int, None)
    told = Event.objects.filter(subject_kind="address", kind__in=["AssociateAddress", "ReleaseAddresses"])
    assert told.count() == 2


def test_a_machine_that_is_ended_while_an_address_comes_does_not_have_it(open_shop: Databases, edit: Edit) -> None:
    waited, results = _address_and(open_shop, edit, _end_its_machine)
    assert (waited, type(results[0]), results[1]) == (["advisory", "transactionid"], int, None)
    work()
    machine, eip = Instance.objects.get(), Eip.objects.get()
    assert (machine.state, eip.state, eip.latest_operation_state) == ("SHUTDOWN", "UNBIND", "FAILED")
    assert engine_of(ZONE).observe(machine.public_id).public_ip == ""
    assert list(reconcile()) == []


@pytest.mark.parametrize("looks", [True, False], ids=["as it is", "control: without its last look at the machine"])
def test_a_machine_that_is_ended_while_its_engine_is_told_does_not_have_it(
    open_shop: Databases, monkeypatch: pytest.MonkeyPatch, *, looks: bool
) -> None:
    """Told of a machine that runs, switched off and isolated in the same moment: the commit sees what it is by then."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    machine, part = buy_running(account), AddressPart("BANDWIDTH_POSTPAID_BY_HOUR", 10)
    (name,) = allocate(by(account), NewAddresses(HOURLY.region, part, ZONE)).public_ids
    associate(by(account), name, machine.public_id)
    engine = engine_of(ZONE)

    class Slow:
        counters = engine.counters

        def ensure_address(self, *told: Any) -> None:
            terminate.terminate(by(account), [machine.public_id])
            loop.run_until_idle({"isolate": STEPS["isolate"]}, lanes)
            engine.ensure_address(*told)

    with monkeypatch.context() as patch:
        patch.setattr(binding, "engine_of", lambda _zone: Slow())
        if not looks:
            patch.setattr(binding, "ALIVE", [*ALIVE, State.SHUTDOWN])
        loop.run_until_idle({"bind_address": STEPS["bind_address"]}, lanes)
    eip = Eip.objects.get()
    if looks:
        assert (eip.state, eip.latest_operation_state, engine.observe(machine.public_id).public_ip) == (
            "UNBIND", "FAILED", "",
        )  # fmt: skip
    else:
        assert (eip.state, engine.observe(machine.public_id).public_ip) == ("BIND", eip.ip)


# -- the end of what is charged by the hour, against its close and against another end ---------------


def _convert(machine: Instance) -> None:
    convert.ACT.order(by(machine.account_id), Conversion([machine.public_id]))


ENDS = pytest.mark.parametrize("end", [_end, _convert], ids=["ended", "paid ahead"])
Act = Callable[[Instance], None]


def _end_against_close(shop: Databases, edit: Edit, test_clock: BusinessClock, end: Act) -> list[str]:
    """The request is accepted in the hour's last second; while it is being written, the hour is closed."""
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    hour = test_clock.at
    edit("metering_cut", ("  RETURN ended", f"  {GATE}\n  RETURN ended"))
    test_clock.set(hour + dt.timedelta(minutes=59, seconds=59))

    def close_it() -> None:
        test_clock.set(hour + clock.HOUR)
        close.close(hour)

    waited, results = at_the_gate(shop.url(), lambda: end(machine), close_it)
    assert of(Exception, results) == 0
    work()
    return waited


def _charged_and_used() -> tuple[set[int], set[float]]:
    charged = {row["duration_s"] for row in db.rows("SELECT duration_s FROM bills_charge")}
    return charged, {(s.ended_at - s.started_at).total_seconds() for s in Segment.objects.exclude(ended_at=None)}  # type: ignore[operator]


@ENDS
def test_the_seconds_of_a_machine_ended_at_the_close_are_charged_once(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock, end: Act
) -> None:
    waited = _end_against_close(open_shop, edit, test_clock, end)
    assert waited == ["advisory", "transactionid"]
    assert _charged_and_used() == ({3599}, {3599.0})
    assert list(reconcile()) == []


@ENDS
def test_control_without_the_account_lock_a_second_too_many_is_charged(
    open_shop: Databases, edit: Edit, test_clock: BusinessClock, end: Act
) -> None:
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    waited = _end_against_close(open_shop, edit, test_clock, end)
    assert waited == ["advisory"]  # the close went through
    assert _charged_and_used() == ({3600}, {3599.0})
    assert [line for line in reconcile() if line.startswith("the seconds charged are not the seconds used")]


def _start_by_a_slow_clock(test_clock: BusinessClock) -> dt.timedelta:
    """By a machine whose clock is a second behind the worker's, which has closed the hour: when use begins after it."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    hour = test_clock.at
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    work()
    test_clock.advance(hours=1)
    close.close(hour)
    test_clock.advance(seconds=-1)
    start.start(by(account), [machine.public_id])
    work()
    return Segment.objects.get(component="cpu", ended_at=None).started_at - (hour + clock.HOUR)


def test_nothing_starts_before_the_horizon(test_clock: BusinessClock) -> None:
    assert _start_by_a_slow_clock(test_clock) == dt.timedelta()
    assert list(reconcile()) == []


def test_control_without_the_horizon_it_does(edit: Edit, test_clock: BusinessClock) -> None:
    edit("metering_instant", (", (SELECT closed_until FROM metering_horizon)", ""))
    assert _start_by_a_slow_clock(test_clock) == dt.timedelta(seconds=-1)
    assert [line for line in reconcile() if line.startswith("the seconds charged are not the seconds used")]


def _convert_against_an_end(shop: Databases, edit: Edit) -> tuple[list[Any], list[tuple[str, str, int]]]:
    """A machine is being paid ahead; meanwhile it is ended. Results; of each order its action, line and refund."""
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    edit("ledger_post", ("  SELECT * INTO hold", f"  {GATE}\n  SELECT * INTO hold"))
    _, results = at_the_gate(shop.url(), lambda: _convert(machine), lambda: _end(machine))
    work()
    lines = Line.objects.order_by("id").values_list("order__action", "state", "refund_minor")
    return results, list(lines)


def test_what_is_ended_while_it_is_paid_ahead_is_given_back(open_shop: Databases, edit: Edit) -> None:
    results, lines = _convert_against_an_end(open_shop, edit)
    assert of(Exception, results) == 0
    assert lines == [("purchase", "delivered", 0), ("convert", "returned", MONTHLY_MINOR)]
    assert list(reconcile()) == []


def test_control_without_locks_it_is_not(open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    without_locks(edit, monkeypatch)
    _, lines = _convert_against_an_end(open_shop, edit)
    assert lines == [("purchase", "delivered", 0), ("convert", "delivered", 0)]  # paid for what is in the bin
