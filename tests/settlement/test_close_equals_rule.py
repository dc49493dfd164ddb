"""The close of an hour in SQL is the pure rule: on random usage, prices, purses, currencies and billing zones."""

import datetime as dt
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings

from tests.settlement.hours import KEYS, Account, Machine, World, charges, deductions, statement_month, worlds
from tests.settlement.stored import charges_since, everything, store
from tests.support.business_clock import BusinessClock
from vmart.kernel import db, ids
from vmart.kernel.clock import HOUR
from vmart.pricing.book import RateRow
from vmart.pricing.hour import HourCharge, PriceVersion, Segment
from vmart.pricing.rules import HOUR_S
from vmart.settlement import close

pytestmark = pytest.mark.usefixtures("db")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(worlds())
def test_closes_charge_what_the_pure_rule_says_and_a_second_run_charges_nothing(
    test_clock: BusinessClock, world: World
) -> None:
    store(world)
    expected = {
        (account.id, machine.id, hour, component): _row(component, charge)
        for account in world.accounts
        for machine in account.machines
        for hour, component, charge in charges(world, machine)
    }
    due = {account.id: deductions(world, account) for account in world.accounts}
    for hour in world.hours:
        test_clock.set(hour + HOUR)
        count = sum(key[2] == hour for key in expected)
        amount = sum(amounts.get(hour, 0) for amounts in due.values())
        assert close.close(hour) == (count, amount)
        left = everything()
        assert close.close(hour) == (0, 0)
        assert everything() == left
    assert charges_since(world.start) == expected
    _check_money(world, due)


@pytest.mark.parametrize(
    ("begin_s", "end_s", "changes_s", "tiers_s"),
    [
        (0, None, [], []),
        (-1, None, [], []),
        (1, None, [], []),
        (0, HOUR_S, [], []),
        (0, HOUR_S - 1, [], []),
        (-HOUR_S, 0, [], []),
        (-HOUR_S, 1, [], []),
        (0, None, [HOUR_S - 1], []),
        (0, None, [HOUR_S], []),
        (0, None, [HOUR_S + 1], []),
        (0, None, [600, 1200], []),
        (-600, None, [], [HOUR_S]),
        (0, None, [], [HOUR_S]),
        (0, None, [], [HOUR_S - 1]),
        (0, None, [], [HOUR_S + 1]),
        (-900, HOUR_S + 900, [300, HOUR_S + 300], [HOUR_S, 2 * HOUR_S]),
    ],
)
def test_use_is_charged_by_the_rule_at_every_edge_of_an_hour_of_a_price_and_of_a_tier(
    test_clock: BusinessClock, begin_s: int, end_s: int | None, changes_s: list[int], tiers_s: list[int]
) -> None:
    """Two hours of use that begins and ends there, under prices and tiers that change there, seconds from the start."""
    start = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)

    def at(seconds: int) -> dt.datetime:
        return start + dt.timedelta(seconds=seconds)

    tiers = list(zip([0, *tiers_s], [*tiers_s, None], strict=True))
    versions = [
        PriceVersion(at(since), {
            KEYS["cpu"]: [
                RateRow(KEYS["cpu"], Decimal(0), None, low, high, Decimal(f"0.4{number}000004") / 2**tier)
                for tier, (low, high) in enumerate(tiers)
            ],
            KEYS["bandwidth"]: [
                RateRow(KEYS["bandwidth"], Decimal(0), Decimal("2.5"), 0, None, Decimal("0.06300001")),
                RateRow(KEYS["bandwidth"], Decimal("2.5"), Decimal(3), 0, None, Decimal("0.07") + number),
                RateRow(KEYS["bandwidth"], Decimal(3), None, 0, None, Decimal("0.25")),
            ],
        })
        for number, since in enumerate([-86400, *changes_s])
    ]  # fmt: skip
    end = None if end_s is None else at(end_s)
    machines = [
        Machine(number, {
            "cpu": [Segment(at(begin_s), end, 1, KEYS["cpu"])],
            "bandwidth": [Segment(at(begin_s), end, mbps, KEYS["bandwidth"])],
        }, [])
        for number, mbps in enumerate([0, 1, 2, 3, 4], start=10)
    ]  # fmt: skip
    world = World(start, ZoneInfo("Asia/Shanghai"), "CNY", versions, [Account(1, 10_000, 0, 0, 0, 0, machines)])
    store(world)
    for hour in world.hours[:2]:
        test_clock.set(hour + HOUR)
        close.close(hour)
    expected = {
        (1, machine.id, hour, component): _row(component, charge)
        for machine in machines
        for hour, component, charge in charges(world, machine)
        if hour in world.hours[:2]
    }
    assert bool(expected) == (end_s != 0)
    assert charges_since(start) == expected


def _row(component: str, charge: HourCharge) -> tuple[int, int, Decimal]:
    out_bytes = sum(line.quantity for line in charge.lines) if component == "traffic" else 0
    return sum(line.seconds for line in charge.lines), out_bytes, charge.exact


def _check_money(world: World, due: dict[int, dict[dt.datetime, int]]) -> None:
    """One transfer an account and hour; gift, then cash, as far as no hold lies on them, the rest owed."""
    transfers: dict[uuid.UUID, int] = {}
    sides: dict[tuple[uuid.UUID, str], int] = {}
    arrears: dict[int, dt.datetime] = {}
    for account in world.accounts:
        gift, cash, owed = account.gift_minor, account.cash_minor, 0
        for hour in world.hours:
            amount = due[account.id].get(hour, 0)
            if not amount:
                continue
            number = ids.transfer_id("hour", account.id, f"{hour:%Y-%m-%dT%H}/{statement_month(world, hour):%Y-%m}")
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
