"""SQL and templates go downward as imports do.

A room's ``sql/*.sql`` names its own tables and calls functions of rooms below. SQL inside Python may also read tables
of rooms below. A template loads, includes and extends what is its own room's or of a room below.

The import linter sees none of it. The order of rooms is the linter's own, out of pyproject.toml. A room below may
hand out one of its rows: its table's name may then stand as a type, after a variable's name, and nowhere else.
"""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ROOT / "src" / "vmart"
FILES = sorted(ROOMS.glob("*/sql/*.sql"))
CLOSE = ROOMS / "settlement" / "sql" / "functions.sql"  # ADR 0004
SOURCES = sorted(ROOMS.glob("*/**/*.py"))
TEMPLATES = {
    str(file.relative_to(folder)): file
    for folder in sorted(ROOMS.glob("*/templates"))
    for file in sorted(folder.glob("**/*"))
    if file.is_file()
}
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


def _room(file: Path) -> str:
    return file.relative_to(ROOMS).parts[0]


def _texts(source: str) -> list[str]:
    """The strings of a Python source, each as its parser puts the pieces together, without docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and node.body
                  and isinstance(node.body[0], ast.Expr)}  # fmt: skip
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    pieces = {id(piece) for node in formatted for piece in node.values}
    whole = [" ".join(str(piece.value) for piece in node.values if isinstance(piece, ast.Constant))
             for node in formatted]  # fmt: skip
    return whole + [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | pieces
    ]


DEFINED = {name for file in FILES for name in re.findall(r"CREATE FUNCTION fn\.([a-z_0-9]+)", file.read_text())}


def rooms_of_sql(source: str) -> set[str]:
    """The rooms whose tables a Python source reads or writes in SQL, and whose functions it calls by name."""
    found = set()
    for text in _texts(source):
        found |= {TABLES[table] for table in tables_used(text)}
        found |= {_owner(function) for function in functions_called(text) | ({text} & DEFINED)}
    return found


def rooms_of_template(text: str) -> set[str]:
    """The rooms whose tags and templates a template uses; "?" for what is nobody's or chosen at run time."""
    bare = re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}", "", text, flags=re.DOTALL)
    loaded = [name for names in re.findall(r"\{%\s*load\s+([^%]*?)\s*%\}", bare) for name in _libraries(names)]
    named = re.findall(r"\{%\s*(?:include|extends)\s+(\S+)", bare)
    rooms = {_room(TEMPLATES[name[1:-1]]) if name[1:-1] in TEMPLATES else "?" for name in named}
    for library in set(loaded) - DJANGOS:
        files = list(ROOMS.glob(f"*/templatetags/{library}.py"))
        rooms |= {_room(file) for file in files} or {"?"}
    return rooms


DJANGOS = {"i18n", "static", "l10n", "tz", "cache", "humanize"}


def _libraries(names: str) -> list[str]:
    """``{% load a b %}`` loads two; ``{% load tag from a %}`` one."""
    words = names.split()
    return words[-1:] if "from" in words else words


def _allowed(file: Path) -> set[str]:
    room = _room(file)
    return {room} | _below(room)


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_sql_in_a_rooms_python_is_of_its_own_room_and_of_rooms_below(file: Path) -> None:
    assert rooms_of_sql(file.read_text()) - _allowed(file) == set()


@pytest.mark.parametrize("file", TEMPLATES.values(), ids=_name)
def test_a_rooms_template_uses_tags_and_templates_of_its_own_room_and_of_rooms_below(file: Path) -> None:
    assert rooms_of_template(file.read_text()) - _allowed(file) == set()


@pytest.mark.parametrize("file", SOURCES, ids=_name)
def test_a_rooms_python_names_templates_of_its_own_room_and_of_rooms_below(file: Path) -> None:
    named = {_room(TEMPLATES[text]) for text in _texts(file.read_text()) if text in TEMPLATES}
    assert named - _allowed(file) == set()


@pytest.mark.parametrize(
    ("source", "rooms"),
    [
        ('db.rows("SELECT 1 FROM ledger_purses p" " JOIN worker_operation o ON true")', {"ledger", "worker"}),
        ('db.call("metering_start", 1)', {"metering"}),
        ('SQL = f"SELECT fn.ledger_lock({x}) FROM {table}"', {"ledger"}),
        ('def f():\n    """SELECT 1 FROM ledger_purses"""\n', set()),
        ('db_table = "ledger_purses"', set()),
    ],
)
def test_the_reader_of_python_reads_its_sql(source: str, rooms: set[str]) -> None:
    assert rooms_of_sql(source) == rooms


@pytest.mark.parametrize(
    ("template", "rooms"),
    [
        ('{% extends "pages/frame.html" %}{% load i18n buy shop %}', {"pages", "web"}),
        ("{% load money from shop %}{% load static %}", {"pages"}),
        ('{% include "backoffice/today.html" with page=1 %}{% load i18n %}', {"backoffice"}),
        ('{% include chosen %}{# {% include "pages/frame.html" %} #}', {"?"}),
        ("{% load nobodys %}", {"?"}),
    ],
)
def test_the_reader_of_templates_reads_them(template: str, rooms: set[str]) -> None:
    assert rooms_of_template(template) == rooms


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
