"""One nft table of our own on the host: isolation, outbound addresses, caps and byte counters.

Maps and sets keyed by address, so that a packet costs the same however many machines there are; every
change is one atomic `nft -f -`, idempotent, and the whole can be rebuilt from the engine's list. What
the table decides, in the order a packet meets it:

input       from a machine to the host: replies, DHCP, and DNS at its own bridge's address; nothing else
forward     between machines of one bridge or VPC: free, uncounted, uncapped · to another of our bridges: only
            when a forward (DNAT) led there · out: only with a public address and part of a connection, within
            its cap, counted (whole IP packets: header and payload) · in: only by a forward or as a reply, as long
            as the machine has a public address, within the cap
postrouting the machine's public address as source; where that is a documentation address, to which nobody could
            answer, the host's own
groups      what the machine's security groups let out (forward) and in (behind the NAT): ``groups.py``

A cap may be shared: the addresses of a bandwidth package name one limit of nft, beside each machine's own (ADR 0062).

IPv6 comes by a link of the machine's own (ADR 0061): nothing but IPv6, from and to the address that the link has,
within the cap and by the counter of the machine's other address. What the host forwards by IPv6 that is of no machine
is dropped where it forwards for machines alone (``links.rules_for_others``).
"""

import contextlib
import ipaddress
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vmart.engines.contract import EngineError
from vmart.engines.incus import groups, links
from vmart.engines.incus.groups import Guarded
from vmart.engines.incus.host import Names, OneAtATime, run
from vmart.kernel import clock

_MIN_INBOUND_MBPS = 10  # inbound is free: at least this, as the field has it
_DOCUMENTATION_CIDRS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")  # RFC 5737
_DOCUMENTATION = [ipaddress.ip_network(cidr) for cidr in _DOCUMENTATION_CIDRS]
# An empty chain: a mark that goes with the table. Its number is the rules': a table with those of before is rebuilt.
_WHOLE = "whole_6"

# Of each way: addresses to the limit that machines share.
_SHARES = {"o": ("out_share", "out_share6"), "i": ("in_share", "in_share6")}
_SHARED = [name for names in _SHARES.values() for name in names]
_BY_ADDRESS = (
    "out_counter", "out_cap", "in_cap", "public_of", "out_counter6", "out_cap6", "in_cap6", *_SHARED,
)  # fmt: skip
_HOOKS = {
    "input": "type filter hook input priority -10; policy accept;",
    "forward": "type filter hook forward priority -10; policy accept;",
    "others": "type filter hook forward priority -10; policy accept;",
    "postrouting": "type nat hook postrouting priority 90; policy accept;",
    **groups.HOOKS,
}
Look = Callable[[], tuple[Iterable["Bridge"], Iterable["Leave"], Iterable[Guarded]]]


@dataclass(frozen=True, slots=True)
class Bridge:
    """One private network on the host; ``peers`` are the bridges of its VPC that were known when it was made."""

    name: str
    cidr: str
    gateway: str
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """How one machine leaves: by ``public_ip``, at most ``mbps`` (10^6 bit/s) outbound.

    With all others of the same ``share`` (its key and how much it is) at most that much together.
    """

    machine: str
    private_ip: str
    public_ip: str
    mbps: int
    ipv6: str = ""
    share: tuple[str, int] | None = None

    @property
    def by_host(self) -> bool:
        """Whether it leaves with the host's address: its own is routed nowhere, as in a demo."""
        return any(ipaddress.ip_address(self.public_ip) in network for network in _DOCUMENTATION)


class Firewall:
    """The table of one deployment; ``alone`` keeps two from changing it at once."""

    def __init__(self, names: Names, alone: OneAtATime | None = None) -> None:
        self._names = names
        self._table = f"inet {names.table}"
        self._alone = alone or OneAtATime()
        self._known_base = False

    # -- whole ---------------------------------------------------------------------------------

    def why_not(self) -> str:
        """Empty when this process may edit the host's nft tables, else why not."""
        done = run(["nft", "list", "tables"], check=False)
        return "" if done.returncode == 0 else (done.stderr.strip() or "nft failed").splitlines()[0]

    def stands(self) -> bool:
        """Whether the table is there (it is not after the host started anew, or somebody flushed it)."""
        return self._has_chain("input")

    def ensure_base(self) -> None:
        """The empty table with its rules; what is in its maps stays. Closes the host to our bridges."""
        with self._alone():
            self._apply(self._base_script())
        self._known_base = True

    def is_whole(self) -> bool:
        """Whether everything the engine has is in the table: not where only the base was made, closed."""
        return self._has_chain(_WHOLE)

    def rebuild(self, look: Look) -> None:
        """Rules and maps as the engine has them; what else is there stays, and counters go on counting.

        ``look`` is asked while nobody else changes the table. A machine that it does not know yet is being made.
        """
        with self._alone():
            self._apply(self._base_script())
            bridges, leaves, guarded = look()
            state = self._state()
            script = [line for bridge in bridges for line in self._bridge_lines(bridge, state)]
            for leave in leaves:
                script += self._leave_lines(leave, state)
            script += groups.lines(self._table, list(guarded), self._rules_held())
            self._apply([*script, f"add chain {self._table} {_WHOLE}"])
        self._known_base = True

    def remove_table(self) -> None:
        run(["nft", "delete", "table", *self._table.split()], check=False)
        self._known_base = False

    # -- parts ---------------------------------------------------------------------------------

    def ensure_bridge(self, bridge: Bridge) -> None:
        self._with_base()
        with self._alone():
            self._apply(self._bridge_lines(bridge, None))

    def remove_bridge(self, bridge: Bridge) -> None:
        if not self.stands():
            return
        lines = self._bridge_lines(bridge, None)
        # Adding first makes the deletion idempotent: nft 1.0.6 has no `destroy`.
        with self._alone():
            self._apply([*lines, *(line.replace("add element", "delete element", 1) for line in lines)])

    def ensure_leave(self, leave: Leave, *, new: bool = False) -> None:
        """Exactly this way out; a counter that is there goes on.

        ``new``: the machine was made just now, so nothing of it can stand here, and the look at the
        table is paid for only when its address meets something an earlier owner left.
        """
        self._with_base()
        with self._alone():
            if new and leave.share is None:
                with contextlib.suppress(EngineError):
                    self._apply(self._leave_lines(leave, None))
                    return
            self._apply(self._leave_lines(leave, self._state()))

    def forget_leave(self, machine: str, *, keep_counter: bool) -> None:
        """No way out; without ``keep_counter`` its count is gone too."""
        if not self.stands():
            return
        with self._alone():
            self._apply(self._forget_lines(machine, self._state(), keep_counter=keep_counter))

    def ensure_rules(self, guarded: Sequence[Guarded]) -> None:
        """Exactly these rules of these machines, all at one instant."""
        self._with_base()
        with self._alone():
            self._apply(groups.lines(self._table, guarded, self._rules_held()))

    def forget_rules(self, addresses: Sequence[str]) -> None:
        """No rules at these addresses."""
        if not self.stands():
            return
        with self._alone():
            self._apply(groups.forget_lines(self._table, addresses, self._rules_held()))

    def counts(self) -> dict[str, tuple[int, str]]:
        """{machine: (bytes that left by its public address, epoch)}, in one call for all; {} where no table is.

        No answer is an error: taken for no bytes, it would have the next count charged to whoever has the address then.
        """
        done = run(["nft", "-j", "list", "counters", "table", *self._table.split()], check=False)
        if "No such file or directory" in done.stderr:
            return {}
        if done.returncode:
            raise EngineError("The packet filter does not answer.", transient=True, detail=done.stderr.strip())
        found = {}
        for item in json.loads(done.stdout)["nftables"]:
            if "counter" in item:
                machine, epoch = _counter_owner(item["counter"]["name"])
                found[machine] = (int(item["counter"]["bytes"]), epoch)
        return found

    # -- scripts -------------------------------------------------------------------------------

    def _base_script(self) -> list[str]:
        table, ours = self._table, f'"{self._names.bridge_prefix}*"'
        own_links = f'"{self._names.link_prefix}*"'
        chains = {
            "from_machine": (
                "ct state established,related accept",
                "udp dport 67 accept",
                "iifname . ip daddr @gateways udp dport 53 accept",
                "iifname . ip daddr @gateways tcp dport 53 accept",
                "drop",
            ),
            # Asked as "was it turned by a forward", never as "was it not": a packet that is not tracked
            # (multicast on the bridge, seen here where br_netfilter is on) answers neither.
            "outward": (
                "ct status dnat goto leaving",
                "iifname . oifname @same_vpc accept",
                "meta nfproto ipv6 drop",
                f"oifname {ours} drop",
                "goto leaving",
            ),
            "leaving": (
                # Of no connection (a late RST): the NAT leaves it as it is, with the private address as source.
                "ct state invalid drop",
                "ip saddr != @with_public drop",
                "limit name ip saddr map @out_cap drop",
                "limit name ip saddr map @out_share drop",
                "counter name ip saddr map @out_counter",
            ),
            "inward": (
                "meta nfproto ipv6 drop",
                "ct status dnat goto arriving",
                "ct state established,related goto arriving",
                "drop",
            ),
            # Also what a forward led here before it was taken off: its connection is known and would go on.
            "arriving": (
                "ip daddr != @with_public drop",
                "limit name ip daddr map @in_cap drop",
                "limit name ip daddr map @in_share drop",
            ),
            "from_link": (
                "meta nfproto ipv4 drop",
                # Each that asks from another address of its own is a neighbour that the host keeps in mind.
                f"{groups.NEIGHBOURS} update @asking {{ iifname limit rate over 10/second burst 50 packets }} drop",
                f"{groups.NEIGHBOURS} accept",
                "iifname . ip6 saddr != @links drop",
                "ct state established,related accept",
                "drop",
            ),
            "link_out": (
                "meta nfproto ipv4 drop",
                "iifname . ip6 saddr != @links drop",
                "limit name ip6 saddr map @out_cap6 drop",
                "limit name ip6 saddr map @out_share6 drop",
                "counter name ip6 saddr map @out_counter6",
            ),
            "link_in": (
                "meta nfproto ipv4 drop",
                "oifname . ip6 daddr != @links drop",
                "limit name ip6 daddr map @in_cap6 drop",
                "limit name ip6 daddr map @in_share6 drop",
            ),
            "input": (f"iifname {ours} jump from_machine", f"iifname {own_links} jump from_link"),
            "forward": (
                f"iifname {ours} jump outward",
                f"iifname {own_links} jump link_out",
                f"oifname {ours} jump inward",
                f"oifname {own_links} jump link_in",
            ),
            "postrouting": (
                # Bridged packets come by here too where br_netfilter is on: they keep their address.
                "ct status dnat snat ip to ip saddr map @public_of",
                "ip saddr @subnets ip daddr @subnets return",
                "ip saddr @by_host masquerade",
                "snat ip to ip saddr map @public_of",
            ),
            "others": links.rules_for_others(),
            **groups.base_chains(ours, own_links),
        }
        script = [
            f"add table {table}",
            f"add map {table} public_of {{ type ipv4_addr : ipv4_addr; }}",
            f"add map {table} out_counter {{ type ipv4_addr : counter; }}",
            f"add map {table} out_cap {{ type ipv4_addr : limit; }}",
            f"add map {table} in_cap {{ type ipv4_addr : limit; }}",
            f"add map {table} out_share {{ type ipv4_addr : limit; }}",
            f"add map {table} in_share {{ type ipv4_addr : limit; }}",
            f"add map {table} out_share6 {{ type ipv6_addr : limit; }}",
            f"add map {table} in_share6 {{ type ipv6_addr : limit; }}",
            f"add map {table} out_counter6 {{ type ipv6_addr : counter; }}",
            f"add map {table} out_cap6 {{ type ipv6_addr : limit; }}",
            f"add map {table} in_cap6 {{ type ipv6_addr : limit; }}",
            f"add set {table} links {{ type ifname . ipv6_addr; }}",
            f"add set {table} asking {{ type ifname; size 65535; flags dynamic, timeout; timeout 1m; }}",
            f"add set {table} with_public {{ type ipv4_addr; }}",
            f"add set {table} by_host {{ type ipv4_addr; }}",
            f"add set {table} same_vpc {{ type ifname . ifname; }}",
            f"add set {table} gateways {{ type ifname . ipv4_addr; }}",
            f"add set {table} subnets {{ type ipv4_addr; flags interval; }}",
            *groups.base_maps(table),
        ]
        script += [
            f"add chain {table} {chain} " + (f"{{ {_HOOKS[chain]} }}" if chain in _HOOKS else "") for chain in chains
        ]
        for chain, rules in chains.items():
            if rules:  # what is closed to others stays so
                script.append(f"flush chain {table} {chain}")
            script += [f"add rule {table} {chain} {rule}" for rule in rules]
        return script

    def _bridge_lines(self, bridge: Bridge, state: "_State | None") -> list[str]:
        one = f'"{bridge.name}"'
        ways = [f"{one} . {one}"] + [way for peer in bridge.peers for way in (f'{one} . "{peer}"', f'"{peer}" . {one}')]
        return [
            *(f"add element {self._table} same_vpc {{ {way} }}" for way in ways),
            f'add element {self._table} gateways {{ "{bridge.name}" . {bridge.gateway} }}',
            *(
                []
                if state and bridge.cidr in state.subnets
                else [f"add element {self._table} subnets {{ {bridge.cidr} }}"]
            ),
        ]

    def _leave_lines(self, leave: Leave, state: "_State | None") -> list[str]:
        machine, table = leave.machine, self._table
        counter = state.counter_of(machine) if state else ""
        meant = {leave.private_ip, leave.ipv6} - {""}
        lines = self._forget_lines(machine, state, keep_counter=True, meant=meant) if state else []
        if not counter:
            counter = f"c.{_encoded(machine)}.{int(clock.wall().timestamp() * 1000):x}"
            lines.append(f"add counter {table} {counter}")
        out_name, in_name = _cap_name("o", machine, leave.mbps), _cap_name("i", machine, leave.mbps)
        lines += [
            f"add limit {table} {out_name} {{ {_rate(leave.mbps)} }}",
            f"add limit {table} {in_name} {{ {_rate(max(leave.mbps, _MIN_INBOUND_MBPS))} }}",
            f'add element {table} out_counter {{ {leave.private_ip} : "{counter}" }}',
            f'add element {table} out_cap {{ {leave.private_ip} : "{out_name}" }}',
            f'add element {table} in_cap {{ {leave.private_ip} : "{in_name}" }}',
            f"add element {table} public_of {{ {leave.private_ip} : {leave.public_ip} }}",
            f"add element {table} with_public {{ {leave.private_ip} }}",
        ]
        if leave.by_host:
            lines.append(f"add element {table} by_host {{ {leave.private_ip} }}")
        if leave.ipv6:
            lines += [
                f'add element {table} out_counter6 {{ {leave.ipv6} : "{counter}" }}',
                f'add element {table} out_cap6 {{ {leave.ipv6} : "{out_name}" }}',
                f'add element {table} in_cap6 {{ {leave.ipv6} : "{in_name}" }}',
                f'add element {table} links {{ "{self._names.link(machine)}" . {leave.ipv6} }}',
            ]
        if leave.share:
            lines += self._share_lines(leave, *leave.share, state)
        return lines

    def _share_lines(self, leave: Leave, key: str, mbps: int, state: "_State | None") -> list[str]:
        """One limit for its addresses and those that are there already, which come over from one of another speed."""
        table, lines = self._table, []
        for way, maps in _SHARES.items():
            name = _cap_name(way, key, mbps)
            lines.append(
                f"add limit {table} {name} {{ {_rate(mbps if way == 'o' else max(mbps, _MIN_INBOUND_MBPS))} }}"
            )
            for kind, own in zip(maps, (leave.private_ip, leave.ipv6), strict=True):
                moved = state.sharing(kind, key, but=name) if state else []
                lines += [f"delete element {table} {kind} {{ {address} }}" for address in moved]
                named = [*moved, own] if own else moved
                lines += [f'add element {table} {kind} {{ {address} : "{name}" }}' for address in named]
                if state:
                    state.limits += [name] if name not in state.limits else []
                    state.maps[kind] |= dict.fromkeys(named, name)
        return [*lines, *self._unshared_lines(state)] if state else lines

    def _unshared_lines(self, state: "_State") -> list[str]:
        """Take out limits that machines shared and that nothing names any more."""
        unnamed = state.unshared()
        state.limits = [name for name in state.limits if name not in unnamed]
        return [f"delete limit {self._table} {name}" for name in unnamed]

    def _forget_lines(
        self, machine: str, state: "_State", *, keep_counter: bool, meant: Collection[str] = ()
    ) -> list[str]:
        """Take a machine's elements and objects out; also what stands at those addresses from an earlier owner."""
        table, lines = self._table, []
        addresses = state.addresses_of(machine) | set(meant)
        for name, elements in state.maps.items():
            held = sorted(addresses & elements.keys())
            lines += [f"delete element {table} {name} {{ {address} }}" for address in held]
            if name in _SHARED:
                state.maps[name] = {address: limit for address, limit in elements.items() if address not in addresses}
        for name, members in state.sets.items():
            lines += [f"delete element {table} {name} {{ {address} }}" for address in sorted(addresses & members)]
        lines += [
            f'delete element {table} links {{ "{link}" . {address} }}'
            for link, address in sorted(state.links)
            if link == self._names.link(machine) or address in addresses
        ]
        own_limits = [name for name in state.limits if name.split(".")[1] == _encoded(machine)]
        lines += [f"delete limit {table} {name}" for name in own_limits]
        lines += self._unshared_lines(state)
        if not keep_counter and state.counter_of(machine):
            lines.append(f"delete counter {table} {state.counter_of(machine)}")
        return lines

    # -- nft -----------------------------------------------------------------------------------

    def _with_base(self) -> None:
        if not self._known_base or not self.stands():
            self.ensure_base()

    def _has_chain(self, chain: str) -> bool:
        return run(["nft", "list", "chain", *self._table.split(), chain], check=False).returncode == 0

    def _apply(self, script: list[str]) -> None:
        if script:
            run(["nft", "-f", "-"], text="\n".join(script) + "\n")

    def _rules_held(self) -> dict[str, dict[str, str]]:
        """{way: {address: chain}}; the chains themselves, which may be many, are not read."""
        listed = [run(["nft", "-j", "list", "map", *self._table.split(), name]).stdout for name in groups.MAPS]
        return groups.map_elements([item for text in listed for item in json.loads(text)["nftables"]])

    def _state(self) -> "_State":
        done = run(["nft", "-j", "list", "table", *self._table.split()])
        return _State(json.loads(done.stdout)["nftables"])


class _State:
    """What the table holds now, out of `nft -j list table`."""

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self.maps: dict[str, dict[str, str]] = {name: {} for name in _BY_ADDRESS}
        self.sets: dict[str, set[str]] = {"with_public": set(), "by_host": set()}
        self.links: set[tuple[str, str]] = set()
        self.subnets: set[str] = set()
        self.counters: list[str] = []
        self.limits: list[str] = []
        for item in items:
            if "map" in item and item["map"]["name"] in self.maps:
                self.maps[item["map"]["name"]] = dict(item["map"].get("elem", []))
            elif "set" in item and item["set"]["name"] in self.sets:
                self.sets[item["set"]["name"]] = set(item["set"].get("elem", []))
            elif "set" in item and item["set"]["name"] == "links":
                self.links = {
                    (link, address) for link, address in (one["concat"] for one in item["set"].get("elem", []))
                }
            elif "set" in item and item["set"]["name"] == "subnets":
                prefixes = [found["prefix"] for found in item["set"].get("elem", []) if "prefix" in found]
                self.subnets = {f"{prefix['addr']}/{prefix['len']}" for prefix in prefixes}
            elif "counter" in item:
                self.counters.append(item["counter"]["name"])
            elif "limit" in item:
                self.limits.append(item["limit"]["name"])

    def counter_of(self, machine: str) -> str:
        prefix = f"c.{_encoded(machine)}."
        return next((name for name in self.counters if name.startswith(prefix)), "")

    def sharing(self, kind: str, key: str, *, but: str) -> list[str]:
        """Addresses in a map of shared limits that name one of this key, of another speed."""
        own = f".{_encoded(key)}."
        return sorted(address for address, name in self.maps[kind].items() if own in name and name != but)

    def unshared(self) -> list[str]:
        """Limits of packages that no address names."""
        named = {name for kind in _SHARED for name in self.maps[kind].values()}
        return [name for name in self.limits if _is_shared(name) and name not in named]

    def addresses_of(self, machine: str) -> set[str]:
        counter, counters = self.counter_of(machine), ("out_counter", "out_counter6")
        return {address for kind in counters for address, name in self.maps[kind].items() if name == counter}


def _encoded(machine: str) -> str:
    """An nft name has no dash; ours have no underscore."""
    return machine.replace("-", "_")


def _counter_owner(counter: str) -> tuple[str, str]:
    _, machine, epoch = counter.split(".")
    return machine.replace("_", "-"), epoch


def _is_shared(limit: str) -> bool:
    """Whether a limit is a bandwidth package's; else it is of one machine alone."""
    return limit.split(".")[1].startswith("bwp_")


def _cap_name(direction: str, machine: str, mbps: int) -> str:
    return f"{direction}.{_encoded(machine)}.{mbps}"


def _rate(mbps: int) -> str:
    """A limit of nft. Its bucket is one second's worth and the burst on top; that second is burst enough for TCP."""
    return f"rate over {max(1, mbps) * 125_000} bytes/second;"
