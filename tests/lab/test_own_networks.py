"""Given subnets of customers on one host, then machines reach those of their own VPC, and of no other."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from vmart.engines.contract import Engine, MachineSpec, Subnet
from vmart.engines.incus.driver import IncusEngine
from vmart.engines.incus.firewall import Firewall

MakeSpec = Callable[..., MachineSpec]


def _in(spec: MachineSpec, key: str, third: int, *peers: str) -> MachineSpec:
    """The machine in a subnet 10.88.<third>.0/24."""
    subnet = Subnet(key, f"10.88.{third}.0/24", f"10.88.{third}.1", peers)
    return dataclasses.replace(spec, subnet=subnet, private_ip=f"10.88.{third}.7")


@pytest.fixture
def three(engine: Engine, lab: Lab, make_spec: MakeSpec) -> list[MachineSpec]:
    """Machines of two subnets of one VPC, the second made when the first was there, and of one of another VPC."""
    specs = [
        _in(make_spec(public=False), "subnet-own-a", 1),
        _in(make_spec(public=False), "subnet-own-b", 2, "subnet-own-a"),
        _in(make_spec(public=False), "subnet-other", 3),
    ]
    for spec in specs:
        engine.ensure_present(spec)
        lab.inside(spec.name, "cloud-init status --wait")
    return specs


def _reached(lab: Lab, specs: list[MachineSpec]) -> set[tuple[int, int]]:
    """Pairs of places: the first's machine gets an answer of the second's."""
    return {
        (one, other)
        for one, spec in enumerate(specs)
        for other, target in enumerate(specs)
        if one != other and lab.inside(spec.name, f"ping -q -c 1 -W 2 {target.private_ip}").returncode == 0
    }


def _firewall(engine: Engine) -> Firewall:
    assert isinstance(engine, IncusEngine)
    firewall = engine._open().firewall
    assert firewall is not None
    return firewall


def _asks(engine: Engine, spec: MachineSpec) -> list[Path]:
    """How often the host asks for a machine on its bridge: every so many milliseconds, and how many times."""
    assert isinstance(engine, IncusEngine)
    told = Path("/proc/sys/net/ipv4/neigh") / engine._open().networks.ensure_bridge(spec.subnet, []).name
    return [told / "retrans_time_ms", told / "mcast_solicit"]


def test_the_host_asks_for_a_machine_again_soon(engine: Engine, make_spec: MakeSpec) -> None:
    """Also on a bridge that was made anew, and so forgot it."""
    spec = _in(make_spec(public=False), "subnet-asked", 9)
    engine.ensure_present(spec)
    asks = _asks(engine, spec)
    assert [file.read_text() for file in asks] == ["100\n", "30\n"]
    for file, as_made in zip(asks, ["1000", "3"], strict=True):
        file.write_text(as_made)
    _firewall(engine).remove_table()
    engine.list_ours()
    assert [file.read_text() for file in asks] == ["100\n", "30\n"]


def test_subnets_of_one_vpc_reach_each_other_and_no_other(engine: Engine, lab: Lab, three: list[MachineSpec]) -> None:
    """Also with a table that was flushed, after which the engine's list says which belong together."""
    assert _reached(lab, three) == {(0, 1), (1, 0)}
    connects = f"timeout 5 bash -c '< /dev/tcp/{three[1].private_ip}/22'"
    assert lab.inside(three[0].name, connects).returncode == 0
    assert lab.inside(three[2].name, connects).returncode != 0
    _firewall(engine).remove_table()
    engine.list_ours()
    assert _reached(lab, three) == {(0, 1), (1, 0)}
    # The first goes and comes again while the second is there: both know each other still.
    engine.ensure_absent(three[0].name)
    engine.ensure_present(dataclasses.replace(three[0], subnet=_in(three[0], "subnet-own-a", 1, "subnet-own-b").subnet))
    lab.inside(three[0].name, "cloud-init status --wait")
    assert _reached(lab, three) == {(0, 1), (1, 0)}
