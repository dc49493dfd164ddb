"""Requests as real clients sign them: the SDKs' own code makes the signature, the test carries it."""

import io
import time
from typing import Any
from urllib.parse import urlencode

from QcloudApi.common.request import RequestInternal as LegacyRequest
from QcloudApi.modules.base import Base as LegacyClient
from tencentcloud.common.abstract_client import AbstractClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.http.request import RequestInternal
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from vmart.api.wire.signatures import WireRequest

SECRET_ID, SECRET_KEY = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3gnPhESA", "Gu5t9xGARNpq86cd98joQYCN3Cozk1qA"


class _Client(AbstractClient):
    def __init__(self, service: str, version: str, *args: Any) -> None:
        self._service = service
        self._apiVersion = version
        super().__init__(*args)


def sdk_request(
    action: str,
    members: dict[str, Any],
    *,
    method: str = "POST",
    sign_method: str = "TC3-HMAC-SHA256",
    endpoint: str = "127.0.0.1:8000",
    service: str = "cvm",
    version: str = "2017-03-12",
    unsigned_payload: bool = False,
    options: dict[str, Any] | None = None,
    secret: tuple[str, str] = (SECRET_ID, SECRET_KEY),
    region: str = "ap-guangzhou",
    language: str = "en-US",  # the SDK's own default is zh-CN
) -> WireRequest:
    """What tencentcloud-sdk-python sends for this call."""
    http = HttpProfile(endpoint=endpoint, reqMethod=method, protocol="http")
    profile = ClientProfile(signMethod=sign_method, httpProfile=http)
    profile.unsignedPayload = unsigned_payload
    profile.language = language
    client = _Client(service, version, Credential(*secret), region, profile)
    request = RequestInternal(endpoint, method, "/", header={})
    client._build_req_inter(action, members, request, options)
    headers = {"host": endpoint, **{name.lower(): value for name, value in request.header.items()}}
    content = request.data if isinstance(request.data, bytes) else request.data.encode()
    query, body = (content.decode(), b"") if method == "GET" else ("", content)
    return WireRequest(method, "/", query, headers, body, "198.51.100.7")


def legacy_request(
    action: str,
    members: dict[str, Any],
    *,
    method: str = "GET",
    sign_method: str = "HmacSHA1",
    host: str = "127.0.0.1:8443",
    secret: tuple[str, str] = (SECRET_ID, SECRET_KEY),
) -> WireRequest:
    """What qcloudapi-sdk-python sends for this call."""
    client = LegacyClient(
        {
            "secretId": secret[0],
            "secretKey": secret[1],
            "Region": "gz",
            "method": method,
            "SignatureMethod": sign_method,
            "endpoint": host,
        }
    )
    request = LegacyRequest(host, method, "/v2/index.php")
    client._build_req_inter(action, client._fix_params(members), request)
    headers = {"host": host, **{name.lower(): value for name, value in request.header.items()}}
    query, body = (request.data, b"") if method == "GET" else ("", request.data.encode())
    return WireRequest(method, "/v2/index.php", query, headers, body, "198.51.100.7")


def environ(request: WireRequest) -> dict[str, Any]:
    """The WSGI environ in which the server hands over ``request``."""
    made: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": request.address,
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.input": io.BytesIO(request.body),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        made[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return made


def v1_form(parameters: dict[str, Any], *, host: str = "127.0.0.1:8000", path: str = "/") -> WireRequest:
    """A form POST with these parameters as they are, signed or not."""
    headers = {"host": host, "content-type": "application/x-www-form-urlencoded"}
    return WireRequest("POST", path, "", headers, urlencode(parameters).encode(), "198.51.100.7")


def now_s() -> int:
    return int(time.time())
