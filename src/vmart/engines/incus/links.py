"""Links by which machines have IPv6: a pair of interfaces between a machine and its host, and nobody else on it.

A machine's neighbours are not on it, so all that it sends and gets is forwarded by the host, whose packet filter
decides on it (ADR 0061). The guest's end is set up by the engine when the machine starts.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vmart.engines.contract import EngineError
from vmart.engines.incus.host import Names

_CONF = Path("/proc/sys/net/ipv6/conf")
FORWARDING = _CONF / "all" / "forwarding"
GATEWAY = "fe80::1"  # the host's end of each


def why_not() -> str:
    """Empty where this host's kernel knows IPv6."""
    return "" if FORWARDING.exists() else "the kernel has no IPv6"


def device(names: Names, machine: str, address: str) -> dict[str, str]:
    """The machine's device for it."""
    return {
        "type": "nic", "nictype": "routed", "name": "eth1", "host_name": names.link(machine),
        "ipv6.address": address, "ipv4.gateway": "none",
    }  # fmt: skip


def see_to_host() -> None:
    """The host forwards IPv6. A host that forwards hears no router by itself: where it did, it goes on."""
    if FORWARDING.read_text().strip() != "0":
        return
    with _saying():
        for accepting in sorted(_CONF.glob("*/accept_ra")):
            if accepting.read_text().strip() == "1":
                accepting.write_text("2")
        FORWARDING.write_text("1")


@contextlib.contextmanager
def _saying() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EngineError("The host does not forward IPv6.", transient=False, detail=str(error)) from error
