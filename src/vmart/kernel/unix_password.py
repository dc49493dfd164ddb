"""Unix password hashes by the machine's own libcrypt, the one that checks logins on it.

Python 3.13 has no ``crypt`` any more, and the packages that bring it back need a compiler to install.
libcrypt1 is on every Debian and Ubuntu: the login programs need it.
"""

import ctypes
import functools
import hmac
import secrets

_ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SALT_CHARACTERS = 16
_CRYPT_DATA_BYTES = 32768  # sizeof(struct crypt_data), part of libcrypt's binary interface


@functools.cache
def _libcrypt() -> ctypes.CDLL:
    library = ctypes.CDLL("libcrypt.so.1", use_errno=True)
    library.crypt_r.restype = ctypes.c_char_p
    library.crypt_r.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p]
    return library


def _crypt(password: str, setting: str) -> str:
    """crypt(3) of ``password`` under ``setting`` (method and salt, or a whole hash). Raises ValueError."""
    scratch = ctypes.create_string_buffer(_CRYPT_DATA_BYTES)
    answer: bytes | None = _libcrypt().crypt_r(password.encode(), setting.encode(), scratch)
    if answer is None or answer.startswith(b"*"):
        raise ValueError("libcrypt knows no such method")
    return answer.decode()


def hash_sha512(password: str, *, rounds: int = 5000) -> str:
    """``$6$…``: the method that every Linux of the last fifteen years checks; about a millisecond at 5000 rounds."""
    if "\0" in password:
        raise ValueError("a password holds no NUL")
    salt = "".join(secrets.choice(_ALPHABET) for _ in range(_SALT_CHARACTERS))
    return _crypt(password, f"$6$rounds={rounds}${salt}$")


def matches(password: str, held: str) -> bool:
    """Whether ``held`` is a hash of ``password``, by whichever method it names."""
    return hmac.compare_digest(_crypt(password, held), held)
