"""Indexes that a migration builds beside what works on."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently


class AddIndex(AddIndexConcurrently):
    """Build an index CONCURRENTLY, in a migration with ``atomic = False``; begun again it takes away what is there.

    Such a migration is no transaction: a build that fails, or is killed, leaves an index that is not valid and no
    note that it was made. Without the first step every later start would fail on it.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        with _without_limits(schema_editor):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)


@contextmanager
def _without_limits(schema_editor: Any) -> Iterator[None]:
    """A build waits for each transaction that is older, a backup among them, and holds up nobody meanwhile."""
    if schema_editor.collect_sql:  # ``sqlmigrate``
        yield
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        limits = cursor.fetchone()
        _set_limits(cursor, ("0", "0"))
        try:
            yield
        finally:
            _set_limits(cursor, limits)


def _set_limits(cursor: Any, limits: tuple[str, str]) -> None:
    cursor.execute("SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', %s, false)", limits)
