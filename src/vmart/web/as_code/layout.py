"""What several languages write alike: texts between double quotes, and structures in braces."""

from collections.abc import Callable
from typing import Any

STEP = "  "
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text: str) -> str:
    """As Go and Terraform write a text. What cannot be seen, or turns the line around, is escaped."""
    return '"' + "".join(_SHORT.get(sign) or (sign if sign.isprintable() else _escaped(sign)) for sign in text) + '"'


def _escaped(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def nested(value: Any, leaf: Callable[[Any], str], step: str = STEP, before: str = "") -> str:
    """As JSON and Python write structures and lists; ``leaf`` writes what is neither, and names."""
    if isinstance(value, dict):
        items = [f"{leaf(name)}: {nested(inner, leaf, step, before + step)}" for name, inner in value.items()]
        return block("{}", items, before, step)
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return block("[]", [nested(item, leaf, step, before + step) for item in value], before, step)
    if isinstance(value, list):
        return "[" + ", ".join(map(leaf, value)) + "]"
    return leaf(value)


def block(brackets: str, items: list[str], before: str, step: str = STEP, last: str = "") -> str:
    """Items on lines of their own; ``before`` is in front of the line that it begins on, ``last`` behind the last."""
    opening, closing = brackets[0], brackets[1]
    lines = ",\n".join(f"{before}{step}{item}" for item in items)
    return f"{opening}\n{lines}{last}\n{before}{closing}"


def aligned(pairs: list[tuple[str, str]], before: str) -> str:
    """``name = value`` lines with their signs below each other."""
    width = max(len(name) for name, _value in pairs)
    return "\n".join(f"{before}{name:{width}} = {value}" for name, value in pairs)


def commented(*lines: str, sign: str = "#") -> str:
    """Lines of a comment, each with its line break. A break inside one would end the comment."""
    return "".join(f"{sign} {' '.join(line.split())}\n" for line in lines)
