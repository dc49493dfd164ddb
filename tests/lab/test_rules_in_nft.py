"""What nft makes of rules is what the evaluator says of them: random rules, random packets, a real bridge."""

import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vmart.engines.incus import groups
from vmart.engines.incus.daemon import why_not_here
from vmart.engines.incus.firewall import Bridge, Firewall
from vmart.engines.incus.groups import Guarded
from vmart.engines.incus.host import names_of_deployment
from vmart.engines.rules import ALL_OPEN, ANY, ICMP, OPEN, TCP, UDP, MachineRules, Packet, Rule, decide, digest
from vmart.kernel import clock

HOST, LEFT, RIGHT = "vmart-rules-h", "vmart-rules-l", "vmart-rules-r"
NAMES = names_of_deployment("rules")
TABLE = f"inet {NAMES.table}"
BRIDGE = Bridge(NAMES.bridge("rules"), "10.77.0.0/24", "10.77.0.1")
ON_LEFT, ON_RIGHT = ["10.77.0.10", "10.77.0.11"], ["10.77.0.20", "10.77.0.21"]
NETWORKS = ["0.0.0.0/0", "10.77.0.0/28", "10.77.0.10/32", "10.77.0.20/32", "10.77.0.0/24", "10.0.0.0/8", "192.0.2.0/24"]
PORTS = [21, 22, 23, 79, 80, 443, 8080, 65535]


def _run(namespace: str, *command: str, text: str = "") -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, *command], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def bridge() -> Iterator[None]:
    """A host and two neighbours on its bridge, in namespaces; the bridge is as the driver makes one."""
    if why_not_here():
        pytest.skip(f"no lab here: {why_not_here()}")
    if groups.why_not():
        pytest.skip(groups.why_not())
    with contextlib.ExitStack() as ends:
        for namespace in (HOST, LEFT, RIGHT):
            subprocess.run(["ip", "netns", "add", namespace], check=True)
            ends.callback(subprocess.run, ["ip", "netns", "del", namespace], check=True)
        _lay()
        yield


def _lay() -> None:
    _run(HOST, "ip", "link", "add", BRIDGE.name, "type", "bridge")
    for namespace, addresses in ((LEFT, ON_LEFT), (RIGHT, ON_RIGHT)):
        port = f"p-{namespace[-1]}"
        _run(HOST, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _run(HOST, "ip", "link", "set", port, "master", BRIDGE.name, "up")
        for address in addresses:
            _run(namespace, "ip", "address", "add", f"{address}/24", "dev", "eth0")
        _run(namespace, "ip", "link", "set", "eth0", "up")
        _run(namespace, "sysctl", "-qw", "net.ipv4.icmp_ratelimit=0", "net.ipv4.ping_group_range=0 0")
    _run(HOST, "ip", "address", "add", f"{BRIDGE.gateway}/24", "dev", BRIDGE.name)
    _run(HOST, "ip", "link", "set", BRIDGE.name, "up")
    # Off for the whole namespace, on for our bridge alone: what the driver relies on.
    _run(HOST, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.bridge.bridge-nf-call-iptables=0")
    _run(HOST, "ip", "link", "set", "dev", BRIDGE.name, "type", "bridge", "nf_call_iptables", "1")
    firewall = Firewall(NAMES)
    _nft([*firewall._base_script(), *firewall._bridge_lines(BRIDGE, None)])


def _nft(script: list[str]) -> None:
    _run(HOST, "nft", "-f", "-", text="\n".join(script) + "\n")


def _listed(what: str) -> list[dict[str, Any]]:
    return list(json.loads(_run(HOST, "nft", "-j", "list", *what.split()))["nftables"])


def _held() -> dict[str, dict[str, str]]:
    return groups.map_elements([item for name in groups.MAPS for item in _listed(f"map {TABLE} {name}")])


def _tell(rules: dict[str, MachineRules]) -> None:
    _nft(groups.lines(TABLE, [Guarded(address, told) for address, told in rules.items()], _held()))


def _arrived(namespace: str, packets: list[tuple[str, str, str, int]]) -> list[bool]:
    sender = str(Path(__file__).with_name("packet_sender.py"))
    return list(json.loads(_run(namespace, sys.executable, sender, text=json.dumps(packets))))


def _random_rule(chance: random.Random) -> Rule:
    protocol = chance.choice([ANY, TCP, TCP, UDP, ICMP])
    pairs = [sorted(chance.sample(PORTS, 2)) for _ in range(chance.randint(0, 2))]
    ports = tuple((first, last) for first, last in pairs) if protocol in (TCP, UDP) else ()
    peers = tuple(chance.sample(NETWORKS, chance.choice([0, 1, 1, 1, 2])))
    return Rule(chance.random() < 0.6, protocol, ports, peers)


def _random_rules(chance: random.Random) -> MachineRules:
    ingress, egress = (tuple(_random_rule(chance) for _ in range(chance.randint(1, 6))) for _ in range(2))
    return MachineRules(ingress, egress if chance.random() < 0.6 else ALL_OPEN)


@pytest.mark.parametrize("seed", range(8))
def test_random_packets_pass_as_the_evaluator_says(bridge: None, seed: int) -> None:
    chance = random.Random(seed)
    rules = {address: _random_rules(chance) for address in ON_LEFT + ON_RIGHT}
    _tell(rules)
    packets = [
        (protocol, chance.choice(ON_LEFT), chance.choice(ON_RIGHT), chance.choice(PORTS))
        for protocol in (TCP, UDP) for _ in range(60)
    ] + [(ICMP, source, target, 0) for source in ON_LEFT for target in ON_RIGHT]  # fmt: skip
    expected = [
        decide(Packet(protocol, target, port), rules[source].egress)
        and decide(Packet(protocol, source, port), rules[target].ingress)
        for protocol, source, target, port in packets
    ]
    found = _arrived(LEFT, packets)
    assert [p for p, e, f in zip(packets, expected, found, strict=True) if e != f] == []


def test_rules_are_replaced_whole_and_forgotten_without_a_trace(bridge: None) -> None:
    source, target = ON_LEFT[0], ON_RIGHT[0]
    packet = (TCP, source, target, 22)
    _tell({target: MachineRules((), ALL_OPEN)})
    assert _arrived(LEFT, [packet]) == [False]
    _tell({target: OPEN})
    _tell({target: OPEN})
    assert _arrived(LEFT, [packet]) == [True]
    _tell({target: MachineRules((), ALL_OPEN), source: OPEN})
    for address in (target, source, source):
        _nft(groups.forget_lines(TABLE, [address], _held()))
    assert _held() == {"in": {}, "out": {}}
    chains = [item["chain"]["name"] for item in _listed("chains") if "chain" in item]
    assert [name for name in chains if name.startswith(("in.", "out."))] == []
    assert _arrived(LEFT, [packet]) == [True]  # nobody says anything of this address


def test_machines_with_the_same_rules_share_a_chain_until_the_last_leaves_it(bridge: None) -> None:
    closed = MachineRules((), ALL_OPEN)
    _tell(dict.fromkeys(ON_RIGHT, closed))
    _tell({ON_RIGHT[0]: OPEN})
    assert _arrived(LEFT, [(TCP, ON_LEFT[0], target, 22) for target in ON_RIGHT]) == [True, False]
    _tell({ON_RIGHT[1]: OPEN})
    assert set(_held()["in"].values()) == {f"in.{digest(ALL_OPEN)}.2"}
    assert _arrived(LEFT, [(TCP, ON_LEFT[0], target, 22) for target in ON_RIGHT]) == [True, True]


def test_a_change_for_fifty_machines_is_in_force_within_two_seconds(bridge: None) -> None:
    """The machine with the last word is a real neighbour; each rule names all fifty, as one that names a group."""
    others = [f"10.77.0.{number}" for number in range(100, 149)]
    members = tuple(f"{address}/32" for address in (*others, ON_LEFT[0]))
    rules = MachineRules(tuple(Rule(True, TCP, ((port, port),), members) for port in range(1, 101)), ALL_OPEN)
    target = ON_RIGHT[0]
    _tell(dict.fromkeys([*others, target], MachineRules((), ALL_OPEN)))
    assert _arrived(LEFT, [(TCP, ON_LEFT[0], target, 22)]) == [False]
    began = clock.wall()
    _tell(dict.fromkeys([*others, target], rules))
    assert (clock.wall() - began).total_seconds() < 2
    assert _arrived(LEFT, [(TCP, ON_LEFT[0], target, 22), (TCP, ON_LEFT[1], target, 22)]) == [True, False]
