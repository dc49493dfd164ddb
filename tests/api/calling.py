"""One API call of a test: signed by the SDK's code, answered by the application, checked by the oracle."""

import json
import os
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from tests.api import oracle
from tests.api.signing import SECRET_ID, SECRET_KEY, environ, legacy_request, sdk_request
from tests.support import api_pages
from tests.support.published_members import check_answer
from vmart.api import services
from vmart.api.registry import Registry
from vmart.api.wire.rates import CallRates
from vmart.api.wire.signatures import WireRequest
from vmart.api.wire.wsgi import ApiApplication


@dataclass(frozen=True)
class TestKey:
    """A key of the key ring below."""

    __test__ = False
    secret: str = SECRET_KEY
    account_id: int = 7
    user_id: int = 0  # nobody whose role its account's acts ask for
    enabled: bool = True
    rate_run_per_s: int = 1000
    role: str = "owner"
    email: str = ""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass
class Ring:
    """A key ring in memory."""

    keys: dict[str, TestKey] = field(default_factory=lambda: {SECRET_ID: TestKey()})
    signed_with: list[str] = field(default_factory=list)

    def find(self, secret_id: str) -> TestKey | None:
        return self.keys.get(secret_id)

    def used(self, secret_id: str) -> None:
        self.signed_with.append(secret_id)


@dataclass
class Answered:
    """Status, headers and body as the client reads them."""

    status: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def response(self) -> dict[str, Any]:
        return self.body["Response"]

    @property
    def error(self) -> tuple[str, str]:
        """Code and sentence; AssertionError where the call succeeded."""
        assert "Error" in self.response, self.response
        return self.response["Error"]["Code"], self.response["Error"]["Message"]


def send(application: Any, request: WireRequest | dict[str, Any]) -> Answered:
    """Hand ``request`` to the WSGI callable."""
    started: list[Any] = []
    content = b"".join(
        application(environ(request) if isinstance(request, WireRequest) else request, lambda *a: started.extend(a))
    )
    status, headers = started
    headers = dict(headers)
    assert status == "200 OK"
    assert headers["Content-Type"] == "application/json"
    assert headers["Content-Length"] == str(len(content))
    return Answered(status, headers, json.loads(content))


class Client:
    """Calls actions of ``application`` as the SDK would, every answer checked against api.json."""

    def __init__(self, application: Any, secret: tuple[str, str] = (SECRET_ID, SECRET_KEY)) -> None:
        self.application = application
        self.secret = secret

    def call(self, action: str, members: dict[str, Any] | None = None, **how: Any) -> Answered:
        version = how.get("version", "2017-03-12")
        how.setdefault("service", oracle.service_of(action, version) or "cvm")
        answered = send(self.application, sdk_request(action, members or {}, secret=self.secret, **how))
        service = oracle.service_of(action, version, how["service"])
        if service:
            # Its dry run is for its answer: when a policy would be due.
            dry_run = bool((members or {}).get("DryRun")) and action != "CreateAutoSnapshotPolicy"
            oracle.check(action, version, answered.response, service=service, dry_run=dry_run)
            _check_declared(service, action, version, answered.response)
            if os.environ.get("VMART_CHECK_ERRORS"):
                _check_error(service, action, version, answered.response)
        return answered

    def legacy(self, action: str, members: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
        body = send(self.application, legacy_request(action, members or {}, secret=self.secret, **how)).body
        assert {"code", "message", "codeDesc"} <= body.keys()
        if body["code"] in (0, 5400) and action in _LEGACY:
            told = {name: value for name, value in body.items() if name not in _ENVELOPE}
            assert check_answer(_LEGACY[action], told) == [], action
        return body


_LEGACY = {action.name: action.answers for action in services.LEGACY}
_OFFERED = {(action.service, action.name, action.version): action for action in services.API}
_ENVELOPE = {"code", "message", "codeDesc", "requestId"}


def _check_declared(service: str, action: str, version: str, response: dict[str, Any]) -> None:
    """An answer has the members that its action declares, no more and no less."""
    offered = _OFFERED.get((service, action, version))
    if offered and "Error" not in response:
        told = {name: value for name, value in response.items() if name != "RequestId"}
        assert check_answer(offered.answers, told) == [], action


# Codes that any action can answer (docs/reference/README.md), with those that tell of no request.
_ANY = {
    "MissingParameter", "UnknownParameter", "InvalidParameter", "InvalidParameterValue", "UnsupportedOperation",
    "RequestLimitExceeded", "InternalError", "InvalidAction", "NoSuchVersion",
}  # fmt: skip


def _check_error(service: str, action: str, version: str, response: dict[str, Any]) -> None:
    """An error is among those that the page of its action names."""
    key, code = (service, action, version), response.get("Error", {}).get("Code", "")
    if key in _OFFERED and code and code not in _ANY and not code.startswith(("AuthFailure", "ServiceUnavailable")):
        assert code in api_pages.codes_of(*key), (action, code)


def application(registry: Registry, legacy: Registry | None = None, **parts: Any) -> ApiApplication:
    """An application without a database: keys in memory, each nonce new, no rate."""
    parts.setdefault("remember", lambda *_: True)
    parts.setdefault("rates", CallRates(lambda _a, _n, _s, wanted, _l: wanted))
    return ApiApplication(parts.pop("keys", Ring()), registry, legacy or Registry([]), **parts)
