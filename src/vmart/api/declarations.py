"""How a request is declared: once, as a pydantic model, from which follow decoding, checks and documentation.

A member's Python name in snake case is its wire name in the API's case. Types are strict where the request
came as JSON and coerced from text otherwise. A constraint that fails answers the documented code: that of the
nearest ``Code`` in the member's annotation, else the one of ``_CODES``. Combinations of members and anything
that needs the catalog are checked by the rooms, not here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Never, TypedDict, TypeVar, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.alias_generators import to_camel, to_pascal
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError

from vmart.api.errors import UnknownParameter
from vmart.kernel.errors import InvalidParameter, InvalidValue, MissingParameter, Refused, Unsupported

INT32_MAX = 2**31 - 1


class AnyShape(BaseModel):
    """A structure of a request: unknown members are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shape(AnyShape):
    """A structure of API 3.0: members in PascalCase."""

    model_config = ConfigDict(alias_generator=to_pascal)


class LegacyShape(AnyShape):
    """A structure of the legacy API: members in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)


class Done(TypedDict):
    """An answer that only says that it was done: every answer has the RequestId of its envelope."""


Empty = list[Never]  # of an answer: a list of what there is none of here

ShapeT = TypeVar("ShapeT", bound=AnyShape)
MarkT = TypeVar("MarkT")


@dataclass(frozen=True, slots=True)
class Code:
    """In an annotation: the error code of a member's constraints (and of its items' where they have none)."""

    value: str


class Domain:
    """In an annotation: the paths of the domain value that the member fills, from its root, ``*`` for an index.

    A member without it fills the path of its own name, below its structure's; one with no path at all fills none.
    """

    def __init__(self, *paths: str) -> None:
        self.paths = paths


@dataclass(frozen=True)
class Among(AfterValidator):
    """A validator that says in the schema which values it lets pass."""

    values: tuple[int, ...] = ()

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "enum": list(self.values)}


def one_of(*values: int) -> AfterValidator:
    """A whole number out of ``values`` (``Literal`` would not take the text of a form)."""

    def check(value: int) -> int:
        if value not in values:
            raise PydanticCustomError("one_of", "one of", {"expected": ", ".join(map(str, values))})
        return value

    return Among(check, values)


def only(offered: int) -> AfterValidator:
    """Of the values that the API has, the one that this shop offers."""

    def check(value: int) -> int:
        if value != offered:
            raise PydanticCustomError("only", "only one is offered", {"offered": offered})
        return value

    return Among(check, (offered,))


def not_offered(*harmless: str) -> BeforeValidator:
    """A member that the API has and this shop does not offer; ``harmless`` values say what happens anyway."""

    def check(value: object) -> None:
        if str(value).lower() not in harmless:
            raise PydanticCustomError("not_offered", "not offered")

    return BeforeValidator(check)


NotOffered = Annotated[None, not_offered()]
FalseOnly = Annotated[None, not_offered("false")]
Count = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]
Offset = Annotated[int, Field(ge=0, le=INT32_MAX), Code("InvalidParameterValueOffset")]
Limit = Annotated[int, Field(ge=1, le=100), Code("InvalidParameterValueLimit")]


def whole(value: object) -> object:
    """The number that a text of digits says; anything else as it is."""
    digits = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18
    return int(str(value)) if digits else value


# Of vpc, whose Offset and Limit are published as text.
TextOffset = Annotated[int, BeforeValidator(whole), Field(ge=0, le=INT32_MAX), Code("InvalidParameterValue.Range")]
TextLimit = Annotated[int, BeforeValidator(whole), Field(ge=1, le=100), Code("InvalidParameterValue.Range")]


def _truth(value: object) -> object:
    """What a text says that is true or false; anything else as it is."""
    return {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value


TextBool = Annotated[bool, BeforeValidator(_truth)]  # of vpc, whose switches are published as text
PublicId = Annotated[str, Field(max_length=60)]
PublicIds = Annotated[list[PublicId], Field(max_length=100), Code("InvalidParameterValue.LimitExceeded")]
ClientToken = Annotated[
    str, Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\z"), Code("InvalidClientToken.TooLong")
]


class Filter(Shape):
    """One condition of a Describe: a member's name and the values any of which it may have."""

    name: Annotated[str, Field(max_length=128)]
    values: Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=100)]


Filters = Annotated[list[Filter], Field(max_length=10), Code("InvalidFilterValue.LimitExceeded")]

# pydantic's error -> (code, sentence). Places: parameter, value, and the limits in the error's context.
_SENTENCES: dict[str, tuple[type[Refused], str]] = {
    "missing": (MissingParameter, "The parameter {parameter} is missing."),
    "extra_forbidden": (UnknownParameter, "The parameter {parameter} is not known here."),
    "greater_than_equal": (InvalidValue, "{parameter} is {value}; it must be at least {ge}."),
    "less_than_equal": (InvalidValue, "{parameter} is {value}; it must be at most {le}."),
    "string_too_short": (InvalidValue, "{parameter} is too short; it must have at least {min_length} characters."),
    "string_too_long": (InvalidValue, "{parameter} is too long; it may have at most {max_length} characters."),
    "string_pattern_mismatch": (InvalidValue, "{parameter} has characters or a form that are not allowed."),
    "too_short": (InvalidValue, "{parameter} must have at least {min_length} items."),
    "too_long": (InvalidValue, "{parameter} has {actual_length} items; it may have at most {max_length}."),
    "literal_error": (InvalidValue, "{parameter} is {value}; possible are {expected}."),
    "one_of": (InvalidValue, "{parameter} is {value}; possible are {expected}."),
    "only": (Unsupported, "{parameter} {value} is not offered here; only {offered} is."),
    "not_offered": (Unsupported, "{parameter} is not offered here; leave it away."),
    "int": (InvalidParameter, "{parameter} must be a whole number."),
    "float": (InvalidParameter, "{parameter} must be a number."),
    "bool": (InvalidParameter, "{parameter} must be true or false."),
    "string": (InvalidParameter, "{parameter} must be text."),
    "list": (InvalidParameter, "{parameter} must be a list."),
    "model": (InvalidParameter, "{parameter} must be a structure."),
}
_OTHERWISE = (InvalidParameter, "{parameter} is not of its documented form.")


def decode(shape: type[ShapeT], members: Mapping[str, Any], *, as_text: bool) -> ShapeT:
    """``members`` as a value of ``shape``; ``as_text`` coerces text to the declared types.

    Raises MissingParameter, UnknownParameter, InvalidParameter (wrong type) or InvalidValue with the documented
    code; ``field`` is the member's path (``DataDisks.0.DiskSize``).
    """
    try:
        return shape.model_validate(members, strict=not as_text)
    except ValidationError as error:
        raise _refusal(shape, error.errors(include_url=False)[0]) from None


def check_said(shape: type[AnyShape], members: Mapping[str, Any], *, as_text: bool) -> None:
    """Raise as ``decode`` does for what is said and wrong; what is missing may come from elsewhere yet."""
    try:
        shape.model_validate(members, strict=not as_text)
    except ValidationError as error:
        said = [problem for problem in error.errors(include_url=False) if problem["type"] != "missing"]
        if said:
            raise _refusal(shape, said[0]) from None


def _refusal(shape: type[AnyShape], problem: ErrorDetails) -> Refused:
    kind = problem["type"]
    family = kind.split("_", 1)[0]
    refusal, template = _SENTENCES.get(kind) or _SENTENCES.get(family) or _OTHERWISE
    path = problem["loc"]
    parameter = ".".join(str(step) for step in path)[:120]
    code = _code(shape, path) if refusal is InvalidValue else None
    context = {name: str(value).replace("'", "") for name, value in problem.get("ctx", {}).items()}
    if "expected" in context:
        context["expected"] = context["expected"].replace(" or ", ", ")  # no English word in a Chinese sentence
    places = {**context, "parameter": parameter}
    if "{value}" in template:  # and only there: a password has no place in a sentence or a log
        places["value"] = str(problem.get("input"))[:60]
    return refusal(template, field=parameter, code=code, **places)


def _code(shape: type[AnyShape], path: Sequence[int | str]) -> str | None:
    """The nearest ``Code`` on the way to the member at ``path``."""
    found: str | None = None
    annotation: Any = shape
    for step in path:
        if isinstance(step, int):
            annotation = item_of(annotation)
            mark = _mark_in(annotation, Code)
            found = mark.value if mark else found
            continue
        model = model_of(annotation)
        if model is None:
            return found
        for name, member in model.model_fields.items():
            if step in (member.alias, name):
                mark = mark_of(member, Code)
                found = mark.value if mark else None
                annotation = member.annotation
                break
    return found


def alternatives(annotation: Any) -> Iterator[Any]:
    """The annotation itself and what it is made of: the sides of ``X | None``, the inside of Annotated."""
    yield annotation
    if get_origin(annotation) is not list:
        for inner in get_args(annotation):
            yield from alternatives(inner)


def mark_of(member: FieldInfo, kind: type[MarkT]) -> MarkT | None:
    """The mark of this kind in a member's annotation, on one side of ``X | None`` too."""
    return next((mark for mark in member.metadata if isinstance(mark, kind)), None) or _mark_in(member.annotation, kind)


def _mark_in(annotation: Any, kind: type[MarkT]) -> MarkT | None:
    return next((part for part in alternatives(annotation) if isinstance(part, kind)), None)


def item_of(annotation: Any) -> Any:
    """What a list is of; None for what is no list."""
    return next((get_args(part)[0] for part in alternatives(annotation) if get_origin(part) is list), None)


def model_of(annotation: Any) -> type[AnyShape] | None:
    """The structure that it is; None for what is none."""
    for part in alternatives(annotation):
        if isinstance(part, type) and issubclass(part, AnyShape):
            return part
    return None
