"""From where SSH is let in, by the rules of groups: worked cases, and all rules against the decision on one packet."""

import ipaddress
import itertools
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmart.engines.rules import ANY, ANYWHERE, ANYWHERE6, ICMP, ICMPV6, TCP, UDP, Packet, decide
from vmart.security import policies
from vmart.security.policies import ACCEPT, DROP, OPEN, Policy
from vmart.security.ssh import PORT, Reach, reach
from vmart.security.starting import RULES

SSH = Policy(ACCEPT, TCP, "22", ANYWHERE)
OFFICE = Policy(ACCEPT, TCP, "22", "203.0.113.0/24")
HALF, OTHER_HALF = Policy(ACCEPT, TCP, "ALL", "0.0.0.0/1"), Policy(ACCEPT, TCP, "ALL", "128.0.0.0/1")
ALL_DROPPED = Policy(DROP, cidr=ANYWHERE)

CASES: list[tuple[tuple[Policy, ...], Reach]] = [
    ((), Reach.NOWHERE),
    (OPEN, Reach.EVERYWHERE),
    ((SSH,), Reach.EVERYWHERE),
    ((Policy(ACCEPT, TCP, "20-23", ANYWHERE),), Reach.EVERYWHERE),
    ((Policy(ACCEPT, TCP, "80,22", ANYWHERE),), Reach.EVERYWHERE),
    ((Policy(ACCEPT, TCP, "80,443", ANYWHERE),), Reach.NOWHERE),
    ((Policy(ACCEPT, TCP, "23-65535", ANYWHERE),), Reach.NOWHERE),
    ((Policy(ACCEPT, UDP, "22", ANYWHERE),), Reach.NOWHERE),
    ((Policy(ACCEPT, ICMP, cidr=ANYWHERE),), Reach.NOWHERE),
    ((OFFICE,), Reach.SOMEWHERE),
    ((OFFICE, Policy(DROP, TCP, "22", ANYWHERE), SSH), Reach.SOMEWHERE),
    ((ALL_DROPPED, SSH), Reach.NOWHERE),
    ((SSH, ALL_DROPPED), Reach.EVERYWHERE),
    ((Policy(DROP, UDP, "ALL", ANYWHERE), SSH), Reach.EVERYWHERE),
    ((Policy(DROP, cidr="203.0.113.0/24"), OFFICE), Reach.NOWHERE),
    ((Policy(DROP, cidr="203.0.113.0/25"), OFFICE), Reach.SOMEWHERE),
    ((Policy(DROP, cidr="203.0.113.7/32"), SSH), Reach.SOMEWHERE),
    ((HALF,), Reach.SOMEWHERE),
    ((HALF, OTHER_HALF), Reach.EVERYWHERE),
    ((HALF, OTHER_HALF, ALL_DROPPED), Reach.EVERYWHERE),
    ((Policy(ACCEPT, group="sg-a"),), Reach.SOMEWHERE),
    ((Policy(DROP, group="sg-a"), Policy(ACCEPT, group="sg-a")), Reach.NOWHERE),
    ((Policy(DROP, group="sg-a"), Policy(ACCEPT, group="sg-b")), Reach.SOMEWHERE),
    ((Policy(DROP, group="sg-a"), SSH), Reach.SOMEWHERE),
    ((SSH, Policy(DROP, group="sg-a")), Reach.EVERYWHERE),
    ((ALL_DROPPED, Policy(ACCEPT, group="sg-a")), Reach.SOMEWHERE),  # its members may have IPv6
    ((ALL_DROPPED, Policy(DROP, cidr=ANYWHERE6), Policy(ACCEPT, group="sg-a")), Reach.NOWHERE),
    ((Policy(ACCEPT, TCP, "22", ANYWHERE6),), Reach.SOMEWHERE),
    ((Policy(DROP, cidr=ANYWHERE6), SSH), Reach.EVERYWHERE),
    ((Policy(ACCEPT, ICMPV6, cidr=ANYWHERE6),), Reach.NOWHERE),
    ((Policy(ACCEPT, TCP, "3389", group="sg-a"),), Reach.NOWHERE),
]


@pytest.mark.parametrize(("rules", "expected"), CASES)
def test_worked_cases(rules: tuple[Policy, ...], expected: Reach) -> None:
    assert reach(rules) is expected


def test_rules_for_ipv6_alone_let_nobody_in_where_the_machine_has_none() -> None:
    """Given SSH from all of IPv6 and from nowhere else, then it matters whether the machine has an address there."""
    rules = [Policy(ACCEPT, TCP, "22", cidr="::/0")]
    assert [reach(rules, ipv6=ipv6) for ipv6 in (True, False)] == [Reach.SOMEWHERE, Reach.NOWHERE]
    also = [*rules, Policy(ACCEPT, TCP, "22", cidr="10.0.0.0/8")]
    assert [reach(also, ipv6=ipv6) for ipv6 in (True, False)] == [Reach.SOMEWHERE, Reach.SOMEWHERE]


def test_what_a_new_group_may_begin_with() -> None:
    told = {name: reach([one.policy for one in rules.ingress]) for name, rules in RULES.items()}
    assert told == {"web": Reach.EVERYWHERE, "open": Reach.EVERYWHERE, "empty": Reach.NOWHERE}


NETWORKS6 = ["::/0", "::/1", "8000::/1", "2001:db8::/32", "2001:db8::7/128"]
NETWORKS = ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.0.16.0/20", "10.0.16.5/32", "255.255.255.255/32"]
GROUPS = ["sg-a", "sg-b"]
# Any more networks would decide on addresses as these do: one address of each part into which they cut the world.
EDGES = sorted(
    {0}
    | {int(ipaddress.IPv4Network(network).network_address) for network in NETWORKS}
    | {(int(ipaddress.IPv4Network(network).broadcast_address) + 1) % 2**32 for network in NETWORKS}
)
EDGES6 = sorted(
    {0}
    | {int(ipaddress.IPv6Network(network).network_address) for network in NETWORKS6}
    | {(int(ipaddress.IPv6Network(network).broadcast_address) + 1) % 2**128 for network in NETWORKS6}
)
_rule = st.builds(
    lambda action, protocol, port, peer: Policy(
        action, protocol, port if protocol in (TCP, UDP) else ANY,
        **{"group" if peer in GROUPS else "cidr": peer},
    ),
    st.sampled_from([ACCEPT, DROP]),
    st.sampled_from([ANY, TCP, TCP, UDP, ICMP]),
    st.sampled_from([ANY, "22", "1-21,23-65535", "80,20-30"]),
    st.sampled_from(NETWORKS + NETWORKS6 + GROUPS),
)  # fmt: skip


def _passes(rules: Sequence[Policy], address: str, members: Mapping[str, Sequence[str]]) -> bool:
    return decide(Packet(TCP, address, PORT), policies.compiled(rules, lambda group: members[group]))


def _decided(rules: list[Policy], addresses: Sequence[str]) -> Reach:
    decided = {
        _passes(rules, address, dict(zip(GROUPS, members, strict=True)))
        for address in addresses
        for members in itertools.product(([], [address]), repeat=len(GROUPS))
    }
    expected = {
        frozenset({False}): Reach.NOWHERE,
        frozenset({True}): Reach.EVERYWHERE,
        frozenset({False, True}): Reach.SOMEWHERE,
    }
    return expected[frozenset(decided)]


@given(st.lists(_rule, max_size=7))
def test_it_is_the_decision_on_every_packet_whoever_is_in_the_groups(rules: list[Policy]) -> None:
    """What is closed for all of IPv4, and let in somewhere by IPv6, is not closed."""
    by_ipv4 = _decided(rules, [str(ipaddress.IPv4Address(edge)) for edge in EDGES])
    by_ipv6 = _decided(rules, [str(ipaddress.IPv6Address(edge)) for edge in EDGES6])
    closed = {by_ipv4, by_ipv6} == {Reach.NOWHERE}
    assert reach(rules) is (by_ipv4 if closed or by_ipv4 is not Reach.NOWHERE else Reach.SOMEWHERE)
