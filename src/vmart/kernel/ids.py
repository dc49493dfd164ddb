"""Public ids: a prefix and 8 base-36 characters, a keyed permutation of a sequence number.

Not guessable, never colliding, no look-up to check (decision 1). Also the UUIDs of transfers, which
are a function of what they pay for, so that a repeat is the same transfer.
"""

import functools
import hashlib
import hmac
import uuid

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_SPACE = 36**8
_HALF_BITS = 21
_HALF_MASK = (1 << _HALF_BITS) - 1
_ROUNDS = 6


def _feistel(key: bytes, value: int, rounds: range) -> int:
    left, right = value >> _HALF_BITS, value & _HALF_MASK
    for number in rounds:
        digest = hashlib.blake2b(right.to_bytes(4, "big") + bytes([number]), key=key, digest_size=4).digest()
        left, right = right, left ^ (int.from_bytes(digest, "big") & _HALF_MASK)
    return left << _HALF_BITS | right


def permute(key: bytes, number: int) -> int:
    """A permutation of 0 … 36⁸−1 under ``key`` (at most 64 bytes): 42-bit Feistel, cycle-walked."""
    if not 0 <= number < _SPACE:
        raise ValueError(f"sequence number {number} is outside 0 … 36^8-1")
    number = _feistel(key, number, range(_ROUNDS))
    while number >= _SPACE:
        number = _feistel(key, number, range(_ROUNDS))
    return number


@functools.cache
def _derived(key: bytes, prefix: str) -> bytes:
    return hmac.digest(key, prefix.encode(), "sha256")


def public_id(key: bytes, prefix: str, number: int) -> str:
    """``ins`` and 17 give something like ``ins-4k2j0qzt``; ``key`` is the deployment's id key."""
    return f"{prefix}-{_spelled(permute(_derived(key, prefix), number))}"


def _spelled(number: int) -> str:
    characters = []
    for _ in range(8):
        number, digit = divmod(number, 36)
        characters.append(_ALPHABET[digit])
    return "".join(reversed(characters))


# The first half of machines' UUIDs and the variant; the other bits are the number that the public id spells.
_MACHINE = 0x6D61_6368_696E_8065_8 << 60


def machine_uuid(public_id: str) -> uuid.UUID:
    """UUIDv8 of a machine: its public id in another spelling, so that one is found by the other without a look-up."""
    return uuid.UUID(int=_MACHINE | int(public_id.removeprefix("ins-"), 36))


def machine_of_uuid(text: str) -> str:
    """The public id of the machine that has this UUID, "" where none can have it."""
    try:
        number = uuid.UUID(text).int & ((1 << 60) - 1)
    except ValueError:
        return ""
    if number >= _SPACE:
        return ""
    public = f"ins-{_spelled(number)}"
    return public if str(machine_uuid(public)) == text else ""


def transfer_id(kind: str, subject: object, period: object = "") -> uuid.UUID:
    """UUIDv8 of SHA-256 of "kind|subject|period": made by the caller, so a repeat is known.

    Its first four bytes are of "kind|period": the hourly close makes a transfer an account, and they lie side
    by side in the index. Version 8, not 5: PostgreSQL has SHA-256 built in and no SHA-1, and the close makes
    the same ids in SQL (``fn.kernel_transfer_id``); ADR 0003.
    """
    digest = bytearray(hashlib.sha256(f"{kind}|{subject}|{period}".encode()).digest()[:16])
    digest[:4] = hashlib.sha256(f"{kind}|{period}".encode()).digest()[:4]
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))
