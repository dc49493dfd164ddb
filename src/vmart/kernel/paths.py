"""Paths into a value: ``data_disks.0.size_gib``. A refusal names one, and each edge has a table of what it calls it."""

from collections.abc import Mapping


def called(names: Mapping[str, str], path: str, *, first: int = 0) -> str | None:
    """What ``names`` calls the path, or the nearest structure around it that it knows; None where it knows none.

    In names and paths of the table ``*`` stands for an index; the indexes of ``path`` count from 0, those of the
    names from ``first``.
    """
    steps = path.split(".")
    while steps:
        name = names.get(".".join("*" if step.isdecimal() else step for step in steps))
        if name is not None:
            return _filled(name, [int(step) + first for step in steps if step.isdecimal()])
        steps.pop()
    return None


def _filled(name: str, indexes: list[int]) -> str:
    for index in indexes:
        name = name.replace("*", str(index), 1)
    return name
