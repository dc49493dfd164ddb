"""Given tables that are split by month, when months are made, then rows are where they belong and none is lost."""

import datetime as dt
from typing import Any

import psycopg
import pytest
from django.db import connection

from tests.support.at_once import at_once, wait_until_blocked
from tests.support.database import Databases
from vmart.kernel import db as database
from vmart.kernel.clock import UTC
from vmart.kernel.partitions import PARTITIONED, PARTS_AHEAD, drop_old, ensure_partitions

pytestmark = pytest.mark.usefixtures("db")

JUNE, JULY, AUGUST, SEPTEMBER = (dt.datetime(2031, month, 1, tzinfo=UTC) for month in (6, 7, 8, 9))
A_SECOND = dt.timedelta(seconds=1)
INSERTS = {
    "metering_sample": "(at, subscription_id, account_id, price_key, out_bytes) VALUES (%s, 1, 2, 'k', 3)",
    "events_event": "(at, account_id, subject_kind, subject_id, kind, detail, actor)"
    " VALUES (%s, 2, 'machine', 1, 'k', '{}', '{}')",
    "ledger_entry": "(at, transfer_id, book, account_id, amount_minor) VALUES (%s, gen_random_uuid(), 'revenue', 2, 3)",
}


def _insert(table: str, *instants: dt.datetime) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} {INSERTS[table]}", [[instant] for instant in instants])


def _where(table: str) -> dict[dt.datetime, str]:
    rows = database.rows(f"SELECT at, tableoid::regclass::text AS part FROM {table} ORDER BY at")
    return {row["at"]: row["part"] for row in rows}


def _content(table: str) -> list[dict[str, Any]]:
    return database.rows(f"SELECT t.* FROM {table} t ORDER BY at")


def test_the_month_and_those_ahead_are_made_once() -> None:
    made = ensure_partitions(dt.datetime(2031, 12, 31, 23, 59, tzinfo=UTC))
    assert PARTS_AHEAD == 2
    days, months = ("2031_12_31", "2032_01_01", "2032_01_02"), ("2031_12", "2032_01", "2032_02")
    assert sorted(made) == sorted(
        f"{table}_{part}" for table, parts in PARTITIONED.items() for part in (days if parts.by_day else months)
    )
    assert ensure_partitions(dt.datetime(2031, 12, 31, tzinfo=UTC)) == []


def test_months_are_utc_months() -> None:
    shanghai = dt.timezone(dt.timedelta(hours=8))
    ensure_partitions(dt.datetime(2031, 6, 1, 7, 59, 59, tzinfo=shanghai))  # 31 May, 23:59:59 UTC
    _insert("metering_sample", JUNE - A_SECOND, JUNE)
    assert list(_where("metering_sample").values()) == ["metering_sample_2031_05", "metering_sample_2031_06"]


@pytest.mark.parametrize("table", INSERTS)
def test_rows_that_came_before_their_month_are_moved_into_it(table: str) -> None:
    """Also those of its first instant and of its last; those of other months stay where they are."""
    instants = [JUNE - A_SECOND, JUNE, JULY - A_SECOND, JULY, SEPTEMBER - A_SECOND, SEPTEMBER]
    _insert(table, *instants)
    before = _content(table)
    assert set(_where(table).values()) == {f"{table}_default"}
    ensure_partitions(JUNE)  # and July, August
    assert list(_where(table).values()) == [
        f"{table}_{part}" for part in ("default", "2031_06", "2031_06", "2031_07", "2031_08", "default")
    ]
    assert _content(table) == before
    _insert(table, JUNE + A_SECOND)
    assert _where(table)[JUNE + A_SECOND] == f"{table}_2031_06"


def test_a_partition_refuses_what_the_table_refuses() -> None:
    ensure_partitions(JUNE)
    entry = "INSERT INTO ledger_entry VALUES (%s, %s, 'cash', 2, 3, NULL)"  # a purse's entry carries its balance
    with pytest.raises(Exception, match="ledger_entry"):
        database.rows(entry, "00000000-0000-8000-8000-000000000001", JUNE)
    _insert("metering_sample", JUNE)
    with pytest.raises(Exception, match="metering_sample_2031_06_pkey"):
        database.rows("INSERT INTO metering_sample SELECT * FROM metering_sample")


def test_processes_that_make_the_same_months_do_it_once() -> None:
    _insert("metering_sample", JUNE, JULY)
    results = at_once(*[lambda: ensure_partitions(JUNE)] * 4)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert list(_where("metering_sample").values()) == ["metering_sample_2031_06", "metering_sample_2031_07"]


def test_a_row_that_is_being_written_meanwhile_is_not_lost(db: Databases) -> None:
    """Given a writer that has not committed, then the month waits for it and moves its row too."""
    with psycopg.connect(db.url()) as writer:
        writer.execute(f"INSERT INTO metering_sample {INSERTS['metering_sample']}", [JUNE])
        made = at_once(lambda: ensure_partitions(JUNE), lambda: _commit_when_waited_for(writer))
    assert not isinstance(made[0], Exception), made[0]
    assert _where("metering_sample") == {JUNE: "metering_sample_2031_06"}


def _commit_when_waited_for(writer: psycopg.Connection) -> None:
    wait_until_blocked()
    writer.commit()


def test_what_is_kept_for_some_time_only_goes_with_its_partition_when_that_is_over() -> None:
    """Minutes: the day that is running and the one before. What the default took goes at the same age."""
    start = dt.datetime(2031, 6, 1, tzinfo=UTC)
    ensure_partitions(start)
    insert = "INSERT INTO monitoring_minute (instance_id, at) VALUES (1, %s)"
    early, late = start - dt.timedelta(days=3), start + dt.timedelta(hours=23)
    for at in (early, late):
        with connection.cursor() as cursor:
            cursor.execute(insert, [at])
    assert drop_old(start + dt.timedelta(days=2) - A_SECOND) == []
    assert database.rows("SELECT at FROM monitoring_minute") == [{"at": late}]
    ensure_partitions(start + dt.timedelta(days=2))
    assert drop_old(start + dt.timedelta(days=2)) == ["monitoring_minute_2031_06_01"]
    assert database.rows("SELECT at FROM monitoring_minute") == []
    kept = database.rows("SELECT relname FROM pg_class WHERE relname ~ '^monitoring_minute_2031' AND relkind = 'r'")
    assert {row["relname"] for row in kept} == {f"monitoring_minute_2031_06_0{day}" for day in (2, 3, 4, 5)}


def test_nothing_that_money_refers_to_is_dropped() -> None:
    ensure_partitions(JUNE)
    _insert("metering_sample", JUNE)
    dropped = drop_old(dt.datetime(2041, 1, 1, tzinfo=UTC))
    assert dropped and all(name.startswith("monitoring_") for name in dropped)
    assert len(_content("metering_sample")) == 1
