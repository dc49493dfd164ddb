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


@pytest.mark.parametrize(("filled", "well"), [(79, True), (80, False)])
def test_a_pool_that_fills_up_is_not_well(filled: int, well: bool, places: Places) -> None:
    Zone.objects.filter(code=ZONE).update(capabilities={"pools": {"a": [filled - 10, 60], "b": [10, 40]}})
    hosts = Host.objects.filter(zone_id=ZONE).order_by("pk")
    hosts.update(disk_used_gib=0)
    Host.objects.filter(pk=hosts[0].pk).update(disk_used_gib=250)
    said = f"{ZONE}: {filled} of 100 GiB filled, sold 2.50 times its size"
    assert doctor._storage(places) == doctor.Finding(NAME, well, said)


def test_without_a_database_nothing_is_said(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VMART_DATABASE_URL")
    assert doctor._storage(places) == doctor.Finding(NAME, None, "looked at when vmart runs")
