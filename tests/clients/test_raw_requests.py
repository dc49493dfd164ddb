"""Given bytes that no client would send, when the shop's port gets them, then it refuses them and goes on answering."""

import socket
import urllib.request

import pytest

from tests.support.running_shop import RunningShop

HOST = b"Host: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
API = b"X-TC-Action: DescribeZones\r\nX-TC-Version: 2017-03-12\r\n"


def _post(path: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + CLOSE + b"".join(headers) + b"\r\n" + body


def _get(path: bytes, *headers: bytes, host: bytes = HOST) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + host + CLOSE + b"".join(headers) + b"\r\n"


def _chunks(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


CHUNKED = b"Transfer-Encoding: chunked\r\n"
REQUESTS = {
    "chunked form": _post(b"/", FORM, CHUNKED, body=_chunks(b"Action=x&Secret", b"Id=y")),
    "chunked call": _post(b"/", API, CHUNKED, body=_chunks(b"{}")),
    "chunked page": _post(b"/buy/", FORM, CHUNKED, body=_chunks(b"act=buy")),
    "no length": _post(b"/", FORM),
    "negative length": _post(b"/", FORM, b"Content-Length: -1\r\n"),
    "superscript length": _post(b"/", FORM, b"Content-Length: \xb2\r\n"),
    "two lengths": _post(b"/", FORM, b"Content-Length: 1\r\nContent-Length: 2\r\n", body=b"xy"),
    "form without type": _post(b"/buy/", b"Content-Length: 7\r\n", body=b"act=buy"),
    "broken multipart": _post(
        b"/buy/", b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 6\r\n", body=b"--b\r\nx"
    ),
    "multipart without boundary": _post(
        b"/buy/", b"Content-Type: multipart/form-data\r\nContent-Length: 1\r\n", body=b"x"
    ),
    "form in no charset": _post(
        b"/buy/", b"Content-Type: application/x-www-form-urlencoded; charset=undefined\r\nContent-Length: 7\r\n",
        body=b"act=buy",
    ),
    "two MiB of form": _post(b"/buy/", FORM, b"Content-Length: 2097152\r\n", body=b"a" * 2097152),
    "too many fields": _post(b"/buy/", FORM, b"Content-Length: 8000\r\n", body=b"a=1&b=2&" * 1000),
    "no host": _get(b"/buy/", host=b""),
    "empty host": _get(b"/buy/", host=b"Host: \r\n"),
    "host with a space": _get(b"/buy/", host=b"Host: a b\r\n"),
    "host half an address": _get(b"/buy/", host=b"Host: [::1\r\n"),
    "host with a path": _get(b"/buy/", host=b"Host: a/b\r\n"),
    "path with NUL": _get(b"/%00/"),
    "path that is no UTF-8": _get(b"/%ff%fe/"),
    "path of another site": _get(b"//evil.example/buy/"),
    "query that is no UTF-8": _get(b"/buy/?zone=%ff&\xff=\xfe"),
    "query of nothing": _get(b"/buy/?&&==&"),
    "language of nonsense": _get(b"/buy/", b"Accept-Language: zh;q=1e999,*;q=,x" + b"y" * 500 + b"\r\n"),
    "cookie of nonsense": _get(b"/orders/1/", b'Cookie: sessionid="\xff; ;=;django_language=\x01; messages=[[]]\r\n'),
    "action that is no ASCII": _get(b"/", b"X-TC-Action: \xff\xfe\r\n"),
    "call by another method": b"DELETE / HTTP/1.1\r\n" + HOST + CLOSE + API + b"\r\n",
    "legacy call with nothing": _get(b"/v2/index.php"),
    "legacy call that is no form": _post(b"/v2/index.php", b"Content-Length: 3\r\n", body=b"\xff\x00{"),
    "not HTTP": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\r\n\r\n",
}  # fmt: skip


def _status(shop: RunningShop, request: bytes) -> int:
    """Of the answer; 0 where the connection was closed without one."""
    host, port = shop.ready["api_endpoint"].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(request)
            answer = connection.recv(64)
        except (ConnectionResetError, BrokenPipeError):
            return 0
    return int(answer.split(b" ")[1]) if answer else 0


@pytest.mark.parametrize("name", REQUESTS)
def test_it_is_no_fault_of_ours(running_shop: RunningShop, name: str) -> None:
    logged = running_shop.log.count("Traceback")
    assert _status(running_shop, REQUESTS[name]) < 500
    assert running_shop.log.count("Traceback") == logged
    with urllib.request.urlopen(f"{running_shop.url}/healthz", timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.parametrize(("size", "status"), [(32_768, 200), (33_000, 200), (65_400, 200), (70_000, 414)])
def test_a_long_get_is_answered_by_the_api_as_far_as_the_server_reads(
    running_shop: RunningShop, size: int, status: int
) -> None:
    """Given a request line of up to 65,500 bytes, then the API answers with a RequestId; beyond, the server's 414."""
    host, port = running_shop.ready["api_endpoint"].split(":")
    request = _get(b"/?Action=DescribeZones&Name=" + b"x" * (size - 27), API)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert int(answer.split(b" ")[1]) == status
    assert (b"RequestSizeLimitExceeded" in answer and b"RequestId" in answer) == (32_768 < size < 70_000)
