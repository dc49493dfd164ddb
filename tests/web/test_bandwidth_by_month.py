"""The page that gives a machine more bandwidth for the rest of its term: paid from the balance or by card."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import work
from tests.web.test_renewal import _form
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.orders.models import Line, Order
from vmart.worker.models import Operation


@pytest.fixture
def bought() -> tuple[Visitor, Instance]:
    """A customer with a machine of 1 Mbps by the month, bought on 10 March 2026 for a month."""
    visitor = customer()
    visitor.buy("?internet=bandwidth&mbps=1")
    work()
    machine = Instance.objects.latest("id")
    assert (machine.internet_charge_type, machine.bandwidth_mbps) == ("BANDWIDTH_PREPAID", 1)
    return visitor, machine


def _address(machine: Instance, mbps: Any = "") -> str:
    return f"/machines/{machine.public_id}/bandwidth/" + (f"?bandwidth={mbps}" if mbps else "")


def test_its_price_is_shown_and_charged_once_however_often_it_is_sent(bought: tuple[Visitor, Instance]) -> None:
    """31 days are 1.02 months of 45 more."""
    visitor, machine = bought
    assert "Due now" not in text_of(visitor.get(_address(machine)))
    page = text_of(visitor.get(_address(machine, 3)))
    assert "Due now ¥45.90" in page
    assert "Now it is 1 Mbps. It is paid by the month: in a term it only goes up, or becomes traffic, once." in page
    assert "Bandwidth now 1 Mbps Bandwidth then 3 Mbps" in page
    shown = {**_form(visitor, _address(machine, 3)), "act": "pay"}
    first, again = (visitor.post(_address(machine, 3), shown) for _ in range(2))
    order = Order.objects.get(action="bandwidth")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    assert "Under way 0 of 1" in text_of(visitor.get(first["Location"]))
    work()
    page = text_of(visitor.get(first["Location"]))
    assert ("Done 1 of 1" in page, "Bandwidth 1 Mbps → 3 Mbps Price ¥45.90" in page) == (True, True)
    assert f"Bandwidth · {machine.public_id}" in text_of(visitor.get("/orders/"))
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert ("Paid for more bandwidth ¥45.90" in page, "Bandwidth changed 1 → 3 Mbps" in page) == (True, True)
    assert Instance.objects.get(pk=machine.pk).bandwidth_mbps == 3


def test_it_is_placed_for_a_card(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    shown = _form(visitor, _address(machine, 3))
    answer = visitor.post(_address(machine, 3), {**shown, "act": "card"})
    order = Order.objects.get(action="bandwidth")
    assert (answer["Location"], order.status) == (f"/orders/{order.id}/", 1)
    visitor.post(f"/orders/{order.id}/pay/", {})
    work()
    order.refresh_from_db()
    assert (order.status, Instance.objects.get(pk=machine.pk).bandwidth_mbps) == (4, 3)


@pytest.mark.parametrize(
    ("mbps", "said"),
    [
        ("1", "is 1 Mbps already."),
        ("0", "Ensure this value is greater than or equal to 1."),
        ("201", "0 to 200 are possible"),
        ("fast", "Enter a whole number."),
    ],
)
def test_what_is_refused_is_said_at_the_field(bought: tuple[Visitor, Instance], mbps: str, said: str) -> None:
    visitor, machine = bought
    answer = visitor.get(_address(machine, mbps))
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    assert "Due now" not in text_of(answer)
    assert not Order.objects.filter(action="bandwidth").exists()


def test_a_price_of_another_speed_or_none_buys_nothing(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    shown = {**_form(visitor, _address(machine, 2)), "act": "pay"}
    answer = visitor.post(_address(machine, 3), shown)
    assert (answer.status_code, "The price is of another bandwidth" in text_of(answer)) == (422, True)
    answer = visitor.post(_address(machine, 3), {"act": "pay", "quote": "forged", "form": shown["form"]})
    assert "The price was shown too long ago to hold" in text_of(answer)
    assert (Order.objects.count(), Line.objects.count()) == (1, 1)


def test_one_that_fails_gives_the_money_back_and_says_so(bought: tuple[Visitor, Instance], world: Any) -> None:
    visitor, machine = bought
    answer = visitor.post(_address(machine, 3), {**_form(visitor, _address(machine, 3)), "act": "pay"})
    world.fail("ensure_address", times=6)
    work()
    page = text_of(visitor.get(answer["Location"]))
    assert "The change could not be made; everything is as before. ¥45.90 came back to your balance by itself." in page


def test_it_becomes_traffic_with_what_comes_back(bought: tuple[Visitor, Instance]) -> None:
    """Of 20.00 for a month of 1 Mbps nothing is used."""
    visitor, machine = bought
    page = text_of(visitor.get(f"{_address(machine, 4)}&network=traffic"))
    assert "Paid for bandwidth ¥20.00 Comes back ¥20.00 Traffic, per GiB ¥0.80 Bandwidth then 4 Mbps" in page
    assert Instance.objects.get(pk=machine.pk).internet_charge_type == "BANDWIDTH_PREPAID"
    answer = visitor.post(_address(machine), {"bandwidth": "4", "network": "traffic"})
    assert answer["Location"] == f"/machines/{machine.public_id}/"
    work()
    found = Instance.objects.get(pk=machine.pk)
    assert (found.internet_charge_type, found.bandwidth_mbps) == ("TRAFFIC_POSTPAID_BY_HOUR", 4)
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Its network is paid by traffic from now on ¥20.00 given back" in page
    assert 'name="network"' not in visitor.get(_address(machine)).content.decode()
    assert not Order.objects.filter(action="bandwidth").exists()


def test_traffic_that_is_refused_is_said_at_the_field(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    answer = visitor.get(f"{_address(machine, 201)}&network=traffic")
    assert (answer.status_code, "0 to 200 are possible" in text_of(answer)) == (422, True)
    answer = visitor.post(_address(machine), {"bandwidth": "201", "network": "traffic"})
    assert (answer.status_code, Instance.objects.get(pk=machine.pk).latest_operation) == (422, "RunInstances")


def _window(machine: Instance, **typed: str) -> str:
    asked = {"bandwidth": "5", "starts_on": "2026-04-01", "ends_on": "2026-04-10"} | typed
    return f"/machines/{machine.public_id}/bandwidth/window/?{urlencode(asked)}"


def test_for_some_days_its_price_is_shown_and_charged_once(bought: tuple[Visitor, Instance]) -> None:
    """95 more a month for ten days of April: 31.67."""
    visitor, machine = bought
    assert "More for some days only" in text_of(visitor.get(_address(machine)))
    assert "Due now ¥31.67" in text_of(visitor.get(_window(machine)))
    shown = {**_form(visitor, _window(machine)), "act": "pay"}
    first, again = (visitor.post(_window(machine), shown) for _ in range(2))
    order = Order.objects.get(action="window")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    assert "Bandwidth 1 Mbps → 5 Mbps Price ¥31.67" in text_of(visitor.get(first["Location"]))
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Paid for more bandwidth for some days ¥31.67" in page
    assert "More bandwidth for some days bought 5 Mbps, 2026-04-01 00:00:00 → 2026-04-11 00:00:00" in page
    answer = visitor.get(_window(machine))
    assert (answer.status_code, "it can be changed when that is over" in text_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"starts_on": "soon"}, "A day is said as 2016-10-30."),
        ({"starts_on": "2026-03-01"}, "The first day is over; the earliest is today."),
        ({"ends_on": "2026-03-31"}, "The last day is before the first."),
        ({"ends_on": "2026-05-31"}, "The last day is after the expiry of"),
        ({"bandwidth": "1"}, "for a window it is more."),
    ],
)
def test_days_that_cannot_be_had_are_said_at_the_field(
    bought: tuple[Visitor, Instance], typed: dict[str, str], said: str
) -> None:
    visitor, machine = bought
    answer = visitor.get(_window(machine, **typed))
    assert (answer.status_code, said in text_of(answer), "Due now" in text_of(answer)) == (422, True, False)


def _renewal(machine: Instance, **typed: str) -> str:
    return f"/machines/renew/?{urlencode({'id': machine.public_id, 'months': '1'} | typed)}"


def test_a_renewal_brings_less_when_it_begins(bought: tuple[Visitor, Instance], test_clock: BusinessClock) -> None:
    """3 Mbps cost 65 a month, 2 Mbps 40, beside 67 for the rest."""
    visitor, machine = bought
    upgraded = {**_form(visitor, _address(machine, 3)), "act": "pay"}
    visitor.post(_address(machine, 3), upgraded)
    work()
    page = visitor.get(_renewal(machine))
    assert ("Due now ¥132.00" in text_of(page), 'name="mbps"' in page.content.decode()) == (True, True)
    assert "Less with a renewal" in text_of(visitor.get(_address(machine)))
    lower = _renewal(machine, mbps="2")
    page = text_of(visitor.get(lower))
    assert ("Due now ¥107.00" in page, "3 Mbps → 2 Mbps from 2026-04-10" in page) == (True, True)
    shown = {**_form(visitor, lower), "act": "pay"}
    first, again = (visitor.post(lower, shown) for _ in range(2))
    order = Order.objects.get(action="renew")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    assert "Bandwidth 3 Mbps → 2 Mbps" in text_of(visitor.get(first["Location"]))
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert ("Bandwidth then 2 Mbps from 2026-04-10" in page, "Renewed 2 Mbps, from 2026-04-10" in page) == (True, True)
    assert "goes down to 2 Mbps at 2026-04-10 02:00 UTC" in text_of(visitor.get(_address(machine, 4)))
    assert "Due now ¥107.00" in text_of(visitor.get(_renewal(machine)))
    Operation.objects.filter(kind="close_hour").delete()
    test_clock.set(dt.datetime(2026, 4, 10, 2, tzinfo=dt.UTC))
    work()
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert ("Bandwidth then" in page, "Bandwidth changed 3 → 2 Mbps" in page) == (False, True)
    assert Instance.objects.get(pk=machine.pk).bandwidth_mbps == 2


@pytest.mark.parametrize("mbps", ["1", "2", "0", "-1", "fast", "99999999999999999999"])
def test_a_renewal_brings_no_more_and_not_nothing(bought: tuple[Visitor, Instance], mbps: str) -> None:
    visitor, machine = bought
    page = visitor.get(_renewal(machine, mbps=mbps))
    said = "is 1 Mbps. A renewal brings less of it, at least 1 Mbps; more is had at once by a change of the bandwidth."
    assert (said in text_of(page), "Due now" in text_of(page)) == (True, False)
    assert 'name="mbps"' in page.content.decode()
    assert not Order.objects.filter(action="renew").exists()
