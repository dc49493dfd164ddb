"""Which packets reach a machine and leave it: compiled rules, and the one decision about them that all drivers share.

Rules are stateful as clouds have it: only the packet that opens a connection is decided on; answers, and what belongs
to a connection that is known, pass, also after a rule changed.
"""

import hashlib
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

ANY, TCP, UDP, ICMP, ICMPV6 = "ALL", "TCP", "UDP", "ICMP", "ICMPV6"
ANYWHERE, ANYWHERE6 = "0.0.0.0/0", "::/0"
Range = tuple[int, int]  # ports, both included


@dataclass(frozen=True, slots=True)
class Rule:
    """``peers`` are networks, of a group's members their addresses: none is nobody. ``ports`` none is all.

    A network of IPv4 says nothing of IPv6, and the other way round.
    """

    accept: bool
    protocol: str
    ports: tuple[Range, ...]
    peers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MachineRules:
    """The first rule that fits decides; what none fits is dropped."""

    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]

    def digest(self) -> str:
        """Tells two apart: what an engine has is compared by it."""
        return f"{digest(self.ingress)}{digest(self.egress)}"

    def way(self, way: str) -> tuple[Rule, ...]:
        """Those of ``in`` or ``out``."""
        return self.ingress if way == "in" else self.egress

    def plain(self) -> list[list[Any]]:
        """As JSON has it; ``of_plain`` reads it."""
        return [_plain(self.ingress), _plain(self.egress)]


def digest(rules: Sequence[Rule]) -> str:
    """16 characters that tell two lists of rules apart."""
    return hashlib.sha256(json.dumps(_plain(rules)).encode()).hexdigest()[:16]


def _plain(rules: Sequence[Rule]) -> list[Any]:
    return [[rule.accept, rule.protocol, [list(ports) for ports in rule.ports], list(rule.peers)] for rule in rules]


def of_plain(plain: Sequence[Sequence[Any]]) -> MachineRules:
    """What ``plain`` wrote."""
    ingress, egress = (
        tuple(
            Rule(accept, protocol, tuple((first, last) for first, last in ports), tuple(peers))
            for accept, protocol, ports, peers in rules
        )
        for rules in plain
    )
    return MachineRules(ingress, egress)


ALL_OPEN = (Rule(True, ANY, (), (ANYWHERE, ANYWHERE6)),)
OPEN = MachineRules(ALL_OPEN, ALL_OPEN)


@dataclass(frozen=True, slots=True)
class Packet:
    """One that opens a connection. ``peer`` is the other end, as the machine would call it; ``port`` is of who answers.

    ICMP has no port.
    """

    protocol: str
    peer: str
    port: int = 0


def decide(packet: Packet, rules: Sequence[Rule]) -> bool:
    """Whether the packet passes."""
    return next((rule.accept for rule in rules if _fits(packet, rule)), False)


def _fits(packet: Packet, rule: Rule) -> bool:
    if rule.protocol not in (ANY, packet.protocol):
        return False
    if rule.ports and not any(first <= packet.port <= last for first, last in rule.ports):
        return False
    peer = ipaddress.ip_address(packet.peer)
    return any(peer in ipaddress.ip_network(network) for network in rule.peers)
