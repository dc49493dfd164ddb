"""What a text that a person gives a thing may have in it."""

import ipaddress
import re
from collections.abc import Iterable

_CONTROL = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")


def is_one_line(text: str) -> bool:
    """Whether it has no line breaks or other control characters."""
    return not _CONTROL.search(text)


def ip_of(text: str) -> str:
    """The address as the database takes it; "" for what is none, and for one of a link (``fe80::1%eth0``)."""
    try:
        return str(ipaddress.ip_address(text)) if "%" not in text else ""
    except ValueError:
        return ""


def sayable(texts: Iterable[str]) -> list[str]:
    """Those that the database can be asked for: a text of it has no NUL."""
    return [text for text in texts if "\0" not in text]
