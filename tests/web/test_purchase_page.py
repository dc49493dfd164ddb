"""The purchase page: buyable with zero edits, priced by the rule that charges, bought once."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.discounts import pays
from tests.web.visiting import Visitor, customer, form_of, operator, order_id_of, text_of
from vmart.catalog import shop as catalog
from vmart.catalog.models import Offer, Zone, ZoneImage
from vmart.instances import key_pairs
from vmart.instances.models import Instance, SealedPassword
from vmart.kernel.models import Deployment
from vmart.listings import overview
from vmart.orders.models import Idempotency, Line, Order
from vmart.placement.models import Host


def nothing_written(visitor: Visitor, gift_minor: int = 100_000) -> None:
    assert not Order.objects.exists()
    assert not Line.objects.exists()
    assert not Instance.objects.exists()
    assert not Idempotency.objects.exists()
    assert overview.balance(visitor.account_id) == overview.Balance(0, gift_minor, 0, 0)


def test_bought_with_zero_edits() -> None:
    """Given a customer, when she opens the page and presses the button, then she pays what it showed."""
    visitor = customer()
    page = visitor.get("/buy/", follow=True)
    assert re.search(r'<dd id="due">¥67\.00</dd>', page.content.decode())
    answer = visitor.buy()
    order = Order.objects.get(id=order_id_of(answer))
    assert (order.total_minor, order.count, order.charge_type, order.status) == (6700, 1, "PREPAID", 3)
    assert overview.balance(visitor.account_id) == overview.Balance(0, 100_000, 0, 6700)
    machine = Instance.objects.get()
    assert machine.instance_type_id == "S5.SMALL2"
    assert machine.public_ip_wanted
    assert machine.password_hash.startswith("$6$")


def test_an_account_with_a_discount_sees_its_own_prices() -> None:
    visitor = customer()
    pays(visitor.account_id, "0.875")
    page = visitor.get("/buy/", follow=True).content.decode()
    assert re.search(r'<dd id="due">¥58\.63</dd>', page)  # 0.875 × 67.00
    assert '<dd id="discount">12.5 %</dd>' in page
    answer = visitor.buy()
    assert Order.objects.get(id=order_id_of(answer)).total_minor == 5863
    stranger = Client().get("/buy/", follow=True).content.decode()
    assert re.search(r'<dd id="due">¥67\.00</dd>', stranger)
    assert 'id="discount"' not in stranger


@pytest.mark.parametrize("charge", ["prepaid", "postpaid", "spot"])
def test_who_pays_nothing_sees_a_price_of_nothing(charge: str) -> None:
    visitor = customer()
    pays(visitor.account_id, 0)
    answer = visitor.get(f"/buy/?charge={charge}&type=S5.SMALL2", follow=True)
    page = answer.content.decode()
    assert (answer.status_code, '<dd id="discount">100 %</dd>' in page) == (200, True)
    assert re.search(r'<dd id="due">¥0\.00</dd>', page)


def test_one_form_buys_once_however_often_it_is_sent() -> None:
    visitor = customer()
    form = visitor.buy_form() | {"act": "buy"}
    first, again = visitor.post("/buy/", form), visitor.post("/buy/", form)
    assert order_id_of(first) == order_id_of(again)
    assert Order.objects.count() == Instance.objects.count() == SealedPassword.objects.count() == 1
    assert not [name for name in (first.cookies | again.cookies) if name.startswith("login")]


def test_back_and_reload_show_what_the_form_has_bought_and_buy_nothing() -> None:
    """Given a purchase, when its page is opened again by *back*, then it says so and its button leads to the order."""
    visitor = customer()
    address = visitor.get("/buy/?name=web", follow=True).redirect_chain[-1][0]
    form = form_of(visitor.get(address)) | {"act": "buy"}
    bought = order_id_of(visitor.post("/buy/", form))
    page = visitor.get(address)
    assert f"This form has bought order {bought}." in text_of(page)
    assert order_id_of(visitor.post("/buy/", form_of(page) | {"act": "buy"})) == bought
    assert Order.objects.count() == 1
    another = re.search(r'href="(/buy/[^"]*)">Buy another one like it', page.content.decode())
    assert another
    fresh = form_of(visitor.get(another[1].replace("&amp;", "&"), follow=True))
    assert fresh["name"] == "web"
    assert order_id_of(visitor.post("/buy/", fresh | {"act": "buy"})) != bought


def test_a_used_form_with_another_name_asks_again() -> None:
    visitor = customer()
    form = visitor.buy_form() | {"act": "buy"}
    visitor.post("/buy/", form)
    again = visitor.post("/buy/", form | {"name": "second"})
    assert again.status_code == 409
    assert "already bought something" in text_of(again)
    assert 'value="second"' in again.content.decode()
    assert Order.objects.count() == 1
    assert order_id_of(visitor.post("/buy/", form_of(again) | {"act": "buy"})) != order_id_of(
        visitor.post("/buy/", form)
    )
    assert Order.objects.count() == 2


def test_a_form_that_bought_the_last_one_leads_to_its_order_when_sent_again() -> None:
    visitor = customer()
    Host.objects.filter(zone_id="ap-guangzhou-3").update(memory_capacity_mib=0)
    Host.objects.filter(zone_id="ap-guangzhou-3", name="gz3-a").update(memory_capacity_mib=2048)
    form = visitor.buy_form("?type=S5.SMALL2") | {"act": "buy"}
    assert form["type"] == "S5.SMALL2"
    first = visitor.post("/buy/", form)
    again = visitor.post("/buy/", form)
    assert again["Location"] == first["Location"]
    assert Order.objects.count() == 1


def test_what_is_charged_is_what_was_shown_although_the_form_was_changed_after() -> None:
    """Given a changed field that no script has priced, when it is sent, then the new price is shown first."""
    visitor = customer()
    form = visitor.buy_form() | {"act": "buy", "count": "3", "name": "web"}
    answer = visitor.post("/buy/", form)
    assert answer.status_code == 409
    assert "changed after its price was shown" in text_of(answer)
    assert '<dd id="due">¥201.00</dd>' in answer.content.decode()
    nothing_written(visitor)
    fresh = form_of(answer)
    assert fresh["count"] == "3"
    assert fresh["name"] == "web"
    order = Order.objects.get(id=order_id_of(visitor.post("/buy/", fresh | {"act": "buy"})))
    assert order.total_minor == 20_100


def test_a_quote_is_good_for_15_minutes_and_then_shown_again(test_clock: BusinessClock) -> None:
    visitor = customer()
    form = visitor.buy_form() | {"act": "buy"}
    test_clock.advance(minutes=15, seconds=1)
    late = visitor.post("/buy/", form)
    assert late.status_code == 409
    assert "too long ago to hold" in text_of(late)
    nothing_written(visitor)
    test_clock.advance(minutes=-1)
    assert order_id_of(visitor.post("/buy/", form))


@pytest.mark.parametrize("forged", ["", "x", "eyJhIjoxfQ:1:x"])
def test_a_forged_quote_buys_nothing(forged: str) -> None:
    visitor = customer()
    answer = visitor.buy(quote=forged)
    assert answer.status_code == 409
    nothing_written(visitor)


def test_a_quote_shown_to_another_account_buys_nothing() -> None:
    visitor, other = customer(), customer()
    quote = other.buy_form()["quote"]
    assert visitor.buy(quote=quote).status_code == 409
    nothing_written(visitor)


@pytest.mark.parametrize("token", ["", "short", "ü" * 40, "a" * 2000])
def test_a_token_of_the_wrong_form_buys_nothing(token: str) -> None:
    visitor = customer()
    assert visitor.buy(form=token).status_code == 409
    nothing_written(visitor)


def test_refused_without_csrf_token() -> None:
    visitor = customer(enforce_csrf_checks=True)
    form = visitor.buy_form() | {"act": "buy"}
    form.pop("csrfmiddlewaretoken")
    assert visitor.post("/buy/", form).status_code == 403
    nothing_written(visitor)


def test_a_stranger_sees_prices_and_signs_in_to_buy() -> None:
    stranger = Visitor()
    form = stranger.buy_form("?charge=postpaid&mbps=7")
    assert form["quote"] == ""
    answer = stranger.post("/buy/", form | {"act": "buy"})
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=%2Fbuy%2F%3Fcharge%3Dpostpaid")
    assert "mbps%3D7" in answer["Location"]
    assert not Order.objects.exists()


def test_the_seller_is_told_that_he_has_nothing_to_buy_with() -> None:
    page = operator().get("/buy/", follow=True)
    assert "You are signed in as the seller, who has no account to buy with." in text_of(page)
    assert "Sign in to buy" not in text_of(page)


def test_not_enough_money_is_said_and_nothing_written() -> None:
    visitor = customer(gift_minor=6_699)
    answer = visitor.buy()
    assert answer.status_code == 422
    assert "¥67.00 are needed and ¥66.99 are available" in text_of(answer)
    assert 'href="/balance/top-up/?amount=1.00&amp;next=%2Fbuy%2F%3F' in answer.content.decode()
    nothing_written(visitor, 6_699)


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"login": "password", "password": "short"}, "password", "A password has 8 to 30 characters"),
        ({"login": "password", "password": ""}, "password", "A password has 8 to 30 characters"),
        ({"login": "key"}, "login", "Choose a key pair."),
        ({"login": "key", "key": "skey-00000000"}, "login", "The key pair skey-00000000 does not exist."),
        (
            {"name": "x" * 129},
            "name",
            "A name has at most 128 characters, with its pattern and with each number in it; this has 129.",
        ),
    ],
)
def test_the_message_stands_beside_its_field(changed: dict[str, str], field: str, sentence: str) -> None:
    visitor = customer()
    answer = visitor.buy(**changed)
    assert answer.status_code == 422
    found = re.search(rf'id="error-{field}"[^>]*>([^<]*)<', answer.content.decode())
    assert found
    assert sentence in found[1]
    nothing_written(visitor)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("mbps=0", "mbps"), ("mbps=201", "mbps"), ("mbps=abc", "mbps"), ("mbps=-1", "mbps"),
        ("charge=postpaid&mbps=101", "mbps"), ("count=0", "count"), ("count=101", "count"), ("count=1e3", "count"),
        ("months=13", "months"), ("disk_gib=19", "disk_gib"), ("disk_gib=99999999", "disk_gib"),
        ("disk_gib=٣٠", "disk_gib"),
    ],
)  # fmt: skip
def test_wrong_numbers_are_kept_and_named(query: str, field: str) -> None:
    visitor = customer()
    page = visitor.get(f"/buy/?{query}", follow=True)
    assert page.status_code == 200
    html = page.content.decode()
    assert f'id="error-{field}"' in html
    assert 'id="due"' not in html
    typed = query.rpartition("=")[2]
    assert field == "months" or f'value="{typed}"' in html


@pytest.mark.parametrize(
    "query",
    [
        "zone=nowhere&region=mars&type=%00&image=';DROP TABLE x--&disk=<script>", "charge[]=x&key=%ff%fe",
        "name=%3Cscript%3Ealert(1)%3C/script%3E", "count=" + "9" * 5000, "login=key&key=" + "k" * 999,
        "type=C3.2XLARGE16",
    ],
)  # fmt: skip
def test_hostile_addresses_give_a_page(query: str) -> None:
    visitor = customer()
    for address in ("/buy/", "/buy/price/"):
        page = visitor.get(f"{address}?{query}", follow=True)
        assert page.status_code == 200
        assert b"<script>alert" not in page.content


def test_a_hostile_name_is_bought_and_shown_as_text() -> None:
    visitor = customer()
    answer = visitor.buy(name="<img src=x onerror=alert(1)>")
    for address in (answer["Location"], "/machines/", f"/machines/{Instance.objects.get().public_id}/"):
        page = visitor.get(address).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_query_budget() -> None:
    """The page takes at most 10 queries, a price update 7: session, user, market, balance, subnets, groups, images."""
    visitor = customer()
    visitor.get("/buy/", follow=True)
    with CaptureQueriesContext(connection) as page:
        assert visitor.get(f"/buy/?form={'f' * 43}").status_code == 200
    assert len(page) <= 10
    with CaptureQueriesContext(connection) as update:
        answer = visitor.get("/buy/price/?charge=postpaid&region=ap-shanghai&count=3", follow=True)
    assert answer.status_code == 200
    assert len(update) <= 7


def test_the_update_carries_price_stock_and_address() -> None:
    visitor = customer()
    answer = visitor.get("/buy/price/?charge=postpaid&type=S1.SMALL1&internet=bandwidth&mbps=6&count=2", follow=True)
    html = answer.content.decode()
    assert '<dd id="hourly">2 × ¥0.995</dd>' in html  # 0.42 + 20 × 0.0005 + 5 × 0.063 + 0.25
    assert '<dd id="hold">¥2.00</dd>' in html  # half-up(0.995) a machine
    assert "¥0.1428" in html  # the last tier by age
    assert answer["HX-Replace-Url"].startswith("/buy/?charge=postpaid&region=ap-guangzhou&zone=ap-guangzhou-3&")
    assert "password" not in answer["HX-Replace-Url"]
    for part in ("modes", "zones", "types", "images", "disks", "term", "lifecycle"):
        assert re.search(rf'id="{part}"[^>]* hx-swap-oob="true"', html), part


def test_what_is_sold_out_is_shown_and_gives_way_to_the_nearest() -> None:
    visitor = customer()
    html = visitor.get("/buy/?type=C3.2XLARGE16&family=all", follow=True).content.decode()
    assert "C3.2XLARGE16 is sold out in this zone; C3.LARGE8 is the nearest." not in html
    assert "C3.2XLARGE16 is sold out in this zone; S5.2XLARGE16 is the nearest." in html
    assert re.search(r'id="type-C3.2XLARGE16"[^>]* disabled', html)
    assert re.search(r'id="type-S5.2XLARGE16"[^>]* checked', html)


def test_a_catalog_change_is_seen_at_once() -> None:
    visitor = customer()
    visitor.get("/buy/", follow=True)
    cached = catalog.snapshot().generation
    Offer.objects.filter(zone_id="ap-guangzhou-3", instance_type_id="S5.SMALL2").update(sold_out=True)
    Deployment.objects.update(generation=cached + 1)
    html = visitor.get("/buy/?family=all", follow=True).content.decode()
    assert re.search(r'id="type-S5.SMALL2"[^>]* disabled', html)


def test_recalculate_without_script_keeps_everything_but_the_password() -> None:
    visitor = customer()
    form = visitor.buy_form() | {"act": "recalculate", "name": "web 1", "mbps": "12", "password": "Secret-word-1"}
    answer = visitor.post("/buy/", form)
    assert answer.status_code == 302
    assert "name=web+1" in answer["Location"]
    assert "Secret" not in answer["Location"]
    page = visitor.get(answer["Location"]).content.decode()
    assert 'value="web 1"' in page
    assert 'value="12"' in page


def test_a_key_pair_of_the_account_is_preselected_and_put_in_place() -> None:
    visitor = customer()
    pair, _private = key_pairs.create(by(visitor.account_id), "laptop")
    page = visitor.get("/buy/?login=key", follow=True)
    assert "laptop" in text_of(page)
    order_id_of(visitor.buy("?login=key", key=pair.public_id))
    machine = Instance.objects.get()
    assert machine.ssh_keys == [pair.public_key]
    assert machine.password_hash == ""


def test_the_page_in_chinese_has_chinese_names() -> None:
    visitor = Client(headers={"accept-language": "zh-CN"})
    html = visitor.get("/buy/", follow=True).content.decode()
    assert '<html lang="zh-hans">' in html
    assert "广州三区" in html


def test_a_shop_without_real_machines_tells_its_seller_how_to_get_them() -> None:
    hint = "All zones of this shop are simulated."
    assert hint in text_of(operator().get("/seller/"))
    page = text_of(Visitor().get("/buy/"))
    assert [word for word in (hint, "Incus", "doctor", "bin/run") if word in page] == []
    Zone.objects.filter(code="ap-guangzhou-3").update(engine_kind="incus", capabilities={"instance_kind": "container"})
    Deployment.objects.update(generation=catalog.snapshot().generation + 1)
    assert hint not in text_of(operator().get("/seller/"))
    page = text_of(Visitor().get("/buy/"))
    assert "Guangzhou Zone 3 Real machines System container" in page


def test_what_df_will_show_is_said_before_and_after_the_purchase() -> None:
    """Given machines that see the whole host's storage, then page, order and machine say so; else nothing is said."""
    said = "Inside the machine df shows 56 GiB for each disk: that is the storage of the whole host."
    visitor = customer()
    number = order_id_of(visitor.buy())
    machine = Instance.objects.get()
    pages = ("/buy/?zone=ap-guangzhou-3", f"/orders/{number}/", f"/machines/{machine.public_id}/")
    assert [said in text_of(visitor.get(page, follow=True)) for page in pages] == [False] * 3
    Zone.objects.filter(code="ap-guangzhou-3").update(
        capabilities={"instance_kind": "container", "df_shows_gib": 56, "pools": {"local": [12, 56]}}
    )
    assert machine.zone_id == "ap-guangzhou-3"
    assert [said in text_of(visitor.get(page, follow=True)) for page in pages] == [True] * 3


def test_a_zone_whose_image_is_being_made_says_how_far_and_still_sells() -> None:
    ZoneImage.objects.filter(zone_id="ap-guangzhou-3").update(status="preparing", percent=40, ready_at=None)
    visitor = customer()
    assert "Preparing image, 40 %" in text_of(visitor.get("/buy/", follow=True))
    assert order_id_of(visitor.buy())


def test_while_the_first_zones_engine_is_being_installed_another_is_preselected() -> None:
    """Given the first minute of a shop with a real engine, then zero edits buy, and the page says what comes."""
    zone = Zone.objects.get(code="ap-guangzhou-3")
    Zone.objects.filter(pk=zone.pk).update(engine_kind="incus", capabilities={}, engine_status="unreachable")
    Host.objects.filter(zone=zone).update(online=False)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    visitor = customer()
    page = visitor.get("/buy/", follow=True)
    assert form_of(page)["zone"] == "ap-guangzhou-4"
    assert "Engine is being set up Machines can be bought here as soon as it answers." in text_of(page)
    assert "Engine cannot be reached" not in text_of(page)
    visitor.buy()
    assert Instance.objects.get().zone_id == "ap-guangzhou-4"
    assert (
        form_of(visitor.get("/buy/?zone=ap-guangzhou-3", follow=True))["zone"] == "ap-guangzhou-3"
    )  # chosen is chosen

    Host.objects.filter(zone=zone).update(online=True)
    Zone.objects.filter(pk=zone.pk).update(capabilities={"instance_kind": "container"}, engine_status="ready")
    page = visitor.get("/buy/", follow=True)
    assert form_of(page)["zone"] == "ap-guangzhou-3"
    assert "Engine is being set up" not in text_of(page)
