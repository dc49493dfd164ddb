"""Given a request signed by a client, when somebody sends it again or changes it, then the running shop refuses it."""

import http.client
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from tests.api.signing import legacy_request, sdk_request
from tests.clients.conftest import Access
from tests.clients.test_sdk_python import POSTPAID, Cvm
from vmart.api.wire.signatures import WireRequest


def _send(access: Access, request: WireRequest) -> dict[str, Any]:
    """The bytes as they are, over a connection of its own."""
    connection = http.client.HTTPConnection(access.endpoint, timeout=30)
    target = request.path + (f"?{request.query}" if request.query else "")
    connection.request(request.method, target, request.body, dict(request.headers))
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    body: dict[str, Any] = json.loads(answer.read())
    connection.close()
    return body


def _code(body: dict[str, Any]) -> str:
    error = body["Response"].get("Error")
    return error["Code"] if error else ""


@pytest.mark.parametrize("sign_method", ["HmacSHA1", "HmacSHA256"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_purchase_sent_again_buys_nothing(access: Access, sign_method: str, method: str) -> None:
    asked = {**POSTPAID, "InstanceName": f"once-{uuid.uuid4()}"}
    request = sdk_request(
        "RunInstances", asked, endpoint=access.endpoint, secret=access.secret, sign_method=sign_method, method=method
    )
    bought = _send(access, request)["Response"]["InstanceIdSet"]
    assert len(bought) == 1
    assert _code(_send(access, request)) == "AuthFailure.InvalidAuthorization"
    named = {"Filters": [{"Name": "instance-name", "Values": [asked["InstanceName"]]}]}
    machines = Cvm(access).DescribeInstances(named)["InstanceSet"]
    assert [machine["InstanceId"] for machine in machines] == bought


def test_within_the_window_a_client_token_protects_a_tc3_purchase(access: Access) -> None:
    asked = {**POSTPAID, "ClientToken": str(uuid.uuid4())}
    request = sdk_request("RunInstances", asked, endpoint=access.endpoint, secret=access.secret)
    first = _send(access, request)["Response"]["InstanceIdSet"]
    assert _send(access, request)["Response"]["InstanceIdSet"] == first


def test_a_changed_request_is_not_the_signed_one(access: Access) -> None:
    before = Cvm(access).ids()
    request = sdk_request("RunInstances", POSTPAID, endpoint=access.endpoint, secret=access.secret)
    more = replace(request, body=request.body.replace(b"S5.SMALL1", b"S5.SMALL2"))
    assert _code(_send(access, more)) == "AuthFailure.SignatureFailure"
    other = replace(request, headers={**request.headers, "authorization": request.headers["authorization"][:-1] + "g"})
    assert _code(_send(access, other)) in ("AuthFailure.SignatureFailure", "AuthFailure.InvalidAuthorization")
    older = sdk_request(
        "RunInstances", POSTPAID, endpoint=access.endpoint, secret=access.secret, sign_method="HmacSHA256"
    )
    changed = replace(older, body=older.body.replace(b"S5.SMALL1", b"S5.SMALL2"))
    assert changed.body != older.body
    assert _code(_send(access, changed)) == "AuthFailure.SignatureFailure"
    assert Cvm(access).ids() <= before


def test_a_legacy_request_sent_again(access: Access) -> None:
    request = legacy_request("DescribeInstances", {}, host=access.endpoint, secret=access.secret)
    assert _send(access, request)["code"] == 0
    assert _send(access, request)["code"] == 4500
