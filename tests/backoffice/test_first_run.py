"""From an empty shop to the first sale by the pages of the first run."""

import html
import re
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import yaml
from django.http import HttpResponse

from tests.backoffice.test_own_shop import file, save
from tests.catalog.test_brand import SVG, picture
from tests.support import actors
from tests.support.at_once import at_once
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG, Databases
from tests.support.written import nothing_written
from tests.web.visiting import PASSWORD, Form, Visitor, customer, open_business, operator, text_of, work
from vmart.backoffice import book_names, prices
from vmart.backoffice.apply_catalog import ChangedMeanwhile, applied, apply_file, apply_text, last_applied
from vmart.backoffice.first_run import answers, trial
from vmart.catalog import logo
from vmart.catalog import shop as catalog
from vmart.catalog.models import Applied, Draft, Zone
from vmart.config import bring_up
from vmart.customers.models import Account, User
from vmart.events.actor import SELLER, Actor
from vmart.events.models import Event
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.kernel.documents import read_yaml
from vmart.kernel.models import Deployment
from vmart.ledger.models import ByHand
from vmart.orders import open_account
from vmart.orders.models import Order
from vmart.placement.models import Host
from vmart.provisioning import zones

HERE = "/seller/first-run/"
HOST = {
    "month": "700", "vcpu": "32", "memory_gib": "128", "disk_gib": "2000", "vcpu_overcommit": "4", "fill_percent": "70",
    "margin_percent": "40", "cpu_percent": "45", "memory_percent": "35", "line_month": "210", "line_mbps": "500",
    "hour_factor": "1.5",
}  # fmt: skip
SAID: dict[str, dict[str, str]] = {
    "name": {"name_en": "Northwind Cloud", "name_zh": "北风云", "currency": "EUR", "billing_zone": "Europe/Berlin"},
    "place": {"engine": "simulated", "place_en": "Berlin", "place_zh": "柏林", "code": "eu-berlin", "country": "DE"},
    "images": {"images": "debian-12"},
    "host": HOST,
    "prices": {},
    "addresses": {},
    "payment": {},
    "terms": {"support": "help@northwind.example", "terms_en": "Be kind.\n\nPay."},
}


@pytest.fixture
def empty(db: Databases, monkeypatch: pytest.MonkeyPatch) -> Visitor:
    """The seller of a shop without a catalog."""
    monkeypatch.delenv("VMART_BILLING_ZONE", raising=False)
    Deployment.objects.update(currency="CNY", billing_zone="Asia/Shanghai")
    catalog.refresh()
    return operator()


def send(seller: Visitor, step: str, **said: Any) -> HttpResponse:
    """The step's page as it is shown, with these fields said otherwise, saved."""
    page = seller.get(f"{HERE}{step}/")
    assert page.status_code == 200, page
    return seller.post(f"{HERE}{step}/", Form(page.content.decode(), "").data | said)


def answer_all(seller: Visitor) -> None:
    for step, said in SAID.items():
        answer = send(seller, step, **said)
        assert answer.status_code == 302, (step, text_of(answer))


def test_from_nothing_to_a_delivered_test_order(empty: Visitor) -> None:
    seller = empty
    assert seller.get(HERE)["Location"] == f"{HERE}name/"
    answer_all(seller)
    assert seller.get(HERE)["Location"] == f"{HERE}open/"
    page = text_of(seller.get(f"{HERE}open/"))
    for said in ("Northwind Cloud", "EUR", "Europe/Berlin", "Berlin A", "S1.MEDIUM4 2 vCPU · 4 GiB 29.95 0.0616"):
        assert said in page
    text = seller.get(f"{HERE}catalog.yaml").content.decode()
    with nothing_written():
        seller.get(f"{HERE}catalog.yaml")
    assert seller.post(f"{HERE}open/")["Location"] == f"{HERE}test/"
    here = catalog.current()
    assert (here.open, here.currency, here.billing_zone.key) == (True, "EUR", "Europe/Berlin")
    assert (here.brand.name_zh, here.brand.colour_light, here.brand.logo_id) == ("北风云", "", "")
    assert here.regions["eu-berlin"].country == "DE"
    assert (Applied.objects.get().text, Applied.objects.get().by) == (text, seller.user.email)
    assert apply_text(text) == []
    host = Host.objects.get()
    assert (host.vcpu_capacity, host.memory_capacity_mib) == (32 * 4, 128 * 1024)

    open_business_of("eu-berlin-a")
    assert "Place the test order" in text_of(seller.get(f"{HERE}test/"))
    assert seller.post(f"{HERE}test/buy/", {"number": "0"})["Location"] == f"{HERE}test/"
    assert "Look again" in text_of(seller.get(f"{HERE}test/"))
    work()
    page = text_of(seller.get(f"{HERE}test/"))
    assert "Your first sale is delivered" in page
    order, machine = Order.objects.get(), Instance.objects.get()
    assert (order.account.name, machine.state, machine.instance_type_id) == (trial.NAME, "RUNNING", "S1.SMALL1")
    assert machine.public_id in page
    assert [(row.purse, row.reason, row.actor) for row in ByHand.objects.all()] == [
        ("gift", "Test order of the seller", seller.user.email)
    ]
    told = Event.objects.filter(account_id=order.account_id, kind="RunInstances").latest("id").actor
    assert (told["via"], told["user"]) == ("seller", seller.user.email)
    assert "Orders today 1" in text_of(seller.get("/seller/"))
    assert seller.post(f"{HERE}test/end/").status_code == 302
    work()
    assert Instance.objects.get().state in ("SHUTDOWN", "GONE")


def open_business_of(zone: str) -> None:
    bring_up.start_business()
    zones.check(zone)
    zones.prepare_images(zone)


def test_each_step_keeps_what_was_said_and_leads_to_the_next(empty: Visitor) -> None:
    for step, following in zip(answers.ASKED, [*answers.ASKED[1:], "open"], strict=True):
        answer = send(empty, step, **SAID[step])
        assert answer["Location"] == f"{HERE}{following}/"
    assert answers.kept()["name"]["name_en"] == "Northwind Cloud"
    page = empty.get(f"{HERE}name/").content.decode()
    assert 'value="Northwind Cloud"' in page
    assert page.count('<li class="done"') == len(answers.ASKED) - 1


def test_steps_saved_at_once_are_all_kept(empty: Visitor) -> None:
    """Given two windows, when each saves or takes back a step at once, then none undoes the other's."""
    for number in range(10):
        said = {step: {"said": str(number)} for step in ("name", "place", "images", "terms")}
        answers.keep("host", {"month": "1"}, actors.SELLER)
        deeds = [partial(answers.keep, step, fields, actors.SELLER) for step, fields in said.items()]
        assert at_once(*deeds, lambda: answers.forget("host", actors.SELLER)) == [None] * 5
        assert answers.kept() == said


def test_every_default_can_be_kept_but_the_name(empty: Visitor) -> None:
    """Given a seller who presses the button on each page, then only the shop's name is asked of him."""
    answer = send(empty, "name")
    assert (answer.status_code, "Say what the shop is called." in text_of(answer)) == (422, True)
    send(empty, "name", name_en="Mine")
    for step in answers.ASKED[1:]:
        assert send(empty, step).status_code == 302
    assert empty.post(f"{HERE}open/")["Location"] == f"{HERE}test/"


def test_prices_follow_the_host_until_they_are_edited_and_again_when_it_changes(empty: Visitor) -> None:
    send(empty, "name", **SAID["name"])
    send(empty, "host", **HOST)
    shown = Form(empty.get(f"{HERE}prices/").content.decode(), "").data
    assert (shown["type_S1.MEDIUM4_month"], shown["type_S1.MEDIUM4_hour"]) == ("29.95", "0.0616")
    assert (shown["disk_month"], shown["traffic_gib"]) == ("0.1667", "0.0109")
    send(empty, "prices", **{"type_S1.MEDIUM4_month": "31.00", "type_S1.SMALL1_month": ""})
    book = read_yaml(empty.get(f"{HERE}catalog.yaml").content.decode())["price_book"]
    assert str(book["instance_types"]["S1.MEDIUM4"]["month"]) == "31.00"
    assert "S1.SMALL1" not in book["instance_types"]
    send(empty, "host", **HOST)  # the same again changes nothing
    assert answers.kept()["prices"]["type_S1.MEDIUM4_month"] == "31.00"
    send(empty, "host", **HOST | {"month": "1400"})
    assert Form(empty.get(f"{HERE}prices/").content.decode(), "").data["type_S1.MEDIUM4_month"] == "59.90"


@pytest.mark.parametrize(
    ("step", "field", "typed", "says"),
    [
        ("name", "name_en", "", "Say what the shop is called."),
        ("name", "name_en", "a" * 41, "at most 40 characters"),
        ("name", "currency", "XAU", "XAU is no currency of ISO 4217."),
        ("name", "billing_zone", "Asia/Kolkata", "Asia/Kolkata is not whole hours from UTC"),
        ("name", "billing_zone", "Mars/Base", "there is no time zone"),
        ("place", "engine", "docker", "docker is no kind of engine"),
        ("name", "logo", file(SVG, "logo.svg"), "SVG pictures are not taken"),
        ("name", "logo", file(b"MZ\0\0 no picture"), "This is no picture in PNG or WebP."),
        ("name", "logo", file(b"\0" * 50_000_000), "The picture is larger than 2 MiB: save a smaller one."),
        ("name", "colour_light", "#ffcc00", "#ffcc00 has a contrast of 1.34 : 1 on #eef2f0; 4.5 : 1"),
        ("name", "colour_dark", "#0b5cad", "#0b5cad has a contrast of 2.35 : 1 on #1d2522; 4.5 : 1"),
        ("name", "colour_light", "red;}body{display:none}", "is no colour: #08695a is one."),
        ("name", "colour_dark", "", "is no colour: #08695a is one."),
        ("place", "country", "XX", "'XX' is no country of ISO 3166-1"),
        ("place", "code", "../etc", "String should match pattern"),
        ("place", "place_en", "", "String should have at least 1 character"),
        ("images", "images", "windows", "windows is not one of the available choices."),
        ("host", "month", "0", "0 is not right: a number > 0 with at most 2 decimals is expected."),
        ("host", "month", "1e9", "1e9 is not right"),
        ("host", "month", "NaN", "NaN is not right"),
        ("host", "vcpu", "-1", "-1 is not right: a whole number from 1 to 10000 is expected."),
        ("host", "margin_percent", "100", "100 is not right: a whole number from 0 to 95 is expected."),
        ("host", "memory_percent", "56", "Processors and memory take 101 percent of the cost together"),
        ("host", "hour_factor", "0.5", "An hour costs 1 to 10 times its part of a month."),
        ("prices", "type_S1.SMALL1_month", "-5", "-5 is not right: a number with at most 2 decimals is expected."),
        ("prices", "disk_hour", "<script>", "<script> is not right"),
        ("addresses", "first", "10.0.0.1", "first 10.0.0.1 and last 203.0.113.50 lie in"),
        ("addresses", "cidr", "::/0", "::/0 is not right here"),
        ("terms", "support", "me", "me is no e-mail address."),
    ],
)
def test_what_is_wrong_is_refused_at_its_field(empty: Visitor, step: str, field: str, typed: Any, says: str) -> None:
    page = empty.get(f"{HERE}{step}/").content.decode()
    said = Form(page, "").data | ({"name_en": "Northwind"} if step == "name" else {}) | {field: typed}
    with nothing_written():
        answer = empty.post(f"{HERE}{step}/", said)
    assert answer.status_code == 422
    shown = answer.content.decode()
    errors = re.findall(r'class="field-error" role="alert">(.*?)</', shown)
    assert any(says in html.unescape(error) for error in errors), errors
    assert step != "name" or f'id="{field}_error"' in shown
    assert "<script> is" not in shown


LOOK = {"name_en": "Northwind", "colour_light": "#0b5cad", "colour_dark": "#7db8ff"}


def _shop_said(seller: Visitor) -> dict[str, Any]:
    said: dict[str, Any] = read_yaml(seller.get(f"{HERE}catalog.yaml").content.decode())["shop"]
    return said


def test_logo_and_colour_are_in_the_file_as_the_page_of_the_shop_writes_them(empty: Visitor) -> None:
    sent = picture(size=(900, 300))
    assert send(empty, "name", **LOOK, logo=file(sent)).status_code == 302
    said = _shop_said(empty)
    assert said["colour"] == {"light": "#0b5cad", "dark": "#7db8ff"}
    assert said["logo"] == logo.read(sent).text
    shown = empty.get(f"{HERE}open/").content.decode()
    assert "logo: data:image/png;base64,…" in html.unescape(shown)
    assert said["logo"][40:80] not in shown
    answer_all_others(empty)
    assert empty.post(f"{HERE}open/")["Location"] == f"{HERE}test/"
    brand = catalog.current().brand
    assert (brand.colour_dark, brand.logo_width, brand.logo_height) == ("#7db8ff", 384, 128)
    whole = _read_shop()
    assert {name: whole[name] for name in said} == said
    assert save(empty).status_code == 302  # as it is shown there, nothing changes
    assert _read_shop() == whole


def _read_shop() -> dict[str, Any]:
    said: dict[str, Any] = read_yaml(applied())["shop"]
    return said


def answer_all_others(seller: Visitor) -> None:
    for step, said in SAID.items():
        if step != "name":
            assert send(seller, step, **said).status_code == 302


def test_a_logo_stays_until_another_one_or_none_is_wanted(empty: Visitor) -> None:
    assert "A logo is kept already" not in text_of(empty.get(f"{HERE}name/"))
    send(empty, "name", **LOOK, logo=file(picture()))
    first = _shop_said(empty)["logo"]
    assert "A logo is kept already" in text_of(empty.get(f"{HERE}name/"))
    send(empty, "name", name_en="Southwind")
    assert (_shop_said(empty)["logo"], _shop_said(empty)["name"]["en"]) == (first, "Southwind")
    with nothing_written():
        assert send(empty, "name", logo=file(SVG)).status_code == 422
    send(empty, "name", logo=file(picture("WEBP", (200, 200))))
    assert _shop_said(empty)["logo"] not in ("", first)
    send(empty, "name", without_logo="on")
    assert "logo" not in _shop_said(empty)
    assert _shop_said(empty)["colour"] == {"light": "#0b5cad", "dark": "#7db8ff"}


def test_what_is_skipped_is_not_in_the_file(empty: Visitor) -> None:
    send(empty, "name", name_en="Northwind")
    send(empty, "place")
    file_now = read_yaml(empty.get(f"{HERE}catalog.yaml").content.decode())
    assert sorted(file_now["shop"]) == ["billing_zone", "name"]
    assert sorted(file_now["regions"][0]) == ["code", "legacy_code", "name", "zones"]


def test_answers_of_a_version_before_are_taken(empty: Visitor) -> None:
    """They have no logo, colour and country."""
    before = SAID | {"place": {name: said for name, said in SAID["place"].items() if name != "country"}}
    Draft.objects.create(answers=before, saved_at=clock.now())
    assert _shop_said(empty)["name"]["en"] == "Northwind Cloud"
    assert send(empty, "place").status_code == 302


@pytest.mark.parametrize("name", ["No", "on", "12:30", "2026-01-01", "1.5", "~"])
def test_what_yaml_would_take_for_something_else_is_a_text(empty: Visitor, name: str) -> None:
    send(empty, "name", name_en=name)
    send(empty, "place", country="NO", place_en=name)
    told = read_yaml(empty.get(f"{HERE}catalog.yaml").content.decode())
    assert (told["shop"]["name"]["en"], told["regions"][0]["name"]["en"]) == (name, name)
    assert told["regions"][0]["country"] == "NO"


def test_the_environment_fixes_the_billing_zone(empty: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMART_BILLING_ZONE", "Asia/Shanghai")
    answer = send(empty, "name", **SAID["name"])
    assert (answer.status_code, "The billing zone is Asia/Shanghai" in text_of(answer)) == (422, True)
    assert send(empty, "name", **SAID["name"] | {"billing_zone": "Asia/Shanghai"}).status_code == 302


def test_a_shop_with_a_catalog_is_not_set_up_again(shop: Databases) -> None:
    seller = operator()
    assert seller.get(HERE)["Location"] == f"{HERE}test/"
    with nothing_written():
        for step in answers.ASKED:
            assert seller.get(f"{HERE}{step}/")["Location"] == f"{HERE}test/"
            assert seller.post(f"{HERE}{step}/", SAID[step])["Location"] == f"{HERE}test/"
        assert seller.post(f"{HERE}open/")["Location"] == f"{HERE}test/"


def test_two_who_open_at_once_open_it_once(empty: Visitor) -> None:
    answer_all(empty)
    text = empty.get(f"{HERE}catalog.yaml").content.decode()
    apply_file(DEMO_CATALOG)
    with pytest.raises(ChangedMeanwhile):
        apply_text(text, based_on=0)
    assert applied() == DEMO_CATALOG.read_text()


def test_only_the_seller_by_forms_of_his_own(shop: Databases) -> None:
    with nothing_written():
        for page in ("", "name/", "open/", "catalog.yaml", "test/", "test/progress/"):
            assert Visitor().get(f"{HERE}{page}")["Location"].startswith("/accounts/login/")
        assert Visitor().post(f"{HERE}test/buy/")["Location"].startswith("/accounts/login/")
    before = Order.objects.count()
    assert [customer().get(f"{HERE}{page}").status_code for page in ("", "name/", "open/", "test/")] == [403] * 4
    assert customer().post(f"{HERE}test/buy/").status_code == 403
    forged = operator()
    forged.handler.enforce_csrf_checks = True
    assert forged.post(f"{HERE}test/buy/").status_code == 403
    assert forged.post(f"{HERE}name/", SAID["name"]).status_code == 403
    assert operator().post(f"{HERE}test/steal/").status_code == 404
    assert operator().get(f"{HERE}nothing/").status_code == 404
    assert Order.objects.count() == before


def test_the_test_order_pressed_twice_is_one(shop: Databases) -> None:
    open_business()
    seller = operator()
    form = Form(seller.get(f"{HERE}test/").content.decode(), f"{HERE}test/buy/").data
    assert form["number"] == "0"
    seller.post(f"{HERE}test/buy/", form)
    seller.post(f"{HERE}test/buy/", form)
    work()
    seller.post(f"{HERE}test/buy/", form)  # from a page that was kept open
    assert (Order.objects.count(), ByHand.objects.count()) == (1, 1)


def test_the_test_customer_is_never_a_stranger_with_his_address(shop: Databases) -> None:
    """Given somebody who got the address before the shop, then neither money nor an end reaches his account."""
    open_business()
    stranger = open_account.sign_up(User(email="test-customer@shop.invalid", date_joined=clock.now()), "Stranger")
    seller = operator()
    assert seller.post(f"{HERE}test/buy/", {"number": "0"})["Location"] == f"{HERE}test/"
    order = Order.objects.get()
    assert order.account_id == Deployment.objects.get().test_account_id != stranger.id
    assert ByHand.objects.get().account_id == order.account_id
    assert trial.latest().order == order


@pytest.mark.parametrize("address", ["test-customer@shop.invalid", "Anybody@Shop.INVALID"])
def test_nobody_signs_up_with_an_address_of_the_shop(shop: Databases, address: str) -> None:
    answer = Visitor().post("/accounts/signup/", {"email": address, "password1": PASSWORD, "password2": PASSWORD})
    assert (answer.status_code, "The shop keeps this address for itself" in text_of(answer)) == (200, True)
    assert not User.objects.filter(email__iexact=address).exists()


def test_two_first_presses_at_once_are_one_order(shop: Databases) -> None:
    open_business()
    asker = Actor(0, SELLER, operator().user.email)
    found = at_once(*[lambda: trial.buy(asker, 0)] * 4)
    assert not [answer for answer in found if isinstance(answer, Exception)], found
    assert (Account.objects.filter(name=trial.NAME).count(), Order.objects.count(), ByHand.objects.count()) == (1, 1, 1)


def test_a_refused_test_order_can_be_placed_at_another_price(shop: Databases, test_clock: BusinessClock) -> None:
    """Given a purchase refused for room after its gift, when the hour costs more, then the next try buys."""
    open_business()
    room = dict(Host.objects.values_list("id", "vcpu_capacity"))
    Host.objects.update(vcpu_capacity=0)
    seller = operator()
    seller.post(f"{HERE}test/buy/", {"number": "0"})
    assert (Order.objects.count(), ByHand.objects.count()) == (0, 1)
    for host, vcpu in room.items():
        Host.objects.filter(id=host).update(vcpu_capacity=vcpu)
    held = book_names.named(prices.section()).items()
    typed = {name: str(10 * Decimal(old)) for name, old in held if name.endswith(".hour") and isinstance(old, str)}
    last = last_applied()
    found = prices.preview(typed, "2026-03-11T00:00", last.id)
    prices.publish(found, based_on=last.id, by=actors.SELLER)
    test_clock.advance(hours=14)
    seller.post(f"{HERE}test/buy/", {"number": "0"})
    first, second = ByHand.objects.order_by("amount_minor")
    assert first.amount_minor < second.amount_minor
    assert Order.objects.get().account_id == first.account_id == second.account_id


def test_a_test_order_that_finds_nothing_on_sale_says_so(shop: Databases) -> None:
    Zone.objects.update(on_sale=False)
    seller = operator()
    answer = seller.post(f"{HERE}test/buy/", {"number": "0"}, follow=True)
    assert Order.objects.count() == ByHand.objects.count() == 0
    assert "Nothing is on sale: every type is sold out, or every zone is off sale." in text_of(answer)


def test_the_file_is_what_yaml_readers_read(empty: Visitor) -> None:
    answer_all(empty)
    answer: Any = empty.get(f"{HERE}catalog.yaml")
    assert answer["Content-Disposition"] == 'attachment; filename="shop.yaml"'
    assert yaml.safe_load(answer.content)["shop"]["name"] == {"en": "Northwind Cloud", "zh": "北风云"}
