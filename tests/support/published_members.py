"""Which published members of our actions are offered, which are not, and which are taken and change nothing.

``docs/not_offered.json`` has a reason for each that is not: service → "request", "answer" or "ignored" → structure →
member → reason. Run ``python -m tests.support.api_tables`` after a declaration or the pinned tccli changed: it adds
what is missing with an empty reason, for a person to write, and drops what no longer is.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from tests.api import oracle
from vmart.api import services
from vmart.api.declarations import AnyShape, alternatives, item_of, model_of

FILE = Path(__file__).resolve().parents[2] / "docs" / "not_offered.json"
Table = dict[str, dict[str, dict[str, dict[str, str]]]]
Missing = set[tuple[str, str, str, str]]  # (service, side, structure, member)


def inner_shape(annotation: object) -> type[AnyShape] | None:
    """The structure that a request's member is, or is a list of."""
    item = next((item_of(part) for part in alternatives(annotation) if item_of(part)), None)
    return model_of(item or annotation)  # type: ignore[return-value]


def inner_answer(kind: Any) -> Any:
    """The structure that an answer's member is, or is a list of; None for scalars and lists of what there is not."""
    if is_typeddict(kind):
        return kind
    return next((found for part in get_args(kind) if (found := inner_answer(part))), None)


def reads(function: Callable[..., Any], seen: set[Any] | None = None) -> set[str]:
    """The attributes that a function reads, with the functions of this room that it names."""
    seen = {function} if seen is None else seen
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        named = inspect.unwrap(function).__globals__.get(node.id) if isinstance(node, ast.Name) else None
        if inspect.isfunction(named) and named.__module__.startswith("vmart.api.") and named not in seen:
            seen.add(named)
            found |= reads(named, seen)
    return found


def missing() -> Missing:
    """What is published of the actions we offer, and not offered or without effect."""
    found: Missing = set()
    for action in services.API:
        described = oracle.api(action.service, action.version)
        entry, objects = described["actions"][action.name], described["objects"]
        read = reads(action.do) | (reads(action.completes.do) if action.completes else set())
        found |= {(action.service, *rest) for rest in _of_request(objects, entry["input"], action.asks, read)}
        found |= {(action.service, "answer", *rest) for rest in _of_answer(objects, entry["output"], action.answers)}
    return found


def _of_request(
    objects: dict[str, Any], name: str, shape: type[AnyShape], read: set[str]
) -> Iterator[tuple[str, str, str]]:
    ours = {member.alias: (field, member) for field, member in shape.model_fields.items()}
    for published in objects[name]["members"]:
        field, member = ours.get(published["name"], ("", None))
        if member is None or member.annotation is NoneType:
            yield "request", name, published["name"]
        elif field not in read:
            yield "ignored", name, published["name"]
        elif inner := inner_shape(member.annotation):
            yield from _of_request(objects, published["member"], inner, read)


def _of_answer(objects: dict[str, Any], name: str, answers: Any) -> Iterator[tuple[str, str]]:
    ours = get_type_hints(answers)
    for published in objects[name]["members"]:
        if published["name"] == "RequestId":
            continue  # the envelope's
        if published["name"] not in ours:
            yield name, published["name"]
        elif inner := inner_answer(ours[published["name"]]):
            yield from _of_answer(objects, published["member"], inner)


def table() -> Table:
    """The reasons as they are written down."""
    read: Table = json.loads(FILE.read_text("utf-8"))
    return read


def written(known: Table) -> Table:
    """``known`` with what is missing, and without what no longer is."""
    told: Table = {}
    for service, side, structure, member in sorted(missing()):
        reason = known.get(service, {}).get(side, {}).get(structure, {}).get(member, "")
        told.setdefault(service, {}).setdefault(side, {}).setdefault(structure, {})[member] = reason
    return told


def check_answer(answers: Any, told: Any, path: str = "") -> list[str]:
    """What an answer has that its declaration does not say, or lacks."""
    if is_typeddict(answers):
        hints = get_type_hints(answers)
        extra = [f"{path}{name} is not declared" for name in told.keys() - hints.keys()]
        lacking = [f"{path}{name} is lacking" for name in answers.__required_keys__ - told.keys()]
        inner = [check_answer(hints[name], told[name], f"{path}{name}.") for name in told.keys() & hints.keys()]
        return [*extra, *lacking, *(problem for problems in inner for problem in problems)]
    if get_origin(answers) is list and isinstance(told, list):
        (kind,) = get_args(answers)
        return [problem for number, item in enumerate(told) for problem in check_answer(kind, item, f"{path}{number}.")]
    if get_origin(answers) is dict:
        kind = get_args(answers)[1]
        return [problem for name, item in told.items() for problem in check_answer(kind, item, f"{path}{name}.")]
    structure = inner_answer(answers)
    return check_answer(structure, told, path) if structure and isinstance(told, dict) and structure != answers else []


def write() -> None:
    """Bring the table up to what is declared and published."""
    FILE.write_text(json.dumps(written(table()), indent=1, ensure_ascii=False) + "\n")
