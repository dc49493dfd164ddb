"""SSH key pairs of a customer: made, imported, deleted. Moves no money.

Public keys are kept in OpenSSH form, one line; a private key is in the answer that made it and nowhere else.
"""

import re
from collections.abc import Container, Mapping, Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_public_key,
)
from django.db.models import Q

from vmart.customers import accounts
from vmart.events import record
from vmart.events.actor import Actor
from vmart.instances.errors import BadKeyName, BadPublicKey, KeyPairInUse, TooManyKeyPairs, UnknownKeyPair
from vmart.instances.models import ALIVE, Instance, KeyPair
from vmart.kernel import clock, db, public_ids
from vmart.kernel.errors import InvalidParameter, MissingParameter
from vmart.kernel.text import sayable

PAIRS_MAX = 100  # an account's
NAME_MAX = 25
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 16384
KEY_TEXT_MAX = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9_]+")
_COMMENT_MAX = 100


def create(actor: Actor, name: str) -> tuple[KeyPair, str]:
    """A new RSA pair of 2048 bits (API 3.0, CreateKeyPair) and its private key as PEM, shown this once.

    Raises BadKeyName, TooManyKeyPairs.
    """
    check_name(name)
    _refuse_too_many(actor.account)  # before the work of making one
    private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS_MIN)
    public = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    return _store(actor, "CreateKeyPair", name, f"{public} {name}"), pem


def import_(actor: Actor, name: str, public_key: str) -> KeyPair:
    """Keep a public key that the customer has. Raises BadKeyName, BadPublicKey, TooManyKeyPairs."""
    check_name(name)
    return _store(actor, "ImportKeyPair", name, checked(public_key))


def public_keys(
    account_id: int, key_ids: Sequence[str], field: str = "key_ids", held: Mapping[str, str] | None = None
) -> list[str]:
    """Their public keys, in order. ``held``: those of the account's pairs among them, where they are known already.

    Raises UnknownKeyPair at ``field``, where one is not the account's.
    """
    if held is None:
        pairs = KeyPair.objects.filter(account_id=account_id, public_id__in=sayable(key_ids))
        held = dict(pairs.values_list("public_id", "public_key"))
    refuse_unknown(key_ids, held, field)
    return [held[key_id] for key_id in key_ids]


def check_named(key_ids: Sequence[str]) -> None:
    """Raise MissingParameter for no pair at all, InvalidParameter for one that is named twice."""
    if not key_ids:
        raise MissingParameter("KeyIds names no key pair.", field="key_ids")
    if len(set(key_ids)) != len(key_ids):
        raise InvalidParameter("KeyIds names a key pair twice.", field="key_ids")


def refuse_unknown(key_ids: Sequence[str], known: Container[str], field: str) -> None:
    """Raise UnknownKeyPair for the first that is not ``known``."""
    for key_id in key_ids:
        if key_id not in known:
            raise unknown(key_id, field)


def unknown(key_id: str, field: str) -> UnknownKeyPair:
    """Of an act that names a pair which is not the account's, or not any more."""
    return UnknownKeyPair("The key pair {id} does not exist.", field=field, id=key_id)


def forget(actor: Actor, key_ids: Sequence[str]) -> None:
    """Forget pairs, all or none. Belongs under the account lock. Raises UnknownKeyPair, KeyPairInUse, MissingParameter.

    A pair that is bound to a living machine stays (API 3.0, DeleteKeyPairs), so that what is shown of the machine
    can be looked up. One whose machines are in the recycle bin can be deleted: nobody logs in there.
    """
    db.require_transaction()
    check_named(key_ids)
    pairs = KeyPair.objects.filter(account_id=actor.account, public_id__in=sayable(key_ids))
    known = {pair.public_id: pair for pair in pairs}
    refuse_unknown(key_ids, known, "key_ids")
    _refuse_in_use(actor.account, key_ids)
    _told(actor, "DeleteKeyPairs", [known[key_id] for key_id in key_ids])
    pairs.delete()


def _told(actor: Actor, act: str, pairs: Sequence[KeyPair]) -> None:
    names = [{"name": pair.public_id, "called": pair.name} for pair in pairs]
    record.write(actor.account, record.KEY_PAIR, [pair.id for pair in pairs], act, details=names, actor=actor)


def check_name(name: str) -> None:
    """Raise BadKeyName unless the name has 1 to 25 letters, digits and underscores."""
    if not name:
        raise BadKeyName("A key pair needs a name.", field="key_name", code="InvalidKeyPairNameEmpty")
    if len(name) > NAME_MAX:
        raise BadKeyName(
            "The name of a key pair has at most {most} characters.",
            field="key_name", code="InvalidKeyPairNameTooLong", most=NAME_MAX,
        )  # fmt: skip
    if not _NAME.fullmatch(name):
        raise BadKeyName("The name of a key pair has letters (a to z), digits and underscores only.", field="key_name")


def checked(public_key: str) -> str:
    """The key as one line of ``authorized_keys``: type, key, comment. Raises BadPublicKey, saying what is wrong.

    Taken are ssh-rsa of 2048 bits and more, ssh-ed25519 and the ECDSA curves of NIST.
    """
    kind, encoded, comment = _split(public_key)
    if kind.startswith(("ssh-dss", "sk-")) or "-cert-" in kind:
        raise BadPublicKey(
            "Keys of the type {kind} are not taken; use ssh-ed25519 or ssh-rsa.", field="public_key", kind=kind[:40]
        )
    clean = _clean(f"{kind} {encoded}")
    return f"{clean} {comment.strip()[:_COMMENT_MAX]}".rstrip()


def _split(public_key: str) -> tuple[str, str, str]:
    """Type, key in base64 and comment of one line."""
    line = public_key.strip()
    if not line or len(line) > KEY_TEXT_MAX:
        raise BadPublicKey(
            "The public key is empty or longer than {most} characters.", field="public_key", most=KEY_TEXT_MAX
        )
    if not line.isprintable():  # a second line would be a key of its own in authorized_keys
        raise BadPublicKey("The public key must be one line of text, as in a .pub file.", field="public_key")
    kind, _, rest = line.partition(" ")
    encoded, _, comment = rest.strip().partition(" ")
    return kind, encoded, comment


def _clean(line: str) -> str:
    """Type and key as the library writes them back."""
    try:
        key = load_ssh_public_key(line.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise BadPublicKey(
            "The public key is not in OpenSSH form: ssh-rsa, ssh-ed25519 or ecdsa-sha2-nistp256, -384, -521, "
            "then the key in base64.",
            field="public_key",
        ) from None
    if isinstance(key, rsa.RSAPublicKey) and not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
        raise BadPublicKey(
            "An RSA key needs {min} to {max} bits; this one has {bits}.",
            field="public_key", min=RSA_BITS_MIN, max=RSA_BITS_MAX, bits=key.key_size,
        )  # fmt: skip
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _store(actor: Actor, act: str, name: str, public_key: str) -> KeyPair:
    account_id = actor.account
    with db.part_of_act():
        accounts.lock(account_id)  # limit, name and key are counted alone
        _refuse_too_many(account_id)
        _refuse_known(account_id, name, public_key)
        number = db.rows("SELECT nextval(pg_get_serial_sequence('instances_key_pair', 'id')) AS number")[0]["number"]
        pair = KeyPair.objects.create(
            id=number, public_id=public_ids.of("skey", number), account_id=account_id, name=name,
            public_key=public_key, created_at=clock.now(),
        )  # fmt: skip
        _told(actor, act, [pair])
    return pair


def _refuse_known(account_id: int, name: str, public_key: str) -> None:
    for held_name, held_key in KeyPair.objects.filter(account_id=account_id).values_list("name", "public_key"):
        if held_name == name:
            raise BadKeyName(
                "There is a key pair called {name} already.",
                field="key_name", code="InvalidKeyPairName.Duplicate", name=name,
            )  # fmt: skip
        if _material(held_key) == _material(public_key):
            raise BadPublicKey(
                "This public key is there already, called {name}.",
                field="public_key", code="InvalidPublicKey.Duplicate", name=held_name,
            )  # fmt: skip


def _material(public_key: str) -> str:
    return public_key.split(" ")[1]


def _refuse_too_many(account_id: int) -> None:
    if KeyPair.objects.filter(account_id=account_id).count() >= PAIRS_MAX:
        raise TooManyKeyPairs("An account has at most {most} key pairs; delete one first.", most=PAIRS_MAX)


def _refuse_in_use(account_id: int, key_ids: Sequence[str]) -> None:
    """In use is what a living machine has, and what it may have: a binding is under way, or ended without an answer."""
    named = list(key_ids)
    machine = (
        Instance.objects.filter(Q(key_ids__has_any_keys=named) | Q(keys_in_doubt__has_any_keys=named))
        .filter(account_id=account_id, state__in=ALIVE)
        .order_by("id")
        .first()
    )
    if machine is not None:
        held = next(key_id for key_id in key_ids if key_id in (*machine.key_ids, *machine.keys_in_doubt))
        raise KeyPairInUse(
            "The key pair {id} is in use by the instance {instance}.",
            field="key_ids", id=held, instance=machine.public_id,
        )  # fmt: skip
