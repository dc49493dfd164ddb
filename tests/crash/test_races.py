"""Given two at once, then the guard lets one go first; and, without the guard, the race does happen (the control).

Both variants stop at the same place: a gate (an advisory lock) put into the SQL function, where the test
holds everybody until all have come as far as they can. The guard's absence is an edit of that function.
"""

import datetime as dt
import json
import threading
import time
import uuid
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.db.models import F

from tests.crash.gate import GATE, Edit, at_the_gate, execute, of, waiting
from tests.support.actors import by
from tests.support.database import Databases
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    ZONE,
    buy_running,
    open_purse,
    purses,
    wanted,
    work,
)
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.functions import resolve
from vmart.network import subnets, vpcs
from vmart.network.errors import RangeTaken
from vmart.network.models import PrivateAddress, Subnet
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.orders import place, start, stop
from vmart.orders.errors import InsufficientBalance, SoldOut, TokenReused, UnknownNetwork
from vmart.orders.models import Idempotency, Order
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Bought
from vmart.placement.models import Allocation, Host
from vmart.provisioning import specs, zones
from vmart.provisioning.zone_engines import engine_of
from vmart.worker import loop, queue
from vmart.worker.models import Operation

pytestmark = [pytest.mark.usefixtures("open_shop"), pytest.mark.crash]


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


# -- the last stock --------------------------------------------------------------------------------


def _last_stock(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    edit("placement_claim", ("    fits := least", f"    {GATE}\n    fits := least"))
    buyers = [_buyer(name) for name in ("one", "two")]
    _leave_room(1)
    return at_the_gate(shop.url(), *(lambda buyer=buyer: purchase(wanted(buyer, HOURLY)) for buyer in buyers))  # type: ignore[misc]


def test_the_last_machine_is_sold_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _last_stock(open_shop, edit)
    assert waited == ["advisory", "transactionid"]  # the second did not get to the gate
    assert (of(Bought, results), of(SoldOut, results)) == (1, 1)
    assert not Host.objects.filter(zone_id=ZONE, vcpu_used__lt=F("vcpu_capacity")).exists()
    assert Instance.objects.count() == 3
    assert list(reconcile()) == []


def test_control_without_the_hosts_lock_it_is_sold_twice(open_shop: Databases, edit: Edit) -> None:
    edit("placement_claim", ("FOR NO KEY UPDATE SKIP LOCKED", ""), ("FOR NO KEY UPDATE", ""))
    waited, results = _last_stock(open_shop, edit)
    assert waited == ["advisory", "advisory"]
    assert of(Bought, results) == 2
    host = Host.objects.get(zone_id=ZONE, vcpu_used__gt=F("vcpu_capacity"))
    assert host.vcpu_used == host.vcpu_capacity + 2


def _two_large_orders(shop: Databases, edit: Edit) -> list[Any]:
    """Two hosts with room for two machines each, two orders of three: each needs both hosts."""
    edit("placement_claim", ("    part := ", f"    {GATE}\n    part := "))
    three = replace(HOURLY, count=3)
    buyers = [_buyer(name) for name in ("one", "two")]
    _leave_room(2, hosts=2)
    return at_the_gate(shop.url(), *(lambda buyer=buyer: purchase(wanted(buyer, three)) for buyer in buyers))[1]  # type: ignore[misc]


def test_orders_that_need_several_hosts_do_not_wait_for_each_other_for_ever(open_shop: Databases, edit: Edit) -> None:
    results = _two_large_orders(open_shop, edit)
    assert (of(Bought, results), of(SoldOut, results)) == (1, 1)
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
    return at_the_gate(
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
    waited, results = at_the_gate(
        shop.url(), lambda: purchase(wanted(account, HOURLY)), lambda: purchase(wanted(account, there))
    )
    return account, waited, results


def test_the_last_cent_is_set_aside_once(open_shop: Databases, edit: Edit) -> None:
    account, waited, results = _last_cent(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert (of(Bought, results), of(InsufficientBalance, results)) == (1, 1)
    assert purses(account)["available"] == 0
    assert Order.objects.count() == 3


def test_control_without_the_account_lock_it_is_set_aside_twice(open_shop: Databases, edit: Edit) -> None:
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    account, waited, results = _last_cent(open_shop, edit)
    assert waited == ["advisory", "advisory"]
    assert of(Bought, results) == 2
    assert purses(account)["available"] == -HOURLY_HOLD_MINOR


# -- the same token twice --------------------------------------------------------------------------


def _same_token(shop: Databases, edit: Edit) -> tuple[list[str], list[Any]]:
    request = wanted(_buyer("buyer"), HOURLY, client_token="t")
    edit("orders_purchase", ("  PERFORM fn.orders_may_buy", f"  {GATE}\n  PERFORM fn.orders_may_buy"))
    return at_the_gate(shop.url(), lambda: purchase(request), lambda: purchase(request))


def test_the_same_token_buys_once(open_shop: Databases, edit: Edit) -> None:
    waited, results = _same_token(open_shop, edit)
    assert waited == ["advisory", "transactionid"]
    assert sorted(result.repeated for result in results) == [False, True]
    assert results[0].order_id == results[1].order_id
    assert Order.objects.count() == Instance.objects.count() == 2


def test_control_with_a_look_before_the_write_it_buys_twice(open_shop: Databases, edit: Edit) -> None:
    """Given no account lock, and the token's row looked for and then written, not written first under its key."""
    edit("ledger_lock", (" FOR NO KEY UPDATE", ""))
    execute("ALTER TABLE orders_idempotency DROP CONSTRAINT orders_idempotency_pkey")
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
        execute("ALTER TABLE orders_idempotency ADD PRIMARY KEY (account_id, token)")


def test_a_form_that_is_paid_and_placed_at_once_does_not_wait_for_ever(open_shop: Databases, edit: Edit) -> None:
    """Both buttons of one page: a purchase and an order to be paid by card, with the same token."""
    request = wanted(_buyer("buyer"), HOURLY, client_token="t")
    edit("orders_purchase", ("  PERFORM fn.orders_may_buy", f"  {GATE}\n  PERFORM fn.orders_may_buy"))
    waited, results = at_the_gate(open_shop.url(), lambda: purchase(request), lambda: place.place(request))
    assert waited == ["advisory", "transactionid"]
    assert (of(Bought, results), of(TokenReused, results)) == (1, 1)
    assert Order.objects.count() == 2


# -- networks: the last range, and a subnet that is deleted -----------------------------------------

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
    return at_the_gate(url, *(lambda account=account: purchase(wanted(account)) for account in (late, quick)))[1]


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
    return at_the_gate(url, *acts)


def test_of_two_subnets_that_overlap_one_is_made(open_shop: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    waited, results = _two_subnets_that_overlap(open_shop.url(), monkeypatch)
    assert waited == ["advisory", "advisory"]  # the gate, and the lock of who is at the gate
    assert (of(Subnet, results), of(RangeTaken, results)) == (1, 1)
    assert Subnet.objects.filter(zone_id=ZONE).count() == 1


def test_control_without_the_lock_of_the_ranges_both_are_made(
    open_shop: Databases, edit: Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit("network_lock_ranges", ("SELECT pg_advisory_xact_lock(hashtext('vmart ranges'), hashtext(_zone))", "SELECT"))
    _, results = _two_subnets_that_overlap(open_shop.url(), monkeypatch)
    assert of(Subnet, results) == 2
    assert len(set(Subnet.objects.filter(zone_id=ZONE).values_list("cidr", "prefix"))) == 1


def _bought_into_while_it_is_deleted(url: str, edit: Edit) -> tuple[int, list[Any]]:
    """The purchase has found the subnet; before it takes an address of it, the subnet is deleted."""
    account = open_purse(cash_minor=100_000)
    vpc_id = vpcs.create(by(account), "ap-guangzhou", NewVpc("n", "10.0.0.0/16")).public_id
    subnet_id = subnets.create(by(account), vpc_id, NewSubnet("n", "10.0.1.0/24", ZONE)).public_id
    edit("network_claim_private", ("  UPDATE network_subnet SET", f"  {GATE}\n  UPDATE network_subnet SET"))
    machine = replace(wanted(account, HOURLY).machine, network=NetworkWanted(vpc_id, subnet_id))
    _, results = at_the_gate(
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
                while second.is_alive() and not waiting():
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
