"""A catalog file with some of its values changed: what the seller wrote beside them, comments too, stays as it is."""

import io
from collections.abc import Mapping
from typing import Any

from vmart.kernel.documents import DocumentError, read_yaml

Path = tuple[str | int, ...]
GONE = object()  # instead of a value: the key is taken away


def changed(text: str, values: Mapping[Path, Any]) -> str:
    """The file with ``values`` at their paths (a key of a mapping, a number of a list); GONE takes a key away.

    Raises DocumentError where the text is no catalog file, or where it could not be changed without changing more: an
    alias stands for the value in two places.
    """
    from vmart.backoffice import round_trip

    wanted = _apart(read_yaml(text))
    writer = round_trip.writer()
    try:
        document = writer.load(text)
    except round_trip.YAMLError as error:
        raise DocumentError([str(error)]) from error
    for path, value in values.items():
        _put(wanted, path, value, dict)
        _put(document, path, round_trip.written(value), round_trip.CommentedMap)
    out = io.StringIO()
    writer.dump(document, out)
    if read_yaml(out.getvalue()) != wanted:
        raise DocumentError(["document: an alias (*) stands for this value in several places; change the file itself"])
    return out.getvalue()


def new(document: Mapping[str, Any]) -> str:
    """A file that says ``document``, sections in its order."""
    from vmart.backoffice import round_trip

    out = io.StringIO()
    round_trip.writer().dump(round_trip.written(document), out)
    return out.getvalue()


def _put(document: Any, path: Path, value: Any, mapping: type) -> None:
    *above, last = path
    for step in above:
        if isinstance(document, dict) and step not in document:
            document[step] = mapping()
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
