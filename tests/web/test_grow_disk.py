"""The page that makes a machine's disk larger: told first what it costs and whether the machine is off meanwhile."""

from typing import Any

import pytest

from tests.support.shopper import purses, work
from tests.web.test_renewal import _form
from tests.web.visiting import Visitor, customer, text_of
from vmart.instances.models import Instance
from vmart.orders.models import Order
from vmart.storage.models import Disk


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def _running(visitor: Visitor, query: str) -> tuple[Instance, list[Disk]]:
    visitor.buy(query)
    work()
    machine = Instance.objects.latest("id")
    assert machine.state == "RUNNING"
    return machine, list(Disk.objects.filter(instance_id=machine.id).order_by("position"))


WITH_DATA = "?charge=postpaid&data_disk=CLOUD_SSD&data_gib=100"


def _address(machine: Instance, disk: Disk | None = None, size: object = "") -> str:
    return f"/machines/{machine.public_id}/disk/" + (f"?disk={disk.public_id}&size={size}" if disk else "")


def test_by_the_hour_it_says_what_an_hour_costs_then_and_grows_it(visitor: Visitor) -> None:
    """0.18 CPU and memory, 20 GiB at 0.0005, 100 or 200 GiB at 0.0014."""
    machine, (system, data) = _running(visitor, WITH_DATA)
    assert "Larger disk…" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    page = text_of(visitor.get(_address(machine)))
    assert f"System disk · {system.public_id} · 20 GiB" in page
    assert f"Data disk · {data.public_id} · 100 GiB" in page
    assert ("A disk only grows, and what is on it stays." in page, "rest of the term" in page) == (True, False)
    page = text_of(visitor.get(_address(machine, data, 200)))
    assert f"Disk {data.public_id} Size now 100 GiB Size then 200 GiB" in page
    assert "An hour now ¥0.33 An hour then ¥0.47 Set aside then ¥0.47" in page
    assert "the old one until then. The machine runs on." in page
    answer = visitor.post(_address(machine), {"disk": data.public_id, "size": "200"})
    page = visitor.get(answer["Location"])
    assert ("The disk is being made larger." in text_of(page), "Its disk is being made larger." in text_of(page)) == (
        True, True,
    )  # fmt: skip
    assert 'hx-trigger="every 1s"' in page.content.decode()
    work()
    assert f"Disk made larger {data.public_id} 100 → 200 GiB" in text_of(visitor.get(answer["Location"]))
    assert [disk.size_gib for disk in Disk.objects.filter(instance_id=machine.id).order_by("position")] == [20, 200]


def test_in_a_term_its_price_is_shown_and_charged_once_however_often_it_is_sent(visitor: Visitor) -> None:
    """31 days: 10 GiB × 0.35 × 31 × 12 / 365."""
    machine, (disk,) = _running(visitor, "")
    address = _address(machine, disk, 30)
    assert "More of it is paid for the rest of the term." in text_of(visitor.get(_address(machine)))
    page = text_of(visitor.get(address))
    assert ("Due now ¥3.57" in page, "Pay ¥3.57 and make the disk larger" in page) == (True, True)
    assert "It is taken when the disk has its size. The machine runs on." in page
    before = purses(visitor.account_id)["available"]
    shown = {**_form(visitor, address), "act": "pay"}
    first, again = (visitor.post(address, shown) for _ in range(2))
    order = Order.objects.get(action="disk")
    assert (first["Location"], again["Location"]) == (f"/orders/{order.id}/", f"/orders/{order.id}/")
    work()
    assert "Disk 20 GiB → 30 GiB Price ¥3.57" in text_of(visitor.get(first["Location"]))
    assert f"Larger disk · {machine.public_id}" in text_of(visitor.get("/orders/"))
    assert "Paid for a larger disk ¥3.57" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert purses(visitor.account_id)["available"] == before - 357


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ("100", "has 100 GiB, and a disk only grows."),
        ("105", "10 to 32000 GiB in steps of 10"),
        ("0", "Ensure this value is greater than or equal to 1."),
        ("much", "Enter a whole number."),
        ("", "This field is required."),
    ],
)
def test_what_is_refused_is_said_at_the_field(visitor: Visitor, size: str, said: str) -> None:
    machine, (_, data) = _running(visitor, "?charge=postpaid&data_disk=CLOUD_PREMIUM&data_gib=100")
    for answer in (
        visitor.get(_address(machine, data, size)),
        visitor.post(_address(machine), {"disk": data.public_id, "size": size}),
    ):
        assert (answer.status_code, said in text_of(answer)) == (422, True)
        assert "Size then" not in text_of(answer)


def test_another_machines_disk_is_none_of_this(visitor: Visitor) -> None:
    machine, _ = _running(visitor, WITH_DATA)
    _, (other, _) = _running(visitor, WITH_DATA)
    answer = visitor.get(_address(machine, other, 200))
    said = f"{machine.public_id} has no disk {other.public_id}."
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    answer = visitor.get(f"/machines/{machine.public_id}/disk/?size=200")
    assert (answer.status_code, f"{machine.public_id} has no disk (empty)." in text_of(answer)) == (422, True)


def test_one_that_fails_says_so_at_the_machine(visitor: Visitor, world: Any) -> None:
    machine, (disk, _) = _running(visitor, WITH_DATA)
    visitor.post(_address(machine), {"disk": disk.public_id, "size": "30"})
    world.fail("ensure_disk_size", times=6, sentence="The host does not answer.")
    work()
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "The disk could not be made larger; it is paid for as before. The host does not answer." in page
