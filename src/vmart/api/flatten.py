"""Flattened members (``Filters.0.Values.1``) to nested ones: of forms and GET requests, and of a table of paths."""

from collections.abc import Iterable
from typing import Any

from vmart.kernel.errors import InvalidParameter

MAX_DEPTH = 12


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """``[("A.0.B", "x")]`` to ``{"A": [{"B": "x"}]}``; values stay as they are.

    Members whose names are all numbers make a list in numerical order, wherever they begin (clients count
    from 0 and from 1) and whatever is left out. Raises InvalidParameter, naming the member, where one is given
    twice, is both a value and a structure, or lies too deep.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        steps = name.split(".")
        if len(steps) > MAX_DEPTH or not all(steps):
            raise InvalidParameter(
                "The parameter name {parameter} cannot be read.", field=name[:80], parameter=name[:80]
            )
        node = root
        for step in steps[:-1]:
            inner = node.setdefault(step, {})
            if not isinstance(inner, dict):
                raise _both(name)
            node = inner
        last = steps[-1]
        if last in node:
            raise _both(name) if isinstance(node[last], dict) else _twice(name)
        node[last] = value
    return {name: _listed(value) for name, value in root.items()}


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if all(name.isascii() and name.isdigit() and len(name) <= 9 for name in node):
        return [_listed(node[name]) for name in sorted(node, key=int)]
    return {name: _listed(value) for name, value in node.items()}


def _twice(name: str) -> InvalidParameter:
    return InvalidParameter("The parameter {parameter} is given twice.", field=name[:80], parameter=name[:80])


def _both(name: str) -> InvalidParameter:
    return InvalidParameter(
        "The parameter {parameter} is given both as a value and as a structure.", field=name[:80], parameter=name[:80]
    )
