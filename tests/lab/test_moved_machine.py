"""A real machine that is moved to another private network: it answers there, and nobody of the old one reaches it."""

import dataclasses
from collections.abc import Callable

from tests.lab.conftest import Internet, Lab
from vmart.engines.contract import Engine, MachineSpec, Subnet
from vmart.engines.rules import OPEN, TCP, MachineRules, Rule

MakeSpec = Callable[..., MachineSpec]
_SEEN = "cloud-init status --wait > /dev/null; hostname; cat /root/mark; cat /etc/ssh/ssh_host_ed25519_key.pub"


def _in(spec: MachineSpec, third: int, host: int) -> MachineSpec:
    """The machine in a subnet 10.87.<third>.0/24 of a VPC of its own."""
    subnet = Subnet(f"subnet-move-{third}", f"10.87.{third}.0/24", f"10.87.{third}.1")
    return dataclasses.replace(spec, subnet=subnet, private_ip=f"10.87.{third}.{host}")


def _pings(lab: Lab, one: MachineSpec, ip: str) -> bool:
    return lab.inside(one.name, f"ping -q -c 1 -W 2 {ip}").returncode == 0


def _heard(lab: Lab, heir: MachineSpec, neighbour: MachineSpec) -> bool:
    """Whether a neighbour that knew whose the address was reaches who has it now, once that one has asked anybody.

    Until then it sends to who had it, for less than a minute: so are neighbours remembered (ARP). One that has just
    begun to doubt what it knows hears nothing for a second (``locktime``): it is asked a few times.
    """
    lab.inside(heir.name, f"ping -q -c 1 -W 1 {heir.subnet.gateway}")
    return any(_pings(lab, neighbour, heir.private_ip) for _ in range(5))


def _addresses(lab: Lab, one: MachineSpec) -> list[str]:
    """IPv4 addresses inside, with their prefixes, and the way out."""
    shown = lab.inside(one.name, "ip -4 -br address show eth0; ip route show default")
    address, route = shown.stdout.splitlines()
    return [*address.split()[2:], route.split()[2]]


def test_a_machine_answers_in_its_new_network_and_no_longer_in_the_old_one(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    moving, old, new = _in(make_spec(), 1, 7), _in(make_spec(public=False), 1, 8), _in(make_spec(public=False), 2, 8)
    for spec in (moving, old, new):
        engine.ensure_present(spec)
    for spec in (moving, old, new):
        lab.inside(spec.name, "cloud-init status --wait")
    assert moving.public_address is not None
    address = moving.public_address.ip
    lab.inside(moving.name, "echo kept > /root/mark; sync")
    before = lab.inside(moving.name, _SEEN).stdout
    assert (_pings(lab, old, moving.private_ip), _pings(lab, new, moving.private_ip)) == (True, False)
    assert internet.connects(address, 22)
    sent = engine.counters([moving.name])[moving.name]

    there = _in(moving, 2, 9)
    engine.ensure_network(there, on=True)
    assert lab.inside(moving.name, _SEEN).stdout == before  # the same system, with all that is in it
    assert _addresses(lab, there) == ["10.87.2.9/24", "10.87.2.1"]
    assert [_pings(lab, one, there.private_ip) for one in (old, new)] == [False, True]
    assert [_pings(lab, one, moving.private_ip) for one in (old, new)] == [False, False]
    assert internet.connects(address, 22)  # the public address followed
    assert _pings(lab, there, internet.ip)
    counted = engine.counters([moving.name])[moving.name]
    assert (counted.epoch, counted.out_bytes > sent.out_bytes) == (sent.epoch, True)

    # The address of before is another machine's now, and a restart of either changes nothing.
    heir = _in(make_spec(public=False), 1, 7)
    engine.ensure_present(heir)
    lab.inside(heir.name, "cloud-init status --wait")
    for on in (False, True):
        engine.ensure_power(there.name, on)
    lab.inside(there.name, "cloud-init status --wait")
    assert _addresses(lab, there) == ["10.87.2.9/24", "10.87.2.1"]
    assert (_heard(lab, heir, old), _pings(lab, new, there.private_ip)) == (True, True)
    assert internet.connects(address, 22)

    # Back where it was, off at first.
    engine.ensure_absent(heir.name)
    engine.ensure_power(there.name, False)
    engine.ensure_network(moving, on=False)
    assert engine.observe(moving.name).power == "stopped"
    engine.ensure_network(moving, on=True)
    lab.inside(moving.name, "cloud-init status --wait")
    assert _addresses(lab, moving) == ["10.87.1.7/24", "10.87.1.1"]
    assert (_heard(lab, moving, old), _pings(lab, new, moving.private_ip)) == (True, False)
    assert internet.connects(address, 22)


def test_its_rules_hold_from_its_first_packet_on_and_are_not_its_heirs(
    engine: Engine, lab: Lab, make_spec: MakeSpec
) -> None:
    """Given a closed machine that moves, then it is closed where it is, and who has its address of before is open."""
    closed = MachineRules((Rule(accept=True, protocol=TCP, ports=((22, 22),), peers=("0.0.0.0/0",)),), OPEN.egress)
    moving = dataclasses.replace(_in(make_spec(public=False), 3, 7), rules=closed)
    neighbour = _in(make_spec(public=False), 4, 8)
    for spec in (moving, neighbour):
        engine.ensure_present(spec)
    there = _in(moving, 4, 7)
    engine.ensure_network(there, on=True)
    heir = _in(make_spec(public=False), 3, 7)
    other = _in(make_spec(public=False), 3, 8)
    for spec in (heir, other):
        engine.ensure_present(spec)
    for spec in (there, neighbour, heir, other):
        lab.inside(spec.name, "cloud-init status --wait")
    assert not _pings(lab, neighbour, there.private_ip)
    connects = f"timeout 5 bash -c '< /dev/tcp/{there.private_ip}/22'"
    assert lab.inside(neighbour.name, connects).returncode == 0
    assert _pings(lab, other, heir.private_ip)
    assert engine.observe(there.name).rules == closed.digest()
