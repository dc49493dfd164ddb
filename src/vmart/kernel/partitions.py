"""Tables partitioned by month or by day: the migration operation, the making of partitions ahead and the dropping of
those whose time is over.

Months and days are those of UTC, of the partition column. A default partition takes what lies outside; making a part
that the default already has rows of moves them.
"""

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.migrations.operations import CreateModel


@dataclass(frozen=True, slots=True)
class Parts:
    """How a table is split. ``kept_days``: a part that has ended so long ago is dropped; None keeps all.

    ``kept_days`` holds for what nobody is charged by.
    """

    column: str
    by_day: bool = False
    kept_days: int | None = None

    def starts(self, now: dt.datetime) -> list[dt.datetime]:
        """Of the part of ``now`` and of PARTS_AHEAD more, with the end of the last."""
        now = now.astimezone(dt.UTC)
        if self.by_day:
            day = now.replace(hour=0, minute=0, second=0, microsecond=0)
            return [day + dt.timedelta(days=ahead) for ahead in range(PARTS_AHEAD + 2)]
        index = now.year * 12 + now.month - 1
        months = range(index, index + PARTS_AHEAD + 2)
        return [dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=dt.UTC) for month in months]

    def name(self, table: str, start: dt.datetime) -> str:
        return f"{table}_{start:%Y_%m_%d}" if self.by_day else f"{table}_{start:%Y_%m}"


# Values of machines: of a minute for the pages of an hour and of six and for whoever fetches a day of them, the day
# that is running kept beside a whole one; of five minutes and of an hour for 30 days and the day that is running. A
# month of hours is dropped when all of it is as old.
PARTITIONED = {
    "ledger_entry": Parts("at"),
    "events_event": Parts("at"),
    "metering_sample": Parts("at"),
    "bills_charge": Parts("hour"),
    "monitoring_minute": Parts("at", by_day=True, kept_days=1),
    "monitoring_five": Parts("at", by_day=True, kept_days=30),
    "monitoring_hour": Parts("at", kept_days=30),
}
PARTS_AHEAD = 2
_COLUMNS = """
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
_ENDED = """
SELECT c.relname, substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \\(''(.*)''\\)')::timestamptz AS ended_at
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' ORDER BY c.relname
"""


class CreatePartitioned(CreateModel):
    """``CreateModel`` whose table is PARTITION BY RANGE (its column), with a default partition."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = to_state.apps.get_model(app_label, self.name)._meta.db_table
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({PARTITIONED[table].column})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain
        schema_editor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def ensure_partitions(now: dt.datetime) -> list[str]:
    """Make the partitions of the month or day of ``now`` and of PARTS_AHEAD more; the names of the new ones.

    Called by ``vmart up``, by an hourly chore and before the test clock moves on. Safe to call in
    parallel: an advisory lock makes it one at a time.
    """
    made = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relispartition")
        there = {row[0] for row in cursor.fetchall()}
    for table, parts in PARTITIONED.items():
        for start, end in itertools.pairwise(parts.starts(now)):
            name = parts.name(table, start)
            if name not in there:
                _make(table, parts.column, name, start, end)
                made.append(name)
    return made


def drop_old(now: dt.datetime) -> list[str]:
    """Drop the partitions whose time is over; their names. What the default has of that time is deleted."""
    dropped: list[str] = []
    for table, parts in PARTITIONED.items():
        if parts.kept_days is not None:
            dropped += _drop(table, parts, now - dt.timedelta(days=parts.kept_days))
    return dropped


def _drop(table: str, parts: Parts, before: dt.datetime) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, [table])
        for name, ended_at in cursor.fetchall():
            if ended_at <= before:
                cursor.execute(f"DROP TABLE IF EXISTS {name}")
                yield name
        cursor.execute(f"DELETE FROM {table}_default WHERE {parts.column} < %s", [before])  # noqa: S608


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
