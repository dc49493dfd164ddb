"""The page that changes a machine's type: told first what it costs and whether the machine is off meanwhile."""

from typing import Any

import pytest

from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses, work
from tests.web.test_renewal import _form
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.orders.models import Order
from vmart.worker.models import Operation


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _running(visitor: Visitor, query: str) -> Instance:
    visitor.buy(query)
    work()
    machine = Instance.objects.latest("id")
    assert (machine.state, machine.instance_type_id) == ("RUNNING", "S5.MEDIUM4")
    return machine


BY_HOUR, BY_MONTH = "?charge=postpaid&type=S5.MEDIUM4", "?type=S5.MEDIUM4"


def _address(machine: Instance, to: str = "") -> str:
    return f"/machines/{machine.public_id}/type/" + (f"?type={to}" if to else "")


def test_by_the_hour_it_says_what_an_hour_costs_then_and_changes_it(visitor: Visitor) -> None:
    """0.35 or 0.70 and 20 GiB at 0.0005."""
    machine = _running(visitor, BY_HOUR)
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Instance type…" in page
    page = text_of(visitor.get(_address(machine)))
    assert "Now it is S5.MEDIUM4: 2 vCPU, 4 GiB. Disks and addresses stay as they are." in page
    assert "S5.LARGE8 · 4 vCPU · 8 GiB · ¥0.70 an hour" in page
    assert ("S5.MEDIUM4 · " in page, "C3.2XLARGE16" in page) == (False, False)  # what it is; what is sold out
    page = text_of(visitor.get(_address(machine, "S5.LARGE8")))
    assert "Type now S5.MEDIUM4 2 vCPU · 4 GiB Type then S5.LARGE8 4 vCPU · 8 GiB" in page
    assert "An hour now ¥0.36 An hour then ¥0.71 Set aside then ¥0.71" in page
    assert "The new type is charged from the second in which it is in force, the old one until then." in page
    assert ("The machine runs on." in page, "begins anew" in page) == (True, False)
    answer = visitor.post(_address(machine, "S5.LARGE8"), {"type": "S5.LARGE8"})
    assert answer["Location"] == f"/machines/{machine.public_id}/"
    assert "The instance type is being changed." in text_of(visitor.get(answer["Location"]))
    work()
    page = text_of(visitor.get(answer["Location"]))
    assert ("Instance type changed S5.MEDIUM4 → S5.LARGE8" in page, "¥0.71 an hour" in page) == (True, True)


def test_a_smaller_one_is_told_to_be_off_meanwhile(visitor: Visitor) -> None:
    machine = _running(visitor, BY_HOUR)
    page = text_of(visitor.get(_address(machine, "S1.SMALL1")))
    assert "The machine is turned off for it and on again: for less than a minute as a rule." in page
    assert "what it costs less with age begins anew" in page
    Instance.objects.filter(pk=machine.pk).update(state="STOPPED")
    assert "The machine is off, and stays off." in text_of(visitor.get(_address(machine, "S1.SMALL1")))


def test_in_a_term_its_price_is_shown_and_charged_once_however_often_it_is_sent(visitor: Visitor) -> None:
    """31 days: 115 more × 31 × 12 / 365."""
    machine = _running(visitor, BY_MONTH)
    page = text_of(visitor.get(_address(machine)))
    assert "It is paid ahead: a dearer type costs the rest of the term, a cheaper one gives back." in page
    assert "S5.LARGE8 · 4 vCPU · 8 GiB · ¥230.00 a month" in page
    page = text_of(visitor.get(_address(machine, "S5.LARGE8")))
    assert ("Due now ¥117.21" in page, "Pay ¥117.21 and change the type" in page) == (True, True)
    assert "It is taken when the new type is in force. The machine runs on." in page
    before = purses(visitor.account_id)["available"]
    shown = {**_form(visitor, _address(machine, "S5.LARGE8")), "act": "pay"}
    first, again = (visitor.post(_address(machine, "S5.LARGE8"), shown) for _ in range(2))
    order = Order.objects.get(action="type")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    work()
    page = text_of(visitor.get(first["Location"]))
    assert "CPU and memory S5.MEDIUM4 → S5.LARGE8 Price ¥117.21" in page
    assert f"Instance type · {machine.public_id}" in text_of(visitor.get("/orders/"))
    assert "Paid for a larger type ¥117.21" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert purses(visitor.account_id)["available"] == before - 11_721


def test_a_cheaper_one_in_a_term_says_what_comes_back_and_gives_it(visitor: Visitor) -> None:
    """115 + 7.00 were paid just now, 60 + 7.00 are the smaller one's."""
    machine = _running(visitor, BY_MONTH)
    page = text_of(visitor.get(_address(machine, "S5.SMALL2")))
    assert "What is paid is worth now ¥122.00 The new type until the expiry ¥67.00 Comes back ¥55.00" in page
    assert ("What comes back is in your balance when the new type is in force." in page, "Due now" in page) == (
        True, False,
    )  # fmt: skip
    assert "The machine is turned off for it and on again" in page
    before = purses(visitor.account_id)["available"]
    answer = visitor.post(_address(machine, "S5.SMALL2"), {"type": "S5.SMALL2"})
    assert answer["Location"] == f"/machines/{machine.public_id}/"
    work()
    assert purses(visitor.account_id)["available"] == before + 5_500
    page = text_of(visitor.get(answer["Location"]))
    assert ("Paid for a smaller type ¥67.00" in page, "Instance type changed S5.MEDIUM4 → S5.SMALL2" in page) == (
        True, True,
    )  # fmt: skip
    order = Order.objects.get(action="downgrade")
    assert "CPU and memory S5.MEDIUM4 → S5.SMALL2 Price ¥67.00" in text_of(visitor.get(f"/orders/{order.id}/"))
    assert "Given back of what was paid ahead" in text_of(visitor.get("/balance/"))


def test_where_nothing_comes_back_it_says_so(visitor: Visitor, test_clock: BusinessClock) -> None:
    machine = _running(visitor, BY_MONTH)
    Operation.objects.filter(kind="close_hour").delete()
    test_clock.advance(days=20)
    page = text_of(visitor.get(_address(machine, "S5.SMALL2")))
    assert ("Comes back ¥0.00" in page, "Nothing comes back: what is left of the term is worth no more" in page) == (
        True, True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("S5.MEDIUM4", "is of the type S5.MEDIUM4 already."),
        ("S9.HUGE", "The instance type S9.HUGE does not exist."),
        ("C3.2XLARGE16", "is sold out in"),
    ],
)
@pytest.mark.parametrize("query", [BY_HOUR, BY_MONTH], ids=["by the hour", "by the month"])
def test_what_is_refused_is_said_at_the_field(visitor: Visitor, query: str, to: str, said: str) -> None:
    machine = _running(visitor, query)
    for answer in (visitor.get(_address(machine, to)), visitor.post(_address(machine), {"type": to, "act": "pay"})):
        assert (answer.status_code, said in text_of(answer)) == (422, True)
        assert "Type then" not in text_of(answer)
    assert Order.objects.count() == 1


def test_a_balance_that_is_too_small_says_what_is_needed() -> None:
    visitor = customer(gift_minor=70)
    machine = _running(visitor, BY_HOUR)
    answer = visitor.post(_address(machine), {"type": "S5.LARGE8"})
    said = f"One hour of {machine.public_id} at S5.LARGE8 is set aside: ¥0.71 are needed and ¥0.70 are available."
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    assert purses(visitor.account_id)["held"] == 36


def test_one_that_fails_says_so_at_the_machine(visitor: Visitor, world: Any) -> None:
    machine = _running(visitor, BY_HOUR)
    visitor.post(_address(machine), {"type": "S5.LARGE8"})
    world.fail("ensure_size", times=6, sentence="The host's storage is full.")
    work()
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "The instance type could not be changed; it is as before. The host's storage is full." in page.replace(
        "&#x27;", "'"
    )
