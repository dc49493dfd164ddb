"""Rules of security groups, from inside two real machines: their neighbour, the internet, and what starts anew."""

import dataclasses
import time
from collections.abc import Callable

import pytest

from tests.lab.conftest import Internet, Lab
from vmart.engines.contract import Engine, MachineSpec
from vmart.engines.incus import groups
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.rules import ALL_OPEN, ANY, OPEN, TCP, MachineRules, Rule

MakeSpec = Callable[..., MachineSpec]
CLOSED = MachineRules((), ALL_OPEN)


def _only(port: int, *peers: str) -> MachineRules:
    return MachineRules((Rule(True, TCP, ((port, port),), peers or ("0.0.0.0/0",)),), ALL_OPEN)


def _can_reach(lab: Lab, machine: str, target: str, port: int = 22) -> bool:
    return lab.inside(machine, f"timeout 2 bash -c 'head -c 3 < /dev/tcp/{target}/{port}'").stdout == "SSH"


def _wait_for_ssh(lab: Lab, machine: str, target: str) -> None:
    ends = time.monotonic() + 60
    while not _can_reach(lab, machine, target):
        assert time.monotonic() < ends


def test_neighbours_reach_each_other_only_as_rules_say(engine: Engine, lab: Lab, make_spec: MakeSpec) -> None:
    if groups.why_not():
        pytest.skip(groups.why_not())
    assert engine.capabilities().security_groups
    one, other = make_spec(), make_spec()
    assert one.public_address is not None and other.public_address is not None
    engine.ensure_present(one)
    engine.ensure_present(other)
    _wait_for_ssh(lab, one.name, other.private_ip)

    engine.ensure_rules({other.name: CLOSED})
    assert not _can_reach(lab, one.name, other.private_ip)
    assert not _can_reach(lab, one.name, other.public_address.ip)
    assert lab.inside(one.name, f"ping -q -c 1 -W 2 {other.private_ip}").returncode == 1
    assert _can_reach(lab, other.name, one.private_ip)  # what it opens itself is answered

    # By a group: its members' private addresses. By the public way a neighbour shows its public one.
    engine.ensure_rules({other.name: _only(22, f"{one.private_ip}/32")})
    assert _can_reach(lab, one.name, other.private_ip)
    assert not _can_reach(lab, one.name, other.public_address.ip)
    engine.ensure_rules({other.name: _only(22, f"{one.public_address.ip}/32")})
    assert not _can_reach(lab, one.name, other.private_ip)
    assert _can_reach(lab, one.name, other.public_address.ip)
    engine.ensure_rules({other.name: _only(23)})
    assert not _can_reach(lab, one.name, other.private_ip)

    # Out: by the address that was called, also where a forward turns it.
    deny = Rule(False, ANY, (), (f"{other.public_address.ip}/32",))
    engine.ensure_rules({other.name: OPEN, one.name: MachineRules(ALL_OPEN, (deny, *ALL_OPEN))})
    assert _can_reach(lab, one.name, other.private_ip)
    assert not _can_reach(lab, one.name, other.public_address.ip)
    engine.ensure_absent(one.name)
    engine.ensure_absent(other.name)


def test_the_internet_reaches_an_opened_port_alone_and_so_it_stays_when_all_starts_anew(
    engine: Engine, lab: Lab, internet: Internet, make_spec: MakeSpec
) -> None:
    spec = dataclasses.replace(make_spec(), rules=CLOSED)
    neighbour = make_spec(public=False)
    assert spec.public_address is not None
    engine.ensure_present(spec)
    engine.ensure_present(neighbour)
    assert (
        lab.inside(spec.name, "cloud-init status --wait > /dev/null; ip -4 address show eth0").stdout.count(
            f"{spec.private_ip}/"
        )
        == 1
    )  # DHCP is answered to a machine that lets nothing in
    assert not internet.connects(spec.public_address.ip, 22)
    engine.ensure_rules({spec.name: _only(22)})
    assert internet.connects(spec.public_address.ip, 22)
    engine.ensure_rules({spec.name: CLOSED})
    assert not internet.connects(spec.public_address.ip, 22)
    assert not _can_reach(lab, neighbour.name, spec.private_ip)

    # The host's packet filter is lost: the next look makes it anew, by another process.
    assert isinstance(engine, IncusEngine) and engine._open().firewall is not None
    engine._open().firewall.remove_table()
    assert _can_reach(lab, neighbour.name, spec.private_ip)
    lab.engine().list_ours()
    assert not _can_reach(lab, neighbour.name, spec.private_ip)
    assert not internet.connects(spec.public_address.ip, 22)
    engine.ensure_absent(spec.name)
    engine.ensure_absent(neighbour.name)
