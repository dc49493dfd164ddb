"""Given an order paid outright by card, then money and machine come in one commit, or the money alone."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.db.models import F

from tests.orders.test_spot import SPOT
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.happened import told
from tests.support.shopper import (
    HOURLY,
    HOURLY_HOLD_MINOR,
    MONTHLY,
    MONTHLY_MINOR,
    buy_running,
    go_to,
    open_purse,
    purses,
    wanted,
    work,
)
from vmart.events.record import ORDER
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.ledger.models import Transfer
from vmart.orders import actions, place
from vmart.orders import purchase as buying
from vmart.orders.models import Order
from vmart.payments import top_up
from vmart.payments.models import Payment
from vmart.payments.providers.contract import Outcome, Status
from vmart.payments.providers.sandbox import ANSWERS_LATE, PAYS
from vmart.payments.record import record
from vmart.placement.models import Host
from vmart.provisioning import zones
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop", "sandbox")


def _waiting(account: int, configuration: object = MONTHLY, amount_minor: int = MONTHLY_MINOR) -> tuple[int, int]:
    """A placed order, and the payment for it of which the provider has not told yet."""
    order = place.place(wanted(account, configuration))  # type: ignore[arg-type]
    begun = top_up.begin(by(account), amount_minor, "sandbox", "t1", order_id=order, method=ANSWERS_LATE)
    assert begun.state == "unknown"
    return order, begun.payment_id


def _success(payment_id: int, *, buy: bool = True) -> bool:
    payment = Payment.objects.get(id=payment_id)
    outcome = Outcome(Status.SUCCEEDED, payment.reference, payment.amount_minor, "CNY")
    return record(payment_id, outcome, currency="CNY", buy=buy)


@contextmanager
def _locks_in_order(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """The accounts that are locked within, and "payment" for a payment's row, in their order."""
    locks: list[object] = []
    call = db.call

    def calls(name: str, *values: Any) -> Any:
        locks.extend(values if name == "ledger_lock" else [])
        return call(name, *values)

    def noting(execute: Callable[..., object], sql: str, *rest: object) -> object:
        locks.extend(["payment"] if 'FROM "payments_payment"' in sql and sql.endswith("FOR UPDATE") else [])
        return execute(sql, *rest)

    with monkeypatch.context() as patch, connection.execute_wrapper(noting):
        patch.setattr(db, "call", calls)
        yield locks


def test_a_prepaid_order_is_paid_and_delivered() -> None:
    account = open_purse()
    zones.check(MONTHLY.zone)
    zones.prepare_images(MONTHLY.zone)
    order = place.place(wanted(account))
    stands = top_up.begin(by(account), MONTHLY_MINOR, "sandbox", "t1", order_id=order, method=PAYS)
    assert (stands.state, stands.reason, stands.order_id) == ("succeeded", "", order)
    assert purses(account) == {"cash": MONTHLY_MINOR, "gift": 0, "owed": 0, "held": MONTHLY_MINOR, "available": 0}
    assert Order.objects.get(id=order).status == 3
    work()
    assert Order.objects.get(id=order).status == 4
    assert Instance.objects.get().state == "RUNNING"
    assert purses(account) == {"cash": 0, "gift": 0, "owed": 0, "held": 0, "available": 0}
    assert sorted(Transfer.objects.values_list("kind", "amount_minor")) == [
        ("prepaid", MONTHLY_MINOR), ("top_up", MONTHLY_MINOR),
    ]  # fmt: skip


def test_a_card_for_an_order_of_another_version_is_balance_and_closes_nothing() -> None:
    account = open_purse()
    order, payment = _waiting(account)
    request = Order.objects.get(id=order).request
    Order.objects.filter(id=order).update(request={**request, "not_known_here": 1})
    assert _success(payment)
    assert (Order.objects.get(id=order).status, purses(account)["available"]) == (1, MONTHLY_MINOR)
    assert "written by another version" in Payment.objects.get().reason


def test_a_postpaid_order_leaves_what_its_hold_does_not_need() -> None:
    account = open_purse()
    order = place.place(wanted(account, HOURLY))
    top_up.begin(by(account), 100, "sandbox", "t1", order_id=order, method=PAYS)
    assert Order.objects.get(id=order).status == 3
    assert purses(account)["available"] == 100 - HOURLY_HOLD_MINOR


def test_sold_out_in_between_leaves_the_money_as_balance() -> None:
    account = open_purse()
    order, payment = _waiting(account)
    db.rows("UPDATE placement_host SET enabled = false RETURNING id")
    assert _success(payment)
    closed = Order.objects.get(id=order)
    assert (closed.status, closed.request) == (7, {})
    assert "sold out" in closed.reason
    (event,) = told(account, ORDER)[1:]
    assert (event[0], event[1]["why"]) == ("order_closed", closed.reason)
    assert Payment.objects.get().state == "succeeded"
    assert Payment.objects.get().reason == closed.reason
    assert purses(account) == {"cash": MONTHLY_MINOR, "gift": 0, "owed": 0, "held": 0, "available": MONTHLY_MINOR}
    assert not Instance.objects.exists()
    assert not Operation.objects.exists()


def test_an_order_by_card_that_finds_no_room_has_some_made(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given spot machines in its way, then they go for it, the payer reads until when, and the money waits for them."""
    zones.check(MONTHLY.zone)
    zones.prepare_images(MONTHLY.zone)
    other = open_purse("spots", cash_minor=20_000)
    host = Host.objects.filter(zone_id=MONTHLY.zone).order_by("id")[0]
    Host.objects.filter(zone_id=MONTHLY.zone).exclude(pk=host.pk).update(enabled=False)
    spots = [buy_running(other, SPOT) for _ in range(2)]
    Host.objects.filter(pk=host.pk).update(memory_capacity_mib=F("memory_used_mib"))
    account = open_purse()
    small = replace(MONTHLY, instance_type="S5.SMALL1")
    order, payment = _waiting(account, small)
    with _locks_in_order(monkeypatch) as locks:
        assert _success(payment)
    assert locks[-2:] == [account, "payment"]  # where the reason is written: the account's first
    reason = Payment.objects.get(id=payment).reason
    assert reason.startswith("Room for 1 of S5.SMALL1 is being made in")
    assert (Order.objects.get(id=order).status, Order.objects.get(id=order).reason) == (7, reason)
    assert purses(account)["available"] == MONTHLY_MINOR
    assert Instance.objects.filter(pk__in=[one.pk for one in spots], reclaim_at__isnull=False).count() == 1
    assert not _success(payment)  # told again, nobody else goes
    assert Instance.objects.filter(reclaim_at__isnull=False).count() == 1
    go_to(test_clock, test_clock.at + dt.timedelta(minutes=2))
    buying.purchase(wanted(account, small))
    assert Instance.objects.filter(account_id=account).count() == 1


def test_success_after_the_order_has_expired_is_a_top_up(test_clock: BusinessClock) -> None:
    account = open_purse()
    order, payment = _waiting(account)
    test_clock.advance(minutes=30)  # the worker has not come yet
    assert _success(payment)
    assert Order.objects.get(id=order).status == 1
    assert purses(account)["available"] == MONTHLY_MINOR
    assert "has expired" in Payment.objects.get().reason
    work()
    assert Order.objects.get(id=order).status == 8
    assert not Instance.objects.exists()


def test_an_order_paid_from_the_balance_meanwhile_is_not_paid_twice() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    order, payment = _waiting(account, amount_minor=MONTHLY_MINOR)
    actions.pay(by(account), order)
    assert _success(payment)
    assert Instance.objects.count() == 1
    assert purses(account) == {
        "cash": 2 * MONTHLY_MINOR, "gift": 0, "owed": 0, "held": MONTHLY_MINOR, "available": MONTHLY_MINOR,
    }  # fmt: skip
    assert Order.objects.get(id=order).status == 3


def test_balance_spent_meanwhile_closes_the_order_and_keeps_the_money() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR - 500)
    order, payment = _waiting(account, amount_minor=500)
    buying.purchase(wanted(account, HOURLY))
    assert _success(payment)
    assert Order.objects.get(id=order).status == 7
    assert "balance is not enough" in Order.objects.get(id=order).reason
    assert purses(account)["cash"] == MONTHLY_MINOR


def test_a_repeated_success_buys_once() -> None:
    account = open_purse()
    _, payment = _waiting(account)
    assert [_success(payment) for _ in range(3)] == [True, False, False]
    assert Instance.objects.count() == 1
    assert Transfer.objects.count() == 1


def test_a_fault_of_ours_is_tried_again_and_in_the_end_the_money_is_balance(
    test_clock: BusinessClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a purchase that breaks each time, then nothing is half done, and the customer has the money."""
    account = open_purse()
    order = place.place(wanted(account))
    tried = []

    def breaks(request: object) -> None:
        tried.append(request)
        raise RuntimeError("a fault")

    monkeypatch.setattr(buying, "purchase", breaks)
    with pytest.raises(RuntimeError):
        top_up.begin(by(account), MONTHLY_MINOR, "sandbox", "t1", order_id=order, method=PAYS)
    assert (Payment.objects.get().state, Transfer.objects.count()) == ("created", 0)
    test_clock.advance(seconds=10)
    for _ in range(6):
        assert not Transfer.objects.exists()
        Operation.objects.update(not_before=None)
        assert work() == 1
    assert len(tried) == 7
    assert Payment.objects.get().state == "succeeded"
    assert purses(account)["available"] == MONTHLY_MINOR
    assert Order.objects.get(id=order).status == 7
    assert not Operation.objects.exists()
