"""The overview of who has something, and who is led to it."""

import re

from tests.web.visiting import Visitor, customer, order_id_of, text_of, work
from vmart.instances.models import Instance


def _figures(page: str) -> dict[str, str]:
    return {name: re.sub("<[^>]*>", "", value) for name, value in re.findall(r'<dd id="(\w+)">(.*?)</dd>', page)}


def test_who_has_nothing_is_led_to_buy_and_who_has_something_to_the_overview() -> None:
    assert Visitor().get("/")["Location"] == "/buy/"
    visitor = customer()
    assert visitor.get("/")["Location"] == "/buy/"
    order_id_of(visitor.buy())
    assert visitor.get("/")["Location"] == "/overview/"


def test_an_empty_one_says_so() -> None:
    page = customer().get("/overview/")
    assert _figures(page.content.decode()) == {
        "running": "0 / 0", "hour": "¥0.00", "month": "¥0.00", "projected": "¥0.00", "available": "¥1,000.00",
    }  # fmt: skip
    assert "Nothing. All that you bought is as you left it." in text_of(page)
    assert "Nothing ends so soon." in text_of(page)


def test_what_runs_costs_and_waits_is_shown() -> None:
    visitor = customer()
    order_id_of(visitor.buy("?charge=postpaid&name=web"))
    work()
    page = visitor.get("/overview/")
    shown = _figures(page.content.decode())
    assert (shown["running"], shown["hour"], shown["month"]) == ("1 / 1", "¥0.19", "¥0.00")
    machine = Instance.objects.get()
    assert f'<a href="/machines/{machine.public_id}/">web</a>' in page.content.decode()
    assert "has a password that the shop still keeps for you." in text_of(page)


def test_strangers_sign_in_and_operators_see_their_own_page() -> None:
    assert Visitor().get("/overview/")["Location"] == "/accounts/login/?next=/overview/"
