"""Given machines in a network, when they are moved, then they are in another one, and what they had is free."""

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.orders.acting import TRY_AGAIN, one
from tests.orders.addressing import bound
from tests.orders.ending import now
from tests.orders.test_own_network import buy, made
from tests.support.actors import by
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, purses, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.config.steps import STEPS, lanes
from vmart.engines.rules import TCP, Packet
from vmart.engines.simulated.world import World
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter, Refused
from vmart.metering.models import Segment
from vmart.network import subnets
from vmart.network.errors import BadPrivateAddress, NetworkInUse, PrivateAddressOutside, PrivateAddressTaken
from vmart.network.models import PrivateAddress, Subnet
from vmart.network.subnets import NewSubnet
from vmart.orders import errors, groups, stop, sweep, terminate, where_it_is
from vmart.orders.move import move
from vmart.orders.own_network import DEFAULT_NETWORK, NetworkWanted
from vmart.pricing.configuration import Configuration
from vmart.provisioning import specs, zones
from vmart.provisioning.zone_engines import engine_of
from vmart.security import change
from vmart.security.change import Named, Policies
from vmart.security.policies import Policy
from vmart.worker import loop, queue
from vmart.worker.loop import run_until_idle
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

ONLINE = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
FAILED = "The machine could not be moved to the other network; it is where it was."
OTHER_ZONE = "ap-guangzhou-6"


@pytest.fixture
def account() -> int:
    return open_purse(cash_minor=100_000)


@pytest.fixture
def machine(account: int) -> Instance:
    return buy_running(account, ONLINE)


@pytest.fixture
def subnet(account: int) -> Subnet:
    return made(account, "10.0.1.0/28")


def _into(subnet: Subnet, *ips: str) -> NetworkWanted:
    return NetworkWanted(subnet.vpc.public_id, subnet.public_id, ips)


def _latest(machine: Instance) -> tuple[str, str, str]:
    found = now(machine)
    return found.state, found.latest_operation, found.latest_operation_state


def _at(machine: Instance) -> tuple[int, str]:
    found = now(machine)
    return found.subnet_id, found.private_ip


def _held(machine: Instance) -> list[tuple[int, str]]:
    """Addresses that it holds, that of its row first."""
    rows = PrivateAddress.objects.filter(instance_id__in=[machine.id, -machine.id]).order_by("-instance_id")
    return list(rows.values_list("subnet_id", "ip"))


def _seen(machine: Instance) -> str:
    return engine_of(ZONE).observe(machine.public_id).private_ip


@pytest.mark.parametrize("configuration", [ONLINE, MONTHLY], ids=["postpaid", "prepaid"])
def test_a_machine_is_moved_and_all_else_is_as_it_was(
    account: int, subnet: Subnet, world: World, configuration: Configuration
) -> None:
    machine = buy_running(account, configuration)
    before, money, boots = now(machine), purses(account), world.boots(machine.public_id)
    segments = list(Segment.objects.values_list().order_by("pk"))
    move(by(account, "r-1"), [machine.public_id], _into(subnet))
    assert _latest(machine) == ("RUNNING", "ModifyInstancesVpcAttribute", "OPERATING")
    assert (_at(machine), now(machine).latest_operation_request_id) == ((before.subnet_id, before.private_ip), "r-1")
    assert _held(machine) == [_at(machine), (subnet.id, "10.0.1.2")]
    assert list(reconcile()) == []
    work()
    after = now(machine)
    assert _latest(machine) == ("RUNNING", "ModifyInstancesVpcAttribute", "SUCCESS")
    assert (_at(machine), _held(machine)) == ((subnet.id, "10.0.1.2"), [(subnet.id, "10.0.1.2")])
    assert (_seen(machine), world.boots(machine.public_id)) == ("10.0.1.2", boots + 1)
    assert engine_of(ZONE).observe(machine.public_id).public_ip == (before.public_ip or "")
    kept = ("mac", "public_ip", "hostname", "name", "instance_type_id", "charge_type", "security_groups", "image_id")
    assert [getattr(after, name) for name in kept] == [getattr(before, name) for name in kept]
    assert (purses(account), list(Segment.objects.values_list().order_by("pk"))) == (money, segments)
    (event,) = Event.objects.filter(kind="network_changed")
    old = Subnet.objects.get(id=before.subnet_id).public_id
    assert event.detail == {
        "was_at": f"{old} {before.private_ip}", "now_at": f"{subnet.public_id} 10.0.1.2",
    }  # fmt: skip
    assert list(reconcile()) == []


def test_the_address_of_before_is_free_and_the_new_one_is_not(account: int, machine: Instance, subnet: Subnet) -> None:
    before = _at(machine)
    other = buy_running(account, HOURLY)
    move(by(account), [machine.public_id], _into(subnet, "10.0.1.7"))
    default = Subnet.objects.get(id=before[0])
    with refused(PrivateAddressTaken, field="network.private_ips", code="VpcIpIsUsed"):  # held until it is there
        move(by(account), [other.public_id], _into(default, before[1]))
    with refused(NetworkInUse, match=machine.public_id):
        subnets.delete(by(account), subnet.public_id)
    work()
    move(by(account), [other.public_id], _into(default, before[1]))
    work()
    assert (_at(machine), _at(other)) == ((subnet.id, "10.0.1.7"), before)
    with refused(PrivateAddressTaken, field="network.private_ips", match=r"10\.0\.1\.7 is in use"):
        move(by(account), [other.public_id], _into(subnet, "10.0.1.7"))
    assert list(reconcile()) == []


def test_to_another_address_of_its_own_subnet_and_back_to_the_default_one(account: int, machine: Instance) -> None:
    subnet_id, before = _at(machine)
    subnet = Subnet.objects.get(id=subnet_id)
    chosen = str(subnet.block[200])
    move(by(account), [machine.public_id], _into(subnet, chosen))
    work()
    assert _at(machine) == (subnet_id, chosen)
    move(by(account), [machine.public_id], DEFAULT_NETWORK)  # the next in turn
    work()
    assert _at(machine) == (subnet_id, str(subnet.block[11]))
    assert (before, _held(machine)) == (str(subnet.block[10]), [_at(machine)])


def test_a_default_network_is_made_where_there_is_none(account: int, subnet: Subnet) -> None:
    """Given an account whose only machine was bought into a subnet of its own."""
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    (name,) = buy(account, subnet).instance_ids
    work()
    assert not Subnet.objects.filter(account_id=account).exists()
    move(by(account), [name], DEFAULT_NETWORK)
    work()
    default = Subnet.objects.get(account_id=account)
    assert _at(Instance.objects.get(public_id=name)) == (default.id, str(default.block[10]))
    assert (default.vpc.account_id, default.zone_id) == (account, ZONE)
    assert list(reconcile()) == []


def test_several_all_or_none_in_the_order_asked_for(account: int, subnet: Subnet) -> None:
    machines = [buy_running(account, HOURLY) for _ in range(2)]
    names = [machine.public_id for machine in machines]
    move(by(account), names[::-1], _into(subnet, "10.0.1.3", "10.0.1.2"))
    work()
    assert [_at(machine) for machine in machines] == [(subnet.id, "10.0.1.2"), (subnet.id, "10.0.1.3")]
    with refused(errors.UnknownInstance):
        move(by(account), [names[0], "ins-00000000"], DEFAULT_NETWORK)


@pytest.mark.parametrize("mode", [stop.KEEP_CHARGING, stop.STOP_CHARGING])
def test_a_machine_that_is_off_stays_off(account: int, machine: Instance, subnet: Subnet, mode: str) -> None:
    stop.stop(by(account), [machine.public_id], stopped_mode=mode)
    work()
    move(by(account), [machine.public_id], _into(subnet), while_running=False)
    work()
    assert _latest(machine) == ("STOPPED", "ModifyInstancesVpcAttribute", "SUCCESS")
    assert (_at(machine), now(machine).stop_charging_mode) == ((subnet.id, "10.0.1.2"), mode)
    assert engine_of(ZONE).observe(machine.public_id).power == "stopped"
    assert list(reconcile()) == []


def test_a_bought_public_address_follows(account: int, subnet: Subnet) -> None:
    machine = buy_running(account, HOURLY)
    eip = bound(account, machine)
    move(by(account), [machine.public_id], _into(subnet))
    work()
    seen = engine_of(ZONE).observe(machine.public_id)
    assert (seen.private_ip, seen.public_ip) == ("10.0.1.2", eip.ip)
    assert list(reconcile()) == []


def test_rules_hold_at_the_new_address_and_name_it(account: int, subnet: Subnet, world: World) -> None:
    """Given a group that lets its own members in, then a member that moved to another VPC is let in there alone."""
    group = change.create(by(account), HOURLY.region, "own", "").public_id
    change.add(by(account), group, Policies(ingress=[Named(Policy("ACCEPT", "TCP", "22", group=group))]))
    machines = [buy_running(account, HOURLY) for _ in range(3)]
    names = [machine.public_id for machine in machines]
    for name in names:
        groups.join(by(account), [name], [group])
        groups.leave(by(account), [name], [groups.of(Instance.objects.get(public_id=name))[0]])
    work()
    first, second, third = machines

    def lets(machine: Instance, ip: str) -> bool:
        return world.lets_in(machine.public_id, Packet(TCP, ip, 22))

    assert (lets(second, first.private_ip), lets(first, second.private_ip)) == (True, True)
    move(by(account), names[:1], _into(subnet))
    work()
    assert (lets(second, first.private_ip), lets(second, third.private_ip)) == (False, True)  # it left
    assert (lets(second, "10.0.1.2"), lets(first, second.private_ip)) == (False, False)  # another VPC
    move(by(account), names[1:2], _into(subnet))
    work()
    assert (lets(second, "10.0.1.2"), lets(first, "10.0.1.3"), lets(third, second.private_ip)) == (True, True, False)
    assert sweep.sweep(ZONE) == []


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (
            lambda s: NetworkWanted("vpc-none", s.public_id),
            (errors.UnknownNetwork, "network.vpc_id", "InvalidParameterValue.VpcIdNotExist"),
        ),
        (
            lambda s: NetworkWanted(s.vpc.public_id, "subnet-none"),
            (errors.UnknownNetwork, "network.subnet_id", "InvalidParameterValue.SubnetNotExist"),
        ),
        (
            lambda s: NetworkWanted(s.vpc.public_id),
            (errors.UnknownNetwork, "network.subnet_id", "InvalidParameterValue.SubnetNotExist"),
        ),
        (lambda s: _into(s, "10.0.2.2"), (PrivateAddressOutside, "network.private_ips", "VpcAddrNotInSubNet")),
        (
            lambda s: _into(s, "ten"),
            (BadPrivateAddress, "network.private_ips", "InvalidParameterValue.IPAddressMalformed"),
        ),
        (lambda s: _into(s, "10.0.1.2", "10.0.1.3"), (InvalidParameter, "network.private_ips", "InvalidParameter")),
        (
            lambda s: NetworkWanted(private_ips=("10.0.1.2",)),
            (InvalidParameter, "network.private_ips", "InvalidParameter"),
        ),
    ],
)
def test_a_network_that_is_none_of_its(
    account: int, machine: Instance, subnet: Subnet, network: Callable[[Subnet], NetworkWanted],
    told: tuple[type[Refused], str, str],
) -> None:  # fmt: skip
    error, field, code = told
    with refused(error, field=field, code=code):
        move(by(account), [machine.public_id], network(subnet))


def test_subnets_of_others_and_of_other_zones(account: int, machine: Instance, subnet: Subnet) -> None:
    foreign = made(open_purse("other"), "10.0.9.0/28")
    with refused(errors.UnknownNetwork, field="network.subnet_id", code="InvalidParameterValue.SubnetNotExist"):
        move(by(account), [machine.public_id], NetworkWanted(subnet_id=foreign.public_id))
    there = subnets.create(by(account), subnet.vpc.public_id, NewSubnet("there", "10.0.3.0/24", OTHER_ZONE))
    with refused(errors.UnknownNetwork, field="network.subnet_id", code="InvalidParameterValue.SubnetIdZoneIdNotMatch"):
        move(by(account), [machine.public_id], _into(there))
    stranger = open_purse("third")
    with refused(errors.UnknownInstance):
        move(by(stranger), [machine.public_id], DEFAULT_NETWORK)


def test_what_it_has_already_a_full_subnet_and_one_that_is_busy(
    account: int, machine: Instance, subnet: Subnet
) -> None:
    own = Subnet.objects.get(id=machine.subnet_id)
    with refused(PrivateAddressTaken, field="network.private_ips", match=r"has the private address .* already"):
        move(by(account), [machine.public_id], _into(own, machine.private_ip))
    PrivateAddress.objects.bulk_create(
        PrivateAddress(instance_id=10**12 + host, subnet=subnet, ip=f"10.0.1.{host}") for host in range(2, 15)
    )
    with refused(errors.SubnetFull, field="network.subnet_id", match=subnet.public_id):
        move(by(account), [machine.public_id], _into(subnet))
    PrivateAddress.objects.filter(instance_id__gt=10**12).delete()
    move(by(account), [machine.public_id], _into(subnet))
    with refused(errors.Busy, field="machines"):
        move(by(account), [machine.public_id], DEFAULT_NETWORK)


def test_a_running_machine_is_not_turned_off_unasked(account: int, machine: Instance, subnet: Subnet) -> None:
    with refused(errors.WrongState, field="while_running", code="UnsupportedOperation.InstanceStateRunning"):
        move(by(account), [machine.public_id], _into(subnet), while_running=False)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"state": "SHUTDOWN"}, "UnsupportedOperation.InstanceStateIsolating"),
        ({"state": "STOPPED", "kind": "virtual-machine"}, "UnsupportedOperation.InstanceStateStopped"),
        ({"state": "LAUNCH_FAILED"}, "UnsupportedOperation.InstanceStateNotRunning"),
    ],
)
def test_machines_that_cannot_be_moved(account: int, subnet: Subnet, columns: dict[str, str], code: str) -> None:
    names = one(HOURLY, **columns)(account)
    with refused(errors.WrongState, field="machines", code=code):
        move(by(account), names, _into(subnet))


# -- what goes wrong ----------------------------------------------------------------------------


def test_an_engine_that_refuses_leaves_the_machine_where_it_was(
    account: int, machine: Instance, subnet: Subnet, world: World
) -> None:
    before = _at(machine)
    move(by(account), [machine.public_id], _into(subnet))
    world.fail("ensure_network", times=6, sentence="No.")
    work()
    found = now(machine)
    assert _latest(machine) == ("RUNNING", "ModifyInstancesVpcAttribute", "FAILED")
    assert found.latest_operation_error == f"{FAILED}\nNo.\n{TRY_AGAIN}"
    assert (_at(machine), _held(machine), _seen(machine)) == (before, [before], before[1])
    assert list(reconcile()) == []
    move(by(account), [machine.public_id], _into(subnet))
    work()
    assert _at(machine)[0] == subnet.id


def test_an_address_that_the_engine_may_have_is_nobody_elses_until_it_says_so(
    account: int, machine: Instance, subnet: Subnet, world: World
) -> None:
    """Given every answer of the move was lost, and then an engine that is away: the machine is at the new address."""
    before, there = _at(machine), (subnet.id, "10.0.1.2")
    move(by(account), [machine.public_id], _into(subnet))
    world.lose_answer("ensure_network", times=6)
    world.fail("ensure_network", 7, times=12)
    work()
    assert (_latest(machine)[2], _seen(machine)) == ("FAILED", "10.0.1.2")
    assert (_at(machine), _held(machine)) == (before, [before, there])
    with refused(errors.Busy, field="machines", match="set back from a move that failed"):
        move(by(account), [machine.public_id], DEFAULT_NETWORK)
    (operation,) = Operation.objects.filter(kind="network")
    assert operation.attention
    world.clear_faults()
    sweep.sweep(ZONE)  # the engine answers again
    work()
    assert (_at(machine), _held(machine), _seen(machine)) == (before, [before], before[1])
    assert now(machine).state == "RUNNING"
    assert list(reconcile()) == []


def test_a_setting_back_that_a_new_act_overtakes_gives_back_nothing_of_its(
    account: int, machine: Instance, subnet: Subnet, world: World
) -> None:
    """Given the engine has it elsewhere, so the sweep has it set back, and its owner moves it at the same time."""
    world.lose_answer("ensure_network")
    move(by(account), [machine.public_id], _into(subnet))
    owner = uuid.uuid4()
    (asked,) = queue.claim(owner, lanes(), 15, 10)
    loop.work(STEPS, [asked], owner)
    assert _held(machine) == [_at(machine), (subnet.id, "10.0.1.2")]
    assert sweep.sweep(ZONE) == []  # what is under way will see to it
    work()
    assert (_at(machine), _seen(machine)) == ((subnet.id, "10.0.1.2"), "10.0.1.2")


def test_a_setting_back_that_ends_behind_a_move_is_done_once_more(
    account: int, machine: Instance, subnet: Subnet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the engine is told of the old place while a move is asked for and done, then it is told of the new one."""
    where_it_is.send(machine)
    owner = uuid.uuid4()
    (asked,) = queue.claim(owner, lanes(), 15, 10)
    spec, engine = specs.load([machine.id])[machine.id].spec, engine_of(ZONE)

    def late(told: Instance) -> None:
        move(by(account), [told.public_id], _into(subnet))
        loop.work(STEPS, queue.claim(owner, lanes(), 15, 10), owner)
        engine.ensure_network(spec, on=True)

    with monkeypatch.context() as patch:
        patch.setattr(where_it_is, "_say", late)
        loop.work(STEPS, [asked], owner)
    assert (_at(machine), _seen(machine)) == ((subnet.id, "10.0.1.2"), machine.private_ip)
    run_until_idle(STEPS, lanes, wait=True)
    assert _seen(machine) == "10.0.1.2"
    assert list(reconcile()) == []


def test_the_sweep_sets_back_what_somebody_moved(account: int, machine: Instance, subnet: Subnet) -> None:
    engine_of(ZONE).ensure_network(specs.moved(machine, subnet.id, "10.0.1.9"), on=True)
    (sentence,) = reconcile()
    assert sentence == (
        f"{machine.public_id} is at {machine.private_ip} and its engine in {ZONE} has it at 10.0.1.9"
    )  # fmt: skip
    assert [(drift.kind, drift.repaired) for drift in sweep.sweep(ZONE)] == [("network", True)]
    work()
    assert _seen(machine) == machine.private_ip
    assert (list(reconcile()), sweep.sweep(ZONE)) == ([], [])


def test_reconcile_says_what_is_held_for_nothing(account: int, machine: Instance, subnet: Subnet) -> None:
    PrivateAddress.objects.create(instance_id=-machine.id, subnet=subnet, ip="10.0.1.5")
    (sentence,) = reconcile()
    assert sentence == (
        "a machine holds a second private address and is not on its way there, or it is held by no machine: "
        f"public_id {machine.public_id}, ip 10.0.1.5"
    )
    PrivateAddress.objects.all().delete()
    (sentence,) = reconcile()
    assert sentence.startswith(
        f"a machine shows a private address that it does not hold: public_id {machine.public_id}"
    )


@pytest.mark.parametrize("told", [False, True], ids=["before the engine", "behind the engine"])
def test_a_machine_that_is_ended_on_its_way_stays_where_it_was(
    account: int, machine: Instance, subnet: Subnet, world: World, *, told: bool
) -> None:
    before = _at(machine)
    move(by(account), [machine.public_id], _into(subnet))
    if told:
        world.lose_answer("ensure_network")
        owner = uuid.uuid4()
        (asked,) = queue.claim(owner, lanes(), 15, 10)
        loop.work(STEPS, [asked], owner)
    assert _seen(machine) == ("10.0.1.2" if told else before[1])
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert _latest(machine) == ("SHUTDOWN", "TerminateInstances", "SUCCESS")
    assert (_at(machine), _held(machine)) == (before, [before])
    seen = engine_of(ZONE).observe(machine.public_id)
    assert (seen.private_ip, seen.power) == (before[1], "stopped")
    assert list(reconcile()) == []
    terminate.terminate(by(account), [machine.public_id])
    work()
    assert (now(machine).state, _held(machine)) == ("GONE", [])
    assert not Operation.objects.filter(kind__in=["move", "network"]).exists()


def test_what_it_was_on_its_way_to_goes_with_a_machine_that_is_erased(
    account: int, machine: Instance, subnet: Subnet, world: World
) -> None:
    move(by(account), [machine.public_id], _into(subnet))
    world.lose_answer("ensure_network")
    world.fail("ensure_network", 2, times=100)
    for _ in range(2):
        terminate.terminate(by(account), [machine.public_id])
        work()
    assert (now(machine).state, _held(machine)) == ("GONE", [])
    world.clear_faults()
    sweep.sweep(ZONE)
    work()
    assert not Operation.objects.filter(kind__in=["move", "network"]).exists()
    assert list(reconcile()) == []
