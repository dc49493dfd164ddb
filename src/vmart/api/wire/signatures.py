"""The three signatures as pure functions: TC3-HMAC-SHA256, v1 (HmacSHA1, HmacSHA256), v1 on the legacy path.

Source: reference "The wire". Clients differ in what they sign, so each check tries the few texts that a
known client signs for the same request: hosts with and without port or scheme, header values as sent or in
lower case. Which of them matched is of no consequence: all say the same request.
"""

import base64
import datetime as dt
import functools
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

TC3 = "TC3-HMAC-SHA256"
TC3_TERMINATOR = "tc3_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
SIGNATURE = "Signature"
LEGACY_PATH = "/v2/index.php"
V1_DIGESTS = {"HmacSHA1": "sha1", "HmacSHA256": "sha256"}

_UNSIGNED_HASH = hashlib.sha256(UNSIGNED_PAYLOAD.encode()).hexdigest()
_AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256\s+Credential=(?P<id>[^/,\s]{1,128})/(?P<date>\d{4}-\d{2}-\d{2})/(?P<service>[^/,\s]{1,128})"
    r"/tc3_request\s*,\s*SignedHeaders=(?P<headers>[A-Za-z0-9;_-]{1,512})\s*,\s*Signature=(?P<signature>[0-9a-fA-F]{64})"
)


_HOST = re.compile(r"([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class WireRequest:
    """One HTTP request as received: names of ``headers`` in lower case, ``query`` raw, ``body`` its bytes."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str = ""
    scheme: str = "http"

    @property
    def endpoint(self) -> str:
        """As it was called, "" where it says no host that could be one."""
        host = self.header("host").lower()
        return f"{self.scheme}://{host}" if _HOST.fullmatch(host) else ""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(frozen=True, slots=True)
class Tc3Credential:
    """The parts of a TC3 Authorization header."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(text: str) -> Tc3Credential | None:
    """The parts of ``Authorization``, or None where it is not of the documented form."""
    match = _AUTHORIZATION.fullmatch(text.strip())
    if match is None:
        return None
    headers = tuple(match["headers"].lower().split(";"))
    return Tc3Credential(match["id"], match["date"], match["service"], headers, match["signature"].lower())


def utc_date(timestamp_s: int) -> str:
    """``2019-02-25`` of a Unix time; ValueError or OverflowError where there is no such day."""
    return dt.datetime.fromtimestamp(timestamp_s, dt.UTC).strftime("%Y-%m-%d")


@functools.lru_cache(maxsize=4096)
def tc3_day_key(secret: str, date: str, service: str) -> bytes:
    """The key that signs for one service on one UTC day; cached, as three HMACs a request would cost more."""
    key = hmac.digest(("TC3" + secret).encode(), date.encode(), "sha256")
    key = hmac.digest(key, service.encode(), "sha256")
    return hmac.digest(key, TC3_TERMINATOR.encode(), "sha256")


def tc3_signature(
    request: WireRequest, credential: Tc3Credential, timestamp: str, secret: str, header_values: Mapping[str, str]
) -> str:
    """The hex signature of ``request`` with ``header_values`` standing for the signed headers."""
    payload_hash = (
        _UNSIGNED_HASH
        if request.header("x-tc-content-sha256") == UNSIGNED_PAYLOAD
        else hashlib.sha256(request.body).hexdigest()
    )
    query = request.query if request.method == "GET" else ""
    canonical_headers = "".join(f"{name}:{header_values[name]}\n" for name in credential.signed_headers)
    canonical = (
        f"{request.method}\n/\n{query}\n{canonical_headers}\n{';'.join(credential.signed_headers)}\n{payload_hash}"
    )
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    text = f"{TC3}\n{timestamp}\n{credential.date}/{credential.service}/{TC3_TERMINATOR}\n{digest}"
    key = tc3_day_key(secret, credential.date, credential.service)
    return hmac.digest(key, text.encode(), "sha256").hex()


def verify_tc3(request: WireRequest, credential: Tc3Credential, timestamp: str, secret: str) -> bool:
    """Whether ``request`` was signed by the holder of ``secret``; every signed header must have been sent."""
    if "host" not in credential.signed_headers:
        return False
    if any(name not in request.headers for name in credential.signed_headers):
        return False
    return any(
        hmac.compare_digest(tc3_signature(request, credential, timestamp, secret, values), credential.signature)
        for values in _signed_values(request, credential)
    )


def _signed_values(request: WireRequest, credential: Tc3Credential) -> Iterator[dict[str, str]]:
    """The header values that clients sign: as sent; lower case, as the documentation says; other hosts."""
    sent = {name: request.headers[name].strip() for name in credential.signed_headers}
    lowered = {name: value.lower() for name, value in sent.items()}
    for host in host_spellings(sent["host"]):
        yield {**sent, "host": host}
        if lowered != sent:
            yield {**lowered, "host": host.lower()}


def host_spellings(host: str) -> list[str]:
    """``http://h:p`` (tccli), ``h:p`` (Python, tccli, Go) and ``h`` (others), the one as sent first."""
    bare = host.partition("://")[2] or host
    name, colon, port = bare.rpartition(":")
    without_port = name if colon and port.isdigit() else bare
    spellings = [host, bare, without_port, f"http://{bare}", f"https://{bare}"]
    return list(dict.fromkeys(spellings))


def host_label(host: str) -> str:
    """The first label of a host as sent: ``cvm`` of ``cvm.example.com:8443``."""
    bare = host.partition("://")[2] or host
    return bare.partition(".")[0].lower()


def v1_text(method: str, host: str, path: str, parameters: Mapping[str, str]) -> str:
    """What signature v1 signs: method, host, path, ``?`` and the raw parameters sorted by byte order.

    ``Signature`` itself is left out. Clients write ``_`` in names as ``.``.
    """
    named = {name.replace("_", "."): value for name, value in parameters.items() if name != SIGNATURE}
    return f"{method}{host}{path}?" + "&".join(f"{name}={named[name]}" for name in sorted(named))


def v1_signature(text: str, secret: str, signature_method: str) -> str:
    """Base64 HMAC of ``text``; ``signature_method`` is a key of V1_DIGESTS."""
    digest = hmac.digest(secret.encode(), text.encode("utf-8", "surrogatepass"), V1_DIGESTS[signature_method])
    return base64.b64encode(digest).decode()


def verify_v1(request: WireRequest, parameters: Mapping[str, str], secret: str, signature_method: str) -> bool:
    """Whether ``parameters`` (decoded, with ``Signature``) were signed for this host and path."""
    given = parameters.get(SIGNATURE, "").encode("utf-8", "surrogatepass")
    sets = [parameters]
    if request.method == "POST" and request.path == LEGACY_PATH and any(map(_once_a_file, parameters.values())):
        # The legacy SDKs leave values that begin with @ (once: files) out of what they sign in a POST. They
        # speak HTTPS only, so nobody between can add one.
        sets.append({name: value for name, value in parameters.items() if not _once_a_file(value)})
    return any(
        hmac.compare_digest(
            v1_signature(v1_text(request.method, host, request.path, chosen), secret, signature_method).encode(), given
        )
        for chosen in sets
        for host in host_spellings(request.header("host"))
    )


def _once_a_file(value: str) -> bool:
    return value.startswith("@")
