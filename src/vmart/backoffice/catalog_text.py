"""A catalog file with some of its values changed: what the seller wrote beside them, comments too, stays as it is."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from vmart.kernel.documents import DocumentError, read_yaml

Path = tuple[str | int, ...]
GONE = object()  # instead of a value: the key is taken away


def changed(text: str, values: Mapping[Path, Any]) -> str:
    """The file with ``values`` at their paths (a key of a mapping, a number of a list); GONE takes a key away. What
    follows the last of a list is appended to it.

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
        _put(document, path, value if value is GONE else round_trip.written(value), round_trip.CommentedMap)
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


def differences(now: Any, wanted: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """What makes of one section the other, value by value and row by row: comments beside the others stay."""
    if isinstance(now, Mapping) and isinstance(wanted, Mapping):
        for name in now.keys() - wanted.keys():
            yield (*path, name), GONE
        for name, value in wanted.items():
            if name in now:
                yield from differences(now[name], value, (*path, name))
            else:
                yield (*path, name), value
    elif isinstance(now, list) and isinstance(wanted, list) and now and wanted:
        for number, (before, after) in enumerate(zip(now, wanted, strict=False)):
            yield from differences(before, after, (*path, number))
        yield from (((*path, number), GONE) for number in reversed(range(len(wanted), len(now))))
        yield from (((*path, number), wanted[number]) for number in range(len(now), len(wanted)))
    elif now != wanted:
        yield path, wanted


def _put(document: Any, path: Path, value: Any, mapping: type) -> None:
    *above, last = path
    for step in above:
        if isinstance(document, dict) and step not in document:
            document[step] = mapping()
        document = document[step]
    if isinstance(document, list):
        _put_row(document, last, value)
    elif value is GONE:
        document.pop(last, None)
    elif isinstance(last, int) and last not in document and mapping is not dict:
        document.insert(sum(isinstance(key, int) and key < last for key in document), last, value)  # rows stay in order
    else:
        document[last] = value


def _put_row(rows: list[Any], number: Any, value: Any) -> None:
    from vmart.backoffice import round_trip

    if value is GONE:
        del rows[number]
    elif number == len(rows):
        rows.append(round_trip.in_style_of(value, rows[-1]))
    else:
        rows[number] = value


def _apart(value: Any) -> Any:
    """A copy in which what an alias stands for is there twice."""
    if isinstance(value, dict):
        return {name: _apart(inner) for name, inner in value.items()}
    return [_apart(inner) for inner in value] if isinstance(value, list) else value
