"""No test talks to the internet: connections other than to this machine are refused."""

import ipaddress
import socket
from typing import Any

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


class InternetRefused(AssertionError):
    """A test, or the code under test, tried to reach another machine."""


def _check(sock: socket.socket, address: Any) -> None:
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    host = address[0]
    try:
        near = ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        near = host == "localhost"
    if not near and not any(ipaddress.ip_address(host) in network for network in _LAB_NETWORKS):
        raise InternetRefused(f"a test tried to connect to {host}")


# What lab tests make on this machine: namespaces in TEST-NETs, machines' addresses, private ranges of their bridges.
_LAB_CIDRS = ("203.0.113.0/24", "198.51.100.0/24", "192.0.2.0/24", "198.18.113.0/24", "10.0.0.0/8")
_LAB_NETWORKS = [ipaddress.ip_network(cidr) for cidr in _LAB_CIDRS]


def refuse_internet() -> None:
    """Install the guard in this process; subprocesses are the business of the test that starts them."""

    def connect(self: socket.socket, address: Any) -> None:
        _check(self, address)
        _connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _check(self, address)
        return _connect_ex(self, address)

    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
