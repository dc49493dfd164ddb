"""API keys: a public id and a sealed secret; ``find`` is on the path of every signed request."""

import datetime as dt
import secrets as random
import threading
from dataclasses import dataclass, field, replace

from django.conf import settings

from vmart.customers import accounts
from vmart.customers.models import Account, ApiKey, User
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import LimitExceeded, NotFound

KEYS_PER_ACCOUNT = 5
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CACHE_S = 1.0  # how long a disabled key may still work in a process that saw it
_USED_NOTED = dt.timedelta(minutes=5)  # last use is noted that exactly: no write on every request


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the signature check needs it; ``noted_at`` is its last use as far as it is written down."""

    secret_id: str
    secret: str = field(repr=False)
    account_id: int
    user_id: int
    enabled: bool
    rate_run_per_s: int
    noted_at: dt.datetime | None


def _text(length: int) -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(length))


def create(actor: Actor, account: Account, user: User) -> tuple[ApiKey, str]:
    """A new key and its secret, which is shown this once. Raises LimitExceeded beyond KEYS_PER_ACCOUNT."""
    secret_id, secret = "AKID" + _text(32), _text(32)
    with db.act():
        accounts.lock(account.pk)  # two at once count one after the other
        if ApiKey.objects.filter(account=account).count() >= KEYS_PER_ACCOUNT:
            raise LimitExceeded("An account has at most {most} API keys; delete one first.", most=KEYS_PER_ACCOUNT)
        key = ApiKey.objects.create(
            account=account,
            user=user,
            secret_id=secret_id,
            secret_sealed=settings.SECRETS.seal(secret, secret_id),
            created_at=clock.now(),
        )
        _told(actor, key, "api_key_created")
    return key, secret


def set_enabled(actor: Actor, secret_id: str, enabled: bool) -> None:
    """Switch a key of the account on or off. Raises NotFound for another's."""
    with db.act():
        key = _own(actor, secret_id)
        if key.enabled != enabled:
            ApiKey.objects.filter(pk=key.pk).update(enabled=enabled)
            _told(actor, key, "api_key_enabled" if enabled else "api_key_disabled")
    _cache.pop(secret_id, None)


def delete(actor: Actor, secret_id: str) -> None:
    """Remove a key of the account. Raises NotFound for another's."""
    with db.act():
        key = _own(actor, secret_id)
        _told(actor, key, "api_key_deleted")
        key.delete()
    _cache.pop(secret_id, None)


def _own(actor: Actor, secret_id: str) -> ApiKey:
    key = ApiKey.objects.select_for_update().filter(account_id=actor.account, secret_id=secret_id).first()
    if key is None:
        raise NotFound("This API key does not exist.", field="secret_id")
    return key


def _told(actor: Actor, key: ApiKey, what: str) -> None:
    record.write(key.account_id, record.API_KEY, [key.pk], what, details=[{"name": key.secret_id}], actor=actor)


_FIND = """
SELECT k.secret_sealed, k.account_id, k.user_id, k.enabled, k.last_used_at,
       fn.customers_quota(k.account_id, 'run_per_s') AS run_per_s
FROM customers_api_key k WHERE k.secret_id = %s
"""
_cache: dict[str, tuple[float, Key]] = {}
_cache_lock = threading.Lock()


def find(secret_id: str) -> Key | None:
    """The key of a request, or None. Cached for a second in each process; unknown ids are never cached."""
    held = _cache.get(secret_id)
    if held and held[0] > clock.monotonic():
        return held[1]
    found = db.prepared(_FIND, secret_id)
    if not found:
        _cache.pop(secret_id, None)
        return None
    (row,) = found
    key = Key(
        secret_id,
        settings.SECRETS.open(bytes(row["secret_sealed"]), secret_id),
        row["account_id"],
        row["user_id"],
        row["enabled"],
        row["run_per_s"],
        row["last_used_at"],
    )
    with _cache_lock:
        if len(_cache) > 10_000:
            _cache.clear()
        _cache[secret_id] = (clock.monotonic() + _CACHE_S, key)
    return key


def used(secret_id: str) -> None:
    """Write down that a request was signed with the key that ``find`` gave, unless that was done lately."""
    held = _cache.get(secret_id)
    if held is None:
        return
    now, (until, key) = clock.now(), held
    if key.noted_at is None or now - key.noted_at > _USED_NOTED:
        ApiKey.objects.filter(secret_id=secret_id).update(last_used_at=now)
        with _cache_lock:
            _cache[secret_id] = (until, replace(key, noted_at=now))


def forget() -> None:
    """Drop what is cached: another database, or a test's end."""
    _cache.clear()
