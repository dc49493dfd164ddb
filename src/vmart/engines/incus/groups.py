"""The rules of machines' security groups as nft has them: a chain for each list of rules, found by address in a map.

Machines with the same rules share a chain, so that a change for many is one chain and an element each. A chain is
called by the digest of its rules, is there as long as an element leads to it, and never changes.

Outgoing connections are decided on as they are forwarded, by the address that the machine called (a forward may have
turned it since). Incoming ones are decided on behind the NAT, where a neighbour that came by a public address shows its
own public address and no private one that another customer's rule may trust. Traffic within a bridge comes by both
chains because the bridge hands it to the host's IP packet filter (``nf_call_iptables``, ADR 0043).

IPv6 of a machine comes by a link of its own (ADR 0061), which is closed to addresses that nobody spoke of.
"""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmart.engines.incus.host import run
from vmart.engines.rules import ANY, ANYWHERE, ANYWHERE6, ICMP, ICMPV6, MachineRules, Rule, digest
from vmart.kernel.networks import network6

_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
HOOKS = {
    "groups_out": "type filter hook forward priority -9; policy accept;",
    # Behind every source NAT, which is at 100.
    "groups_in": "type filter hook postrouting priority 150; policy accept;",
}
WAYS = ("in", "out")
_MAPS = {f"rules{six}_{way}": f"ipv{six or 4}_addr" for way in WAYS for six in ("", "6")}  # and what leads by it
MAPS = tuple(_MAPS)
# What neighbours on a link ask each other; from further away it comes with a lower hop limit.
NEIGHBOURS = "ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"
Held = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Guarded:
    """A machine's addresses, and the rules in force for it."""

    private_ip: str
    rules: MachineRules
    ipv6: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that it has."""
        return (self.private_ip, self.ipv6) if self.ipv6 else (self.private_ip,)


def why_not() -> str:
    """Empty where a bridge of this host can hand its packets to the IP packet filter."""
    if not _CALLS.exists():
        run(["modprobe", "br_netfilter"], check=False)
    return "" if _CALLS.exists() else "the kernel has no br_netfilter"


def watch_bridge(bridge: str) -> None:
    """Have packets within the bridge come by the IP packet filter."""
    run(["ip", "link", "set", "dev", bridge, "type", "bridge", "nf_call_iptables", "1"])


def base_chains(ours: str, links: str) -> dict[str, tuple[str, ...]]:
    """The chains that every packet meets; by the patterns of our bridges' names and of machines' links for IPv6."""
    known = "ct state established,related accept"
    return {
        "groups_out": (
            known,
            f"iifname {ours} ip saddr vmap @rules_out",
            f"iifname {links} ip6 saddr vmap @rules6_out",
            f"iifname {links} drop",
        ),
        "groups_in": (
            known,
            "oifname . ip saddr @gateways udp sport 67 udp dport 68 accept",
            f"oifname {ours} ip daddr vmap @rules_in",
            f"oifname {links} {NEIGHBOURS} accept",
            f"oifname {links} ip6 daddr vmap @rules6_in",
            f"oifname {links} drop",
        ),
    }


def base_maps(table: str) -> list[str]:
    """The maps, made before the chains that name them."""
    return [f"add map {table} {name} {{ type {address} : verdict; }}" for name, address in _MAPS.items()]


def lines(table: str, guarded: Sequence[Guarded], held: Held) -> list[str]:
    """Exactly these rules at these addresses; ``held`` is what the maps hold (``map_elements``)."""
    script: list[str] = []
    for way in WAYS:
        wanted = {address: one.rules.way(way) for one in guarded for address in one.addresses}
        chains = {_chain(way, rules): rules for rules in wanted.values()}
        script += _made(table, way, {name: chains[name] for name in chains.keys() - held[way].values()})
        script += _led(table, way, {address: _chain(way, rules) for address, rules in wanted.items()}, held[way])
    return script


def forget_lines(table: str, addresses: Sequence[str], held: Held) -> list[str]:
    """No rules at these addresses."""
    return [line for way in WAYS for line in _led(table, way, dict.fromkeys(addresses, ""), held[way])]


def _made(table: str, way: str, chains: Mapping[str, Sequence[Rule]]) -> Iterator[str]:
    for chain, rules in chains.items():
        yield f"add chain {table} {chain}"
        for text in (text for rule in rules for text in _rule(way, rule)):
            yield f"add rule {table} {chain} {text}"
        yield f"add rule {table} {chain} drop"


def _led(table: str, way: str, wanted: Mapping[str, str], held: Mapping[str, str]) -> Iterator[str]:
    """Have addresses lead to chains, "" to none; chains to which nothing leads any more go."""
    changed = {address: chain for address, chain in wanted.items() if held.get(address, "") != chain}
    after = {address: chain for address, chain in ({**held, **changed}).items() if chain}
    for address, chain in changed.items():
        if address in held:
            yield f"delete element {table} {_map(way, address)} {{ {address} }}"
        if chain:
            yield f"add element {table} {_map(way, address)} {{ {address} : jump {chain} }}"
    for chain in sorted(set(held.values()) - set(after.values())):
        yield f"flush chain {table} {chain}"
        yield f"delete chain {table} {chain}"


def map_elements(items: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """{way: {address: chain}} out of `nft -j list map`."""
    maps = {item["map"]["name"]: item["map"].get("elem", []) for item in items if "map" in item}
    return {
        way: {
            address: verdict["jump"]["target"]
            for name in (f"rules_{way}", f"rules6_{way}")
            for address, verdict in maps.get(name, [])
        }
        for way in WAYS
    }


def _map(way: str, address: str) -> str:
    return f"rules6_{way}" if ":" in address else f"rules_{way}"


def _chain(way: str, rules: tuple[Rule, ...]) -> str:
    """Its number is that of how rules are written: a chain as they were written before stays as it is and goes."""
    return f"{way}.{digest(rules)}.2"


def _rule(way: str, rule: Rule) -> Iterator[str]:
    """One rule, for each kind of addresses it speaks of; nothing for one that fits nobody."""
    for peers in _peers(way, rule.peers):
        parts = [peers, _protocol(rule), "accept" if rule.accept else "drop"]
        yield " ".join(part for part in parts if part)


def _peers(way: str, peers: Sequence[str]) -> Iterator[str]:
    if {ANYWHERE, ANYWHERE6} <= set(peers):
        yield ""
        return
    for six, everywhere in (("", ANYWHERE), ("6", ANYWHERE6)):
        own = [peer for peer in peers if (":" in peer) is bool(six)]
        if everywhere in own:
            yield f"meta nfproto ipv{six or 4}"
        elif own:
            end = f"ip{six} saddr" if way == "in" else f"ct original ip{six} daddr"
            yield f"{end} {{ {', '.join(_collapsed(own))} }}"


def _collapsed(networks: Sequence[str]) -> list[str]:
    """Those of one kind, without what lies in another of them: nft takes none that overlap."""
    if ":" in networks[0]:
        return list(map(str, ipaddress.collapse_addresses(map(network6, networks))))
    return list(map(str, ipaddress.collapse_addresses(map(ipaddress.IPv4Network, networks))))


def _protocol(rule: Rule) -> str:
    if rule.protocol == ANY:
        return ""
    name = rule.protocol.lower()
    if rule.protocol in (ICMP, ICMPV6):
        return f"meta l4proto {name}"
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
