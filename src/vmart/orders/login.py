"""How the customer gets in: a password or key pairs, checked and made ready before the purchase.

Where neither is given, each machine gets a password of its own (``orders/passwords.py``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from vmart.instances import key_pairs
from vmart.kernel import unix_password
from vmart.kernel.codec import SECRET
from vmart.kernel.errors import InvalidParameter
from vmart.orders.errors import WeakPassword

PASSWORD_MIN, PASSWORD_MAX = 8, 30
CLASSES_AT_PURCHASE, CLASSES_AT_RESET = 2, 3
KEYS_MAX = 5
_CLASSES = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[()`~!@#$%^&*\-+=|{}\[\]:;',.?/_<>\"\\]")
_ALLOWED = re.compile(r"""[A-Za-z0-9()`~!@#$%^&*\-+=|{}\[\]:;',.?/_<>"\\]+""")


@dataclass(frozen=True, slots=True)
class Login:
    """What the first boot puts in place. The password exists only as its crypt(3) hash from here on.

    ``generated``: the purchase makes one for each machine, an order that waits for payment when it is paid.
    """

    password_hash: str = ""
    key_ids: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    generated: bool = False


@dataclass(frozen=True, slots=True)
class LoginWanted:
    """The login as it is asked for: a password in clear, or ids of key pairs, or neither.

    No repr shows the password, and no codec writes it.
    """

    password: Annotated[str, SECRET] = field(default="", repr=False)
    key_ids: tuple[str, ...] = ()


GENERATED = LoginWanted()  # neither is given: each machine gets a password of its own


def check_password(password: str, classes: int = CLASSES_AT_PURCHASE, field: str = "login.password") -> None:
    """Raise WeakPassword, with what is wrong, unless it has 8 to 30 characters of so many classes.

    The classes are lower case, upper case, digits and signs (API 3.0, LoginSettings: two).
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise WeakPassword(
            "A password has {min} to {max} characters; this one has {count}.",
            field=field, min=PASSWORD_MIN, max=PASSWORD_MAX, count=len(password),
        )  # fmt: skip
    if not _ALLOWED.fullmatch(password):
        raise WeakPassword(
            "A password has letters from A to Z, digits and signs; this one has another character, or a space.",
            field=field,
        )
    if sum(bool(re.search(pattern, password)) for pattern in _CLASSES) < classes:
        raise WeakPassword(
            "A password has at least {classes} of these: lower case letters, upper case letters, digits, signs.",
            field=field, classes=classes,
        )  # fmt: skip


def check_new_password(password: str) -> None:
    """The same for one that replaces another: three classes, no slash first (API 3.0, ResetInstancesPassword)."""
    check_password(password, CLASSES_AT_RESET, field="password")
    if password.startswith("/"):
        raise WeakPassword("A password does not begin with a slash.", field="password")


def make(account_id: int, wanted: LoginWanted, public_keys: Mapping[str, str] | None = None) -> Login:
    """The login of new machines. Raises WeakPassword, UnknownKeyPair, InvalidParameter.

    A password is hashed last: it takes a millisecond of CPU on purpose.
    """
    checked = check(account_id, wanted, public_keys)
    return Login(password_hash=unix_password.hash_sha512(wanted.password)) if wanted.password else checked


def check(account_id: int, wanted: LoginWanted, public_keys: Mapping[str, str] | None = None) -> Login:
    """The login with its keys and without its password. ``public_keys``: of the pairs, where they are known already.

    Raises WeakPassword, UnknownKeyPair, InvalidParameter.
    """
    if wanted.password and wanted.key_ids:
        raise InvalidParameter("Give a password or key pairs, not both.", field="login")
    if wanted.password:
        check_password(wanted.password)
        return Login()
    if len(wanted.key_ids) > KEYS_MAX:
        raise InvalidParameter("At most {most} key pairs can be given.", field="login.key_ids", most=KEYS_MAX)
    if not wanted.key_ids:
        return Login(generated=True)
    found = key_pairs.public_keys(account_id, wanted.key_ids, field="login.key_ids", held=public_keys)
    return Login(key_ids=wanted.key_ids, ssh_keys=tuple(found))
