"""Tables partitioned by month: the migration operation and the making of partitions ahead.

Months are UTC months of the partition column. A default partition takes what lies outside; making a
month that the default already has rows of moves them.
"""

import datetime as dt
import itertools
from typing import Any

from django.db import connection
from django.db.migrations.operations import CreateModel

PARTITIONED = {
    "ledger_entry": "at",
    "events_event": "at",
    "metering_sample": "at",
    "bills_charge": "hour",
}
MONTHS_AHEAD = 2
_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""


class CreatePartitioned(CreateModel):
    """``CreateModel`` whose table is PARTITION BY RANGE (month column), with a default partition."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({PARTITIONED[table]})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _months(first: dt.datetime, ahead: int) -> list[dt.datetime]:
    index = first.year * 12 + first.month - 1
    return [dt.datetime((index + i) // 12, (index + i) % 12 + 1, 1, tzinfo=dt.UTC) for i in range(ahead + 2)]


def ensure_partitions(now: dt.datetime) -> list[str]:
    """Make the partitions of the month of ``now`` and of MONTHS_AHEAD more; the names of the new ones.

    Called by ``vmart up``, by a daily timer and before the test clock moves on. Safe to call in
    parallel: an advisory lock makes it one at a time.
    """
    made = []
    months = _months(now.astimezone(dt.UTC), MONTHS_AHEAD)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relispartition")
        there = {row[0] for row in cursor.fetchall()}
    for table, column in PARTITIONED.items():
        for start, end in itertools.pairwise(months):
            name = f"{table}_{start:%Y_%m}"
            if name not in there:
                _make(table, column, name, start, end)
                made.append(name)
    return made


def _make(table: str, column: str, name: str, start: dt.datetime, end: dt.datetime) -> None:
    """One statement block, one transaction: rows that the default partition took are moved."""
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [table])
        (columns,) = cursor.fetchone()  # one added by an upgrade stands elsewhere in a table than in its default
        cursor.execute(
            f"""
            DO $$ BEGIN
              PERFORM pg_advisory_xact_lock(hashtext('vmart partitions'));
              IF to_regclass('{name}') IS NULL THEN
                CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
                LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE;
                WITH moved AS (DELETE FROM {table}_default
                               WHERE {column} >= '{start.isoformat()}' AND {column} < '{end.isoformat()}'
                               RETURNING {columns})
                INSERT INTO {name} ({columns}) SELECT {columns} FROM moved;
                ALTER TABLE {table} ATTACH PARTITION {name}
                  FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}');
              END IF;
            END $$
            """  # noqa: S608  names and instants of our own making
        )
