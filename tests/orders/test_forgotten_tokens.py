"""Given answers to client tokens, then they are kept for thirty days of wall time, and forgotten a few at a time."""

import datetime as dt

import psycopg
import pytest
from django.db import DatabaseError, connection

from tests.support.shopper import HOURLY, open_purse, wanted
from vmart.kernel import clock, db
from vmart.orders import idempotency
from vmart.orders.models import Idempotency, Order
from vmart.orders.purchase import purchase

pytestmark = pytest.mark.usefixtures("in_business")

NOW = dt.datetime(2026, 3, 10, 2, 0, tzinfo=dt.UTC)
KEPT_S = 30 * 24 * 3600


def _answer(token: str, age_s: int) -> None:
    Idempotency.objects.create(
        account_id=1, token=token, fingerprint=b"", answer={}, created_wall_at=NOW - dt.timedelta(seconds=age_s)
    )


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "BATCH", 10)


def test_those_older_than_thirty_days_are_forgotten_and_no_other() -> None:
    for number in range(25):
        _answer(f"old {number}", KEPT_S + 1)
        if number % 10 == 0:  # written by a slower transaction, or while the clock was set back
            _answer(f"fresh {number}", KEPT_S)
    _answer("fresh", 0)
    assert idempotency.forget_old(NOW) == 25
    assert sorted(Idempotency.objects.values_list("token", flat=True)) == ["fresh", "fresh 0", "fresh 10", "fresh 20"]
    assert idempotency.forget_old(NOW) == 0


def test_each_batch_is_forgotten_for_good() -> None:
    """Given one that cannot be deleted now, then those before it are gone: thirty days are no one statement."""
    for number in range(25):
        _answer(str(number), KEPT_S + 1)
    with psycopg.connect(**db.connection_parameters()) as other:
        other.execute("SELECT token FROM orders_idempotency WHERE token = '12' FOR UPDATE")
        db.rows("SELECT set_config('lock_timeout', '20ms', false)")
        with pytest.raises(DatabaseError, match="lock timeout"):
            idempotency.forget_old(NOW)
    connection.close()
    assert Idempotency.objects.count() == 15
    assert idempotency.forget_old(NOW) == 15


def test_a_token_is_the_same_purchase_until_it_is_forgotten() -> None:
    account = open_purse(cash_minor=1000)
    request = wanted(account, HOURLY, client_token="t")
    first = purchase(request)
    Idempotency.objects.update(created_wall_at=clock.wall() - dt.timedelta(hours=24))
    idempotency.forget_old(clock.wall())
    assert purchase(request).instance_ids == first.instance_ids
    Idempotency.objects.update(created_wall_at=clock.wall() - dt.timedelta(days=30, seconds=1))
    idempotency.forget_old(clock.wall())
    assert purchase(request).instance_ids != first.instance_ids
    assert Order.objects.count() == 2
