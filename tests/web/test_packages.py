"""Given bandwidth packages, then pages sell them, tell what is in them, and put addresses in and out."""

import re

import pytest
from django.urls import reverse

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import owe
from tests.web.visiting import ZONE, Form, Visitor, customer, text_of, work
from vmart.catalog.models import Zone
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import db
from vmart.kernel.clock import HOUR
from vmart.network.models import Eip, Package
from vmart.orders.addresses.allocate import NewAddresses, allocate
from vmart.orders.addresses.associate import associate
from vmart.orders.packages.members import enter
from vmart.pricing import books
from vmart.pricing.address import AddressPart
from vmart.pricing.book import parse_book
from vmart.pricing.models import Book
from vmart.provisioning import zones

ASKED = f"zone={ZONE}&bandwidth=10&name=front"


@pytest.fixture
def visitor(shop: object) -> Visitor:
    zones.check(ZONE)
    return customer()


def _buy(visitor: Visitor, query: str = ASKED) -> Package:
    page = visitor.get(f"/packages/buy/?{query}")
    visitor.post("/packages/buy/", Form(page.content.decode(), "/packages/buy/").data)
    return Package.objects.latest("id")


def _address(visitor: Visitor) -> Eip:
    asked = NewAddresses("ap-guangzhou", AddressPart("TRAFFIC_POSTPAID_BY_HOUR", 5), ZONE, name="web")
    (public_id,) = allocate(by(visitor.account_id), asked).public_ids
    return Eip.objects.get(public_id=public_id)


def _press(visitor: Visitor, address: str) -> str:
    """The page of an act, and its button; what is read then."""
    page = visitor.get(address)
    assert page.status_code == 200
    path = address.partition("?")[0]
    answer = visitor.post(path, Form(page.content.decode(), "").data)
    return text_of(visitor.get(answer["Location"]))


def test_its_price_is_shown_before_it_is_bought_and_once(visitor: Visitor) -> None:
    assert "You have no bandwidth package yet." in text_of(visitor.get("/packages/"))
    shown = visitor.get(f"/packages/buy/?{ASKED}").content.decode()
    assert re.findall(r'id="hourly">([^<]*)<', shown) == ["¥0.80"]
    form = Form(shown, "/packages/buy/").data
    for sent in (form | {"shown": "0.1"}, {name: value for name, value in form.items() if name != "form"}):
        page = text_of(visitor.post("/packages/buy/", sent))
        assert "The price was shown too long ago to hold; here is the one of now." in page
    assert Package.objects.count() == 0
    answer = visitor.post("/packages/buy/", form)
    package = Package.objects.get()
    assert answer["Location"] == f"/packages/{package.public_id}/"
    visitor.post("/packages/buy/", form)  # sent again
    assert Package.objects.count() == 1
    assert (package.name, package.bandwidth_mbps, package.zone_id) == ("front", 10, ZONE)
    listed = text_of(visitor.get("/packages/"))
    for told in ("front", package.public_id, "10 Mbps"):
        assert told in listed


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (f"zone={ZONE}&bandwidth=101&name=", "1 to 100 are possible"),
        (f"zone={ZONE}&bandwidth=x&name=", "Enter a whole number."),
        ("zone=nowhere&bandwidth=10&name=", "The region (empty) does not exist."),
    ],
)
def test_what_cannot_be_bought_is_told_at_its_field(visitor: Visitor, query: str, told: str) -> None:
    page = visitor.get(f"/packages/buy/?{query}")
    assert (page.status_code, told in text_of(page)) == (422, True), text_of(page)
    assert Package.objects.count() == 0


def test_a_zone_without_packages_says_so(visitor: Visitor) -> None:
    Zone.objects.filter(code=ZONE).update(capabilities={})
    page = visitor.get(f"/packages/buy/?{ASKED}")
    answer = visitor.post("/packages/buy/", Form(page.content.decode(), "/packages/buy/").data)
    assert (answer.status_code, "cannot hold one speed over several machines" in text_of(answer)) == (422, True)


def test_without_an_address_that_can_come_in_its_page_says_which_could(visitor: Visitor) -> None:
    package = _buy(visitor)
    shown = visitor.get(f"/packages/{package.public_id}/").content.decode()
    assert "You have no address for it: an elastic one of its zone that is in no package" in shown
    assert ('name="address"' in shown, f'href="{reverse("address_buy")}"' in shown) == (False, True)
    eip = _address(visitor)
    shown = visitor.get(f"/packages/{package.public_id}/").content.decode()
    assert "You have no address for it" not in shown
    assert re.findall(r'<option value="(eip-[^"]*)"', shown) == [eip.public_id]


def test_addresses_come_in_and_leave_by_both_their_pages(visitor: Visitor, world: World) -> None:
    package, eip = _buy(visitor), _address(visitor)
    visitor.buy("?charge=postpaid&address=0", name="bare")
    work()
    machine = Instance.objects.latest("id")
    associate(by(visitor.account_id), eip.public_id, machine.public_id)
    work()
    page = visitor.get(f"/packages/{package.public_id}/").content.decode()
    assert f'<option value="{eip.public_id}"' in page
    assert f"/packages/{package.public_id}/add/?address={eip.public_id}" in visitor.get(
        f"/addresses/{eip.public_id}/"
    ).content.decode().replace("&amp;", "&")
    told = _press(visitor, f"/packages/{package.public_id}/add/?address={eip.public_id}")
    assert "The address is in the bandwidth package" in told
    assert (str(eip.ip) in told, "bare" in told, "No address is in it yet." in told) == (True, True, False)
    work()
    assert world.shares(machine.public_id) == (package.public_id, 10)
    page = text_of(visitor.get(f"/addresses/{eip.public_id}/"))
    assert ("In a bandwidth package" in page, package.public_id in page, "Charged otherwise" in page) == (
        True, True, False
    )  # fmt: skip
    assert "In a bandwidth package" in text_of(visitor.get("/addresses/"))
    told = _press(visitor, f"/packages/{package.public_id}/remove/?address={eip.public_id}")
    assert "The address is out of the bandwidth package, and charged as before." in told
    work()
    assert (world.shares(machine.public_id), Eip.objects.get().internet_charge_type) == (
        None, "TRAFFIC_POSTPAID_BY_HOUR"
    )  # fmt: skip
    assert "is not in the bandwidth package" in _press(
        visitor, f"/packages/{package.public_id}/remove/?address={eip.public_id}"
    )


def test_it_is_faster_renamed_and_deleted(visitor: Visitor) -> None:
    package = _buy(visitor)
    there = f"/packages/{package.public_id}/"
    assert re.findall(r'id="hourly">([^<]*)<', visitor.get(f"{there}bandwidth/?bandwidth=20").content.decode()) == [
        "¥1.60"
    ]
    assert "20 Mbps" in _press(visitor, f"{there}bandwidth/?bandwidth=20")
    refused = visitor.get(f"{there}bandwidth/?bandwidth=101")
    assert (refused.status_code, "1 to 100 are possible" in text_of(refused)) == (422, True)
    assert visitor.get(f"{there}bandwidth/").status_code == 200
    visitor.post(there, {"name": "back"})
    assert Package.objects.get().name == "back"
    refused = visitor.post(there, {"name": "a b"})
    assert (refused.status_code, "letters, digits, hyphens and underscores" in text_of(refused)) == (422, True)
    eip = _address(visitor)
    enter(by(visitor.account_id), package.public_id, [eip.public_id])
    assert "Delete…" not in text_of(visitor.get(there))
    assert f"{eip.public_id} among them; take them out first." in _press(visitor, f"{there}delete/")
    _press(visitor, f"{there}remove/?address={eip.public_id}")
    assert "Delete…" in text_of(visitor.get(there))
    assert "The bandwidth package was deleted." in _press(visitor, f"{there}delete/")
    assert (Package.objects.get().state, visitor.get(there).status_code) == ("GONE", 404)


def test_its_pages_are_asked_again_while_its_speed_is_changed(visitor: Visitor) -> None:
    """Given a machine in it, when its speed is changed, then page and list refresh until the engine has done it."""
    package, eip = _buy(visitor), _address(visitor)
    there = f"/packages/{package.public_id}/"
    visitor.buy("?charge=postpaid&address=0", name="bare")
    work()
    associate(by(visitor.account_id), eip.public_id, Instance.objects.get().public_id)
    work()
    enter(by(visitor.account_id), package.public_id, [eip.public_id])
    work()
    pages = (there, "/packages/")
    assert ['hx-trigger="every' in visitor.get(page).content.decode() for page in pages] == [False, False]
    _press(visitor, f"{there}bandwidth/?bandwidth=20")
    page, every = (visitor.get(page).content.decode() for page in pages)
    assert f'hx-get="{there}" hx-trigger="every 1s"' in page and 'http-equiv="refresh"' in page
    assert "Put an address into it" not in page and 'hx-get="/packages/" hx-trigger="every 2s"' in every
    work()
    assert ['hx-trigger="every' in visitor.get(page).content.decode() for page in pages] == [False, False]
    assert "Put an address into it" in visitor.get(there).content.decode()


def test_an_address_is_bought_in_it(visitor: Visitor) -> None:
    asked = f"zone={ZONE}&bandwidth=5&count=1&name="
    assert "In a bandwidth package" not in visitor.get("/addresses/buy/").content.decode()
    package = _buy(visitor)
    page = visitor.get(f"/addresses/buy/?{asked}&mode=BANDWIDTH_PACKAGE&package={package.public_id}").content.decode()
    assert re.findall(r'id="(?:idle|hourly)">([^<]*)<', page) == ["¥0.20", "¥0.00"]
    visitor.post("/addresses/buy/", Form(page, "/addresses/buy/").data)
    eip = Eip.objects.get()
    assert (eip.package_id, eip.internet_charge_type) == (package.id, "BANDWIDTH_PACKAGE")
    page = visitor.get(f"/addresses/buy/?{asked}&mode=TRAFFIC_POSTPAID_BY_HOUR&package={package.public_id}")
    visitor.post("/addresses/buy/", Form(page.content.decode(), "/addresses/buy/").data)
    assert Eip.objects.latest("id").package_id is None


def test_arrears_are_told(visitor: Visitor) -> None:
    package = _buy(visitor)
    owe(visitor.account_id)
    work()
    page = text_of(visitor.get(f"/packages/{package.public_id}/"))
    assert ("It is off, because the account is in arrears." in page, "Put an address into it" in page) == (True, False)
    assert "Off for arrears" in text_of(visitor.get("/packages/"))


def test_the_page_of_one_stays_where_so_fast_a_one_is_sold_no_more(visitor: Visitor, test_clock: BusinessClock) -> None:
    there = f"/packages/{_buy(visitor).public_id}/"
    row = Book.objects.latest("effective_at")
    changed = row.document | {"version": row.version + 1, "effective_at": test_clock.at.isoformat()}
    changed["sales"] = changed["sales"] | {"postpaid_mbps_max": 5}
    with db.act():
        books.publish(parse_book(changed), test_clock.at - HOUR)
    books.forget()
    page = text_of(visitor.get(there))
    assert ("10 Mbps" in page, "¥0.80" in page) == (True, True)
    assert visitor.get(f"{there}bandwidth/?bandwidth=10").status_code == 422
    assert "5 Mbps" in _press(visitor, f"{there}bandwidth/?bandwidth=5")
