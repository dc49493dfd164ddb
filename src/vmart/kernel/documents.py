"""YAML documents that a seller edits: exact numbers, no silent repetition, errors that name the path.

Plain YAML reads 0.1 as a binary float and lets the second of two equal keys win; in a price book both
are wrong money. Here a number with a point is a Decimal and a repeated key is an error.
"""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

ModelT = TypeVar("ModelT", bound=BaseModel)
_TEMPLATE = "template"


class Problem(str):
    """A problem as text, path first, of which a page can also say the sentence in its reader's language."""

    path: str
    template: str
    params: Mapping[str, str]


class DocumentError(ValueError):
    """A document that cannot be used. ``problems`` has one sentence each, beginning with its path."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def problem_at(path: str, template: str, **params: str) -> Problem:
    """A problem whose sentence is ``template`` with its places filled."""
    problem = Problem(f"{path}: {template.format(**params)}")
    problem.path, problem.template, problem.params = path, template, params
    return problem


def wrong_part(place: tuple[str | int, ...], template: str, **params: str) -> ValidationError:
    """What a validator raises of one part of its value; ``check`` names the part."""
    kind = PydanticCustomError("value_error", template, {**params, _TEMPLATE: template})
    return ValidationError.from_exception_data("part", [InitErrorDetails(type=kind, loc=place, input=None)])


class _ExactLoader(yaml.SafeLoader):
    """Safe YAML in which numbers with a point are Decimals and equal keys are refused."""


def _decimal(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        return Decimal(text)
    except ArithmeticError:
        raise yaml.constructor.ConstructorError(
            None, None, f"{text} is not a decimal number", node.start_mark
        ) from None


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise yaml.constructor.ConstructorError(None, None, "a key is one word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"{key} stands here twice", key_node.start_mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True) for key, value in node.value
    }


_ExactLoader.add_constructor("tag:yaml.org,2002:float", _decimal)
_ExactLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(text: str) -> dict[str, Any]:
    """The mapping that ``text`` holds. Raises DocumentError with line and column where it is no YAML.

    Text in it is text that a database takes: no NUL, no half of a surrogate pair (YAML can write both).
    """
    try:
        document = yaml.load(text, Loader=_ExactLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DocumentError([f"{where}{error.problem or error}"]) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: the 31st of February
        raise DocumentError([str(error)]) from error
    if not isinstance(document, dict):
        raise DocumentError(["document: a mapping of sections is expected"])
    if wrong := list(_not_text(document, ())):
        raise DocumentError([f"{path}: holds characters that are not text" for path in wrong])
    return document


def _not_text(value: object, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            yield ".".join(path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_text(name, (*path, "a key"))
            yield from _not_text(inner, (*path, str(name)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _not_text(inner, (*path, str(number)))


def as_json(value: Any, path: str) -> Any:
    """``value`` as JSON has it: a Decimal is a float. Raises ValueError, with the path, for what JSON does not have."""
    if isinstance(value, Decimal) and math.isfinite(float(value)):
        return float(value)
    if isinstance(value, list):
        return [as_json(inner, f"{path}.{number}") for number, inner in enumerate(value)]
    if isinstance(value, dict):
        if wrong := [name for name in value if not isinstance(name, str)]:
            raise ValueError(f"{path}: the key {wrong[0]} is no text; write it in quotation marks")
        return {name: as_json(inner, f"{path}.{name}") for name, inner in value.items()}
    if value is None or isinstance(value, str | bool | int):
        return value
    raise ValueError(f"{path}: {value} is neither text, nor a number, true, false, a list or a mapping")


def check(model: type[ModelT], document: Mapping[str, Any], *, at: str = "") -> ModelT:
    """``document`` as a frozen ``model``. Raises DocumentError; ``at`` is the path the document lies under."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems: list[str] = []
        for problem in error.errors(include_url=False):
            steps = [str(step) for step in problem["loc"] if not str(step).startswith("function-")]
            path = ".".join(([at] if at else []) + steps) or "document"
            params = dict(problem.get("ctx", {}))
            if template := params.pop(_TEMPLATE, ""):
                problems.append(problem_at(path, template, **params))
            else:
                problems.append(f"{path}: {_sentence(problem['type'], problem['msg'], problem.get('input'))}")
        raise DocumentError(problems) from error


def _sentence(kind: str, message: str, value: object) -> str:
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not known here"
    sentence = message.removeprefix("Value error, ")
    if kind != "value_error" and isinstance(value, str | int | Decimal | dt.datetime):
        return f"{sentence}, not {value}"
    return sentence
