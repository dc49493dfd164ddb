"""Given subnets of a customer, when machines are bought, then each has an address of the one that is named."""

import random
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from tests.support.actors import by
from tests.support.shopper import HOURLY, IMAGE, LOGIN, ZONE, open_purse, wanted, work
from tests.support.written import refused
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel.errors import InvalidParameter
from vmart.network import subnets, vpcs
from vmart.network.errors import BadPrivateAddress, PrivateAddressOutside, PrivateAddressTaken
from vmart.network.models import PrivateAddress, Subnet
from vmart.network.subnets import NewSubnet
from vmart.network.vpcs import NewVpc
from vmart.orders import errors, terminate
from vmart.orders.own_network import NetworkWanted
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Bought, Machine, Purchase
from vmart.provisioning import specs, zones

pytestmark = pytest.mark.usefixtures("in_business")


@pytest.fixture
def account() -> int:
    zones.check(ZONE)
    zones.prepare_images(ZONE)
    return open_purse(cash_minor=1_000_000)


@pytest.fixture
def subnet(account: int) -> Subnet:
    return made(account, "10.0.1.0/28")


def made(account: int, cidr: str, zone: str = ZONE) -> Subnet:
    vpc = vpcs.create(by(account), "ap-guangzhou", NewVpc("net", "10.0.0.0/16"))
    return subnets.create(by(account), vpc.public_id, NewSubnet("part", cidr, zone))


def into(account: int, network: NetworkWanted, count: int = 1) -> Purchase:
    machine = Machine(IMAGE, LOGIN, name="web", network=network)
    return wanted(account, replace(HOURLY, count=count), machine=machine)


def buy(account: int, subnet: Subnet, count: int = 1, *ips: str) -> Bought:
    return purchase(into(account, NetworkWanted(subnet.vpc.public_id, subnet.public_id, ips), count))


def _ips(bought: Bought) -> list[str]:
    held = dict(Instance.objects.values_list("public_id", "private_ip"))
    return [held[public_id] for public_id in bought.instance_ids]


def test_a_machine_in_a_named_subnet(account: int, subnet: Subnet) -> None:
    bought = buy(account, subnet, 2)
    assert _ips(bought) == ["10.0.1.2", "10.0.1.3"]
    machine = Instance.objects.get(public_id=bought.instance_ids[0])
    assert machine.subnet_id == subnet.id
    spec = specs.load([machine.id])[machine.id].spec
    assert (spec.subnet.key, spec.subnet.cidr, spec.subnet.gateway) == (subnet.public_id, "10.0.1.0/28", "10.0.1.1")
    work()
    assert Instance.objects.filter(state="RUNNING").count() == 2
    assert Subnet.objects.filter(account_id=account).count() == 0  # no default one was made
    assert list(reconcile()) == []


def test_the_engine_is_told_the_other_subnets_of_the_vpc_in_the_zone(account: int, subnet: Subnet) -> None:
    vpc_id = subnet.vpc.public_id
    peers = subnets.create_many(
        by(account), vpc_id,
        [NewSubnet("a", "10.0.2.0/24", ZONE), NewSubnet("b", "10.0.3.0/24", ZONE),
         NewSubnet("c", "10.0.4.0/24", "ap-guangzhou-6")],
    )  # fmt: skip
    subnets.delete(by(account), peers[1].public_id)
    made(account, "10.0.5.0/24")  # of another VPC
    machine = Instance.objects.get(public_id=buy(account, subnet).instance_ids[0])
    assert specs.load([machine.id])[machine.id].spec.subnet.peers == (peers[0].public_id,)


def test_chosen_addresses_one_a_machine(account: int, subnet: Subnet) -> None:
    assert _ips(buy(account, subnet, 2, "10.0.1.14", "10.0.1.3")) == ["10.0.1.14", "10.0.1.3"]
    assert _ips(buy(account, subnet, 3)) == ["10.0.1.2", "10.0.1.4", "10.0.1.5"]  # one of the turn was chosen
    with refused(PrivateAddressTaken, match="10.0.1.14 is in use", field="network.private_ips", code="VpcIpIsUsed"):
        buy(account, subnet, 2, "10.0.1.13", "10.0.1.14")
    with refused(InvalidParameter, match="1 private addresses are chosen for 2 machines", field="network.private_ips"):
        buy(account, subnet, 2, "10.0.1.13")
    with refused(InvalidParameter, match="10.0.1.13 is chosen twice", field="network.private_ips"):
        buy(account, subnet, 2, "10.0.1.13", "10.0.1.13")
    with refused(PrivateAddressOutside, field="network.private_ips", code="VpcAddrNotInSubNet"):
        buy(account, subnet, 1, "10.0.1.1")
    with refused(BadPrivateAddress, field="network.private_ips", code="InvalidParameterValue.IPAddressMalformed"):
        buy(account, subnet, 1, "10.0.1")
    with refused(InvalidParameter, match="named by its id", field="network.private_ips"):
        purchase(into(account, NetworkWanted(private_ips=("10.64.0.20",))))


def test_a_full_subnet(account: int, subnet: Subnet) -> None:
    first = buy(account, subnet, 13)
    assert _ips(first) == [f"10.0.1.{host}" for host in range(2, 15)]
    said = f"The subnet {subnet.public_id} has too few free addresses."
    with refused(
        errors.SubnetFull, match=said, field="network.subnet_id",
        code="FailedOperation.NoAvailableIpAddressCountInSubnet",
    ):  # fmt: skip
        buy(account, subnet)
    work()
    for _ in range(2):
        terminate.terminate(by(account), [first.instance_ids[4], first.instance_ids[7]])
        work()
    with refused(errors.SubnetFull):
        buy(account, subnet, 3)
    assert _ips(buy(account, subnet, 2)) == ["10.0.1.6", "10.0.1.9"]


def test_addresses_are_given_once_and_never_outside(account: int, subnet: Subnet) -> None:
    """Whatever is bought, chosen and erased, in any order: each address has one machine, none is a reserved one."""
    draw, held = random.Random(44), {}
    possible = [f"10.0.1.{host}" for host in range(2, 15)]
    for _ in range(40):
        free = [ip for ip in possible if ip not in held]
        count = min(draw.randint(1, 3), len(free))
        if count and draw.random() < 0.6:
            chosen = draw.sample(free, count) if draw.random() < 0.5 else []
            bought = buy(account, subnet, count, *chosen)
            given = _ips(bought)
            assert given == (chosen or given) and set(given) <= set(free) and len(set(given)) == count
            held |= dict(zip(given, bought.instance_ids, strict=True))
        elif held:
            work()
            gone = draw.sample(sorted(held), min(count or 1, len(held)))
            for _ in range(2):
                terminate.terminate(by(account), [held[ip] for ip in gone])
                work()
            held = {ip: machine for ip, machine in held.items() if ip not in gone}
        assert sorted(PrivateAddress.objects.values_list("ip", flat=True), key=IPv4Address) == sorted(
            held, key=IPv4Address
        )


def test_a_network_that_cannot_be_bought_into(account: int, subnet: Subnet) -> None:
    elsewhere = made(account, "10.0.2.0/24", "ap-guangzhou-6")
    stranger = open_purse("stranger", cash_minor=1000)
    vpc_id, subnet_id = subnet.vpc.public_id, subnet.public_id
    for buyer, network, code, said in [
        (account, NetworkWanted(vpc_id, "DEFAULT"), "SubnetNotExist", f"in ap-guangzhou-4; there are {subnet_id}."),
        (account, NetworkWanted(vpc_id, elsewhere.public_id), "SubnetIdZoneIdNotMatch", "is in another zone"),
        (account, NetworkWanted(elsewhere.vpc.public_id, subnet_id), "VpcIdSubnetIdNotMatch", f"the VPC {vpc_id};"),
        (stranger, NetworkWanted("DEFAULT", subnet_id), "SubnetNotExist", "possible here are DEFAULT."),
        (stranger, NetworkWanted(vpc_id, subnet_id), "VpcIdNotExist", "possible here are DEFAULT."),
        (account, NetworkWanted("DEFAULT", "\0"), "SubnetNotExist", "does not exist"),
    ]:
        with refused(errors.UnknownNetwork, match=said, code=f"InvalidParameterValue.{code}"):
            purchase(into(buyer, network))
