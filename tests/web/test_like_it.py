"""Another machine like one that is there: its page leads to the purchase form with all that it has."""

import pytest
from django.urls import reverse

from tests.web.visiting import Visitor, customer, form_of
from vmart.instances.models import Instance
from vmart.network.models import Subnet

ALL = (
    "?charge=prepaid&months=1&zone=ap-guangzhou-4&type=S5.MEDIUM4&disk=CLOUD_SSD&disk_gib=60&internet=bandwidth&mbps=7"
    "&data_disk=CLOUD_PREMIUM&data_gib=30&data_disk=CLOUD_SSD&data_gib=40&tags=team%3Dweb&name=web"
)
BY_THE_HOUR = "?charge=postpaid&type=S5.SMALL1&address=1&internet=traffic&mbps=50"
SPOT = "?charge=spot&internet=traffic&mbps=3&max_price=5"
PRIVATE = "?charge=postpaid&address=0"
NOT_ALIKE = {"csrfmiddlewaretoken", "form", "quote", "name", "max_price"}


def _another(visitor: Visitor) -> dict[str, object]:
    machine = Instance.objects.latest("id")
    page = visitor.get(reverse("machine_another", args=[machine.public_id]), follow=True)
    assert page.status_code == 200
    return {name: value for name, value in form_of(page).items() if name not in NOT_ALIKE}


@pytest.mark.parametrize("query", [ALL, BY_THE_HOUR, SPOT, PRIVATE])
def test_another_one_is_the_form_that_bought_the_first(query: str) -> None:
    visitor = customer(gift_minor=1_000_000)
    bought = visitor.buy_form(query)
    assert visitor.post("/buy/", bought | {"act": "buy"}).status_code == 303
    again = _another(visitor)
    subnet = Subnet.objects.get(vpc__account_id=visitor.account_id).public_id
    kept = {name: value for name, value in bought.items() if name not in NOT_ALIKE}
    assert again == kept | {"subnet": subnet, "private_ip": ""}


def test_its_key_pair_is_chosen_again() -> None:
    visitor = customer()
    visitor.post("/keys/", {"act": "create", "name": "laptop"})
    form = visitor.buy_form("?charge=postpaid&login=key")
    assert visitor.post("/buy/", form | {"act": "buy"}).status_code == 303
    again = _another(visitor)
    assert (again["login"], again["key"]) == ("key", form["key"])


def test_anothers_machine_is_no_page() -> None:
    visitor = customer()
    visitor.buy("?charge=postpaid")
    machine = Instance.objects.latest("id")
    assert customer().get(reverse("machine_another", args=[machine.public_id])).status_code == 404
