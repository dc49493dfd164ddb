"""A price book as names and values: what a page shows in fields, a command lists and sets, and a preview compares.

A name is a path in the file's section ``price_book``: ``instance_types.S5.SMALL1.hour``. Its value is a text, or rows
of texts where it is a table: steps of bandwidth, tiers of age, discounts of terms. What is right is the document's to
say (``pricing.book_document``); here only numbers are told from other text.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from vmart.kernel.errors import InvalidValue
from vmart.pricing.host_typed import decimal, whole

Row = Mapping[str, str]
Rows = tuple[Row, ...]
Value = str | Rows
Named = dict[str, Value]

STEPS, TIERS, TERMS = ("above", "up_to", "price"), ("from_h", "to_h", "factor"), ("months", "factor")
TERMS_AT, TIERS_AT, COVERS = "term_discounts.tables.", "age_tiers.", "term_discounts.covers"
COVERED = ("cpu", "disk", "bandwidth")
PER = ("month", "hour")
OF_TYPE = (*PER, "spot", "terms", "tiers")
ALONE = ("traffic_gib", "idle_address", "snapshot_gib", "image_gib", "package_mbps")
_TABLES = ("terms", "tiers")  # of a type: names of tables
_FIELDS = {"instance_types": OF_TYPE, "disks": PER}
_WHOLE = ("from_h", "to_h", "months")
_WHOLE_MAX = 999_999_999
_PLACES = 8
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def named(section: Mapping[str, Any]) -> Named:
    """Everything of a section that can be changed, in its order."""
    terms = section["term_discounts"]
    found: Named = _prices(section, "")
    found[COVERS] = ", ".join(one for one in COVERED if one in terms["covers"])
    for name, table in terms["tables"].items():
        found[f"{TERMS_AT}{name}"] = tuple(
            {"months": str(first), "factor": _text(table[first])} for first in sorted(table)
        )
    for name, tiers in section.get("age_tiers", {}).items():
        found[f"{TIERS_AT}{name}"] = _rows(tiers, TIERS)
    for region, own in section["regions"].items():
        found[f"regions.{region}.factor"] = _text(own.get("factor", 1))
        found |= _prices(own, f"regions.{region}.")
    return found


def columns(name: str, regions: Iterable[str]) -> tuple[str, ...]:
    """The columns of the table that has this name; none where it names no table."""
    if name.startswith(TERMS_AT):
        return TERMS
    if name.startswith(TIERS_AT):
        return TIERS
    ladders = {f"{at}bandwidth.{per}" for at in ("", *(f"regions.{one}." for one in regions)) for per in PER}
    return STEPS if name in ladders else ()


def scalars(section: Mapping[str, Any], at: str = "") -> list[str]:
    """Every name that a value of one text may have: of the shop, or (``regions.X.``) of a region."""
    things = [(kind, code, field) for kind, fields in _FIELDS.items() for code in section[kind] for field in fields]
    return [*(f"{at}{kind}.{code}.{field}" for kind, code, field in things), *(f"{at}{name}" for name in ALONE),
            *([f"{at}factor"] if at else [])]  # fmt: skip


def things(section: Mapping[str, Any]) -> list[str]:
    """What a region may have a price of its own for: ``instance_types.S5.SMALL1``, ``bandwidth``, ``traffic_gib``."""
    return [*(f"{kind}.{code}" for kind in _FIELDS for code in section[kind]), "bandwidth",
            *(name for name in ALONE if name in section)]  # fmt: skip


def fields_of(thing: str) -> list[str]:
    """The names of a thing's prices."""
    kind = thing.partition(".")[0]
    if kind == "bandwidth":
        return [f"bandwidth.{per}" for per in PER]
    return [f"{thing}.{field}" for field in _FIELDS[kind]] if kind in _FIELDS else [thing]


def with_named(section: Mapping[str, Any], wanted: Mapping[str, Value]) -> dict[str, Any]:
    """The section that says ``wanted``, all of it: a name that is left away is taken away.

    Raises InvalidValue by name, of a row ``NAME.NUMBER.COLUMN``, where a number is none.
    """
    new = dict(section)
    _fill(new, "", wanted, section)
    tables = {name.removeprefix(TERMS_AT): _terms(name, rows) for name, rows in _tables(wanted, TERMS_AT)}
    covers = str(wanted.get(COVERS, "")).replace(",", " ").split()
    if set(covers) == set(section["term_discounts"]["covers"]):
        covers = section["term_discounts"]["covers"]
    new["term_discounts"] = dict(section["term_discounts"]) | {"covers": covers, "tables": tables}
    tiers = {name.removeprefix(TIERS_AT): _list(name, rows) for name, rows in _tables(wanted, TIERS_AT)}
    _or_none(new, "age_tiers", tiers)
    new["regions"] = {}
    for region, before in section["regions"].items():
        own = new["regions"][region] = dict(before)
        _fill(own, f"regions.{region}.", wanted, section)
        factor = _number(wanted, f"regions.{region}.factor")
        if factor != 1 or "factor" in own:
            own["factor"] = factor
    return new


def ranged(row: Row) -> str:
    """What a row is of: ``2–5``, without an end ``5–``; of a term its first month."""
    first, *ends = list(row.values())[:-1]
    return f"{first}–{ends[0]}" if ends else first


def plain(value: Value | None) -> object:
    """The value to be compared: 0.50 is 0.5."""
    if isinstance(value, tuple):
        return tuple(tuple(plain(text) for text in row.values()) for row in value)
    return Decimal(value) if value and _NUMBER.fullmatch(value) else value


def _prices(place: Mapping[str, Any], at: str) -> Named:
    found: Named = {}
    for kind, fields in _FIELDS.items():
        for code, price in place.get(kind, {}).items():
            found |= {f"{at}{kind}.{code}.{one}": _text(price[one]) for one in fields if price.get(one) is not None}
    for per, steps in (place.get("bandwidth") or {}).items():
        found[f"{at}bandwidth.{per}"] = _rows(steps, STEPS)
    return found | {f"{at}{one}": _text(place[one]) for one in ALONE if place.get(one) is not None}


def _rows(rows: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> Rows:
    return tuple({name: "" if row.get(name) is None else _text(row[name]) for name in names} for row in rows)


def _text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _fill(place: dict[str, Any], at: str, wanted: Mapping[str, Value], shop_wide: Mapping[str, Any]) -> None:
    """The prices of the shop or of a region. A disk's sizes are those of the shop."""
    for kind, fields in _FIELDS.items():
        kept = {}
        for code, of_shop in shop_wide[kind].items():
            names = {field: f"{at}{kind}.{code}.{field}" for field in fields}
            said = {field: _of_type(wanted, name, field) for field, name in names.items() if name in wanted}
            if said:
                other = place.get(kind, {}).get(code, of_shop)
                kept[code] = said | {name: value for name, value in other.items() if name not in fields}
        _or_none(place, kind, kept)
    steps = {per: _list(name, wanted[name]) for per in PER if (name := f"{at}bandwidth.{per}") in wanted}
    _or_none(place, "bandwidth", steps)
    for name in ALONE:
        _or_none(place, name, _number(wanted, f"{at}{name}") if f"{at}{name}" in wanted else {})


def _or_none(place: dict[str, Any], name: str, value: Any) -> None:
    """Nothing where there is nothing to say, unless it stood there empty."""
    if value != {} or place.get(name) == {}:
        place[name] = value
    else:
        place.pop(name, None)


def _of_type(wanted: Mapping[str, Value], name: str, field: str) -> Any:
    return wanted[name] if field in _TABLES else _number(wanted, name)


def _tables(wanted: Mapping[str, Value], at: str) -> list[tuple[str, Value]]:
    return [(name, rows) for name, rows in wanted.items() if name.startswith(at)]


def _terms(name: str, rows: Value) -> dict[int, Any]:
    table: dict[int, Any] = {}
    for number, row in enumerate(_checked(rows)):
        at = f"{name}.{number}"
        first = _cell(row, at, "months")
        if first in table:
            raise InvalidValue("{months} months stand here twice.", field=f"{at}.months", months=first)
        table[first] = _cell(row, at, "factor")
    return table


def _list(name: str, rows: Value) -> list[dict[str, Any]]:
    return [
        {column: _cell(row, f"{name}.{number}", column) for column, text in row.items() if not _is_open(column, text)}
        for number, row in enumerate(_checked(rows))
    ]


def _is_open(column: str, text: str) -> bool:
    return column in ("up_to", "to_h") and not text.strip()


def _checked(rows: Value) -> Rows:
    assert not isinstance(rows, str), rows
    return rows


def _cell(row: Row, at: str, column: str) -> Any:
    return _number({f"{at}.{column}": row.get(column, "")}, f"{at}.{column}", is_whole=column in _WHOLE)


def _number(said: Mapping[str, Value], name: str, *, is_whole: bool = False) -> Any:
    texts = {name: str(said.get(name, ""))}
    if is_whole:
        return whole(texts, name, 0, _WHOLE_MAX)
    number = decimal(texts, name, _PLACES)
    return number if "." in texts[name] else int(number)
