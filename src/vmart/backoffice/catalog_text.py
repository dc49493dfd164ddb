"""A catalog file with some of its values changed: what the seller wrote beside them, comments too, stays as it is."""

import datetime as dt
import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import LiteralScalarString

from vmart.kernel.documents import DocumentError, read_yaml

Path = tuple[str | int, ...]
GONE = object()  # instead of a value: the key is taken away


class _Exact(RoundTripRepresenter):
    """Decimals as they are, without a float between."""


def _decimal(representer: RoundTripRepresenter, value: Decimal) -> ScalarNode:
    return representer.represent_scalar("tag:yaml.org,2002:float", format(value, "f"))


def _instant(representer: RoundTripRepresenter, value: dt.datetime) -> ScalarNode:
    text = value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return representer.represent_scalar("tag:yaml.org,2002:timestamp", text)


_Exact.add_representer(Decimal, _decimal)
_Exact.add_representer(dt.datetime, _instant)


def changed(text: str, values: Mapping[Path, Any]) -> str:
    """The file with ``values`` at their paths (a key of a mapping, a number of a list); GONE takes a key away.

    Raises DocumentError where the text is no catalog file, or where it could not be changed without changing more: an
    alias stands for the value in two places.
    """
    wanted = _apart(read_yaml(text))
    writer = _writer()
    try:
        document = writer.load(text)
    except YAMLError as error:
        raise DocumentError([str(error)]) from error
    for path, value in values.items():
        _put(wanted, path, value)
        _put(document, path, _written(value))
    out = io.StringIO()
    writer.dump(document, out)
    if read_yaml(out.getvalue()) != wanted:
        raise DocumentError(["document: an alias (*) stands for this value in several places; change the file itself"])
    return out.getvalue()


def new(document: Mapping[str, Any]) -> str:
    """A file that says ``document``, sections in its order."""
    out = io.StringIO()
    _writer().dump(_written(document), out)
    return out.getvalue()


def _writer() -> YAML:
    writer = YAML()
    writer.Representer = _Exact
    writer.preserve_quotes = True
    writer.width = 1_000_000  # no line is folded that was not
    writer.indent(mapping=2, sequence=4, offset=2)
    return writer


def _put(document: Any, path: Path, value: Any) -> None:
    *above, last = path
    for step in above:
        if isinstance(document, dict) and step not in document:
            document[step] = CommentedMap()
        document = document[step]
    if value is not GONE:
        document[last] = value
    elif last in document:
        del document[last]


def _apart(value: Any) -> Any:
    """A copy in which what an alias stands for is there twice."""
    if isinstance(value, dict):
        return {name: _apart(inner) for name, inner in value.items()}
    return [_apart(inner) for inner in value] if isinstance(value, list) else value


def _written(value: Any) -> Any:
    """Mappings and lists as the writer takes them; a text of several lines as one."""
    if isinstance(value, Mapping):
        return CommentedMap({name: _written(inner) for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    if isinstance(value, str) and "\n" in value:
        return LiteralScalarString(value)
    return value
