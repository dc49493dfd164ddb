"""The one decision about packets: the first rule that fits, and nothing where none does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from vmart.engines.rules import ANY, ICMP, OPEN, TCP, UDP, MachineRules, Packet, Rule, decide, of_plain

WEB = Rule(True, TCP, ((80, 80), (443, 443)), ("0.0.0.0/0",))
NETWORKS = ["0.0.0.0/0", "10.0.0.0/8", "10.0.16.0/20", "10.0.16.5/32", "203.0.113.7/32"]
PEERS = ["10.0.16.5", "10.0.31.255", "10.0.32.0", "10.255.0.1", "203.0.113.7", "198.51.100.1"]

_port = st.integers(1, 65535)
_ranges = st.lists(st.tuples(_port, _port).map(lambda pair: (min(pair), max(pair))), max_size=3).map(tuple)
_rule = st.builds(
    lambda accept, protocol, ports, peers: Rule(accept, protocol, ports if protocol in (TCP, UDP) else (), peers),
    st.booleans(),
    st.sampled_from([ANY, TCP, UDP, ICMP]),
    _ranges,
    st.lists(st.sampled_from(NETWORKS), max_size=2).map(tuple),
)
_rules = st.lists(_rule, max_size=6).map(tuple)
_packet = st.builds(Packet, st.sampled_from([TCP, UDP, ICMP]), st.sampled_from(PEERS), _port)


def test_worked_examples() -> None:
    assert decide(Packet(TCP, "198.51.100.1", 443), [WEB])
    assert not decide(Packet(TCP, "198.51.100.1", 444), [WEB])
    assert not decide(Packet(UDP, "198.51.100.1", 443), [WEB])
    assert not decide(Packet(ICMP, "198.51.100.1"), [WEB])
    deny = Rule(False, ANY, (), ("198.51.100.0/24",))
    assert not decide(Packet(TCP, "198.51.100.1", 443), [deny, WEB])
    assert decide(Packet(TCP, "198.51.101.1", 443), [deny, WEB])
    assert decide(Packet(TCP, "198.51.100.1", 443), [WEB, deny])


def test_a_group_without_members_is_nobody() -> None:
    assert not decide(Packet(TCP, "10.0.16.5", 22), [Rule(True, ANY, (), ())])


@given(_packet)
def test_nothing_passes_without_a_rule_and_everything_does_where_all_is_open(packet: Packet) -> None:
    assert not decide(packet, ())
    assert decide(packet, OPEN.ingress) and decide(packet, OPEN.egress)


@given(_packet, _rules, _rules)
def test_a_rule_decides_only_what_no_earlier_one_did(
    packet: Packet, first: tuple[Rule, ...], then: tuple[Rule, ...]
) -> None:
    fits_first = any(decide(packet, [Rule(True, rule.protocol, rule.ports, rule.peers)]) for rule in first)
    assert decide(packet, first + then) == decide(packet, first if fits_first else then)


@given(_rules, _rules)
def test_rules_survive_being_written_down(ingress: tuple[Rule, ...], egress: tuple[Rule, ...]) -> None:
    rules = MachineRules(ingress, egress)
    read = of_plain(json.loads(json.dumps(rules.plain())))
    assert (read, read.digest()) == (rules, rules.digest())
    assert (rules == OPEN) is (rules.digest() == OPEN.digest())
