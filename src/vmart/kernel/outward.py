"""Bytes from a web address that a customer names: fetched by this host, so never from what only this host reaches.

A host's name is resolved here, each address it has is checked, and the connection is made to one that was checked: what
the name means a moment later counts for nothing. Redirects go the same way. What answers slowly ends at a time.
"""

import ipaddress
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

import certifi
import httpcore

from vmart.kernel import clock

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_MAX = 2048  # characters
_HOPS_MAX = 5
_ADDRESSES_MAX = 8  # of a host, that are tried
_WAIT_S = 30.0  # for the next bytes
_PORTS = {"https": 443, "http": 80}
_REDIRECTS = (301, 302, 303, 307, 308)
_PASSING = (408, 429, 500, 502, 503, 504)
# Addresses that stand for others, which may be private: of NAT64, 6to4, Teredo and SIIT, and those of former times.
_TRANSLATED = tuple(
    ipaddress.ip_network(one)
    for one in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96", "::ffff:0:0:0/96", "fec0::/10",
    )
)  # fmt: skip


class FetchError(Exception):
    """It was not fetched. ``sentence`` is fit for the customer; ``transient``: trying again may help."""

    def __init__(self, sentence: str, *, transient: bool = False, detail: str = "") -> None:
        super().__init__(f"{sentence} ({detail})" if detail else sentence)
        self.sentence, self.transient, self.detail = sentence, transient, detail


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached beside the public internet by TLS: ``networks``, and (``plain``) anything without TLS."""

    networks: Sequence[Network] = ()
    plain: bool = False

    def allows(self, address: Address) -> bool:
        """Whether it is public, or in one of the networks."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            return self.allows(address.ipv4_mapped)
        if any(address in network for network in self.networks):
            return True
        translated = any(address in network for network in _TRANSLATED)
        return address.is_global and not address.is_multicast and not translated


def checked_url(url: str, reach: Reach) -> SplitResult:
    """The parts of an address that may be asked for, as far as it says so itself. Raises FetchError."""
    if len(url) > URL_MAX or re.search(r"[^\x21-\x7e]", url):
        raise FetchError("The address has more than 2048 characters, or others than those of a web address.")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise FetchError("The address is no web address.") from error
    if reach.plain and parts.scheme not in _PORTS:
        raise FetchError("The address begins with http:// or https://.")
    if not reach.plain and parts.scheme != "https":
        raise FetchError("The address begins with https://.")
    if not host or parts.username is not None or parts.password is not None:
        raise FetchError("The address names a host, and neither user nor password.")
    if port is not None and port < 1024 and port not in _PORTS.values():
        raise FetchError("The address names port 80, 443, one from 1024 on, or none.")
    literal = _literal(host)
    if literal is not None and not reach.allows(literal):
        raise _not_public()
    return parts


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _not_public() -> FetchError:
    return FetchError("The host of the address is not on the public internet.")


def addresses_of(host: str, port: int, reach: Reach) -> list[str]:
    """Where it is, each checked. Raises FetchError: one that must not be reached spoils the name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchError("The host of the address is not known.", transient=True, detail=str(error)) from error
    addresses = list(dict.fromkeys(str(where[4][0]).split("%")[0] for where in found))
    if not all(reach.allows(ipaddress.ip_address(address)) for address in addresses):
        raise _not_public()
    return addresses


class _Timed(httpcore.NetworkStream):
    """A connection that ends at an instant, however often a little comes by it."""

    def __init__(self, stream: httpcore.NetworkStream, until: float) -> None:
        self._stream, self._until = stream, until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._until, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._until, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left_s = _left(self._until, timeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left_s), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(until: float, timeout: float | None) -> float:
    """How long is waited for what comes next. Raises FetchError where the time is over."""
    left = until - clock.monotonic()
    if left <= 0:
        raise _too_slow()
    return min(left, _WAIT_S if timeout is None else timeout)


def _too_slow() -> FetchError:
    return FetchError("The download takes longer than the shop allows.")


class _Checked(httpcore.NetworkBackend):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, reach: Reach, until: float) -> None:
        self._reach, self._until, self._plain = reach, until, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        refused: Exception = FetchError("The host of the address is not known.", transient=True)
        for address in addresses_of(host, port, self._reach)[:_ADDRESSES_MAX]:
            left_s = _left(self._until, timeout)
            try:
                made = self._plain.connect_tcp(address, port, left_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused = error
            else:
                return _Timed(made, self._until)
        raise refused


@contextmanager
def fetch(url: str, reach: Reach, *, most_bytes: int, limit_s: float) -> Iterator[tuple[int, Iterator[bytes]]]:
    """How many bytes it says it has (0: it does not say), and its bytes. Raises FetchError, while they come too."""
    until = clock.monotonic() + limit_s
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    with httpcore.ConnectionPool(ssl_context=context, network_backend=_Checked(reach, until)) as pool:
        try:
            with _answer(pool, url, reach) as answer:
                said = _length(answer)
                if said > most_bytes:
                    raise _too_large(most_bytes)
                yield said, _counted(answer.iter_stream(), said, most_bytes, until)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            if clock.monotonic() >= until:
                raise _too_slow() from error
            raise FetchError("The host of the address does not answer.", transient=True, detail=repr(error)) from error


@contextmanager
def _answer(pool: httpcore.ConnectionPool, url: str, reach: Reach) -> Iterator[httpcore.Response]:
    for _hop in range(_HOPS_MAX + 1):
        parts = checked_url(url, reach)
        asked = parts._replace(fragment="").geturl()
        headers = [("User-Agent", "vmart"), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), _WAIT_S)
        with pool.stream("GET", asked, headers=headers, extensions={"timeout": timeouts}) as answer:
            if answer.status == 200:
                yield answer
                return
            url = _joined(asked, _onward(answer))
    raise FetchError("The address leads from one to the next, more than five times.")


def _joined(asked: str, onward: str) -> str:
    try:
        return urljoin(asked, onward)
    except ValueError as error:
        raise FetchError("The address leads on to what is no web address.", detail=onward[:200]) from error


def _onward(answer: httpcore.Response) -> str:
    """Where it leads. Raises FetchError where it leads nowhere."""
    onward = _header(answer, b"location")
    if answer.status not in _REDIRECTS or not onward:
        status = answer.status
        raise FetchError(
            "The host of the address does not give the file.", transient=status in _PASSING, detail=str(status)
        )
    return onward


def _header(answer: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.lower() == name), "")


def _length(answer: httpcore.Response) -> int:
    text = _header(answer, b"content-length")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _too_large(most_bytes: int) -> FetchError:
    return FetchError("The file is larger than the shop allows.", detail=f"{most_bytes} bytes")


def _counted(pieces: Iterable[bytes], said: int, most_bytes: int, until: float) -> Iterator[bytes]:
    come = 0
    for piece in pieces:
        come += len(piece)
        if come > most_bytes:
            raise _too_large(most_bytes)
        if clock.monotonic() > until:
            raise _too_slow()
        yield piece
    if come < said:
        raise FetchError("The file came in part only.", transient=True, detail=f"{come} of {said} bytes")
