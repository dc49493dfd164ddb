"""A price book's names and values in the words of a command: a table is one text, ``0-5: 0.063, 5-: 0.25``."""

from collections.abc import Iterable, Mapping
from typing import Any

from vmart.backoffice import book_edit, book_names
from vmart.backoffice.book_names import COVERS, TERMS_AT, Named, Row, Value
from vmart.kernel.errors import InvalidValue


def shown(value: Value | None) -> str:
    """A value as ``changed`` reads it; "" of none."""
    if isinstance(value, tuple):
        return ", ".join(_row(row) for row in value)
    return value or ""


def changed(section: Mapping[str, Any], said: Iterable[str], gone: Iterable[str]) -> Named:
    """What the book is to say with each ``NAME=VALUE`` said and each of ``gone`` taken away.

    One discount of a table of terms has its months in its name: ``term_discounts.tables.default.12``. Raises
    InvalidValue, with the name, where nothing has it.
    """
    wanted = book_names.named(section)
    for one in said:
        name, equals, text = one.partition("=")
        if not equals:
            raise InvalidValue("{said} is not right: NAME=VALUE is expected.", said=one[:80])
        _say(section, wanted, name.strip(), text.strip())
    for name in gone:
        _take_away(section, wanted, name)
    return wanted


def _say(section: Mapping[str, Any], wanted: Named, name: str, text: str) -> None:
    for region in section["regions"]:  # the first price of a thing that a region names itself brings the others
        for thing in book_names.things(section) if name.startswith(f"regions.{region}.") else ():
            if name.removeprefix(f"regions.{region}.") in book_names.fields_of(thing):
                book_edit.own(section, wanted, region, thing)
    table, months = _term(wanted, name)
    if table:
        kept = [row for row in _rows(wanted, table) if row["months"] != months]
        wanted[table] = tuple(sorted([*kept, {"months": months, "factor": text}], key=_months))
    elif columns := book_names.columns(name, section["regions"]):
        wanted[name] = tuple(_read(part, columns) for part in text.split(",") if part.strip())
    elif name == COVERS or name in _may_be(section):
        wanted[name] = text
    else:
        raise _unknown(name)


def _take_away(section: Mapping[str, Any], wanted: Named, name: str) -> None:
    """A name, or all that a region has of a thing: ``regions.ap-shanghai.bandwidth``."""
    table, months = _term(wanted, name)
    rows = [row for row in _rows(wanted, table) if row["months"] != months] if table else []
    if table and len(rows) < len(_rows(wanted, table)):
        wanted[table] = tuple(rows)
        return
    own = {f"regions.{region}.{thing}": [f"regions.{region}.{field}" for field in book_names.fields_of(thing)]
           for region in section["regions"] for thing in book_names.things(section)}  # fmt: skip
    found = [one for one in (name, *own.get(name, ())) if one in wanted]
    if not found:
        raise _unknown(name)
    for one in found:
        del wanted[one]


def _may_be(section: Mapping[str, Any]) -> set[str]:
    names = set(book_names.scalars(section))
    return names.union(*(book_names.scalars(section, f"regions.{region}.") for region in section["regions"]))


def _term(wanted: Named, name: str) -> tuple[str, str]:
    """Table and months of one discount; empty where the name is none of one."""
    table, _, months = name.rpartition(".")
    is_one = table.startswith(TERMS_AT) and table in wanted and name not in wanted
    return (table, months) if is_one and months.isascii() and months.isdecimal() else ("", "")


def _rows(wanted: Named, table: str) -> book_names.Rows:
    rows = wanted[table]
    assert isinstance(rows, tuple), table
    return rows


def _months(row: Row) -> int:
    """Where a discount stands; what is no number is refused later, with its row."""
    text = row["months"]
    return int(text) if text.isascii() and text.isdecimal() else 0


def _read(text: str, columns: tuple[str, ...]) -> Row:
    """One row: ``0-96: 1`` or, of terms, ``12: 0.83``."""
    of, _, value = (part.strip() for part in text.partition(":"))
    first, *ends, last = columns
    begin, _, end = (part.strip() for part in of.partition("-")) if ends else (of, "", "")
    return {first: begin, **dict.fromkeys(ends, end), last: value}


def _row(row: Row) -> str:
    return f"{book_names.ranged(row).replace('–', '-')}: {list(row.values())[-1]}"


def _unknown(name: str) -> InvalidValue:
    return InvalidValue("{name} is no name in the price book: vmart catalog price list shows them.", name=name[:80])
