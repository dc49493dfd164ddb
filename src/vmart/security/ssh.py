"""Whether anybody can log in: what rules let reach the port of SSH. Pure, and asked by every page that warns.

``engines.rules.decide`` says it of one packet; here it is said of all of them at once (a property test proves the two
equal). A rule may name a group, whose members come and go, so they may be any address, and none.
"""

import enum
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from vmart.engines.rules import ANYWHERE, TCP, Packet, decide
from vmart.security import policies
from vmart.security.policies import ACCEPT, Policy

PORT = 22
Span = tuple[int, int]  # addresses, both included
_BITS = {4: 32, 6: 128}


class Reach(enum.StrEnum):
    """From where a connection to the port is let in."""

    NOWHERE = "nowhere"  # SSH is closed
    SOMEWHERE = "somewhere"
    EVERYWHERE = "everywhere"


def reach(ingress: Sequence[Policy], *, ipv6: bool = True) -> Reach:
    """From where SSH is let in, by all rules of a machine's groups in their order.

    Everywhere is all of IPv4, which every machine has. Nowhere is by IPv6 neither, where the machine has (``ipv6``) it.
    """
    by_ipv4 = _reach(ingress, 4)
    by_ipv6 = _reach(ingress, 6) if ipv6 else Reach.NOWHERE
    return Reach.SOMEWHERE if by_ipv4 is Reach.NOWHERE and by_ipv6 is not Reach.NOWHERE else by_ipv4


def _reach(ingress: Sequence[Policy], version: int) -> Reach:
    left: Sequence[Span] = ((0, 2 ** _BITS[version] - 1),)  # addresses that no rule has decided on
    decided: dict[str, str] = {}  # the first action on members of each group
    found: set[str] = set()
    for policy in filter(_is_about_ssh, ingress):
        if policy.group:
            fits, rest = policy.group not in decided and bool(left), left
            decided.setdefault(policy.group, policy.action)
        else:
            fits, rest = _parted(left, policy.cidr, version)
        if fits:
            found.add(policy.action)
        left = rest
    if ACCEPT not in found:
        return Reach.NOWHERE
    return Reach.EVERYWHERE if found == {ACCEPT} and not left else Reach.SOMEWHERE


def _is_about_ssh(policy: Policy) -> bool:
    """Whether it would decide on the packet if its other end were anybody."""
    anybody = replace(policy, action=ACCEPT, cidr=ANYWHERE, group="")
    return decide(Packet(TCP, "192.0.2.1", PORT), policies.compiled([anybody], lambda _: ()))


def _parted(spans: Sequence[Span], network: str, version: int) -> tuple[bool, Sequence[Span]]:
    """Whether some of the addresses, which are of this version, lie in the network, and those that lie outside it."""
    cidr = ipaddress.ip_network(network)
    if cidr.version != version:
        return False, spans
    first, last = int(cidr.network_address), int(cidr.broadcast_address)
    meets = any(low <= last and first <= high for low, high in spans)
    parts = [part for low, high in spans for part in ((low, min(high, first - 1)), (max(low, last + 1), high))]
    return meets, [(low, high) for low, high in parts if low <= high]
