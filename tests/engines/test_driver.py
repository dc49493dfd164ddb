"""What a catalog may say of an engine is its driver's word; one list names the drivers, and they open nothing early."""

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pricing.demo import DEMO_FILE
from tests.support import third_drivers
from tests.support.third_drivers import SlateEngine
from vmart import engines
from vmart.catalog.document import parse_catalog
from vmart.engines import open_engine
from vmart.kernel.documents import DocumentError, read_yaml

MEMBERS = [{"name": "a", "vcpu": 4, "memory_gib": 8, "disk_gib": 100}]


@pytest.fixture(autouse=True)
def _further_drivers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "DRIVERS", third_drivers.DRIVERS)


def _document(engine: dict[str, Any]) -> dict[str, Any]:
    """The demo catalog with this engine of its second zone."""
    document = copy.deepcopy(read_yaml(DEMO_FILE.read_text(encoding="utf-8")))
    document["regions"][0]["zones"][1]["engine"] = engine
    return document


@pytest.mark.parametrize(
    "engine",
    [
        {"kind": "slate", "members": MEMBERS, "settings": {"rows": 3}},
        {"kind": "quipu", "settings": {"rows": 3}},
        {"kind": "auto", "members": MEMBERS, "settings": {"pool": "fast", "latency_s": 1}},
        {"kind": "incus", "settings": {"url": "https://192.0.2.7:8443", "images": {"debian-12": {"alias": "x"}},
                                       "host_network": False, "timeout_s": 5, "deployment": 7}},
    ],
)  # fmt: skip
def test_a_catalog_may_say_what_the_drivers_of_a_zone_take(engine: dict[str, Any]) -> None:
    found = parse_catalog(_document(engine)).zones[1].engine
    assert (found.kind, found.settings, len(found.members)) == (
        engine["kind"], engine["settings"], len(engine.get("members", [])),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ({"kind": "slate", "members": MEMBERS, "settings": {"rows": 0}},
         ".settings: rows: Input should be greater than 0, not 0"),
        ({"kind": "slate", "members": MEMBERS, "settings": {"colour": "red"}},
         ".settings: colour: is not known here"),
        ({"kind": "slate"}, ": members: Slate needs at least one"),
        ({"kind": "quipu", "members": MEMBERS}, ": members: Quipu finds its own"),
        ({"kind": "abacus"}, ".kind: abacus is no kind of engine (auto, incus, simulated, slate, quipu)"),
        ({"kind": "auto", "members": MEMBERS, "settings": {"rows": 3}}, ".settings: rows: is not known here"),
        ({"kind": "incus", "settings": {"latency_s": 1}}, ".settings: latency_s: is not known here"),
        ({"kind": "incus", "settings": {"host_network": "no", "images": {"debian-12": {}}}},
         ".settings: images.debian-12.alias: is missing; "
         "host_network: Input should be 'auto', True or False, not no"),
        ({"kind": "incus", "settings": {"host_network": 0}},
         ".settings: host_network: Input should be 'auto', True or False, not 0"),
        ({"kind": "incus", "settings": {"host_network": None}},
         ".settings: host_network: Input should be 'auto', True or False"),
        ({"kind": "simulated", "members": MEMBERS, "settings": {"failure_rate": 2}},
         ".settings: failure_rate: Input should be less than or equal to 1, not 2"),
        ({"kind": "simulated", "members": MEMBERS, "settings": {"pool": "fast"}},
         ".settings: pool: is not known here"),
    ],
)  # fmt: skip
def test_what_no_driver_of_the_zone_takes_is_refused_by_its_key(engine: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError) as refusal:
        parse_catalog(_document(engine))
    assert refusal.value.problems == [f"regions.0.zones.1.engine{problem}"]


def test_what_opens_is_the_drivers_engine(tmp_path: Path) -> None:
    assert type(open_engine("slate", {"file": tmp_path / "engine.sqlite"})) is SlateEngine


def test_no_two_drivers_share_a_word_and_all_fit_their_column() -> None:
    kinds = [driver.kind for driver in third_drivers.DRIVERS]
    found = [compute for driver in third_drivers.DRIVERS for compute in driver.found_as]
    assert (len(set(kinds)), len(set(found))) == (len(kinds), len(found)) == (4, 3)
    assert [word for word in kinds + found if len(word) > 20] == []
    assert engines.FALLBACK.found_as.keys() == {engines.FALLBACK.kind}  # what bring_up falls back to is found as itself


@pytest.mark.parametrize(
    ("imports", "also"),
    [
        ("vmart.config.supervisor, vmart.config.commands.running", set()),
        ("vmart.web.urls, vmart.backoffice.urls, vmart.api.services, vmart.catalog.document",
         {"vmart.engines.contract", "vmart.engines.optional", "vmart.engines.rules", "vmart.engines.foreign",
          "vmart.engines.foreign.kinds"}),
    ],
)  # fmt: skip
def test_neither_the_supervisor_nor_the_web_loads_what_reaches_an_engine(imports: str, also: set[str]) -> None:
    code = (
        "import os, sys, json\n"
        "if 'DJANGO_SETTINGS_MODULE' in os.environ:\n    import django; django.setup()\n"
        f"import {imports}\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('vmart.engines') or name in"
        " ('sqlite3', 'httpx')]))"
    )
    environment = dict(os.environ)
    if not also:
        del environment["DJANGO_SETTINGS_MODULE"]
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    known = {"vmart.engines", "vmart.engines.driver", "vmart.engines.incus", "vmart.engines.simulated"}
    assert set(json.loads(done.stdout)) == known | also
