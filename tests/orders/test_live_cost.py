"""Given hours that are over and not deducted yet, then what they cost is shown, and set aside when the machine ends."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY_HOLD_MINOR, buy_running, open_purse, purses
from vmart.kernel import db
from vmart.kernel.clock import HOUR, UTC
from vmart.ledger.models import Hold
from vmart.metering.models import Horizon
from vmart.orders import live_cost, terminate
from vmart.pricing.hour import PriceMissingError
from vmart.settlement import close
from vmart.settlement.models import Stuck
from vmart.worker.models import Operation


@pytest.fixture(autouse=True)
def shop_is_open(in_business: None) -> None:
    pass


def _killed_close(monkeypatch: pytest.MonkeyPatch, hour: dt.datetime) -> None:
    """The horizon has passed the hour, and nobody is charged yet."""

    def end(_hour: dt.datetime) -> list[tuple[int, int]]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(close, "_batches", end)
        close.close(hour)


def test_the_hold_of_a_machine_that_ends_during_a_close_covers_that_hour_too(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = test_clock.at
    test_clock.advance(minutes=30)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.advance(minutes=30)
    _killed_close(monkeypatch, hour)
    test_clock.advance(minutes=10)
    terminate.terminate(by(account), [machine.public_id])
    # 1800 s: cpu 0.175, disk 0.0125; with the 600 s after it 0.2333 and 0.0167, in all 0.25
    assert purses(account)["held"] == 25
    assert close.close(hour) == (2, 19)
    assert purses(account) == {"cash": 981, "gift": 0, "owed": 0, "held": 25, "available": 956}
    test_clock.set(hour + 2 * HOUR)
    assert close.close(hour + HOUR) == (2, 6)
    assert purses(account) == {"cash": 975, "gift": 0, "owed": 0, "held": 0, "available": 975}


def test_hours_that_a_close_has_charged_already_are_not_held_again(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a close that is under way and has done this account, then only what came after it is open."""
    hour = test_clock.at
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.set(hour + HOUR)
    real = close._batches

    def killed_after_it(of: dt.datetime) -> list[tuple[int, int]]:
        real(of)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(close, "_batches", killed_after_it)
        close.close(hour)
    test_clock.advance(minutes=10)
    terminate.terminate(by(account), [machine.public_id])
    # 600 s: cpu 0.05833333, disk 0.00416667, together 0.0625
    assert purses(account) == {"cash": 962, "gift": 0, "owed": 0, "held": 7, "available": 955}


def test_hours_of_an_account_whose_close_fails_are_all_open(test_clock: BusinessClock) -> None:
    first = test_clock.at
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    db.rows("UPDATE pricing_rate SET price_key = 'lost/' || price_key WHERE price_key LIKE '%%/cpu/%%' RETURNING id")
    for n in range(1, 6):
        test_clock.set(first + n * HOUR)
        assert close.close(first + (n - 1) * HOUR) == (0, 0)
    assert Stuck.objects.get().account_id == account
    cost = live_cost.open_hours(account, [machine.id], test_clock.at)[machine.id]
    assert sum(charge.exact for charge in cost) == 5 * (Decimal("0.35") + Decimal("0.025"))
    terminate.terminate(by(account), [machine.public_id])
    assert purses(account)["held"] == HOURLY_HOLD_MINOR  # it only shrinks


def test_without_a_price_the_whole_hold_stays(test_clock: BusinessClock) -> None:
    """Given usage that no book has a price for, then the machine can be ended, and its hold waits for the close."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.advance(minutes=10)
    db.rows("UPDATE metering_segment SET price_key = 'mars/cpu' WHERE component = 'cpu' RETURNING id")
    with pytest.raises(PriceMissingError, match="mars/cpu has no price"):
        live_cost.open_hours(account, [machine.id], test_clock.at)
    terminate.terminate(by(account), [machine.public_id])
    assert purses(account)["held"] == HOURLY_HOLD_MINOR
    assert Hold.objects.filter(state="pending").count() == 1


def test_a_hold_over_the_end_of_a_month_covers_both(test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch) -> None:
    last = test_clock.set(dt.datetime(2026, 3, 31, 15, tzinfo=UTC))  # of March in Shanghai
    Horizon.objects.update(closed_until=last)
    test_clock.advance(minutes=30)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.set(last + HOUR)
    _killed_close(monkeypatch, last)
    test_clock.advance(minutes=20)
    terminate.terminate(by(account), [machine.public_id])
    # March's 1800 s are 0.1875, April's 1200 s 0.125
    assert purses(account)["held"] == 32
    assert close.close(last) == (2, 19)
    test_clock.set(last + 2 * HOUR)
    assert close.close(last + HOUR) == (2, 13)
    assert purses(account) == {"cash": 968, "gift": 0, "owed": 0, "held": 0, "available": 968}


def test_usage_long_after_the_last_charge_begins_where_it_began(test_clock: BusinessClock) -> None:
    """Given an account that used nothing for a year, then the hours between are not gone through."""
    first = test_clock.at
    account = open_purse(cash_minor=1000)
    old = buy_running(account)
    test_clock.set(first + HOUR)
    assert close.close(first) == (2, 38)
    terminate.terminate(by(account), [old.public_id])
    Operation.objects.all().delete()
    test_clock.advance(days=365)
    Horizon.objects.update(closed_until=test_clock.at)
    machine = buy_running(account)
    test_clock.advance(minutes=30)
    cost = live_cost.open_hours(account, [machine.id], test_clock.at)[machine.id]
    assert sorted(charge.exact for charge in cost) == [Decimal("0.0125"), Decimal("0.175")]


def test_in_an_account_s_first_hour_nobody_else_s_usage_is_read(test_clock: BusinessClock) -> None:
    """Given machines that come and go within an hour, then what each cost is found by index, under the account lock."""
    account = open_purse(cash_minor=1000)
    machine = buy_running(account)
    test_clock.advance(minutes=10)
    asked: list[tuple[str, Any]] = []

    def note(execute: Callable[..., object], sql: str, params: Any, *rest: object) -> object:
        asked.append((sql, params))
        return execute(sql, params, *rest)

    with connection.execute_wrapper(note):
        cost = live_cost.open_hours(account, [machine.id], test_clock.at)[machine.id]
    assert sorted(charge.exact for charge in cost) == [Decimal("0.00416667"), Decimal("0.05833333")]
    plans = []
    with db.act(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # a table so small would be read whole
        for sql, params in asked:
            if "metering_segment" in sql:
                cursor.execute("EXPLAIN " + sql, params)
                plans += [line for (line,) in cursor.fetchall()]
    assert any("Index" in line and "metering_segment" in line for line in plans)
    assert [line for line in plans if "Seq Scan on metering_segment" in line] == []
