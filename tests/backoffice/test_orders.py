"""The seller's pages of orders: search, one order whole, what is given back of it, and voiding one."""

import csv
import io
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse

from tests.support.at_once import at_once
from tests.support.plans import read_whole
from tests.support.shopper import HOURLY, MONTHLY, MONTHLY_MINOR, buy_running, open_purse, purses, wanted
from tests.support.written import nothing_written
from tests.web.visiting import Form, Visitor, customer, open_business, operator, text_of, work
from vmart.config.reconcile import reconcile
from vmart.instances.models import Instance
from vmart.kernel import clock, db
from vmart.listings import sold_orders
from vmart.listings.paging import PAGE
from vmart.orders.models import EngineDrift, Line, Order, Refund, Status
from vmart.orders.purchase import purchase

pytestmark = pytest.mark.usefixtures("shop")
SCRIPT = '<script>alert("1")</script>'


def _order(machine: Instance) -> int:
    return Line.objects.values_list("order_id", flat=True).get(subscription_id=machine.id)


def _found(word: str, status: str = "") -> list[int]:
    return [row.id for row in sold_orders.page(word, status).rows]


# -- the list ------------------------------------------------------------------------------------------


def test_an_order_is_found_by_its_number_customer_thing_and_state() -> None:
    one = buy_running(open_purse("anna", cash_minor=50_000), MONTHLY)
    account = open_purse("bert", cash_minor=50_000)
    two = buy_running(account, HOURLY)
    purchase(wanted(account))
    first, second, third = Order.objects.order_by("id").values_list("id", flat=True)
    assert _found("") == [third, second, first]
    assert _found(str(first)) == [first]
    assert _found("ANNA@") == [first]
    assert _found(str(account)) == [third, second]
    assert _found(one.public_id) == [first]
    assert _found(two.public_id) == [second]
    assert _found("ins-00000000") == _found("nobody") == _found("'; DROP TABLE x; --") == []
    assert _found("", str(Status.DELIVERED)) == [second, first]
    assert _found("bert", str(Status.DELIVERING)) == [third]
    assert _found(one.public_id, str(Status.DELIVERING)) == []
    rows = {row.id: row for row in sold_orders.page().rows}
    assert (rows[first].customer, rows[first].paid_minor, rows[first].thing) == (
        "anna@example.com", MONTHLY_MINOR, one.public_id,
    )  # fmt: skip


def _many(account: int, count: int, begin: int = 0) -> None:
    """So many orders of an account, without lines."""
    db.rows(
        "INSERT INTO orders_order (id, account_id, action, status, charge_type, count, total_minor, hold_minor, quote,"
        " request, book_version, tax_rate, tax_minor, tax_inclusive, created_at, reason)"
        " SELECT %s + n, %s, 'renew', 4, 'PREPAID', 1, 100, 100, '{}', '{}', 1, 0, 0, true, %s, ''"
        " FROM generate_series(1, %s) AS n RETURNING id",
        10_000_000 + begin, account, clock.now(), count,
    )  # fmt: skip


def test_pages_go_by_key_and_a_file_has_all() -> None:
    account = open_purse("anna")
    _many(account, 2 * PAGE + 1)
    seller = operator()
    for word in ("", "anna", str(account)):
        seen, before = [], ""
        while True:
            page = sold_orders.page(word, "", before)
            seen += [row.id for row in page.rows]
            if not (before := page.older):
                break
        assert seen == sorted(Order.objects.values_list("id", flat=True), reverse=True)
    answer: Any = seller.get("/seller/orders/?q=anna&as=csv")
    table = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert len(table) == 2 * PAGE + 2
    assert table[0] == [
        "order", "ordered", "customer_number", "customer", "action", "charge_type", "count", "of", "total_minor",
        "paid_minor", "refund_minor", "state",
    ]  # fmt: skip
    assert table[1][2:] == [str(account), "anna@example.com", "renew", "PREPAID", "1", "", "100", "0", "0", "4"]


def test_a_page_reads_no_more_however_many_orders_there_are() -> None:
    for number in range(25):
        _many(open_purse(f"anna{number}"), 200, 200 * number)
    open_purse("bert")
    Order.objects.filter(id=10000001).update(status=Status.FAILED)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE orders_order")
    for asked in (("",), ("anna",), ("bert",), ("10000001",), ("", str(Status.FAILED)), ("anna", "", "10004000")):
        assert read_whole(lambda asked=asked: sold_orders.page(*asked)) == [], asked  # type: ignore[misc]


def test_the_list_is_for_operators_and_leads_to_each_order() -> None:
    machine = buy_running(open_purse("anna", cash_minor=50_000), MONTHLY)
    assert customer().get("/seller/orders/").status_code == 403
    seller = operator()
    page = seller.get("/seller/orders/?q=anna")
    assert f'href="/seller/orders/{_order(machine)}/"' in page.content.decode()
    assert "¥132.50" in text_of(page)
    assert "No order is like that." in text_of(seller.get("/seller/orders/?q=nobody"))


# -- one order -----------------------------------------------------------------------------------------


def test_one_order_is_shown_whole() -> None:
    account = open_purse("anna", cash_minor=50_000)
    machine = buy_running(account, MONTHLY)
    seller = operator()
    address = f"/seller/orders/{_order(machine)}/"
    page = seller.get(address)
    for told in ("anna@example.com", machine.public_id, "Paid ¥132.50", "Given back ¥0.00", "Delivered", "Bought"):
        assert told in text_of(page), told
    assert f'{address}refund/"' in page.content.decode()
    assert f'{address}void/"' not in page.content.decode()
    assert "redeliver" not in page.content.decode()
    EngineDrift.objects.create(
        zone_id=machine.zone_id, name=machine.public_id, kind="lost", since_wall_at=clock.wall(), missed_at=clock.now()
    )
    assert f"/seller/machines/{machine.public_id}/redeliver/" in seller.get(address).content.decode()
    for number in (10**9, 2**63, 2**70):
        for act in ("", "refund/", "void/"):
            assert seller.get(f"/seller/orders/{number}/{act}").status_code == 404
    assert customer().get(address).status_code == 403


def _confirm(seller: Visitor, order: int, **typed: str) -> dict[str, Any]:
    """The form as the page shows it after the preview."""
    address = f"/seller/orders/{order}/refund/"
    sent = {"amount": "30.01", "after": "stays", "reason": "slow", "line": "0", "act": "preview"} | typed
    page = seller.post(address, sent)
    assert page.status_code == 200, text_of(page)
    return Form(page.content.decode(), "").data | {"act": "refund"}


def test_what_was_shown_is_given_back_once() -> None:
    account = open_purse("anna", cash_minor=50_000)
    order = _order(buy_running(account, MONTHLY))
    seller, address = operator(), f"/seller/orders/{order}/refund/"
    with nothing_written():
        assert "At most ¥132.50" in text_of(seller.get(address))
        confirmed = _confirm(seller, order)
    answer = seller.post(address, confirmed)
    assert answer["Location"] == f"/seller/orders/{order}/"
    assert "¥30.01 are in the customer" in text_of(seller.get(answer["Location"]))
    assert purses(account)["cash"] == 50_000 - MONTHLY_MINOR + 3001
    again = seller.post(address, confirmed, follow=True)  # a double click, and "back" and the button again
    assert "nothing has changed" in text_of(again)
    late = seller.post(address, confirmed | {"key": "another"})
    assert (late.status_code, "has changed since it was shown" in text_of(late)) == (422, True)
    assert purses(account)["cash"] == 50_000 - MONTHLY_MINOR + 3001
    shown = text_of(seller.get(f"/seller/orders/{order}/"))
    assert "Given back ¥30.01" in shown
    assert "slow" in shown
    assert list(reconcile()) == []


def test_two_operators_who_confirm_the_same_give_it_once() -> None:
    account = open_purse("anna", cash_minor=50_000)
    order = _order(buy_running(account, MONTHLY))
    sellers = [operator(), operator()]
    forms = [_confirm(seller, order, amount="132.50") for seller in sellers]
    assert forms[0]["key"] != forms[1]["key"]
    answers = at_once(*(
        lambda seller=seller, form=form: seller.post(f"/seller/orders/{order}/refund/", form).status_code  # type: ignore[misc]
        for seller, form in zip(sellers, forms, strict=True)
    ))  # fmt: skip
    assert sorted(answers, key=str) == [302, 422]
    assert purses(account)["cash"] == 50_000
    assert list(reconcile()) == []


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"amount": "132.51"}, "at most ¥132.50"),
        ({"amount": "-1"}, "a number of CNY above 0"),
        ({"amount": "0"}, "above 0"),
        ({"amount": "1.001"}, "at most 2 decimals"),
        ({"amount": "1e2"}, "a number of CNY above 0"),
        ({"amount": "9" * 30}, "a number of CNY above 0"),
        ({"amount": ""}, "(empty)"),
        ({"reason": ""}, "A reason is one line"),
        ({"reason": "a\0b"}, "Null characters are not allowed"),
        ({"after": ""}, "Say whether"),
        ({"after": "burn"}, "Say whether"),
        ({"line": "7"}, "no line 7"),
        ({"line": "-1"}, "no line -1"),
        ({"line": "9" * 40}, "no line 9"),
    ],
)
@pytest.mark.parametrize("act", ["preview", "refund"])
def test_what_is_wrong_is_said_and_gives_nothing(act: str, typed: dict[str, str], says: str) -> None:
    account = open_purse("anna", cash_minor=50_000)
    order = _order(buy_running(account, MONTHLY))
    seller = operator()
    sent = {"amount": "1", "after": "stays", "reason": "slow", "line": "0", "key": "k", "act": act} | typed
    if "line" in typed:  # the field is there with several lines alone: one that is forged counts for nothing
        says = "What this does" if act == "preview" else "has changed since"
    with nothing_written():
        answer = seller.post(f"/seller/orders/{order}/refund/", sent)
    assert says in text_of(answer), text_of(answer)
    assert answer.status_code == (200 if says == "What this does" else 422)


def test_a_confirmation_that_was_never_shown_gives_nothing() -> None:
    order = _order(buy_running(open_purse("anna", cash_minor=50_000), MONTHLY))
    seller, stranger = operator(), customer()
    form = _confirm(seller, order)
    for forged in (
        {"amount": "132.50"}, {"after": "ends"}, {"shown": ""}, {"shown": "stays,1:1:0:1"}, {"key": ""},
        {"key": "k" * 65},
    ):  # fmt: skip
        with nothing_written():
            assert seller.post(f"/seller/orders/{order}/refund/", form | forged).status_code == 422
    with nothing_written():
        assert stranger.post(f"/seller/orders/{order}/refund/", form).status_code == 403


def test_script_in_a_reason_is_text_to_seller_and_customer() -> None:
    visitor = customer()
    visitor.buy()
    order = Order.objects.get(account_id=visitor.account_id)
    seller = operator()
    assert _voided(seller, order.id, SCRIPT).status_code == 302
    for page in (
        seller.get(f"/seller/orders/{order.id}/"), visitor.get(f"/orders/{order.id}/"), visitor.get("/activity/"),
    ):  # fmt: skip
        assert SCRIPT not in page.content.decode()
        assert "&lt;script&gt;" in page.content.decode()
    machine = buy_running(open_purse("anna", cash_minor=50_000), MONTHLY)
    number = _order(machine)
    answer = seller.post(f"/seller/orders/{number}/refund/", _confirm(seller, number, reason=SCRIPT))
    assert answer.status_code == 302
    page = seller.get(f"/seller/orders/{number}/").content.decode()
    assert (SCRIPT in page, page.count("&lt;script&gt;")) == (False, 2)


def test_the_buyer_reads_what_came_back_and_why() -> None:
    visitor = customer()
    visitor.buy()
    open_business()
    work()
    order = Order.objects.get(account_id=visitor.account_id)
    assert order.charge_type == "PREPAID", order.charge_type
    seller = operator()
    seller.post(f"/seller/orders/{order.id}/refund/", _confirm(seller, order.id, amount="1", reason="It was slow."))
    assert Refund.objects.get().reason == "It was slow."
    for address in (f"/orders/{order.id}/", "/activity/"):
        page = text_of(visitor.get(address))
        assert "Given back by the seller" in page, address
        assert "It was slow." in page, address
        assert seller.user.email not in page


# -- voiding -------------------------------------------------------------------------------------------


def _void_page(seller: Visitor, order: int) -> HttpResponse:
    return seller.get(f"/seller/orders/{order}/void/", follow=True)


def _void_form(seller: Visitor, order: int) -> dict[str, Any]:
    return Form(_void_page(seller, order).content.decode(), "").data


def _voided(seller: Visitor, order: int, reason: str, seen: dict[str, Any] | None = None) -> HttpResponse:
    form = _void_form(seller, order) if seen is None else seen
    return seller.post(f"/seller/orders/{order}/void/", form | {"reason": reason})


def test_an_order_that_is_not_delivered_is_voided_once() -> None:
    account = open_purse("anna", cash_minor=50_000)
    purchase(wanted(account))
    order = Order.objects.get().id
    seller, stranger = operator(), customer()
    assert f"/seller/orders/{order}/void/" in seller.get(f"/seller/orders/{order}/").content.decode()
    with nothing_written():
        assert "¥132.50 that were set aside" in text_of(_void_page(seller, order))
        assert seller.post(f"/seller/orders/{order}/void/", {"reason": " "}).status_code == 422
        assert stranger.post(f"/seller/orders/{order}/void/", {"reason": "why"}).status_code == 403
    seen = _void_form(seller, order)
    done = _voided(seller, order, "ordered twice", seen)
    assert "The order is voided" in text_of(seller.get(done["Location"]))
    assert purses(account)["available"] == 50_000
    again = _voided(seller, order, "ordered twice", seen)
    assert "It is so already." in text_of(seller.get(again["Location"]))
    assert Order.objects.get().status == Status.CLOSED


def test_what_was_shown_before_a_delivery_is_not_voided() -> None:
    """Given two machines when the page is opened and one when it is sent, then nothing is done; it is shown anew."""
    account = open_purse("anna", cash_minor=50_000)
    purchase(wanted(account, replace(MONTHLY, count=2)))
    order, seller = Order.objects.get().id, operator()
    seen = _void_form(seller, order)
    one = Line.objects.order_by("id")[0]
    Line.objects.filter(id=one.id).update(state=Line.State.FAILED)
    with nothing_written():
        answer = _voided(seller, order, "why", seen)
    assert answer.status_code == 422
    assert "The order has changed since it was shown: look at it once more. Nothing was done." in text_of(answer)
    assert "1 machine is not delivered any more" in text_of(answer)


def test_what_is_delivered_is_not_voided_but_refunded() -> None:
    order = _order(buy_running(open_purse("anna", cash_minor=50_000), MONTHLY))
    seller = operator()
    assert "what is delivered is refunded" in text_of(_void_page(seller, order))
    with nothing_written():
        assert seller.post(f"/seller/orders/{order}/void/", {"reason": "why"}).status_code == 422
