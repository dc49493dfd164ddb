"""Given a customer, then pages sell public addresses by the month, renew and return them, and say what each costs."""

import re

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses
from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Form, Visitor, customer, text_of, work
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.network.models import Eip
from vmart.orders.models import Order
from vmart.pricing import books
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.worker.models import Operation

ASKED = f"/addresses/buy/?zone={ZONE}&mode=BANDWIDTH_PREPAID_BY_MONTH&bandwidth=5&count=1&name=front"


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _bought(visitor: Visitor, months: int = 1) -> Eip:
    page = visitor.get(f"{ASKED}&months={months}")
    visitor.post("/addresses/buy/", Form(page.content.decode(), "/addresses/buy/").data)
    Operation.objects.filter(kind="close_hour").delete()
    return Eip.objects.latest("id")


def _confirm(visitor: Visitor, address: str) -> str:
    """What the form there shows is paid; the order's page."""
    page = visitor.get(address).content.decode()
    answer = visitor.post(address, Form(page, "").data | {"act": "pay"})
    return text_of(visitor.get(answer["Location"]))


def test_it_is_bought_for_a_term_at_the_price_that_is_shown(visitor: Visitor) -> None:
    """5 Mbps for 3 months: 3 × 115.00."""
    page = visitor.get(f"{ASKED}&months=3").content.decode()
    assert re.findall(r'id="(?:term|idle|hourly)">([^<]*)<', page) == ["¥345.00"]
    before = purses(visitor.account_id)["available"]
    form = Form(page, "/addresses/buy/").data
    with nothing_written():
        assert "¥345.00" in text_of(visitor.post("/addresses/buy/", form | {"shown": "1"}))
    answer = visitor.post("/addresses/buy/", form)
    visitor.post("/addresses/buy/", form)  # sent again
    eip = Eip.objects.get()
    assert answer["Location"] == f"/addresses/{eip.public_id}/"
    assert before - purses(visitor.account_id)["available"] == 34_500
    shown = text_of(visitor.get(f"/addresses/{eip.public_id}/"))
    for words in ("By bandwidth, monthly", "Paid until", "2026-06-10", "For 1 month", "¥115.00", "Return", "Renew"):
        assert words in shown, words
    assert "Idle, an hour" not in shown
    order = Order.objects.get(action="buy_address")
    assert "Public address by the month" in text_of(visitor.get("/orders/"))
    shown = text_of(visitor.get(f"/orders/{order.id}/"))
    assert (eip.public_id in shown, "1 of 1" in shown) == (True, True)


def test_what_several_cost_together_is_shown_before_they_are_bought(visitor: Visitor) -> None:
    page = visitor.get(ASKED.replace("count=1", "count=3") + "&months=1").content.decode()
    assert re.findall(r'id="(term|due)">([^<]*)<', page) == [("term", "¥115.00"), ("due", "¥345.00")]


def test_the_page_of_one_stays_where_no_single_month_is_sold_any_more(
    visitor: Visitor, test_clock: BusinessClock
) -> None:
    eip = _bought(visitor, 3)
    row = Book.objects.latest("effective_at")
    changed = row.document | {"version": row.version + 1, "effective_at": test_clock.at.isoformat()}
    changed["sales"] = changed["sales"] | {"periods_months": [3, 6, 12]}
    with db.act():
        books.publish(parse_book(changed), test_clock.at - HOUR)
    books.forget()
    page = text_of(visitor.get(f"/addresses/{eip.public_id}/"))
    assert ("Paid until" in page, "For 1 month" in page) == (True, False)


@pytest.mark.parametrize("months", ["13", "x"])
def test_a_term_that_is_not_sold_is_said_beside_its_field(visitor: Visitor, months: str) -> None:
    with nothing_written():
        answer = visitor.get(f"{ASKED}&months={months}")
    assert (answer.status_code, "months_error" in answer.content.decode()) == (422, True)


def test_what_is_postpaid_takes_no_term_of_the_form(visitor: Visitor) -> None:
    asked = ASKED.replace("BANDWIDTH_PREPAID_BY_MONTH", "TRAFFIC_POSTPAID_BY_HOUR")
    page = visitor.get(f"{asked}&months=3")
    visitor.post("/addresses/buy/", Form(page.content.decode(), "/addresses/buy/").data)
    assert Eip.objects.get().internet_charge_type == "TRAFFIC_POSTPAID_BY_HOUR"


def test_it_is_renewed_returned_and_given_back(visitor: Visitor, test_clock: BusinessClock) -> None:
    eip = _bought(visitor)
    before = purses(visitor.account_id)["available"]
    shown = _confirm(visitor, f"/addresses/renew/?id={eip.public_id}&months=2")
    assert ("Renewal of a public address" in shown, before - purses(visitor.account_id)["available"]) == (True, 23_000)
    address = f"/addresses/{eip.public_id}/release/"
    page = visitor.get(address)
    assert "¥345.00" in text_of(page)  # the one free return
    before, sent = purses(visitor.account_id)["available"], Form(page.content.decode(), "").data
    answer = visitor.post(address, sent)
    assert (answer["Location"], purses(visitor.account_id)["available"] - before) == (
        f"/addresses/{eip.public_id}/", 34_500,
    )  # fmt: skip
    work()
    with nothing_written():
        visitor.post(address, sent)  # sent again, it gives nothing up for good
    shown = text_of(visitor.get(f"/addresses/{eip.public_id}/"))
    for words in ("It leads nowhere: its term is over.", "2026-03-18", "Give back", "¥345.00 given back"):
        assert (words in shown) == (words != "¥345.00 given back"), words
    _confirm(visitor, f"/addresses/renew/?id={eip.public_id}")
    assert Eip.objects.select_related("subscription").get().subscription.standing == "active"
    for _ in range(2):
        visitor.post(address, Form(visitor.get(address).content.decode(), "").data)
        work()
    assert Eip.objects.get().state == "GONE"


def test_its_bandwidth_goes_up_by_an_order_and_down_at_once(visitor: Visitor) -> None:
    """31 days: up 450.00 × 1.02; then down 565.00 + … − 115.00 × 1.02, as the order of the term and of more."""
    eip = _bought(visitor)
    address, before = f"/addresses/{eip.public_id}/bandwidth/", purses(visitor.account_id)["available"]
    shown = visitor.get(f"{address}?bandwidth=10").content.decode()
    assert re.findall(r'id="due">([^<]*)<', shown) == ["¥459.00"]
    shown = _confirm(visitor, f"{address}?bandwidth=10")
    assert ("Faster public address" in shown, before - purses(visitor.account_id)["available"]) == (True, 45_900)
    assert Eip.objects.get().bandwidth_mbps == 10
    page = visitor.get(f"{address}?bandwidth=5").content.decode()
    assert re.findall(r'id="back">([^<]*)<', page) == ["¥456.70"]  # 115.00 + 459.00 − 117.30
    before = purses(visitor.account_id)["available"]
    visitor.post(address, Form(page, "").data)
    assert (Eip.objects.get().bandwidth_mbps, purses(visitor.account_id)["available"] - before) == (5, 45_670)


def test_it_is_charged_otherwise_twice(visitor: Visitor) -> None:
    """To traffic at once: 115.00 come back. To the month again: 2 Mbps are 40.00."""
    eip = _bought(visitor)
    address, before = f"/addresses/{eip.public_id}/charged/", purses(visitor.account_id)["available"]
    page = visitor.get(f"{address}?mode=TRAFFIC_POSTPAID_BY_HOUR&bandwidth=5").content.decode()
    assert re.findall(r'id="back">([^<]*)<', page) == ["¥115.00"]
    visitor.post(address, Form(page, "").data)
    assert purses(visitor.account_id)["available"] - before == 11_500 - 20
    assert (Eip.objects.get().internet_charge_type, Eip.objects.get().mode_changes) == ("TRAFFIC_POSTPAID_BY_HOUR", 1)
    shown = _confirm(visitor, f"{address}?mode=BANDWIDTH_PREPAID_BY_MONTH&bandwidth=2&months=1")
    assert "Public address by the month from now on" in shown
    assert (Eip.objects.get().internet_charge_type, Eip.objects.get().bandwidth_mbps) == (
        "BANDWIDTH_PREPAID_BY_MONTH", 2,
    )  # fmt: skip
    with nothing_written():
        answer = visitor.get(f"{address}?mode=TRAFFIC_POSTPAID_BY_HOUR&bandwidth=5")
    assert (answer.status_code, "charged otherwise 2 times" in text_of(answer)) == (422, True)
    with nothing_written():
        assert visitor.get(f"{address}?mode=BY_MOON&bandwidth=5").status_code == 422


def test_what_cannot_be_returned_says_why(visitor: Visitor, test_clock: BusinessClock) -> None:
    eip = _bought(visitor)
    visitor.buy("?charge=postpaid&address=0", name="bare")
    work()
    (machine,) = re.findall(r"ins-[a-z0-9]{8}", visitor.get(f"/addresses/{eip.public_id}/").content.decode())[:1]
    visitor.post(f"/addresses/{eip.public_id}/bind/", {"machine": machine})
    work()
    answer = visitor.get(f"/addresses/{eip.public_id}/release/")
    assert answer["Location"] == f"/addresses/{eip.public_id}/"
    assert "is bound to a machine" in text_of(visitor.get(answer["Location"]))


def test_it_is_switched_to_renew_itself(visitor: Visitor) -> None:
    eip = _bought(visitor)
    visitor.post("/addresses/renew/flag/", {"id": eip.public_id, "flag": "NOTIFY_AND_AUTO_RENEW"})
    assert Eip.objects.select_related("subscription").get().subscription.renew_flag == "NOTIFY_AND_AUTO_RENEW"
    with nothing_written():
        visitor.post("/addresses/renew/flag/", {"id": eip.public_id, "flag": "ALWAYS"})
