"""Given a zone's engine, then shop and placement know what it can do, what it has and how far its images are."""

import gc
import json
import weakref

import pytest
from django.conf import settings

from tests.support.shopper import HOURLY, ZONE, open_purse, wanted
from tests.support.written import refused
from vmart.catalog.models import Zone, ZoneImage
from vmart.engines.contract import Capabilities, EngineError, MemberCapacity
from vmart.engines.simulated.engine import SimulatedEngine
from vmart.engines.simulated.world import World
from vmart.orders.errors import SoldOut
from vmart.orders.purchase import purchase
from vmart.placement.models import Host
from vmart.provisioning import zone_engines, zones

pytestmark = pytest.mark.usefixtures("shop")


def _images() -> dict[str, tuple[str, int]]:
    return {
        row.image.recipe: (row.status, row.percent)
        for row in ZoneImage.objects.filter(zone_id=ZONE).select_related("image")
    }


def _settings(**more: object) -> None:
    zone = Zone.objects.get(code=ZONE)
    Zone.objects.filter(code=ZONE).update(engine_settings=zone.engine_settings | more)


def test_a_zone_whose_engine_answers_is_ready() -> None:
    assert zones.check(ZONE)
    zone = Zone.objects.get(code=ZONE)
    assert (zone.engine_status, zone.engine_why) == ("ready", "")
    assert zone.engine_seen_at is not None
    assert zone.capabilities["instance_kind"] == "simulated"


def test_a_zone_whose_engine_does_not_answer_says_so_until_it_does(world: World) -> None:
    world.stop_engine()
    assert not zones.check(ZONE)
    zone = Zone.objects.get(code=ZONE)
    assert (zone.engine_status, zone.engine_why) == ("unreachable", "The compute engine does not answer.")
    world.start_engine()
    assert zones.check(ZONE)
    assert Zone.objects.get(code=ZONE).engine_why == ""


def test_a_member_that_is_down_sells_nothing(world: World) -> None:
    for name in Host.objects.filter(zone_id=ZONE).values_list("name", flat=True):
        world.set_member_online(name, False)
    zones.check(ZONE)
    account = open_purse(cash_minor=1000)
    with refused(SoldOut):
        purchase(wanted(account, HOURLY))
    world.set_member_online("gz4-a", True)
    zones.check(ZONE)
    purchase(wanted(account, HOURLY))
    assert Host.objects.get(vcpu_used__gt=0).name == "gz4-a"


def test_what_a_real_engine_has_is_what_its_members_sell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Overcommit of the zone on vCPU; a reserve for the host itself on memory; a member that left is offline."""
    Zone.objects.filter(code=ZONE).update(engine_kind="incus", vcpu_overcommit=4)
    Host.objects.filter(zone_id=ZONE, name="gz4-b").update(vcpu_used=3)
    real = SimulatedEngine({"file": "/nonexistent"})
    monkeypatch.setattr(real, "capacity", lambda: [MemberCapacity("gz4-b", True, 8, 10_000, 100)])
    monkeypatch.setattr(zones, "engine_of", lambda _zone: real)
    assert zones.check(ZONE)
    host = Host.objects.get(zone_id=ZONE, name="gz4-b")
    assert (host.vcpu_capacity, host.memory_capacity_mib, host.vcpu_used, host.online) == (32, 8000, 3, True)
    assert set(Host.objects.filter(zone_id=ZONE, online=True).values_list("name", flat=True)) == {"gz4-b"}


def test_what_fills_a_real_pool_is_kept_and_a_simulated_one_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert zones.check(ZONE)
    assert Zone.objects.get(code=ZONE).capabilities["pools"] == {}
    Zone.objects.filter(code=ZONE).update(engine_kind="incus")
    real = SimulatedEngine({"file": "/nonexistent"})
    members = [MemberCapacity("gz4-b", True, 8, 10_000, 56, 12), MemberCapacity("gz4-c", False, 0, 0, 0)]
    monkeypatch.setattr(real, "capacity", lambda: members)
    monkeypatch.setattr(real, "capabilities", lambda: Capabilities("container", df_shows_gib=56))
    monkeypatch.setattr(zones, "engine_of", lambda _zone: real)
    assert zones.check(ZONE)
    seen = Zone.objects.get(code=ZONE).capabilities
    assert (seen["pools"], seen["df_shows_gib"]) == ({"gz4-b": [12, 56]}, 56)
    members[:] = [MemberCapacity("gz4-b", False, 0, 0, 0), MemberCapacity("gz4-c", True, 8, 10_000, 40, 3)]
    assert zones.check(ZONE)  # what one held that is offline, it holds
    assert Zone.objects.get(code=ZONE).capabilities["pools"] == {"gz4-b": [12, 56], "gz4-c": [3, 40]}
    del members[0]
    assert zones.check(ZONE)
    assert Zone.objects.get(code=ZONE).capabilities["pools"] == {"gz4-c": [3, 40]}


def test_images_that_are_sold_get_ready_and_others_are_not_asked_for() -> None:
    before = _images()
    assert zones.prepare_images(ZONE)
    assert _images() == before | {"debian-12": ("ready", 100), "debian-13": ("ready", 100)}
    assert ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12").ready_at is not None


def test_an_image_that_takes_its_time_shows_how_far_it_is() -> None:
    _settings(image_ready_s=1000.0)
    assert not zones.prepare_images(ZONE)
    assert not zones.prepare_images(ZONE)
    assert _images()["debian-12"][0] == "preparing"
    assert ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12").ready_at is None


def test_an_image_that_cannot_be_made_says_why_and_holds_up_no_other() -> None:
    _settings(images=["debian-13"])
    assert zones.prepare_images(ZONE)
    assert _images()["debian-12"][0] == "failed"
    assert ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12").why == "This zone cannot make the image."
    assert _images()["debian-13"] == ("ready", 100)


def test_an_image_whose_engine_fails_is_asked_for_again(world: World) -> None:
    world.fail("ensure_image")
    assert not zones.prepare_images(ZONE)
    assert zones.prepare_images(ZONE)
    assert _images()["debian-12"] == ("ready", 100)


def test_a_ready_image_is_not_asked_for_again_but_its_next_version_is(world: World) -> None:
    zones.prepare_images(ZONE)
    world.count_calls()
    zones.prepare_images(ZONE)
    assert "ensure_image" not in world.calls()
    image = ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12").image
    image.version = "2"
    image.save()
    zones.prepare_images(ZONE)
    assert world.calls()["ensure_image"] == 1
    assert ZoneImage.objects.get(zone_id=ZONE, image__recipe="debian-12").version == "2"


def test_each_zone_has_an_engine_of_its_own_opened_once() -> None:
    assert zone_engines.engine_of(ZONE) is zone_engines.engine_of(ZONE)
    assert zone_engines.engine_of(ZONE) is not zone_engines.engine_of("ap-guangzhou-6")


def test_changed_settings_open_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = zone_engines.engine_of(ZONE)
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"latency_s": 0.001}))
    assert zone_engines.engine_of(ZONE) is not before


def test_the_engine_of_settings_that_changed_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds connections: a process that kept each one of them would run out of descriptors."""
    before = weakref.ref(zone_engines.engine_of(ZONE))
    monkeypatch.setenv("VMART_SIMULATED_SETTINGS", json.dumps({"latency_s": 0.001}))
    zone_engines.engine_of(ZONE)
    gc.collect()
    assert before() is None


def test_an_engine_of_an_unknown_kind_is_refused() -> None:
    Zone.objects.filter(code=ZONE).update(engine_kind="mainframe")
    with pytest.raises(EngineError, match="mainframe"):
        zone_engines.engine_of(ZONE)


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({}, {"socket": "/private", "deployment": "d1", "pool": "vmart", "image_cache": "/cache"}),
        ({"pool": "fast"}, {"socket": "/private", "deployment": "d1", "pool": "fast", "image_cache": "/cache"}),
        ({"url": "https://192.0.2.1:8443"},
         {"url": "https://192.0.2.1:8443", "deployment": "d1", "image_cache": "/cache", "lock_dir": "LOCK"}),
        ({"socket": "/run/other", "deployment": "mine"},
         {"socket": "/run/other", "deployment": "mine", "image_cache": "/cache", "lock_dir": "LOCK"}),
    ],
)  # fmt: skip
def test_a_zone_that_names_an_incus_is_not_led_to_this_machines(
    monkeypatch: pytest.MonkeyPatch, own: dict[str, str], told: dict[str, str]
) -> None:
    private = {"socket": "/private", "deployment": "d1", "pool": "vmart", "image_cache": "/cache"}
    monkeypatch.setenv("VMART_INCUS_SETTINGS", json.dumps(private))
    monkeypatch.setenv("VMART_DEPLOYMENT", "d1")
    Zone.objects.filter(code=ZONE).update(engine_kind="incus", engine_settings=own)
    monkeypatch.setattr(zone_engines, "_open", {})
    opened: list[object] = []
    monkeypatch.setattr(zone_engines, "open_engine", lambda *how: opened.append(how))
    zone_engines.engine_of(ZONE)
    lock = str(settings.DATA_DIR / "engine")
    assert opened == [("incus", {name: lock if value == "LOCK" else value for name, value in told.items()})]
    assert len(zone_engines.sellers_own()) == ("url" in own or "socket" in own)
    where = told.get("socket") or told["url"]
    assert zone_engines.identity(ZONE, "incus", own) == ("incus", where, told["deployment"])
