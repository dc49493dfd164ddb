"""What a new group may begin with, for people who would rather not begin with nothing."""

from collections.abc import Mapping

from vmart.engines.rules import ANYWHERE, ANYWHERE6, ICMP, ICMPV6, TCP
from vmart.kernel.errors import InvalidValue
from vmart.security.change import NOTHING, Named, Policies
from vmart.security.policies import ACCEPT, OPEN, Policy

_OUT = tuple(map(Named, OPEN))
_WEB = tuple(
    policy
    for everybody, ping in ((ANYWHERE, ICMP), (ANYWHERE6, ICMPV6))
    for policy in (
        Policy(ACCEPT, TCP, "22", everybody), Policy(ACCEPT, TCP, "80,443", everybody),
        Policy(ACCEPT, ping, cidr=everybody),
    )
)  # fmt: skip
RULES: Mapping[str, Policies] = {
    "web": Policies(tuple(map(Named, _WEB)), _OUT),  # SSH, web and ping are let in, everything out
    "open": Policies(_OUT, _OUT),
    "empty": NOTHING,
}


def rules(name: str) -> Policies:
    """Those of that name. Raises InvalidValue."""
    if name not in RULES:
        raise InvalidValue(
            "A group cannot begin with {value}; possible are {possible}.",
            field="starting", value=name[:60] or "(empty)", possible=", ".join(RULES),
        )  # fmt: skip
    return RULES[name]
