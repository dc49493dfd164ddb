"""Given an address that a customer names, then its file is fetched, and nothing that only this host reaches."""

import contextlib
import ipaddress
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpcore
import pytest

from tests.support.file_server import FileServer, redirect, serving
from vmart.config import tls
from vmart.kernel import outward
from vmart.kernel.outward import FetchError, Reach

LOCAL = Reach([ipaddress.ip_network("127.0.0.0/8")], plain=True)
PUBLIC = Reach(plain=True)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as there:
        yield there


def fetched(url: str, reach: Reach = LOCAL, *, most_bytes: int = 1000, limit_s: float = 20) -> tuple[int, bytes]:
    with outward.fetch(url, reach, most_bytes=most_bytes, limit_s=limit_s) as (said, pieces):
        return said, b"".join(pieces)


def refusal(url: str, reach: Reach = LOCAL, **limits: Any) -> FetchError:
    with pytest.raises(FetchError) as refused:
        fetched(url, reach, **limits)
    return refused.value


def named(monkeypatch: pytest.MonkeyPatch, **hosts: list[str]) -> list[str]:
    """Names that mean these addresses; which were asked for."""
    asked: list[str] = []

    def answer(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in hosts.get(host, [host])]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_a_file_comes_whole_also_by_redirects(server: FileServer) -> None:
    server.files |= {"/a": redirect("b?signed=1"), "/b?signed=1": redirect(server.url("/c")), "/c": b"x" * 1000}
    assert fetched(server.url("/a#sha256=no")) == (1000, b"x" * 1000)
    assert server.asked == ["/a", "/b?signed=1", "/c"]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2001:4860:4860::8888", True), ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False), ("10.0.0.1", False), ("172.16.0.1", False), ("192.168.1.1", False),
        ("169.254.169.254", False), ("169.254.0.23", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("239.1.1.1", False), ("255.255.255.255", False), ("240.0.0.1", False),
        ("198.18.0.1", False), ("203.0.113.5", False), ("::1", False), ("::", False), ("fe80::1", False),
        ("fc00::1", False), ("fd00:ec2::254", False), ("fec0::1", False), ("ff02::1", False), ("ff0e::1", False),
        ("::ffff:127.0.0.1", False), ("::127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("2001:0:1::", False), ("2001:db8::1", False), ("::ffff:0:7f00:1", False), ("::ffff:0:808:808", False),
    ],
)  # fmt: skip
def test_only_what_everybody_reaches_is_reached(address: str, public: bool) -> None:
    assert PUBLIC.allows(ipaddress.ip_address(address)) is public


def test_a_network_that_the_seller_allows_is_reached_and_no_other(server: FileServer) -> None:
    server.files["/a"] = b"x"
    assert fetched(server.url("/a")) == (1, b"x")
    for reach in (PUBLIC, Reach([ipaddress.ip_network("127.0.0.2/32")], plain=True)):
        assert refusal(server.url("/a"), reach).sentence == "The host of the address is not on the public internet."
    assert server.asked == ["/a"]


def test_a_name_is_what_its_addresses_are(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.files["/a"] = b"x"
    asked = named(monkeypatch, inner=["8.8.8.8", "127.0.0.1"], there=["127.0.0.1"])
    assert "not on the public internet" in refusal(server.url("/a", "inner"), PUBLIC).sentence
    assert (list(server.asked), fetched(server.url("/a", "there"))) == ([], (1, b"x"))
    assert asked == ["inner", "there", "127.0.0.1"]  # and then the address that was checked itself


def test_a_name_that_means_something_else_a_moment_later_is_not_asked_again(
    server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without connecting to the checked address, the second answer would be connected to."""
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    connected: list[str] = []
    real = socket.getaddrinfo

    def answer(host: str, port: int, *more: Any, **named: Any) -> Any:
        connected.append(host)
        return real(next(answers)[0] if host == "turning" else host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    server.files["/a"] = b"x"
    fetched(server.url("/a", "turning"), Reach([ipaddress.ip_network("127.0.0.1/32")], plain=True))
    assert connected.count("turning") == 1


def test_a_redirect_is_checked_like_the_first_address(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for onward in (f"http://127.0.0.2:{server.port}/b", f"http://inner:{server.port}/b"):
        named(monkeypatch, inner=["127.0.0.3"])
        server.files |= {"/a": redirect(onward), "/b": b"secret"}
        only = Reach([ipaddress.ip_network("127.0.0.1/32")], plain=True)
        assert "not on the public internet" in refusal(server.url("/a"), only).sentence
    for onward, sentence in (
        ("file:///etc/passwd", "The address begins with http:// or https://."),
        ("http://127.0.0.1:22/", "The address names port 80, 443, one from 1024 on, or none."),
        ("http://a:b@127.0.0.1/", "The address names a host, and neither user nor password."),
    ):
        server.files["/a"] = redirect(onward)
        assert refusal(server.url("/a")).sentence == sentence
    assert "/b" not in server.asked


def test_what_leads_to_no_address_is_refused(server: FileServer) -> None:
    for onward in ("https://[::1/x", "//[bad/"):
        server.files["/a"] = redirect(onward)
        assert refusal(server.url("/a")).sentence == "The address leads on to what is no web address."


def test_of_many_addresses_a_few_are_tried_within_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, many=[f"8.8.8.{last}" for last in range(1, 41)])
    waited: list[float] = []

    def silent(self: Any, host: str, port: int, timeout: float, *_: Any) -> Any:
        waited.append(timeout)
        time.sleep(pause_s)
        raise httpcore.ConnectTimeout("silent")

    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", silent)
    pause_s = 0.0
    assert refusal("https://many/a", PUBLIC, limit_s=20).sentence == "The host of the address does not answer."
    assert (len(waited), max(waited) <= 20) == (8, True)
    waited.clear()
    pause_s = 0.4
    assert refusal("https://many/a", PUBLIC, limit_s=1).sentence == "The download takes longer than the shop allows."
    assert (len(waited), [0 < one <= 1 - 0.4 * at for at, one in enumerate(waited)]) == (3, [True] * 3)


def test_what_leads_on_and_on_ends(server: FileServer) -> None:
    server.files["/a"] = redirect("/a")
    assert refusal(server.url("/a")).sentence == "The address leads from one to the next, more than five times."
    assert len(server.asked) == 6


CHARACTERS = "The address has more than 2048 characters, or others than those of a web address."


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://example.com/a", "The address begins with https://."),
        ("ftp://example.com/a", "The address begins with https://."),
        ("file:///etc/passwd", "The address begins with https://."),
        ("/etc/passwd", "The address begins with https://."),
        ("https:///a", "The address names a host, and neither user nor password."),
        ("https://user@example.com/a", "The address names a host, and neither user nor password."),
        ("https://example.com:99999/", "The address is no web address."),
        ("https://[::1/", "The address is no web address."),
        ("https://example.com:25/", "The address names port 80, 443, one from 1024 on, or none."),
        ("https://example.com/a b", CHARACTERS),
        ("https://example.com/\n", CHARACTERS),
        ("https://example.com/" + "a" * 2048, CHARACTERS),
        ("https://169.254.169.254/latest", "The host of the address is not on the public internet."),
        ("https://[::ffff:10.0.0.1]/", "The host of the address is not on the public internet."),
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_file_is_refused_before_anything_is_asked(url: str, sentence: str) -> None:
    with pytest.raises(FetchError) as refused:
        outward.checked_url(url, Reach())
    assert (refused.value.sentence, refused.value.transient) == (sentence, False)


def test_more_than_is_allowed_is_refused_said_or_not(server: FileServer) -> None:
    sent = []

    def unsaid(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.send_header("Connection", "close")
        asked.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200_000):
                asked.wfile.write(b"x" * 1000)
                sent.append(1)
        asked.close_connection = True

    server.files |= {"/said": b"x" * 1001, "/unsaid": unsaid}
    for path in ("/said", "/unsaid"):
        found = refusal(server.url(path))
        assert (found.sentence, found.transient) == ("The file is larger than the shop allows.", False)
    assert len(sent) < 200_000


def test_one_that_trickles_ends_in_time(server: FileServer) -> None:
    def trickle(asked: BaseHTTPRequestHandler) -> None:
        with contextlib.suppress(OSError):
            for letter in b"HTTP/1.1 200 OK\r\nX: " + b"y" * 300:
                asked.wfile.write(bytes([letter]))
                time.sleep(0.05)
        asked.close_connection = True

    server.files["/a"] = trickle
    begun = time.monotonic()
    assert refusal(server.url("/a"), limit_s=0.5).sentence == "The download takes longer than the shop allows."
    assert time.monotonic() - begun < 3


def test_what_comes_in_part_or_not_at_all_may_come_later(server: FileServer) -> None:
    def part(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(200)
        asked.send_header("Content-Length", "100")
        asked.end_headers()
        asked.wfile.write(b"x" * 50)
        asked.close_connection = True

    def away(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(503)
        asked.send_header("Content-Length", "0")
        asked.end_headers()

    server.files |= {"/part": part, "/away": away}
    for path, sentence, transient in (
        ("/part", "The host of the address does not answer.", True),
        ("/away", "The host of the address does not give the file.", True),
        ("/none", "The host of the address does not give the file.", False),
    ):
        found = refusal(server.url(path))
        assert (found.sentence, found.transient) == (sentence, transient)
    server.close()
    assert refusal(server.url("/a")).transient


def test_by_tls_the_host_is_who_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls.ensure_certificate(tmp_path, "files.test")
    named(monkeypatch, **{"files.test": ["127.0.0.1"], "other.test": ["127.0.0.1"]})
    with serving(tmp_path) as server:
        server.files["/a"] = b"x"
        url = f"https://files.test:{server.port}/a"
        assert refusal(url).sentence == "The host of the address does not answer."  # nobody vouches for it
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert fetched(url) == (1, b"x")
        assert refusal(url.replace("files", "other")).sentence == "The host of the address does not answer."
        assert server.asked == ["/a"]
