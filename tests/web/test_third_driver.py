"""A driver that is only in the list of drivers: pages, provisioning and checklist take its own word for what it is."""

import pytest
from django.conf import settings

from tests.support import third_drivers
from tests.web.visiting import ZONE, Visitor, customer, operator, text_of, work
from vmart import engines
from vmart.catalog import shop
from vmart.catalog.models import Zone
from vmart.instances.models import Instance
from vmart.kernel.models import Deployment
from vmart.listings import checklist
from vmart.placement.models import Host
from vmart.provisioning import zone_engines, zones

NOBODY = "This zone is simulated: nobody answers"
TRYING_OUT = "For trying out: nothing runs behind it."


@pytest.fixture(autouse=True)
def _further_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "DRIVERS", third_drivers.DRIVERS)


def _serve(kind: str, **settings: object) -> None:
    Zone.objects.filter(code=ZONE).update(
        engine_kind=kind, engine_settings=settings, auto_compute="", engine_status="unknown", capabilities={}
    )
    Deployment.objects.update(generation=shop.snapshot().generation + 1)
    assert zones.check(ZONE)
    assert zones.prepare_images(ZONE)


def _engine_step() -> str:
    return next(step.text for step in checklist.steps() if step.name == "engine")


def test_one_that_is_not_real_is_called_by_its_title_and_sells_what_its_catalog_lists() -> None:
    hosts = set(Host.objects.filter(zone_id=ZONE).values_list("name", "vcpu_capacity"))
    _serve("slate", members=Zone.objects.get(code=ZONE).engine_settings["members"])
    assert set(Host.objects.filter(zone_id=ZONE).values_list("name", "vcpu_capacity")) == hosts
    assert Zone.objects.get(code=ZONE).capabilities["pools"] == {}
    page = text_of(Visitor().get("/buy/", follow=True))
    assert "Guangzhou Zone 3 Written in chalk" in page and TRYING_OUT in page
    visitor = customer()
    order = visitor.buy()["Location"]
    work()
    machine = Instance.objects.get()
    assert (settings.DATA_DIR / "engine" / f"{ZONE}.slate").exists()
    assert (machine.state, type(zone_engines.engine_of(ZONE))) == ("RUNNING", third_drivers.SlateEngine)
    page = text_of(visitor.get(f"/machines/{machine.public_id}/"))
    assert "Guangzhou Zone 3 Written in chalk" in page and NOBODY in page
    assert NOBODY in text_of(visitor.get(order))
    sellers = text_of(operator().get("/seller/"))
    assert "Guangzhou Zone 3 ap-guangzhou-3 Slate" in sellers
    assert "All zones of this shop are simulated." in sellers
    assert _engine_step().endswith("zones are ready, all simulated: no real machine.")


def test_one_that_is_real_finds_its_members_and_its_machines_answer() -> None:
    _serve("quipu")
    found = Host.objects.filter(zone_id=ZONE, online=True).order_by("name")
    overcommit = Zone.objects.get(code=ZONE).vcpu_overcommit
    assert [(host.name, host.vcpu_capacity) for host in found if host.name.startswith("sim-")] == [
        (f"sim-{number}", 64 * overcommit) for number in (1, 2, 3)
    ]
    assert Zone.objects.get(code=ZONE).capabilities["pools"].keys() == {"sim-1", "sim-2", "sim-3"}
    page = text_of(Visitor().get("/buy/", follow=True))
    assert "Guangzhou Zone 3 Knotted machines" in page
    visitor = customer()
    order = visitor.buy()["Location"]
    work()
    machine = Instance.objects.get()
    assert "Written in chalk" not in (told := text_of(visitor.get(f"/machines/{machine.public_id}/")))
    assert NOBODY not in told
    assert "It answers some seconds later" in text_of(visitor.get(order))
    sellers = text_of(operator().get("/seller/"))
    assert "Guangzhou Zone 3 ap-guangzhou-3 Quipu" in sellers
    assert "All zones of this shop are simulated." not in sellers
    assert _engine_step().endswith("zones are ready, 1 with real machines.")
    assert [own.kind for own in zone_engines.sellers_own()] == ["quipu"]


def test_of_a_kind_that_this_version_lacks_pages_show_the_name_and_nothing_is_opened() -> None:
    Zone.objects.filter(code=ZONE).update(engine_kind="abacus", engine_settings={})
    Deployment.objects.update(generation=shop.snapshot().generation + 1)
    assert not zones.check(ZONE)
    assert Zone.objects.get(code=ZONE).engine_why == "There is no engine of this kind."
    assert Visitor().get(f"/buy/?zone={ZONE}", follow=True).status_code == 200
    assert "Guangzhou Zone 3 ap-guangzhou-3 abacus" in text_of(operator().get("/seller/"))
