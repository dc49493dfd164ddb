"""Given a shop that has sold for long, when the seller looks, then the figures are right and cost what is shown."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.plans import read_whole
from tests.support.shopper import HOURLY, MONTHLY, ZONE, buy_running, open_purse, work
from vmart.catalog import shop as catalog
from vmart.kernel import clock, db
from vmart.kernel.clock import UTC
from vmart.listings import attention, sales
from vmart.orders import terminate

pytestmark = pytest.mark.usefixtures("in_business")
LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=UTC)
SECONDS = 40_000  # one order, line, transfer and operation each: the last one now


def _booked() -> int:
    """What the ledger's own book says."""
    return int(db.rows("SELECT coalesce(sum(amount_minor), 0) AS n FROM ledger_entry WHERE book = 'revenue'")[0]["n"])


def test_revenue_is_what_the_ledger_has_booked(test_clock: BusinessClock) -> None:
    """A term returned free, one returned after four hours of 0.375, and four hours of a postpaid machine."""
    account = open_purse(cash_minor=100_000)
    kept, returned = buy_running(account, MONTHLY), buy_running(account, MONTHLY)
    buy_running(account, HOURLY)
    assert sales.since(LONG_AGO).revenue_minor == _booked() == 2 * 13_250
    for _ in range(3):
        test_clock.advance(hours=1)
        work()
    terminate.terminate(by(account), [kept.public_id])  # free: all of it back
    test_clock.advance(hours=1)
    terminate.terminate(by(account), [returned.public_id])
    work()
    found = sales.since(LONG_AGO)
    assert found.revenue_minor == _booked() == 300
    assert (found.orders, found.delivered, found.failed) == (3, 3, 0)


def test_today_begins_at_the_billing_zones_midnight(test_clock: BusinessClock) -> None:
    """Hours and terms of yesterday are not today's: 16:00 UTC is midnight in Shanghai."""
    account = open_purse(cash_minor=100_000)
    buy_running(account, MONTHLY)
    buy_running(account, HOURLY)
    zone = catalog.snapshot().billing_zone
    assert sales.today(zone).revenue_minor == 13_250
    while test_clock.at < dt.datetime(2026, 3, 10, 17, tzinfo=UTC):
        test_clock.advance(hours=1)
        work()
    assert sales.today(zone).since == dt.datetime(2026, 3, 10, 16, tzinfo=UTC)
    assert sales.today(zone).revenue_minor == 38  # the one hour since: 0.35 + 0.025, half-up each
    assert sales.today(zone).orders == 0
    assert sales.this_month(zone).revenue_minor == _booked() == 13_250 + 563  # 15 hours of 0.375


@pytest.fixture
def long_sold(test_clock: BusinessClock) -> None:
    """Orders of half a day, one a second; one in a thousand failed, one in a thousand needs attention."""
    account = open_purse(cash_minor=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO orders_order (id, account_id, action, status, charge_type, count, total_minor, hold_minor,"
            " quote, request, book_version, tax_rate, tax_minor, tax_inclusive, created_at, reason)"
            " SELECT 10000000 + n, %(account)s, 'purchase', 4, 'PREPAID', 1, 5, 5, '{}', '{}', 1, 0, 0, true,"
            " %(now)s::timestamptz - (%(all)s - n) * interval '1 s', '' FROM generate_series(1, %(all)s) AS n",
            {"account": account, "now": test_clock.at, "all": SECONDS},
        )
        cursor.execute(
            "INSERT INTO orders_line (order_id, account_id, subscription_id, number, hold_id, amount_minor,"
            " paid_cash_minor, paid_gift_minor, refund_minor, state, delivered_at, reason)"
            " SELECT id, account_id, id, 1, gen_random_uuid(), 5, 5, 0, 0,"
            " CASE WHEN id % 1000 = 0 THEN 'failed' ELSE 'delivered' END,"
            " CASE WHEN id % 1000 > 0 THEN created_at END, '' FROM orders_order ORDER BY id"
        )
        cursor.execute(
            "INSERT INTO ledger_transfer (id, account_id, kind, amount_minor, at)"
            " SELECT gen_random_uuid(), account_id, kind, 5, created_at"
            " FROM orders_order, unnest(ARRAY['prepaid', 'usage', 'topup']) AS kind"
        )
        cursor.execute(
            "INSERT INTO worker_operation (kind, subject_kind, subject_id, lane, step, payload, due_at, attempt,"
            " last_error, attention, created_at) SELECT 'expire', 'machine', id, %s, 'start', '{}', created_at, 0, '',"
            " id %% 1000 = 0, created_at FROM orders_order",
            [ZONE],
        )
        for table in ("orders_order", "orders_line", "ledger_transfer", "worker_operation"):
            cursor.execute(f"ANALYZE {table}")


LOOKS: dict[str, Callable[[], object]] = {
    "today": lambda: sales.since(clock.now() - dt.timedelta(minutes=10)),
    "failed deliveries": sales.failed_deliveries,
    "attention": attention.page,
    "how much attention": attention.summary,
    "zones": sales.zones,
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_sellers_page_reads_what_it_shows_and_not_all_that_was_ever_sold(long_sold: None, look: str) -> None:
    read = [(table, rows) for table, rows in read_whole(LOOKS[look]) if table != "network_public_address"]
    assert read == []
