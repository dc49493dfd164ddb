"""Given a test clock that is moved on, then whether by the hour or by days at once, the same has happened."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.support.actors import by
from tests.support.database import Databases
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, ZONE, open_purse, purses, wanted, work
from tests.support.written import nothing_written
from vmart.bills.models import Charge
from vmart.config import business_time, clock_control
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.kernel.clock import HOUR
from vmart.kernel.models import Deployment
from vmart.kernel.partitions import ensure_partitions
from vmart.metering.models import Horizon, Sample, Segment
from vmart.orders import sample
from vmart.orders.purchase import purchase
from vmart.orders.renew_flag import AUTO, set_flag
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.provisioning import zones
from vmart.settlement import close
from vmart.settlement.models import Hour, Stuck
from vmart.worker.models import Operation

BEGUN = dt.datetime(2026, 3, 3, 2, tzinfo=dt.UTC)
BYTES_PER_S = 40_000
BY_BANDWIDTH = replace(
    HOURLY, internet_charge_type="BANDWIDTH_POSTPAID_BY_HOUR", bandwidth_mbps=6, public_ip=True
)  # fmt: skip
BY_TRAFFIC = replace(HOURLY, internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR", bandwidth_mbps=5, public_ip=True)
PREPAID_BY_TRAFFIC = replace(BY_TRAFFIC, charge_type="PREPAID", period_months=1)
TIERED = replace(HOURLY, instance_type="S1.SMALL1")

# Everything that moving the clock writes, with accounts and subscriptions by their order: ids go on counting.
_ACCOUNT = "(SELECT count(*) FROM customers_account a WHERE a.id <= x.account_id) AS account"
_SUBSCRIPTION = "(SELECT count(*) FROM subscriptions_subscription s WHERE s.id <= x.{}) AS subscription"
_OF = _SUBSCRIPTION.format("subscription_id")
_WRITTEN = {
    "charges": f"SELECT {_ACCOUNT}, {_OF}, hour, revision, component, exact_e8, out_bytes, duration_s, closed_in,"
    " statement_month FROM bills_charge x",
    "statements": f"SELECT {_ACCOUNT}, month, exact_e8, deducted_minor, closed_through FROM bills_carry x",
    "transfers": f"SELECT {_ACCOUNT}, kind, amount_minor, at FROM ledger_transfer x",
    "entries": f"SELECT {_ACCOUNT}, t.kind, x.at, x.book, x.amount_minor, x.balance_after FROM ledger_entry x"
    " JOIN ledger_transfer t ON t.id = x.transfer_id",
    "purses": f"SELECT {_ACCOUNT}, cash_debits_posted, gift_debits_posted, owed_debits_posted, owed_credits_posted,"
    " cash_debits_pending, gift_debits_pending, floating_pending FROM ledger_purses x",
    "holds": f"SELECT {_ACCOUNT}, {_SUBSCRIPTION.format('subject_id')}, kind, state, floating_minor, at, resolved_at"
    " FROM ledger_hold x",
    "events": f"SELECT {_ACCOUNT}, subject_kind, kind, at, CASE subject_kind WHEN 'machine' THEN"
    f" {_SUBSCRIPTION.format('subject_id').removesuffix(' AS subscription')} END AS machine,"
    " (detail - 'waited_ms')::text, actor->>'channel' AS channel FROM events_event x",
    "machines": f"SELECT {_SUBSCRIPTION.format('id')}, state, public_ip IS NULL FROM instances_instance x",
    "subscriptions": f"SELECT {_SUBSCRIPTION.format('id')}, standing, expires_at, isolated_at, release_at,"
    " arrears_since FROM subscriptions_subscription x",
    "segments": f"SELECT {_ACCOUNT}, {_OF}, component, age_s, started_at, ended_at FROM metering_segment x",
    "samples": f"SELECT {_ACCOUNT}, {_OF}, at, out_bytes FROM metering_sample x",
    "counters": f"SELECT {_ACCOUNT}, {_OF}, epoch, out_bytes, sampled_at FROM metering_counter x",
    "hours": "SELECT start, closed_at, charges, deducted_minor FROM settlement_hour x",
    "horizon": "SELECT closed_until FROM metering_horizon x",
    "work": "SELECT kind, due_at, attention FROM worker_operation x",
}


@pytest.fixture(autouse=True)
def begun(shop: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop on a test clock, with an engine whose machines send all the time."""
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"traffic_bytes_per_s": BYTES_PER_S}))
    _begin()
    yield
    clock.install(None)


def _begin() -> None:
    Deployment.objects.update(test_clock_at=BEGUN)
    business_time.install()
    ensure_partitions(BEGUN)
    close.begin(BEGUN)
    zones.check(ZONE)
    zones.prepare_images(ZONE)


def _buy(account: int, *configurations: Any) -> list[Instance]:
    ids = [purchase(wanted(account, one)).instance_ids[0] for one in configurations]
    work()
    machines = list(Instance.objects.filter(public_id__in=ids).order_by("id"))
    assert {machine.state for machine in machines} == {"RUNNING"}
    return machines


def _raise_prices(at: dt.datetime) -> None:
    row = Book.objects.latest("effective_at")
    with db.act():
        books.publish(parse_book(row.document | {"version": row.version + 1, "effective_at": at.isoformat(),
                                                 "traffic_gib": 0.9}), clock.now())  # fmt: skip
    books.forget()


def _open_for_business() -> None:
    """A month of prepaid machines is nearly over; then many come up to use what is paid by the hour."""
    renewing, poor, broke = (open_purse(name, cash_minor=n) for name, n in
                             (("renewing", 100_000), ("poor", MONTHLY_MINOR + 100), ("broke", 1_100)))  # fmt: skip
    (renewed, _) = _buy(renewing, MONTHLY, replace(MONTHLY, instance_type="S5.LARGE8"))
    set_flag(by(renewing), [renewed.public_id], AUTO)
    _buy(poor, PREPAID_BY_TRAFFIC)
    clock_control.advance(dt.timedelta(days=27, minutes=17, seconds=30))
    _raise_prices(BEGUN + dt.timedelta(days=29, minutes=30))
    _buy(renewing, BY_BANDWIDTH, BY_TRAFFIC, TIERED)
    _buy(broke, BY_TRAFFIC, TIERED)


def _move_on() -> None:
    for hours in (31, 72):
        clock_control.advance(hours * HOUR)


def _written() -> dict[str, list[tuple[Any, ...]]]:
    return {name: sorted(tuple(map(str, row.values())) for row in db.rows(query)) for name, query in _WRITTEN.items()}


def test_days_at_once_are_as_hour_by_hour(shop: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given renewal, expiry, arrears, a new price, a month's end: each row is as when the clock stops at every hour."""
    _open_for_business()
    with monkeypatch.context() as patch:
        patch.setattr(clock_control, "_HOURS_AT_ONCE", 1)
        _move_on()
    hourly = _written()
    kinds = {row[2] for row in hourly["events"]}
    assert {"expires_soon", "renewed", "expired", "stopped_for_arrears", "network_off"} <= kinds
    assert len(hourly["samples"]) > 100
    assert list(reconcile()) == []
    shop.restore()
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path / "again")
    _begin()
    _open_for_business()
    _move_on()
    at_once = _written()
    only = {name: (sorted(set(hourly[name]) - set(rows))[:3], sorted(set(rows) - set(hourly[name]))[:3])
            for name, rows in at_once.items() if rows != hourly[name]}  # fmt: skip
    assert only == {}, json.dumps(only, indent=1)


@pytest.fixture
def closed_ahead(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many hours each commit closed."""
    numbers: list[int] = []
    ahead = close.ahead

    def counting(hours: int) -> int:
        numbers.append(ahead(hours))
        return numbers[-1]

    monkeypatch.setattr(close, "ahead", counting)
    return numbers


def test_hours_are_closed_a_day_at_once_up_to_what_else_is_due(closed_ahead: list[int]) -> None:
    account = open_purse(cash_minor=1_200)
    _buy(account, HOURLY)  # 0.375 an hour: the 33rd close is the first that the purse cannot pay
    clock_control.advance(dt.timedelta(hours=40))
    # Arrears are due two hours after: the 34th hour ends before that. The 35th close asks for them once more.
    assert closed_ahead == [24, 10, 10, 3]
    assert Operation.objects.filter(kind="close_hour").values_list("due_at", flat=True).get() == BEGUN + 41 * HOUR
    assert (Hour.objects.count(), Horizon.objects.get().closed_until) == (40, BEGUN + 40 * HOUR)
    assert list(Hour.objects.order_by("start").values_list("closed_at", flat=True)) == [
        BEGUN + number * HOUR for number in range(1, 41)
    ]
    assert Segment.objects.filter(ended_at=BEGUN + 35 * HOUR).count() == 2
    assert purses(account)["owed"] == 113  # 35 × 0.375 = 13.125
    assert list(reconcile()) == []


def test_an_account_that_cannot_be_closed_waits_and_the_others_go_on(closed_ahead: list[int]) -> None:
    good, bad = open_purse("good", cash_minor=10_000), open_purse("bad", cash_minor=10_000)
    _buy(good, HOURLY)
    (machine,) = _buy(bad, HOURLY)
    Segment.objects.filter(subscription_id=machine.id).update(price_key="nowhere")
    clock_control.advance(5 * HOUR)
    assert closed_ahead == [0, 0, 0]  # the first attempt failed
    stuck = Stuck.objects.get()
    assert (stuck.account_id, stuck.from_hour) == (bad, BEGUN)
    assert Charge.objects.filter(account_id=good, component="cpu").count() == 5
    assert not Charge.objects.filter(account_id=bad).exists()


def test_what_is_in_somebodys_hands_is_not_closed_ahead(closed_ahead: list[int]) -> None:
    """Given a close that has been tried, and usage to be charged anew, then the usual way does it."""
    account = open_purse(cash_minor=10_000)
    _buy(account, HOURLY)
    Operation.objects.filter(kind="close_hour").update(attempt=1)
    clock_control.advance(2 * HOUR)
    assert closed_ahead == [0]
    assert Charge.objects.filter(component="cpu").count() == 2


def test_hours_that_fail_together_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    account = open_purse(cash_minor=10_000)
    _buy(account, BY_TRAFFIC)
    first = Horizon.objects.get().closed_until
    Deployment.objects.update(test_clock_at=BEGUN)

    def fails(_hours: int) -> int:
        assert Sample.objects.count() == 5
        db.rows("SELECT 1 / 0")
        return 0

    monkeypatch.setattr(close, "ahead", fails)
    sending = {ZONE: sample.sending(ZONE)}
    with nothing_written():
        assert clock_control._close_hours(first, 6, sending) == 0
    assert clock.now() == BEGUN
