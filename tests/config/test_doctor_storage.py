"""What `vmart doctor` says of the storage that machines fill."""

from pathlib import Path

import pytest

from tests.support.shopper import ZONE
from vmart.catalog.models import Zone
from vmart.config import doctor
from vmart.config.places import Places
from vmart.placement.models import Host

NAME = "storage of machines"


@pytest.fixture
def places(tmp_path: Path, shop: object, monkeypatch: pytest.MonkeyPatch) -> Places:
    monkeypatch.setenv("VMART_DATABASE_URL", "host=/the/tests/own")
    return Places(tmp_path)


def test_a_shop_without_real_machines_fills_nothing(places: Places) -> None:
    assert doctor._storage(places) == doctor.Finding(NAME, True, "no real zone")


@pytest.mark.parametrize(
    ("pools", "well", "said"),
    [
        ({"a": [69, 100], "b": [10, 100]}, True, "79 of 200 GiB filled, sold 1.25 times its size"),
        ({"a": [79, 100]}, True, "79 of 100 GiB filled, sold 2.50 times its size"),
        ({"a": [80, 100]}, False, "80 of 100 GiB filled, sold 2.50 times its size"),
        ({"a": [80, 100], "b": [0, 400]}, False, "80 of 500 GiB filled, sold 0.50 times its size"),  # a stops alone
        ({"a": [1, 100], "b": [0, 0]}, True, "1 of 100 GiB filled, sold 2.50 times its size"),
    ],
)
def test_a_pool_that_fills_up_is_not_well(pools: dict[str, list[int]], well: bool, said: str, places: Places) -> None:
    Zone.objects.filter(code=ZONE).update(capabilities={"pools": pools})
    hosts = Host.objects.filter(zone_id=ZONE).order_by("pk")
    hosts.update(disk_used_gib=0)
    Host.objects.filter(pk=hosts[0].pk).update(disk_used_gib=250)
    assert doctor._storage(places) == doctor.Finding(NAME, well, f"{ZONE}: {said}")


def test_without_a_database_nothing_is_said(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VMART_DATABASE_URL")
    assert doctor._storage(places) == doctor.Finding(NAME, None, "looked at when vmart runs")
