"""A drawn world as rows of the database, and what the closes made of it."""

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

from django.db import connection, transaction

from tests.settlement.hours import TRAFFIC, World, rate_columns
from vmart.catalog import shop
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.kernel.models import Deployment
from vmart.kernel.money import EXACT_QUANTUM, to_minor
from vmart.metering.models import Horizon

_FILLED = (
    "bills_charge", "bills_carry", "metering_amendment", "customers_discount",
    "metering_segment", "metering_sample", "pricing_rate", "pricing_book", "ledger_entry",
    "ledger_transfer", "ledger_hold", "ledger_purses", "customers_account", "settlement_hour", "settlement_stuck",
    "metering_horizon", "worker_operation", "subscriptions_subscription",
)  # fmt: skip


def store(world: World) -> None:
    """Put the world in the place of everything that an earlier one left."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in _FILLED:
            cursor.execute(f"DELETE FROM {table}")
        Deployment.objects.update(currency=world.currency, billing_zone=str(world.zone))
        Horizon.objects.create(closed_until=world.start)
        _prices(cursor, world)
        for account in world.accounts:
            _account(cursor, account, world)
            for machine in account.machines:
                _machine(cursor, account.id, machine)
    shop.forget()


def _prices(cursor: Any, world: World) -> None:
    starts = [version.effective_at for version in world.versions]
    for position, (start, end) in enumerate(itertools.zip_longest(starts, starts[1:])):
        cursor.execute(
            "INSERT INTO pricing_book (id, version, effective_at, ends_at, currency, document, sha256, created_at)"
            " VALUES (%s, %s, %s, %s, %s, '{}', %s, %s)",
            [position + 1, position + 1, start, end, world.currency, str(position), start],
        )
    for row in rate_columns(world.versions):
        cursor.execute(
            "INSERT INTO pricing_rate (book_id, price_key, step_from, step_to, tier_from_s, tier_to_s, rate)"
            " VALUES (%(book)s + 1, %(price_key)s, %(step_from)s, %(step_to)s, %(tier_from_s)s, %(tier_to_s)s,"
            " %(rate)s)",
            row,
        )


def _account(cursor: Any, account: Any, world: World) -> None:
    cursor.execute(
        "INSERT INTO customers_account (id, name, created_at, credit_limit_minor, quota_set, frozen_reason)"
        " VALUES (%s, 'drawn', now(), %s, 'default', '')",
        [account.id, account.credit_limit_minor],
    )
    cursor.execute(
        "INSERT INTO ledger_purses VALUES (%s, %s, 0, %s, %s, 0, %s, 0, 0, 0)",
        [account.id, account.cash_minor, account.cash_held_minor, account.gift_minor, account.gift_held_minor],
    )
    for begins, factor in account.machines[0].parts.items():
        cursor.execute(
            "INSERT INTO customers_discount (account_id, from_at, factor, reason, by, created_at)"
            " VALUES (%s, %s, %s, 'drawn', 'a test', now())",
            [account.id, begins, factor],
        )
    for month, exact in account.before.items():
        cursor.execute(
            "INSERT INTO bills_carry (account_id, month, exact_e8, deducted_minor, closed_through)"
            " VALUES (%s, %s, %s, %s, %s)",
            [account.id, month, exact * 10**8, to_minor(exact, world.places), world.start - HOUR],
        )


def _machine(cursor: Any, account: int, machine: Any) -> None:
    for component, segments in machine.segments.items():
        for segment in segments:
            cursor.execute(
                "INSERT INTO metering_segment (account_id, subscription_id, component, price_key, quantity, age_s,"
                " started_at, ended_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [account, machine.id, component, segment.price_key, segment.quantity, segment.age_s, segment.start,
                 segment.end],
            )  # fmt: skip
    for sample in machine.samples:
        cursor.execute(
            "INSERT INTO metering_sample (subscription_id, at, account_id, price_key, out_bytes)"
            " VALUES (%s, %s, %s, %s, %s)",
            [machine.id, sample.taken_at, account, TRAFFIC, sample.traffic_bytes],
        )


Key = tuple[int, int, dt.datetime, str]


def charges_since(start: dt.datetime) -> dict[Key, tuple[int, int, Decimal]]:
    """(account, machine, hour, component) -> (seconds, bytes, exact), of revision 0: there is no other."""
    found = db.rows("SELECT * FROM bills_charge WHERE hour >= %s", start)
    assert {row["revision"] for row in found} <= {0}
    return {
        (row["account_id"], row["subscription_id"], row["hour"], row["component"]): (
            row["duration_s"], row["out_bytes"], row["exact_e8"] * EXACT_QUANTUM,
        )
        for row in found
    }  # fmt: skip


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row that a close may write, to show that nothing was written."""
    tables = (*_FILLED[:3], "ledger_entry", "ledger_transfer", "ledger_hold", "ledger_purses", "settlement_hour",
              "settlement_stuck", "metering_horizon", "worker_operation")  # fmt: skip
    return {table: db.rows(f"SELECT * FROM {table} AS t ORDER BY t") for table in tables}
