"""Given any request, when it reaches the wire, then the answer is HTTP 200, JSON, with a RequestId and a true code."""

import dataclasses
import io
import json
import time
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from tests.api.calling import Client, Ring, TestKey, application, send
from tests.api.signing import SECRET_ID, SECRET_KEY, environ, legacy_request, sdk_request, v1_form
from vmart.api.declarations import Code, LegacyShape, Limit, Shape, decode
from vmart.api.errors import InvalidRequest
from vmart.api.registry import RUN_PER_S, Action, Call, Members, Registry
from vmart.api.wire.authentication import WINDOW_S
from vmart.api.wire.decoding import multipart_members
from vmart.api.wire.rates import CallRates
from vmart.api.wire.signatures import WireRequest, v1_signature, v1_text
from vmart.api.wire.wsgi import MAX_BODY_BYTES, ApiApplication, is_api_request
from vmart.kernel import clock
from vmart.kernel.errors import InvalidValue, NotFound


class Disk(Shape):
    disk_size: Annotated[int, Field(ge=10), Code("InvalidParameterValue.Range")]
    disk_type: str = "CLOUD_PREMIUM"


class Echo(Shape):
    """A request with one member of each kind."""

    name: str = ""
    instance_ids: list[str] = []
    data_disks: list[Disk] = []
    system_disk: Disk | None = None
    limit: Limit = 20
    ratio: float | None = None
    dry_run: bool = False


class Chosen(Shape):
    stop_type: Literal["SOFT", "HARD", "SOFT_FIRST"]


class LegacyEcho(LegacyShape):
    zone_id: int
    instance_ids: list[str] = []


CALLS: list[Call] = []


def _echo(call: Call, asked: Echo) -> Members:
    CALLS.append(call)
    return {"Asked": asked.model_dump(by_alias=True)}


def _legacy_echo(call: Call, asked: LegacyEcho) -> Members:
    CALLS.append(call)
    return {"asked": asked.model_dump(by_alias=True)}


def _fails(_call: Call, _asked: Echo) -> Members:
    raise ZeroDivisionError("a fault of ours")


def _refuses(_call: Call, _asked: Echo) -> Members:
    raise NotFound("The thing {thing} does not exist.", field="name", thing="x{y}")


REGISTRY = Registry(
    [
        Action("Echo", Echo, dict, _echo, writes=False),
        Action("Fails", Echo, dict, _fails, writes=False),
        Action("Refuses", Echo, dict, _refuses, writes=False),
        Action("Buys", Echo, dict, _echo, writes=True, rate=RUN_PER_S),
    ],
    {"cvm": {"2017-03-12": ["RenewInstances"]}},
)
LEGACY = Registry(
    [Action("Echo", LegacyEcho, dict, _legacy_echo, version="", writes=False)], {"cvm": {"": ["RenewInstance"]}}
)


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    CALLS.clear()


@pytest.fixture
def app() -> ApiApplication:
    return application(REGISTRY, LEGACY)


@pytest.fixture
def client(app: ApiApplication) -> Client:
    return Client(app)


FULL = {
    "Name": "名字 a+b&c=d",
    "InstanceIds": ["ins-1", "ins-2"],
    "DataDisks": [{"DiskSize": 10}, {"DiskSize": 20, "DiskType": "CLOUD_SSD"}],
    "Limit": 5,
    "Ratio": 0.5,
    "DryRun": True,
}
SEEN = {
    **FULL,
    "DataDisks": [{"DiskSize": 10, "DiskType": "CLOUD_PREMIUM"}, {"DiskSize": 20, "DiskType": "CLOUD_SSD"}],
    "SystemDisk": None,
}


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"method": "GET"},
        {"unsigned_payload": True},
        {"sign_method": "HmacSHA1"},
        {"sign_method": "HmacSHA256"},
        {"sign_method": "HmacSHA256", "method": "GET"},
    ],
    ids=["tc3-json", "tc3-get", "tc3-unsigned", "v1-sha1-form", "v1-sha256-form", "v1-get"],
)
def test_one_request_in_every_form_is_the_same(client: Client, how: dict[str, Any]) -> None:
    answered = client.call("Echo", FULL, **how)
    assert answered.response["Asked"] == SEEN
    call = CALLS[0]
    assert (call.account_id, call.user_id, call.secret_id, call.region) == (7, 0, SECRET_ID, "ap-guangzhou")
    assert call.request_id == answered.response["RequestId"]
    assert call.address == "198.51.100.7"


def test_multipart_with_structures_as_json(client: Client) -> None:
    members = {"Name": "名字", "DataDisks": [{"DiskSize": 10}], "Limit": "5", "DryRun": "true"}
    answered = client.call("Echo", members, options={"IsMultipart": True})
    assert answered.response["Asked"]["DataDisks"] == [{"DiskSize": 10, "DiskType": "CLOUD_PREMIUM"}]
    assert (answered.response["Asked"]["Limit"], answered.response["Asked"]["DryRun"]) == (5, True)


def test_empty_structures_count_as_absent(client: Client) -> None:
    """Given what clients send for what was not set (trap 8), then the defaults hold."""
    answered = client.call("Echo", {"SystemDisk": {}, "DataDisks": [], "InstanceIds": [], "Name": None})
    assert answered.response["Asked"] == {**SEEN, "Name": "", "InstanceIds": [], "DataDisks": [], "Limit": 20,
                                          "Ratio": None, "DryRun": False}  # fmt: skip


def test_the_region_may_be_absent(client: Client) -> None:
    request = sdk_request("Echo", {})
    headers = {name: value for name, value in request.headers.items() if name != "x-tc-region"}
    send(client.application, dataclasses.replace(request, headers=headers))
    assert CALLS[0].region == ""


BAD = [
    ({"Limit": "5"}, "InvalidParameter", "Limit must be a whole number."),
    ({"Limit": 5.5}, "InvalidParameter", "Limit must be a whole number."),
    ({"Limit": True}, "InvalidParameter", "Limit must be a whole number."),
    ({"Limit": 0}, "InvalidParameterValueLimit", "Limit is 0; it must be at least 1."),
    ({"Limit": 10**400}, "InvalidParameterValueLimit", "Limit"),
    ({"DryRun": 1}, "InvalidParameter", "DryRun must be true or false."),
    ({"Name": 5}, "InvalidParameter", "Name must be text."),
    ({"Name": "a\0b"}, "InvalidParameterValue", "Name holds characters that are not text."),
    ({"Name": "\ud800"}, "InvalidParameterValue", "Name holds characters that are not text."),
    ({"InstanceIds": "ins-1"}, "InvalidParameter", "InstanceIds must be a list."),
    ({"InstanceIds": [1]}, "InvalidParameter", "InstanceIds.0 must be text."),
    ({"InstanceIds": ["a\0"]}, "InvalidParameterValue", "InstanceIds.0 holds"),
    ({"DataDisks": [5]}, "InvalidParameter", "DataDisks.0 must be a structure."),
    ({"DataDisks": [{}]}, "MissingParameter", "The parameter DataDisks.0.DiskSize is missing."),
    ({"DataDisks": [{"DiskSize": 5}]}, "InvalidParameterValue.Range", "DataDisks.0.DiskSize is 5; it must be at least"),
    ({"DataDisks": [{"DiskSize": 10, "Colour": 1}]}, "UnknownParameter", "The parameter DataDisks.0.Colour"),
    ({"SystemDisk": {"DiskSize": "x"}}, "InvalidParameter", "SystemDisk.DiskSize must be a whole number."),
    ({"limit": 5}, "UnknownParameter", "The parameter limit is not known here."),
]  # fmt: skip


@pytest.mark.parametrize(("members", "code", "sentence"), BAD, ids=[str(number) for number in range(len(BAD))])
def test_a_bad_member_is_named_with_its_code(client: Client, members: Any, code: str, sentence: str) -> None:
    given, told = client.call("Echo", members).error
    assert given == code
    assert told.startswith(sentence)
    assert not CALLS


@pytest.mark.parametrize(
    ("query", "code", "names"),
    [
        ("Limit=x", "InvalidParameter", "Limit"),
        ("DryRun=maybe", "InvalidParameter", "DryRun"),
        ("Ratio=much", "InvalidParameter", "Ratio"),
        ("Name=a&Name=b", "InvalidParameter", "Name"),
        ("DataDisks.0=x&DataDisks.0.DiskSize=10", "InvalidParameter", "DataDisks.0"),
        ("DataDisks.0.DiskSize=10&DataDisks.0=x", "InvalidParameter", "DataDisks.0"),
        ("Name=%FF", "InvalidParameter", "UTF-8"),
        ("Name..x=1", "InvalidParameter", "Name..x"),
        ("A.0.0.0.0.0.0.0.0.0.0.0.0.0=1", "InvalidParameter", "cannot be read"),
        ("DataDisks.x.DiskSize=10", "InvalidParameter", "DataDisks must be a list"),
    ],
)
def test_bad_text_parameters(app: ApiApplication, query: str, code: str, names: str) -> None:
    request = _resigned(sdk_request("Echo", {}, method="GET"), query=query)
    given, sentence = send(app, request).error
    assert given == code
    assert names in sentence
    assert not CALLS


def test_lists_may_begin_at_one_and_skip(app: ApiApplication) -> None:
    query = "InstanceIds.10=c&InstanceIds.1=a&InstanceIds.2=b"
    assert send(app, _resigned(sdk_request("Echo", {}, method="GET"), query=query)).response["Asked"][
        "InstanceIds"
    ] == ["a", "b", "c"]


def _resigned(request: WireRequest, **changes: Any) -> WireRequest:
    """The request with ``changes``, signed again."""
    from vmart.api.wire.signatures import parse_authorization, tc3_signature

    changed = dataclasses.replace(request, **changes)
    credential = parse_authorization(changed.header("authorization"))
    assert credential is not None
    signature = tc3_signature(changed, credential, changed.header("x-tc-timestamp"), SECRET_KEY, changed.headers)
    authorization = changed.header("authorization").rpartition("=")[0] + "=" + signature
    return dataclasses.replace(changed, headers={**changed.headers, "authorization": authorization})


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b"\xff", b'{"Limit": NaN}', b'{"Limit": Infinity}', b"[" * 200_000, b'{"A":' * 5000 + b"1"],
)
def test_a_body_that_is_no_json_object(app: ApiApplication, body: bytes) -> None:
    code, _ = send(app, _resigned(sdk_request("Echo", {}), body=body)).error
    assert code == "InvalidParameter"


def test_deep_json_is_refused_not_fatal(app: ApiApplication) -> None:
    for depth in (100, 300, 900, 990):
        body = b'{"Name":' * depth + b"1" + b"}" * depth
        assert send(app, _resigned(sdk_request("Echo", {}), body=body)).error[0] == "InvalidParameter"


def test_an_unreadable_multipart_body(app: ApiApplication) -> None:
    request = sdk_request("Echo", {"Name": "x"}, options={"IsMultipart": True})
    assert send(app, _resigned(request, body=b"no parts")).error[0] == "InvalidRequest"


def test_another_content_type(app: ApiApplication) -> None:
    request = sdk_request("Echo", {})
    headers = {**request.headers, "content-type": "text/xml"}
    code, sentence = send(app, _resigned(request, headers=headers)).error
    assert code == "InvalidRequest"
    assert "text/xml" in sentence


@pytest.mark.parametrize(
    ("action", "version", "code"),
    [
        ("Nothing", "2017-03-12", "InvalidAction"),
        ("Echo", "2016-01-01", "NoSuchVersion"),
        ("RenewInstances", "2017-03-12", "UnsupportedOperation"),
        ("RenewInstances", "2016-01-01", "NoSuchVersion"),
    ],
)
def test_actions_that_are_not_there(client: Client, action: str, version: str, code: str) -> None:
    for sign_method in ("TC3-HMAC-SHA256", "HmacSHA256"):
        given, sentence = client.call(action, version=version, sign_method=sign_method).error
        assert given == code
        assert action in sentence


def test_a_fault_of_ours_is_an_internal_error_with_its_request_id(client: Client) -> None:
    code, sentence = client.call("Fails").error
    assert code == "InternalError"
    assert "a fault of ours" not in sentence
    answered = client.call("Fails")
    assert answered.response["RequestId"] in answered.error[1]


def test_a_refusal_of_a_room_is_told_with_its_field(client: Client) -> None:
    assert client.call("Refuses").error == ("ResourceNotFound", "Name: The thing x{y} does not exist.")


# Who signs -----------------------------------------------------------------------------------------------------------


def test_a_wrong_secret(app: ApiApplication) -> None:
    for sign_method in ("TC3-HMAC-SHA256", "HmacSHA1"):
        assert Client(app, (SECRET_ID, "x" * 32)).call("Echo", sign_method=sign_method).error[0] == (
            "AuthFailure.SignatureFailure"
        )
    assert not CALLS


@pytest.mark.parametrize("secret_id", ["AKIDunknown", "AKID%00", "ü", "x" * 200])
def test_an_unknown_key(app: ApiApplication, secret_id: str) -> None:
    code = send(app, sdk_request("Echo", {}, sign_method="HmacSHA1", secret=(secret_id, SECRET_KEY))).error[0]
    assert code == "AuthFailure.SecretIdNotFound"


def test_a_disabled_key() -> None:
    app = application(REGISTRY, keys=Ring({SECRET_ID: TestKey(enabled=False)}))
    assert Client(app).call("Echo").error[0] == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize("sign_method", ["TC3-HMAC-SHA256", "HmacSHA256"])
@pytest.mark.parametrize(
    ("off_s", "accepted"), [(-WINDOW_S - 2, False), (-WINDOW_S + 2, True), (WINDOW_S - 2, True), (WINDOW_S + 2, False)]
)
def test_the_window_is_five_minutes(
    app: ApiApplication, monkeypatch: pytest.MonkeyPatch, sign_method: str, off_s: int, accepted: bool
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + off_s)
    request = sdk_request("Echo", {}, sign_method=sign_method)
    monkeypatch.setattr(time, "time", lambda: now)
    answered = send(app, request)
    if accepted:
        assert "Asked" in answered.response
    else:
        assert answered.error[0] == "AuthFailure.SignatureExpire"
        assert not CALLS


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1e9", "١٢٣", "9" * 30])
def test_a_timestamp_that_is_no_number(app: ApiApplication, timestamp: str) -> None:
    request = sdk_request("Echo", {})
    code, sentence = send(
        app, dataclasses.replace(request, headers={**request.headers, "x-tc-timestamp": timestamp})
    ).error
    assert code == ("InvalidParameter" if timestamp else "MissingParameter")
    assert "X-TC-Timestamp" in sentence


@pytest.mark.parametrize("authorization", ["", "SKIP", "Bearer x"])
def test_an_authorization_of_another_kind(app: ApiApplication, authorization: str) -> None:
    request = sdk_request("Echo", {})
    headers = {**request.headers, "authorization": authorization}
    assert send(app, dataclasses.replace(request, headers=headers)).error[0] == "AuthFailure.InvalidAuthorization"


def test_temporary_tokens_are_not_issued(app: ApiApplication) -> None:
    request = sdk_request("Echo", {})
    headers = {**request.headers, "x-tc-token": "t"}
    assert send(app, dataclasses.replace(request, headers=headers)).error[0] == "AuthFailure.TokenFailure"


@pytest.mark.parametrize("missing", ["Timestamp", "Nonce", "SecretId", "Signature", "Version", "Action"])
def test_v1_needs_its_parameters(app: ApiApplication, missing: str) -> None:
    parameters = _v1_parameters()
    del parameters[missing]
    request = v1_form(parameters)
    if missing in ("Action", "SecretId"):
        assert not is_api_request(environ(request))  # without these it is a form of a page
    code, sentence = send(app, request).error
    assert code == "MissingParameter"
    assert missing in sentence


def _v1_parameters(**changes: str) -> dict[str, str]:
    parameters = {
        "Action": "Echo",
        "Version": "2017-03-12",
        "Timestamp": str(int(time.time())),
        "Nonce": "12345",
        "SecretId": SECRET_ID,
        "SignatureMethod": "HmacSHA256",
        **changes,
    }
    method = parameters["SignatureMethod"] if parameters["SignatureMethod"] == "HmacSHA1" else "HmacSHA256"
    text = v1_text("POST", "127.0.0.1:8000", "/", parameters)
    return {**parameters, "Signature": v1_signature(text, SECRET_KEY, method)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"SignatureMethod": "HmacMD5"}, "AuthFailure.InvalidAuthorization"),
        ({"Nonce": "-1"}, "InvalidParameter"),
        ({"Nonce": str(2**63)}, "InvalidParameter"),
        ({"Nonce": "x"}, "InvalidParameter"),
        ({"Token": "t"}, "AuthFailure.TokenFailure"),
        ({"Nonce": str(2**63 - 1)}, ""),
    ],
)
def test_v1_parameters_are_checked(app: ApiApplication, changes: dict[str, str], code: str) -> None:
    answered = send(app, v1_form(_v1_parameters(**changes)))
    if code:
        assert answered.error[0] == code
    else:
        assert "Asked" in answered.response


def test_a_nonce_is_used_up_only_by_a_signed_request() -> None:
    used: list[tuple[str, int, int]] = []

    def remember(*nonce: Any) -> bool:
        used.append(nonce)
        return True

    app = application(REGISTRY, remember=remember)
    Client(app, (SECRET_ID, "wrong")).call("Echo", sign_method="HmacSHA1")
    assert used == []
    parameters = _v1_parameters()
    send(app, v1_form(parameters))
    assert used == [(SECRET_ID, 12345, int(parameters["Timestamp"]) + WINDOW_S)]


# Transport -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods(app: ApiApplication, method: str) -> None:
    request = dataclasses.replace(sdk_request("Echo", {}), method=method)
    assert send(app, request).error[0] == "UnsupportedProtocol"


def test_a_request_that_is_too_large_is_not_read(app: ApiApplication) -> None:
    made = environ(sdk_request("Echo", {}))
    made["CONTENT_LENGTH"] = str(MAX_BODY_BYTES + 1)
    made["wsgi.input"] = None
    assert send(app, made).error[0] == "RequestSizeLimitExceeded"


def test_a_chunked_request_that_is_too_large_is_read_so_far(app: ApiApplication) -> None:
    made = environ(sdk_request("Echo", {}))
    del made["CONTENT_LENGTH"]
    made["wsgi.input"] = io.BytesIO(b"x" * (MAX_BODY_BYTES + 5))
    assert send(app, made).error[0] == "RequestSizeLimitExceeded"


def test_a_chunked_request(app: ApiApplication) -> None:
    made = environ(sdk_request("Echo", {"Name": "x"}))
    del made["CONTENT_LENGTH"]
    assert send(app, made).response["Asked"]["Name"] == "x"


@pytest.mark.parametrize(
    ("request_", "is_api"),
    [
        (sdk_request("Echo", {}), True),
        (sdk_request("Echo", {}, method="GET"), True),
        (sdk_request("Echo", {}, sign_method="HmacSHA1"), True),
        (sdk_request("Echo", {}, sign_method="HmacSHA1", method="GET"), True),
        (legacy_request("Echo", {}), True),
        (legacy_request("Echo", {}, method="POST"), True),
        (WireRequest("GET", "/v2/index.php", "", {}, b""), True),
        (WireRequest("GET", "/", "", {}, b""), False),
        (WireRequest("GET", "/console", "Action=x&SecretId=y", {}, b""), False),
        (v1_form({"email": "a@example.com"}), False),
        (v1_form({"Action": "x", "SecretId": "y"}, path="/sign-in"), False),
    ],
)
def test_which_requests_are_for_the_api(request_: WireRequest, is_api: bool) -> None:
    assert is_api_request(environ(request_)) is is_api


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", "x/y; charset=\xff"])
def test_a_signed_post_is_the_api_s_whatever_it_says_that_it_sends(app: ApiApplication, content_type: str) -> None:
    request = sdk_request("Echo", {"Name": "x"}, sign_method="HmacSHA256")
    request = dataclasses.replace(request, headers={**request.headers, "content-type": content_type})
    assert is_api_request(environ(request))
    assert send(app, request).response["Asked"]["Name"] == "x"


@pytest.mark.parametrize(("size", "refused"), [(32 * 1024, False), (32 * 1024 + 1, True), (60_000, True)])
def test_a_get_has_at_most_32_kib(app: ApiApplication, size: int, refused: bool) -> None:
    request = _resigned(sdk_request("Echo", {}, method="GET"), query="Name=" + "x" * (size - 5))
    answered = send(app, request)
    if refused:
        assert answered.error == ("RequestSizeLimitExceeded", "A GET has at most 32 KiB of parameters; use POST.")
        assert not CALLS
    else:
        assert len(answered.response["Asked"]["Name"]) == size - 5


def test_a_form_of_a_page_can_be_read_again() -> None:
    made = environ(v1_form({"email": "a@example.com"}))
    assert not is_api_request(made)
    assert made["wsgi.input"].read() == b"email=a%40example.com"


# Rate ----------------------------------------------------------------------------------------------------------------


def test_more_calls_than_the_account_may_make(monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: now)
    used = 0

    def take(_account: int, _action: str, _second: int, wanted: int, limit: int) -> int:
        nonlocal used
        granted = min(wanted, limit - used)
        used += granted
        return granted

    client = Client(application(REGISTRY, rates=CallRates(take), keys=Ring({SECRET_ID: TestKey(rate_run_per_s=3)})))
    answers = [client.call("Buys") for _ in range(5)]
    assert ["Error" in answered.response for answered in answers] == [False, False, False, True, True]
    code, sentence = answers[-1].error
    assert code == "RequestLimitExceeded"
    assert sentence == "Buys may be called 3 times a second; try again in a second."
    assert "Asked" in client.call("Echo").response


def test_all_that_buys_is_counted_together_and_the_rest_by_itself() -> None:
    counted: list[str] = []

    def take(_account: int, what: str, _second: int, wanted: int, limit: int) -> int:
        counted.append(what)
        return 1

    limited = [
        Action(name, Echo, dict, _echo, writes=True, buys=name != "Makes", rate=RUN_PER_S)
        for name in ("Buys", "BuysByTheHour", "Makes")
    ]
    client = Client(application(Registry(limited), rates=CallRates(take)))
    for name in ("Buys", "BuysByTheHour", "Makes"):
        client.call(name)
    assert counted == [RUN_PER_S, RUN_PER_S, "Makes"]


# Legacy --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_legacy_call(client: Client, method: str) -> None:
    body = client.legacy("Echo", {"zoneId": 100003, "instanceIds": ["ins-a", "ins-b"]}, method=method)
    assert (body["code"], body["message"], body["codeDesc"]) == (0, "", "Success")
    assert body["asked"] == {"zoneId": 100003, "instanceIds": ["ins-a", "ins-b"]}
    assert CALLS[0].region == "gz"


@pytest.mark.parametrize(
    ("action", "members", "code", "says"),
    [
        ("Echo", {}, 4000, "zoneId"),
        ("Echo", {"zoneId": "x"}, 4000, "zoneId"),
        ("Echo", {"zoneId": 1, "colour": 1}, 4000, "colour"),
        ("Nothing", {}, 4000, "Nothing"),
        ("RenewInstance", {}, 5100, "RenewInstance"),
    ],
)
def test_legacy_refusals(client: Client, action: str, members: dict[str, Any], code: int, says: str) -> None:
    body = client.legacy(action, members)
    assert body["code"] == code
    assert says in body["message"]
    assert not CALLS


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_legacy_path_with_a_version_is_the_new_interface(app: ApiApplication, method: str) -> None:
    asked = {"Version": "2017-03-12", "Name": "x"}
    answered = send(app, legacy_request("Echo", asked, method=method))
    assert answered.response["Asked"]["Name"] == "x"
    for action, members, code in (
        ("Echo", {"Version": "2016-01-01"}, "NoSuchVersion"),
        ("Echo", {**asked, "Colour": 1}, "UnknownParameter"),
        ("RenewInstances", asked, "UnsupportedOperation"),
    ):
        assert send(app, legacy_request(action, members, method=method)).error[0] == code
    assert len(CALLS) == 1


def test_legacy_authentication_codes(app: ApiApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Client(app, (SECRET_ID, "wrong")).legacy("Echo", {"zoneId": 1})["code"] == 4100
    assert Client(app, ("AKIDunknown", SECRET_KEY)).legacy("Echo", {"zoneId": 1})["code"] == 4104
    replayed = application(REGISTRY, LEGACY, remember=lambda *_: False)
    assert Client(replayed).legacy("Echo", {"zoneId": 1})["code"] == 4500
    limited = Registry([Action("Echo", LegacyEcho, dict, _legacy_echo, version="", writes=True, rate=RUN_PER_S)])
    full = application(REGISTRY, limited, rates=CallRates(lambda *_: 0))
    assert Client(full).legacy("Echo", {"zoneId": 1})["code"] == 4400
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    request = legacy_request("Echo", {"zoneId": 1})
    monkeypatch.setattr(time, "time", lambda: now)
    assert send(app, request).body["code"] == 4200


# Anything ------------------------------------------------------------------------------------------------------------

HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=st.sampled_from(["/", "/v2/index.php", "/x"]),
    query=st.text(max_size=60),
    body=st.binary(max_size=80) | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    ).map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["x-tc-action", "x-tc-version", "x-tc-timestamp", "authorization", "content-type", "host",
                         "x-tc-language", "x-tc-region", "x-tc-content-sha256", "x-tc-token"]),
        HEADER_TEXT | st.sampled_from(["Echo", "2017-03-12", "application/json", "multipart/form-data; boundary=b"]),
    ),
    signed=st.booleans(),
)  # fmt: skip
def test_whatever_arrives_is_answered_in_the_envelope(
    *,
    method: str,
    path: str,
    query: str,
    body: bytes,
    headers: dict[str, str],
    signed: bool,
) -> None:
    CALLS.clear()
    request = WireRequest(method, path, query, {"host": "h", **headers}, body)
    if signed and path == "/":
        base = sdk_request("Echo", {}, method="GET" if method == "GET" else "POST")
        request = _resigned(base, body=b"" if method == "GET" else body, query=query if method == "GET" else "")
    answered = send(application(REGISTRY, LEGACY), request).body
    told = answered.get("Response", answered)
    assert told.get("RequestId") or told.get("requestId")
    code = told.get("Error", {}).get("Code", "") if "Response" in answered else told["codeDesc"]
    assert code != "InternalError"
    assert bool(CALLS) == (code in ("", "Success"))


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 3000),
        (
            "multipart/form-data; boundary*=undefined''b",
            b"--b\r\nContent-Disposition: form-data; name=A\r\n\r\nx\r\n--b--",
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/form-data", b"x"),
    ],
    ids=["messages in messages", "a boundary in no charset", "a part without a name", "no boundary"],
)
def test_a_multipart_body_that_cannot_be_read_is_refused(content_type: str, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        multipart_members(content_type, body)


def test_a_parameter_given_twice_among_ten_thousand_is_found_at_once(app: ApiApplication) -> None:
    """Before any signature is looked at: whoever asks may not keep the shop busy with it."""
    names = [f"p{number}" for number in range(9_990)]
    body = "&".join(["Action=Echo", "SecretId=x", *(f"{name}=1" for name in names), f"{names[-1]}=1"]).encode()
    request = dataclasses.replace(v1_form({}), body=body)
    began = time.process_time()
    code, sentence = send(app, request).error
    assert time.process_time() - began < 0.3
    assert (code, sentence) == ("InvalidParameter", "The parameter p9989 is given twice.")


def test_only_a_signed_request_counts_as_a_use_of_its_key() -> None:
    keys = Ring()
    client = Client(application(REGISTRY, LEGACY, keys=keys))
    for how in ({}, {"sign_method": "HmacSHA1"}):
        forged = Client(client.application, (SECRET_ID, "another secret of the same length"))
        assert forged.call("Echo", {}, **how).error[0] == "AuthFailure.SignatureFailure"
        assert keys.signed_with == []
        client.call("Echo", {}, **how)
        assert keys.signed_with == [SECRET_ID]
        keys.signed_with.clear()


def test_choices_are_listed_without_words_of_a_language() -> None:
    with pytest.raises(InvalidValue) as refusal:
        decode(Chosen, {"StopType": "x"}, as_text=False)
    assert refusal.value.sentence == "StopType is x; possible are SOFT, HARD, SOFT_FIRST."
