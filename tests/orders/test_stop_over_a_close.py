"""Given a stop without charge that is under way when its hour is closed, then the outcome decides what that hour costs.

CPU and memory end at the second the request was accepted if STOPPED follows, else they never paused.
"""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import HOURLY, buy_running, go_to, open_purse, purses, work
from vmart.bills.models import Carry, Charge
from vmart.config.reconcile import reconcile
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.ledger.models import Transfer
from vmart.metering.models import Horizon, Segment
from vmart.orders import open_account, start, stop
from vmart.settlement import close
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("in_business")

LARGE = replace(HOURLY, instance_type="S5.2XLARGE16")  # 1.40 an hour, and 0.025 for its disk
LARGE_HOLD_MINOR = 143


def _accept(test_clock: BusinessClock, account: int, machine: Instance, at: dt.timedelta) -> dt.datetime:
    """A stop accepted so long after the hour began; the clock stands at its end, the close is done."""
    hour = test_clock.at
    accepted = test_clock.set(hour + at)
    stop.stop(by(account), [machine.public_id], stopped_mode=stop.STOP_CHARGING)
    test_clock.set(hour + HOUR)
    close.close(hour)
    return accepted


def _cpu() -> list[tuple[dt.datetime, int, int, Decimal, dt.datetime, str]]:
    rows = Charge.objects.filter(component="cpu").order_by("hour", "revision")
    return [
        (row.hour, row.revision, row.duration_s, Decimal(row.exact_e8).scaleb(-8), row.closed_in,
         f"{row.statement_month:%Y-%m}")
        for row in rows
    ]  # fmt: skip


def _corrections() -> list[int]:
    return list(Transfer.objects.filter(kind="correction").order_by("at").values_list("amount_minor", flat=True))


def test_a_stop_that_fails_leaves_no_trace_in_what_is_charged(test_clock: BusinessClock, world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, LARGE)
    hour = test_clock.at
    _accept(test_clock, account, machine, dt.timedelta(minutes=5))
    world.fail("ensure_power", times=6)
    work()
    assert Instance.objects.get().state == "RUNNING"
    assert _cpu() == [(hour, 0, 3600, Decimal("1.40"), hour, "2026-03")]
    assert list(Segment.objects.filter(component="cpu").values_list("started_at", "ended_at", "age_s")) == [
        (hour, None, 0)
    ]
    go_to(test_clock, hour + 2 * HOUR)
    assert [row[1:4] for row in _cpu()] == [(0, 3600, Decimal("1.40"))] * 2
    assert (purses(account)["cash"], purses(account)["held"]) == (1000 - 285, LARGE_HOLD_MINOR)
    assert list(reconcile()) == []


def test_a_stop_that_succeeds_gives_the_closed_seconds_back(test_clock: BusinessClock) -> None:
    """Given an hour paid by gift and cash, then half of its CPU comes back in the same proportion, cash half-up."""
    account = open_purse(cash_minor=200)
    open_account.grant(account, 100, "first")
    machine = buy_running(account, LARGE)
    hour = test_clock.at
    accepted = _accept(test_clock, account, machine, dt.timedelta(minutes=30))
    assert purses(account) == {"cash": 157, "gift": 0, "owed": 0, "held": LARGE_HOLD_MINOR, "available": 157 - 143}
    work()
    assert (Instance.objects.get().state, purses(account)["held"]) == ("STOPPED", 3)  # its disk's hour
    assert [row[2] for row in _cpu()] == [3600]
    go_to(test_clock, hour + 2 * HOUR)
    assert _cpu() == [
        (hour, 0, 3600, Decimal("1.40"), hour, "2026-03"),
        (hour, 1, -1800, Decimal("-0.70"), hour + HOUR, "2026-03"),
    ]
    # 1.425 had become 1.43; with another 0.025 of disk and 0.70 less it is 0.75: 0.68 back, of them 43/143 in cash.
    assert _corrections() == [68]
    assert purses(account) == {"cash": 157 + 20, "gift": 48, "owed": 0, "held": 3, "available": 222}
    assert Carry.objects.values_list("exact_e8", "deducted_minor").get() == (75_000_000, 75)
    assert Segment.objects.get(component="cpu").ended_at == accepted
    assert close.close(hour + HOUR) == (0, 0)
    assert list(reconcile()) == []


def test_the_age_goes_on_from_the_second_of_the_request(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, LARGE)
    hour = test_clock.at
    _accept(test_clock, account, machine, dt.timedelta(minutes=30))
    work()
    start.start(by(account), [machine.public_id])
    work()
    assert list(
        Segment.objects.filter(component="cpu").order_by("id").values_list("started_at", "ended_at", "age_s")
    ) == [(hour, hour + HOUR / 2, 0), (hour + HOUR, None, 1800)]
    assert list(reconcile()) == []


def test_what_comes_back_pays_what_is_owed_first_and_ends_the_arrears_of_that_hour(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=143)
    machine = buy_running(account, LARGE)
    hour = test_clock.at
    with db.act():
        db.rows("SELECT * FROM fn.ledger_deduct('test', 'x', ARRAY[%s]::bigint[], ARRAY[43]::bigint[], 'revenue', %s)",
                account, hour)  # fmt: skip
    _accept(test_clock, account, machine, dt.timedelta(minutes=30))
    assert (purses(account)["cash"], purses(account)["owed"]) == (0, 43)
    assert Operation.objects.get(kind="arrears").due_at == hour + 3 * HOUR
    work()
    go_to(test_clock, hour + 2 * HOUR)
    assert _corrections() == [68]
    assert purses(account) == {"cash": 25, "gift": 0, "owed": 0, "held": 3, "available": 22}
    assert not Operation.objects.filter(kind="arrears").exists()
    assert list(reconcile()) == []


def test_a_credit_across_a_month_s_end_is_a_row_of_the_month_of_its_hour(test_clock: BusinessClock) -> None:
    """Given a stop accepted on 31 January at 23:59:50 that ends on 1 February at 00:00:10, then January gives back."""
    hour = test_clock.set(dt.datetime(2026, 1, 31, 15, tzinfo=dt.UTC))  # 23:00 in Shanghai
    Horizon.objects.update(closed_until=hour)
    Operation.objects.filter(kind="close_hour").delete()
    close.begin(hour)
    account = open_purse(cash_minor=1000)
    machine = buy_running(account, LARGE)
    _accept(test_clock, account, machine, dt.timedelta(minutes=59, seconds=50))
    test_clock.advance(seconds=10)
    work()
    go_to(test_clock, hour + 2 * HOUR)
    assert [row[1:] for row in _cpu()] == [
        (0, 3600, Decimal("1.40"), hour, "2026-01"),
        (1, -10, Decimal("-0.00388889"), hour + HOUR, "2026-01"),
    ]
    assert list(Carry.objects.order_by("month").values_list("month", "exact_e8", "deducted_minor")) == [
        (dt.date(2026, 1, 1), 142_111_111, 142), (dt.date(2026, 2, 1), 2_500_000, 3),
    ]  # fmt: skip
    assert _corrections() == [1]
    assert purses(account)["cash"] == 1000 - 142 - 3
    assert list(reconcile()) == []


def test_usage_that_changes_after_its_statement_closed_is_a_row_of_the_open_one(test_clock: BusinessClock) -> None:
    """Given a stop that takes until the evening of the 1st, then February's statement gives back."""
    hour = test_clock.set(dt.datetime(2026, 1, 31, 15, tzinfo=dt.UTC))
    Horizon.objects.update(closed_until=hour)
    Operation.objects.filter(kind="close_hour").delete()
    close.begin(hour)
    account = open_purse(cash_minor=10_000)
    machine = buy_running(account, LARGE)
    _accept(test_clock, account, machine, dt.timedelta(minutes=30))
    Operation.objects.filter(kind="stop").update(due_at=hour + 20 * HOUR)  # 19:00 of 1 February in Shanghai
    work()
    go_to(test_clock, hour + 21 * HOUR)
    assert [row[5] for row in _cpu() if row[1] == 1] == ["2026-02"] * 19
    assert sum(row[2] for row in _cpu()) == 1800
    january, february = Carry.objects.order_by("month").values_list("deducted_minor", flat=True)
    assert january == 143
    # 20 hours of disk are 0.50, less 0.70 of January's hour: below zero until more is used.
    assert february == 50 - 70
    assert purses(account)["cash"] == 10_000 - 143 + 20
    assert list(reconcile()) == []
