"""An engine holds the rules of groups, whatever goes wrong on the way; a group that machines have stays."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest
from django.db import connection

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, buy_running, open_purse, wanted, work
from vmart.customers import accounts
from vmart.engines.rules import TCP, MachineRules, Packet
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World
from vmart.instances.attributes import Attributes
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.errors import Refused
from vmart.network import subnets, vpcs
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.orders import groups, redeliver, reinstall
from vmart.orders import machines as m
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.reinstall import Reinstall
from vmart.orders.sweep import sweep
from vmart.orders.wanted import Machine
from vmart.provisioning import specs, zones
from vmart.security import change, policies, told
from vmart.security.change import Named, Policies
from vmart.security.models import SecurityGroup
from vmart.security.policies import Policy
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")
SSH = Policies(ingress=[Named(Policy("ACCEPT", "TCP", "22", "0.0.0.0/0"))])
PACKET = Packet(TCP, "198.51.100.9", 22)


@pytest.fixture
def account(in_business: None) -> int:
    """One with ten of money."""
    return open_purse(cash_minor=1000)


@pytest.fixture
def machine(account: int, world: World) -> Instance:
    """One that is in a group of its own, which is closed."""
    bought = buy_running(account, HOURLY)
    group = change.create(by(account), "ap-guangzhou", "own", "")
    groups.join(by(account), [bought.public_id], [group.public_id])
    groups.leave(by(account), [bought.public_id], [groups.of(bought)[0]])
    work()
    assert not world.lets_in(bought.public_id, PACKET)
    return Instance.objects.get(pk=bought.pk)


@pytest.mark.parametrize("fault", ["fail", "lose_answer"])
def test_a_change_is_in_force_after_a_fault(account: int, machine: Instance, world: World, fault: str) -> None:
    change.add(by(account), machine.security_groups[0], SSH)
    getattr(world, fault)("ensure_rules")
    work()
    assert (world.armed_count(), world.lets_in(machine.public_id, PACKET)) == (0, True)
    assert not Operation.objects.filter(kind="rules").exists()


def test_machines_in_a_network_of_the_customers_own_are_told_too(account: int, world: World) -> None:
    """Given a machine in a subnet that its owner made, when a rule of its group changes, then the machine has it."""
    vpc = vpcs.create(by(account), HOURLY.region, NewVpc("own", "10.1.0.0/16"))
    subnet = subnets.create(by(account), vpc.public_id, NewSubnet("own", "10.1.1.0/24", ZONE))
    group = change.create(by(account), HOURLY.region, "own", "").public_id
    machine = Machine(
        IMAGE, LOGIN, network=NetworkWanted(vpc.public_id, subnet.public_id),
        attributes=Attributes(security_groups=(group,)),
    )  # fmt: skip
    (name,) = purchase(wanted(account, HOURLY, machine=machine)).instance_ids
    zones.prepare_images(ZONE)
    work()
    assert not world.lets_in(name, PACKET)
    change.add(by(account), group, SSH)
    work()
    assert world.lets_in(name, PACKET)


@pytest.mark.parametrize("act", ["reinstalled", "redelivered"])
def test_what_changes_while_a_machine_is_made_anew_is_told_when_it_is_made(
    account: int, machine: Instance, world: World, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Given rules that were read for the new machine, and changed before it is there, then it has the changed ones."""
    if act == "reinstalled":
        reinstall.reinstall(by(account), machine.public_id, Reinstall())
    else:
        Instance.objects.filter(pk=machine.pk).update(state="STARTING", latest_operation_state="OPERATING")
        with db.act():
            m.send(machine, redeliver.KIND, state="RUNNING")
    load = specs.load

    def then_changed(ids: Sequence[int]) -> dict[int, specs.Ordered]:
        found = load(ids)
        if not world.lets_in(machine.public_id, PACKET):
            monkeypatch.setattr(specs, "load", load)
            change.add(by(account), machine.security_groups[0], SSH)
            world.remove_machine(machine.public_id)
            told_now()
        return found

    def told_now() -> None:
        for operation in Operation.objects.filter(kind="rules"):
            operation.delete()  # it found no machine there

    monkeypatch.setattr(specs, "load", then_changed)
    work()
    assert world.lets_in(machine.public_id, PACKET)


def test_the_sweep_has_an_engine_told_what_it_lost(account: int, machine: Instance, world: World) -> None:
    assert sweep(ZONE) == []
    world.forget_rules(machine.public_id)
    assert world.lets_in(machine.public_id, PACKET)
    assert [(drift.kind, drift.name, drift.repaired) for drift in sweep(ZONE)] == [("rules", machine.public_id, True)]
    work()
    assert not world.lets_in(machine.public_id, PACKET)
    assert sweep(ZONE) == []


@pytest.mark.parametrize("waits", [True, False], ids=["locked", "control"])
def test_a_group_is_not_deleted_while_a_machine_is_put_into_it(
    account: int, machine: Instance, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Given a deletion that begins while a machine is being put in, then it waits and is refused; the control does not
    wait, and leaves a machine with a group that is gone."""
    group = change.create(by(account), "ap-guangzhou", "fresh", "").public_id
    if not waits:
        monkeypatch.setattr("vmart.security.change.db.call", lambda *_: None)
    outcome: list[str] = []

    def delete() -> None:
        try:
            change.delete(by(account), group)
            outcome.append("deleted")
        except Refused as refused:
            outcome.append(refused.code)
        finally:
            connection.close()

    with db.act():
        db.rows("SELECT fn.ledger_lock(%s)", account)
        thread = threading.Thread(target=delete)
        thread.start()
        thread.join(1.0)
        assert thread.is_alive() is waits
        Instance.objects.filter(pk=machine.pk).update(security_groups=[group])
    thread.join(10)
    assert outcome == (["ResourceInUse"] if waits else ["deleted"])
    assert SecurityGroup.objects.filter(public_id=group).exists() is waits


@pytest.mark.parametrize("waits", [True, False], ids=["locked", "control"])
def test_a_change_that_ends_while_the_engine_is_told_is_told_too(
    account: int, machine: Instance, world: World, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    """Given a change of rules under way when the engine has been told the old ones, then it waits for it and tells the
    new; the control does not wait, and the change is lost until the next sweep."""
    tell, begun, threads = SimulatedEngine.ensure_rules, threading.Event(), []

    def change_slowly() -> None:
        with db.act():
            accounts.lock(account)
            rules = policies.stored([Policy("ACCEPT", "TCP", "22", "0.0.0.0/0")])
            SecurityGroup.objects.filter(public_id=machine.security_groups[0]).update(ingress=rules)
            told.send(account)
            begun.set()
            time.sleep(1.0)
        connection.close()

    def told_meanwhile(engine: SimulatedEngine, rules: dict[str, MachineRules]) -> None:
        tell(engine, rules)
        if not threads:
            threads.append(threading.Thread(target=change_slowly))
            threads[0].start()
            assert begun.wait(10)

    monkeypatch.setattr(SimulatedEngine, "ensure_rules", told_meanwhile)
    if not waits:
        monkeypatch.setattr("vmart.orders.enforce.accounts.lock", _not_here(accounts.lock))
    with db.act():
        told.send(account)
    work()
    threads[0].join(10)
    assert world.lets_in(machine.public_id, PACKET) is waits
    assert not Operation.objects.filter(kind="rules").exists()


def _not_here(lock: Callable[[int], None]) -> Callable[[int], None]:
    """The lock in every thread but the worker's, which is this one."""
    worker = threading.get_ident()
    return lambda account_id: None if threading.get_ident() == worker else lock(account_id)
