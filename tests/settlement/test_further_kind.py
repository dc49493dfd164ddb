"""Given a kind of thing that no room knows (storage, by GiB and hour), then it is metered, charged and deducted.

The measure of the model: nothing in metering, settlement, bills or the ledger is written for it (ADR 0020).
"""

import datetime as dt
from decimal import Decimal

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import ZONE, open_purse, purses
from vmart.bills.models import Carry, Charge
from vmart.config.reconcile import reconcile
from vmart.kernel import clock, db
from vmart.orders import holds, live_cost
from vmart.pricing.models import Book
from vmart.settlement import close
from vmart.subscriptions.models import Item, Source, Standing, Subscription

pytestmark = pytest.mark.usefixtures("shop")
KEY = "ap-guangzhou/disk/CLOUD_SSD"  # 0.0014 a GiB and hour
GIB = 1000


def _storage(account: int, number: int) -> Subscription:
    """An agreement about storage, held for an hour and in use from now; the shop's first hour is open."""
    now = clock.now()
    close.begin(now)
    agreed = Subscription.objects.create(
        id=number, account_id=account, zone_id=ZONE, kind="storage", public_id=f"cfs-{number}", bundle_id=number,
        created_at=now, charge_type="POSTPAID_BY_HOUR", standing=Standing.ACTIVE, started_at=now,
        renew_flag="NOTIFY_AND_MANUAL_RENEW", isolated_source=Source.NOT_ISOLATED,
    )  # fmt: skip
    Item.objects.create(
        subscription=agreed, component="storage", mode=Item.Mode.HOUR, price_key=KEY, quantity=GIB,
        book_version=Book.objects.latest("id").version, pausable=False, from_at=now,
    )  # fmt: skip
    with db.act():
        db.call("ledger_lock", account)
        amount = holds.hour_minor([number])[number]
        assert amount is not None
        holds.take([agreed], [amount])
        db.call("metering_start", [number], [], db.call("metering_instant", now))
    return agreed


def test_it_is_held_metered_charged_and_deducted(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    storage = _storage(account, 900_001)
    assert purses(account)["held"] == 140  # 1,000 × 0.0014
    test_clock.advance(minutes=30)
    (live,) = live_cost.open_hours(account, [storage.id], test_clock.at)[storage.id]
    assert live.exact == Decimal("0.7")
    hour = test_clock.at.replace(minute=0, second=0)
    test_clock.set(hour + dt.timedelta(hours=1))
    close.close(hour)
    charge = Charge.objects.get()
    assert (charge.subscription_id, charge.component, charge.duration_s) == (storage.id, "storage", 3600)
    assert charge.exact_e8 == 140_000_000
    assert Carry.objects.values_list("deducted_minor", flat=True).get() == 140
    assert purses(account)["cash"] == 860
    assert list(reconcile()) == []


def test_it_ends_like_anything_else(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=1000)
    storage = _storage(account, 900_002)
    begun = test_clock.at
    test_clock.advance(minutes=15)
    with db.act():
        db.call("ledger_lock", account)
        ended = db.call("metering_instant", clock.now())
        assert db.call("metering_end", [storage.id], False, ended) == 1
        Subscription.objects.filter(pk=storage.pk).update(
            standing=Standing.ISOLATED, isolated_source=Source.MANMADE, isolated_at=ended, release_at=ended
        )
    test_clock.set(begun.replace(minute=0, second=0) + dt.timedelta(hours=1))
    close.close(begun.replace(minute=0, second=0))
    assert Charge.objects.get().exact_e8 == 35_000_000
    assert (purses(account)["cash"], purses(account)["held"]) == (965, 0)
    assert list(reconcile()) == []
