"""What a machine has taken is the sum of its charges, found without reading those of the account's other machines."""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings

from tests.settlement.hours import World, deductions, worlds
from tests.settlement.stored import store
from tests.support.business_clock import BusinessClock
from vmart.catalog import shop
from vmart.kernel import db
from vmart.kernel.clock import HOUR
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
                found = charges.of_machine(account.id, machine.id, world.start - dt.timedelta(hours=50))
                assert found == _all(machine.id)


def _all(machine: int) -> Decimal:
    rows = db.rows("SELECT exact_e8 FROM bills_charge WHERE subscription_id = %s", machine)
    return sum((Decimal(row["exact_e8"]) for row in rows), Decimal(0)).scaleb(-8)


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
        for hour, minor in deductions(world, account).items():
            day = hour.astimezone(world.zone).date()
            by_day[day] = by_day.get(day, 0) + minor
        for first in {(local + dt.timedelta(days=n)).replace(day=1) for n in (-31, 0, 1)}:
            days = {day: total for day, total in by_day.items() if day.replace(day=1) == first}
            told = charges.days_of_month(account.id, first, world.zone)
            assert [(total.day, total.deducted_minor) for total in told] == sorted(days.items(), reverse=True)


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("ended_days_ago", [0, 20])
def test_it_reads_its_own_rows_of_an_account_with_many_charges(test_clock: BusinessClock, ended_days_ago: int) -> None:
    """Given thirty machines and sixty days, then its own charges are read and nobody else's."""
    hours, now = 60 * 24, test_clock.at
    until = now - dt.timedelta(days=ended_days_ago)
    db.rows(
        "INSERT INTO bills_charge (account_id, subscription_id, component, hour, revision, duration_s, out_bytes,"
        " exact_e8, closed_in, statement_month) SELECT 1, machine, 'cpu', %(now)s - n * interval '1 hour', 0, 3600, 0,"
        " 10^6, %(now)s - n * interval '1 hour', '2026-03-01'"
        " FROM generate_series(1, %(machines)s) AS machine, generate_series(1, %(hours)s) AS n"
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
        used = hours - ended_days_ago * 24
        assert charges.of_machine(1, MACHINE, now - hours * HOUR) == used * Decimal("0.01")
    ((sql, params),) = asked
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql, params)
        plan = cursor.fetchone()[0][0]["Plan"]
    read = [node for node in _nodes(plan) if node.get("Relation Name", "").startswith("bills_charge")]
    rows = sum(node["Actual Rows"] * node["Actual Loops"] for node in read)
    assert abs(rows - used) <= hours * 0.005  # the plan says the mean a loop, to two decimals
    assert [node["Rows Removed by Filter"] for node in read if node.get("Rows Removed by Filter")] == []


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", []):
        yield from _nodes(part)


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def test_a_machine_that_never_ran_has_taken_nothing() -> None:
    assert charges.of_machine(1, 1, None) == 0
