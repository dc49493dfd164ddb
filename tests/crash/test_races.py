"""Given two at once, then the guard lets one go first; and, without the guard, the race does happen (the control).

Both variants stop at the same place: a gate (an advisory lock) put into the SQL function, where the test
holds everybody until all have come as far as they can. The guard's absence is an edit of that function.
"""

import datetime as dt
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.db.models import F

from tests.instances.test_key_pairs import ED25519
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import Databases
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    wanted,
    work,
)
from tests.web.test_keys_and_money import PUBLIC
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances import key_pairs
from vmart.instances.errors import KeyPairInUse
from vmart.instances.models import Instance, KeyPair
from vmart.kernel import clock, db
from vmart.kernel.functions import resolve
from vmart.metering.models import Segment
from vmart.network import subnets, vpcs
from vmart.network.errors import RangeTaken
from vmart.network.models import PrivateAddress, Subnet
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.orders import bind_keys, convert, forget_keys, place, reinstall, start, stop, terminate
from vmart.orders import machines as m
from vmart.orders.bandwidth import UPGRADE
from vmart.orders.bandwidth_by_month import Upgrade
from vmart.orders.convert import Conversion
from vmart.orders.disks import own
from vmart.orders.disks.attach import attach
from vmart.orders.disks.create import NewDisks, create
from vmart.orders.disks.terminate import terminate as end_disks
from vmart.orders.errors import Busy, DiskBusy, InsufficientBalance, SoldOut, TokenReused, UnknownNetwork
from vmart.orders.models import Idempotency, Line, Order
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.wanted import Bought
from vmart.placement.models import Allocation, Host
from vmart.pricing.configuration import DiskChoice
from vmart.provisioning import specs, zones
from vmart.provisioning.zone_engines import engine_of
from vmart.settlement import close
from vmart.storage.models import Disk
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]

GATE = "PERFORM pg_advisory_xact_lock_shared(4242);"
Edit = Callable[..., None]


@pytest.fixture
def edit(open_shop: Databases) -> Iterator[Edit]:
    """``edit("placement_claim", (old, new), …)``: change a function's text in this test's database."""
    originals: dict[str, str] = {}

    def change(function: str, *changes: tuple[str, str]) -> None:
        text = db.rows("SELECT pg_get_functiondef(%s::regproc) AS text", resolve(f"fn.{function}"))[0]["text"]
        originals.setdefault(function, text)
        for old, new in (map(resolve, change) for change in changes):
            assert old in text, f"fn.{function} has no {old!r}"
            text = text.replace(old, new)
        _execute(text)

    yield change
    for text in originals.values():
        _execute(text)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _waiting() -> list[str]:
    """What the other connections of this database wait for: advisory (the gate), transactionid, tuple, …"""
    found = db.rows(
        "SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return sorted(row["wait_event"] for row in found)


def _at_the_gate(url: str, *acts: Callable[[], Any]) -> tuple[list[str], list[Any]]:
    """Let the acts run, one after the other, until each waits; then open the gate. What they waited for, results."""
    results: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        try:
            results[place] = acts[place]()
        except Exception as error:  # noqa: BLE001  the test looks at it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    with psycopg.connect(url) as keeper:
        keeper.execute("SELECT pg_advisory_xact_lock(4242)")
        for number, thread in enumerate(threads, 1):
            thread.start()
            deadline = time.monotonic() + 20
            while len(_waiting()) < sum(one.is_alive() for one in threads[:number]):
                assert time.monotonic() < deadline
                time.sleep(0.005)
        waited = _waiting()
    for thread in threads:
        thread.join(30)
    return waited, results


def _buyer(name: str) -> int:
    """An account that has a network in the zone: a first purchase asks twice, and would come to the gate twice."""
    account = open_purse(name, cash_minor=1000)
    purchase(wanted(account, HOURLY))
    return account


def _leave_room(machines: int, hosts: int = 1) -> None:
    """So many machines of two vCPU find room on each of so many hosts of the zone, and none elsewhere."""
    for number, host in enumerate(Host.objects.filter(zone_id=ZONE).order_by("id")):
        room = 2 * machines if number < hosts else 0
        Host.objects.filter(id=host.id).update(vcpu_capacity=host.vcpu_used + room)


def _of(kind: type, results: list[Any]) -> int:
    return sum(isinstance(result, kind) for result in results)


# -- the last stock --------------------------------------------------------------------------------


def _last_stock(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    edit("placement_claim", ("    fits := least", f"    {GATE}\n    fits := least"))
    buyers = [_buyer(name) for name in ("one", "two")]
    _leave_room(1)
    return _at_the_gate(shop.url(), *(lambda buyer=buyer: purchase(wanted(buyer, HOURLY)) for buyer in buyers))  # type: ignore[misc]


def test_the_last_machine_is_sold_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _last_stock(open_shop, edit)
    assert waited == ["advisory", "transactionid"]  # the second did not get to the gate
    assert (_of(Bought, results), _of(SoldOut, results)) == (1, 1)
    assert not Host.objects.filter(zone_id=ZONE, vcpu_used__lt=F("vcpu_capacity")).exists()
    assert Instance.objects.count() == 3
    assert list(reconcile()) == []


def test_control_without_the_hosts_lock_it_is_sold_twice(open_shop: Databases, edit: Edit) -> None:
    edit("placement_claim", ("FOR NO KEY UPDATE SKIP LOCKED", ""), ("FOR NO KEY UPDATE", ""))
    waited, results = _last_stock(open_shop, edit)
    assert waited == ["advisory", "advisory"]
    assert _of(Bought, results) == 2
    host = Host.objects.get(zone_id=ZONE, vcpu_used__gt=F("vcpu_capacity"))
    assert host.vcpu_used == host.vcpu_capacity + 2


def _two_large_orders(shop: Databases, edit: Edit) -> list[Any]:
    """Two hosts with room for two machines each, two orders of three: each needs both hosts."""
    edit("placement_claim", ("    part := ", f"    {GATE}\n    part := "))
    three = replace(HOURLY, count=3)
    buyers = [_buyer(name) for name in ("one", "two")]
    _leave_room(2, hosts=2)
    return _at_the_gate(shop.url(), *(lambda buyer=buyer: purchase(wanted(buyer, three)) for buyer in buyers))[1]  # type: ignore[misc]


def test_orders_that_need_several_hosts_do_not_wait_for_each_other_for_ever(open_shop: Databases, edit: Edit) -> None:
    results = _two_large_orders(open_shop, edit)
    assert (_of(Bought, results), _of(SoldOut, results)) == (1, 1)
    assert list(reconcile()) == []


def test_control_without_their_turn_they_do(open_shop: Databases, edit: Edit) -> None:
    edit("placement_claim", ("IF wanted > 1 THEN", "IF false THEN"))
    results = _two_large_orders(open_shop, edit)
    assert "deadlock detected" in "".join(str(result) for result in results)


# -- starts over several hosts ----------------------------------------------------------------------


def _paused_on_two_hosts(name: str) -> list[str]:
    """A customer's two machines, each on a host of its own, stopped without charge; their ids."""
    account = open_purse(name, cash_minor=1000)
    ids = []
    for host in Host.objects.filter(zone_id=ZONE).order_by("id")[:2]:
        Host.objects.filter(zone_id=ZONE).update(enabled=False)
        Host.objects.filter(id=host.id).update(enabled=True)
        ids.append(buy_running(account).public_id)
    Host.objects.filter(zone_id=ZONE).update(enabled=True)
    stop.stop(by(account), ids, stopped_mode=stop.STOP_CHARGING)
    work()
    return [str(account), *ids]


def _two_starts(shop: Databases, edit: Edit) -> list[Any]:
    """Two customers start the same two hosts' machines, in opposite orders."""
    (one, *ones), (other, *others) = _paused_on_two_hosts("one"), _paused_on_two_hosts("other")
    edit("placement_grow", ("  IF NOT FOUND THEN", f"  {GATE}\n  IF NOT FOUND THEN"))
    return _at_the_gate(
        shop.url(), lambda: start.start(by(int(one)), ones), lambda: start.start(by(int(other)), others[::-1])
    )[1]


def test_starts_over_the_same_hosts_do_not_wait_for_each_other_for_ever(open_shop: Databases, edit: Edit) -> None:
    assert _two_starts(open_shop, edit) == [None, None]
    work()
    assert set(Instance.objects.values_list("state", flat=True)) == {"RUNNING"}
    assert list(reconcile()) == []


def test_control_without_the_hosts_in_order_they_do(open_shop: Databases, edit: Edit) -> None:
    edit("placement_lock", ("BEGIN", "BEGIN RETURN;"))
    assert "deadlock detected" in "".join(str(result) for result in _two_starts(open_shop, edit))


# -- the last cent ---------------------------------------------------------------------------------


def _last_cent(shop: Databases, edit: Edit) -> tuple[int, list[str], list[Any]]:
    """One account, money for one more machine, two requests in two zones."""
    account = open_purse(cash_minor=3 * HOURLY_HOLD_MINOR)
    there = replace(HOURLY, zone="ap-guangzhou-6")
    for configuration in (HOURLY, there):
        purchase(wanted(account, configuration))  # both networks are there
    edit("ledger_hold", ("  purses := fn.ledger_lock(_account);", f"  purses := fn.ledger_lock(_account);\n  {GATE}"))
    waited, results = _at_the_gate(
        shop.url(), lambda: purchase(wanted(account, HOURLY)), lambda: purchase(wanted(account, there))
    )
    return account, waited, results


TAKE_RANGE = "pg_try_advisory_xact_lock(hashtext('vmart subnet ' || _zone), range_number)"


def _first_in_the_zone_while_another_takes_its_range(url: str, edit: Edit, *, one_look: bool = False) -> list[Any]:
    """The first waits before it takes its private range, which the second takes and commits meanwhile."""
    late, quick = (open_purse(name, cash_minor=100_000) for name in ("late", "quick"))
    gate = f"(_account <> {late} OR (SELECT count(*) FROM pg_advisory_xact_lock_shared(4242)) = 1)"
    if one_look:
        edit(
            "network_default_subnet",
            (f"ours := {TAKE_RANGE};", ""), ("EXIT WHEN ours", f"EXIT WHEN {gate} AND {TAKE_RANGE}"),
        )  # fmt: skip
    else:
        edit("network_default_subnet", (f"ours := {TAKE_RANGE};", f"ours := {gate} AND {TAKE_RANGE};"))
    return _at_the_gate(url, *(lambda account=account: purchase(wanted(account)) for account in (late, quick)))[1]


def test_two_first_purchases_take_a_range_each(open_shop: Databases, edit: Edit) -> None:
    assert all(
        isinstance(one, Bought) for one in _first_in_the_zone_while_another_takes_its_range(open_shop.url(), edit)
    )
    assert sorted(Subnet.objects.values_list("number", flat=True)) == [0, 1]


def test_control_with_lock_and_look_in_one_expression_one_of_them_fails(open_shop: Databases, edit: Edit) -> None:
    late, quick = _first_in_the_zone_while_another_takes_its_range(open_shop.url(), edit, one_look=True)
    assert isinstance(quick, Bought)
    assert isinstance(late, IntegrityError) and "network_subnet_range_once" in str(late)


def _two_subnets_that_overlap(url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Any]]:
    """Two customers make a subnet of the same range in the zone; who finds it free waits at the gate."""
    acts = []
    for name in ("one", "two"):
        account = open_purse(name)
        vpc_id = vpcs.create(by(account), "ap-guangzhou", NewVpc("n", "10.0.0.0/16")).public_id
        acts.append(partial(subnets.create, by(account), vpc_id, NewSubnet("n", "10.0.1.0/24", ZONE)))
    look = subnets._refuse_taken

    def look_and_wait(*where: Any) -> None:
        look(*where)
        db.rows("SELECT pg_advisory_xact_lock_shared(4242)")

    monkeypatch.setattr(subnets, "_refuse_taken", look_and_wait)
    return _at_the_gate(url, *acts)


def test_of_two_subnets_that_overlap_one_is_made(open_shop: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    waited, results = _two_subnets_that_overlap(open_shop.url(), monkeypatch)
    assert waited == ["advisory", "advisory"]  # the gate, and the lock of who is at the gate
    assert (_of(Subnet, results), _of(RangeTaken, results)) == (1, 1)
    assert Subnet.objects.filter(zone_id=ZONE).count() == 1


def test_control_without_the_lock_of_the_ranges_both_are_made(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("network_lock_ranges", ("SELECT pg_advisory_xact_lock(hashtext('vmart ranges'), hashtext(_zone))", "SELECT"))
    _, results = _two_subnets_that_overlap(open_shop.url(), monkeypatch)
    assert _of(Subnet, results) == 2
    assert len(set(Subnet.objects.filter(zone_id=ZONE).values_list("cidr", "prefix"))) == 1


def _bought_into_while_it_is_deleted(url: str, edit: Edit) -> tuple[int, list[Any]]:
    """The purchase has found the subnet; before it takes an address of it, the subnet is deleted."""
    account = open_purse(cash_minor=100_000)
    vpc_id = vpcs.create(by(account), "ap-guangzhou", NewVpc("n", "10.0.0.0/16")).public_id
    subnet_id = subnets.create(by(account), vpc_id, NewSubnet("n", "10.0.1.0/24", ZONE)).public_id
    edit("network_claim_private", ("  UPDATE network_subnet SET", f"  {GATE}\n  UPDATE network_subnet SET"))
    machine = replace(wanted(account, HOURLY).machine, network=NetworkWanted(vpc_id, subnet_id))
    _, results = _at_the_gate(
        url, partial(purchase, wanted(account, HOURLY, machine=machine)),
        partial(subnets.delete, by(account), subnet_id),
    )  # fmt: skip
    return account, results


def test_a_subnet_that_is_deleted_meanwhile_gives_no_address(open_shop: Databases, edit: Edit) -> None:
    account, (bought, deleted) = _bought_into_while_it_is_deleted(open_shop.url(), edit)
    assert isinstance(bought, UnknownNetwork) and deleted is None
    assert bought.code == "InvalidParameterValue.SubnetNotExist"
    assert (Instance.objects.count(), PrivateAddress.objects.count(), purses(account)["cash"]) == (0, 0, 100_000)


def test_control_without_a_second_look_at_it_a_machine_is_in_no_network(open_shop: Databases, edit: Edit) -> None:
    edit("network_claim_private", ("WHERE id = subnet_id AND deleted_at IS NULL", "WHERE id = subnet_id"))
    _, (bought, deleted) = _bought_into_while_it_is_deleted(open_shop.url(), edit)
    assert isinstance(bought, Bought) and deleted is None
    assert PrivateAddress.objects.get().subnet.deleted_at is not None


def test_the_last_cent_is_set_aside_once(open_shop: Databases, edit: Edit) -> None:
    account, waited, results = _last_cent(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert (_of(Bought, results), _of(InsufficientBalance, results)) == (1, 1)
    assert purses(account)["available"] == 0
    assert Order.objects.count() == 3


def test_control_without_the_account_lock_it_is_set_aside_twice(open_shop: Databases, edit: Edit) -> None:
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    account, waited, results = _last_cent(open_shop, edit)
    assert waited == ["advisory", "advisory"]
    assert _of(Bought, results) == 2
    assert purses(account)["available"] == -HOURLY_HOLD_MINOR


# -- the same token twice --------------------------------------------------------------------------


def _same_token(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    request = wanted(_buyer("buyer"), HOURLY, client_token="t")
    edit("orders_purchase", ("  PERFORM fn.orders_may_buy", f"  {GATE}\n  PERFORM fn.orders_may_buy"))
    return _at_the_gate(shop.url(), lambda: purchase(request), lambda: purchase(request))


def test_the_same_token_buys_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _same_token(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert sorted(result.repeated for result in results) == [False, True]
    assert results[0].order_id == results[1].order_id
    assert Order.objects.count() == Instance.objects.count() == 2


def test_control_with_a_look_before_the_write_it_buys_twice(open_shop: Databases, edit: Edit) -> None:
    """Given no account lock, and the token's row looked for and then written, not written first under its key."""
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    _execute("ALTER TABLE orders_idempotency DROP CONSTRAINT orders_idempotency_pkey")
    try:
        edit(
            "orders_purchase",
            ("    INSERT INTO orders_idempotency", "    SELECT * INTO _known FROM orders_idempotency WHERE account_id ="
             " _account AND token = _p->>'token';\n    IF NOT FOUND THEN\n    INSERT INTO orders_idempotency"),
            ("    ON CONFLICT (account_id, token) DO NOTHING;\n    IF NOT FOUND THEN", "    ;\n    ELSE"),
        )  # fmt: skip
        waited, results = _same_token(open_shop, edit)
        assert waited == ["advisory", "advisory"]
        assert [result.repeated for result in results] == [False, False]
        assert Order.objects.count() == Instance.objects.count() == 3
    finally:
        Idempotency.objects.all().delete()
        _execute("ALTER TABLE orders_idempotency ADD PRIMARY KEY (account_id, token)")


def test_a_form_that_is_paid_and_placed_at_once_does_not_wait_for_ever(open_shop: Databases, edit: Edit) -> None:
    """Both buttons of one page: a purchase and an order to be paid by card, with the same token."""
    request = wanted(_buyer("buyer"), HOURLY, client_token="t")
    edit("orders_purchase", ("  PERFORM fn.orders_may_buy", f"  {GATE}\n  PERFORM fn.orders_may_buy"))
    waited, results = _at_the_gate(open_shop.url(), lambda: purchase(request), lambda: place.place(request))
    assert waited == ["advisory", "transactionid"]
    assert (_of(Bought, results), _of(TokenReused, results)) == (1, 1)
    assert Order.objects.count() == 2


# -- more bandwidth, twice and against a return -----------------------------------------------------

BY_MONTH = replace(MONTHLY, internet_charge_type="BANDWIDTH_PREPAID", bandwidth_mbps=3, public_ip=True)
IN_CASH_MINOR = 100_000


def _by_month() -> Instance:
    return buy_running(open_purse(cash_minor=IN_CASH_MINOR), BY_MONTH)


def _without_locks(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the account nor its machines are locked."""
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(m, "locking", lambda: Instance.objects.select_related("subscription"))


def _ordered_twice(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    machine = _by_month()
    edit("ledger_hold", ("  purses := fn.ledger_lock(_account);", f"  purses := fn.ledger_lock(_account);\n  {GATE}"))

    def order() -> int:
        return UPGRADE.order(by(machine.account_id), Upgrade([machine.public_id], 6))

    return _at_the_gate(shop.url(), order, order)


def test_a_speed_is_ordered_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _ordered_twice(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert (_of(int, results), _of(Busy, results)) == (1, 1)
    assert Order.objects.filter(action="bandwidth").count() == 1


def test_control_without_locks_only_the_number_of_its_hold_is_in_the_way(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_locks(edit, monkeypatch)
    waited, results = _ordered_twice(open_shop, edit)
    assert (waited, _of(int, results), _of(Busy, results)) == (["advisory", "advisory"], 1, 0)
    assert "ledger_hold_pkey" in str(next(one for one in results if isinstance(one, IntegrityError)))


def _in_force_against_a_return(shop: Databases, edit: Edit) -> int:
    """The speed is in force and being paid; meanwhile the machine is returned, for free. The cash that is left."""
    machine = _by_month()
    UPGRADE.order(by(machine.account_id), Upgrade([machine.public_id], 6))
    edit("ledger_post", ("  SELECT * INTO hold", f"  {GATE}\n  SELECT * INTO hold"))
    _at_the_gate(
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
    _without_locks(edit, monkeypatch)
    assert _in_force_against_a_return(open_shop, edit) == IN_CASH_MINOR - 14280


# -- keys bound twice, and against the deletion of their pair ---------------------------------------


def _keys_and(shop: Databases, edit: Edit, other: Callable[[Instance, list[str]], None]) -> tuple[list[str], list[Any]]:
    """The first of two pairs is being bound to a machine; meanwhile something else is asked for."""
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    who = by(machine.account_id)
    pairs = [key_pairs.import_(who, f"k{number}", key).public_id for number, key in enumerate((ED25519, PUBLIC))]
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return _at_the_gate(
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
    _without_locks(edit, monkeypatch)
    _, results = _keys_and(open_shop, edit, _bind_the_other)
    assert results == [None, None]
    assert Event.objects.filter(kind=bind_keys.BIND).count() == 2
    assert _bound_and_there() == (["k0"], True)


def test_a_pair_that_is_being_bound_stays(open_shop: Databases, edit: Edit) -> None:
    waited, results = _keys_and(open_shop, edit, _delete_the_pair)
    assert (waited, results[0], type(results[1])) == (["advisory", "transactionid"], None, KeyPairInUse)
    assert _bound_and_there() == (["k0"], True)


def test_control_without_locks_it_is_gone(open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_locks(edit, monkeypatch)
    waited, results = _keys_and(open_shop, edit, _delete_the_pair)
    assert (waited, results) == (["advisory"], [None, None])
    assert _bound_and_there() == ([], False)


# -- a new system against another, and against the machine's end -----------------------------------


def _reinstalled_and(shop: Databases, edit: Edit, other: Callable[[Instance], None]) -> tuple[list[str], list[Any]]:
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return _at_the_gate(shop.url(), lambda: _reinstall(machine, "first"), lambda: other(machine))


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
    _without_locks(edit, monkeypatch)
    _, results = _reinstalled_and(open_shop, edit, _the_second)
    assert results == [None, None]
    assert _installed(world) == ("RUNNING", "first", 2, 1)


def test_control_without_locks_a_machine_that_was_ended_is_installed(
    open_shop: Databases, edit: Edit, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_locks(edit, monkeypatch)
    _, results = _reinstalled_and(open_shop, edit, _end)
    assert results == [None, None]
    assert Event.objects.filter(kind__in=["ResetInstance", "terminated"]).count() == 2


# -- a disk with a life of its own, attached twice and while it is ended -----------------------------


def _disk_and(shop: Databases, edit: Edit, other: Callable[[int, str, str], Any]) -> tuple[list[str], list[Any]]:
    """A disk is being attached to the first of two machines; meanwhile something else is asked for."""
    account = open_purse(cash_minor=IN_CASH_MINOR)
    first, second = buy_running(account), buy_running(account)
    zones.check(ZONE)
    (disk,) = create(by(account), NewDisks(HOURLY.region, ZONE, "POSTPAID_BY_HOUR", DiskChoice("CLOUD_SSD", 100)))
    work()
    edit("worker_enqueue", ("BEGIN\n", f"BEGIN\n  {GATE}\n"))
    return _at_the_gate(
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
    _without_locks(edit, monkeypatch)
    monkeypatch.setattr(own, "locking", lambda: Disk.objects.select_related("subscription"))
    _, results = _disk_and(open_shop, edit, _end_it)
    assert results == [None, None]
    assert _accepted("AttachDisks", "TerminateDisks") == [1, 1]


# -- the end of what is charged by the hour, against its close and against another end ---------------


def _convert(machine: Instance) -> None:
    convert.ACT.order(by(machine.account_id), Conversion([machine.public_id]))


ENDS = pytest.mark.parametrize("end", [_end, _convert], ids=["ended", "paid ahead"])
Act = Callable[[Instance], None]


def _end_against_close(shop: Databases, edit: Edit, test_clock: BusinessClock, end: Act) -> list[str]:
    """The request is accepted in the hour's last second; while it is being written, the hour is closed."""
    machine = buy_running(open_purse(cash_minor=IN_CASH_MINOR))
    hour = test_clock.at
    edit("metering_end_each", ("  RETURN ended", f"  {GATE}\n  RETURN ended"))
    test_clock.set(hour + dt.timedelta(minutes=59, seconds=59))

    def close_it() -> None:
        test_clock.set(hour + clock.HOUR)
        close.close(hour)

    waited, results = _at_the_gate(shop.url(), lambda: end(machine), close_it)
    assert _of(Exception, results) == 0
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
    _, results = _at_the_gate(shop.url(), lambda: _convert(machine), lambda: _end(machine))
    work()
    lines = Line.objects.order_by("id").values_list("order__action", "state", "refund_minor")
    return results, list(lines)


def test_what_is_ended_while_it_is_paid_ahead_is_given_back(open_shop: Databases, edit: Edit) -> None:
    results, lines = _convert_against_an_end(open_shop, edit)
    assert _of(Exception, results) == 0
    assert lines == [("purchase", "delivered", 0), ("convert", "returned", MONTHLY_MINOR)]
    assert list(reconcile()) == []


def test_control_without_locks_it_is_not(open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    _without_locks(edit, monkeypatch)
    _, lines = _convert_against_an_end(open_shop, edit)
    assert lines == [("purchase", "delivered", 0), ("convert", "delivered", 0)]  # paid for what is in the bin


# -- two workers -----------------------------------------------------------------------------------


def _two_claims(shop: Databases) -> list[list[Any]]:
    """Both look before either has written."""
    purchase(wanted(open_purse(cash_minor=1000), HOURLY))
    wall = clock.wall()
    sql = resolve("SELECT id, lease_owner FROM fn.worker_claim(%s, %s, %s, %s, %s, 10)")
    until = wall + dt.timedelta(seconds=15)
    claims: list[list[Any]] = [[], []]

    def claim(place: int) -> None:
        with psycopg.connect(shop.url()) as own:
            owner = uuid.UUID(int=place + 1)
            claims[place] = own.execute(sql, [[ZONE], owner, clock.now(), wall, until]).fetchall()
            if place == 0:
                second.start()
                deadline = time.monotonic() + 20
                while second.is_alive() and not _waiting():
                    assert time.monotonic() < deadline
                    time.sleep(0.005)
        connection.close()

    second = threading.Thread(target=claim, args=(1,))
    first = threading.Thread(target=claim, args=(0,))
    first.start()
    first.join(30)
    second.join(30)
    return claims


def test_two_workers_claim_an_operation_once(open_shop: Databases) -> None:
    claims = _two_claims(open_shop)
    assert [len(claim) for claim in claims] == [1, 0]
    assert Operation.objects.get(kind="deliver").lease_owner == uuid.UUID(int=1)


def test_control_without_the_rows_lock_both_have_it(open_shop: Databases, edit: Edit) -> None:
    edit("worker_claim", (" FOR UPDATE SKIP LOCKED", ""))
    claims = _two_claims(open_shop)
    assert [len(claim) for claim in claims] == [1, 1]
    assert claims[0][0][0] == claims[1][0][0]


def _late_outcome(world: World) -> str:
    """A worker made the machine and sleeps; another took over and gave up; then the first one says what it did."""
    name = purchase(wanted(open_purse(cash_minor=1000), HOURLY)).instance_ids[0]
    first, second = uuid.uuid4(), uuid.uuid4()
    slow = queue.claim(first, [ZONE], 15, 1)[0]
    engine_of(ZONE).ensure_present(specs.load([slow.subject_id])[slow.subject_id].spec)
    Operation.objects.update(lease_until=clock.wall())
    world.fail("ensure_present", transient=False)
    loop.work(STEPS, queue.claim(second, [ZONE], 15, 1), second)
    assert Instance.objects.get(public_id=name).state == "LAUNCH_FAILED"
    result = {"operation": slow.id, "account": slow.account_id, "instance": slow.subject_id, "kind": "simulated",
              "expires_at": None}  # fmt: skip
    db.call("orders_delivered", first, clock.now(), json.dumps([result]))
    work()
    return name


def test_an_outcome_that_comes_after_the_lease_was_lost_is_nothing(world: World) -> None:
    zones.prepare_images(ZONE)
    name = _late_outcome(world)
    assert Instance.objects.get(public_id=name).state == "LAUNCH_FAILED"
    assert world.count_machines() == Allocation.objects.count() == 0
    assert list(reconcile()) == []


def test_control_without_the_fence_its_cleaning_up_is_lost(edit: Edit, world: World) -> None:
    edit("worker_finish", (" AND lease_owner = _owner AND step = _step", ""))
    _late_outcome(world)
    assert not Operation.objects.filter(kind="deliver").exists()
    assert world.count_machines() == Allocation.objects.count() == 1  # nobody will ever free them
    assert len(list(reconcile())) == 2  # the room, and the machine on the engine
