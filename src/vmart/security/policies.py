"""Rules as a customer writes them, checked and in one form, and what an engine is told of them. Pure."""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from vmart.engines.rules import ANY, ANYWHERE, ANYWHERE6, ICMP, ICMPV6, TCP, UDP, Range, Rule
from vmart.kernel.networks import network6
from vmart.security.errors import BadPolicy, TooManyPolicies

PROTOCOLS = (ANY, TCP, UDP, ICMP, ICMPV6)
ACCEPT, DROP = "ACCEPT", "DROP"
POLICIES_MAX = 100  # of a group, one way
DESCRIPTION_MAX = 100
_PARTS_MAX = 20  # ports and ranges of one rule
_PORT_MAX = 65535
_PORTS = re.compile(r"\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*")


@dataclass(frozen=True, slots=True)
class Policy:
    """One rule. ``cidr``, of IPv4 or IPv6, or ``group`` is the other end.

    ``port`` is ``ALL``, ``80``, ``80,443`` or ``8000-9000``.
    """

    action: str
    protocol: str = ANY
    port: str = ANY
    cidr: str = ""
    group: str = ""
    description: str = ""

    def is_alike(self, other: "Policy") -> bool:
        """Whether it says the same of packets."""
        return _said(self) == _said(other)


def _said(policy: Policy) -> tuple[str, ...]:
    return policy.action, policy.protocol, policy.port, policy.cidr, policy.group


OPEN = (Policy(ACCEPT, cidr=ANYWHERE), Policy(ACCEPT, cidr=ANYWHERE6))


def stored(policies: Sequence[Policy]) -> list[dict[str, str]]:
    """As the group's row keeps them."""
    return [asdict(policy) for policy in policies]


def read(rows: Sequence[dict[str, str]]) -> list[Policy]:
    """What ``stored`` wrote."""
    return [Policy(**row) for row in rows]


def checked(policies: Sequence[Policy], field: str) -> list[Policy]:
    """The rules in one form. Raises BadPolicy, TooManyPolicies; ``field`` is the path of the list."""
    refuse_too_many(policies, field)
    return [check(policy, f"{field}.{number}") for number, policy in enumerate(policies)]


def refuse_too_many(policies: Sequence[Policy], field: str) -> None:
    """Raise TooManyPolicies for more than a group has of one way."""
    if len(policies) > POLICIES_MAX:
        raise TooManyPolicies(
            "A security group has at most {most} rules of each direction.", field=field, most=POLICIES_MAX
        )


def check(policy: Policy, field: str) -> Policy:
    """One rule in one form. Raises BadPolicy."""
    action, protocol = policy.action.upper(), (policy.protocol or ANY).upper()
    if action not in (ACCEPT, DROP):
        raise BadPolicy(
            "The action is {value}; possible are ACCEPT and DROP.", field=f"{field}.action", value=action[:60]
        )
    if protocol not in PROTOCOLS:
        raise BadPolicy(
            "The protocol is {value}; possible are {possible}.",
            field=f"{field}.protocol", value=protocol[:60], possible=", ".join(PROTOCOLS),
        )  # fmt: skip
    if len(policy.description) > DESCRIPTION_MAX or not (policy.description.isprintable() or not policy.description):
        raise BadPolicy(
            "The description of a rule has at most {most} characters on one line.",
            field=f"{field}.policy_description", most=DESCRIPTION_MAX,
        )  # fmt: skip
    port = _port(protocol, policy.port, f"{field}.port")
    cidr, group = _peer(policy, field)
    _refuse_other_icmp(protocol, cidr, field)
    return Policy(action, protocol, port, cidr, group, policy.description)


def _port(protocol: str, port: str, field: str) -> str:
    said = port.replace(" ", "").upper() or ANY
    if said == ANY:
        return ANY
    if protocol not in (TCP, UDP):
        raise BadPolicy("A rule of {protocol} has no port: leave it away, or say ALL.", field=field, protocol=protocol)
    fits = _PORTS.fullmatch(said) and said.isascii() and said.count(",") < _PARTS_MAX
    if not fits or not all(1 <= first <= last <= _PORT_MAX for first, last in _ranges(said)):
        raise BadPolicy(
            "The port is {value}; possible are ALL, a port from 1 to 65535, a range such as 8000-9000, or at most "
            "{most} of them with commas between.",
            field=field, value=port[:60], most=_PARTS_MAX,
        )  # fmt: skip
    return said


def _ranges(port: str) -> tuple[Range, ...]:
    if port == ANY:
        return ()
    ends = [part.partition("-") for part in port.split(",")]
    return tuple((int(first), int(last or first)) for first, _, last in ends)


def _peer(policy: Policy, field: str) -> tuple[str, str]:
    if bool(policy.cidr) == bool(policy.group):
        raise BadPolicy(
            "A rule names a network or a security group as the other end, and not both.", field=f"{field}.cidr_block"
        )
    if policy.group:
        return "", policy.group
    is_ipv6 = ":" in policy.cidr
    try:
        read = network6 if is_ipv6 else ipaddress.IPv4Network
        return str(read(policy.cidr, strict=False)), ""
    except ValueError:
        raise BadPolicy(
            "{value} is no address and no network, such as 203.0.113.0/24 and 2001:db8::/32 are.",
            field=f"{field}.{'ipv6_cidr_block' if is_ipv6 else 'cidr_block'}", value=policy.cidr[:60],
        ) from None  # fmt: skip


def _refuse_other_icmp(protocol: str, cidr: str, field: str) -> None:
    """It would fit no packet."""
    if cidr and protocol in (ICMP, ICMPV6) and (":" in cidr) is (protocol == ICMP):
        raise BadPolicy(
            "A rule of {protocol} names a network of {kind}; {cidr} is none.",
            field=f"{field}.protocol", protocol=protocol, kind="IPv4" if protocol == ICMP else "IPv6", cidr=cidr,
        )  # fmt: skip


def _alone(address: str) -> str:
    """The network that has this address and no other."""
    return f"{address}/128" if ":" in address else f"{address}/32"


def compiled(policies: Sequence[Policy], addresses: Callable[[str], Sequence[str]]) -> tuple[Rule, ...]:
    """What an engine is told; ``addresses`` are those of a group's members: private ones, and those of IPv6."""
    return tuple(
        Rule(
            policy.action == ACCEPT, policy.protocol, _ranges(policy.port),
            (policy.cidr,) if policy.cidr else tuple(map(_alone, addresses(policy.group))),
        )
        for policy in policies
    )  # fmt: skip
