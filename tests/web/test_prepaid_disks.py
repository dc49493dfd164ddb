"""Given a customer, then pages sell disks for a term, renew, convert and return them, and say what each costs first."""

import re

import pytest

from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.shopper import purses
from tests.support.written import nothing_written
from tests.web.visiting import ZONE, Form, Visitor, customer, operator, text_of, work
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel import clock
from vmart.orders.disks.attach import attach
from vmart.orders.models import Order
from vmart.storage.models import Disk
from vmart.worker.models import Operation

NEW = f"/disks/new/?zone={ZONE}&type=CLOUD_SSD&size=20&count=2&name=data"


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _bought(visitor: Visitor, months: int) -> Disk:
    """Two alike; the last of them."""
    page = visitor.get(f"{NEW}&months={months}")
    visitor.post("/disks/new/", Form(page.content.decode(), "/disks/new/").data)
    work()
    Operation.objects.filter(kind="close_hour").delete()
    return Disk.objects.select_related("subscription").exclude(state="").latest("id")


def _confirm(visitor: Visitor, address: str) -> str:
    """What the form there shows is paid; the order's page."""
    page = visitor.get(address).content.decode()
    answer = visitor.post(address, Form(page, "").data | {"act": "pay"})
    return text_of(visitor.get(answer["Location"]))


def test_two_are_bought_for_a_year_at_the_price_that_is_shown(visitor: Visitor) -> None:
    page = visitor.get(f"{NEW}&months=12")
    before = purses(visitor.account_id)["available"]
    assert "¥480.00" in text_of(page)  # 2 × 20 × 1.00 × 12
    answer = visitor.post("/disks/new/", Form(page.content.decode(), "/disks/new/").data)
    assert answer["Location"] == "/disks/"
    assert before - purses(visitor.account_id)["available"] == 48_000
    work()
    disk = Disk.objects.select_related("subscription").exclude(state="").latest("id")
    shown = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    for words in ("Prepaid", "Paid until", "2027-03-10", "Paid for the term", "¥240.00", "Return", "Renew"):
        assert words in shown, words
    assert "Pay ahead…" not in shown
    orders = text_of(visitor.get("/orders/"))
    assert "Disk, paid ahead" in orders
    assert text_of(visitor.get("/disks/")).count("until 2027-03-10") == 2


def test_a_changed_price_is_shown_first(visitor: Visitor) -> None:
    page = visitor.get(f"{NEW}&months=1")
    sent = Form(page.content.decode(), "/disks/new/").data | {"hourly": "1"}
    with nothing_written():
        answer = visitor.post("/disks/new/", sent)
    assert "¥40.00" in text_of(answer)


@pytest.mark.parametrize("months", ["13", "x"])
def test_a_term_that_is_not_sold_is_said_beside_its_field(visitor: Visitor, months: str) -> None:
    with nothing_written():
        answer = visitor.get(f"{NEW}&months={months}")
    assert answer.status_code == 422
    assert "months_error" in answer.content.decode()


def test_an_order_of_disks_has_its_page(visitor: Visitor) -> None:
    disk = _bought(visitor, 1)
    order = Order.objects.get(account_id=visitor.account_id, action="buy_disk").id
    page = visitor.get(f"/orders/{order}/")
    assert (disk.public_id in text_of(page), "2 of 2" in text_of(page), "ssh" in text_of(page)) == (True, True, False)


def test_it_is_renewed_made_larger_and_returned(visitor: Visitor, test_clock: BusinessClock) -> None:
    disk = _bought(visitor, 1)
    before = purses(visitor.account_id)["available"]
    shown = _confirm(visitor, f"/disks/renew/?id={disk.public_id}&months=2")
    assert ("Renewal of a disk" in shown, before - purses(visitor.account_id)["available"]) == (True, 4_000)
    before = purses(visitor.account_id)["available"]
    shown = _confirm(visitor, f"/disks/{disk.public_id}/size/?size=30")
    work()
    # from 10 March to 10 June: 92 days × 12 / 365 × 10 × 1.00
    assert ("20 GiB → 30 GiB" in shown, before - purses(visitor.account_id)["available"]) == (True, 3_025)
    address = f"/disks/{disk.public_id}/end/"
    assert "¥90.25" in text_of(visitor.get(address))  # the one free return
    before = purses(visitor.account_id)["available"]
    visitor.post(address, {})
    assert purses(visitor.account_id)["available"] - before == 9_025
    work()
    shown = text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert ("A renewal brings it back" in shown, "¥90.25 given back" in shown) == (True, True)
    _confirm(visitor, f"/disks/renew/?id={disk.public_id}")
    assert Disk.objects.get(pk=disk.pk).state == "UNATTACHED"


def test_it_is_switched_to_renew_itself(visitor: Visitor) -> None:
    disk = _bought(visitor, 1)
    visitor.post("/disks/renew/flag/", {"id": disk.public_id, "flag": "NOTIFY_AND_AUTO_RENEW"})
    disk.refresh_from_db()
    assert disk.subscription.renew_flag == "NOTIFY_AND_AUTO_RENEW"
    with nothing_written():
        visitor.post("/disks/renew/flag/", {"id": disk.public_id, "flag": "ALWAYS"})


def test_one_by_the_hour_is_paid_ahead_at_the_price_shown(visitor: Visitor, test_clock: BusinessClock) -> None:
    disk = _bought(visitor, 0)
    assert "Pay ahead" in text_of(visitor.get(f"/disks/{disk.public_id}/"))
    test_clock.advance(minutes=30)
    before = purses(visitor.account_id)["available"]
    _confirm(visitor, f"/disks/{disk.public_id}/prepay/?months=3")
    # 60.00, and of the 0.03 held an hour the half of 0.028 is left to be deducted, rounded up
    assert before - purses(visitor.account_id)["available"] == 6_000 - 3 + 2
    disk.refresh_from_db()
    assert (disk.subscription.charge_type, disk.subscription.anchor_at) == ("PREPAID", clock.now())
    with nothing_written():
        answer = visitor.get(f"/disks/{disk.public_id}/prepay/?months=3")
    assert (answer.status_code, "is prepaid already" in text_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("months", "asked", "due"), [(1, "size/?size=30", "Pay ¥10.19"), (0, "prepay/?months=1", "Pay ¥20.00")]
)
def test_a_price_shown_too_long_ago_is_told_anew(
    visitor: Visitor, test_clock: BusinessClock, months: int, asked: str, due: str
) -> None:
    address = f"/disks/{_bought(visitor, months).public_id}/{asked}"
    sent = Form(visitor.get(address).content.decode(), "").data | {"act": "pay"}
    test_clock.advance(minutes=16)
    with nothing_written():
        answer = text_of(visitor.post(address, sent))
    assert ("The price was shown too long ago to hold" in answer, due in answer) == (True, True)


def test_another_customers_disk_is_not_renewed(visitor: Visitor) -> None:
    disk, other = _bought(visitor, 1), customer()
    with nothing_written():
        assert "does not exist" in text_of(other.get(f"/disks/renew/?id={disk.public_id}"))
        assert other.get(f"/disks/{disk.public_id}/prepay/").status_code == 404


def test_lists_tell_of_it_and_the_seller_of_one_that_was_not_made(visitor: Visitor, world: World) -> None:
    disk, seller = _bought(visitor, 1), operator()
    shown = text_of(visitor.get("/balance/"))
    assert ("Paid ahead" in shown, disk.public_id in shown) == (True, True)
    assert disk.public_id in text_of(visitor.get("/activity/"))
    for address in ("/orders/?as=csv", "/disks/?as=csv"):
        assert visitor.get(address).status_code == 200, address
    world.fail("ensure_volume", times=12, transient=False, sentence="No disk is left.")
    failed = _bought(visitor, 1)
    order = Order.objects.latest("id").id
    page = text_of(visitor.get(f"/orders/{order}/"))
    assert ("2 disks could not be made." in page, "¥40.00 came back" in page) == (True, True)
    assert failed.public_id in text_of(seller.get("/seller/deliveries/"))
    assert "Deliveries failed" in text_of(seller.get("/seller/"))


def test_one_goes_on_as_long_as_the_machine_that_has_it(visitor: Visitor) -> None:
    disk = _bought(visitor, 1)
    way = f"/disks/renew/?id={disk.public_id}"
    assert "Or as long as the machine that has it is paid" in text_of(visitor.get(way))
    assert "is attached to no machine that is paid ahead" in text_of(visitor.get(f"{way}&until=machine"))
    visitor.buy("?charge=prepaid&months=3", name="box")
    work()
    machine = Instance.objects.get(name="box")
    attach(by(visitor.account_id), machine.public_id, [disk.public_id])
    work()
    page = visitor.get(f"{way}&until=machine").content.decode()
    assert "¥40.00" in page  # 20 × 1.00 × 2
    assert re.search(r'name="until" value="machine" checked', page)
    before = purses(visitor.account_id)["available"]
    _confirm(visitor, f"{way}&until=machine")
    assert before - purses(visitor.account_id)["available"] == 4_000
    assert "2026-06-10" in text_of(visitor.get(f"/disks/{disk.public_id}/"))
    assert "as long as the machine that has it" not in text_of(visitor.get(f"/machines/renew/?id={machine.public_id}"))
