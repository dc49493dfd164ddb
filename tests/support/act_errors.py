"""Which refusals an action's act can raise, found in the code that the action reaches.

From ``Action.do`` on every function that a function names is followed, and each ``Refused`` that is made on the way is
told, with its code and its sentence. So it says all that may be answered, and now and then one that this action never
gets to: a shared function refuses it of others. A code that a table has is any of that table, one that callers
give is any that is given; one that is only known when it runs is told as that of its class.
What the published members refuse by themselves stands beside them (``api_pages``).
"""

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from types import MethodType, ModuleType
from typing import Any

from vmart.api.registry import Action
from vmart.kernel.errors import Refused

# Whose objects are made and asked by what they have in common, which a name does not show.
_MADE_AND_ASKED = "vmart.pricing.parts"
_ANY_REQUEST = ("vmart.api.wire.", "vmart.api.declarations")  # what these refuse is said once, for all actions


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A code and the English sentence, with its places."""

    code: str
    sentence: str


def of(action: Action) -> list[Refusal]:
    """By code, then by sentence."""
    reached: set[Any] = set()
    todo = [action.do, *([action.completes.do] if action.completes else ())]
    while todo:
        for function in _functions(todo.pop()):
            if function not in reached:
                reached.add(function)
                todo += _named(function)
    given: dict[tuple[Any, str], set[str]] = {}
    for function in reached:
        for called, name, text in _given(function):
            given.setdefault((called, name), set()).add(text)
    found = {refusal for function in reached for refusal in _raised(function, given)}
    instead = [table for function in reached for table in _instead(function)]
    also = {Refusal(table[one.code], one.sentence) for table in instead for one in found if one.code in table}
    return sorted(found | also)


def _functions(value: Any) -> Iterator[Callable[..., Any]]:
    """Our functions that a value is, or holds: a method, a partial, a table, an object whose members are functions."""
    value = inspect.unwrap(value) if callable(value) else value
    if isinstance(value, functools.partial):
        for held in (value.func, *value.args, *value.keywords.values()):
            yield from _functions(held) if callable(held) else ()
    elif isinstance(value, MethodType):
        yield from _functions(value.__func__)
        yield from _functions(value.__self__)
    elif inspect.isfunction(value) and value.__module__.startswith("vmart."):
        if not value.__module__.startswith(_ANY_REQUEST):
            yield value
    elif isinstance(value, dict):
        for held in value.values():
            yield from _functions(held) if inspect.isfunction(held) else ()
    elif isinstance(value, type) and value.__module__.startswith(_MADE_AND_ASKED):
        for member in vars(value).values():
            yield from _functions(member) if inspect.isfunction(member) else ()
    elif is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith("vmart."):
        for member in fields(value):
            held = getattr(value, member.name)
            if callable(held) and not isinstance(held, type):
                yield from _functions(held)


@functools.cache
def _nodes(function: Callable[..., Any]) -> list[ast.AST]:
    if function.__name__ == "<lambda>":
        line = function.__code__.co_firstlineno
        return [node for one in _lambdas(function.__module__) if one.lineno == line for node in ast.walk(one)]
    try:
        return list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    except OSError:  # made while the program runs, as what a dataclass gets
        return []


@functools.cache
def _lambdas(module: str) -> list[ast.Lambda]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]


def _known(function: Callable[..., Any]) -> dict[str, Any]:
    """What its names mean."""
    return {**function.__globals__, **inspect.getclosurevars(function).nonlocals}  # type: ignore[attr-defined]


def _meant(node: ast.AST, known: dict[str, Any]) -> Any:
    """What a name, or a member of a module, class or object of ours, is; None where only a run shows it."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        base = _meant(node.value, known)
        ours = isinstance(base, ModuleType | type) or is_dataclass(base)
        return getattr(base, node.attr, None) if ours else None
    return None


def _named(function: Callable[..., Any]) -> list[Any]:
    known = _known(function)
    meant = (_meant(node, known) for node in _nodes(function) if isinstance(node, ast.Name | ast.Attribute))
    return [value for value in meant if callable(value) or is_dataclass(value) or isinstance(value, dict)]


@functools.cache
def _given(function: Callable[..., Any]) -> list[tuple[Any, str, str]]:
    """The texts that it gives to functions of ours: (function, parameter, text)."""
    known, found = _known(function), []
    for node in _nodes(function):
        called = _meant(node.func, known) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and inspect.isfunction(called) and called.__module__.startswith("vmart."):
            names = list(inspect.signature(called).parameters)
            places = [*zip(names, node.args, strict=False), *((each.arg or "", each.value) for each in node.keywords)]
            for name, said in places:
                text = said.value if isinstance(said, ast.Constant) else _meant(said, known)
                if text and isinstance(text, str):
                    found.append((called, name, text))
    return found


def _raised(function: Callable[..., Any], given: dict[tuple[Any, str], set[str]]) -> Iterator[Refusal]:
    known = {**_known(function), **{name: codes for (called, name), codes in given.items() if called is function}}
    for node in _nodes(function):
        if isinstance(node, ast.Call):
            kind = _meant(node.func, known)
            if isinstance(kind, type) and issubclass(kind, Refused):
                for code in _codes(node, kind, known):
                    yield Refusal(code, _sentence(node, known))


def _instead(function: Callable[..., Any]) -> Iterator[dict[str, str]]:
    """Tables by which a function gives a refusal that it was told another code: ``TABLE.get(refused.code, …)``."""
    for node in _nodes(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            table = _meant(node.func.value, _known(function))
            asked = node.args[0] if node.args else None
            if isinstance(table, dict) and isinstance(asked, ast.Attribute) and asked.attr == "code":
                yield table


def _codes(call: ast.Call, kind: type[Refused], known: dict[str, Any]) -> set[str]:
    """The code that it says, by a text, a name, what callers give or a table of several; else that of its class."""
    said = next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None)
    if isinstance(said, ast.Constant) and said.value:
        return {str(said.value)}
    if isinstance(said, ast.Subscript):
        table = _meant(said.value, known)
        return set(table.values()) if isinstance(table, dict) else {kind.code}
    if isinstance(said, ast.Call) and isinstance(said.func, ast.Attribute) and said.func.attr == "get":
        table = known.get(said.func.value.id) if isinstance(said.func.value, ast.Name) else None
        return {*(table.values() if isinstance(table, dict) else ()), kind.code}
    named = _meant(said, known) if said else None
    if isinstance(named, set):  # a parameter, of which some callers may say nothing
        return {*named, kind.code}
    return {named if isinstance(named, str) else kind.code}


def _sentence(call: ast.Call, known: dict[str, Any]) -> str:
    """Its first argument where that is a text, also one that stands under a name."""
    said = call.args[0] if call.args else None
    text = said.value if isinstance(said, ast.Constant) else _meant(said, known) if said else ""
    return text if isinstance(text, str) else ""
