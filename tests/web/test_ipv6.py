"""The purchase page offers an IPv6 address where the zone has them, and the machine's page shows it."""

import pytest

from tests.support.shopper import ZONE, work
from tests.web.test_security_groups import CLOSED, RULE, SOME, _made, _page
from tests.web.visiting import Visitor, customer, text_of
from vmart.catalog.models import Zone
from vmart.instances.models import Instance
from vmart.launch_templates.models import Version

HERE, ELSEWHERE = f"?charge=postpaid&zone={ZONE}", "?charge=postpaid&zone=ap-guangzhou-6"
OFFERED = "With an IPv6 address"


@pytest.fixture
def visitor() -> Visitor:
    return customer()


def test_it_is_bought_and_shown(visitor: Visitor) -> None:
    assert OFFERED in text_of(visitor.get(f"/buy/{HERE}", follow=True))
    assert "ipv6" not in visitor.buy_form(HERE)
    assert visitor.buy_form(f"{HERE}&ipv6=1")["ipv6"] == "1"
    visitor.buy(f"{HERE}&ipv6=1")
    work()
    machine = Instance.objects.latest("id")
    assert machine.ipv6 is not None
    assert f"IPv6 address {machine.ipv6}" in text_of(visitor.get(f"/machines/{machine.public_id}/"))
    visitor.buy(HERE)
    work()
    plain = Instance.objects.latest("id")
    assert (plain.ipv6, "IPv6 address" in text_of(visitor.get(f"/machines/{plain.public_id}/"))) == (None, False)


@pytest.mark.parametrize("query", [ELSEWHERE, HERE])
def test_where_there_are_none_it_is_not_offered_and_its_choice_gives_way_with_a_notice(
    visitor: Visitor, query: str
) -> None:
    """Given a zone without a prefix, or one whose engine does not guard them."""
    if query == HERE:
        Zone.objects.filter(code=ZONE).update(capabilities={"ipv6": False, "missing": {"ipv6": "Not here."}})
    assert OFFERED not in text_of(visitor.get(f"/buy/{query}", follow=True))
    shown = text_of(visitor.get(f"/buy/{query}&ipv6=1", follow=True))
    assert ("Machines have no IPv6 address in this zone." in shown, OFFERED in shown) == (True, False)
    visitor.buy(f"{query}&ipv6=1")
    assert Instance.objects.latest("id").ipv6 is None


def test_without_a_public_address_there_is_none(visitor: Visitor) -> None:
    visitor.buy(f"{HERE}&address=0&ipv6=1")
    machine = Instance.objects.latest("id")
    assert (machine.public_ip, machine.ipv6) == (None, None)


def test_a_template_that_the_page_saves_has_it(visitor: Visitor) -> None:
    visitor.buy(f"{HERE}&ipv6=1", act="save_template", template_name="six")
    (version,) = Version.objects.all()
    assert version.contents["network.ipv6_addresses"] == 1
    shown = visitor.get(f"/templates/{version.template.public_id}/")
    assert "Mbps, IPv6" in text_of(shown)


def test_ssh_by_ipv6_alone_is_none_for_a_machine_without_an_address(visitor: Visitor) -> None:
    """Given a group that lets SSH in from all of IPv6 and nothing else, then the pages say whether anybody gets in."""
    group = _made(visitor, starting="empty")
    visitor.post(_page(group), RULE | {"port": "22", "cidr": "::/0"})
    for more, said in (("", CLOSED), ("&ipv6=1", SOME)):
        query = f"{HERE}&security_group={group}{more}"
        shown = text_of(visitor.get(f"/buy/{query}", follow=True))
        assert [sentence for sentence in (CLOSED, SOME) if sentence in shown] == [said]
        visitor.buy(query)
        work()
        page = text_of(visitor.get(f"/machines/{Instance.objects.latest('id').public_id}/"))
        assert (CLOSED in page) is (said == CLOSED)
