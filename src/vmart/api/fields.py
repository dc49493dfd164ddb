"""Which member of a request fills which path of the domain value: a refusal names the path, an answer the member.

The table of an action follows from its request's shape, so what one action calls a thing, no other does. By the same
table a request is kept by paths, and told and sent again as members.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from vmart.api.declarations import AnyShape, Domain, item_of, mark_of, model_of
from vmart.api.flatten import nest
from vmart.kernel.paths import called, exactly, with_indexes

_OF_THE_CALL = {"region": "Region"}  # no member of a request: it names the call's region


def member_of(shape: type[AnyShape], path: str | None) -> str | None:
    """The member at fault, or the nearest structure around it, where a refusal names ``path``; None where none is."""
    return called(filled(shape), path) if path else None


@functools.cache
def filled(shape: type[AnyShape]) -> Mapping[str, str]:
    """Path of the domain value -> member of the request, ``*`` for an index. Raises ValueError for a path of two."""
    names = dict(_OF_THE_CALL)
    for path, member in _filled(shape, "", ""):
        if names.setdefault(path, member) != member:
            raise ValueError(f"{shape.__name__}: {names[path]} and {member} both fill {path}")
    return names


def said(asked: AnyShape, of: type[AnyShape]) -> dict[str, object]:
    """Path -> plain value of what the request says itself of the members of ``of``, a part of its shape."""
    return dict(_said(asked, of, "", []))


def members(shape: type[AnyShape], told: Mapping[str, object]) -> dict[str, Any]:
    """The members of ``shape`` that fill these paths, as they are sent; what none of them fills is left out."""
    names = filled(shape)
    return nest((name, value) for path, value in told.items() if (name := exactly(names, path)))


def _said(value: AnyShape, shape: type[AnyShape], path: str, indexes: list[int]) -> Iterator[tuple[str, object]]:
    for name, declared in shape.model_fields.items():
        if name in value.model_fields_set:
            for its_path in _paths(declared, _below(path, name))[:1]:
                yield from _leaves(getattr(value, name), its_path, indexes)


def _leaves(held: object, path: str, indexes: list[int]) -> Iterator[tuple[str, object]]:
    if isinstance(held, AnyShape):
        yield from _said(held, type(held), path, indexes)
    elif isinstance(held, list) and any(isinstance(item, AnyShape) for item in held):
        for number, item in enumerate(held):
            yield from _leaves(item, f"{path}.*", [*indexes, number])
    elif held is not None:  # a member that is not offered, sent with the value that says nothing
        yield with_indexes(path, indexes), held


def _paths(declared: FieldInfo, its_own: str) -> tuple[str, ...]:
    mark = mark_of(declared, Domain)
    return mark.paths if mark else (its_own,)


def _filled(shape: type[AnyShape], path: str, member: str) -> Iterator[tuple[str, str]]:
    """The paths and members of a structure, which itself is ``member`` and fills ``path``."""
    for name, declared in shape.model_fields.items():
        its_own, alias = _below(path, name), _below(member, str(declared.alias))
        paths = _paths(declared, its_own)
        yield from ((each, alias) for each in paths)
        yield from _inside(declared.annotation, paths[0] if paths else its_own, alias)


def _inside(annotation: Any, path: str, member: str) -> Iterator[tuple[str, str]]:
    """What is in a member that is a structure or a list."""
    item = item_of(annotation)
    if item is not None:
        annotation, path, member = item, f"{path}.*", f"{member}.*"
        yield path, member
    if shape := model_of(annotation):
        yield from _filled(shape, path, member)


def _below(whole: str, part: str) -> str:
    return f"{whole}.{part}" if whole else part
