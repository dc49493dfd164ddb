"""The API as one plain WSGI callable: no middleware, no Django request, one database connection a thread.

``ApiApplication`` is the way of a request; ``api_application`` is the one of this deployment. Whatever happens,
the answer is HTTP 200 with a RequestId; an error that is not a ``Refused`` is logged and told as InternalError, a
passing one of the database as ResourceUnavailable.
"""

import functools
import io
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from django.conf import settings
from django.db import connection

from vmart.api import words
from vmart.api.declarations import AnyShape, check_said, decode
from vmart.api.errors import (
    InvalidRequest,
    RequestLimitExceeded,
    RequestTooLarge,
    ShopClosed,
    UnsupportedProtocol,
)
from vmart.api.fields import member_of
from vmart.api.registry import Action, Answered, Call, Registry
from vmart.api.wire import decoding, envelope
from vmart.api.wire.authentication import Caller, KeyRing, RememberNonce, authenticate_tc3, authenticate_v1
from vmart.api.wire.rates import CallRates
from vmart.api.wire.replay import remember_nonce
from vmart.api.wire.signatures import LEGACY_PATH, WireRequest, host_label, parse_authorization
from vmart.catalog import shop
from vmart.customers import roles
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidParameter, MissingParameter, Refused

MAX_BODY_BYTES = 10 * 2**20
MAX_QUERY_BYTES = 32 * 2**10
FORM, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"
# Parameters of v1 and the legacy API that belong to the call, not to the action.
_COMMON = {"Action", "Version", "Region", "Timestamp", "Nonce", "SecretId", "Signature", "SignatureMethod"}
_COMMON |= {"Language", "Token", "RequestClient"}
_BODY_READ = "vmart.api.body"

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

log = structlog.get_logger("vmart.api")


class InternalError(Refused):
    code = "InternalError"


class ResourceUnavailable(Refused):
    """The database is out of reach, restarting or out of room: whether anything was written is not known."""

    code = "ResourceUnavailable"


class Interrupted(Exception):
    """The database failed while ``action`` was under way; the cause says how."""

    def __init__(self, action: Action, asked: AnyShape) -> None:
        super().__init__(action.name)
        self.writes = action.writes
        self.knows_repeat = action.knows_repeat(asked)


def is_api_request(environ: Environ) -> bool:
    """Whether a program asks: by ``X-TC-Action``, the legacy path, or Action and SecretId sent to ``/``.

    What kind of body a program says that it sends does not matter: clients forget it, and the pages post nothing there.
    """
    if "HTTP_X_TC_ACTION" in environ or environ.get("PATH_INFO") == LEGACY_PATH:
        return True
    if environ.get("PATH_INFO") not in ("/", ""):
        return False
    if _signed_parameters(environ.get("QUERY_STRING", "")):
        return True
    if environ.get("REQUEST_METHOD") != "POST":
        return False
    try:
        body = _read_body(environ)
    except RequestTooLarge:
        return False
    environ["wsgi.input"] = io.BytesIO(body)  # a form of the pages may be read again
    environ[_BODY_READ] = body
    return _signed_parameters(body.decode("latin-1"))


def _signed_parameters(text: str) -> bool:
    return "SecretId=" in text and "Action=" in text


def _read_body(environ: Environ) -> bytes:
    """The body's bytes; raises RequestTooLarge, of a declared length before any is read."""
    if _BODY_READ in environ:
        return bytes(environ[_BODY_READ])
    declared = environ.get("CONTENT_LENGTH") or ""
    length = int(declared) if declared.isdigit() else MAX_BODY_BYTES + 1  # chunked: as far as it goes
    body = b""
    if not declared or length <= MAX_BODY_BYTES:
        body = bytes(environ["wsgi.input"].read(length)) if length else b""
    if length > MAX_BODY_BYTES and (declared or len(body) > MAX_BODY_BYTES):
        raise RequestTooLarge("The request is larger than {most} MiB.", most=MAX_BODY_BYTES >> 20)
    return body


def _wire_request(environ: Environ) -> WireRequest:
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if "CONTENT_TYPE" in environ:
        headers["content-type"] = environ["CONTENT_TYPE"]
    body = _read_body(environ)
    return WireRequest(
        method=environ["REQUEST_METHOD"],
        path=environ.get("PATH_INFO") or "/",
        query=environ.get("QUERY_STRING", ""),
        headers=headers,
        body=body,
        address=environ.get("REMOTE_ADDR", ""),
        scheme=_scheme(environ),
    )


def _scheme(environ: Environ) -> str:
    """Behind a proxy that ends TLS, which the seller has said, what the proxy says of it."""
    told = settings.SECURE_PROXY_SSL_HEADER
    if told and environ.get(told[0]) == told[1]:
        return "https"
    return str(environ.get("wsgi.url_scheme") or "http")


class ApiApplication:
    """WSGI callable over a key ring and the registries of both APIs; collaborators are given for tests."""

    def __init__(
        self,
        keys: KeyRing,
        registry: Registry,
        legacy: Registry,
        *,
        remember: RememberNonce = remember_nonce,
        rates: CallRates | None = None,
        is_open: Callable[[], bool] = lambda: True,
    ) -> None:
        self._keys = keys
        self._registry = registry
        self._legacy = legacy
        self._remember = remember
        self._rates = rates or CallRates()
        self._is_open = is_open

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = environ.get("vmart.request_id") or str(uuid.uuid4())
        content = self.respond(environ, request_id)
        start_response(
            envelope.STATUS, [("Content-Type", envelope.CONTENT_TYPE), ("Content-Length", str(len(content)))]
        )
        return [content]

    def respond(self, environ: Environ, request_id: str) -> bytes:
        """The body of the answer; never raises."""
        legacy = environ.get("PATH_INFO") == LEGACY_PATH  # unless it names a version, below
        language = words.LANGUAGES.get(environ.get("HTTP_X_TC_LANGUAGE", ""), words.ENGLISH)
        try:
            request = _wire_request(environ)
            _check_method(request)
            _check_query(request)
            db.drop_dead_connection()
            if "x-tc-action" in request.headers and not legacy:
                self._refuse_closed()
                return envelope.answer(self._tc3(request, language, request_id), request_id)
            pairs = decoding.text_pairs(request.query) if request.method == "GET" else decoding.form_pairs(request.body)
            parameters = _once_each(pairs)
            legacy = legacy and not parameters.get("Version")
            language = words.LANGUAGES.get(parameters.get("Language", ""), language)
            self._refuse_closed()
            told = envelope.legacy_answer if legacy else envelope.answer
            return told(self._v1(request, parameters, language, request_id, legacy), request_id)
        except Refused as refusal:
            log.info("refused", request_id=request_id, code=refusal.code, field=refusal.field)
            return _refused(legacy, refusal, request_id, language)
        except Exception as error:  # noqa: BLE001  it is logged as what it is
            connection.close()  # whatever it was, the next request of this thread begins on a sound one
            return _refused(legacy, _fault(error, request_id), request_id, language)

    def _refuse_closed(self) -> None:
        """Before anybody's signature is looked at: what is wrong is not the caller's doing."""
        if not self._is_open():
            raise ShopClosed("This shop is not open yet: its seller is still setting it up. Try again later.")

    def _tc3(self, request: WireRequest, language: str, request_id: str) -> Answered:
        """A request that names its action in headers: TC3, parameters as JSON, form, query or multipart."""
        action = _find(self._registry, request, request.header("x-tc-action"), request.header("x-tc-version"))
        caller = authenticate_tc3(request, self._keys, clock.wall().timestamp())
        region = request.header("x-tc-region")
        call = _call(action, caller, request, region=region, language=language, request_id=request_id)
        content_type = request.header("content-type").partition(";")[0].strip().lower()
        if request.method == "GET":
            members, as_text = decoding.text_members(decoding.text_pairs(request.query)), True
        elif content_type == JSON:
            members, as_text = decoding.json_members(request.body), False
        elif content_type == FORM:
            members, as_text = decoding.text_members(decoding.form_pairs(request.body)), True
        elif content_type == MULTIPART:
            members, as_text = decoding.multipart_members(request.header("content-type"), request.body), True
        else:
            raise InvalidRequest(
                "Content-Type is {content_type}; possible are {types}.",
                field="Content-Type",
                content_type=content_type[:60],
                types=f"{JSON}, {FORM}, {MULTIPART}",
            )
        return self._perform(action, call, caller, members, as_text=as_text)

    def _v1(
        self, request: WireRequest, parameters: dict[str, str], language: str, request_id: str, legacy: bool
    ) -> Answered:
        """A request that carries its signature among its parameters."""
        if not parameters.get("Action"):
            raise MissingParameter("The parameter {parameter} is missing.", field="Action", parameter="Action")
        if legacy:
            action = self._legacy.find(parameters["Action"], "")
        else:
            action = _find(self._registry, request, parameters["Action"], parameters.get("Version", ""))
        caller = authenticate_v1(request, parameters, self._keys, self._remember, clock.wall().timestamp())
        region = parameters.get("Region", "")
        call = _call(action, caller, request, region=region, language=language, request_id=request_id)
        own = ((name, value) for name, value in parameters.items() if name not in _COMMON)
        return self._perform(action, call, caller, decoding.text_members(own), as_text=True)

    def _perform(
        self, action: Action, call: Call, caller: Caller, members: dict[str, Any], *, as_text: bool
    ) -> Answered:
        roles.check(caller.role, action.permission)
        asked = decode(action.asks, _completed(action, call, members, as_text=as_text), as_text=as_text)
        if action.rate:
            self._refuse_too_many(action, caller)
        try:
            with _by_its_own_names(action):
                return action.do(call, asked)
        except Refused:
            raise
        except Exception as error:
            if db.is_passing(error):
                raise Interrupted(action, asked) from error
            raise

    def _refuse_too_many(self, action: Action, caller: Caller) -> None:
        limit, counted = caller.quota(action.rate), action.rate if action.buys else action.name
        if not self._rates.allows(caller.account_id, counted, limit):  # all that buys is counted together
            raise RequestLimitExceeded(
                "{action} may be called {limit} times a second; try again in a second.", action=action.name, limit=limit
            )


@contextmanager
def _by_its_own_names(action: Action) -> Iterator[None]:
    """A refusal that leaves the block names the request's member in place of a path."""
    try:
        yield
    except Refused as refusal:
        refusal.field = member_of(action.asks, refusal.field)
        raise


def _completed(action: Action, call: Call, members: dict[str, Any], *, as_text: bool) -> dict[str, Any]:
    """The members of the request, with those that it leaves to what it names."""
    if action.completes is None:
        return members
    asks = action.completes.asks
    naming = {str(member.alias) for member in asks.model_fields.values()} & members.keys()
    named = decode(asks, {name: members[name] for name in naming}, as_text=as_text)
    if naming:  # what is wrong by itself is refused before anything is looked up
        check_said(action.asks, members, as_text=as_text)
    with _by_its_own_names(action):
        return action.completes.do(call, named, members)


def _fault(error: Exception, request_id: str) -> Refused:
    """What is told of an error that is no refusal, after it was logged: a passing one of the database in a line."""
    under_way = error if isinstance(error, Interrupted) else None
    cause = error.__cause__ if isinstance(error, Interrupted) else error
    if isinstance(cause, Exception) and db.is_passing(cause):
        log.error("the database is out of order", request_id=request_id, error=db.one_line(cause))
        return _out_of_order(under_way)
    log.error("failed", request_id=request_id, exc_info=error)
    return InternalError(
        "Something went wrong here. Tell the operator this request id: {request_id}.", request_id=request_id
    )


def _out_of_order(under_way: Interrupted | None) -> ResourceUnavailable:
    """What was ``under_way`` when the database failed; None where no action had begun."""
    if under_way and under_way.knows_repeat:
        return ResourceUnavailable(
            "The shop's database is out of order for the moment: try again later. A purchase that is sent again with"
            " its ClientToken is made once."
        )
    if under_way and under_way.writes:
        return ResourceUnavailable(
            "The shop's database is out of order for the moment. Whether this call was carried out is not known: look"
            " before you send it again."
        )
    return ResourceUnavailable("The shop's database is out of order for the moment: try again later.")


def _call(action: Action, caller: Caller, request: WireRequest, *, region: str, language: str, request_id: str) -> Call:
    return Call(
        action=action.name,
        version=action.version,
        region=region,
        language=language,
        request_id=request_id,
        account_id=caller.account_id,
        user_id=caller.user_id,
        secret_id=caller.secret_id,
        address=request.address,
        roles=roles.having(action.permission),
        email=caller.email,
        endpoint=request.endpoint,
    )


def _check_method(request: WireRequest) -> None:
    if request.method not in ("GET", "POST"):
        raise UnsupportedProtocol("The method is {method}; possible are GET and POST.", method=request.method[:20])


def _check_query(request: WireRequest) -> None:
    """The API's bound on a GET; the server itself reads about twice as much."""
    if len(request.query) > MAX_QUERY_BYTES:
        raise RequestTooLarge("A GET has at most {most} KiB of parameters; use POST.", most=MAX_QUERY_BYTES >> 10)


def _find(registry: Registry, request: WireRequest, name: str, version: str) -> Action:
    """The action, of the service for which the request was signed; of any where that names none."""
    if not version:
        raise MissingParameter("The version of the API is missing: X-TC-Version or Version.", field="Version")
    credential = parse_authorization(request.header("authorization"))
    scope = credential.service if credential else ""
    return registry.find(name, version, registry.service(name, scope, host_label(request.header("host"))))


def _refused(legacy: bool, refusal: Refused, request_id: str, language: str) -> bytes:
    refused = envelope.legacy_error if legacy else envelope.error
    return refused(refusal, request_id, language)


def _once_each(pairs: list[tuple[str, str]]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            twice = name[:80]
            raise InvalidParameter("The parameter {parameter} is given twice.", field=twice, parameter=twice)
        parameters[name] = value
    return parameters


@functools.cache
def _deployed() -> ApiApplication:
    from vmart.api import services
    from vmart.customers import api_keys

    return ApiApplication(api_keys, services.API, services.LEGACY, is_open=lambda: shop.snapshot().open)


def api_application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one API request of this deployment."""
    return _deployed()(environ, start_response)
