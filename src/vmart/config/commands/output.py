"""``-o table|json|yaml``: how commands that list things print them."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

Row = Mapping[str, Any]


def output_option(function: Any) -> Any:
    """The option ``-o``; its value goes to ``show``."""
    kinds = click.Choice(["table", "json", "yaml"])
    return click.option("-o", "--output", type=kinds, default="table", show_default=True)(function)


def tell_older(before: str) -> None:
    """How the page after this one is asked for, where there is one."""
    if before:
        click.echo(f"older ones: --before {before}", err=True)


def show(value: Sequence[Row] | Row, output: str) -> None:
    """Print rows, or one thing whose members may be rows of their own."""
    if output == "json":
        click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(plain(value), allow_unicode=True, sort_keys=False).rstrip())
    else:
        click.echo("\n".join(_thing(value) if isinstance(value, Mapping) else table(value)))


def plain(value: Any) -> Any:
    """As JSON has it: times in ISO 8601, numbers and texts as they are, all else as text."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(inner) for inner in value]
    if isinstance(value, dt.datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a table: the names of the first row's members as its head, columns as wide as they must be."""
    if not rows:
        return ["nothing"]
    names = list(rows[0])
    cells = [
        [name.upper().replace("_", " ") for name in names],
        *([_cell(row[name]) for name in names] for row in rows),
    ]
    widths = [max(len(line[n]) for line in cells) for n in range(len(names))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _thing(value: Row) -> list[str]:
    """Its simple members first, a line each; then each list of rows as a table with its name above."""
    simple = {name: inner for name, inner in value.items() if not _is_rows(inner)}
    width = max((len(name) for name in simple), default=0)
    lines = [f"{name.replace('_', ' '):<{width}}  {_cell(inner)}".rstrip() for name, inner in simple.items()]
    for name, inner in value.items():
        if _is_rows(inner):
            lines += ["", name.replace("_", " "), *(f"  {line}" for line in table(inner))]
    return lines


def _is_rows(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _cell(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%SZ}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else str(value)
