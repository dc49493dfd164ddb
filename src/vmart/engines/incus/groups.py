"""The rules of machines' security groups as nft has them: a chain for each list of rules, found by address in a map.

Machines with the same rules share a chain, so that a change for many is one chain and an element each. A chain is
called by the digest of its rules, is there as long as an element leads to it, and never changes.

Outgoing connections are decided on as they are forwarded, by the address that the machine called (a forward may have
turned it since). Incoming ones are decided on behind the NAT, where a neighbour that came by a public address shows its
own public address and no private one that another customer's rule may trust. Traffic within a bridge comes by both
chains because the bridge hands it to the host's IP packet filter (``nf_call_iptables``, ADR 0043).
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmart.engines.incus.host import run
from vmart.engines.rules import ANY, ANYWHERE, ICMP, MachineRules, Rule, digest

_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
HOOKS = {
    "groups_out": "type filter hook forward priority -9; policy accept;",
    # Behind every source NAT, which is at 100.
    "groups_in": "type filter hook postrouting priority 150; policy accept;",
}
WAYS = ("in", "out")
MAPS = tuple(f"rules_{way}" for way in WAYS)
Held = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A machine's address, and the rules in force for it."""

    private_ip: str
    rules: MachineRules


def why_not() -> str:
    """Empty where a bridge of this host can hand its packets to the IP packet filter."""
    if not _CALLS.exists():
        run(["modprobe", "br_netfilter"], check=False)
    return "" if _CALLS.exists() else "the kernel has no br_netfilter"


def watch_bridge(bridge: str) -> None:
    """Have packets within the bridge come by the IP packet filter."""
    run(["ip", "link", "set", "dev", bridge, "type", "bridge", "nf_call_iptables", "1"])


def base_chains(ours: str) -> dict[str, tuple[str, ...]]:
    """The chains that every packet meets; ``ours`` is the pattern of our bridges' names."""
    known = "ct state established,related accept"
    return {
        "groups_out": (known, f"iifname {ours} ip saddr vmap @rules_out"),
        "groups_in": (
            known,
            "oifname . ip saddr @gateways udp sport 67 udp dport 68 accept",
            f"oifname {ours} ip daddr vmap @rules_in",
        ),
    }


def base_maps(table: str) -> list[str]:
    """The maps, made before the chains that name them."""
    return [f"add map {table} {name} {{ type ipv4_addr : verdict; }}" for name in MAPS]


def lines(table: str, guarded: Sequence[Guarded], held: Held) -> list[str]:
    """Exactly these rules at these addresses; ``held`` is what the maps hold (``map_elements``)."""
    script: list[str] = []
    for way in WAYS:
        wanted = {one.private_ip: one.rules.way(way) for one in guarded}
        chains = {_chain(way, rules): rules for rules in wanted.values()}
        script += _made(table, way, {name: chains[name] for name in chains.keys() - held[way].values()})
        script += _led(table, way, {address: _chain(way, rules) for address, rules in wanted.items()}, held[way])
    return script


def forget_lines(table: str, private_ip: str, held: Held) -> list[str]:
    """No rules at an address."""
    return [line for way in WAYS for line in _led(table, way, {private_ip: ""}, held[way])]


def _made(table: str, way: str, chains: Mapping[str, Sequence[Rule]]) -> Iterator[str]:
    for chain, rules in chains.items():
        yield f"add chain {table} {chain}"
        for text in (_rule(way, rule) for rule in rules):
            if text:
                yield f"add rule {table} {chain} {text}"
        yield f"add rule {table} {chain} drop"


def _led(table: str, way: str, wanted: Mapping[str, str], held: Mapping[str, str]) -> Iterator[str]:
    """Have addresses lead to chains, "" to none; chains to which nothing leads any more go."""
    changed = {address: chain for address, chain in wanted.items() if held.get(address, "") != chain}
    after = {address: chain for address, chain in ({**held, **changed}).items() if chain}
    for address, chain in changed.items():
        if address in held:
            yield f"delete element {table} rules_{way} {{ {address} }}"
        if chain:
            yield f"add element {table} rules_{way} {{ {address} : jump {chain} }}"
    for chain in sorted(set(held.values()) - set(after.values())):
        yield f"flush chain {table} {chain}"
        yield f"delete chain {table} {chain}"


def map_elements(items: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """{way: {address: chain}} out of `nft -j list map`."""
    maps = {item["map"]["name"]: item["map"].get("elem", []) for item in items if "map" in item}
    return {
        way: {address: verdict["jump"]["target"] for address, verdict in maps.get(f"rules_{way}", [])} for way in WAYS
    }


def _chain(way: str, rules: tuple[Rule, ...]) -> str:
    return f"{way}.{digest(rules)}"


def _rule(way: str, rule: Rule) -> str:
    """One rule; "" for one that fits nobody."""
    if not rule.peers:
        return ""
    parts = [_peers(way, rule.peers), _protocol(rule), "accept" if rule.accept else "drop"]
    return " ".join(part for part in parts if part)


def _peers(way: str, peers: Sequence[str]) -> str:
    if ANYWHERE in peers:
        return ""
    networks = ipaddress.collapse_addresses(ipaddress.IPv4Network(peer) for peer in peers)
    end = "ip saddr" if way == "in" else "ct original ip daddr"
    return f"{end} {{ {', '.join(map(str, networks))} }}"


def _protocol(rule: Rule) -> str:
    if rule.protocol == ANY:
        return ""
    name = rule.protocol.lower()
    if rule.protocol == ICMP:
        return "meta l4proto icmp"
    if not rule.ports:
        return f"meta l4proto {name}"
    return f"{name} dport {{ {', '.join(f'{first}-{last}' for first, last in _merged(rule.ports))} }}"


def _merged(ports: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that meet are one: nft takes none that overlap."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ports):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
