"""Given what real clients sign, when the server checks it, then that passes and everything else fails."""

import dataclasses
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.signing import SECRET_ID, SECRET_KEY, legacy_request, sdk_request
from vmart.api.wire.signatures import (
    Tc3Credential,
    WireRequest,
    host_spellings,
    parse_authorization,
    tc3_day_key,
    tc3_signature,
    v1_signature,
    v1_text,
    verify_tc3,
    verify_v1,
)

MEMBERS = {
    "Placement": {"Zone": "ap-guangzhou-3"},
    "InstanceName": "名字 a+b&c=d/ü",
    "DryRun": True,
    "DataDisks": [{"DiskSize": 10}],
}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def _tc3(request: WireRequest, secret: str = SECRET_KEY) -> bool:
    credential = parse_authorization(request.header("authorization"))
    assert credential is not None
    return verify_tc3(request, credential, request.header("x-tc-timestamp"), secret)


def _v1(request: WireRequest, secret: str = SECRET_KEY) -> bool:
    parameters = dict(parse_qsl(request.query or request.body.decode(), keep_blank_values=True))
    return verify_v1(request, parameters, secret, parameters["SignatureMethod"])


def test_tc3_example_of_the_documentation() -> None:
    """Given the request and the example key of product 213/30654, then its published signature."""
    body = b'{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'
    headers = {"content-type": "application/json; charset=utf-8", "host": "cvm.tencentcloudapi.com"}
    request = WireRequest("POST", "/", "", headers, body)
    published = "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    credential = parse_authorization(
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        f"SignedHeaders=content-type;host, Signature={published}"
    )
    assert credential == Tc3Credential(
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "2019-02-25", "cvm", ("content-type", "host"), published
    )
    secret = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
    assert tc3_signature(request, credential, "1551113065", secret, headers) == published
    assert verify_tc3(request, credential, "1551113065", secret)


def test_signed_values_may_be_in_lower_case() -> None:
    """Given a client that signs x-tc-action too, its value in lower case as documented, then it passes."""
    request = sdk_request("RunInstances", MEMBERS)
    credential = parse_authorization(request.header("authorization"))
    assert credential is not None
    more = dataclasses.replace(credential, signed_headers=("content-type", "host", "x-tc-action"))
    values = {name: request.header(name).lower() for name in more.signed_headers}
    timestamp = request.header("x-tc-timestamp")
    signed = dataclasses.replace(more, signature=tc3_signature(request, more, timestamp, SECRET_KEY, values))
    assert verify_tc3(request, signed, timestamp, SECRET_KEY)
    headers = {**request.headers, "x-tc-action": "TerminateInstances"}
    assert not verify_tc3(dataclasses.replace(request, headers=headers), signed, timestamp, SECRET_KEY)


@pytest.mark.parametrize(
    ("method", "expected"),
    [("HmacSHA256", "0EEm/HtGRr/VJXTAD9tYMth1Bzm3lLHz5RCDv1GdM8s="), ("HmacSHA1", "RVSD1I6ip2Zo56I2HdqRVrt+1TE=")],
)
def test_legacy_check_vectors(method: str, expected: str) -> None:
    """Given the reference's request, then its signatures; the text is signed with HmacSHA256 named in both."""
    parameters = {
        "Action": "DescribeInstances",
        "InstanceIds.0": "ins-09dx96dg",
        "Nonce": "11886",
        "Region": "ap-guangzhou",
        "SecretId": SECRET_ID,
        "SignatureMethod": "HmacSHA256",
        "Timestamp": "1465185768",
        "Signature": "left out of the text",
    }
    text = v1_text("GET", "cvm.api.qcloud.com", "/v2/index.php", parameters)
    assert text == (
        "GETcvm.api.qcloud.com/v2/index.php?Action=DescribeInstances&InstanceIds.0=ins-09dx96dg&Nonce=11886"
        f"&Region=ap-guangzhou&SecretId={SECRET_ID}&SignatureMethod=HmacSHA256&Timestamp=1465185768"
    )
    assert v1_signature(text, SECRET_KEY, method) == expected


@pytest.mark.parametrize("endpoint", ["127.0.0.1:8000", "shop.example.com", "http://127.0.0.1:8000", "[::1]:8000"])
@pytest.mark.parametrize(
    "how",
    [
        {"method": "POST"},
        {"method": "GET"},
        {"method": "POST", "unsigned_payload": True},
        {"method": "POST", "options": {"IsMultipart": True}},
    ],
    ids=["json", "get", "unsigned-payload", "multipart"],
)
def test_tc3_of_the_sdk_is_accepted(endpoint: str, how: dict[str, Any]) -> None:
    members = {"InstanceName": "名字", "UserData": "x"} if "options" in how else MEMBERS
    request = sdk_request("RunInstances", members, endpoint=endpoint, **how)
    assert _tc3(request)
    assert not _tc3(request, SECRET_KEY[:-1] + "B")


@pytest.mark.parametrize("signed_host", ["shop.example.com", "shop.example.com:8000", "http://shop.example.com:8000"])
def test_the_host_may_be_signed_with_and_without_port_and_scheme(signed_host: str) -> None:
    """Given a client that signs another spelling than it sends (trap 3), then its request passes."""
    signed = sdk_request("RunInstances", MEMBERS, endpoint=signed_host)
    arrived = dataclasses.replace(signed, headers={**signed.headers, "host": "shop.example.com:8000"})
    assert _tc3(arrived)
    elsewhere = dataclasses.replace(signed, headers={**signed.headers, "host": "other.example.com:8000"})
    assert not _tc3(elsewhere)


@pytest.mark.parametrize("part", ["body", "action header signed", "timestamp", "service", "date", "content type"])
def test_a_changed_request_is_refused(part: str) -> None:
    request = sdk_request("RunInstances", MEMBERS)
    assert _tc3(request)
    headers = dict(request.headers)
    changes: dict[str, Any] = {}
    if part == "body":
        changes["body"] = request.body.replace(b"ap-guangzhou-3", b"ap-guangzhou-4")
    elif part == "action header signed":
        headers["authorization"] = headers["authorization"].replace(
            "content-type;host", "content-type;host;x-tc-action"
        )
    elif part == "timestamp":
        headers["x-tc-timestamp"] = str(int(headers["x-tc-timestamp"]) + 1)
    elif part == "service":
        headers["authorization"] = headers["authorization"].replace("/cvm/", "/vpc/")
    elif part == "date":
        date = headers["authorization"].split("/")[1]
        headers["authorization"] = headers["authorization"].replace(date, "2001-01-01")
    else:
        headers["content-type"] = "application/json; charset=utf-8"
    assert not _tc3(dataclasses.replace(request, headers=headers, **changes))


def test_a_get_query_is_signed_as_sent() -> None:
    """Given parameters in another order than sorted (trap 5), then the raw query counts, not a sorted one."""
    request = sdk_request("DescribeInstances", {"Zeta": "1", "Alpha": "2"}, method="GET")
    assert request.query.index("Zeta") < request.query.index("Alpha")
    assert _tc3(request)
    assert not _tc3(dataclasses.replace(request, query="Alpha=2&Zeta=1"))


def test_the_host_must_be_signed() -> None:
    request = sdk_request("RunInstances", MEMBERS)
    credential = parse_authorization(request.header("authorization"))
    assert credential is not None
    alone = dataclasses.replace(credential, signed_headers=("content-type",))
    values = {"content-type": request.header("content-type")}
    signature = tc3_signature(request, alone, request.header("x-tc-timestamp"), SECRET_KEY, values)
    assert not verify_tc3(
        request, dataclasses.replace(alone, signature=signature), request.header("x-tc-timestamp"), SECRET_KEY
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SKIP",
        "TC3-HMAC-SHA256 Credential=a/2019-02-25/cvm/tc3_request, SignedHeaders=host, Signature=12",
        "TC3-HMAC-SHA256 Credential=a/2019-2-25/cvm/tc3_request, SignedHeaders=host, Signature=" + "a" * 64,
        "TC3-HMAC-SHA256 Credential=a/2019-02-25/cvm/aws4_request, SignedHeaders=host, Signature=" + "a" * 64,
        "TC3-HMAC-SHA256 SignedHeaders=host, Signature=" + "a" * 64,
    ],
)
def test_an_authorization_of_another_form_is_none(text: str) -> None:
    assert parse_authorization(text) is None


@pytest.mark.parametrize("sign_method", ["HmacSHA1", "HmacSHA256"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_v1_of_the_sdk_is_accepted(sign_method: str, method: str) -> None:
    request = sdk_request("RunInstances", MEMBERS, method=method, sign_method=sign_method)
    assert _v1(request)
    assert not _v1(request, SECRET_KEY[:-1] + "B")
    changed = urlencode({**dict(parse_qsl(request.query or request.body.decode())), "InstanceName": "x"})
    query, body = (changed, b"") if method == "GET" else ("", changed.encode())
    assert not _v1(dataclasses.replace(request, query=query, body=body))


@pytest.mark.parametrize("sign_method", ["HmacSHA1", "HmacSHA256"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("password", ["plain", "@begins-with-at", "with&equals=and +"])
def test_v1_of_the_legacy_sdk_is_accepted(sign_method: str, method: str, password: str) -> None:
    members = {"zoneId": 100003, "password": password, "instanceIds": ["ins-a", "ins-b"]}
    request = legacy_request("RunInstances", members, method=method, sign_method=sign_method)
    assert _v1(request)
    assert not _v1(dataclasses.replace(request, path="/"))


def test_values_with_at_are_signed_outside_the_legacy_path() -> None:
    """Given API 3.0, then a parameter that begins with @ cannot be slipped into a signed request."""
    request = sdk_request("RunInstances", {"InstanceName": "n"}, method="POST", sign_method="HmacSHA256")
    slipped = dataclasses.replace(request, body=request.body + b"&UserData=%40x")
    assert not _v1(slipped)


@given(st.dictionaries(st.from_regex(r"[A-Z][A-Za-z]{0,8}", fullmatch=True), TEXTS, max_size=4))
def test_any_text_survives_the_round_trip(members: dict[str, str]) -> None:
    members = {
        name: value for name, value in members.items() if name not in ("Action", "Nonce", "Timestamp", "Version")
    }
    for sign_method in ("HmacSHA1", "HmacSHA256"):
        for method in ("GET", "POST"):
            assert _v1(sdk_request("RunInstances", members, method=method, sign_method=sign_method))
    assert _tc3(sdk_request("RunInstances", members))
    assert _tc3(sdk_request("RunInstances", members, method="GET"))


def test_host_spellings() -> None:
    assert host_spellings("h:80") == ["h:80", "h", "http://h:80", "https://h:80"]
    assert host_spellings("http://h:80") == ["http://h:80", "h:80", "h", "https://h:80"]
    assert host_spellings("h") == ["h", "http://h", "https://h"]


def test_the_day_key_is_derived_once() -> None:
    tc3_day_key.cache_clear()
    for _ in range(3):
        tc3_day_key(SECRET_KEY, "2026-03-10", "cvm")
    assert tc3_day_key.cache_info().misses == 1
