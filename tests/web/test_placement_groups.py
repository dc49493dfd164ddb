"""Given a customer whose machines must lie apart, then the pages make a group, fill it, and say what it refuses."""

import re

import pytest

from tests.support.shopper import work
from tests.support.written import nothing_written
from tests.web.visiting import Visitor, customer, order_id_of, text_of
from vmart.instances.models import Instance
from vmart.launch_templates.models import Version
from vmart.listings import placement_groups as listed
from vmart.orders.models import Line
from vmart.placement.models import Group, Host, Member

NEW = {"name": "databases", "apart": "HOST", "affinity": "1"}


def _made(visitor: Visitor, **typed: str) -> str:
    answer = visitor.post("/placement-groups/", NEW | typed)
    assert (answer.status_code, answer["Location"]) == (302, "/placement-groups/")
    return Group.objects.latest("id").public_id


def _machines(group: str) -> list[str]:
    return list(listed.some(Group.objects.get(public_id=group).account_id, public_ids=[group])[1][0].machines)


def test_a_group_is_made_listed_changed_and_deleted() -> None:
    visitor = customer()
    assert "You have no placement group yet." in text_of(visitor.get("/placement-groups/"))
    group = _made(visitor, affinity="2")
    shown = text_of(visitor.get("/placement-groups/"))
    assert all(word in shown for word in ("databases", group, "Host", "0 / 50"))
    assert "databases" not in text_of(visitor.get("/placement-groups/?q=web")).partition("Create a placement group")[0]
    changed = visitor.post(f"/placement-groups/{group}/", {"name": "web", "affinity": "3"})
    assert changed["Location"] == f"/placement-groups/{group}/"
    assert list(Group.objects.values_list("name", "affinity")) == [("web", 3)]
    assert visitor.post(f"/placement-groups/{group}/delete/")["Location"] == "/placement-groups/"
    assert not Group.objects.exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "The name of a placement group has 1 to 60 characters on one line."),
        ({"affinity": "11"}, "The affinity is 11; it is 1 to 10."),
        ({"affinity": "many"}, "Enter a whole number."),
        ({"affinity": ""}, "This field is required."),
        ({"apart": "ROOM"}, "Machines lie apart by HOST or RACK."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(typed: dict[str, str], said: str) -> None:
    visitor = customer()
    with nothing_written():
        answer = visitor.post("/placement-groups/", NEW | typed)
    assert (answer.status_code, said in text_of(answer)) == (422, True)
    group = _made(visitor, affinity="2")
    with nothing_written():
        answer = visitor.post(f"/placement-groups/{group}/", {"name": "web", "affinity": "1"})
    assert (answer.status_code, "can only become larger" in text_of(answer)) == (422, True)


def test_machines_are_bought_into_it_put_in_and_taken_out() -> None:
    visitor = customer()
    assert "Placement group" not in text_of(visitor.get("/buy/")).partition("Name and number")[2]
    group = _made(visitor)
    order = order_id_of(visitor.buy(f"?group={group}"))
    other = order_id_of(visitor.buy())
    work()
    (first,), (second,) = (
        Instance.objects.filter(id__in=_subscriptions(number)).values_list("public_id", flat=True)
        for number in (order, other)
    )
    assert _machines(group) == [first]
    assert "databases" in text_of(visitor.get(f"/machines/{first}/"))
    page = text_of(visitor.get(f"/placement-groups/{group}/"))
    assert (first in page, "Delete" in page) == (True, False)
    visitor.post(f"/placement-groups/{group}/leave/", {"machine": first})
    assert _machines(group) == []
    visitor.post(f"/placement-groups/{group}/join/", {"machine": f" {second} "})
    assert _machines(group) == [second]
    Host.objects.exclude(id=Member.objects.get().allocation.host_id).update(enabled=False)
    with nothing_written():
        visitor.post(f"/placement-groups/{group}/delete/")
        visitor.post(f"/placement-groups/{group}/join/", {"machine": "ins-00000000"})
    shown = text_of(visitor.get(f"/placement-groups/{group}/"))
    assert f"has the instance {second}" in shown
    assert "The instance ins-00000000 does not exist." in shown


def test_a_purchase_that_would_lie_too_close_is_refused_at_the_field() -> None:
    visitor = customer()
    group = _made(visitor)
    zone = visitor.buy_form("")["zone"]
    Host.objects.filter(zone_id=zone).exclude(pk=Host.objects.filter(zone_id=zone).earliest("id").pk).delete()
    visitor.buy(f"?group={group}")
    with nothing_written():
        refused = visitor.buy(f"?group={group}")
    assert (refused.status_code, "is room for 0 machines apart" in text_of(refused)) == (422, True)
    assert re.search(rf'<option value="{group}" selected>databases</option>', refused.content.decode())
    with nothing_written():
        refused = visitor.buy("?group=ps-00000000")
    assert (refused.status_code, "The placement group ps-00000000 does not exist." in text_of(refused)) == (422, True)


def test_a_template_keeps_the_group_and_the_page_begins_with_it() -> None:
    visitor = customer()
    group = _made(visitor)
    form = visitor.buy_form(f"?group={group}") | {"act": "save_template", "template_name": "apart"}
    address = visitor.post("/buy/", form)["Location"]
    assert Version.objects.get().contents["placement_groups"] == [group]
    page = visitor.get(address)
    assert group in text_of(page)
    assert f"group={group}" in page.content.decode()


def _subscriptions(order: str) -> list[int]:
    return list(Line.objects.filter(order_id=order).values_list("subscription_id", flat=True))
