"""Too little money is said before the button is pressed; the choices survive sign-in, sign-up, top-up and card."""

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from tests.web.test_others_things import CARD
from tests.web.visiting import PASSWORD, Visitor, customer, form_of, order_id_of, text_of
from vmart.customers.models import User
from vmart.instances.models import Instance
from vmart.listings import overview
from vmart.orders.models import Order
from vmart.pages import shown_quote
from vmart.payments.models import Payment
from vmart.payments.providers import sandbox

CHOICES = "charge=postpaid&type=S5.SMALL1&mbps=7&name=web&count=2&data_disk=CLOUD_SSD&data_gib=30"


@pytest.fixture(autouse=True)
def _cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_SANDBOX_CARDS", "1")


def _chosen(address: str) -> dict[str, list[str]]:
    """The choices in an address of the purchase page, without the form's token."""
    assert urlsplit(address).path == "/buy/"
    return {name: value for name, value in parse_qs(urlsplit(address).query).items() if name != "form"}


def _main(page: HttpResponse) -> str:
    """The page below its frame: the language's button keeps the whole address, however it came."""
    return page.content.decode().partition("<main")[2]


def _button(page: str) -> tuple[str, str]:
    found = re.search(r'<button class="btn btn-primary" name="act" value="(\w+)" id="buy"[^>]*>([^<]*)<', page)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize(
    ("gift_minor", "query", "button"),
    [
        (6_700, "", ("buy", "Pay and create")),
        (6_699, "", ("top_up", "Top up ¥1.00 and create")),  # no card pays less
        (0, "", ("top_up", "Top up ¥67.00 and create")),
        (1_250, "?count=2", ("top_up", "Top up ¥121.50 and create")),
        (0, "?charge=postpaid", ("top_up", "Top up ¥1.00 and create")),
        (19, "?charge=postpaid", ("buy", "Create")),
    ],
)
def test_the_button_says_what_is_lacking(gift_minor: int, query: str, button: tuple[str, str]) -> None:
    visitor = customer(gift_minor=gift_minor)
    assert _button(visitor.get(f"/buy/{query}", follow=True).content.decode()) == button
    assert _button(visitor.get(f"/buy/price/{query}").content.decode()) == button


def test_what_is_owed_is_topped_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = customer(gift_minor=0)
    monkeypatch.setattr(overview, "balance", lambda _account: overview.Balance(0, 0, 250, 0))
    assert _button(visitor.get("/buy/", follow=True).content.decode()) == ("top_up", "Top up ¥69.50 and create")


def test_the_top_up_carries_amount_and_way_back_and_the_choices_survive_it() -> None:
    visitor = customer(gift_minor=0)
    form = visitor.buy_form(f"?{CHOICES}")
    asked = visitor.post("/buy/", form | {"act": "top_up"})
    assert asked.status_code == 302
    assert asked["Location"].startswith("/balance/top-up/?amount=1.00&next=%2Fbuy%2F%3Fcharge%3Dpostpaid")
    assert not Payment.objects.exists()
    page = _main(visitor.get(asked["Location"]))
    assert 'name="amount" inputmode="decimal" autocomplete="off" value="1.00"' in page
    back = re.search(r'name="next" value="([^"]+)"', page)
    assert back
    assert f'<a href="{back[1]}">← Back without topping up</a>' in page
    typed = CARD | {"amount": "1.00", "token": shown_quote.new_token(), "next": html.unescape(back[1])}
    paid = visitor.post("/balance/top-up/", typed)
    answer = visitor.get(paid["Location"], follow=True)
    assert overview.balance(visitor.account_id).cash_minor == 100
    assert _chosen(answer.redirect_chain[-1][0]).items() >= parse_qs(CHOICES).items()
    assert "The money is in your balance." in text_of(answer)
    again = form_of(answer)
    assert again == form | {name: again[name] for name in ("quote", "csrfmiddlewaretoken") if name in again}
    order_id_of(visitor.post("/buy/", again | {"act": "buy"}))
    assert sorted(Instance.objects.values_list("name", flat=True)) == ["web1", "web2"]


def test_a_declined_card_keeps_amount_and_way_back() -> None:
    visitor = customer(gift_minor=0)
    back = f"/buy/?{CHOICES}"
    typed = CARD | {"card": sandbox.DECLINED, "amount": "12.50", "token": shown_quote.new_token(), "next": back}
    page = visitor.get(visitor.post("/balance/top-up/", typed)["Location"])
    again = re.search(r'<a class="btn" href="([^"]+)">Try again', page.content.decode())
    assert again
    address = html.unescape(again[1])
    assert parse_qs(urlsplit(address).query) == {"amount": ["12.50"], "next": [back]}
    assert 'value="12.50"' in visitor.get(address).content.decode()
    assert overview.balance(visitor.account_id) == overview.Balance(0, 0, 0, 0)


def test_a_refused_amount_keeps_the_way_back() -> None:
    visitor = customer(gift_minor=0)
    answer = visitor.post("/balance/top-up/", CARD | {"amount": "x", "next": "/buy/?mbps=7"})
    assert answer.status_code == 422
    assert 'name="next" value="/buy/?mbps=7"' in answer.content.decode()
    assert not Payment.objects.exists()


def test_a_script_that_asks_for_the_payment_is_sent_back_too() -> None:
    visitor = customer(gift_minor=0)
    typed = CARD | {"amount": "5", "token": shown_quote.new_token(), "next": "/buy/?mbps=7"}
    visitor.post("/balance/top-up/", typed)
    payment = Payment.objects.get()
    answer = visitor.get(f"/payments/{payment.id}/state/?next=/buy/%3Fmbps%3D7")
    assert answer["HX-Redirect"] == f"/payments/{payment.id}/?next=%2Fbuy%2F%3Fmbps%3D7"
    assert "HX-Redirect" not in visitor.get(f"/payments/{payment.id}/state/")


@pytest.mark.parametrize(
    "there", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_no_way_back_leaves_the_shop(there: str) -> None:
    visitor = customer(gift_minor=0)
    page = visitor.get("/balance/top-up/", {"amount": "5", "next": there})
    assert "evil" not in _main(page)
    answer = visitor.post("/balance/top-up/", CARD | {"amount": "5", "token": shown_quote.new_token(), "next": there})
    payment = Payment.objects.get()
    assert answer["Location"] == f"/payments/{payment.id}/"
    shown = visitor.get(f"/payments/{payment.id}/", {"next": there})
    assert shown.status_code == 200
    assert "evil" not in _main(shown)


def test_a_button_of_an_older_page_leads_to_the_form_when_nothing_lacks_any_more() -> None:
    visitor = customer()
    form = visitor.buy_form(f"?{CHOICES}")
    answer = visitor.post("/buy/", form | {"act": "top_up"})
    assert (answer.status_code, urlsplit(answer["Location"]).path) == (302, "/buy/")
    wrong = visitor.post("/buy/", form | {"act": "top_up", "count": "0"})
    assert wrong.status_code == 409
    assert "Enter a number from 1 to 100." in text_of(wrong)
    assert not Order.objects.exists()


def test_the_choices_survive_sign_in_and_from_there_sign_up() -> None:
    stranger = Visitor()
    asked = stranger.post("/buy/", stranger.buy_form(f"?{CHOICES}") | {"act": "buy"})
    sign_in = stranger.get(asked["Location"])
    ways = re.findall(r'href="(/accounts/signup/[^"]*)"', sign_in.content.decode())
    assert len(ways) == 2  # beside the form and at the top
    for way in ways:
        sign_up = _main(stranger.get(html.unescape(way)))
        back = re.search(r'name="next" value="([^"]+)"', sign_up)
        assert back
        assert _chosen(html.unescape(back[1])).items() >= parse_qs(CHOICES).items()
    new = {"email": "new@example.org", "password1": PASSWORD, "next": html.unescape(back[1])}
    answer = stranger.post("/accounts/signup/", new, follow=True)
    assert _chosen(answer.redirect_chain[-1][0]).items() >= parse_qs(CHOICES).items()
    assert form_of(answer)["data_gib"] == ["30"]

    User.objects.filter(email="new@example.org").update(is_active=True)
    other = Client()
    typed = {"login": "new@example.org", "password": PASSWORD, "next": html.unescape(back[1])}
    answer = other.post("/accounts/login/", typed, follow=True)
    assert _chosen(answer.redirect_chain[-1][0]).items() >= parse_qs(CHOICES).items()


def test_what_was_changed_by_script_survives_the_links_at_the_top() -> None:
    update = Visitor().get(f"/buy/price/?{CHOICES}").content.decode()
    links = [html.unescape(found) for found in re.findall(r'href="(/accounts/[^"]*)"', update)]
    assert [urlsplit(link).path for link in links] == ["/accounts/login/", "/accounts/signup/"]
    for link in links:
        (back,) = parse_qs(urlsplit(link).query)["next"]
        assert _chosen(back).items() >= parse_qs(CHOICES).items()
    language = re.search(r'id="language" hx-swap-oob="true">.*?name="next" value="([^"]+)"', update, re.DOTALL)
    assert language
    assert _chosen(html.unescape(language[1])).items() >= parse_qs(CHOICES).items()


def test_the_choices_survive_a_declined_card_that_was_to_pay_the_order() -> None:
    visitor = customer(gift_minor=0)
    order_id = order_id_of(visitor.post("/buy/", visitor.buy_form(f"?{CHOICES}") | {"act": "card"}))
    declined = CARD | {"card": sandbox.DECLINED, "by": "card", "token": shown_quote.new_token()}
    page = visitor.get(visitor.post(f"/orders/{order_id}/pay/", declined)["Location"]).content.decode()
    assert f'<a class="btn" href="/orders/{order_id}/">Try again</a>' in page
    paid = visitor.post(f"/orders/{order_id}/pay/", CARD | {"by": "card", "token": shown_quote.new_token()})
    assert visitor.get(paid["Location"])["Location"] == f"/orders/{order_id}/"
    assert Order.objects.get().status == 3
    assert sorted(Instance.objects.values_list("name", flat=True)) == ["web1", "web2"]
