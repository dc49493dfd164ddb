"""What bin/lint says of SQL and of migrations that an upgrade would stumble over, and what it lets pass."""

from typing import Any

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader

from tests.support import sql_check
from tests.support.migrations_check import breaking

NAME = models.TextField()
LOOKUP = models.Index(fields=["name"], name="orders_by_name")


def test_the_sql_of_the_shop_names_its_columns() -> None:
    assert sql_check.faults() == []


@pytest.mark.parametrize(
    ("sql", "faults"),
    [
        ("INSERT INTO t (a, b) VALUES (1, 2)", []),
        ("INSERT INTO t AS x (a) SELECT a FROM s", []),
        ("-- INSERT INTO t VALUES (1)", []),
        ("INSERT INTO t VALUES (1)", ["INSERT INTO t names no columns"]),
        ("insert into public.t\n  select 1", ["INSERT INTO public.t names no columns"]),
        ("INSERT INTO {x} AS x VALUES (1)", ["INSERT INTO {x} names no columns"]),
        ("INSERT INTO t WITH a AS (SELECT 1) SELECT 2", ["INSERT INTO t names no columns"]),
        ("INSERT INTO t (a) SELECT s.* FROM s", ["INSERT INTO t takes SELECT *: name its columns"]),
        ("SELECT * FROM t", []),
    ],
)
def test_what_is_inserted_is_named(sql: str, faults: list[str]) -> None:
    assert sql_check.faults_of_sql(sql) == faults


@pytest.mark.parametrize(
    ("sql", "faults"),
    [
        ("SELECT a FROM t", []),
        ("SELECT count(*) FROM t", []),
        ("SELECT t.* FROM t", ["SELECT * FROM t: name the columns that are read"]),
        (
            "WITH x AS (SELECT DISTINCT *\nFROM fn.f(1)) SELECT 1",
            ["SELECT * FROM fn.f: name the columns that are read"],
        ),
    ],
)
def test_what_python_reads_is_named(sql: str, faults: list[str]) -> None:
    assert sql_check.faults_of_sql(sql, read_by_python=True) == faults


def test_the_strings_of_python_are_read_whole() -> None:
    source = 'a = "INSERT INTO t"\n" VALUES"\nb = f"INSERT INTO {t} "f"VALUES ({x})"\nc = "INSERT INTO u " "VALUES (1)"'
    assert [fault for text in sql_check.strings_of(source) for fault in sql_check.faults_of_sql(text)] == [
        "INSERT INTO {x} names no columns",
        "INSERT INTO u names no columns",
    ]


def _second(*changes: operations.base.Operation, atomic: bool = True) -> tuple[MigrationLoader, list[tuple[str, str]]]:
    """As if the room of orders had a second migration."""
    loader, key = MigrationLoader(None), ("orders", "0002_second")
    migration = Migration(key[1], key[0])
    migration.operations, migration.atomic = list(changes), atomic
    loader.graph.add_node(key, migration)
    loader.graph.add_dependency(migration, key, ("orders", "0001_first"))
    return loader, [key]


def _new(field: "models.Field[Any, Any]") -> operations.AddField:
    return operations.AddField("order", "name", field)


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ([_new(models.BigIntegerField(null=True))], []),
        ([_new(models.CharField(max_length=9, db_default="x"))], []),
        ([_new(models.CharField(max_length=9, default="x"))], ["ban-drop-default"]),
        ([operations.RemoveField("order", "reason")], ["ban-drop-column"]),
        ([operations.RenameField("order", "reason", "why")], ["renaming-column"]),
        ([operations.AlterField("order", "paid_at", models.DateTimeField())], ["adding-not-nullable-field"]),
        ([operations.AlterField("order", "count", models.BigIntegerField())], ["changing-column-type"]),
        ([operations.RenameModel("order", "deal"), operations.AlterModelTable("deal", "deal")], ["renaming-table"]),
        ([operations.DeleteModel("idempotency")], ["ban-drop-table"]),
        (
            [_new(models.CharField(max_length=9, null=True)), operations.AddIndex("order", LOOKUP)],
            ["require-concurrent-index-creation"],
        ),
        (
            [operations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True)), ("name", NAME)]),
             operations.AddIndex("note", models.Index(fields=["name"], name="note_by_name"))],
            [],
        ),
        ([operations.RunSQL("UPDATE orders_order SET reason = 'a %'")], []),
    ],
)  # fmt: skip
def test_a_migration_leaves_the_version_before_what_it_uses(
    changes: list[operations.base.Operation], rules: list[str]
) -> None:
    assert [said.split(": ")[:2] for said in breaking(*_second(*changes), {})] == [
        ["orders.0002_second", rule] for rule in rules
    ]


def test_an_index_is_made_while_the_shop_sells() -> None:
    loader, keys = _second(AddIndexConcurrently("order", models.Index(fields=["reason"], name="r")), atomic=False)
    assert breaking(loader, keys, {}) == []
    loader, keys = _second(operations.AddIndex("order", models.Index(fields=["reason"], name="r")), atomic=False)
    assert [said.split(": ")[1] for said in breaking(loader, keys, {})] == ["require-concurrent-index-creation"]


def test_what_nobody_uses_any_more_goes_by_an_excuse_and_no_excuse_is_left_over() -> None:
    excuse = {"orders.0002_second": {"ban-drop-column": "0.2 does not read it"}}
    loader, keys = _second(operations.RemoveField("order", "reason"))
    assert breaking(loader, keys, excuse) == []
    loader, keys = _second(_new(models.BigIntegerField(null=True)))
    assert breaking(loader, keys, excuse) == ["orders.0002_second: nothing breaks ban-drop-column: drop the excuse"]
