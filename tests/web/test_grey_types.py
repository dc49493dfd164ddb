"""A type that cannot be had is grey, and its row says why."""

import re

from tests.web.visiting import customer, order_id_of
from vmart.catalog.models import Offer
from vmart.kernel.models import Deployment
from vmart.placement.models import Host

ZONE = "ap-guangzhou-3"


def _stock(query: str = "") -> dict[str, tuple[bool, str]]:
    """Of each type: whether it is grey, and what its row says, to which its button refers."""
    page = customer().get(f"/buy/{query}", follow=True).content.decode()
    buttons = re.findall(r'<input [^>]*name="type" id="type-([^"]+)"[^>]*>', page)
    tags = {code: next(re.finditer(rf'<input [^>]*id="type-{re.escape(code)}"[^>]*>', page))[0] for code in buttons}
    assert all(f'aria-describedby="stock-{code}"' in tag for code, tag in tags.items())
    said = dict(re.findall(r'<span id="stock-([^"]+)">([^<]*)</span>', page))
    return {code: (" disabled" in tag, said[code]) for code, tag in tags.items()}


def test_what_can_be_had_says_so() -> None:
    assert _stock()["S5.SMALL1"] == (False, "In stock")


def test_what_the_seller_holds_back_is_sold_out() -> None:
    Offer.objects.filter(zone_id=ZONE, instance_type_id="S5.SMALL1").update(sold_out=True)
    Deployment.objects.update(generation=Deployment.objects.get().generation + 1)
    assert _stock()["S5.SMALL1"] == (True, "Sold out")


def test_what_no_host_has_memory_for_has_no_room() -> None:
    Host.objects.filter(zone_id=ZONE).update(memory_capacity_mib=2048)
    found = _stock()
    assert found["S5.LARGE8"] == (True, "No room at present")
    assert found["S5.SMALL1"][0] is False


def test_what_only_the_disks_are_too_large_for_says_that() -> None:
    """Given hosts of which the small ones alone have large disks left, then the larger types go by their disks."""
    hosts = list(Host.objects.filter(zone_id=ZONE).order_by("id"))
    Host.objects.filter(zone_id=ZONE).update(disk_capacity_gib=60)
    Host.objects.filter(pk=hosts[0].pk).update(disk_capacity_gib=10_000, memory_capacity_mib=2048)
    found = _stock("?disk_gib=500")
    assert found["S5.LARGE8"] == (True, "No room for disks of this size")
    assert found["S5.SMALL1"][0] is False


def test_a_zone_whose_hosts_are_away_does_not_answer() -> None:
    Host.objects.filter(zone_id=ZONE).update(online=False)
    found = _stock(f"?zone={ZONE}")
    assert found["S5.LARGE8"] == (True, "The zone does not answer")


def test_the_chosen_type_can_be_bought_though_it_was_grey_a_moment_ago() -> None:
    visitor = customer()
    form = visitor.buy_form("?type=S5.SMALL1") | {"act": "buy"}
    Host.objects.filter(zone_id=ZONE).update(memory_capacity_mib=0)
    assert visitor.post("/buy/", form).status_code in (409, 422)
    Host.objects.filter(zone_id=ZONE).update(memory_capacity_mib=1 << 20)
    assert order_id_of(visitor.post("/buy/", form))
