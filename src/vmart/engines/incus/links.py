"""Links by which machines have IPv6: a pair of interfaces between a machine and its host, and nobody else on it.

A machine's neighbours are not on it, so all that it sends and gets is forwarded by the host, whose packet filter
decides on it (ADR 0061). The guest's end is set up by the engine when the machine starts.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from vmart.engines.contract import EngineError
from vmart.engines.incus.host import LINKS, Names

_CONF = Path("/proc/sys/net/ipv6/conf")
FORWARDING = _CONF / "all" / "forwarding"
# There where we told the host to forward: it goes with the host's next start, as what it was told does. The folder is
# the worker's, which is not root (``config/places.py``).
TOLD = Path("/run/vmart/host/ipv6_forwarding")
MAY_NOT = "we may not have the host forward IPv6"
GATEWAY = "fe80::1"  # the host's end of each
_OF_MACHINES = re.compile(f"{LINKS}|v[0-9a-f]{{5}}-")  # names of links and bridges, of any deployment


def why_not() -> str:
    """Empty where this host's kernel knows IPv6, new links have it, and the host forwards or may be told to."""
    if not FORWARDING.exists():
        return "the kernel has no IPv6"
    if any((_CONF / those / "disable_ipv6").read_text().strip() == "1" for those in ("all", "default")):
        return "IPv6 is turned off on the host"
    return "" if FORWARDING.read_text().strip() != "0" or _may_forward() else MAY_NOT


def _may_forward() -> bool:
    """Whether the host can be told to, and a mark be left of that."""
    place = next(folder for folder in TOLD.parents if folder.exists())  # root makes what is missing of it
    return all(os.access(path, os.W_OK, effective_ids=True) for path in (FORWARDING, place))


def device(names: Names, machine: str, address: str) -> dict[str, str]:
    """The machine's device for it."""
    return {
        "type": "nic", "nictype": "routed", "name": "eth1", "host_name": names.link(machine),
        "ipv6.address": address, "ipv4.gateway": "none",
    }  # fmt: skip


def see_to_host(close: Callable[[], None]) -> None:
    """The host forwards IPv6. Where it did not, it is told to, and forwards nothing but what is of machines.

    ``close`` has the packet filter see to that (``rules_for_others``). A host that forwards hears no router by itself:
    an interface that did goes on, but for those of machines and those that are not there yet.
    """
    if FORWARDING.read_text().strip() != "0":
        return
    with _saying():
        TOLD.parent.mkdir(parents=True, exist_ok=True)
        TOLD.touch()
        close()
        for accepting in sorted(_CONF.glob("*/accept_ra")):
            is_theirs = accepting.parent.name in ("all", "default") or _OF_MACHINES.match(accepting.parent.name)
            if not is_theirs and accepting.read_text().strip() == "1":
                accepting.write_text("2")
        FORWARDING.write_text("1")


def rules_for_others() -> tuple[str, ...]:
    """What is forwarded by IPv6 and is of no machine is dropped, where the host forwards because we told it to.

    Without them it would be a router between all networks that it is in, and it was none. What stays within one
    bridge is not forwarded, but comes by the same hook where br_netfilter is on.
    """
    if not TOLD.exists():
        return ()
    return (
        "meta nfproto ipv4 accept",
        f'iifname "{LINKS}*" accept',
        f'oifname "{LINKS}*" accept',
        'meta iifkind "bridge" meta oifkind "bridge" accept',
        "drop",
    )


@contextlib.contextmanager
def _saying() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError("The host does not forward IPv6.", transient=False, detail=str(error)) from error
