"""API keys: a public id and a sealed secret; ``find`` is on the path of every signed request."""

import datetime as dt
import json
import secrets as random
import threading
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.conf import settings
from django.db.models import Q, QuerySet

from vmart.customers import accounts, members, roles
from vmart.customers.models import Account, ApiKey, Member, User
from vmart.events import record
from vmart.events.actor import Actor
from vmart.kernel import clock, db
from vmart.kernel.errors import InvalidValue, LimitExceeded, NotFound

KEYS_PER_MEMBER = 5
ADDRESSES_MAX = 20  # of a key
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CACHE_S = 1.0  # how long a disabled key may still work in a process that saw it
_USED_NOTED = dt.timedelta(minutes=1)  # last use is noted that exactly: no write on every request


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the signature check needs it; ``noted_at`` is its last use as far as it is written down.

    ``role``: its user's in the account; ``email``: his address. ``networks``: where it may be used; none: everywhere.
    """

    secret_id: str
    secret: str = field(repr=False)
    account_id: int
    user_id: int
    enabled: bool
    rate_run_per_s: int
    noted_at: dt.datetime | None
    role: str
    email: str
    networks: tuple[Network, ...]


def _text(length: int) -> str:
    return "".join(random.choice(_ALPHABET) for _ in range(length))


def create(actor: Actor, account: Account, user: User) -> tuple[ApiKey, str]:
    """A new key of the user's and its secret, shown this once. Raises LimitExceeded beyond KEYS_PER_MEMBER."""
    secret_id, secret = "AKID" + _text(32), _text(32)
    with db.act():
        accounts.lock(account.pk)  # two at once count one after the other
        if ApiKey.objects.filter(account=account, user=user).count() >= KEYS_PER_MEMBER:
            raise LimitExceeded("A member has at most {most} API keys; delete one first.", most=KEYS_PER_MEMBER)
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


def use_from(actor: Actor, secret_id: str, addresses: str) -> None:
    """Have the key used from these addresses or networks alone, one a line; from everywhere where none is named.

    Raises InvalidValue for what is none, LimitExceeded beyond ADDRESSES_MAX, NotFound for another's key.
    """
    wanted = [str(network) for network in networks_of(addresses)]
    with db.act():
        key = _own(actor, secret_id)
        if key.addresses != wanted:
            ApiKey.objects.filter(pk=key.pk).update(addresses=wanted)
            _told(actor, key, "api_key_addresses", after={"addresses": ", ".join(wanted)})
    _cache.pop(secret_id, None)


def networks_of(text: str) -> list[Network]:
    """What stands there, one a line or with commas between them; an address alone is the network of itself.

    Raises InvalidValue for what is none, LimitExceeded at the first beyond ADDRESSES_MAX.
    """
    found: dict[Network, None] = {}
    for number, word in enumerate(text.replace(",", " ").split()):
        if number == ADDRESSES_MAX:
            raise LimitExceeded("A key has at most {most} addresses.", field="addresses", most=ADDRESSES_MAX)
        found[_network(word)] = None
    return list(found)


def _network(word: str) -> Network:
    """An IPv4 network that is written as IPv6 is the IPv4 one: so are callers compared."""
    try:
        if "%" in word:
            raise ValueError("a scope is of one host's interfaces")
        network = ip_network(word, strict=False)
    except ValueError:
        raise InvalidValue(
            "{word} is no address and no network, as 203.0.113.7 or 203.0.113.0/24.", field="addresses", word=word[:60]
        ) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    return IPv4Network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


def delete(actor: Actor, secret_id: str) -> None:
    """Remove a key of the account. Raises NotFound for another's."""
    with db.act():
        key = _own(actor, secret_id)
        _told(actor, key, "api_key_deleted")
        key.delete()
    _cache.pop(secret_id, None)


def _own(actor: Actor, secret_id: str) -> ApiKey:
    """The key, locked, under the account's lock, if it is the actor's own or of a member whom he may remove."""
    accounts.lock(actor.account)
    role = members.role_in(actor.account, actor.member)
    key = seen_by(actor.account, actor.member, role).select_for_update(of=("self",)).filter(secret_id=secret_id).first()
    if key is None:
        raise NotFound("This API key does not exist.", field="secret_id")
    return key


def seen_by(account_id: int, user_id: int, role: str) -> QuerySet[ApiKey]:
    """The keys of the account that a member may see and change: his own, and those of members whom he may remove.

    ``user_id`` 0 is the seller's side, which sees all.
    """
    held = ApiKey.objects.select_related("user").filter(account_id=account_id)
    if not user_id:
        return held
    managed = roles.may_give(role)
    others = Member.objects.filter(account_id=account_id, role__in=managed).values("user_id")
    return held.filter(Q(user_id=user_id) | Q(user_id__in=others))


def _told(actor: Actor, key: ApiKey, what: str, **detail: object) -> None:
    details = [{"name": key.secret_id, **detail}]
    record.write(key.account_id, record.API_KEY, [key.pk], what, details=details, actor=actor)


_FIND = """
SELECT k.secret_sealed, k.account_id, k.user_id, k.enabled, k.last_used_at, k.addresses, m.role, u.email,
       fn.customers_quota(k.account_id, 'run_per_s') AS run_per_s
FROM customers_api_key k JOIN customers_member m ON m.account_id = k.account_id AND m.user_id = k.user_id
JOIN customers_user u ON u.id = k.user_id AND u.is_active
WHERE k.secret_id = %s
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
        row["role"],
        row["email"],
        tuple(ip_network(one) for one in json.loads(row["addresses"])),
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
