"""Hashes that a machine's own login accepts."""

import pytest

from vmart.kernel import unix_password

# From the specification of SHA-crypt (Ulrich Drepper), the SHA-512 variant with 10000 rounds.
PUBLISHED = (
    "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/"
    "YTBmSK6H9qs/y3RnOaw5v."
)


def test_the_published_vector_matches_its_password_alone() -> None:
    assert unix_password.matches("Hello world!", PUBLISHED)
    assert not unix_password.matches("Hello world", PUBLISHED)


def test_each_hash_has_its_own_salt_and_matches_its_password_alone() -> None:
    first, second = unix_password.hash_sha512("Correct-horse-9"), unix_password.hash_sha512("Correct-horse-9")
    assert first.startswith("$6$")
    assert first != second
    assert unix_password.matches("Correct-horse-9", first)
    assert not unix_password.matches("correct-horse-9", first)


def test_what_libcrypt_does_not_know_is_refused_not_stored() -> None:
    with pytest.raises(ValueError, match="no such method"):
        unix_password.matches("x", "$nonsense$")
    with pytest.raises(ValueError, match="NUL"):
        unix_password.hash_sha512("two\0parts")
