"""Networks of IPv6 as people write them."""

import ipaddress


def network6(text: str, *, strict: bool = True) -> ipaddress.IPv6Network:
    """The network. Raises ValueError for a text that is none, and where strict for one with host bits.

    Python takes a zone behind a percent sign (fe80::1%eth0), of any characters, and tells it with the network: it
    would come into scripts of the packet filter and statements of the database.
    """
    if "%" in text:
        raise ValueError(f"{text!r} names a zone, which no network has")
    return ipaddress.IPv6Network(text, strict=strict)
