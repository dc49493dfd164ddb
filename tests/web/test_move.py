"""A customer moves a machine to another of its networks, on its page."""

import pytest
from django.urls import reverse

from tests.support.written import nothing_written
from tests.web.test_networks import BUY, visitor  # noqa: F401  a customer with a subnet of its own
from tests.web.visiting import Visitor, text_of, work
from vmart.instances.models import Instance
from vmart.network.models import Subnet

pytestmark = pytest.mark.usefixtures("shop")


def _running(visitor: Visitor) -> str:  # noqa: F811
    visitor.buy(BUY)
    work()
    return reverse("machine_network", args=[Instance.objects.get().public_id])


def test_it_says_where_it_is_and_what_changes_and_moves_it(visitor: Visitor) -> None:  # noqa: F811
    address = _running(visitor)
    machine, own = Instance.objects.get(), Subnet.objects.get(account_id=None)
    assert f'href="{address}"' in visitor.get(address.replace("network/", "")).content.decode()
    page = visitor.get(address)
    told = text_of(page)
    assert f"It is in Default-VPC / Default-Subnet, 10.64.0.0/20 Private address {machine.private_ip} , free" in told
    assert "Price none: the machine is charged on as before" in told
    assert "The machine is turned off for it, and runs again within a minute as a rule." in told
    assert "net / part · 10.0.1.0/24 · 253 free" in told
    answer = visitor.post(address, {"subnet": own.public_id, "private_ip": " 10.0.1.9 "})
    assert answer.status_code == 302
    assert "It is being moved to another network." in text_of(visitor.get(answer["Location"]))
    work()
    moved = Instance.objects.get()
    assert (moved.subnet_id, moved.private_ip, moved.state) == (own.id, "10.0.1.9", "RUNNING")
    assert "Moved to another network" in text_of(visitor.get(answer["Location"]))


def test_what_is_wrong_is_said_beside_it(visitor: Visitor) -> None:  # noqa: F811
    address, own = _running(visitor), Subnet.objects.get(account_id=None).public_id
    for asked, says in (
        ({}, "Choose a subnet."),
        ({"subnet": "subnet-none"}, "The subnet subnet-none does not exist"),
        ({"subnet": own, "private_ip": "ten"}, "ten is"),
        ({"subnet": own, "private_ip": "10.0.2.1"}, "10.0.2.1"),
        ({"subnet": own, "private_ip": "1\0"}, "Null characters are not allowed."),
        ({"subnet": "subnet-\0"}, "Null characters are not allowed."),
    ):
        with nothing_written():
            answer = visitor.post(address, asked)
        assert answer.status_code == 422
        assert says in text_of(answer)


def test_one_that_is_off_stays_off_and_a_busy_one_is_told_on_its_page(visitor: Visitor) -> None:  # noqa: F811
    address, own = _running(visitor), Subnet.objects.get(account_id=None).public_id
    visitor.post(address.replace("network/", "stop/"), {"mode": "KEEP_CHARGING"})
    work()
    assert "The machine is off and stays off" in text_of(visitor.get(address))
    answer = visitor.post(address, {"subnet": own})
    with nothing_written():
        again = visitor.post(address, {"subnet": own})
    assert again["Location"] == answer["Location"]
    assert "is busy with ModifyInstancesVpcAttribute" in text_of(visitor.get(again["Location"]))
    work()
    assert Instance.objects.get().state == "STOPPED"
