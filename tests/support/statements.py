"""What a piece of code asks the database: every statement, the ORM's and ours."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import psycopg


@contextmanager
def statements() -> Iterator[list[str]]:
    """All statements that this thread sends to the database inside the block, the ORM's and ours."""
    made: list[str] = []
    here = threading.get_ident()
    execute = psycopg.Cursor.execute

    def noting(cursor: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        if threading.get_ident() == here and query != "SELECT nextval(%s)":  # ids are taken in blocks
            made.append(str(query))
        return execute(cursor, query, *arguments, **named)

    with mock.patch.object(psycopg.Cursor, "execute", noting):
        yield made
