"""From the body's bytes to nested members: JSON, form, query string, multipart.

JSON keeps its types and is checked strictly; the others carry text, which the declaration coerces (trap 6 of
the reference). Null, empty structures and empty lists count as absent (trap 8), in text also empty values.
"""

import json
from collections.abc import Iterable
from email.message import Message
from email.parser import BytesParser
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from vmart.api.errors import InvalidRequest
from vmart.api.flatten import nest
from vmart.kernel.errors import InvalidParameter, InvalidValue

MAX_FIELDS = 10_000


def json_members(body: bytes) -> dict[str, Any]:
    """The object that a JSON body holds; an empty body is an empty object."""
    if not body.strip():
        return {}
    members = _json(body)
    if not isinstance(members, dict):
        raise InvalidParameter("The request body must be a JSON object.")
    return _present(members)


def text_pairs(text: str) -> list[tuple[str, str]]:
    """Name and value of each parameter of a query string or form, percent-decoded UTF-8."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:  # UnicodeDecodeError is one
        raise InvalidParameter("The parameters are not percent-encoded UTF-8, or too many.") from error


def form_pairs(body: bytes) -> list[tuple[str, str]]:
    """As ``text_pairs`` of a form body."""
    try:
        return text_pairs(body.decode("ascii"))
    except UnicodeDecodeError as error:
        raise InvalidParameter("The parameters are not percent-encoded UTF-8, or too many.") from error


def text_members(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Nested members of flattened parameters, values as text."""
    return _present(nest((name, value) for name, value in pairs if value != ""))


def multipart_members(content_type: str, body: bytes) -> dict[str, Any]:
    """Members of a multipart body: text, or JSON where the part says so; structures also flattened."""
    try:
        message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
        parts = message.get_payload()
    except (RecursionError, UnicodeError):  # messages in messages in messages; a boundary in a made-up charset
        parts = None
    if not isinstance(parts, list):
        if not body.strip():
            return {}
        raise InvalidRequest("The multipart body cannot be read; does it match its boundary?")
    texts: list[tuple[str, str]] = []
    members: dict[str, Any] = {}
    for part in parts:
        name, value = _part(part)
        if isinstance(value, str):
            if value != "":
                texts.append((name, value))
        elif name in members:
            raise InvalidParameter("The parameter {parameter} is given twice.", field=name[:80], parameter=name[:80])
        else:
            members[name] = value
    for name, value in nest(texts).items():
        if name in members:
            raise InvalidParameter("The parameter {parameter} is given twice.", field=name[:80], parameter=name[:80])
        members[name] = value
    return _present(members)


def _part(part: Any) -> tuple[str, Any]:
    if not isinstance(part, Message):
        raise InvalidRequest("A part of the multipart body has no name.")
    name = part.get_param("name", header="content-disposition")
    content = part.get_payload(decode=True)
    if not isinstance(name, str) or not name or not isinstance(content, bytes):
        raise InvalidRequest("A part of the multipart body has no name.")
    if part.get_content_type() == "application/json":
        return name, _json(content)
    try:
        return name, content.decode()
    except UnicodeDecodeError as error:
        raise InvalidParameter("{parameter} is not UTF-8.", field=name[:80], parameter=name[:80]) from error


def _json(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError are ones
        raise InvalidParameter("The request body is not valid JSON.") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _present(members: dict[str, Any]) -> dict[str, Any]:
    """``members`` without what counts as absent; refuses text that no database takes."""
    try:
        return _kept(members, "")
    except RecursionError as error:
        raise _too_deep() from error


def _too_deep() -> InvalidParameter:
    return InvalidParameter("The structures of the request lie too deep.")


def _kept(members: dict[str, Any], path: str) -> dict[str, Any]:
    kept = {}
    for name, value in members.items():
        if not name.isascii() or "\0" in name:
            _check_text(name, path + name)
        if isinstance(value, str):
            if not value.isascii() or "\0" in value:
                _check_text(value, path + name)
        elif isinstance(value, dict):
            value = _kept(value, f"{path}{name}.")  # noqa: PLW2901
            if not value:
                continue
        elif isinstance(value, list):
            if not value:
                continue
            value = [_item(item, f"{path}{name}.{number}") for number, item in enumerate(value)]  # noqa: PLW2901
        elif value is None:
            continue
        kept[name] = value
    return kept


def _item(item: Any, path: str) -> Any:
    if isinstance(item, dict):
        return _kept(item, f"{path}.")
    if isinstance(item, list):
        return [_item(inner, f"{path}.{number}") for number, inner in enumerate(item)]
    if isinstance(item, str):
        _check_text(item, path)
    return item


def _check_text(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        if "\0" not in text:
            return
    raise InvalidValue("{parameter} holds characters that are not text.", field=path[:80], parameter=path[:80])
