"""Given an order that waits for its payment, then it is had at its price for half an hour, once, or not at all."""

from dataclasses import replace

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.happened import told
from tests.support.shopper import HOURLY, LOGIN, MONTHLY, MONTHLY_MINOR, open_purse, purses, wanted, work
from tests.support.written import nothing_written, refused
from vmart.catalog import shop
from vmart.catalog.models import Offer
from vmart.events.record import ORDER
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.models import Deployment
from vmart.ledger.models import Hold
from vmart.orders import actions, place
from vmart.orders.errors import InsufficientBalance, OrderNotPayable, QuotaReached, SoldOut, TokenReused
from vmart.orders.models import Idempotency, Line, Order
from vmart.orders.offered import price
from vmart.orders.purchase import purchase
from vmart.orders.wanted import Machine
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.worker.models import Operation

pytestmark = pytest.mark.usefixtures("shop")


def test_a_placed_order_sets_nothing_aside() -> None:
    account = open_purse()
    order = Order.objects.get(id=place.place(wanted(account, replace(MONTHLY, count=2))))
    assert (order.status, order.count, order.total_minor, order.hold_minor) == (
        1,
        2,
        2 * MONTHLY_MINOR,
        2 * MONTHLY_MINOR,
    )
    assert (order.expires_at - order.created_at).total_seconds() == 1800
    assert purses(account)["held"] == 0
    assert not Instance.objects.exists()
    assert not Line.objects.exists()
    assert [(row.kind, row.due_at) for row in Operation.objects.all()] == [("expire_order", order.expires_at)]


def test_the_stored_request_is_the_one_that_was_made() -> None:
    account = open_purse()
    request = wanted(
        account, replace(HOURLY, count=3), min_count=2, request_id="r-1",
        machine=Machine("img-db12k7x4", LOGIN, "web", "host", b"\x00#!/bin/sh"),
    )  # fmt: skip
    order = Order.objects.get(id=place.place(request))
    again = place.request_of(order, request.actor)
    assert again == replace(request, expected=again.expected, order_id=order.id)
    assert again.expected is not None
    assert again.expected.plain() == order.quote


def test_an_order_that_another_version_wrote_is_not_paid_here_and_stays_payable() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    request = Order.objects.get(id=number).request
    Order.objects.filter(id=number).update(request={**request, "not_known_here": 1})
    with nothing_written(), refused(OrderNotPayable, field="order_id", match="written by another version"):
        actions.pay(by(account), number)
    Order.objects.filter(id=number).update(request=request)
    actions.pay(by(account), number)
    assert Order.objects.get(id=number).status == 3


def test_paying_it_from_the_balance_is_the_purchase() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    actions.pay(by(account), number)
    order = Order.objects.get(id=number)

    assert (order.status, order.request) == (3, {})
    assert list(Line.objects.values_list("order_id", "amount_minor")) == [(number, MONTHLY_MINOR)]
    assert purses(account) == {"cash": MONTHLY_MINOR, "gift": 0, "owed": 0, "held": MONTHLY_MINOR, "available": 0}
    assert set(Operation.objects.values_list("kind", flat=True)) == {"deliver"}
    with pytest.raises(OrderNotPayable):
        actions.pay(by(account), number)
    assert Instance.objects.count() == 1


def test_it_is_paid_at_the_price_it_was_placed_at(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    test_clock.advance(minutes=29)
    dear = Book.objects.get().document
    dear["version"], dear["effective_at"] = dear["version"] + 1, test_clock.at.isoformat()
    dear["instance_types"]["S5.MEDIUM4"]["month"] = "230"
    with db.act():
        assert books.publish(parse_book(dear), test_clock.at)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    shop.current()
    assert price(MONTHLY, shop.snapshot(), account).machine_minor == MONTHLY_MINOR + 11500
    actions.pay(by(account), number)
    assert Line.objects.get().amount_minor == MONTHLY_MINOR


def test_too_little_money_leaves_it_unpaid() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR - 1)
    number = place.place(wanted(account))
    with pytest.raises(InsufficientBalance):
        actions.pay(by(account), number)
    assert Order.objects.get(id=number).status == 1
    assert not Hold.objects.exists()
    assert not Instance.objects.exists()


def test_sold_out_meanwhile_is_refused_and_writes_nothing() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    db.rows("UPDATE placement_host SET enabled = false RETURNING id")
    with pytest.raises(SoldOut):
        actions.pay(by(account), number)
    assert Order.objects.get(id=number).status == 1
    assert purses(account)["held"] == 0


def test_a_catalog_changed_meanwhile_is_read_again() -> None:
    """The stale catalog is found out inside the payment's own transaction."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    actions.pay(by(account), number)
    assert Order.objects.get(id=number).status == 3


def test_a_type_taken_off_sale_meanwhile_is_refused() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    Offer.objects.filter(zone_id=MONTHLY.zone, instance_type_id=MONTHLY.instance_type).update(sold_out=True)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    with pytest.raises(SoldOut):
        actions.pay(by(account), number)
    assert purses(account)["held"] == 0


def test_a_repeated_token_is_the_same_order_also_when_it_would_be_refused_by_now() -> None:
    """Given a second click after the type was sold out, then it comes to the order that the first one placed."""
    account = open_purse(cash_minor=MONTHLY_MINOR)
    request = wanted(account, client_token="t")
    first = place.place(request)
    Offer.objects.filter(zone_id=MONTHLY.zone, instance_type_id=MONTHLY.instance_type).update(sold_out=True)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    shop.refresh()
    with nothing_written():
        assert place.place(request) == first
        with pytest.raises(TokenReused):
            place.place(replace(request, configuration=replace(MONTHLY, count=2)))
        with pytest.raises(TokenReused):  # the token of a placed order buys nothing
            purchase(request)
    with refused(SoldOut):
        place.place(replace(request, client_token="another"))


def test_after_half_an_hour_it_is_expired(test_clock: BusinessClock) -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    test_clock.advance(minutes=29, seconds=59)
    assert work() == 0
    test_clock.advance(seconds=1)
    with pytest.raises(OrderNotPayable, match="has expired"):  # also before the worker has come
        actions.pay(by(account), number)
    assert work() == 1
    order = Order.objects.get(id=number)
    assert (order.status, order.closed_at, order.request) == (8, test_clock.at, {})
    assert told(account, ORDER)[1:] == [("order_expired", {})]
    with pytest.raises(OrderNotPayable, match="has expired"):
        actions.pay(by(account), number)
    assert purses(account)["held"] == 0


def test_another_customer_cannot_pay_it() -> None:
    account, other = open_purse(), open_purse("other", cash_minor=MONTHLY_MINOR)
    number = place.place(wanted(account))
    with pytest.raises(OrderNotPayable, match="does not exist"):
        actions.pay(by(other), number)
    assert Order.objects.get(id=number).status == 1


def test_a_repeated_token_is_the_same_order() -> None:
    account = open_purse(cash_minor=MONTHLY_MINOR)
    first = place.place(wanted(account, client_token="t"))
    assert place.place(wanted(account, client_token="t")) == first
    with pytest.raises(TokenReused):
        place.place(wanted(account, HOURLY, client_token="t"))
    with pytest.raises(TokenReused):  # nor does it buy at once
        purchase(wanted(account, client_token="t"))
    assert Order.objects.count() == 1
    assert Idempotency.objects.count() == 1
    assert not Instance.objects.exists()


def test_an_account_has_twenty_unpaid_orders_at_most(test_clock: BusinessClock) -> None:
    account = open_purse()
    for _ in range(20):
        place.place(wanted(account))
    with pytest.raises(QuotaReached):
        place.place(wanted(account))
    assert Order.objects.count() == 20
    test_clock.advance(minutes=30)
    place.place(wanted(account))
