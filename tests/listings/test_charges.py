"""What a machine has taken is the sum of its charges, found without reading those of the account's other machines."""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from tests.settlement.hours import World, worlds
from tests.settlement.stored import store
from tests.support.business_clock import BusinessClock
from vmart.catalog import shop
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import from_minor, half_up
from vmart.listings import charges
from vmart.settlement import close

MACHINE, NEIGHBOURS = 1, 30


def _closing(test_clock: BusinessClock, world: World) -> Iterator[dt.datetime]:
    """Close the world's hours, one after the other; each once it is closed."""
    store(world)
    for hour in world.hours:
        test_clock.set(hour + HOUR)
        close.close(hour)
        yield hour


@pytest.mark.usefixtures("db")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(worlds())
def test_it_is_the_sum_of_the_charges(test_clock: BusinessClock, world: World) -> None:
    """On random usage at every edge of a month, also while the last hours are open, and over months before."""
    for _ in _closing(test_clock, world):
        for account in world.accounts:
            for machine in account.machines:
                if "traffic" not in machine.before:  # an older charge for traffic comes with its sample
                    found = charges.of_machine_minor(account.id, machine.id, world.start - dt.timedelta(hours=50))
                    before, deducted = _by_reading_all(world, machine.id)
                    assert found == before + deducted


@pytest.mark.usefixtures("db")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(worlds())
def test_the_days_of_a_month_are_those_of_the_billing_zone(test_clock: BusinessClock, world: World) -> None:
    """At every edge of a month and of the clocks' changes, each charge is in one day and month of its zone."""
    for _ in _closing(test_clock, world):
        pass
    local = world.start.astimezone(world.zone).date()
    for account in world.accounts:
        by_day: dict[dt.date, int] = {}
        for row in db.rows("SELECT hour, deducted_minor FROM bills_charge WHERE account_id = %s", account.id):
            day = row["hour"].astimezone(world.zone).date()
            by_day[day] = by_day.get(day, 0) + row["deducted_minor"]
        for first in {(local + dt.timedelta(days=n)).replace(day=1) for n in (-31, 0, 1)}:
            days = {day: total for day, total in by_day.items() if day.replace(day=1) == first}
            told = charges.days_of_month(account.id, first, world.zone)
            assert [(total.day, total.deducted_minor) for total in told] == sorted(days.items(), reverse=True)


def _by_reading_all(world: World, machine: int) -> tuple[int, int]:
    """What the totals from before the window come to, a month and component each, and what was deducted in it."""
    last: dict[tuple[dt.datetime, str], Decimal] = {}
    deducted = 0
    for row in db.rows("SELECT * FROM bills_charge WHERE instance_id = %s ORDER BY hour", machine):
        if row["hour"] < world.start:
            last[clock.month_start(row["hour"], world.zone), row["component"]] = from_minor(row["month_exact_e8"], 8)
        deducted += row["deducted_minor"]
    return sum(int(half_up(total, world.places).scaleb(world.places)) for total in last.values()), deducted


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("ended_days_ago", [0, 20])
def test_it_reads_a_few_rows_of_an_account_with_many_charges(test_clock: BusinessClock, ended_days_ago: int) -> None:
    """Given thirty machines and sixty days, then a few pages are read, also of a machine that was off for long."""
    hours, now = 60 * 24, test_clock.at
    until = now - dt.timedelta(days=ended_days_ago)
    db.rows(
        "INSERT INTO bills_charge (account_id, instance_id, component, hour, revision, duration_s, out_bytes, exact_e8,"
        " month_exact_e8, deducted_minor) SELECT 1, machine, 'cpu', %(now)s - n * interval '1 hour', 0, 3600, 0, 10^6,"
        " 10^6, 1 FROM generate_series(1, %(machines)s) AS machine, generate_series(1, %(hours)s) AS n"
        " WHERE machine > 1 OR %(now)s - n * interval '1 hour' < %(until)s RETURNING 1",
        now=now, machines=NEIGHBOURS, hours=hours, until=until,
    )  # fmt: skip
    db.rows(
        "INSERT INTO metering_segment (account_id, instance_id, component, price_key, quantity, age_s, started_at,"
        " ended_at) VALUES (1, 1, 'cpu', 'x', 1, 0, %s, %s) RETURNING 1",
        now - hours * HOUR, until if ended_days_ago else None,
    )  # fmt: skip
    db.rows("INSERT INTO metering_horizon VALUES (true, %s) RETURNING 1", now)
    _execute("ANALYZE bills_charge, metering_segment")
    shop.snapshot()
    asked: list[tuple[str, Any]] = []

    def note(execute: Callable[..., object], sql: str, params: Any, *rest: object) -> object:
        asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        assert charges.of_machine_minor(1, MACHINE, now - hours * HOUR) == (
            2 if ended_days_ago else 3
        )  # months, 0.01 each
    ((sql, params),) = asked
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, params)
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("SELECT sum(relpages) FROM pg_class WHERE relname ~ '^bills_charge.*pkey$'")
        (whole,) = cursor.fetchone()
    read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert whole > 200
    assert read < 60, plan


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_machine_that_never_ran_has_taken_nothing() -> None:
    assert charges.of_machine_minor(1, 1, None) == 0
