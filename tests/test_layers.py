"""SQL goes downward as imports do: a room's ``sql/*.sql`` names its own tables and calls functions of rooms below.

The import linter sees no SQL. The order of rooms is the linter's own, out of pyproject.toml. A room below may
hand out one of its rows: its table's name may then stand as a type, after a variable's name, and nowhere else.
"""

import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ROOT / "src" / "vmart"
FILES = sorted(ROOMS.glob("*/sql/*.sql"))
CLOSE = ROOMS / "settlement" / "sql" / "functions.sql"  # ADR 0004
TABLES = {
    model._meta.db_table: model._meta.app_label for model in apps.get_models() if model.__module__[:6] == "vmart."
}


def _layers() -> list[set[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [{room.strip() for room in line.split("|")} for line in found]


def _below(room: str) -> set[str]:
    layers = _layers()
    line = next(number for number, rooms in enumerate(layers) if room in rooms)
    return set().union(*layers[line + 1 :])


def _bare(text: str) -> str:
    """Without comments and the inside of strings."""
    return re.sub(r"'(?:[^']|'')*'", "''", re.sub(r"--[^\n]*", "", text))


def tables_used(text: str) -> set[str]:
    """Tables that are read or written, not those whose row is only a variable's or a result's type."""
    verbs = r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|USING|ONLY)\s+(?:ONLY\s+)?(?:public\.)?([a-z_]+)"
    lists = r"\bFROM\s+((?:[a-z_]+(?:\s+(?:AS\s+)?[a-z_]+)?\s*,\s*)+[a-z_]+)"
    named = set(re.findall(verbs, _bare(text), re.IGNORECASE))
    for listed in re.findall(lists, _bare(text), re.IGNORECASE):
        named |= {part.split()[0] for part in listed.split(",")}
    return named & TABLES.keys()


def tables_mentioned(text: str) -> set[str]:
    """Every table whose name stands anywhere, also as a type."""
    return set(re.findall(r"(?<![.\w])[a-z_]+(?!\s*\()", _bare(text))) & TABLES.keys()


def functions_called(text: str) -> set[str]:
    return set(re.findall(r"\bfn\.([a-z_]+)", _bare(text)))


def _owner(function: str) -> str:
    return next(room for room in set().union(*_layers()) if function.startswith(room + "_"))


def _name(file: Path) -> str:
    return str(file.relative_to(ROOMS))


@pytest.mark.parametrize("file", [file for file in FILES if file != CLOSE], ids=_name)
def test_a_rooms_sql_reads_and_writes_its_own_tables(file: Path) -> None:
    room = file.parts[-3]
    assert {table for table in tables_used(file.read_text()) if TABLES[table] != room} == set()


@pytest.mark.parametrize("file", [file for file in FILES if file != CLOSE], ids=_name)
def test_a_row_of_another_room_is_one_of_a_room_below(file: Path) -> None:
    room = file.parts[-3]
    foreign = {TABLES[table] for table in tables_mentioned(file.read_text())} - {room}
    assert foreign <= _below(room)


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_a_rooms_sql_calls_its_own_functions_and_those_of_rooms_below(file: Path) -> None:
    room = file.parts[-3]
    called = {_owner(function) for function in functions_called(file.read_text())} - {room}
    assert called <= _below(room)


def test_the_close_names_tables_of_rooms_below_only() -> None:
    assert {TABLES[table] for table in tables_used(CLOSE.read_text())} - {"settlement"} <= _below("settlement")


def test_every_function_is_defined_in_the_room_that_its_name_says_and_once() -> None:
    defined = [
        (name, file.parts[-3])
        for file in FILES
        for name in re.findall(r"CREATE FUNCTION fn\.([a-z_]+)", file.read_text())
    ]
    assert len({name for name, _ in defined}) == len(defined)
    assert [(name, room) for name, room in defined if not name.startswith(room + "_")] == []
    called = set().union(*(functions_called(file.read_text()) for file in FILES))
    assert called - {name for name, _ in defined} == set()


@pytest.mark.parametrize(
    ("sql", "used"),
    [
        ("SELECT 1 FROM ledger_purses p", {"ledger_purses"}),
        ("UPDATE instances_instance SET name = 'FROM ledger_purses'", {"instances_instance"}),
        ("-- FROM ledger_purses\nDELETE FROM worker_operation", {"worker_operation"}),
        ("SELECT 1 FROM metering_segment s, metering_horizon h", {"metering_segment", "metering_horizon"}),
        ("DECLARE purses ledger_purses; BEGIN PERFORM fn.ledger_lock(1)", set()),
    ],
)
def test_the_reader_of_sql_reads_it(sql: str, used: set[str]) -> None:
    assert tables_used(sql) == used
