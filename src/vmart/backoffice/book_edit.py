"""A price book in the fields of a page: what was typed, and rows and tables that come and go before it is published."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any

from vmart.backoffice import book_names
from vmart.backoffice.book_names import COVERED, COVERS, STEPS, TERMS, TERMS_AT, TIERS, TIERS_AT, Named, Rows
from vmart.kernel.documents import DocumentError, read_yaml
from vmart.kernel.errors import InvalidValue
from vmart.kernel.money import CONTEXT

HERE = "here:"  # before a table's name: it is there, perhaps without a row
ROWS_MAX = 60
_NAME_MAX = 40
_OPTIONAL = (".terms", ".tiers")
_NEW = {"terms": (TERMS_AT, ({"months": "12", "factor": "0.9"},)),
        "tiers": (TIERS_AT, ({"from_h": "0", "to_h": "", "factor": "1"},))}  # fmt: skip


def flat(named: Named) -> dict[str, str]:
    """A field for each text: of a table ``NAME.NUMBER.COLUMN``."""
    fields: dict[str, str] = {}
    for name, value in named.items():
        if name == COVERS:
            fields |= {f"{COVERS}.{one}": "on" for one in str(value).replace(",", " ").split()}
        elif isinstance(value, str):
            fields[name] = value
        else:
            fields[HERE + name] = "yes"
            fields |= {f"{name}.{n}.{column}": text for n, row in enumerate(value) for column, text in row.items()}
    return fields


def typed(section: Mapping[str, Any], fields: Mapping[str, str]) -> Named:
    """What the fields say. A price of the shop that none of them has stays as it is; a table or a region's own price
    that none of them has is taken away.
    """
    wanted: Named = {}
    held = book_names.named(section)
    for name in book_names.scalars(section):
        said = fields.get(name, _still(held.get(name), name, fields))
        if isinstance(said, str) and (said.strip() or not name.endswith(_OPTIONAL)):
            wanted[name] = said
    for region in section["regions"]:
        for name in book_names.scalars(section, f"regions.{region}."):
            if name in fields and (fields[name].strip() or not name.endswith(_OPTIONAL)):
                wanted[name] = fields[name]
    wanted[COVERS] = ", ".join(one for one in COVERED if f"{COVERS}.{one}" in fields)
    for key in fields:
        name = key.removeprefix(HERE)
        columns = book_names.columns(name, section["regions"]) if key.startswith(HERE) else ()
        if columns:
            wanted[name] = tuple(_typed_rows(name, columns, fields))
    return wanted


def _still(value: book_names.Value | None, name: str, fields: Mapping[str, str]) -> book_names.Value | None:
    """What no field says: as it is, but for the name of a table that is gone."""
    at = TERMS_AT if name.endswith(".terms") else TIERS_AT
    return value if not name.endswith(_OPTIONAL) or f"{HERE}{at}{value}" in fields else None


def _typed_rows(name: str, columns: tuple[str, ...], fields: Mapping[str, str]) -> Iterator[dict[str, str]]:
    for number in itertools.count():
        row = {column: fields.get(f"{name}.{number}.{column}") for column in columns}
        if set(row.values()) == {None}:
            return
        yield {column: text or "" for column, text in row.items()}


def change(section: Mapping[str, Any], wanted: Named, act: str, fields: Mapping[str, str]) -> str:
    """Do what a button says: ``add:TABLE``, ``take:TABLE.NUMBER``, ``drop:NAME``, ``new:terms``, ``own:REGION``.

    Changes ``wanted``. Returns the name of the field to go on with, "" where the button says nothing that can be done.
    Raises InvalidValue where a new table cannot have its name.
    """
    verb, _, name = act.partition(":")
    thing = fields.get(f"own.{name}", "")
    done: Callable[[], str] | None = {
        "add": lambda: _add(wanted, name), "take": lambda: _take(wanted, name), "drop": lambda: _drop(wanted, name),
        "new": lambda: _new(wanted, name, fields), "own": lambda: own(section, wanted, name, thing),
    }.get(verb)  # fmt: skip
    return done() if done else ""


def _add(wanted: Named, name: str) -> str:
    """A row behind the last; it begins where that ends."""
    rows = wanted.get(name)
    if not isinstance(rows, tuple) or len(rows) >= ROWS_MAX:
        return ""
    columns = TERMS if name.startswith(TERMS_AT) else TIERS if name.startswith(TIERS_AT) else STEPS
    begin = ("0" if not rows else rows[-1][columns[1]]) if columns != TERMS else ""
    wanted[name] = (*rows, dict.fromkeys(columns, "") | {columns[0]: begin})
    first_empty = columns[0] if columns == TERMS or not begin else columns[1]
    return f"{name}.{len(rows)}.{first_empty}"


def _take(wanted: Named, row: str) -> str:
    name, _, number = row.rpartition(".")
    rows = wanted.get(name)
    if not isinstance(rows, tuple) or not number.isascii() or not number.isdecimal() or int(number) >= len(rows):
        return ""
    left: Rows = rows[: int(number)] + rows[int(number) + 1 :]
    wanted[name] = left
    return f"{name}.{min(int(number), len(left) - 1)}.{next(iter(left[0]))}" if left else HERE + name


def _drop(wanted: Named, name: str) -> str:
    """A table, and every type goes without it; or a region's own price."""
    for at, field in ((TERMS_AT, ".terms"), (TIERS_AT, ".tiers")):
        table = name.removeprefix(at)
        if name.startswith(at) and name != f"{TERMS_AT}default" and name in wanted:
            for one in [other for other, value in wanted.items() if other.endswith(field) and value == table]:
                del wanted[one]
            del wanted[name]
            return f"new_{field[1:]}"
    region, thing = _of_region(name, wanted)
    if not region or thing == "factor":
        return ""
    for field in book_names.fields_of(thing):
        wanted.pop(f"regions.{region}.{field}", None)
    return f"own.{region}"


def _of_region(name: str, wanted: Named) -> tuple[str, str]:
    """Region and thing of ``regions.X.THING``."""
    for other in wanted:
        region = other.removeprefix("regions.").removesuffix(".factor")
        if other == f"regions.{region}.factor" and name.startswith(f"regions.{region}."):
            return region, name.removeprefix(f"regions.{region}.")
    return "", ""


def _new(wanted: Named, kind: str, fields: Mapping[str, str]) -> str:
    if kind not in _NEW:
        return ""
    at, rows = _NEW[kind]
    field = f"new_{kind}"
    name = fields.get(field, "").strip()
    if not _is_a_name(name):
        raise InvalidValue("{value} is no name for a table: letters, digits, points and hyphens, a letter first.",
                           field=field, value=name[:20] or "(empty)")  # fmt: skip
    if at + name in wanted:
        raise InvalidValue("There is a table {name} already.", field=field, name=name)
    wanted[at + name] = rows
    return f"{at}{name}.0.{next(iter(rows[0]))}"


def _is_a_name(name: str) -> bool:
    """Whether YAML reads the word as the text that it is: ``no`` is a truth value there."""
    plain = name.replace("-", "").replace(".", "").replace("_", "")
    if len(name) > _NAME_MAX or not plain.isascii() or not plain.isalnum() or not name[0].isalpha():
        return False
    try:
        return list(read_yaml(f"{name}: 1")) == [name]
    except DocumentError:
        return False


def own(section: Mapping[str, Any], wanted: Named, region: str, thing: str) -> str:
    """A price of the region's own, which begins as what the shop's is there. Returns its first field, "" where the
    region has one, or can have none.
    """
    at = f"regions.{region}."
    if region not in section["regions"] or thing not in book_names.things(section):
        return ""
    names = book_names.fields_of(thing)
    if any(at + name in wanted for name in names):
        return ""
    factor = str(wanted.get(f"{at}factor", ""))
    for name in names:
        if name in wanted:
            wanted[at + name] = wanted[name] if name.endswith(_OPTIONAL) else _times(wanted[name], factor)
    return f"{at}{names[0]}.0.price" if thing == "bandwidth" else at + names[0]


def _times(value: book_names.Value, factor: str) -> book_names.Value:
    if isinstance(value, tuple):
        return tuple({**row, "price": str(_times(row["price"], factor))} for row in value)
    number, other = book_names.plain(value), book_names.plain(factor)
    if not isinstance(number, Decimal) or not isinstance(other, Decimal):
        return value
    with localcontext(CONTEXT):
        return format((number * other).normalize(), "f")
