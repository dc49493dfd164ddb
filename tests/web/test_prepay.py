"""The page by which a postpaid machine is paid ahead: the term, its price, and what was shown is charged."""

import pytest

from tests.support.shopper import work
from tests.web.test_renewal import _form
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
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
