"""Names and host names of the machines of one request: patterns, numbers, lengths (API 3.0, RunInstances)."""

import re

from vmart.kernel.errors import InvalidParameter
from vmart.kernel.text import is_one_line
from vmart.orders.errors import BadHostName, NameTooLong

NAME_MAX = 128  # characters, with its pattern and of each result
HOST_NAME_MIN, HOST_NAME_MAX = 2, 60
PRIVATE_IP = "{IP}"  # in a host name: replaced where the private address is known, in fn.instances_create
_UNNAMED = "Unnamed"
_NUMBER = re.compile(r"\{R:(\d{1,9})(?:,F:([0-8]))?\}")
_HOST_NAME = re.compile(r"[A-Za-z0-9]+(?:[.-][A-Za-z0-9]+)*")
_LONGEST_IP = "255.255.255.255"


def names(name: str, count: int) -> list[str]:
    """The name of each of ``count`` machines, no two alike unless none is given. Raises NameTooLong, InvalidParameter.

    ``{R:x}`` counts up from x, ``{R:x,F:y}`` with at least y digits; without a pattern several get 1, 2, … behind.
    """
    if not name:
        return [_UNNAMED] * count
    _refuse_control(name)
    made = _numbered(name, count)
    longest = max(len(name), *map(len, made))
    if longest > NAME_MAX:
        raise NameTooLong(
            "A name has at most {most} characters, with its pattern and with each number in it; this has {count}.",
            field="name", most=NAME_MAX, count=longest,
        )  # fmt: skip
    return made


def plain_name(name: str) -> str:
    """A name as it stands, without patterns, for a machine that has one already. Raises as ``names`` does."""
    _refuse_control(name)
    if len(name) > NAME_MAX:
        raise NameTooLong(
            "A name has at most {most} characters; this has {count}.",
            field="name", most=NAME_MAX, count=len(name),
        )  # fmt: skip
    return name or _UNNAMED


def check_disk_name(name: str) -> None:
    """A disk's name as it stands; "" for none. Raises InvalidParameter."""
    if not is_one_line(name) or len(name) > NAME_MAX:
        raise InvalidParameter(
            "The name of a disk is one line of at most {most} characters.",
            field="disk.name", code="InvalidParameterValue", most=NAME_MAX,
        )  # fmt: skip


def _refuse_control(name: str) -> None:
    if not is_one_line(name):
        raise InvalidParameter("A name has no line breaks or other control characters.", field="name")


def host_names(hostname: str, count: int) -> list[str]:
    """The host name of each of ``count`` machines, "" for each where none is given. Raises BadHostName.

    As ``names``, and ``{IP}`` stands for the machine's private address: it makes several different too.
    """
    if not hostname:
        return [""] * count
    made = [hostname] * count if _only_by_address(hostname) else _numbered(hostname, count)
    for each in made:
        check_host_name(each.replace(PRIVATE_IP, _LONGEST_IP))
    return made


def _only_by_address(hostname: str) -> bool:
    return PRIVATE_IP in hostname and not _NUMBER.search(hostname)


def check_host_name(hostname: str) -> None:
    """A host name as it stands, without patterns. Raises BadHostName."""
    if not HOST_NAME_MIN <= len(hostname) <= HOST_NAME_MAX:
        raise BadHostName(
            "A host name has {least} to {most} characters, with each number and address in it; this has {count}.",
            field="hostname", least=HOST_NAME_MIN, most=HOST_NAME_MAX, count=len(hostname),
        )  # fmt: skip
    if not _HOST_NAME.fullmatch(hostname):
        raise BadHostName(
            "A host name has letters, digits, hyphens and dots, a letter or digit at both ends, and no two hyphens or "
            "dots side by side.",
            field="hostname",
        )


def _numbered(text: str, count: int) -> list[str]:
    if _NUMBER.search(text):
        return [_NUMBER.sub(lambda found, n=n: _number(found, n), text) for n in range(count)]  # type: ignore[misc]
    return [text] if count == 1 else [f"{text}{n}" for n in range(1, count + 1)]


def _number(found: re.Match[str], further: int) -> str:
    return str(int(found[1]) + further).zfill(int(found[2] or 0))
