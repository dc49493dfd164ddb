"""Given hosts, when their room is asked for, then it is what a purchase would find there."""

import pytest

from tests.support.shopper import HOURLY, open_purse, wanted
from tests.support.statements import statements
from vmart.catalog import shop
from vmart.listings import stock
from vmart.orders.errors import SoldOut
from vmart.orders.purchase import purchase
from vmart.placement.models import Host

pytestmark = pytest.mark.usefixtures("shop")
FOUR, SIX = ("ap-guangzhou-4", "S5.MEDIUM4"), ("ap-guangzhou-6", "S5.MEDIUM4")


def _hosts(*sizes: tuple[int, int, int]) -> None:
    Host.objects.filter(zone="ap-guangzhou-4").update(enabled=False)
    for host, (vcpu, memory_mib, disk_gib) in zip(
        Host.objects.filter(zone="ap-guangzhou-4").order_by("id"), sizes, strict=False
    ):
        Host.objects.filter(pk=host.pk).update(
            enabled=True, vcpu_capacity=vcpu, memory_capacity_mib=memory_mib, disk_capacity_gib=disk_gib
        )


@pytest.mark.parametrize(
    ("sizes", "fits"),
    [
        ([(2, 4096, 50)], 1),
        ([(1, 4096, 50), (2, 4095, 50), (2, 4096, 49)], 0),
        ([(20, 8192, 5000), (3, 40960, 5000), (200, 409600, 149)], 2 + 1 + 2),
        ([], 0),
    ],
)
def test_room_is_what_can_be_bought(sizes: list[tuple[int, int, int]], fits: int) -> None:
    _hosts(*sizes)
    here = shop.current()
    assert stock.room(here, 50).get(FOUR, 0) == fits
    account = open_purse(cash_minor=10_000)
    for _ in range(fits):
        purchase(wanted(account, HOURLY))
    with pytest.raises(SoldOut):
        purchase(wanted(account, HOURLY))
    assert stock.room(here, 50).get(FOUR, 0) == 0


def test_each_type_of_a_zone_is_explained_in_one_query() -> None:
    _hosts((2, 4096, 50), (2, 2048, 50), (1, 4096, 50))
    away = Host.objects.filter(zone="ap-guangzhou-4", enabled=False).count()
    with statements() as made:
        placed = {one.type_code: one for one in stock.explained("ap-guangzhou-4", 50)}
    assert len(made) == 1
    assert list(placed) == list(shop.current().zones["ap-guangzhou-4"].offers)
    medium = placed["S5.MEDIUM4"]
    assert (medium.vcpu, medium.memory_mib) == (2, 4096)
    assert medium.left == {
        "hosts": 3 + away, "online": 3 + away, "accepting": 3, "vCPU": 2, "memory": 1, "disk": 1,
    }  # fmt: skip
    assert {one.left["disk"] for one in stock.explained("ap-guangzhou-4", 51)} == {0}
    assert stock.explained("ap-nowhere-1", 50) == []


def test_hosts_that_are_away_have_no_room() -> None:
    here = shop.current()
    assert stock.room(here, 50)[SIX] == stock.room(here, 50)[FOUR] > 100
    Host.objects.filter(zone="ap-guangzhou-6").update(online=False)
    assert SIX not in stock.room(here, 50)
    Host.objects.filter(zone="ap-guangzhou-4").update(vcpu_capacity=0, vcpu_used=4)  # shrunk below what it carries
    assert FOUR not in stock.room(here, 50)
