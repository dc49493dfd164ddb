"""What a piece of code has the database read."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import psycopg
from django.db import connection

MANY = 2_000  # rows that one scan passes over


def read_whole(look: Callable[[], object]) -> list[tuple[str, int]]:
    """Tables that a statement of the look reads from end to end, with the rows it passes over there."""
    asked: list[tuple[str, Any]] = []
    execute = psycopg.Cursor.execute

    def noting(cursor: Any, query: Any, parameters: Any = None, **named: Any) -> Any:
        asked.append((str(query), parameters))
        return execute(cursor, query, parameters, **named)

    with mock.patch.object(psycopg.Cursor, "execute", noting):
        look()
    assert asked
    found: list[tuple[str, int]] = []

    def walk(node: dict[str, Any]) -> None:
        passed = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        if node["Node Type"] in ("Seq Scan", "Index Only Scan", "Index Scan") and passed > MANY:
            found.append((node.get("Relation Name", ""), int(passed)))
        for child in node.get("Plans", ()):
            walk(child)

    for query, parameters in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", parameters)
            ((plan,),) = cursor.fetchone()
        walk(plan["Plan"])
    return found
