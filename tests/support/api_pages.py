"""Writes ``docs/reference``: a page an action, out of its declaration, with an example that a test sends.

Run ``python -m tests.support.api_tables`` after a declaration changed: it leaves the examples as they are.
``VMART_WRITE_EXAMPLES=1 bin/test tests/api/test_reference.py`` writes those that are missing or answered otherwise.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Never, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from tests.support import act_errors
from tests.support.published_members import inner_answer, inner_shape
from vmart.api import services
from vmart.api.declarations import AnyShape, Code, item_of, mark_of
from vmart.api.registry import Action

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
ACTIONS = [*services.API, *services.LEGACY]
Example = tuple[dict[str, Any], dict[str, Any]]  # members of the request, the answer
_EXAMPLE = re.compile(r"```json\n(.*?)\n```", re.DOTALL)
_TYPES = {"integer": "integer", "number": "number", "boolean": "true or false", "string": "text", "object": "structure"}
_ANSWERED = {int: "integer", float: "number", bool: "true or false", str: "text"}
_LIMITS = {
    "minimum": "at least {}", "maximum": "at most {}", "minLength": "at least {} characters",
    "maxLength": "at most {} characters", "minItems": "at least {} items", "maxItems": "at most {} items",
    "pattern": "`{}`",
}  # fmt: skip
_HEAD = """# Reference of the API

A page an action. They are written by `python -m tests.support.api_tables` out of what the code declares, and a test
sends the example of each. [What the API does](../api.md) says what vmart decides; [actions.md](../actions.md) has the
members that are published and not offered.

Any action can also answer the codes of a request that is not well formed: `MissingParameter`, `UnknownParameter`,
`InvalidParameter` (a value of another type), `UnsupportedOperation` (a member that is not offered), and those of the
signature, `AuthFailure.*`; asked of another service or version, `InvalidAction` and `NoSuchVersion`.
A limit that is not kept answers the code beside it, else `InvalidParameterValue`.
*Errors of the act* are found in the code that an action reaches, with their places in braces: all that it may refuse,
and now and then one that a shared part of the code refuses of other actions only. With
`VMART_CHECK_ERRORS=1` each test of the API demands that an error that it sees is among them.
In the legacy API, which tells these codes as `codeDesc`, the numbers are 4000, and 4100, 4104, 4200 and 4500 for the
signature. Beside a member of a structure, *required* means: where the structure is there. `N` is a number from 0.
"""


def file_of(action: Action) -> Path:
    """Its page."""
    return FOLDER / _service(action) / f"{action.name}.md"


def name_of(action: Action) -> str:
    """As it is called among all."""
    return f"{_service(action)}-{action.name}-{action.version}"


def _service(action: Action) -> str:
    return action.service if action.version else "legacy"


def example_of(action: Action) -> Example | None:
    """The example on the page of the action; None where there is none yet."""
    file = file_of(action)
    blocks = _EXAMPLE.findall(file.read_text()) if file.exists() else []
    return (json.loads(blocks[0]), json.loads(blocks[1])) if len(blocks) == 2 else None


@functools.cache
def codes_of(service: str, name: str, version: str) -> frozenset[str]:
    """The codes that the page of an action names."""
    action = services.API.find(name, version, service)
    beside = {f"{cell[4].strip('`')}" for cell in _parameters(action.asks)}
    return frozenset({refusal.code for refusal in act_errors.of(action)} | beside - {""})


def page(action: Action, example: Example | None) -> str:
    """The page of an action."""
    parts = [
        f"# {_service(action)} {action.name}\n\n{_facts(action)}",
        "## Parameters\n\n" + _table(["Parameter", "Type", "Required", "Limits", "Error"], _parameters(action.asks)),
        "## Errors of the act\n\n" + _table(["Code", "What it says"], _refusals(action)),
        "## Answer\n\n" + _table(["Member", "Type", "Null"], _answer(action.answers)),
        *(_example(action, *example) if example else ()),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(action: Action) -> str:
    does = "Spends money." if action.buys else "Changes something." if action.writes else "Only reads."
    version = f" Version {action.version}." if action.version else ""
    rate = f" Calls a second: the account's quota `{action.rate}`." if action.rate else ""
    repeat = " With a `ClientToken` a repeat is done once." if "client_token" in action.asks.model_fields else ""
    return f"{_said(action.asks)}{does}{version}{rate}{repeat}"


def _refusals(action: Action) -> Iterator[list[str]]:
    """What is right in itself and refused all the same; the legacy API tells the code as ``codeDesc``."""
    for refusal in act_errors.of(action):
        yield [f"`{refusal.code}`", refusal.sentence]


def _said(shape: type[AnyShape]) -> str:
    own = shape.__doc__ or ""
    return " ".join(own.split()) + "\n\n" if own else ""


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = list(rows)
    if not lines:
        return "None."
    cells = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells)


def _parameters(shape: type[AnyShape], path: str = "") -> Iterator[list[str]]:
    schema = shape.model_json_schema(by_alias=True)
    for member in shape.model_fields.values():
        name = member.alias or ""
        if member.annotation is NoneType:
            continue  # refused: docs/actions.md
        told, mark = _resolved(schema, schema["properties"][name]), mark_of(member, Code)
        required = "yes" if member.is_required() else "no"
        yield [f"{path}{name}", _type(schema, told), required, _limits(schema, told), f"`{mark.value}`" if mark else ""]
        if inner := inner_shape(member.annotation):
            yield from _parameters(inner, f"{path}{name}.{'N.' if item_of(member.annotation) else ''}")


def _resolved(schema: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Of ``X | None`` the X, of a name the structure."""
    for side in told.get("anyOf", ()):
        if side.get("type") != "null":
            return _resolved(schema, side)
    return schema["$defs"][told["$ref"].rsplit("/", 1)[1]] if "$ref" in told else told


def _type(schema: dict[str, Any], told: dict[str, Any]) -> str:
    if told.get("type") == "array":
        return f"list of {_type(schema, _resolved(schema, told['items']))}"
    return _TYPES.get(told.get("type", ""), "any")


def _limits(schema: dict[str, Any], told: dict[str, Any]) -> str:
    """What holds of the value, then of each item of a list."""
    values = told.get("enum") or ([told["const"]] if "const" in told else [])
    limits = [", ".join(f"`{value}`" for value in values)] if values else []
    limits += [form.format(told[name]) for name, form in _LIMITS.items() if name in told and told[name] != 2**31 - 1]
    if told.get("type") == "array" and (inner := _limits(schema, _resolved(schema, told["items"]))):
        limits.append(f"each {inner}")
    return "; ".join(limits)


def _answer(answers: Any, path: str = "") -> Iterator[list[str]]:
    for name, kind in get_type_hints(answers, include_extras=True).items():
        sides = _sides(kind)
        yield [f"{path}{name}", _answered(next(side for side in sides if side is not NoneType)), _null(kind, sides)]
        if inner := inner_answer(kind):
            yield from _answer(inner, f"{path}{name}.{'N.' if any(get_origin(side) is list for side in sides) else ''}")


def _null(kind: Any, sides: list[Any]) -> str:
    if get_origin(kind) is NotRequired:
        return "not always there"
    return "possible" if NoneType in sides else ""


def _sides(kind: Any) -> list[Any]:
    """What a value may be: the sides of ``X | None``."""
    if get_origin(kind) is NotRequired:
        return _sides(get_args(kind)[0])
    return list(get_args(kind)) if NoneType in get_args(kind) else [kind]


def _answered(kind: Any) -> str:
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return "empty list" if item is Never else f"list of {_answered(item)}"
    return "structure" if is_typeddict(kind) or get_origin(kind) is dict else _ANSWERED[kind]


def _example(action: Action, asked: dict[str, Any], told: dict[str, Any]) -> Iterator[str]:
    yield "## Example\n\nOf lists of structures the first two are shown, of keys the beginning."
    named = f"`X-TC-Action: {action.name}`, `X-TC-Version: {action.version}`"
    yield f"{named if action.version else f'`Action={action.name}`'}\n\n```json\n{_json(asked)}\n```"
    yield f"answers\n\n```json\n{_json(told)}\n```"


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def index() -> str:
    """The page that links them."""
    services_told = dict.fromkeys(_service(action) for action in ACTIONS)
    parts = [_HEAD]
    for service in services_told:
        links = [f"[{a.name}]({service}/{a.name}.md)" for a in ACTIONS if _service(a) == service]
        parts.append(f"## {service}\n\n" + " ·\n".join(links) + "\n")
    return "\n".join(parts)


def pages() -> dict[Path, str]:
    """Every page as it should be, with the examples that are there."""
    return {FOLDER / "README.md": index()} | {file_of(action): page(action, example_of(action)) for action in ACTIONS}


def write() -> None:
    """Bring the pages up to what is declared; one of an action that is no more goes."""
    told = pages()
    for file in FOLDER.rglob("*.md"):
        if file not in told:
            file.unlink()
    for file, text in told.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
