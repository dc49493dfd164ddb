"""The page that renews: one machine or several, the term, its price, and what was shown is charged."""

import datetime as dt
import re

from tests.support.business_clock import BusinessClock
from tests.web.visiting import Visitor, customer, text_of, work
from vmart.instances.models import Instance
from vmart.listings.overview import balance
from vmart.orders.models import Line, Order

TERM = re.compile(r'name="(form|quote)" value="([^"]*)"')


def _prepaid(visitor: Visitor) -> Instance:
    visitor.buy()
    work()
    machine = Instance.objects.select_related("subscription").latest("id")
    assert machine.subscription.charge_type == "PREPAID"
    return machine


def _form(visitor: Visitor, address: str) -> dict[str, str]:
    return dict(TERM.findall(visitor.get(address).content.decode()))


def test_the_price_is_shown_and_charged_once_however_often_it_is_sent() -> None:
    visitor = customer()
    machine = _prepaid(visitor)
    address = f"/machines/renew/?id={machine.public_id}&months=1"
    page = text_of(visitor.get(address))
    assert "Due now ¥67.00" in page
    shown = _form(visitor, address)
    first = visitor.post(address, {**shown, "act": "pay"})
    again = visitor.post(address, {**shown, "act": "pay"})
    order = Order.objects.get(action="renew")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    assert "Renewal" in text_of(visitor.get(first["Location"]))
    assert machine.public_id in visitor.get("/orders/").content.decode()
    assert Line.objects.filter(subscription_id=machine.id).count() == 2
    assert "Paid ahead ¥67.00" in text_of(visitor.get(f"/machines/{machine.public_id}/"))


def test_to_a_unified_day_the_days_over_are_shown_and_charged() -> None:
    """Until 10 April, to the 20th: a month of 67.00 and ten thirtieths of it."""
    visitor = customer()
    machine = _prepaid(visitor)
    address = f"/machines/renew/?id={machine.public_id}&day=20"
    page = visitor.get(address)
    assert '<option value="20" selected>20</option>' in page.content.decode()
    assert "Due now ¥89.33" in text_of(page) and "2026-05-20" in text_of(page)
    before = balance(machine.account_id).available_minor
    visitor.post(address, {**_form(visitor, address), "act": "pay"})
    assert before - balance(machine.account_id).available_minor == 8933
    machine.refresh_from_db()
    expires_at = machine.subscription.expires_at
    assert expires_at is not None and expires_at.date() == dt.date(2026, 5, 20)


def test_it_is_placed_for_a_card() -> None:
    visitor = customer()
    machine = _prepaid(visitor)
    address = f"/machines/renew/?id={machine.public_id}&months=3"
    answer = visitor.post(address, {**_form(visitor, address), "act": "card"})
    order = Order.objects.get(action="renew")
    assert (answer["Location"], order.status) == (f"/orders/{order.id}/", 1)
    page = text_of(visitor.get(answer["Location"]))
    assert "Pay this order" in page
    visitor.post(f"/orders/{order.id}/pay/", {})
    order.refresh_from_db()
    assert order.status == 4


def test_a_price_that_was_not_shown_is_not_charged(test_clock: BusinessClock) -> None:
    visitor = customer()
    machine = _prepaid(visitor)
    address = f"/machines/renew/?id={machine.public_id}"
    shown = _form(visitor, address)
    for wrong in ({**shown, "quote": "forged"}, {**shown, "form": "x"}):
        assert visitor.post(address, {**wrong, "act": "pay"}).status_code == 200
    test_clock.advance(minutes=16)
    page = visitor.post(address, {**shown, "act": "pay"})
    assert "The price was shown too long ago to hold" in text_of(page)
    assert not Order.objects.filter(action="renew").exists()


def test_too_little_money_is_said_before_the_button_is_pressed() -> None:
    visitor = customer()
    machine = _prepaid(visitor)
    page = visitor.get(f"/machines/renew/?id={machine.public_id}&months=60")
    assert "are missing in your balance." in text_of(page)
    assert 'id="renew" disabled' in page.content.decode()


def test_wrong_choices_are_sentences_and_no_fault() -> None:
    visitor, other = customer(), customer()
    machine = _prepaid(visitor)
    assert visitor.get("/machines/renew/")["Location"] == "/machines/"
    for query, said in [
        (f"id={machine.public_id}&months=13", "A term of 13 months is not sold"),
        (f"id={machine.public_id}&day=99", "A unified day is 1 to 31."),
        ("id=ins-00000000", "The instance ins-00000000 does not exist."),
    ]:
        assert said in text_of(visitor.get(f"/machines/renew/?{query}"))
    assert "does not exist." in text_of(other.get(f"/machines/renew/?id={machine.public_id}"))
    assert "does not exist." in text_of(visitor.get("/machines/renew/?id=%00"))
    for odd in ("months=-1", "months=9999999", "months=x", "day=x", "day=0"):
        assert visitor.get(f"/machines/renew/?id={machine.public_id}&{odd}").status_code == 200


def test_the_switch_of_the_machine_page() -> None:
    visitor = customer()
    machine = _prepaid(visitor)
    flag = "NOTIFY_AND_AUTO_RENEW"
    answer = visitor.post("/machines/renew/flag/", {"id": machine.public_id, "flag": flag})
    assert answer["Location"] == f"/machines/{machine.public_id}/"
    machine.refresh_from_db()
    assert machine.subscription.renew_flag == flag
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Renewal setting changed" in page
    for odd in (
        {"id": machine.public_id, "flag": "ALWAYS"},
        {"id": "foo", "flag": flag},
        {"id": "\0", "flag": flag},
        {},
    ):
        assert visitor.post("/machines/renew/flag/", odd)["Location"] == "/machines/"
    machine.refresh_from_db()
    assert machine.subscription.renew_flag == flag


def test_several_are_chosen_in_the_list() -> None:
    visitor = customer()
    one, two = _prepaid(visitor), _prepaid(visitor)
    page = visitor.get("/machines/").content.decode()
    assert page.count('form="chosen" name="id"') == 2
    address = f"/machines/renew/?id={one.public_id}&id={two.public_id}"
    assert "Due now ¥134.00" in text_of(visitor.get(address))
    visitor.post(address, {**_form(visitor, address), "act": "pay"})
    assert Order.objects.get(action="renew").count == 2


def test_what_has_no_term_is_left_out_of_those_that_are_chosen() -> None:
    visitor = customer()
    prepaid = _prepaid(visitor)
    visitor.buy("?charge=postpaid&name=hour")
    work()
    postpaid = Instance.objects.exclude(public_id=prepaid.public_id).get()
    answer = visitor.get(f"/machines/renew/?id={prepaid.public_id}&id={postpaid.public_id}&months=2")
    assert answer["Location"] == f"/machines/renew/?id={prepaid.public_id}&months=2"
    shown = text_of(visitor.get(answer["Location"]))
    assert "What is postpaid has no term to renew and is left out." in shown
    assert "Due now" in shown
