"""Usage that changes after its hour was closed is charged anew: over all revisions, each hour is what the rule says."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.settlement.hours import World, charges, statement_month, worlds
from tests.settlement.stored import everything, store
from tests.support.business_clock import BusinessClock
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.kernel.money import to_minor
from vmart.settlement import close

pytestmark = pytest.mark.usefixtures("db")


def _end(world: World, draw: st.DataObject, now: dt.datetime) -> None:
    """End the open usage of some machines at instants before or after what is closed, in the tables and the world."""
    for account in world.accounts:
        for machine in account.machines:
            for component, segments in machine.segments.items():
                if segments[-1].end is None and draw.draw(st.booleans()):
                    ended = now - dt.timedelta(seconds=draw.draw(st.integers(0, 3 * 3600)))
                    ended = max(ended, world.start, segments[-1].start)
                    db.call("metering_end", machine.id, component, ended)
                    segments[-1] = replace(segments[-1], end=ended)


def _by_rule(world: World) -> dict[tuple[int, int, dt.datetime, str], tuple[int, int, Decimal]]:
    return {
        (account.id, machine.id, hour, component): (
            sum(line.seconds for line in charge.lines),
            sum(line.quantity for line in charge.lines) if component == "traffic" else 0,
            charge.exact,
        )
        for account in world.accounts
        for machine in account.machines
        for hour, component, charge in charges(world, machine)
    }


def _charged() -> dict[tuple[int, int, dt.datetime, str], tuple[int, int, Decimal]]:
    rows = db.rows(
        "SELECT account_id, subscription_id, hour, component, sum(duration_s) AS seconds, sum(out_bytes) AS bytes,"
        " sum(exact_e8) AS e8 FROM bills_charge GROUP BY 1, 2, 3, 4"
    )
    return {
        (row["account_id"], row["subscription_id"], row["hour"], row["component"]): (
            row["seconds"], int(row["bytes"]), Decimal(row["e8"]).scaleb(-8),
        )
        for row in rows
        if row["seconds"] or row["bytes"]  # nothing is left of an hour that was not used after all
    }  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(world=worlds(), draw=st.data())
def test_every_hour_is_charged_by_the_usage_that_it_had_in_the_end(
    test_clock: BusinessClock, world: World, draw: st.DataObject
) -> None:
    """Given ends that are known one to three hours late, over edges of months, then the next close settles them."""
    store(world)
    for hour in world.hours[:-1]:
        test_clock.set(hour + HOUR)
        close.close(hour)
        _end(world, draw, hour + HOUR)
    last = world.hours[-1]
    test_clock.set(last + HOUR)
    close.close(last)
    left = everything()
    assert close.close(last) == (0, 0)
    assert everything() == left
    assert left["metering_amendment"] == []
    assert _charged() == _by_rule(world)
    _check_statements(world)


def _check_statements(world: World) -> None:
    """Each statement has the sum of its charges, and the ledger took that sum, rounded once."""
    expected: dict[tuple[int, dt.date], Decimal] = {}
    for account in world.accounts:
        for month, before in account.before.items():
            expected[account.id, month] = before
        for machine in account.machines:
            for hour, _, charge in charges(world, machine):
                key = (account.id, statement_month(world, hour))
                expected[key] = expected.get(key, Decimal(0)) + charge.exact
    found = {(row["account_id"], row["month"]): row["exact_e8"].scaleb(-8) for row in _statements()}
    assert {key: total for key, total in expected.items() if total} == {
        key: total
        for key, total in found.items()
        if total  # 0: all of it was given back
    }
    for account in world.accounts:
        taken = sum(to_minor(total, world.places) for (number, _), total in expected.items() if number == account.id)
        taken -= sum(to_minor(before, world.places) for before in account.before.values())
        purses = db.rows(
            "SELECT fn.ledger_balance(p) AS balance FROM ledger_purses p WHERE account_id = %s", account.id
        )[0]
        assert purses["balance"] == account.cash_minor + account.gift_minor - taken


def _statements() -> list[dict[str, Any]]:
    return db.rows("SELECT account_id, month, exact_e8 FROM bills_carry")
