"""Whose request this is: signature, clock window, key, nonce; in that order, so that only a signed request writes.

The window is five minutes of wall time either way. TC3 has no nonce: within the window only ClientToken
protects a purchase from being repeated (decision 18).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Protocol

from vmart.api.errors import AuthenticationFailed, ForeignAddress, Replayed
from vmart.api.registry import RUN_PER_S
from vmart.api.wire.signatures import V1_DIGESTS, WireRequest, parse_authorization, utc_date, verify_tc3, verify_v1
from vmart.kernel.errors import InvalidParameter, MissingParameter

WINDOW_S = 300
_NONCE_END = 2**63
Network = IPv4Network | IPv6Network


class Key(Protocol):
    """An API key as the key ring knows it. ``rate_run_per_s``: purchases a second its account may ask for.

    ``role``: its user's in the account; ``email``: his address. ``networks``: where it may be used; none: everywhere.
    """

    @property
    def secret(self) -> str: ...
    @property
    def account_id(self) -> int: ...
    @property
    def user_id(self) -> int: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def rate_run_per_s(self) -> int: ...
    @property
    def role(self) -> str: ...
    @property
    def email(self) -> str: ...
    @property
    def networks(self) -> Sequence[Network]: ...


class KeyRing(Protocol):
    """Finds keys; ``vmart.customers.api_keys`` is one. ``used`` is told of each request that was signed with a key."""

    def find(self, secret_id: str) -> Key | None: ...
    def used(self, secret_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who signed: the account that pays and owns, the key that was used, its user's role there and his address."""

    account_id: int
    user_id: int
    secret_id: str
    rate_run_per_s: int
    role: str
    email: str

    def quota(self, name: str) -> int:
        """How many calls a second the account's quota of this name allows."""
        return {RUN_PER_S: self.rate_run_per_s}[name]


# (secret id, nonce, Unix time until which it must be remembered) -> whether it was new.
RememberNonce = Callable[[str, int, int], bool]


def authenticate_tc3(request: WireRequest, keys: KeyRing, now_s: float) -> Caller:
    """The caller of a TC3 request. Raises AuthenticationFailed or MissingParameter."""
    _refuse_token(request.header("x-tc-token"))
    timestamp = request.header("x-tc-timestamp")
    if not timestamp:
        raise MissingParameter("The header {header} is missing.", field="X-TC-Timestamp", header="X-TC-Timestamp")
    timestamp_s = _within_window(timestamp, now_s, field="X-TC-Timestamp")
    credential = parse_authorization(request.header("authorization"))
    if credential is None:
        raise AuthenticationFailed(
            "The Authorization header is not of the form TC3-HMAC-SHA256 Credential=<SecretId>/<date>/<service>/"
            "tc3_request, SignedHeaders=content-type;host, Signature=<64 hex digits>.",
            field="Authorization",
            code="AuthFailure.InvalidAuthorization",
        )
    if credential.date != utc_date(timestamp_s):
        raise AuthenticationFailed(
            "The date of the credential, {date}, is not the UTC date of X-TC-Timestamp.",
            field="Authorization",
            code="AuthFailure.InvalidAuthorization",
            date=credential.date,
        )
    key = _find(keys, credential.secret_id)
    if not verify_tc3(request, credential, timestamp, key.secret):
        raise _not_signed()
    _refuse_foreign_address(key, request.address)
    keys.used(credential.secret_id)
    return Caller(key.account_id, key.user_id, credential.secret_id, key.rate_run_per_s, key.role, key.email)


def authenticate_v1(
    request: WireRequest, parameters: Mapping[str, str], keys: KeyRing, remember: RememberNonce, now_s: float
) -> Caller:
    """The caller of a v1 or legacy request, whose ``parameters`` carry the signature; its nonce is used up."""
    for name in ("SecretId", "Timestamp", "Nonce", "Signature"):
        if not parameters.get(name):
            raise MissingParameter("The parameter {parameter} is missing.", field=name, parameter=name)
    _refuse_token(parameters.get("Token", ""))
    method = parameters.get("SignatureMethod") or "HmacSHA1"
    if method not in V1_DIGESTS:
        raise AuthenticationFailed(
            "SignatureMethod is {method}; possible are HmacSHA1 and HmacSHA256.",
            field="SignatureMethod",
            code="AuthFailure.InvalidAuthorization",
            method=method[:40],
        )
    timestamp_s = _within_window(parameters["Timestamp"], now_s, field="Timestamp")
    nonce = _number(parameters["Nonce"], field="Nonce")
    secret_id = parameters["SecretId"]
    key = _find(keys, secret_id)
    if not verify_v1(request, parameters, key.secret, method):
        raise _not_signed()
    _refuse_foreign_address(key, request.address)
    if not remember(secret_id, nonce, timestamp_s + WINDOW_S):
        raise Replayed("This request was already made: its Nonce was used within the last minutes.", field="Nonce")
    keys.used(secret_id)
    return Caller(key.account_id, key.user_id, secret_id, key.rate_run_per_s, key.role, key.email)


def _refuse_foreign_address(key: Key, address: str) -> None:
    """After the signature: who has not the secret is told nothing of the key."""
    if key.networks and not any(_caller(address) in network for network in key.networks):
        raise ForeignAddress(
            "This key may not be used from {address}; its owner says from where it may be.", address=address
        )


def _caller(address: str) -> IPv4Address | IPv6Address:
    """A socket for both kinds names who comes by IPv4 ``::ffff:203.0.113.7``."""
    caller = ip_address(address or "::")
    return (caller.ipv4_mapped or caller) if isinstance(caller, IPv6Address) else caller


def _find(keys: KeyRing, secret_id: str) -> Key:
    key = keys.find(secret_id) if secret_id.isascii() and len(secret_id) <= 128 and "\0" not in secret_id else None
    if key is None or not key.enabled:
        raise AuthenticationFailed(
            "The SecretId does not exist or is disabled.", field="SecretId", code="AuthFailure.SecretIdNotFound"
        )
    return key


def _not_signed() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The signature is not the one that this request and its SecretKey give.", field="Signature"
    )


def _refuse_token(token: str) -> None:
    if token:
        raise AuthenticationFailed(
            "Temporary keys are not issued here; leave the Token away.", field="Token", code="AuthFailure.TokenFailure"
        )


def _number(text: str, *, field: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) < _NONCE_END:
        return int(text)
    raise InvalidParameter("{parameter} must be a whole number of at most 63 bits.", field=field, parameter=field)


def _within_window(text: str, now_s: float, *, field: str) -> int:
    timestamp_s = _number(text, field=field)
    if abs(now_s - timestamp_s) > WINDOW_S:
        raise AuthenticationFailed(
            "{parameter} is {timestamp}; it may differ from the time here by {window} seconds at most.",
            field=field,
            code="AuthFailure.SignatureExpire",
            parameter=field,
            timestamp=timestamp_s,
            window=WINDOW_S,
        )
    return timestamp_s
