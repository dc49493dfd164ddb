"""Zones of kind auto follow the engine that ``vmart up`` finds or is told, unless machines live on the other one."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.clients.conftest import Access, wait_for
from tests.clients.test_sdk_python import POSTPAID, Cvm
from tests.support.actors import by
from tests.support.business_clock import BusinessClock
from tests.support.database import DEMO_CATALOG
from tests.support.running_shop import RunningShop
from tests.support.shopper import HOURLY, IMAGE, LOGIN, open_purse, work
from vmart import engines
from vmart.backoffice import apply_catalog, change_engine
from vmart.catalog.models import Zone, ZoneImage
from vmart.config import bring_up
from vmart.engines.simulated.world import World
from vmart.instances.models import Instance
from vmart.kernel.documents import DocumentError
from vmart.kernel.models import Deployment
from vmart.orders.errors import SoldOut
from vmart.orders.purchase import purchase
from vmart.orders.terminate import terminate
from vmart.orders.wanted import Machine, Purchase
from vmart.placement.models import Host
from vmart.pricing.configuration import Configuration
from vmart.provisioning import zones
from vmart.settlement import close

AUTO = "ap-guangzhou-3"
OTHERS = ("ap-guangzhou-4", "ap-guangzhou-6", "ap-shanghai-2", "ap-shanghai-5")


@pytest.fixture
def world(shop: object, test_clock: BusinessClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The engine of the zone of kind auto while it is simulated."""
    monkeypatch.setattr("vmart.worker.loop._BACKOFF_S", (0.0,) * 8)
    close.begin(test_clock.at)
    assert zones.check(AUTO)
    assert zones.prepare_images(AUTO)
    return World(tmp_path / "engine" / f"{AUTO}.sqlite")


def _configuration() -> Configuration:
    return replace(HOURLY, zone=AUTO)


def _buy(account: int) -> Instance:
    bought = purchase(Purchase(by(account), _configuration(), Machine(IMAGE, LOGIN, name="web")))
    return Instance.objects.get(public_id=bought.instance_ids[0])


def _generation() -> int:
    return Deployment.objects.get().generation


def test_a_zone_of_kind_auto_takes_what_is_found_and_forgets_the_old_engine(world: World) -> None:
    """Given an empty simulated zone, when an Incus is found, then the zone is its and has no room yet."""
    before = _generation()
    assert change_engine.follow_compute("private") == [AUTO]
    zone = Zone.objects.get(code=AUTO)
    assert (zone.engine_kind, zone.auto_compute, zone.engine_status, zone.capabilities) == (
        "incus", "private", "unknown", {},
    )  # fmt: skip
    assert set(ZoneImage.objects.filter(zone=AUTO).values_list("status", "ready_at")) == {("missing", None)}
    assert not Host.objects.filter(zone=AUTO).exists()
    assert set(Zone.objects.filter(code__in=OTHERS).values_list("engine_kind", "auto_compute")) == {("simulated", "")}
    assert _generation() == before + 1
    assert change_engine.follow_compute("private") == []
    assert _generation() == before + 1
    with pytest.raises(SoldOut):
        _buy(open_purse(cash_minor=1000))


def test_and_back_again_it_sells_what_its_simulated_members_have(world: World) -> None:
    change_engine.follow_compute("private")
    assert change_engine.follow_compute("simulated") == [AUTO]
    assert zones.check(AUTO)
    assert zones.prepare_images(AUTO)
    assert sorted(Host.objects.filter(zone=AUTO, online=True).values_list("name", "vcpu_capacity")) == [
        ("gz3-a", 256 * 16), ("gz3-b", 256 * 16),
    ]  # fmt: skip
    machine = _buy(open_purse(cash_minor=1000))
    work()
    machine.refresh_from_db()
    assert machine.state == "RUNNING"


def test_the_demo_catalog_leaves_a_followed_zone_as_it_is(world: World) -> None:
    change_engine.follow_compute("private")
    assert apply_catalog.apply_file(DEMO_CATALOG, confirm=lambda _changes: True) == []


def test_where_machines_live_the_engine_stays_until_they_have_ended(world: World) -> None:
    account = open_purse(cash_minor=1000)
    machine = _buy(account)
    work()
    before, images = Zone.objects.values().get(code=AUTO), list(ZoneImage.objects.filter(zone=AUTO).values())
    with pytest.raises(change_engine.MachinesLiveThere, match=f"zone {AUTO} has 1 machine on its simulated engine"):
        change_engine.follow_compute("private")
    assert Zone.objects.values().get(code=AUTO) == before
    assert list(ZoneImage.objects.filter(zone=AUTO).values()) == images
    assert Host.objects.filter(zone=AUTO, online=True).count() == 2
    for _ in range(2):  # into the bin, and out of it
        terminate(by(account), [machine.public_id])
        work()
    assert change_engine.follow_compute("private") == [AUTO]


def test_two_zones_of_kind_auto_do_not_come_to_share_one_engine(world: World) -> None:
    Zone.objects.filter(code=OTHERS[0]).update(auto_compute="simulated")
    before = list(Zone.objects.order_by("code").values())
    with pytest.raises(bring_up.DatabaseUnfit, match="served by the same engine under the same deployment"):
        bring_up.follow_compute("private", asked=True)
    assert list(Zone.objects.order_by("code").values()) == before


def test_a_failed_delivery_that_is_not_cleaned_yet_holds_the_engine(world: World) -> None:
    machine = _buy(open_purse(cash_minor=1000))
    world.fail("ensure_present", transient=False)
    world.fail("ensure_absent", times=6)
    work()
    machine.refresh_from_db()
    assert machine.state == "LAUNCH_FAILED"
    with pytest.raises(change_engine.MachinesLiveThere):
        change_engine.follow_compute("private")


@pytest.mark.parametrize(
    ("lives_on", "found", "asked", "sentence"),
    [
        ("simulated", "private", True, "end them first, or start with --compute simulated"),
        ("private", "simulated", False, "end them first, or start with --compute incus"),
        ("private", "own", False, "end them first, or start with --compute incus"),
        ("own", "private", False, "end them first, or start with --incus-socket"),
    ],
)
def test_a_start_that_would_lose_machines_is_refused(
    world: World, lives_on: str, found: str, asked: bool, sentence: str
) -> None:
    _buy(open_purse(cash_minor=1000))
    Zone.objects.filter(code=AUTO).update(auto_compute=lives_on, engine_kind=engines.driver_found(lives_on).kind)
    with pytest.raises(bring_up.DatabaseUnfit, match=sentence):
        bring_up.follow_compute(found, asked=asked)
    assert Zone.objects.get(code=AUTO).auto_compute == lives_on


def test_an_engine_that_was_only_found_waits_until_the_simulated_machines_have_ended(world: World) -> None:
    _buy(open_purse(cash_minor=1000))
    assert bring_up.follow_compute("private", asked=False).startswith(f"zone {AUTO} has 1 machine on its simulated")
    assert Zone.objects.get(code=AUTO).engine_kind == "simulated"


def test_a_catalog_that_changes_the_engine_under_machines_is_refused(world: World, tmp_path: Path) -> None:
    changed = tmp_path / "catalog.yaml"
    members = "".join(f"            - {{name: gz3-{x}, vcpu: 256, memory_gib: 1024, disk_gib: 40960}}\n" for x in "ab")
    text = DEMO_CATALOG.read_text()
    auto = "          kind: auto # Incus where this machine has one, else simulated\n          members:\n" + members
    assert auto in text
    own = "          kind: incus\n          settings: {url: 'https://192.0.2.1:8443', server_fingerprint: ab}\n"
    changed.write_text(text.replace(auto, own))
    machine = _buy(open_purse(cash_minor=1000))
    with pytest.raises(DocumentError, match=f"regions.zones.{AUTO}.engine.kind: zone {AUTO} has 1 machine"):
        apply_catalog.apply_file(changed, confirm=lambda _changes: True)
    assert Zone.objects.get(code=AUTO).engine_kind == "simulated"
    assert Host.objects.filter(zone=AUTO, online=True).count() == 2
    assert machine.state == "PENDING"


# -- two starts of a whole shop ---------------------------------------------------------------------


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[Path]:
    """The socket of an Incus that never answers."""
    path = tmp_path / "unix.socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        yield path


def _served_by(shop: RunningShop) -> Any:
    with psycopg.connect(shop.database_url) as connection:
        found = connection.execute("SELECT engine_kind, auto_compute FROM catalog_zone WHERE code = %s", [AUTO])
        return found.fetchone()


def _cvm(shop: RunningShop) -> Cvm:
    customer = shop.ready["customer"]
    return Cvm(Access(shop.ready["api_endpoint"], "", "", customer["secret_id"], customer["secret_key"]))


@pytest.mark.xdist_group("running_shop")
def test_each_start_serves_the_auto_zone_with_the_engine_that_ready_says(
    start_shop: Callable[..., RunningShop], nobody: Path
) -> None:
    real = ("--listen", "127.0.0.1:0", "--demo", "--incus-socket", str(nobody))
    shop = start_shop()
    assert (shop.ready["engine"], _served_by(shop)) == ("simulated", ("simulated", "simulated"))
    shop.end()
    shop.start_again(*real, "--compute", "incus")
    assert (shop.ready["engine"], _served_by(shop)) == ("incus", ("incus", "own"))
    shop.end()
    shop.start_again()
    assert (shop.ready["engine"], _served_by(shop)) == ("simulated", ("simulated", "simulated"))

    cvm, order = _cvm(shop), POSTPAID | {"Placement": {"Zone": AUTO}}
    (machine,) = cvm.RunInstances(order)["InstanceIdSet"]
    wait_for(lambda: cvm.DescribeInstances({"InstanceIds": [machine]})["InstanceSet"][0]["InstanceState"], "RUNNING")
    shop.end()
    refused = shop.vmart("up", *real, "--compute", "incus", check=False)
    assert refused.returncode == 3
    assert f"zone {AUTO} has 1 machine on its simulated engine: end them first, or start with" in refused.stderr
    shop.start_again(*real, "--compute", "auto")
    assert (shop.ready["engine"], _served_by(shop)) == ("simulated", ("simulated", "simulated"))
    assert f"simulated: zone {AUTO} has 1 machine on its simulated engine" in shop.log
