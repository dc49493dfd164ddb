"""The close of an hour in SQL is the pure rule: on random usage, prices, purses, currencies and billing zones."""

import datetime as dt
import uuid
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings

from tests.settlement.hours import World, charges, worlds
from tests.settlement.stored import charges_since, everything, store
from tests.support.business_clock import BusinessClock
from vmart.kernel import db, ids
from vmart.kernel.clock import HOUR
from vmart.settlement import close

pytestmark = pytest.mark.usefixtures("db")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(worlds())
def test_closes_charge_what_the_pure_rule_says_and_a_second_run_charges_nothing(
    test_clock: BusinessClock, world: World
) -> None:
    store(world)
    expected = {}
    due: dict[tuple[int, dt.datetime], int] = defaultdict(int)
    for account in world.accounts:
        for machine in account.machines:
            for hour, component, charge in charges(world, machine):
                seconds = sum(line.seconds for line in charge.lines)
                out_bytes = sum(line.quantity for line in charge.lines) if component == "traffic" else 0
                row = (seconds, out_bytes, charge.exact, charge.after, charge.deducted_minor)
                expected[(account.id, machine.id, hour, component)] = row
                due[(account.id, hour)] += charge.deducted_minor
    for hour in world.hours:
        test_clock.set(hour + HOUR)
        count = sum(key[2] == hour for key in expected)
        amount = sum(part for (_, at), part in due.items() if at == hour)
        assert close.close(hour) == (count, amount)
        left = everything()
        assert close.close(hour) == (0, 0)
        assert everything() == left
    assert charges_since(world.start) == expected
    _check_money(world, due)


def _check_money(world: World, due: dict[tuple[int, dt.datetime], int]) -> None:
    """One transfer an account and hour; gift, then cash, as far as no hold lies on them, the rest owed."""
    transfers: dict[uuid.UUID, int] = {}
    sides: dict[tuple[uuid.UUID, str], int] = {}
    arrears: dict[int, dt.datetime] = {}
    for account in world.accounts:
        gift, cash, owed = account.gift_minor, account.cash_minor, 0
        for hour in world.hours:
            amount = due[(account.id, hour)]
            if not amount:
                continue
            number = ids.transfer_id("hour", account.id, f"{hour:%Y-%m-%dT%H}")
            from_gift = min(amount, gift - account.gift_held_minor)
            from_cash = min(amount - from_gift, cash - account.cash_held_minor)
            gift, cash = gift - from_gift, cash - from_cash
            owed += amount - from_gift - from_cash
            transfers[number] = amount
            parts = {"gift": -from_gift, "cash": -from_cash, "owed": from_gift + from_cash - amount, "revenue": amount}
            sides |= {(number, book): part for book, part in parts.items() if part}
            if gift + cash - owed < -account.credit_limit_minor:
                arrears.setdefault(account.id, hour + 3 * HOUR)
        assert db.rows(
            "SELECT gift_credits_posted - gift_debits_posted AS gift, cash_credits_posted - cash_debits_posted AS cash,"
            " owed_debits_posted - owed_credits_posted AS owed, gift_debits_pending, cash_debits_pending"
            " FROM ledger_purses WHERE account_id = %s", account.id,
        ) == [{"gift": gift, "cash": cash, "owed": owed, "gift_debits_pending": account.gift_held_minor,
               "cash_debits_pending": account.cash_held_minor}]  # fmt: skip
    assert {row["id"]: row["amount_minor"] for row in db.rows("SELECT * FROM ledger_transfer")} == transfers
    entries = db.rows("SELECT transfer_id, book, amount_minor FROM ledger_entry")
    assert {(row["transfer_id"], row["book"]): row["amount_minor"] for row in entries} == sides
    queued = db.rows("SELECT kind, subject_id, due_at FROM worker_operation")
    assert {row["kind"] for row in queued} <= {"arrears"}
    assert {row["subject_id"]: row["due_at"] for row in queued} == arrears
