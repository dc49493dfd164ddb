"""Given a form, when "Dry run" is pressed, then the page says whether it would be bought now, and nothing changes."""

import re

import pytest
from django.http import HttpResponse

from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Visitor, customer, form_of, order_id_of, text_of
from vmart.orders.models import Order
from vmart.placement.models import Host

ACCEPTED = "This would be accepted now. Nothing was bought."


def _tried(visitor: Visitor, query: str = "", **typed: str) -> HttpResponse:
    """The form as it is shown, with the button pressed; no row is another afterwards."""
    form = visitor.buy_form(query) | {"act": "dry_run"} | typed
    with nothing_written():
        return visitor.post("/buy/", form)


@pytest.mark.parametrize("query", ["", "?charge=postpaid&count=3", "?charge=spot&type=S5.SMALL2"])
def test_it_would_be_accepted_and_is_not_bought(query: str) -> None:
    visitor = customer()
    answer = _tried(visitor, query)
    assert answer.status_code == 200
    notice = re.search(r'<div class="notice success"[^>]*>(.*?)</div>', answer.content.decode())
    assert notice
    assert ACCEPTED in notice[1]
    assert order_id_of(visitor.post("/buy/", form_of(answer) | {"act": "buy"}))  # by the same form
    assert Order.objects.count() == 1


def test_what_was_changed_after_the_price_was_shown_is_tried_as_it_is() -> None:
    answer = _tried(customer(), count="2", name="web")
    assert answer.status_code == 200
    assert ACCEPTED in text_of(answer)
    assert (form_of(answer)["count"], form_of(answer)["name"]) == ("2", "web")


def test_too_little_money_is_said_with_the_way_to_more() -> None:
    answer = _tried(customer(gift_minor=0))
    assert answer.status_code == 422
    assert ACCEPTED not in text_of(answer)
    assert re.search(
        r'id="refused".*balance.*<a href="/balance/top-up/\?[^"]*">Top up</a>', answer.content.decode(), re.S
    )


@pytest.mark.parametrize(
    ("typed", "field", "text"),
    [
        ({"mbps": "999"}, "mbps", "Enter a number from 1 to"),
        ({"name": "x" * 129}, "name", "A name has at most 128 characters"),
        ({"login": "password", "password": "weak"}, "password", "A password has 8 to 30 characters"),
        ({"login": "key"}, "login", "Choose a key pair."),
        ({"tags": "qcloud:a=b"}, "tags", "qcloud"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(typed: dict[str, str], field: str, text: str) -> None:
    answer = _tried(customer(), **typed)
    assert answer.status_code == 422
    refused = re.search(r'id="refused".*?</ul>', answer.content.decode(), re.DOTALL)
    assert refused
    assert f'href="#{field}' in refused[0]
    assert text in refused[0]


def test_more_machines_than_there_is_room_for_are_refused() -> None:
    Host.objects.filter(zone_id=ZONE).update(memory_capacity_mib=0)
    Host.objects.filter(zone_id=ZONE, name="gz3-a").update(memory_capacity_mib=2048)
    visitor = customer()
    assert ACCEPTED in text_of(_tried(visitor, "?type=S5.SMALL2"))
    answer = _tried(visitor, "?type=S5.SMALL2&count=2")
    assert answer.status_code == 422
    assert ACCEPTED not in text_of(answer)
    assert re.search(r'id="refused".*href="#type-S5.SMALL2"', answer.content.decode(), re.DOTALL)


def test_a_stranger_has_no_button_and_is_shown_the_form() -> None:
    visitor = Visitor()
    page = visitor.get("/buy/")
    assert 'value="dry_run"' not in page.content.decode()
    with nothing_written():
        answer = visitor.post("/buy/", form_of(page) | {"act": "dry_run"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/buy/?charge=prepaid&")
