"""Given bought public addresses, then pages tell what each costs before it is asked for, and where each leads."""

import re

import pytest

from tests.support.actors import by
from tests.support.shopper import owe
from tests.web.visiting import ZONE, Form, Visitor, customer, text_of, work
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.network.models import Eip
from vmart.orders.addresses.associate import associate
from vmart.pricing.address import AddressPart
from vmart.pricing.errors import OutOfRange

ASKED = f"zone={ZONE}&mode=BANDWIDTH_POSTPAID_BY_HOUR&bandwidth=10&count=1&name=front"


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _buy(visitor: Visitor, query: str = ASKED) -> Eip:
    page = visitor.get(f"/addresses/buy/?{query}")
    visitor.post("/addresses/buy/", Form(page.content.decode(), "/addresses/buy/").data)
    return Eip.objects.latest("id")


def _machine(visitor: Visitor) -> Instance:
    visitor.buy("?charge=postpaid&address=0", name="bare")
    work()
    return Instance.objects.latest("id")


def test_its_price_is_shown_before_it_is_bought_and_once(visitor: Visitor) -> None:
    page = visitor.get(f"/addresses/buy/?{ASKED}")
    shown = page.content.decode()
    assert re.findall(r'id="(?:idle|hourly)">([^<]*)<', shown) == ["¥0.20", "¥1.565"]
    form = Form(shown, "/addresses/buy/").data
    answer = visitor.post("/addresses/buy/", form)
    eip = Eip.objects.get()
    assert answer["Location"] == f"/addresses/{eip.public_id}/"
    visitor.post("/addresses/buy/", form)  # sent again
    assert Eip.objects.count() == 1
    assert (eip.name, eip.bandwidth_mbps, eip.internet_charge_type) == ("front", 10, "BANDWIDTH_POSTPAID_BY_HOUR")
    listed = text_of(visitor.get("/addresses/"))
    for told in (eip.ip, "front", "Idle", "By bandwidth, hourly", "10 Mbps"):
        assert str(told) in listed


def test_at_another_price_than_the_form_showed_nothing_is_bought(visitor: Visitor) -> None:
    form = Form(visitor.get(f"/addresses/buy/?{ASKED}").content.decode(), "/addresses/buy/").data
    for sent in (form | {"shown": "0.1 1.565 None"}, {name: value for name, value in form.items() if name != "form"}):
        page = text_of(visitor.post("/addresses/buy/", sent))
        assert "The price was shown too long ago to hold; here is the one of now." in page
        assert "¥1.565" in page
    assert Eip.objects.count() == 0


def test_one_that_may_not_be_bought_any_more_is_shown_and_unbound(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a seller who sells so much bandwidth no more, then what was bought before is had as before."""
    shown = visitor.get(f"/addresses/buy/?{ASKED}").content.decode()
    visitor.post("/addresses/buy/", Form(shown, "/addresses/buy/").data)
    eip = Eip.objects.get()

    def refuse(*_: object) -> None:
        raise OutOfRange("InternetMaxBandwidthOut is {mbps} Mbps; 1 to {most} are possible.", mbps=10, most=5)

    monkeypatch.setattr(AddressPart, "check", refuse)
    page = visitor.get(f"/addresses/{eip.public_id}/")
    assert (page.status_code, "¥1.565" in text_of(page)) == (200, True)
    answer = visitor.post(f"/addresses/{eip.public_id}/unbind/", {})
    assert (answer.status_code, answer["Location"]) == (302, f"/addresses/{eip.public_id}/")
    visitor.post(f"/addresses/{eip.public_id}/release/", {})
    work()
    assert Eip.objects.get().state == "GONE"


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (ASKED.replace("bandwidth=10", "bandwidth=101"), "1 to 100 are possible"),
        (ASKED.replace("name=front", "name=a b"), "letters, digits, hyphens and underscores"),
        (ASKED.replace(ZONE, "nowhere"), "does not exist"),
        (ASKED.replace("count=1", "count=99"), "At most 20 elastic public addresses"),
    ],
)
def test_what_cannot_be_had_is_said_beside_its_field(visitor: Visitor, query: str, why: str) -> None:
    typed = dict(pair.split("=") for pair in query.split("&"))
    form = Form(visitor.get(f"/addresses/buy/?{ASKED}").content.decode(), "/addresses/buy/").data
    answer = visitor.post("/addresses/buy/", form | typed)
    assert (answer.status_code, Eip.objects.count()) == (422, 0)
    assert why in text_of(answer)


def test_it_is_bound_moved_made_faster_and_given_back(visitor: Visitor, world: World) -> None:
    eip, machine = _buy(visitor), _machine(visitor)
    at = f"/addresses/{eip.public_id}/"
    assert f'value="{machine.public_id}"' in visitor.get(at).content.decode()
    told = text_of(visitor.get(f"{at}bind/?machine={machine.public_id}"))
    assert f"Bind {eip.ip} to {machine.public_id}?" in told and "¥1.565" in told
    assert visitor.post(f"{at}bind/", {"machine": machine.public_id})["Location"] == at
    assert f'hx-get="{at}" hx-trigger="every 1s"' in visitor.get(at).content.decode()
    assert 'hx-get="/addresses/" hx-trigger="every 2s"' in visitor.get("/addresses/").content.decode()
    work()
    assert ['hx-trigger="every' in visitor.get(page).content.decode() for page in (at, "/addresses/")] == [False, False]
    shown = visitor.get(f"/machines/{machine.public_id}/").content.decode()
    assert f'<a href="{at}">{eip.ip}</a>' in shown and f"ssh root@{eip.ip}" in shown
    assert "Elastic public address" in shown
    assert str(eip.ip) in text_of(visitor.get("/machines/"))
    assert "bare" in text_of(visitor.get(at)) and "Bound" in text_of(visitor.get(at))
    assert "¥4.065" in text_of(visitor.get(f"{at}bandwidth/?bandwidth=20"))
    visitor.post(f"{at}bandwidth/", {"bandwidth": "20"})
    work()
    assert world.cap_mbps(machine.public_id) == 20
    assert "1 to 100 are possible" in text_of(visitor.get(f"{at}bandwidth/?bandwidth=200"))
    answer = visitor.post(f"{at}release/")
    assert (answer["Location"], "unbind it first" in text_of(visitor.get(at))) == (at, True)
    visitor.post(f"{at}unbind/")
    work()
    assert visitor.post(f"{at}release/")["Location"] == "/addresses/"
    work()
    assert Eip.objects.get().state == "GONE"
    assert visitor.get(at).status_code == 404
    assert "You have no elastic public address yet." in text_of(visitor.get("/addresses/"))


def test_an_address_that_no_machine_can_have_says_which_could(visitor: Visitor) -> None:
    """Given a machine with an address of its own, then the page offers none; a machine without one is offered."""
    visitor.buy("?charge=postpaid", name="has-one")
    work()
    eip = _buy(visitor)
    shown = visitor.get(f"/addresses/{eip.public_id}/").content.decode()
    assert "You have no machine for it: one of its zone that runs or is off" in shown
    assert 'name="machine"' not in shown
    machine = _machine(visitor)
    shown = visitor.get(f"/addresses/{eip.public_id}/").content.decode()
    assert "You have no machine for it" not in shown
    offered = re.search(r'<select name="machine".*?</select>', shown, re.S)
    assert offered is not None
    assert re.findall(r'<option value="([^"]*)"', offered[0]) == [machine.public_id]


def test_a_name_is_changed_and_a_bad_one_refused(visitor: Visitor) -> None:
    eip = _buy(visitor)
    at = f"/addresses/{eip.public_id}/"
    assert visitor.post(at, {"name": "back"})["Location"] == at
    answer = visitor.post(at, {"name": "a b"})
    assert (answer.status_code, Eip.objects.get().name) == (422, "back")


def test_another_accounts_address_is_not_there(visitor: Visitor) -> None:
    at = f"/addresses/{_buy(visitor).public_id}/"
    stranger = customer()
    for page in ("", "bind/", "unbind/", "bandwidth/", "release/"):
        assert stranger.get(at + page).status_code == 404
        assert stranger.post(at + page, {"name": "x", "machine": "ins-00000000", "bandwidth": "1"}).status_code == 404
    assert Eip.objects.get().name == "front"


def test_arrears_are_said_on_its_page_and_its_machines(visitor: Visitor) -> None:
    eip, machine = _buy(visitor), _machine(visitor)
    associate(by(visitor.account_id), eip.public_id, machine.public_id)
    work()
    owe(visitor.account_id)
    work()
    assert "It leads nowhere, because the account is in arrears." in text_of(
        visitor.get(f"/addresses/{eip.public_id}/")
    )
    assert "Network off" in text_of(visitor.get("/addresses/"))
    assert "Network off" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
