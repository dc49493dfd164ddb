"""Paths into a value: ``data_disks.0.size_gib``. A refusal names one, and each edge has a table of what it calls it."""

from collections.abc import Iterator, Mapping


def called(names: Mapping[str, str], path: str, *, first: int = 0) -> str | None:
    """What ``names`` calls the path, or the nearest structure around it that it knows; None where it knows none.

    In names and paths of the table ``*`` stands for an index; the indexes of ``path`` count from 0, those of the
    names from ``first``.
    """
    steps = path.split(".")
    while steps:
        name = exactly(names, ".".join(steps), first=first)
        if name is not None:
            return name
        steps.pop()
    return None


def exactly(names: Mapping[str, str], path: str, *, first: int = 0) -> str | None:
    """What ``names`` calls just this path; None where it does not know it."""
    steps = path.split(".")
    name = names.get(".".join("*" if step.isdecimal() else step for step in steps))
    return None if name is None else with_indexes(name, [int(step) + first for step in steps if step.isdecimal()])


def leaves(plain: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Path and value of each leaf of plain JSON values; a list is one where it holds no structures."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(plain, list) and any(isinstance(item, dict) for item in plain):
        for number, item in enumerate(plain):
            yield from leaves(item, f"{path}.{number}")
    else:
        yield path, plain


def with_indexes(name: str, indexes: list[int]) -> str:
    """``name`` with each ``*`` replaced, in order."""
    for index in indexes:
        name = name.replace("*", str(index), 1)
    return name
