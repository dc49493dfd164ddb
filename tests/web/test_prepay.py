"""The page by which a postpaid machine is paid ahead: the term, its price, and what was shown is charged."""

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses, work
from tests.web.test_renewal import _form
from tests.web.visiting import Visitor, customer, text_of
from vmart.events.actor import SELLER, Actor
from vmart.instances.models import Instance
from vmart.orders import by_hand, convert
from vmart.orders.by_hand import Movement
from vmart.orders.convert import Conversion
from vmart.orders.live_cost import open_hours_minor
from vmart.orders.models import Line, Order


@pytest.fixture
def bought() -> tuple[Visitor, Instance]:
    """A customer with a machine that is charged by the hour."""
    visitor = customer()
    visitor.buy("?charge=postpaid")
    work()
    return visitor, Instance.objects.latest("id")


def _address(machine: Instance, months: object = "") -> str:
    return f"/machines/{machine.public_id}/prepay/" + (f"?months={months}" if months else "")


def test_its_price_is_shown_and_charged_once_however_often_it_is_sent(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    assert "Pay ahead" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Due now" not in text_of(visitor.get(_address(machine)))
    shown = {**_form(visitor, _address(machine, 2)), "act": "pay"}
    first, again = (visitor.post(_address(machine, 2), shown) for _ in range(2))
    order = Order.objects.get(action="convert")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    assert "Paid ahead from now on" in text_of(visitor.get(first["Location"]))
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert ("Prepaid" in page, "Paid ahead from now on" in page, "Pay ahead" in page) == (True, True, False)
    assert page.count("Paid for the term") == 1
    assert Instance.objects.get(pk=machine.pk).charge_type == "PREPAID"


def test_it_is_placed_for_a_card(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    visitor.post(_address(machine, 1), {**_form(visitor, _address(machine, 1)), "act": "card"})
    order = Order.objects.get(action="convert")
    assert (order.status, Instance.objects.get(pk=machine.pk).charge_type) == (1, "POSTPAID_BY_HOUR")
    visitor.post(f"/orders/{order.id}/pay/", {})
    order.refresh_from_db()
    assert (order.status, Instance.objects.get(pk=machine.pk).charge_type) == (4, "PREPAID")


@pytest.mark.parametrize(
    ("months", "said"), [("13", "A term of 13 months is not sold"), ("long", "Enter a whole number."),
                         ("99999999999999999999", "is not sold")],
)  # fmt: skip
def test_what_is_refused_is_said_at_the_field(bought: tuple[Visitor, Instance], months: str, said: str) -> None:
    visitor, machine = bought
    answer = visitor.get(_address(machine, months))
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    assert "Due now" not in text_of(answer)


def test_a_price_of_another_term_buys_nothing(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    shown = {**_form(visitor, _address(machine, 1)), "act": "pay"}
    answer = visitor.post(_address(machine, 2), shown)
    assert (answer.status_code, "The price is of another term" in text_of(answer)) == (422, True)
    assert (Order.objects.count(), Line.objects.count()) == (1, 1)


def test_a_prepaid_machine_is_told_that_it_is(bought: tuple[Visitor, Instance]) -> None:
    visitor, machine = bought
    visitor.post(_address(machine, 1), {**_form(visitor, _address(machine, 1)), "act": "pay"})
    answer = visitor.get(_address(machine, 1))
    assert (answer.status_code, "is prepaid already" in text_of(answer)) == (422, True)


def test_what_its_hold_frees_is_not_missing(bought: tuple[Visitor, Instance], test_clock: BusinessClock) -> None:
    """A cent more is available than the price less what the hold frees: then one less, which is missing."""
    visitor, machine = bought
    test_clock.advance(minutes=20)
    due_minor = convert.ACT.price(visitor.account_id, Conversion([machine.public_id])).due_minor
    frees_minor = convert.frees_minor(Instance.objects.get(pk=machine.pk))
    held = purses(visitor.account_id)["held"]
    used = open_hours_minor(machine.account_id, [machine.id], test_clock.at)[machine.id]
    assert (frees_minor, used, held) == (12, 7, 19)
    _leave(visitor, due_minor - frees_minor)
    page = text_of(visitor.get(_address(machine, 1)))
    assert ("Due now" in page, "missing in your balance" in page) == (True, False)
    _leave(visitor, due_minor - frees_minor - 1)
    assert "¥0.01 are missing in your balance." in text_of(visitor.get(_address(machine, 1)))
    _leave(visitor, due_minor - frees_minor)
    visitor.post(_address(machine, 1), {**_form(visitor, _address(machine, 1)), "act": "pay"})
    assert Instance.objects.get(pk=machine.pk).charge_type == "PREPAID"
    assert purses(visitor.account_id)["available"] == 0


def _leave(visitor: Visitor, minor: int) -> None:
    """So much available money, and no more."""
    more = minor - purses(visitor.account_id)["available"]
    wanted = Movement(visitor.account_id, more, "gift", "test", Actor(None, SELLER, "seller"), f"{minor} {more}")
    assert by_hand.move(wanted)
