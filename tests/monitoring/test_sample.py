"""Given an engine that counts, when it is asked minute by minute, then values are exact, and gaps stay gaps."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.monitoring.walking import MINUTE, walk
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, ZONE, buy_running
from vmart.engines.contract import EngineError, Usage
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.monitoring import roll_up, sample, series
from vmart.monitoring.metrics import COLUMNS, FIVE_S, HOUR_S, MINUTE_S
from vmart.monitoring.models import Minute, Reading
from vmart.provisioning.zone_engines import engine_of

MIB = 1 << 20


def _rows(machine: Instance, seconds: int = MINUTE_S) -> list[dict[str, Any]]:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return series.of_machine(machine.id, seconds, start, start + dt.timedelta(days=365))


def test_values_are_what_was_used_between_two_readings(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    world.use(
        machine.public_id, cpu_percent=25, memory_percent=50, disk_percent=10, disk_read_bytes=MIB,
        disk_written_bytes=2 * MIB, disk_reads=3, disk_writes=4, received_bytes=5000, sent_bytes=6000,
        received_packets=7, sent_packets=8,
    )  # fmt: skip
    began = test_clock.at
    walk(test_clock, 2)
    first, second = _rows(machine)
    memory = {"memory_percent": 50.0, "memory_mib": 2048.0, "disk_percent": 10.0, "disk_mib": 5120.0}
    assert first == dict.fromkeys(COLUMNS) | {"at": began} | memory  # of one reading no rate is known
    assert second == memory | {
        "at": began + MINUTE, "cpu_percent": 25.0, "disk_read_bytes": float(MIB), "disk_written_bytes": 2.0 * MIB,
        "disk_reads": 3.0, "disk_writes": 4.0, "received_bytes": 5000.0, "sent_bytes": 6000.0,
        "received_packets": 7.0, "sent_packets": 8.0, "public_sent_bytes": 0.0,
    }  # fmt: skip


def test_a_minute_is_kept_once(machine: Instance, test_clock: BusinessClock) -> None:
    assert [sample.zone(ZONE) for _ in range(3)] == [1, 0, 0]
    test_clock.advance(seconds=59)
    assert sample.zone(ZONE) == 0
    test_clock.advance(seconds=1)
    assert sample.zone(ZONE) == 1


def test_a_restart_makes_no_negative_rate(machine: Instance, world: World, test_clock: BusinessClock) -> None:
    """Given a machine that is started anew between two readings, then what it used since then is spread over them."""
    world.use(machine.public_id, cpu_percent=60, sent_bytes=6000)
    walk(test_clock, 3)
    engine = engine_of(ZONE)
    test_clock.advance(seconds=-30)
    engine.ensure_power(machine.public_id, False)
    engine.ensure_power(machine.public_id, True)
    test_clock.advance(seconds=30)
    walk(test_clock, 2)
    assert [(row["cpu_percent"], row["sent_bytes"]) for row in _rows(machine)] == [
        (None, None), (60.0, 6000.0), (60.0, 6000.0), (30.0, 3000.0), (60.0, 6000.0),
    ]  # fmt: skip


def test_a_counter_that_goes_back_by_itself_is_a_gap(machine: Instance, test_clock: BusinessClock) -> None:
    at = test_clock.at
    for minute, (cpu_ns, sent) in enumerate([(60 * 10**9, 600), (120 * 10**9, 60), (180 * 10**9, 120)]):
        then = at + minute * MINUTE
        sample.keep(ZONE, then, [Usage(machine.public_id, "1", then, cpu_ns, sent_bytes=sent)])
    assert [(row["cpu_percent"], row["sent_bytes"], row["received_bytes"]) for row in _rows(machine)] == [
        (None, None, None), (50.0, None, None), (50.0, 1.0, None),
    ]  # fmt: skip


def test_more_than_all_of_its_time_is_all_of_it(machine: Instance, test_clock: BusinessClock) -> None:
    at = test_clock.at
    for minute, cpu_ns in enumerate([0, 121 * 10**9]):
        sample.keep(
            ZONE, at + minute * MINUTE, [Usage(machine.public_id, "1", at + minute * MINUTE, cpu_ns)]
        )  # 121 s of two vCPU
    assert [row["cpu_percent"] for row in _rows(machine)] == [None, 100.0]


@pytest.mark.parametrize(("away", "rate"), [(2, 40.0), (3, None)])
def test_a_gap_stays_a_gap(
    machine: Instance, world: World, test_clock: BusinessClock, away: int, rate: float | None
) -> None:
    """Given an engine that does not answer for some minutes, then these have no row; no rate is spread over more."""
    world.use(machine.public_id, cpu_percent=40)
    walk(test_clock, 2)
    world.stop_engine()
    with pytest.raises(EngineError):
        sample.zone(ZONE)
    world.start_engine()
    test_clock.advance(minutes=away - 1)
    walk(test_clock, 1)
    rows = _rows(machine)
    assert [row["cpu_percent"] for row in rows] == [None, 40.0, rate]
    assert rows[2]["at"] - rows[1]["at"] == away * MINUTE


def test_a_machine_that_is_off_has_no_row(machine: Instance, test_clock: BusinessClock) -> None:
    walk(test_clock, 1)
    engine_of(ZONE).ensure_power(machine.public_id, False)
    walk(test_clock, 2)
    assert len(_rows(machine)) == 1


def test_what_is_no_machine_of_the_zone_is_not_kept(machine: Instance, test_clock: BusinessClock) -> None:
    at = test_clock.at
    assert sample.keep(ZONE, at, [Usage("ins-unknown0", "1", at, 5)]) == 0
    assert sample.keep("ap-guangzhou-3", at, [Usage(machine.public_id, "1", at, 5)]) == 0
    Instance.objects.update(state="GONE", gone_at=at)
    assert sample.keep(ZONE, at, [Usage(machine.public_id, "1", at, 5)]) == 0
    assert not Minute.objects.exists() and not Reading.objects.exists()


def test_one_statement_keeps_all_machines(account: int, machine: Instance) -> None:
    buy_running(account, HOURLY)
    engine_of(ZONE)
    with CaptureQueriesContext(connection) as asked:
        assert sample.zone(ZONE) == 2
    assert len(asked) == 1  # which engine the zone has; the one statement goes beside the ORM


def test_five_minutes_and_hours_are_means_of_the_minutes_that_there_are(
    machine: Instance, world: World, test_clock: BusinessClock
) -> None:
    began = test_clock.at
    walk(test_clock, 1)
    for cpu_percent in (10, 20, 30, 40):
        world.use(machine.public_id, cpu_percent=cpu_percent)
        walk(test_clock, 1)
    assert _rows(machine, FIVE_S) == []  # a late answer may still come
    walk(test_clock, 56)
    (first, *others) = _rows(machine, FIVE_S)
    assert (first["at"], first["cpu_percent"]) == (began, (0 + 10 + 20 + 30) / 4)  # the first minute has no rate
    assert [row["at"] for row in others] == [began + n * 5 * MINUTE for n in range(1, 12)]
    assert [round(row["cpu_percent"], 4) for row in others] == [40.0] * 11
    (hour,) = _rows(machine, HOUR_S)
    assert (hour["at"], round(hour["cpu_percent"], 3)) == (began, round((0 + 10 + 20 + 30 + 55 * 40) / 59, 3))


def test_a_roll_up_is_done_once_and_catches_up(machine: Instance, test_clock: BusinessClock) -> None:
    for _ in range(17):  # nobody rolls up meanwhile
        sample.zone(ZONE)
        test_clock.advance(MINUTE)
    assert roll_up.until_now() == 3
    rows = _rows(machine, FIVE_S)
    assert (roll_up.until_now(), _rows(machine, FIVE_S)) == (0, rows)


def test_readings_of_machines_that_are_gone_are_taken_away(machine: Instance, test_clock: BusinessClock) -> None:
    walk(test_clock, 1)
    Instance.objects.update(state="GONE", gone_at=test_clock.at)
    test_clock.advance(hours=1)
    roll_up.until_now()
    assert not Reading.objects.exists()


def test_a_summary_is_of_the_values_that_there_are() -> None:
    found = series.summary([float(value) for value in range(1, 101)])
    assert found == series.Summary(1.0, 50.5, 100.0, 95.0)
    assert series.summary([7.0]) == series.Summary(7.0, 7.0, 7.0, 7.0)
    assert series.summary([]) is None


def test_the_statement_of_a_sample_is_the_same_for_all(machine: Instance, test_clock: BusinessClock) -> None:
    """What is told of another zone's machine with the same name in one answer counts once."""
    at = test_clock.at
    told = [Usage(machine.public_id, "1", at, 5), Usage("ins-unknown0", "1", at, 5)]
    assert sample.keep(ZONE, at, told) == 1
    assert db.rows("SELECT count(*) AS n FROM monitoring_reading") == [{"n": 1}]
